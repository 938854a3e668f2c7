"""Progress: a bar on a terminal, and a plain line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from dataclasses import replace

import pytest

from bot.cli.terminal import PercentLines, TimedLines, TitleLines, busy, progress
from finetune.progress import SampleOutput, StepReport

SAMPLES = (SampleOutput(None, "a [dog]", "a cat"), SampleOutput("How many?", "2", "3"))
REPORT = StepReport(20, 400, 1.23456, 31.25, 90.0, 0.05, SAMPLES)


def pretend_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rich.console.Console.is_terminal", True)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "120")


def test_what_is_quick_says_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    with progress(TimedLines) as report:
        report("Reading", 1, 4)
        now = 3.0
        report("Reading", 2, 4)
        report("Reading", 3, 4)
        now = 6.0
        report("Fetching", 1234, 0)
        now = 9.0
        report("Finishing", 0, 0)
    assert capsys.readouterr().err == "Reading: 50 %\nFetching: 1,234\nFinishing\n"


def test_each_ten_percent_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    with progress(PercentLines) as report:
        for done in range(0, 41):
            report("Asking", done, 40)
    assert capsys.readouterr().err.splitlines() == [
        f"Asking: {percent} %" for percent in range(0, 101, 10)
    ]


def test_each_step_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    with busy("Loading") as report:
        report("Fetching it", 0, 10)
        report("Fetching it", 10, 10)
        report("Waiting", 0, 0)
    with progress(TitleLines) as report:
        report("Fetching it", 0, 10)
    assert capsys.readouterr().err == "Fetching it...\nWaiting...\nFetching it...\n"


def test_without_lines_nothing_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with progress() as report:
        report("Reading", 1, 4)
        report.training_step(REPORT)
    assert capsys.readouterr() == ("", "")


def test_a_terminal_gets_bars(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pretend_terminal(monkeypatch)
    with progress(PercentLines) as report:
        report("Encoding [it]", 1, 0)
        report("Encoding [it]", 1, 4)
        report("Encoding [it]", 4, 4)
        report.training_step(REPORT)
        report.training_step(replace(REPORT, step=40, share=0.5))
    shown = capsys.readouterr().err
    assert "step 40 of 400, loss 1.235, 31.2 examples/s" in shown
    assert "50%" in shown
    assert "Caption → 'a [dog]' (a person: 'a cat')" in shown


def test_a_terminal_shows_titles_as_they_are(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pretend_terminal(monkeypatch)
    with progress(TimedLines) as report:
        report("Reading [it]", 1, 4)
    shown = capsys.readouterr().err
    assert "Reading [it]" in shown
    assert "25%" in shown


def test_a_terminal_shows_that_something_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pretend_terminal(monkeypatch)
    with busy("Loading"):
        pass
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "Loading..." in shown.err


def test_nothing_goes_on_elsewhere(capfd: pytest.CaptureFixture[str]) -> None:
    with busy("Loading"):
        pass
    assert capfd.readouterr() == ("", "")
