"""Damaged databases: put aside, for a while, with what people wished taken along."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

MAGIC = b"SQLite format 3\0"
_BESIDE = ("", "-wal", "-shm")


def is_database(path: Path) -> bool:
    """Whether a file begins as SQLite's do; others are somebody's, and must not be touched."""
    with contextlib.suppress(OSError), path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC
    return False


def put_aside(path: Path) -> tuple[Path, Sequence[tuple[str]]]:
    """Rename a database; returns its new name, and who wishes that nothing be kept of them.

    Raises:
        OSError: It cannot be renamed.
    """
    wishes = _wishes(path)
    aside = path.with_name(f"{path.name}.damaged-{time.time_ns()}")
    for end in _BESIDE:
        part = path.with_name(path.name + end)
        if part.exists():
            part.replace(aside.with_name(aside.name + end))
    return aside, wishes


def remove_aside(path: Path, days: float) -> None:
    """Remove what was put aside longer ago than exchanges are kept."""
    for old in path.parent.glob(f"{path.name}.damaged-*"):
        if old.stat().st_mtime < time.time() - 86_400 * days:
            old.unlink()


def _wishes(path: Path) -> Sequence[tuple[str]]:
    """What can still be read of them."""
    found: list[tuple[str]] = []
    with (
        contextlib.suppress(sqlite3.Error),
        closing(sqlite3.connect(path.absolute().as_uri() + "?mode=ro", uri=True)) as db,
    ):
        found.extend(db.execute("SELECT hash FROM unlogged"))
    return found
