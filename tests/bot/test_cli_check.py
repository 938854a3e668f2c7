"""`glimpse check` and `glimpse fetch`: what is there, what is broken, and what to do about it."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from cli_runner import CliRunner
from engine_stand_in import Said
from log_helpers import damage, opened, record

from bot.cli import check, models
from model import converted, pretrained, quantization
from model.cache import Progress
from model.config import Profile, load_profile
from model.prompts import PROMPT_VERSION


def card(profile: Profile) -> dict[str, Any]:
    base = {"mapper": asdict(profile.mapper), "tower_kind": profile.tower.kind}
    return {"prompt_version": PROMPT_VERSION, "base": base}


@pytest.fixture
def healthy(cli: CliRunner, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    """Everything in order: an adapter that fits, whole weights, a cache that can be written."""
    adapter = cli.folder / "adapter"
    adapter.mkdir()
    profile = replace(load_profile("starter"), adapter=str(adapter))
    (adapter / "adapter.toml").write_text(tomli_w.dumps(card(profile)))
    monkeypatch.setattr("model.config.load_profile", lambda _name: profile)
    monkeypatch.setattr("model.pretrained.is_ready", lambda _part, verify: verify)
    monkeypatch.setenv("GLIMPSE_CACHE", str(cli.folder / "cache/deep"))
    cli.engine.answer = lambda _picture, _question: Said("red")
    cli.environment["GLIMPSE_PORT"] = "0"
    monkeypatch.setitem(__import__("engine_stand_in").COLOURS, (254, 0, 0), "red")  # after JPEG
    return cli


def states(cli: CliRunner, *arguments: str) -> tuple[int, dict[str, dict[str, str]]]:
    outcome = cli.run("check", "--json", *arguments)
    found = json.loads(outcome.out)
    assert found["ok"] is (outcome.status == 0)
    assert bool(outcome.err) is (outcome.status == 1)
    return outcome.status, {row["name"]: row for row in found["checks"]}


def test_all_is_well(healthy: CliRunner) -> None:
    outcome = healthy.run("check")
    assert (outcome.status, outcome.err) == (0, "")
    assert [line.split()[0] for line in outcome.out.splitlines()] == ["ok"] * 12
    assert '"red" in 0.' in outcome.out
    assert healthy.engine.closed
    status, found = states(healthy)
    assert status == 0
    assert {row["state"] for row in found.values()} == {"ok"}
    assert not (healthy.folder / "cache").exists()  # looking writes nothing


def test_missing_weights_are_a_problem_with_advice(
    healthy: CliRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("model.pretrained.is_ready", lambda part, verify: part is pretrained.TOWER)
    status, found = states(healthy)
    assert status == 1
    assert found["base weights"]["state"] == "problem"
    assert found["base weights"]["detail"] == "the language model missing or damaged"
    assert "glimpse fetch" in found["base weights"]["advice"]
    assert found["answer"]["state"] == "note"
    assert healthy.loaded == []


def test_an_adapter_that_does_not_fit_is_a_problem(healthy: CliRunner) -> None:
    (healthy.folder / "adapter" / "adapter.toml").write_text("prompt_version = 0\nbase = {}\n")
    status, found = states(healthy)
    assert status == 1
    assert found["adapter"]["state"] == "problem"
    outcome = healthy.run("check")
    assert outcome.err == "Glimpse does not work yet: see adapter.\n"


def test_a_taken_port_is_worth_a_note_only(healthy: CliRunner) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        healthy.environment["GLIMPSE_PORT"] = str(taken.getsockname()[1])
        status, found = states(healthy)
    assert status == 0
    assert found["web page"]["state"] == "note"
    assert found["answer"]["state"] == "ok"


def test_a_cache_that_cannot_be_written_is_worth_a_note(
    healthy: CliRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = healthy.folder / "file"
    file.write_text("")
    monkeypatch.setenv("GLIMPSE_CACHE", str(file / "cache"))
    status, found = states(healthy)
    assert status == 0
    assert found["cache"]["state"] == "note"


def test_bad_settings_are_the_only_finding(cli: CliRunner) -> None:
    cli.environment["GLIMPSE_PORT"] = "http"
    status, found = states(cli)
    assert status == 1
    assert list(found) == ["settings"]
    assert "whole number" in found["settings"]["detail"]


def test_a_missing_package_and_a_model_that_fails_are_problems(
    healthy: CliRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    healthy.trouble = RuntimeError("secret")
    status, found = states(healthy)
    assert (status, found["answer"]["state"]) == (1, "problem")
    assert "secret" not in found["answer"]["detail"]
    monkeypatch.setattr(check, "_PACKAGES", ("torch", "no-such-package"))
    status, found = states(healthy)
    assert status == 1
    assert "no-such-package is not installed" in found["packages"]["detail"]


def test_a_profile_that_does_not_exist_is_a_problem(cli: CliRunner) -> None:
    status, found = states(cli, "--profile", "nowhere")
    assert status == 1
    assert "There is no profile 'nowhere'" in found["adapter"]["detail"]


# --- fetch -----------------------------------------------------------------------------------


def test_fetch_prepares_what_the_profile_needs(
    cli: CliRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched: list[str] = []

    def note(name: str) -> Callable[..., None]:
        return lambda *_given, **_more: fetched.append(name)

    monkeypatch.setattr(pretrained, "starter_language_model", note("language"))
    monkeypatch.setattr(pretrained, "starter_tower", note("tower"))
    monkeypatch.setattr(converted, "is_converted", lambda *_given: bool(cli.loaded))
    monkeypatch.setattr(quantization, "is_cached", lambda _profile: True)
    assert cli.run("fetch").out == "The weights are ready.\n"
    assert fetched == ["language", "tower"]
    assert cli.loaded == [("starter", None, True)]  # which converts the model
    assert cli.run("fetch", "--profile", "clip-pythia").status == 0
    assert len(fetched) == 2  # those come from a hub
    assert cli.run("fetch").status == 0
    assert len(fetched) == 2  # the converted model has everything
    cli.environment["GLIMPSE_RUNTIME"] = "torch"
    assert cli.run("fetch").status == 0
    assert fetched[2:] == ["tower"]  # the merged model has all of the language model
    assert "There is no profile" in cli.run("fetch", "--profile", "nowhere").err


def test_the_real_loader_passes_everything_on_and_shows_what_is_fetched(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def load_engine(profile: str, *, threads: int, int8: bool, progress: Progress) -> object:
        progress("Downloading it", 0, 10)
        return profile, threads, int8

    monkeypatch.setattr("model.engine.load_engine", load_engine)
    assert models.load_model("tiny", 2, False) == ("tiny", 2, False)
    assert capsys.readouterr().err == "Downloading it...\n"


def test_the_log_is_looked_after(healthy: CliRunner, tmp_path: Path) -> None:
    path = tmp_path / "kept.db"
    with opened(path) as log:
        log.record(record(1)).result(5)
    found = states(healthy)[1]["log"]
    assert (found["state"], found["detail"]) == (
        "ok",
        f"1 exchange in {path}, each kept for 30 days",
    )
    damage(path)
    status, checks = states(healthy)
    assert (status, checks["log"]["state"]) == (1, "problem")
    assert "damaged" in checks["log"]["detail"]
    healthy.environment["GLIMPSE_LOG"] = "off"
    assert states(healthy)[1]["log"]["state"] == "note"
