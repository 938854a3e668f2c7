"""Files that appear whole or not at all, and the mark that says a dataset is complete."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from filelock import FileLock, Timeout

from data.datasets.records import DataError
from data.datasets.sources import unreadable

Report = Callable[[str, int, int], None]
MANIFEST = "dataset.json"
OBJECTS_MANIFEST = "dataset-objects.json"  # of objects that are added to a dataset
MADE_BY = "glimpse data"
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Manifest:
    """`dataset.json` of a folder; while it is `dataset.json.part`, the dataset is not complete.

    Attributes:
        folder: The dataset's folder.
        values: What the file says; empty if there is none.
        ours: Whether a preparation of the same dataset has filled this folder, or begun to.
        file: The manifest's own name.
    """

    folder: Path
    values: dict[str, Any]
    ours: bool
    file: str = MANIFEST

    @classmethod
    def of(cls, folder: Path, name: str, file: str = MANIFEST) -> Manifest:
        """Read what is there, for a dataset of this name."""
        values, begun = _load(folder / file), _load(_part(folder / file))
        return cls(folder, values, _is_of(values or begun, name), file)

    def still_true(self, plan: dict[str, Any], *files: str) -> bool:
        """Whether these files are complete, undamaged, and would come out the same.

        A dataset with problems, such as missing pictures, is looked at anew.
        """
        same = self.values.get("plan") == plan and self.values.get("complete") is True
        if not (self.ours and same) or self.values.get("problems"):
            return False
        try:
            kept = self.values["files"]
            return all(kept[file] == _digest(self.folder / file) for file in files)
        except (OSError, KeyError, TypeError):
            return False

    def check_free(self, file: str, sources: Sequence[Path]) -> None:
        """Make sure that nobody else's file would be written over.

        Raises:
            DataError: One would be.
        """
        path = self.folder / file
        mine = self.ours and not any(path.resolve() == source.resolve() for source in sources)
        for taken in (self._path, path):
            if taken.exists() and not mine:
                raise DataError(f"{taken} is there already; please name another folder with --to.")

    def begin(self, plan: dict[str, Any]) -> None:
        """Say whose folder this is, for the case that we are interrupted."""
        _save(_part(self._path), {"made_by": MADE_BY, "plan": plan, "complete": False})

    def abandon(self) -> None:
        """Leave the folder as it was."""
        _part(self._path).unlink(missing_ok=True)

    def stage(self, values: dict[str, Any]) -> None:
        """Write all but the mark of completeness, which is the file's name."""
        _save(_part(self._path), {"made_by": MADE_BY, **values, "complete": True})

    def open_up(self) -> None:
        """Take the mark of completeness away, because files are about to be replaced."""
        self._path.unlink(missing_ok=True)

    def finish(self) -> None:
        """Set the mark of completeness."""
        _part(self._path).replace(self._path)

    @property
    def _path(self) -> Path:
        return self.folder / self.file


def remarks(folder: Path) -> tuple[str, ...]:
    """What was warned of when a dataset was prepared; nothing if nobody prepared this folder.

    Raises:
        DataError: The preparation was interrupted.
    """
    said: list[str] = []
    for path in (folder / MANIFEST, folder / OBJECTS_MANIFEST):
        values = _load(path)
        if not values and _load(_part(path)).get("made_by") == MADE_BY:
            raise DataError(f"The dataset in {folder} is not whole; run glimpse data again.")
        found = values.get("warnings") if values.get("made_by") == MADE_BY else None
        said += [str(warning) for warning in found] if isinstance(found, list) else []
    return tuple(said)


class Sink:
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
        return _digest(_part(self.path))

    def publish(self) -> None:
        """Give the file its name."""
        _part(self.path).replace(self.path)


@contextmanager
def writing(path: Path) -> Iterator[Sink]:
    """Write JSON lines beside `path`; what is half-written when something goes wrong is removed."""
    part = _part(path)
    try:
        with part.open("wb") as file:
            yield Sink(path, file)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


@contextmanager
def locked(folder: Path) -> Iterator[None]:
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
def sentences_for_disk(folder: Path) -> Iterator[None]:
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


def fingerprints(files: Sequence[Path], report: Report) -> list[dict[str, Any]]:
    """Path, size and SHA-256 of each file.

    Raises:
        DataError: One cannot be read.
    """
    found, done = [], 0
    total = sum(path.stat().st_size for path in files if path.is_file())

    def count(size: int) -> None:
        nonlocal done
        done += size
        report("Checking the files", done, total)

    for path in files:
        try:
            found.append({"path": str(path.resolve()), **_digest(path, count)})
        except OSError as error:
            raise unreadable(path) from error
    return found


def _digest(path: Path, count: Callable[[int], None] = lambda size: None) -> dict[str, Any]:
    sha, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            sha.update(chunk)
            size += len(chunk)
            count(len(chunk))
    return {"bytes": size, "sha256": sha.hexdigest()}


def _part(path: Path) -> Path:
    return path.with_name(path.name + ".part")


def _load(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _is_of(values: dict[str, Any], name: str) -> bool:
    plan = values.get("plan")
    made_here = values.get("made_by") == MADE_BY and isinstance(plan, dict)
    return made_here and values["plan"].get("name") == name


def _save(path: Path, values: dict[str, Any]) -> None:
    with path.open("w", encoding="utf-8") as file:
        json.dump(values, file, indent=2)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
