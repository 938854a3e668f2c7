"""What all commands share: help, sentences instead of tracebacks, exit statuses, quick starts."""

from __future__ import annotations

import errno
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
from cli_runner import CliRunner, Outcome, untouched_log

from bot.cli import main, terminal
from bot.cli.main import glimpse
from bot.errors import UNKNOWN, CommandError, LogError, ServerError
from data.errors import DataError, ImageRefused
from finetune.errors import RecipeError
from model.cache import cache_folder
from model.errors import AdapterError, EngineClosed, WeightsError

HERE = Path(__file__).parent


@pytest.mark.parametrize("command", sorted(glimpse.commands))
def test_every_command_has_help_with_an_example(cli: CliRunner, command: str) -> None:
    cli.environment["GLIMPSE_PORT"] = "broken"  # help has to work all the same
    outcome = cli.run(command, "--help")
    assert outcome.status == 0
    assert f"Example: glimpse {command}" in outcome.out
    assert glimpse.commands[command].short_help
    assert outcome.err == ""


def test_the_program_is_installed_under_its_name_and_knows_its_version(cli: CliRunner) -> None:
    (script,) = entry_points(group="console_scripts", name="glimpse")
    assert script.load() is main
    assert cli.run("--version").out.startswith("glimpse 0.")
    assert cli.run("-h").status == 0


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
    cli: CliRunner, arguments: tuple[str, ...], sentence: str
) -> None:
    outcome = cli.run(*arguments)
    assert (outcome.status, outcome.out) == (2, "")
    assert sentence in outcome.err
    assert outcome.err.count("\n") == 1
    assert cli.loaded == []


def test_without_a_command_the_help_is_shown(cli: CliRunner) -> None:
    outcome = cli.run()
    assert outcome.status == 2
    assert "Commands:" in outcome.err


@pytest.mark.parametrize(
    ("trouble", "sentence"),
    [
        (WeightsError("No weights; fetch them."), "No weights; fetch them."),
        (AdapterError("No adapter; train one."), "No adapter; train one."),
        (EngineClosed("The engine was shut down."), "The engine was shut down."),
        (ImageRefused("damaged", "It is damaged."), "It is damaged."),
        (DataError("There is no file x."), "There is no file x."),
        (RecipeError("No such recipe."), "No such recipe."),
        (LogError("The log is damaged."), "The log is damaged."),
        (ServerError("The port is taken."), "The port is taken."),
        (CommandError("So it goes."), "So it goes."),
        (MemoryError(), "There is not enough memory; close other programs and try again."),
        (OSError(errno.ENOSPC, "full"), "The disk is full; make room and try again."),
        (PermissionError(errno.EACCES, "no", "/a/b"), "/a/b cannot be used: permission denied."),
        (OSError("odd"), UNKNOWN),
        (KeyError("secret"), UNKNOWN),
    ],
)
def test_trouble_is_one_sentence_and_status_1(
    cli: CliRunner, trouble: Exception, sentence: str
) -> None:
    cli.trouble = trouble
    outcome = cli.run("caption", cli.photo("red"))
    assert outcome == Outcome(1, "", f"{sentence}\n")


def test_the_cause_is_told_to_whoever_asks(cli: CliRunner) -> None:
    cli.trouble = KeyError("secret")
    photo = cli.photo("red")
    loud = cli.run("caption", photo, "--verbose")
    assert loud.status == 1
    assert "KeyError: 'secret'" in loud.err
    assert loud.err.endswith(f"{UNKNOWN}\n")
    with pytest.raises(KeyError):
        cli.run("caption", photo, "--debug")
    cli.environment["GLIMPSE_DEBUG"] = "1"
    with pytest.raises(KeyError):
        cli.run("caption", photo)


def test_bad_settings_are_one_sentence(cli: CliRunner) -> None:
    cli.environment["GLIMPSE_PORT"] = "http"
    outcome = cli.run("caption", cli.photo("red"))
    assert outcome.status == 1
    assert outcome.err == "GLIMPSE_PORT has to be a whole number from 0 to 65535.\n"


def test_settings_reach_the_engine_and_options_win(
    cli: CliRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("model.cache._places", {})
    cli.environment |= {
        "GLIMPSE_PROFILE": "mine",
        "GLIMPSE_THREADS": "3",
        "GLIMPSE_INT8": "off",
        "GLIMPSE_CACHE": "/some/where",
    }
    photo = cli.photo("red")
    assert cli.run("caption", photo).status == 0
    assert cli.run("caption", photo, "--profile", "other").status == 0
    assert cli.run("batch", "--threads", "1", "--profile", "third").status == 0
    assert cli.loaded == [("mine", 3, False), ("other", 3, False), ("third", 1, False)]
    assert cache_folder() == Path("/some/where")


PROGRAM = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from cli_runner import FakeEngine
from bot.cli import main
from bot.cli import terminal
from bot.cli.context import AppContext

def load(profile, threads, int8, **options):
    print("loaded", file=sys.stderr, flush=True)
    return FakeEngine()

sys.exit(main(sys.argv[2:], AppContext(load, {})))
"""


def start(*arguments: str) -> subprocess.Popen[bytes]:
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", PROGRAM, str(HERE), *arguments]
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_end_a_command_in_words(
    cli: CliRunner, number: signal.Signals, status: int
) -> None:
    line = b'{"id": 7, "image": "%s", "question": null}\n' % cli.photo("red").encode()
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
        assert process.stderr.read() == (
            b"loaded\nStopped; lines answered so far: 1, each of them whole.\n"
        )


def test_a_reader_that_goes_away_ends_the_batch_quietly(cli: CliRunner) -> None:
    line = b'{"id": 7, "image": "%s"}\n' % cli.photo("red").encode()
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


def test_ctrl_c_while_loading_is_a_word(cli: CliRunner) -> None:
    cli.trouble = KeyboardInterrupt()
    assert cli.run("caption", cli.photo("red")) == Outcome(130, "", "Stopped.\n")
    cli.trouble = SystemExit(143)
    assert cli.run("caption", cli.photo("red")) == Outcome(143, "", "Stopped.\n")


def test_commands_run_in_any_thread(cli: CliRunner) -> None:
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(cli.run, "caption", cli.photo("red")).result().status == 0


def test_libraries_are_hushed_but_not_overruled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRANSFORMERS_VERBOSITY", "info")
    monkeypatch.delenv("TORCH_CPP_LOG_LEVEL", raising=False)
    with untouched_log(), warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("always")
        monkeypatch.setattr(sys, "warnoptions", ["always"])
        terminal.quiet_libraries()
        warnings.warn("asked for", stacklevel=1)
        monkeypatch.setattr(sys, "warnoptions", [])
        terminal.quiet_libraries()
        warnings.warn("not asked for", stacklevel=1)
        terminal.set_log_level(logging.WARNING)
        terminal.set_log_level(logging.WARNING)
        streams = [h for h in logging.getLogger().handlers if type(h) is logging.StreamHandler]
        assert len(streams) == 1
    assert [str(warning.message) for warning in shown] == ["asked for"]
    assert os.environ["TRANSFORMERS_VERBOSITY"] == "info"
    assert os.environ.pop("TORCH_CPP_LOG_LEVEL") == "ERROR"
