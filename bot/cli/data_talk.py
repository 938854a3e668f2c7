"""What preparing data says as it goes: a bar on a terminal, plain lines elsewhere, on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Report = Callable[[str, int, int], None]
_PATIENCE = 2.0  # seconds before and between plain lines


@contextmanager
def data_talk() -> Iterator[Report]:
    """Yields what is called with what is done, how much of it, and of how much (0: unknown)."""
    if not sys.stderr.isatty():
        yield _Lines()
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, refresh_per_second=2, transient=True) as bar:
        task = bar.add_task("Starting", total=None)

        def report(title: str, done: int, total: int) -> None:
            bar.update(task, description=title, completed=done, total=total or None)

        yield report


class _Lines:
    """A line every two seconds, so that what is quick says nothing."""

    def __init__(self) -> None:
        self._next = time.monotonic() + _PATIENCE

    def __call__(self, title: str, done: int, total: int) -> None:
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _PATIENCE
        far = f": {100 * done // total} %" if total else (f": {done:,}" if done else "")
        print(f"{title}{far}", file=sys.stderr, flush=True)
