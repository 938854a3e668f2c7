"""Ctrl-C or SIGTERM in the middle of a command: a sentence says what is kept, and nothing lies."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NoReturn

import pytest
from cli_runner import CliRunner
from log_helpers import opened, record
from official_files import pictures

from bot.cli.main import INTERRUPTED, TERMINATED


@pytest.fixture(params=[KeyboardInterrupt(), SystemExit(TERMINATED)], ids=["Ctrl-C", "SIGTERM"])
def signal(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Has a function stopped by it; tells the exit status of that."""

    def arrive(*_args: object, **_more: object) -> NoReturn:
        raise type(request.param)(*request.param.args)

    def stop(function: str) -> int:
        monkeypatch.setattr(function, arrive)
        return INTERRUPTED if isinstance(request.param, KeyboardInterrupt) else TERMINATED

    return stop


def test_a_dataset_that_was_begun_is_none(cli: CliRunner, tmp_path: Path, signal: Any) -> None:
    images = pictures(tmp_path / "photos", ["1.jpg"])
    rows, to = tmp_path / "mine.jsonl", tmp_path / "mine"
    rows.write_text(json.dumps({"image": "1.jpg", "captions": ["a dog"]}))
    command = ("data", "jsonl", f"--rows={rows}", f"--images={images}", f"--to={to}")
    status = signal("data.datasets.builder.BuildStatistics.warnings")
    outcome = cli.run(*command)
    said = f"Stopped; {to} is no dataset yet, and the same command begins anew.\n"
    assert (outcome.status, outcome.err) == (status, said)
    assert not to.exists()


def test_a_dataset_from_before_stays_and_no_drawing_is_half_there(
    cli: CliRunner, tmp_path: Path, signal: Any
) -> None:
    to = tmp_path / "shapes"
    assert cli.run("data", "shapes", "--pictures", "10", f"--to={to}").status == 0
    before = {each: each.read_bytes() for each in to.rglob("*") if each.is_file()}
    status = signal("pathlib.Path.replace")
    outcome = cli.run("data", "shapes", "--pictures", "20", f"--to={to}")
    assert (outcome.status, outcome.err.splitlines()[-1]) == (
        status, f"Stopped; the dataset in {to} is as it was before."
    )  # fmt: skip
    assert all(each.read_bytes() == content for each, content in before.items())


def test_a_batch_tells_how_many_answers_are_whole(cli: CliRunner, signal: Any) -> None:
    lines = [json.dumps({"id": n, "image": cli.photo("red")}) for n in range(2)]
    status = signal("bot.cli.terminal.Reporter.__call__")
    outcome = cli.run("batch", stdin="\n".join(lines).encode())
    assert (outcome.status, len(outcome.rows)) == (status, 1)
    assert outcome.err == "Stopped; lines answered so far: 1, each of them whole.\n"


@pytest.mark.parametrize(
    ("function", "command", "said"),
    [
        ("bot.log.store.Store.purge", ("purge", "--days=0", "--yes"), "nothing was erased"),
        ("bot.log.queries.integrity_errors", ("backup", "copy.db"), "copy.db was not written"),
        ("bot.log.queries.all_exchanges", ("export",), "what was printed is not the whole log"),
    ],
)
def test_commands_of_the_log(
    cli: CliRunner, monkeypatch: pytest.MonkeyPatch, signal: Any,
    function: str, command: tuple[str, ...], said: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(cli.folder)
    with opened(cli.folder / "kept.db") as log:
        log.record(record(1))
    status = signal(function)
    outcome = cli.run("log", *command)
    assert (outcome.status, outcome.err) == (status, f"Stopped; {said}.\n")
    assert not [*cli.folder.glob("copy*")]
    assert len(cli.run("log", "tail").out.splitlines()) == 1


def test_an_export_that_was_stopped_has_no_rows(
    cli: CliRunner, tmp_path: Path, signal: Any
) -> None:
    with opened(cli.folder / "kept.db") as log:
        log.record(record(1))
    key = cli.run("log", "key").out.strip()
    cli.environment["GLIMPSE_PICTURE_KEY"] = key
    folder = tmp_path / "export"
    folder.mkdir()
    (folder / "feedback.jsonl").write_text("of an export before")
    status = signal("bot.log.training_export.shared")
    outcome = cli.run("log", "export", f"--for-training={folder}")
    assert outcome.status == status
    assert outcome.err.startswith(f"Stopped; {folder} holds nothing to train on yet.")
    assert not [*folder.glob("*.jsonl")]


def test_what_was_fetched_is_kept(cli: CliRunner, signal: Any) -> None:
    status = signal("bot.cli.context.AppContext.prepare_base")
    outcome = cli.run("fetch")
    assert (outcome.status, outcome.err.splitlines()[-1]) == (
        status, "Stopped; what was fetched and prepared to its end is kept."
    )  # fmt: skip
