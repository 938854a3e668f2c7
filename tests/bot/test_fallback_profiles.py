"""A bot with several profiles while the first one's server is away: people, operator, log."""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from cli_runner import CliRunner, FakeEngine
from engine_stand_in import open_photo, photo
from far_server import FarServer, far_server

from bot.assistant.assistant import Assistant
from bot.assistant.locale.german import GERMAN
from bot.assistant.locale.texts import ENGLISH
from bot.assistant.outages import OutageNotices
from bot.assistant.privacy import Recorder
from bot.assistant.types import Conversation, Exchange, Incoming, Reply
from bot.cli import terminal
from bot.cli.context import AppContext
from bot.cli.models import load_model, profile_settings
from bot.errors import SettingsError
from bot.health import Health
from bot.log import Log, ModelVersion
from bot.metrics import Metrics
from bot.settings import load_settings, profile_names
from bot.version import BuildInfo
from model.breaker import BreakerSettings
from model.errors import ProfileError
from model.fallback import AnsweringEngine, FallbackEngine
from model.remote import RemoteEngine
from model.server_config import RemoteProfile, ServerConfig

ASKED = "What colour is it?"


@pytest.fixture
def far() -> Iterator[FarServer]:
    with far_server() as server:
        yield server
    terminal.reset_log_format()


def profile_file(folder: Path, name: str, url: str, provider: str = "") -> Path:
    path = folder / f"{name}.toml"
    path.write_text(
        f'kind = "openai"\n[server]\nurl = "{url}"\nmodel = "m"\nretries = 0\n'
        f'logprobs = false\nprovider = "{provider}"\n'
    )
    return path


def near(name: str = "near") -> FakeEngine:
    return FakeEngine(profile=SimpleNamespace(name=name))


def together(far: FarServer, **values: Any) -> FallbackEngine:
    server = ServerConfig(far.url, "m", retries=0, logprobs=False)
    engines = [RemoteEngine(RemoteProfile("far", "openai", server)), near()]
    return FallbackEngine(cast(list[AnsweringEngine], engines), **values)


async def ask(assistant: Assistant, text: str = ASKED, language: str = "en") -> Reply:
    message = Incoming("web", "1", "1", text, pictures=(photo("red"),), language=language)
    reply = await assistant.handle(message)
    assert reply
    return reply


# --- people ---------------------------------------------------------------------------------------


async def test_people_are_told_once_in_an_outage_and_not_when_it_is_over(
    far: FarServer, tmp_path: Path
) -> None:
    engine = together(far, breaker=BreakerSettings(2, 0.05, 0.05))
    log = Log(tmp_path / "kept.db", b"k" * 32, ModelVersion("far"),
              others=[ModelVersion("far"), ModelVersion("near", "abc")])  # fmt: skip
    metrics = Metrics(Health(), BuildInfo("1", "", ""), "far, near")
    metrics.engine = engine
    assistant = Assistant(engine, open_picture=open_photo, recorder=Recorder(log), metrics=metrics)
    english, german = ENGLISH.instead, GERMAN.instead
    assert english not in (await ask(assistant)).text
    far.kill()
    assert (await ask(assistant)).text == f"Red.\n\n{english}"
    assert (await ask(assistant)).text == "Red."
    assert 'glimpse_breaker_state{profile="far",state="open"} 1.0' in told(metrics)
    far.start()
    while (again := await ask(assistant)).text == "Red.":
        pass
    assert "far: what colour is it" in again.text.lower()
    far.kill()
    assert (await ask(assistant, "Welche Farbe hat es?", "de")).text == f"Rot.\n\n{german}"
    engine.close()
    log.close()
    with sqlite3.connect(tmp_path / "kept.db") as db:
        kept = db.execute("SELECT DISTINCT profile, adapter FROM exchanges").fetchall()
    assert sorted(kept) == [("far", ""), ("near", "abc")]
    assert 'glimpse_profile_answers_total{instead="yes",profile="near"}' in told(metrics)
    assert 'glimpse_profile_answers_total{instead="no",profile="far"} 2.0' in told(metrics)


def told(metrics: Metrics) -> str:
    return metrics.exposition()[0].decode()


def test_it_is_news_again_after_a_while() -> None:
    now = [0.0]
    notices = OutageNotices(lambda: now[0])
    one, two = Conversation("web", "1", "1"), Conversation("web", "2", "2")
    instead = Exchange("caption", None, "a dog", 0.9, 0.1, "", profile="near", instead=True)
    usual = Exchange("caption", None, "a dog", 0.9, 0.1, "", profile="far")
    measured = Exchange("caption", None, "nothing but red", 0.9, 0.0, "")  # by nobody
    assert notices.due(one, [usual, instead])
    assert not notices.due(one, [instead])
    assert notices.due(two, [instead])
    assert not notices.due(one, [measured])
    assert not notices.due(one, [instead])
    now[0] += 1801.0
    assert notices.due(one, [instead])
    assert not notices.due(one, [usual])
    assert notices.due(one, [instead])


