"""What training says as it goes: a bar on a terminal, plain lines elsewhere, all on stderr."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from data.datasets.feature_cache import Progress as Encoding
    from finetune.progress import StepReport

Talk = tuple["Callable[[StepReport], None]", "Encoding"]
_EVERY = 10  # percent between plain lines about encoding


@contextmanager
def talk() -> Iterator[Talk]:
    """Yields what is called with each step's report, and with how many encodings are done."""
    if not sys.stderr.isatty():
        yield _say_step, _Encoding()
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), refresh_per_second=2) as bar:
        encodings = bar.add_task(_encoding(0), visible=False)
        steps = bar.add_task("Training", total=1.0, visible=False)

        def encoding(done: int, total: int, size: int) -> None:
            text, visible = _encoding(size), done < total
            bar.update(encodings, total=total, completed=done, description=text, visible=visible)

        def report(step: StepReport) -> None:
            bar.update(steps, completed=step.share, description=describe(step), visible=True)
            for sample in step.samples:
                bar.console.print(str(sample), markup=False, highlight=False)

        yield report, encoding


def describe(step: StepReport) -> str:
    """Where training stands, in one line."""
    speed = f"{step.examples_per_second:.1f} examples/s"
    return f"step {step.step} of {step.steps}, loss {step.loss:.3f}, {speed}"


def _say_step(step: StepReport) -> None:
    minutes = step.seconds / 60
    lines = [f"{describe(step)}, {minutes:.0f} min", *(f"  {sample}" for sample in step.samples)]
    print("\n".join(lines), file=sys.stderr, flush=True)


class _Encoding:
    """One line each ten percent."""

    def __init__(self) -> None:
        self._said = -1

    def __call__(self, done: int, total: int, size: int) -> None:
        percent = 100 * done // max(total, 1) // _EVERY * _EVERY
        if percent > self._said:
            self._said = percent
            print(f"{_encoding(size)}: {percent} %", file=sys.stderr, flush=True)


def _encoding(size: int) -> str:
    return f"Encoding the pictures ({size / 1e9:.2f} GB)" if size else "Encoding the pictures"
