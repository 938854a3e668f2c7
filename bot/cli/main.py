"""`glimpse`: finds the command, and turns whatever goes wrong into a sentence and a status."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn

import click

from bot.cli import terminal
from bot.cli.ask import ask, caption
from bot.cli.batch import batch
from bot.cli.bench import bench
from bot.cli.check import check, health
from bot.cli.context import AppContext
from bot.cli.data import data
from bot.cli.evaluate import evaluate
from bot.cli.log import log
from bot.cli.serve import discord, run, telegram, web
from bot.cli.serve_api import serve
from bot.cli.train import fetch, train
from bot.errors import UNKNOWN, CommandError, SettingsError, error_sentence
from bot.settings import Settings

_log = logging.getLogger(__name__)
INTERRUPTED = 128 + signal.SIGINT
TERMINATED = 128 + signal.SIGTERM
PIPE_CLOSED = 141  # 128 + SIGPIPE, which not every system has


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Example: glimpse ask photo.jpg 'What colour is the dog?'\n\n"
    "More in Glimpse's own folder: README.md, docs/command-line.md, docs/troubleshooting.md",
)
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=lambda context, _option, chosen: _print_version(context) if chosen else None,
    help="Show the version, the commit and the adapter, and exit.",
)
def glimpse() -> None:
    """Ask questions about your photos; everything runs on this computer."""


for command in (
    ask,
    caption,
    batch,
    web,
    serve,
    telegram,
    discord,
    run,
    data,
    train,
    evaluate,
    check,
    log,
    bench,
    fetch,
    health,
):
    glimpse.add_command(command)


def _print_version(context: click.Context) -> NoReturn:
    from bot.version import build_info

    try:
        profile = context.ensure_object(AppContext).settings.profile
    except SettingsError:  # bad settings must not hide what runs
        profile = Settings.profile
    click.echo(f"glimpse {build_info(profile)}")
    context.exit()


def main(arguments: Sequence[str] | None = None, app: AppContext | None = None) -> int:
    """Run a command.

    Args:
        arguments: What was typed after `glimpse`; this process's arguments if None.
        app: Settings and the engine's loader; tests bring their own.

    Returns:
        The exit status: 0, 1 for a failure, 2 for bad usage, 130 after Ctrl-C, 143 after SIGTERM.
    """
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    if app is None:
        _replace_closed_streams()
        terminal.quiet_libraries()
        return _run(arguments, AppContext())
    try:
        return _run(arguments, app)
    finally:
        terminal.reset_log_format()  # whoever calls it goes on


def _run(arguments: Sequence[str], app: AppContext) -> int:
    """Run a command, and turn whatever goes wrong into a status."""
    terminal.set_log_format(app.log_format)
    status = 0
    try:
        with _terminable(), glimpse.make_context("glimpse", list(arguments), obj=app) as context:
            glimpse.invoke(context)
            sys.stdout.flush()
    except KeyboardInterrupt as stopped:
        status = INTERRUPTED
        terminal.print_stopped(stopped)
    except BrokenPipeError:
        _discard_stdout()
        status = PIPE_CLOSED
    except click.exceptions.Exit as done:
        status = done.exit_code
    except SystemExit as done:
        status = done.code if isinstance(done.code, int) else 1
        if status == TERMINATED:
            terminal.print_stopped(done)
    except click.ClickException as error:
        status = _print_usage_error(error)
    except click.Abort as error:
        status = _print_abort(error)
    except Exception as error:
        status = _print_failure(error, app)
    return status


def _print_usage_error(error: click.ClickException) -> int:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
        return error.exit_code
    path = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else ""
    hint = f" (see {path} --help)" if path else ""
    terminal.print_sentence(f"{error.format_message().rstrip('.')}{hint}.", logging.ERROR)
    return error.exit_code


def _print_abort(error: click.Abort) -> int:
    """After a question that was not answered by yes; click hides Ctrl-C there, too."""
    if isinstance(error.__context__, KeyboardInterrupt):
        terminal.print_sentence("Stopped; nothing was changed.")
        return INTERRUPTED
    nobody = isinstance(error.__context__, EOFError)
    hint = " nobody answered; --yes asks nothing." if nobody else " that was not confirmed."
    terminal.print_sentence(f"Nothing was changed, for{hint}", logging.ERROR)
    return 1


def _print_failure(error: Exception, app: AppContext) -> int:
    if app.debug and not terminal.is_json():
        raise error
    sentence = error_sentence(error)
    told = isinstance(error, CommandError) and not error.__cause__
    # An operator's log shows errors; what was foreseen needs no traceback there.
    if not told and (app.verbose or sentence is None):
        _log.error("The cause:", exc_info=error)
    terminal.print_sentence(sentence or UNKNOWN, logging.ERROR)
    return error.status if isinstance(error, CommandError) else 1


def _replace_closed_streams() -> None:
    """Give a process that was started without stdin, stdout or stderr an empty one.

    Else Python has None there, and the next file to be opened, the log say, is taken for it.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode))  # noqa: SIM115  for all of the process


def _discard_stdout() -> None:
    """Nobody reads any more: let what is left go nowhere, or Python would complain at its end."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextlib.contextmanager
def _terminable() -> Iterator[None]:
    """Let SIGTERM end the command as Ctrl-C does, with everything tidied up."""

    def stop(_number: int, _frame: FrameType | None) -> NoReturn:
        raise SystemExit(TERMINATED)

    try:
        before = signal.signal(signal.SIGTERM, stop)
    except ValueError:  # not in the main thread
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
