"""When the log's file cannot be used: a sentence that says why, and putting a damaged one aside."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import sqlite3
import stat
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
_FOREIGN_FILE = "the file is no log of Glimpse; set GLIMPSE_LOG to another one."
_SPECIAL_FILE = (
    "that is no ordinary file; set GLIMPSE_LOG to another one, or to off to keep nothing."
)
# Tables in a log that are not Glimpse's own: SQLite's, Litestream's, and of who was interrupted.
_NEUTRAL_TABLES = ("sqlite_", "_litestream", "_sqlite_migrations")
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
        return _FOREIGN_FILE
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


def refuse_foreign(path: Path, trouble: str = "The log cannot be written") -> None:
    """See that a path is free, empty or a log of Glimpse, before anything there is changed.

    Args:
        path: Where a log is, or is to be.
        trouble: What cannot be done otherwise, to begin the sentence with.

    Raises:
        LogError: It is a folder, a device, or somebody's file; one plain sentence.
    """
    try:
        found = path.stat()
        if stat.S_ISDIR(found.st_mode):
            raise LogError(f"{trouble}: {_NO_FILE}")
        if not stat.S_ISREG(found.st_mode):
            raise LogError(f"{trouble}: {_SPECIAL_FILE}")
        with path.open("rb") as file:
            begins = file.read(len(MAGIC))
    except OSError:  # there is none; or opening it says what is wrong
        return
    if begins and (begins != MAGIC or _is_of_others(path)):
        raise LogError(f"{trouble}: {_FOREIGN_FILE}")


def place_trouble(path: Path) -> str:
    """Why no log can be kept at a path, as far as can be seen without changing anything there.

    Returns:
        One plain sentence; "" if nothing is seen to be in the way.
    """
    try:
        refuse_foreign(path)
    except LogError as error:
        return str(error)
    cause = _READ_ONLY if _is_read_only(path) else ""
    if not cause:
        nearest = next((each for each in (path, *path.absolute().parents) if _exists(each)), path)
        room = shutil.disk_usage(nearest).free if nearest.is_dir() else ENOUGH
        cause = _NO_ROOM if room < ENOUGH else ""
        if nearest != path and not nearest.is_dir():
            cause = _NO_FOLDER
        elif not os.access(nearest, os.W_OK):
            cause = _FOREIGN
    return f"The log cannot be written: {cause}" if cause else ""


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # below a folder that must not be read, or a file
        return False


def _is_of_others(path: Path) -> bool:
    """Whether a database holds tables, and none of Glimpse's; a damaged one may be ours."""
    tables: set[str] = set()
    with (
        contextlib.suppress(sqlite3.Error),
        closing(sqlite3.connect(path.absolute().as_uri() + "?mode=ro", uri=True)) as db,
    ):
        tables.update(name for (name,) in db.execute("SELECT name FROM sqlite_master"))
    own = {name for name in tables if not name.startswith(_NEUTRAL_TABLES)}
    return bool(own) and not {"exchanges", "people"} <= own


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
