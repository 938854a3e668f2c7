"""What a person sees on stderr: the operator's log, sentences, and progress; nothing of libraries.

The log is written as text or one JSON object a line (`GLIMPSE_LOG_FORMAT`), without the secrets of
the settings. Progress is a bar on a terminal and a plain line now and then elsewhere.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Any

from bot.cli.log_format import JSON, TEXT, Redactor, formatter

if TYPE_CHECKING:
    import rich.progress
    import rich.status

    from finetune.progress import StepReport

_CALM = {
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "TORCH_CPP_LOG_LEVEL": "ERROR",
    "TRANSFORMERS_NO_ADVISORY_WARNINGS": "1",
    "TRANSFORMERS_VERBOSITY": "error",
}
_PERCENT = 10  # between plain lines
_SECONDS = 2.0  # before and between plain lines


# --- the operator's log ----------------------------------------------------------------------


@dataclass
class _LogSetup:
    """How the log is written; there is one stderr, so there is one of these."""

    kind: str = TEXT
    redact: Redactor = field(default_factory=Redactor)
    hooks: tuple[Any, Any, Any] | None = None  # Python's, while ours are in place


_setup = _LogSetup()
_log = logging.getLogger("bot.cli")


def quiet_libraries() -> None:
    """Keep libraries from talking; what they were told to do otherwise stays."""
    for name, value in _CALM.items():
        os.environ.setdefault(name, value)
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    logging.getLogger().addHandler(logging.NullHandler())  # or Python prints warnings by itself


def set_log_format(kind: str, secrets: Iterable[str] = ()) -> None:
    """Write the log in this format from now on.

    Args:
        kind: "text" or "json".
        secrets: What is never shown.
    """
    _setup.kind, _setup.redact = kind, Redactor(secrets)
    _apply_format()
    if kind == JSON:
        _install_hooks()
    else:
        _restore_hooks()


def reset_log_format() -> None:
    """Write the log as when Python started: text, with nothing hidden and Python's own hooks."""
    set_log_format(TEXT)


def add_secret(secret: str) -> None:
    """Never show this either."""
    _setup.redact = _setup.redact.with_secrets([secret])
    _apply_format()


def is_json() -> bool:
    """Whether stderr is for machines."""
    return _setup.kind == JSON


def set_log_level(level: int) -> None:
    """Write the log to stderr from this level on."""
    root = logging.getLogger()
    root.setLevel(min(level, root.level))
    if not any(type(handler) is logging.StreamHandler for handler in root.handlers):
        root.addHandler(logging.StreamHandler())
    _apply_format()


def print_sentence(sentence: str, level: int = logging.INFO) -> None:
    """Write a sentence to stderr, whatever the log's level: as it is, or as a line of JSON."""
    if is_json():
        record = _log.makeRecord(_log.name, level, "", 0, sentence, (), None)
        sentence = formatter(_setup.kind, _setup.redact).format(record)
    print(sentence, file=sys.stderr, flush=True)


@contextmanager
def saying_when_stopped(sentence: str | Callable[[], str]) -> Iterator[None]:
    """Have `glimpse` say what is kept, should Ctrl-C or SIGTERM end what is done in it.

    Args:
        sentence: What it says, or tells it then; "" for nothing.
    """
    try:
        yield
    except (KeyboardInterrupt, SystemExit) as stopped:
        if not hasattr(stopped, "__notes__"):  # else something inside knows better
            stopped.add_note(sentence if isinstance(sentence, str) else sentence())
        raise


def print_stopped(stopped: BaseException) -> None:
    """Say what is kept after Ctrl-C or SIGTERM, as `saying_when_stopped` was told."""
    if sentence := getattr(stopped, "__notes__", ["Stopped."])[0]:
        print_sentence(sentence)


def _restore_hooks() -> None:
    """Give back what Python does with warnings and with errors that nobody handles."""
    if _setup.hooks:
        sys.excepthook, sys.unraisablehook, threading.excepthook = _setup.hooks
        logging.captureWarnings(False)
        _setup.hooks = None


def _apply_format() -> None:
    for handler in logging.getLogger().handlers:
        if type(handler) is logging.StreamHandler:
            handler.setFormatter(formatter(_setup.kind, _setup.redact))


