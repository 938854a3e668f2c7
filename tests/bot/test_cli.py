"""What all commands share: help, sentences instead of tracebacks, exit statuses, quick starts."""

from __future__ import annotations

import errno
import importlib
import logging
import os
import signal
import subprocess
import sys
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from cli_bench import Bench, Outcome, untouched_log

from bot.cli import main, terminal
from bot.cli.failing import _PLAIN
from bot.errors import UNKNOWN
from bot.errors import CommandError
from bot.cli.main import glimpse
from data.images.open import ImageRefused
from model.errors import AdapterError, EngineClosed, WeightsError

HERE = Path(__file__).parent


@pytest.mark.parametrize("command", sorted(glimpse.commands))
def test_every_command_has_help_with_an_example(bench: Bench, command: str) -> None:
    bench.environment["GLIMPSE_PORT"] = "broken"  # help has to work all the same
    outcome = bench.run(command, "--help")
    assert outcome.status == 0
    assert f"Example: glimpse {command}" in outcome.out
    assert glimpse.commands[command].short_help
    assert outcome.err == ""


def test_the_program_is_installed_under_its_name_and_knows_its_version(bench: Bench) -> None:
    (script,) = entry_points(group="console_scripts", name="glimpse")
    assert script.load() is main
    assert bench.run("--version").out.startswith("glimpse 0.")
    assert bench.run("-h").status == 0


def test_the_command_line_starts_without_heavy_libraries() -> None:
    heavy = ["torch", "transformers", "numpy", "starlette", "asyncio", "rich", "PIL.PngImagePlugin"]
    code = f"import bot.cli, sys; print(*(set({heavy}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("ask", "x.png"), "Missing argument 'QUESTION' (see glimpse ask --help).\n"),
        (("frob",), "No such command 'frob' (see glimpse --help).\n"),
        (("batch", "--threads", "0"), "0 is not in the range 1<=x<=1024 (see glimpse batch"),
        (("caption", "--jsn", "x.png"), "No such option"),
    ],
)
def test_bad_usage_is_one_line_and_status_2(
    bench: Bench, arguments: tuple[str, ...], sentence: str
) -> None:
    outcome = bench.run(*arguments)
    assert (outcome.status, outcome.out) == (2, "")
    assert sentence in outcome.err
    assert outcome.err.count("\n") == 1
    assert bench.loaded == []


def test_without_a_command_the_help_is_shown(bench: Bench) -> None:
    outcome = bench.run()
    assert outcome.status == 2
    assert "Commands:" in outcome.err


@pytest.mark.parametrize(
    ("trouble", "sentence"),
    [
        (WeightsError("No weights; fetch them."), "No weights; fetch them."),
        (AdapterError("No adapter; train one."), "No adapter; train one."),
        (EngineClosed("The engine was shut down."), "The engine was shut down."),
        (ImageRefused("damaged", "It is damaged."), "It is damaged."),
        (CommandError("So it goes."), "So it goes."),
        (MemoryError(), "There is not enough memory; close other programs and try again."),
        (OSError(errno.ENOSPC, "full"), "The disk is full; make room and try again."),
        (PermissionError(errno.EACCES, "no", "/a/b"), "/a/b cannot be used: permission denied."),
        (OSError("odd"), UNKNOWN),
        (KeyError("secret"), UNKNOWN),
    ],
)
def test_trouble_is_one_sentence_and_status_1(
    bench: Bench, trouble: Exception, sentence: str
) -> None:
    bench.trouble = trouble
    outcome = bench.run("caption", bench.photo("red"))
    assert outcome == Outcome(1, "", f"{sentence}\n")


def test_the_cause_is_told_to_whoever_asks(bench: Bench) -> None:
    bench.trouble = KeyError("secret")
    photo = bench.photo("red")
    loud = bench.run("caption", photo, "--verbose")
    assert loud.status == 1
    assert "KeyError: 'secret'" in loud.err
    assert loud.err.endswith(f"{UNKNOWN}\n")
    with pytest.raises(KeyError):
        bench.run("caption", photo, "--debug")
    bench.environment["GLIMPSE_DEBUG"] = "1"
    with pytest.raises(KeyError):
        bench.run("caption", photo)


def test_bad_settings_are_one_sentence(bench: Bench) -> None:
    bench.environment["GLIMPSE_PORT"] = "http"
    outcome = bench.run("caption", bench.photo("red"))
    assert outcome.status == 1
    assert outcome.err == "GLIMPSE_PORT has to be a whole number from 0 to 65535.\n"


