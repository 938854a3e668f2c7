"""When the log's file cannot be used: a sentence that says why, and putting a damaged one aside."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from bot.errors import LogError

MAGIC = b"SQLite format 3\0"
ENOUGH = 100_000  # bytes
_BESIDE = ("", "-wal", "-shm")
_FULL = (errno.ENOSPC, errno.EDQUOT)
_READ_ONLY = "the disk is read-only; make it writable, or set GLIMPSE_LOG to a file elsewhere."
_FOREIGN = "it belongs to somebody else; give it to the user that runs Glimpse."
_NO_FOLDER = "its folder cannot be made; make it, or set GLIMPSE_LOG to a file elsewhere."
_NO_FILE = "a folder has that name; set GLIMPSE_LOG to the name of a file."
_NO_ROOM = "the disk is full; make room."


def failure_sentence(path: Path, error: Exception) -> str:
    """Why the log cannot be written: a plain sentence without the path and the error's own text.

    Args:
        path: The database.
        error: What was raised when it was to be written.
    """
    if isinstance(error, LogError):
        return str(error)
    cause = _cause(path, error)
    return f"The log cannot be written: {cause or f'{type(error).__name__}.'}"


def _cause(path: Path, error: Exception) -> str:
    said = str(error).lower() if isinstance(error, sqlite3.Error) else ""
    number = error.errno if isinstance(error, OSError) else None
    if number in _FULL or "full" in said:
        return _NO_ROOM
    if "locked" in said or "busy" in said:
        return "another program holds it; end that program."
    if "not a database" in said or "malformed" in said:
        return "the file is no log of Glimpse; set GLIMPSE_LOG to another one."
    if number == errno.EROFS or _is_read_only(path):
        return _READ_ONLY
    if _room(path) < ENOUGH:  # SQLite calls it an I/O error if its index of the journal has no room
        return _NO_ROOM
    return _of_the_place(path, denied=number in (errno.EACCES, errno.EPERM) or "readonly" in said)


def _of_the_place(path: Path, *, denied: bool) -> str:
    """What is wrong with the file or its folder; "" if nothing that can be seen."""
    try:
        if path.is_dir():
            return _NO_FILE
        if not path.parent.is_dir():
            return _NO_FOLDER
    except OSError:  # not even looking is allowed
        return _FOREIGN
    if denied or not os.access(path if path.exists() else path.parent, os.W_OK):
        return _FOREIGN
    return ""


def _room(path: Path) -> int:
    """Bytes that are free where the log lies, or is to lie; enough if that cannot be told."""
    try:
        return shutil.disk_usage(path.parent).free
    except OSError:
        return ENOUGH


def _is_read_only(path: Path) -> bool:
    """Whether the nearest folder that is there lies on a disk that cannot be written."""
    for place in (path, *path.parents):
        try:
            return bool(os.statvfs(place).f_flag & os.ST_RDONLY)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError:
            return False
    return False


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
    opted_out = _opted_out(path)
    aside = path.with_name(f"{path.name}.damaged-{time.time_ns()}")
    for end in _BESIDE:
        part = path.with_name(path.name + end)
        if part.exists():
            part.replace(aside.with_name(aside.name + end))
    return aside, opted_out


def remove_aside(path: Path, days: float) -> None:
    """Remove what was put aside longer ago than exchanges are kept."""
    for old in path.parent.glob(f"{path.name}.damaged-*"):
        if old.stat().st_mtime < time.time() - 86_400 * days:
            old.unlink()


def _opted_out(path: Path) -> Sequence[tuple[str]]:
    """Who they are, as far as that can still be read."""
    found: list[tuple[str]] = []
    with (
        contextlib.suppress(sqlite3.Error),
        closing(sqlite3.connect(path.absolute().as_uri() + "?mode=ro", uri=True)) as db,
    ):
        found.extend(db.execute("SELECT hash FROM unlogged"))
    return found
