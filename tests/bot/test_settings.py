"""Settings: the environment wins over the file, and every mistake is named in one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.errors import SettingsError
from bot.settings import Settings, load_settings


def test_nothing_set_gives_the_defaults_and_empty_means_nothing() -> None:
    assert load_settings({}) == Settings()
    blank = {"GLIMPSE_CONFIG": "", "GLIMPSE_PORT": " ", "GLIMPSE_CACHE": "", "PATH": "/bin"}
    assert load_settings(blank) == Settings()
    assert Settings().weight_places == {}


def test_every_kind_of_value_is_read_from_the_environment() -> None:
    found = load_settings(
        {
            "GLIMPSE_PROFILE": " mine ",
            "GLIMPSE_THREADS": "3",
            "GLIMPSE_INT8": "No",
            "GLIMPSE_CACHE": "/c",
            "GLIMPSE_WHEELS": "/w",
            "GLIMPSE_HOST": "0.0.0.0",
            "GLIMPSE_PORT": "0",
            "GLIMPSE_ALLOWED_HOSTS": "a.example, b.example,",
            "GLIMPSE_DEBUG": "1",
        }
    )
    hosts = ("a.example", "b.example")
    assert found == Settings("mine", 3, False, "/c", "/w", "0.0.0.0", 0, hosts, True)
    assert found.weight_places == {"GLIMPSE_CACHE": "/c", "GLIMPSE_WHEELS": "/w"}


def test_the_file_sets_and_the_environment_wins(tmp_path: Path) -> None:
    file = tmp_path / "glimpse.toml"
    file.write_text(
        'port = 1\nhost = "h"\nint8 = false\nallowed_hosts = ["x"]\n'
        'cache = "kept"\nwheels = "/w"\nprofile = "mine.toml"\n'
    )
    found = load_settings({"GLIMPSE_CONFIG": str(file), "GLIMPSE_PORT": "2"})
    assert (found.port, found.host, found.int8, found.allowed_hosts) == (2, "h", False, ("x",))
    # Paths are relative to the file; a bare profile's name is no path.
    assert found.cache == str(tmp_path / "kept")
    assert found.wheels == "/w"
    assert found.profile == str(tmp_path / "mine.toml")
    file.write_text('profile = "starter"\n')
    assert load_settings({"GLIMPSE_CONFIG": str(file)}).profile == "starter"


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("GLIMPSE_PROT", "1", "GLIMPSE_PROT (in the environment); did you mean GLIMPSE_PORT?"),
        ("GLIMPSE_ZZZZZZ", "1", "known are GLIMPSE_ADMINS, GLIMPSE_ALLOWED_CHATS"),
        ("GLIMPSE_PORT", "http", "GLIMPSE_PORT has to be a whole number from 0 to 65535."),
        ("GLIMPSE_PORT", "65536", "GLIMPSE_PORT has to be a whole number from 0 to 65535."),
        ("GLIMPSE_PORT", "-1", "GLIMPSE_PORT has to be a whole number from 0 to 65535."),
        ("GLIMPSE_PORT", "9" * 5000, "GLIMPSE_PORT has to be a whole number from 0 to 65535."),
        ("GLIMPSE_THREADS", "²", "GLIMPSE_THREADS has to be a whole number from 0 to 1024."),
        ("GLIMPSE_PER_MINUTE", "0", "GLIMPSE_PER_MINUTE has to be a whole number from 1 to 10000."),
        ("GLIMPSE_ADMINS", "ann", 'GLIMPSE_ADMINS has to name people or chats as "telegram:123".'),
        ("GLIMPSE_ALLOWED_CHATS", "telegram:1,2", "has to name people or chats"),
        (
            "GLIMPSE_TELEGRAM_WEBHOOK_URL",
            "http://b.example/x",
            "GLIMPSE_TELEGRAM_WEBHOOK_URL has to be an address like https://b.example/x.",
        ),
        ("GLIMPSE_TELEGRAM_WEBHOOK_URL", "https://", "has to be an address like https://"),
        ("GLIMPSE_TELEGRAM_WEBHOOK_URL", "https://a:b@c/x", "has to be an address like https://"),
        ("GLIMPSE_TELEGRAM_WEBHOOK_URL", "https://b.example/?a", "has to be an address like"),
        ("GLIMPSE_TELEGRAM_WEBHOOK_PORT", "0", "has to be a whole number from 1 to 65535."),
        (
            "GLIMPSE_TELEGRAM_WEBHOOK_SECRET",
            "a b",
            "GLIMPSE_TELEGRAM_WEBHOOK_SECRET has to be at most 256 letters, digits, - and _.",
        ),
        ("GLIMPSE_INT8", "perhaps", "GLIMPSE_INT8 has to be true or false."),
        ("GLIMPSE_CONFIG", "/nowhere/x.toml", "There is no file /nowhere/x.toml"),
        ("GLIMPSE_CONFIG", "/", "The file /, which GLIMPSE_CONFIG names, cannot be read."),
    ],
)
def test_a_bad_variable_is_refused(variable: str, value: str, sentence: str) -> None:
    with pytest.raises(SettingsError) as refusal:
        load_settings({variable: value})
    assert sentence in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("port = 8000\nprot = 1\n", "no setting prot (in g.toml); did you mean port?"),
        ("port = true\n", "port in g.toml has to be a whole number"),
        ("port = 80.0\n", "port in g.toml has to be a whole number"),
        ("int8 = 1\n", "int8 in g.toml has to be true or false."),
        ("host = 1\n", "host in g.toml has to be a text in quotes."),
        ("cache = []\n", "cache in g.toml has to be a text in quotes."),
        ('allowed_hosts = "x"\n', "allowed_hosts in g.toml has to be a list of names."),
        ("allowed_hosts = [1]\n", "allowed_hosts in g.toml has to be a list of names."),
        (
            'telegram_webhook_url = "x"\n',
            "telegram_webhook_url in g.toml has to be an address like",
        ),
        ("port 8000\n", "g.toml is not valid TOML"),
        ("# \ud800", "cannot be read"),
    ],
)
def test_a_bad_file_is_refused(tmp_path: Path, text: str, sentence: str) -> None:
    file = tmp_path / "g.toml"
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(SettingsError) as refusal:
        load_settings({"GLIMPSE_CONFIG": str(file)})
    assert sentence in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_lists_of_people_and_limits() -> None:
    settings = load_settings(
        {"GLIMPSE_ALLOWED_CHATS": "telegram:-100, discord:7", "GLIMPSE_PER_DAY": "9"}
    )
    assert settings.allowed_chats == ("telegram:-100", "discord:7")
    assert (settings.per_minute, settings.per_day) == (5, 9)


def test_a_webhook_is_set_up_by_its_address_alone() -> None:
    settings = load_settings({"GLIMPSE_TELEGRAM_WEBHOOK_URL": "https://b.example:8443/glimpse"})
    assert settings.telegram_webhook_url == "https://b.example:8443/glimpse"
    assert settings.telegram_webhook_secret == ""
    assert (settings.telegram_webhook_host, settings.telegram_webhook_port) == ("127.0.0.1", 8443)


@pytest.mark.parametrize("name", ["TELEGRAM_TOKEN", "TELEGRAM_WEBHOOK_SECRET", "DISCORD_TOKEN"])
def test_secrets_are_not_shown(name: str) -> None:
    settings = load_settings({f"GLIMPSE_{name}": "very-secret"})
    assert getattr(settings, name.lower()) == "very-secret"
    assert "very-secret" not in repr(settings)