def test_settings_reach_the_engine_and_options_win(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GLIMPSE_CACHE", "before")  # so that it is put back
    bench.environment |= {
        "GLIMPSE_PROFILE": "mine",
        "GLIMPSE_THREADS": "3",
        "GLIMPSE_INT8": "off",
        "GLIMPSE_CACHE": "/some/where",
    }
    photo = bench.photo("red")
    assert bench.run("caption", photo).status == 0
    assert bench.run("caption", photo, "--profile", "other").status == 0
    assert bench.run("batch", "--threads", "1", "--profile", "third").status == 0
    assert bench.loaded == [("mine", 3, False), ("other", 3, False), ("third", 1, False)]
    assert os.environ["GLIMPSE_CACHE"] == "/some/where"


def test_every_error_with_a_sentence_exists_under_its_name() -> None:
    for name in _PLAIN:
        module, _, kind = name.rpartition(".")
        found = getattr(importlib.import_module(module), kind)
        assert issubclass(found, Exception)
        assert f"{found.__module__}.{found.__qualname__}" == name


PROGRAM = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from cli_bench import CliEngine
from bot.cli import main
from bot.cli import terminal
from bot.cli.context import Desk

def load(profile, threads, int8):
    print("loaded", file=sys.stderr, flush=True)
    return CliEngine()

sys.exit(main(sys.argv[2:], Desk(load, {})))
"""


def start(*arguments: str) -> subprocess.Popen[bytes]:
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", PROGRAM, str(HERE), *arguments]
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_end_a_command_quietly(bench: Bench, number: signal.Signals, status: int) -> None:
    line = b'{"id": 7, "image": "%s", "question": null}\n' % bench.photo("red").encode()
    with start("batch") as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(line)
        process.stdin.flush()
        # The answer comes although more lines may follow.
        assert b'"id": 7, "answer": "a red square"' in process.stdout.readline()
        process.send_signal(number)
        assert process.wait(10) == status
        assert process.stdout.read() == b""
        assert process.stderr is not None
        assert process.stderr.read() == b"loaded\n"


def test_a_reader_that_goes_away_ends_the_batch_quietly(bench: Bench) -> None:
    line = b'{"id": 7, "image": "%s"}\n' % bench.photo("red").encode()
    with start("batch") as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(line)
        process.stdin.flush()
        process.stdout.readline()
        process.stdout.close()
        until = time.monotonic() + 20
        while process.poll() is None and time.monotonic() < until:
            try:
                process.stdin.write(line)
                process.stdin.flush()
            except BrokenPipeError:
                break
            time.sleep(0.01)
        with suppress(BrokenPipeError):
            process.stdin.close()  # what is still in the buffer goes nowhere
        assert process.wait(10) == 141
        assert process.stderr is not None
        assert process.stderr.read() == b"loaded\n"


def test_ctrl_c_while_loading_is_quiet(bench: Bench) -> None:
    bench.trouble = KeyboardInterrupt()
    assert bench.run("caption", bench.photo("red")) == Outcome(130, "", "")
    bench.trouble = SystemExit(143)
    assert bench.run("caption", bench.photo("red")) == Outcome(143, "", "")


def test_commands_run_in_any_thread(bench: Bench) -> None:
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(bench.run, "caption", bench.photo("red")).result().status == 0


def test_libraries_are_hushed_but_not_overruled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRANSFORMERS_VERBOSITY", "info")
    monkeypatch.delenv("TORCH_CPP_LOG_LEVEL", raising=False)
    with untouched_log(), warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("always")
        monkeypatch.setattr(sys, "warnoptions", ["always"])
        terminal.silence()
        warnings.warn("asked for", stacklevel=1)
        monkeypatch.setattr(sys, "warnoptions", [])
        terminal.silence()
        warnings.warn("not asked for", stacklevel=1)
        terminal.speak(logging.WARNING)
        terminal.speak(logging.WARNING)
        streams = [h for h in logging.getLogger().handlers if type(h) is logging.StreamHandler]
        assert len(streams) == 1
    assert [str(warning.message) for warning in shown] == ["asked for"]
    assert os.environ["TRANSFORMERS_VERBOSITY"] == "info"
    assert os.environ.pop("TORCH_CPP_LOG_LEVEL") == "ERROR"