def _install_hooks() -> None:
    """Log what Python itself would print to stderr in many lines, texts of exceptions included."""
    if _setup.hooks:
        return
    _setup.hooks = (sys.excepthook, sys.unraisablehook, threading.excepthook)
    logging.captureWarnings(True)
    sys.excepthook = _unhandled
    sys.unraisablehook = lambda ignored: _unhandled(
        ignored.exc_type, ignored.exc_value, ignored.exc_traceback
    )
    threading.excepthook = lambda failed: _unhandled(
        failed.exc_type, failed.exc_value, failed.exc_traceback
    )


def _unhandled(
    kind: type[BaseException], error: BaseException | None, trace: TracebackType | None
) -> None:
    _log.error("Nobody handled an error", exc_info=(kind, error or kind(), trace))


# --- progress --------------------------------------------------------------------------------


class Reporter:
    """Shows how far something is; the one implementation of every `Progress` callback.

    Calling it with a title, what is done, and the total (0: unknown) shows one step; a step with
    another title takes its place.
    """

    def __call__(self, title: str, done: float, total: float) -> None:
        """Show how far a step is."""

    def training_step(self, step: StepReport) -> None:
        """Show how far training is, and what the model says by now."""


@contextmanager
def busy(title: str) -> Iterator[Reporter]:
    """Show that something is going on; yields what tells its steps, if they take long.

    On a terminal that is one line with a spinner. Elsewhere only the steps are told.
    """
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal or is_json():
        yield TitleLines()
        return
    with console.status(f"{title}...") as status:
        yield _Spinner(status)


@contextmanager
def progress(lines: Callable[[], Reporter] = Reporter) -> Iterator[Reporter]:
    """Yields what shows progress: a bar on a terminal.

    Args:
        lines: Makes what is used elsewhere; by default nothing is shown there.
    """
    if not sys.stderr.isatty():
        yield lines()
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), refresh_per_second=2) as bars:
        yield _Bars(bars)


class _Spinner(Reporter):
    """One line on a terminal."""

    def __init__(self, status: rich.status.Status) -> None:
        self._status = status

    def __call__(self, title: str, done: float, total: float) -> None:
        self._status.update(f"{title}..." + (f" {done / total:.0%}" if total else ""))


class _Bars(Reporter):
    """Bars on a terminal: one for the step at hand, until it is done, and one for training."""

    def __init__(self, bars: rich.progress.Progress) -> None:
        self._bars = bars
        self._step = bars.add_task("", total=None, visible=False)
        self._training = bars.add_task("Training", total=1.0, visible=False)

    def __call__(self, title: str, done: float, total: float) -> None:
        self._bars.update(
            self._step, description=title, completed=done, total=total or None, visible=True
        )

    def training_step(self, step: StepReport) -> None:
        self._bars.update(self._step, visible=False)
        self._bars.update(
            self._training, description=_described(step), completed=step.share, visible=True
        )
        for sample in step.samples:
            self._bars.console.print(str(sample), markup=False, highlight=False)


class TitleLines(Reporter):
    """A line when a step begins."""

    def __init__(self) -> None:
        self._title = ""

    def __call__(self, title: str, done: float, total: float) -> None:
        """Show that a step begins."""
        if title != self._title:
            self._title = title
            _print(f"{title}...")


class PercentLines(TitleLines):
    """A line each ten percent of what has a total, and one for each report of training."""

    def __init__(self) -> None:
        super().__init__()
        self._printed = -1

    def __call__(self, title: str, done: float, total: float) -> None:
        """Show how far a step is."""
        if not total:
            super().__call__(title, done, total)
            return
        percent = int(100 * done / total) // _PERCENT * _PERCENT
        if percent > self._printed:
            self._printed = percent
            _print(f"{title}: {percent} %")

    def training_step(self, step: StepReport) -> None:
        """Show where training stands, and what the model says by now."""
        _print(f"{_described(step)}, {step.seconds / 60:.0f} min")
        for sample in step.samples:
            _print(f"  {sample}")


class TimedLines(Reporter):
    """A line every two seconds, so that what is quick says nothing."""

    def __init__(self) -> None:
        self._next = time.monotonic() + _SECONDS

    def __call__(self, title: str, done: float, total: float) -> None:
        """Show how far a step is."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _SECONDS
        share = f": {int(100 * done / total)} %" if total else (f": {done:,}" if done else "")
        _print(f"{title}{share}")


def _described(step: StepReport) -> str:
    """Where training stands, in one line."""
    speed = f"{step.examples_per_second:.1f} examples/s"
    return f"step {step.step} of {step.steps}, loss {step.loss:.3f}, {speed}"


def _print(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
