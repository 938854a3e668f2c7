"""`glimpse batch`: many requests in one process, JSON lines in and out."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import BinaryIO

import click

from bot.cli.batch_lines import encode, read_lines
from bot.cli.context import Desk, profile_option, standard
from bot.cli.failing import Failure

Count = Callable[[int, bool], None]  # takes the bytes of a line, and whether it failed


@click.command(
    epilog="Example: glimpse batch --objects < requests.jsonl > answers.jsonl",
    short_help="Answer many requests, as JSON lines.",
)
@click.option("--objects", is_flag=True, help="List the objects seen in each photo as well.")
@click.option("--threads", type=click.IntRange(1, 1024), help="CPU cores. [default: all]")
@profile_option
@standard
@click.pass_obj
def batch(desk: Desk, objects: bool, threads: int | None, profile: str | None) -> None:
    """Read requests from standard input, and write one line for each, in order, as it is ready.

    \b
    In:  {"id": anything, "image": path, "question": text, or null for a caption}
    Out: {"id", "answer", "confidence", "seconds"}, or {"id", "error"}

    \b
    With --objects each answer has "objects", too: [{"name": "dog", "score": 0.93,
    "box": [0.1, 0.2, 0.5, 0.9]}], the surest first; a box is left, top, right, bottom
    in shares of the photo.

    Exit status: 0 if every line was answered, 1 if some were not, 2 for bad usage.
    """
    source = _private_stdin()
    sink = sys.stdout.buffer
    failed = 0
    with desk.engine(profile, threads) as engine:
        from bot.cli.batch_run import Batch
        from data.images import read_picture

        answers = Batch(engine, read_picture, objects=objects).answers(read_lines(source))
        with closing(answers) as rows, meter(source) as count:
            for row in rows:
                sink.write(encode(row.values))
                sink.flush()
                failed += row.failed
                count(row.size, row.failed)
    if failed:
        lines = "line was" if failed == 1 else "lines were"
        raise Failure(f"{failed} {lines} not answered; each says why under its id.")


def _private_stdin() -> BinaryIO:
    """Standard input, unless it was replaced, as a file that only the reading thread knows.

    Python locks `sys.stdin` at its end, and dies if a thread still waits for a line there.
    """
    if sys.stdin is None:
        raise click.UsageError("There is no standard input to read requests from.")
    try:
        return open(sys.stdin.fileno(), "rb", closefd=False)
    except OSError:  # it is no real file
        return sys.stdin.buffer


@contextmanager
def meter(source: BinaryIO) -> Iterator[Count]:
    """Show progress on stderr, if that is a terminal and the answers go elsewhere."""
    if not sys.stderr.isatty() or sys.stdout.isatty():
        yield lambda size, failed: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        BarColumn(),
        TextColumn("{task.fields[answered]} answered, {task.fields[failed]} failed"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), refresh_per_second=4) as bar:
        task = bar.add_task("", total=_size(source), answered=0, failed=0)
        counts = [0, 0]

        def count(size: int, failed: bool) -> None:
            counts[failed] += 1
            bar.update(task, advance=size, answered=counts[0], failed=counts[1])

        yield count


def _size(source: BinaryIO) -> int | None:
    """Bytes of the input, if it is a file."""
    try:
        facts = os.fstat(source.fileno())
    except OSError:
        return None
    return facts.st_size if stat.S_ISREG(facts.st_mode) else None
