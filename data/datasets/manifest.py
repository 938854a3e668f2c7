"""A dataset's manifest, by which its folder is known to be complete, and files written whole.

While `dataset.json` is `dataset.json.part`, the dataset is not complete: a process that is killed
at any step leaves nothing that looks whole.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from filelock import FileLock, Timeout

from data.datasets.sources import file_digest
from data.errors import DataError

MANIFEST = "dataset.json"
OBJECTS_MANIFEST = "dataset-objects.json"  # of objects that are added to a dataset
MADE_BY = "glimpse data"


@dataclass(frozen=True)
class Manifest:
    """`dataset.json` of a folder; while it is `dataset.json.part`, the dataset is not complete.

    Attributes:
        path: The manifest's file.
        values: What the file says; empty if there is none.
        is_ours: Whether the same dataset has filled this folder, or begun to.
    """

    path: Path
    values: dict[str, Any]
    is_ours: bool

    @classmethod
    def read(cls, folder: Path, name: str, file: str = MANIFEST) -> Manifest:
        """Read what is there, for a dataset of this name."""
        path = folder / file
        values = _load(path)
        begun = values or _load(_part(path))
        plan = begun.get("plan") if begun.get("made_by") == MADE_BY else None
        return cls(path, values, isinstance(plan, dict) and plan.get("name") == name)

    def is_current(self, plan: dict[str, Any], *files: str) -> bool:
        """Whether these files are complete, undamaged, and would come out the same.

        A dataset with problems, such as missing pictures, is looked at anew.
        """
        same = self.values.get("plan") == plan and self.values.get("complete") is True
        if not (self.is_ours and same) or self.values.get("problems"):
            return False
        try:
            kept = self.values["files"]
            return all(kept[file] == file_digest(self.path.parent / file) for file in files)
        except (OSError, KeyError, TypeError):
            return False

    def check_free(self, file: str, sources: Sequence[Path]) -> None:
        """Make sure that nobody else's file would be written over.

        Raises:
            DataError: One would be.
        """
        path = self.path.parent / file
        mine = self.is_ours and not any(path.resolve() == source.resolve() for source in sources)
        for taken in (self.path, path):
            if taken.exists() and not mine:
                raise DataError(f"{taken} is there already; please name another folder with --to.")

    def begin(self, plan: dict[str, Any]) -> None:
        """Say whose folder this is, for the case that we are interrupted."""
        _save(_part(self.path), {"made_by": MADE_BY, "plan": plan, "complete": False})

    def abandon(self) -> None:
        """Leave the folder as it was."""
        _part(self.path).unlink(missing_ok=True)

    def stage(self, values: dict[str, Any]) -> None:
        """Write all but the mark of completeness, which is the file's name."""
        _save(_part(self.path), {"made_by": MADE_BY, **values, "complete": True})

    def invalidate(self) -> None:
        """Take the mark of completeness away, because files are about to be replaced."""
        self.path.unlink(missing_ok=True)

    def commit(self) -> None:
        """Set the mark of completeness."""
        _part(self.path).replace(self.path)


def read_warnings(folder: Path) -> tuple[str, ...]:
    """What was warned of when a dataset was built; nothing if nobody built this folder.

    Raises:
        DataError: The build was interrupted.
    """
    warnings: list[str] = []
    for path in (folder / MANIFEST, folder / OBJECTS_MANIFEST):
        values = _load(path)
        if not values and _load(_part(path)).get("made_by") == MADE_BY:
            raise DataError(f"The dataset in {folder} is not whole; run glimpse data again.")
        found = values.get("warnings") if values.get("made_by") == MADE_BY else None
        warnings += [str(warning) for warning in found] if isinstance(found, list) else []
    return tuple(warnings)


class JsonLinesWriter:
    """JSON lines on their way to `path`, in `path.part` until they are published."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path = path
        self._file = file

    def write(self, row: dict[str, Any]) -> None:
        """Add one line."""
        self._file.write(json.dumps(row).encode() + b"\n")

    def digest(self) -> dict[str, Any]:
        """Bring everything to the disk; returns the file's size and SHA-256."""
        self._file.flush()
        os.fsync(self._file.fileno())  # or a power cut could empty it under its good name
        return file_digest(_part(self.path))

    def publish(self) -> None:
        """Give the file its name."""
        _part(self.path).replace(self.path)


@contextmanager
def json_lines_writer(path: Path) -> Iterator[JsonLinesWriter]:
    """Write JSON lines beside `path`; what is half-written when something goes wrong is removed."""
    part = _part(path)
    try:
        with part.open("wb") as file:
            yield JsonLinesWriter(path, file)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


@contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Make the folder, and have it to ourselves.

    Raises:
        DataError: Another process is filling it.
    """
    there = folder.is_dir()
    folder.mkdir(parents=True, exist_ok=True)
    lock = folder / ".dataset.lock"
    try:
        with FileLock(lock, timeout=0):
            try:
                yield
            finally:
                with suppress(OSError):  # Windows keeps what is open
                    lock.unlink()
    except Timeout as error:
        raise DataError(f"Another process is preparing {folder}.") from error
    finally:
        if not there and not any(folder.iterdir()):
            folder.rmdir()


@contextmanager
def disk_errors_as_sentences(folder: Path) -> Iterator[None]:
    """Turn trouble with the disk into a sentence.

    Raises:
        DataError: Instead of any OSError.
    """
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DataError(f"The disk of {folder} is full; make room and try again.") from error
        cause = os.strerror(error.errno).lower() if error.errno else "the disk failed"
        raise DataError(f"The dataset cannot be written to {folder}: {cause}.") from error


def _part(path: Path) -> Path:
    return path.with_name(path.name + ".part")


def _load(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _save(path: Path, values: dict[str, Any]) -> None:
    with path.open("w", encoding="utf-8") as file:
        json.dump(values, file, indent=2)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