async def test_privacy_names_everybody_who_may_get_the_picture(tmp_path: Path) -> None:
    def remote(name: str, host: str, provider: str = "") -> RemoteEngine:
        server = ServerConfig(f"http://{host}/v1", "m", provider=provider)
        return RemoteEngine(RemoteProfile(name, "openai", server))

    async def said(language: str, *engines: Any) -> str:
        engine = FallbackEngine(engines)
        assistant = Assistant(engine, profiles=profile_settings(engine))
        asked = Incoming("telegram", "1", "1", "/privacy", language=language)
        reply = await assistant.handle(asked)
        engine.close()
        assert reply
        return reply.text

    engines = [remote("a", "a.example", "A Ltd"), remote("b", "b.lan"), remote("c", "c.example",
               "C Ltd"), remote("d", "127.0.0.1", "D Ltd"), near()]  # fmt: skip
    english = await said("en", *engines)
    assert "to A Ltd, another computer, which whoever runs me has chosen or C Ltd" in english
    german = await said("de", *engines)
    assert "an A Ltd, einen anderen Computer, den mein Betreiber gewählt hat oder C Ltd" in german
    for text in (english, german):
        assert "D Ltd" not in text
        assert not {"nobody else", "niemandem"} & {*text.lower().split()}
    alone = await said("en", remote("a", "a.example", "A Ltd"), near())
    assert "to A Ltd. What is kept there, A Ltd decides" in alone
    assert "nobody else gets them" in await said("en", remote("d", "127.0.0.1"), near())


# --- the operator ---------------------------------------------------------------------------------


def test_profiles_are_named_in_one_setting(tmp_path: Path) -> None:
    assert profile_names("pixtral, starter") == ("pixtral", "starter")
    assert profile_names("pixtral,pixtral , starter,") == ("pixtral", "starter")
    with pytest.raises(SettingsError, match="has to be named"):
        profile_names(" , ")
    assert profile_names("x" * 5000) == ("x" * 5000,)
    odd = profile_file(tmp_path, "one,two", "http://x.example/v1")
    assert profile_names(str(odd)) == (str(odd),)
    config = tmp_path / "glimpse.toml"
    config.write_text('profile = "far.toml, starter"\npatience = 5\n')
    settings = load_settings({"GLIMPSE_CONFIG": str(config)})
    assert settings.profile == f"{tmp_path}/far.toml, starter"
    assert settings.patience == 5


def test_a_command_asks_the_next_profile(cli: CliRunner, far: FarServer, tmp_path: Path) -> None:
    path = profile_file(tmp_path, "far", far.url)

    def load(profile: str, *how: Any, **options: Any) -> Any:
        return load_model(profile, *how, **options) if profile.endswith(".toml") else near(profile)

    cli.load = load  # type: ignore[method-assign]
    cli.environment["GLIMPSE_PROFILE"] = f"{path}, near"
    shown = cli.photo("red")
    far_said = json.loads(cli.run("ask", shown, ASKED, "--json").out)
    assert (far_said["answer"], far_said["profile"]) == (f"far: {ASKED}", "far")
    far.kill()
    outcome = cli.run("ask", shown, ASKED, "--json")
    told = json.loads(outcome.out)
    assert (told["answer"], told["profile"]) == ("red", "near")
    cli.environment["GLIMPSE_PROFILE"] = f"{path}, far"
    outcome = cli.run("ask", shown, ASKED)
    assert outcome.status == 1
    assert "Two of the profiles have the name 'far'" in outcome.err
    cli.environment["GLIMPSE_PROFILE"] = f"near, {tmp_path}/gone.toml"
    assert cli.run("ask", shown, ASKED).status == 1


def test_check_asks_every_profile(cli: CliRunner, far: FarServer, tmp_path: Path) -> None:
    paths = [profile_file(tmp_path, name, far.url) for name in ("one", "two")]
    cli.load = load_model  # type: ignore[method-assign, assignment]
    cli.environment |= {"GLIMPSE_PORT": "0", "GLIMPSE_PROFILE": ", ".join(map(str, paths))}
    far.kill()
    rows = json.loads(cli.run("check", "--json").out)["checks"]
    found = {row["name"]: (row["state"], row["detail"]) for row in rows}
    for name in ("one", "two"):
        state, detail = found[f"{name}: server"]
        assert (state, "cannot be reached" in detail) == ("problem", True)
        assert found[f"{name}: answer"] == ("note", "Not tried, because of the above.")


async def test_health_tells_of_outages_and_is_ready_while_somebody_answers(
    far: FarServer, caplog: pytest.LogCaptureFixture
) -> None:
    engine = together(far, breaker=BreakerSettings(2, 600.0, 600.0))
    health = Health()
    health.loaded(engine)
    assert health.checks()["profile far"].detail == "It is asked."
    far.kill()
    caplog.set_level(logging.WARNING)
    assistant = Assistant(engine, open_picture=open_photo)
    for _ in range(4):
        await ask(assistant)
    check = health.checks()["profile far"]
    assert (check.ok, check.detail) == (True, "It gives no answers; others do.")
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "http://127.0.0.1" in caplog.text
    engine.close()
    alone = SimpleNamespace(breakers=engine.breakers, order=("far",))
    health.loaded(alone)
    assert not health.checks()["profile far"].ok


def test_a_profile_that_cannot_be_loaded_is_told_and_others_are_closed(tmp_path: Path) -> None:
    made: list[FakeEngine] = []

    def load(profile: str, *how: Any, **options: Any) -> Any:
        if profile == "broken":
            raise ProfileError("There is no profile 'broken'.")
        made.append(near(profile))
        return made[-1]

    app = AppContext(load, {"GLIMPSE_PROFILE": "near, broken"})
    with pytest.raises(ProfileError), app.engine():
        pass
    assert [each.closed for each in made] == [True]
