"""deploy/create_server.py against a stand-in of Hetzner's HTTP API."""

from __future__ import annotations

import importlib.util
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
import yaml
from click.testing import CliRunner, Result
from fake_hetzner import TOKEN, FakeHetzner, hetzner

pytest.importorskip("hcloud")

SCRIPT = Path(__file__).parents[2] / "deploy/create_server.py"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFvNjGTUNfVqB1VqB3Lqk8rY0nQ2R0m5hS1Zb7Gx3k2u me@here"
TELEGRAM, DISCORD = "123:telegram-secret", "MTIz.discord-secret"
REPOSITORY = "https://git.example/me/glimpse.git"
Run = Callable[..., Result]


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("create_server", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


create_server = load()


@pytest.fixture
def project() -> Iterator[FakeHetzner]:
    with hetzner() as made:
        yield made


@pytest.fixture
def run(project: FakeHetzner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the script against the project; gives click's result."""
    key = tmp_path / "key.pub"
    key.write_text(KEY + "\n", encoding="utf-8")
    monkeypatch.setattr(time, "sleep", lambda _: None)  # between questions, and after a refusal

    def invoke(
        command: str, *arguments: str, answer: str = "", token: str = TOKEN, **environment: str
    ) -> Result:
        options = ["--ssh-key", str(key), "--repository", REPOSITORY] if command == "create" else []
        given = {
            "HCLOUD_TOKEN": token, "HCLOUD_ENDPOINT": project.endpoint,
            "GLIMPSE_TELEGRAM_TOKEN": TELEGRAM, "GLIMPSE_DISCORD_TOKEN": "",
        }  # fmt: skip
        result = CliRunner().invoke(
            create_server.main, [command, *options, *arguments], input=answer,
            env=given | environment,
        )  # fmt: skip
        assert result.exception is None or isinstance(result.exception, SystemExit)
        assert TELEGRAM not in result.output
        assert token not in result.output or not token
        return result

    return invoke


def values(user_data: str) -> list[str]:
    files = yaml.safe_load(user_data)["write_files"]
    (content,) = (each["content"] for each in files if each["path"] == "/etc/glimpse/values.env")
    return [line for line in content.splitlines() if not line.startswith("#")]


def test_a_server_is_made_with_its_key_firewall_and_values(run: Run, project: FakeHetzner) -> None:
    result = run("create", "--type", "cax11", "--location", "hel1", GLIMPSE_DISCORD_TOKEN=DISCORD)
    assert result.exit_code == 0, result.output
    (server,) = project.ordered
    assert (server["name"], server["server_type"], server["location"]) == ("glimpse", 2, 3)
    assert server["image"] == 11  # for ARM
    assert server["labels"] == {"app": "glimpse"}
    assert values(server["user_data"]) == [
        f"GLIMPSE_TELEGRAM_TOKEN={TELEGRAM}", f"GLIMPSE_DISCORD_TOKEN={DISCORD}",
        f"REPOSITORY={REPOSITORY}",
    ]  # fmt: skip
    (wall,) = project.things["firewalls"]
    assert [(rule["protocol"], rule.get("port")) for rule in wall["rules"]] == [
        ("tcp", "22"), ("icmp", None),
    ]  # fmt: skip
    (key,) = project.things["ssh_keys"]
    assert key["public_key"] == KEY
    assert "ssh root@203.0.113.7 tail -f /var/log/glimpse-setup.log" in result.output
    assert "5.99 EUR a month" in result.output


def test_a_known_key_and_firewall_are_used_again(run: Run, project: FakeHetzner) -> None:
    assert run("create").exit_code == 0
    project.things["servers"].clear()
    result = run("create", "--https", "--backups", "--image", "registry.example/glimpse:1")
    assert result.exit_code == 0, result.output
    assert len(project.things["ssh_keys"]) == len(project.things["firewalls"]) == 1
    (wall,), (server,) = project.things["firewalls"], project.things["servers"]
    ordered = project.ordered[-1]
    assert [rule.get("port") for rule in wall["rules"]] == ["22", "443", None]
    assert server["backup_window"] == "22-02"
    assert "GLIMPSE_IMAGE=registry.example/glimpse:1" in values(ordered["user_data"])


def test_a_dry_run_asks_nobody_and_shows_no_token(run: Run, project: FakeHetzner) -> None:
    result = run("create", "--dry-run", "--repository", "https://me:secret@git.example/x.git")
    assert result.exit_code == 0
    assert project.requests == []
    assert "secret" not in result.output
    assert values(result.output)[:2] == [
        "GLIMPSE_TELEGRAM_TOKEN=********",
        "GLIMPSE_DISCORD_TOKEN=",
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--type", "cx22"], "There is no server type cx22"),
        (["--type", "cpx12"], "cpx12 has 2 GB; Glimpse needs 4"),
        (["--location", "mars1"], "There is no location mars1; there are ash, fsn1, hel1, nbg1."),
        (["--location", "ash"], "cx23 is not sold in ash, but in fsn1, nbg1, hel1."),
        (["--ssh-key", "/no/such"], "/no/such holds no public key"),
        (["--repository", "https://x y"], "REPOSITORY must not have spaces"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_made(
    run: Run, project: FakeHetzner, arguments: list[str], said: str
) -> None:
    result = run("create", *arguments)
    assert result.exit_code == 1
    assert said in result.output
    assert not any(request.startswith("POST") for request, _ in project.requests)


@pytest.mark.parametrize(
    ("request_", "codes", "said"),
    [
        ("POST /servers", ["resource_unavailable"], "sold out there"),
        ("POST /servers", ["resource_limit_exceeded"], "may not have more"),
        ("POST /servers", ["odd_code"], "Hetzner refused: refused: odd_code (odd_code)."),
        ("GET /servers", ["rate_limit_exceeded"] * 9, "slow down"),
    ],
)
def test_refusals_are_plain_sentences(
    run: Run, project: FakeHetzner, request_: str, codes: list[str], said: str
) -> None:
    project.refuse[request_] = codes
    result = run("create")
    assert result.exit_code == 1
    assert said in result.output
    assert project.things["servers"] == []


def test_a_short_rate_limit_is_waited_for(run: Run, project: FakeHetzner) -> None:
    project.refuse["GET /servers"] = ["rate_limit_exceeded"]
    assert run("create").exit_code == 0


def test_a_wrong_or_missing_token_and_a_dead_network_are_told(
    run: Run, project: FakeHetzner
) -> None:
    assert "does not know this token" in run("create", token="wrong").output
    assert "Set HCLOUD_TOKEN" in run("create", token="").output
    result = run("create", HCLOUD_ENDPOINT="http://127.0.0.1:9")
    assert "cannot be reached" in result.output
    project.failing_action = "start_server"
    assert "could not finish: the host broke" in run("create").output


def test_a_second_server_of_that_name_is_refused(run: Run, project: FakeHetzner) -> None:
    assert run("create").exit_code == 0
    result = run("create")
    assert result.exit_code == 1
    assert "There is a server called glimpse already" in result.output
    assert len(project.things["servers"]) == 1


def test_deleting_wants_the_name_once_more(run: Run, project: FakeHetzner) -> None:
    assert "There is no server called glimpse" in run("delete").output
    assert run("create").exit_code == 0
    assert run("delete", answer="yes\n").exit_code == 1
    assert len(project.things["servers"]) == 1
    result = run("delete", answer="glimpse\n")
    assert result.exit_code == 0, result.output
    assert project.things["servers"] == project.things["firewalls"] == []


def test_a_server_of_somebody_else_is_not_deleted(run: Run, project: FakeHetzner) -> None:
    assert run("create").exit_code == 0
    project.things["servers"][0]["labels"] = {}
    result = run("delete", answer="glimpse\n")
    assert "was not made by this script" in result.output
    assert len(project.things["servers"]) == 1


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("git@git.example:me/glimpse.git", "https://git.example/me/glimpse.git"),
        ("ssh://git@git.example/me/glimpse.git", "https://git.example/me/glimpse.git"),
        ("https://git.example/me/glimpse", "https://git.example/me/glimpse"),
    ],
)
def test_the_clone_tells_where_it_came_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str, found: str
) -> None:
    git = ["git", "-C", str(tmp_path)]
    subprocess.run([*git, "init", "--quiet"], check=True)
    monkeypatch.setattr(create_server, "HERE", tmp_path)
    with pytest.raises(create_server.click.ClickException, match="--repository"):
        create_server.origin()
    subprocess.run([*git, "remote", "add", "origin", url], check=True)
    assert create_server.origin() == found
