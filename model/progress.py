"""Progress of long steps on stderr: a bar on a terminal, one plain line elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

Update = Callable[[float], None]  # takes how much is done, in the unit of the step's total


@contextmanager
def step(title: str, total: float = 1.0) -> Iterator[Update]:
    """Announce a step and show how far it is.

    Args:
        title: A few words without a full stop ("Downloading the language model").
        total: What counts as all of it, in any unit.

    Yields:
        A function to call with how much is done so far; more than `total` shows as all of it.
    """
    console = Console(file=sys.stderr)  # bound now: a later redirection must not swallow the bar
    if not console.is_terminal:
        note(title + "...")
        yield lambda done: None
        return
    columns = (TextColumn(title), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, redirect_stdout=False, redirect_stderr=False) as bar:
        task = bar.add_task(title, total=total)
        yield lambda done: bar.update(task, completed=done)
        bar.update(task, completed=total)


def note(text: str) -> None:
    """Write one line to stderr at once."""
    print(text, file=sys.stderr, flush=True)
