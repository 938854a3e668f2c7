"""Folders in the cache that are whole or not there at all, whatever ends who makes one.

A folder is made under a temporary name, by one process at a time, and moved into place in one step;
`manifest.json` in it names its origin, and the size and SHA-256 of each of its files.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs
from filelock import FileLock, Timeout

log = logging.getLogger(__name__)

MANIFEST = "manifest.json"
TEMPORARY = "tmp-"  # what a killed process may leave behind begins so
# Called with a step's title ("Downloading the weights"), how much is done, and its total, in any
# unit. A step begins with its first call and ends when all is done; a total of 0 is a mere note.
Progress = Callable[[str, float, float], None]

_places: dict[str, str] = {}  # folders that were configured, by environment variable


def silent(title: str, done: float, total: float) -> None:
    """Show no progress."""


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def configure(places: Mapping[str, str]) -> None:
    """Say where weights are, by the names of the environment variables that say so otherwise."""
    _places.update(places)


def place(variable: str) -> str:
    """The folder that was configured, else the one that an environment variable names, else ""."""
    return _places.get(variable) or os.environ.get(variable, "").strip()


def cache_folder() -> Path:
    """The folder that GLIMPSE_CACHE names, or this user's cache folder; it may not exist yet."""
    named = place("GLIMPSE_CACHE")
    folder = Path(named).expanduser() if named else platformdirs.user_cache_path("glimpse")
    return folder.absolute()


def cache_folders() -> list[Path]:
    """Where to look: what GLIMPSE_SHIPPED_CACHE names, which is only read, then the cache."""
    shipped = place("GLIMPSE_SHIPPED_CACHE")
    return [*([Path(shipped).expanduser().absolute()] if shipped else []), cache_folder()]


def build_folder(
    folder: Path,
    origin: dict[str, Any],
    write: Callable[[Path], None],
    *,
    making: str,
    verify: bool = False,
    progress: Progress = silent,
) -> None:
    """Build a folder of the cache, unless another process has done so meanwhile.

    Args:
        folder: Its place, where a damaged one may be.
        origin: Where its content comes from; `sha256` in it identifies that.
        write: Fills an empty folder, beside which it may put what it needs on the way.
        making: What it does, for processes that wait, as in "prepares the base weights".
        verify: Whether a folder is whole only if the SHA-256 of each file fits.
        progress: Told if another process is waited for.

    Raises:
        OSError: The disk failed, or is full.
    """
    cache = folder.parent
    cache.mkdir(parents=True, exist_ok=True)
    with _locked(cache / "lock", making, progress):
        if is_whole(folder, origin["sha256"], verify=verify):
            return
        for stale in cache.glob(f"{TEMPORARY}*"):
            shutil.rmtree(stale, ignore_errors=True)
        scratch = cache / f"{TEMPORARY}{uuid.uuid4().hex}"
        out = scratch / "out"
        try:
            out.mkdir(parents=True)
            write(out)
            _seal(out, origin)
            if folder.exists():  # damaged, or of another origin
                folder.replace(scratch / "old")
            out.replace(folder)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


def _seal(out: Path, origin: dict[str, Any]) -> None:
    """Write the manifest, and see that every file is on the disk and readable by all."""
    files = {
        path.name: {"size": path.stat().st_size, "sha256": sha256_of(path)}
        for path in sorted(out.iterdir())
    }
    text = json.dumps({"source": origin, "files": files}, indent=2) + "\n"
    (out / MANIFEST).write_text(text, encoding="utf-8")
    for path in out.iterdir():
        path.chmod(0o644)  # safetensors writes 0600, which breaks a cache shared by users
        with path.open("rb+") as file:
            os.fsync(file.fileno())


def is_whole(folder: Path, sha256: str, *, verify: bool = False) -> bool:
    """Whether a folder is there, of this origin, with every file of the right size.

    With `verify`, the SHA-256 of every file is compared too.
    """
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        if manifest["source"]["sha256"] != sha256:
            return False
        for name, facts in manifest["files"].items():
            path = folder / name
            if path.stat().st_size != facts["size"]:
                return False
            if verify and sha256_of(path) != facts["sha256"]:
                log.warning("%s is damaged; building it again", path)
                return False
    except FileNotFoundError:
        return False
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        log.warning("the cache in %s is damaged; building it again", folder, exc_info=True)
        return False
    return True


@dataclass(frozen=True)
class ModelCache:
    """Prepared models of one kind, by keys that stand for everything that they are made of.

    Attributes:
        name: Their folder in the cache.
        most: How many are kept; the least recently used one goes first.
    """

    name: str
    most: int

    def find(self, key: str) -> Path | None:
        """The folder of a model, its own or a shipped one; None if there is none, or no key."""
        places = (self._place(cache, key) for cache in cache_folders() if key)
        return next((place for place in places if is_whole(place, key)), None)

    def keep(
        self,
        key: str,
        write: Callable[[Path], None],
        *,
        making: str,
        verify: bool = False,
        progress: Progress = silent,
    ) -> Path:
        """Build a model's folder and return it; the arguments are those of `build_folder`.

        Raises:
            OSError: The disk failed, or is full.
        """
        place = self._place(cache_folder(), key)

        def make_room_and_write(out: Path) -> None:
            with suppress(OSError):
                self._evict(place)
            write(out)

        origin = {"sha256": key}
        build_folder(
            place, origin, make_room_and_write, making=making, verify=verify, progress=progress
        )
        return place

    @staticmethod
    def used(place: Path) -> None:
        """Remember that a model is in use."""
        with suppress(OSError):  # of a shipped cache
            os.utime(place)

    def _place(self, cache: Path, key: str) -> Path:
        return cache / self.name / key[:16]

    def _evict(self, place: Path) -> None:
        """Remove the least recently used models, to make room for one in this place."""
        others = [
            folder
            for folder in place.parent.iterdir()
            if folder.is_dir() and folder != place and not folder.name.startswith(TEMPORARY)
        ]
        others.sort(key=lambda folder: folder.stat().st_mtime, reverse=True)
        for folder in others[self.most - 1 :]:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _locked(path: Path, making: str, progress: Progress) -> Iterator[None]:
    """Let one process at a time build; the others wait, and report for what."""
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        progress(f"Waiting for another process that {making}", 0, 0)
        lock.acquire(poll_interval=0.2)
    try:
        yield
    finally:
        lock.release()
