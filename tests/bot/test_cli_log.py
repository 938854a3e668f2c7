"""`glimpse log` on a terminal and for scripts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cli_runner import CliRunner
from log_helpers import KEY, damage, opened, record

from bot.assistant.types import Rating
from bot.log import Log
from bot.log.queries import back_up


@pytest.fixture
def log_file(cli: CliRunner, tmp_path: Path) -> Path:
    path = tmp_path / "log.db"
    cli.environment["GLIMPSE_LOG"] = str(path)
    with opened(path) as log:
        for number in range(4):
            at = datetime.now(UTC) - timedelta(days=number)
            log.record(record(number, at=at, seconds=number / 10, platform="discord"))
        odd = (
            record(8).exchanges[0].__class__(**vars(record(8).exchanges[0]) | {"answer": "\x1b[2J"})
        )
        log.record(record(8, exchanges=(odd,)))
        log.record(record(9, exchanges=(), outcome="crashed", reference="abc123", question="Why?"))
        log.rate(Rating("telegram", "ann", record(8).number, good=True)).result(5)
    return path


def test_the_latest_are_shown_a_line_each(cli: CliRunner, log_file: Path) -> None:
    outcome = cli.run("log", "tail", "-n", "3")
    assert outcome.status == 0
    first, second, third = outcome.out.splitlines()
    assert first.endswith("discord   What is number 3? → a giraffe  0.80")
    assert "\x1b" not in second
    assert second.endswith("  👍")
    assert third.endswith("telegram  Why? → crashed abc123")
    rows = cli.run("log", "tail", "--json").rows
    assert [row["id"] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert rows[0]["format"] == "JPEG"


def test_words_are_found_and_nothing_else_happens(cli: CliRunner, log_file: Path) -> None:
    assert len(cli.run("log", "search", "giraffe", "--json").rows) == 4
    assert len(cli.run("log", "search", "giraffe", "number 3", "--json").rows) == 1
    for odd in ('"', "'; DROP TABLE people; --", "NEAR(", "question:", "*"):
        outcome = cli.run("log", "search", "--", odd)
        assert (outcome.status, outcome.out) == (0, "")


def test_one_exchange_is_shown_by_what_a_person_was_told(cli: CliRunner, log_file: Path) -> None:
    outcome = cli.run("log", "show", "abc123")
    assert "outcome      crashed" in outcome.out
    (row,) = cli.run("log", "show", record(2).number, "--json").rows
    assert row["question"] == "What is number 2?"
    assert cli.run("log", "show", "1").out.startswith("id           1\n")
    missing = cli.run("log", "show", "nobody")
    assert (missing.status, missing.err) == (1, "No exchange is called nobody.\n")


def test_figures(cli: CliRunner, log_file: Path) -> None:
    (figures,) = cli.run("log", "stats", "--json", "--days", "2").rows
    assert (figures["exchanges"], figures["answered"], figures["people"]) == (4, 3, 2)
    assert (figures["good"], figures["bad"]) == (1, 0)
    assert figures["seconds"]["question"] == {"p50": 0.1, "p95": 0.1, "p99": 0.1}
    assert {row["platform"] for row in figures["use"]} == {"discord", "telegram"}
    assert figures["asked"][0] == {"question": "What is number 0?", "times": 1}
    shown = cli.run("log", "stats").out
    assert shown.startswith("6 exchanges with 2 people in 30 days, 5 of them answered, 1 👍 0 👎")
    assert "crashed" in shown


def test_export_purge_check_and_backup(cli: CliRunner, log_file: Path, tmp_path: Path) -> None:
    assert len(cli.run("log", "export").rows) == 6
    copy = tmp_path / "copy.db"
    with opened(log_file) as log:  # goes on being written
        log.record(record(20)).result(5)
        assert cli.run("log", "backup", str(copy)).out == f"7 exchanges copied to {copy}\n"
        log.record(record(21)).result(5)
    assert "is sound: 8 exchanges" in cli.run("log", "check").out
    assert cli.run("log", "purge", "--days", "2", "--yes").out == "2 exchanges erased\n"
    assert "is sound: 6 exchanges" in cli.run("log", "check").out
    # The drill: the copy in the log's place serves as the log did.
    cli.environment["GLIMPSE_LOG"] = str(copy)
    assert "is sound: 7 exchanges" in cli.run("log", "check").out
    with opened(copy) as log:
        log.record(record(30)).result(5)
    assert len(cli.run("log", "search", "giraffe", "--json").rows) == 6


def test_a_damaged_log_is_neither_read_nor_copied(cli: CliRunner, log_file: Path) -> None:
    damage(log_file)
    assert cli.run("log", "check").status == 1
    target = log_file.with_name("copy.db")
    assert cli.run("log", "backup", str(target)).status == 1
    assert not target.exists()


def test_without_a_log_it_says_what_to_do(cli: CliRunner, tmp_path: Path) -> None:
    cli.environment["GLIMPSE_LOG"] = str(tmp_path / "none.db")
    outcome = cli.run("log", "tail")
    assert (outcome.status, outcome.out) == (1, "")
    assert "There is no log in" in outcome.err
    cli.environment["GLIMPSE_LOG"] = "off"
    assert 'GLIMPSE_LOG is "off"' in cli.run("log", "stats").err


def test_a_copy_is_whole_while_much_is_written(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    log = Log(path, KEY)
    log.record(record(0)).result(5)
    waiting = [log.record(record(number)) for number in range(1, 2000)]
    assert 1 <= back_up(path, tmp_path / "copy.db") <= 2000
    for each in waiting:
        each.result(10)
    log.close()


def test_its_speed_is_measured(cli: CliRunner) -> None:
    lines = cli.run("bench", "log", "--exchanges", "1000").out.splitlines()
    assert [line.split()[0] for line in lines] == ["wrote", "record", "search", "stats", "erase"]
    assert "of 1,000 exchanges a second" in lines[0]


def test_figures_can_be_a_page(cli: CliRunner, log_file: Path, tmp_path: Path) -> None:
    with opened(log_file) as log:
        log.record(record(40, exchanges=(), outcome="empty", question="<script>x</script>"))
    assert cli.run("log", "stats", "--html", str(tmp_path / "page.html")).out == ""
    shown = (tmp_path / "page.html").read_text()
    assert "<td>telegram</td>" in shown
    assert 'style="width:100.0%"' in shown
    assert "<dt>Answered</dt><dd>" in shown
    assert "&lt;script&gt;" in shown
    assert "<script" not in shown
    assert "http" not in shown
