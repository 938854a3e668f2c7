"""Folders in the cache that are whole or not there at all, whatever ends who makes one.

A folder is made under a temporary name and moved into place in one step; `manifest.json` in it
names its origin, and the size and SHA-256 of each of its files.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import platformdirs
from filelock import FileLock, Timeout

from model.progress import note
from model.wheels import sha256_of

log = logging.getLogger(__name__)

MANIFEST = "manifest.json"
TEMPORARY = "tmp-"  # what a killed process may leave behind begins so


def cache_folder() -> Path:
    """The folder that GLIMPSE_CACHE names, or this user's cache folder; it may not exist yet."""
    named = os.environ.get("GLIMPSE_CACHE", "").strip()
    folder = Path(named).expanduser() if named else platformdirs.user_cache_path("glimpse")
    return folder.absolute()


def cache_folders() -> list[Path]:
    """Where to look: what GLIMPSE_SHIPPED_CACHE names, which is only read, then the cache."""
    shipped = os.environ.get("GLIMPSE_SHIPPED_CACHE", "").strip()
    return [*([Path(shipped).expanduser().absolute()] if shipped else []), cache_folder()]


def seal(out: Path, origin: dict[str, Any]) -> None:
    """Write the manifest, and see that every file is on the disk and readable by all.

    Args:
        out: A folder that is not in its place yet.
        origin: Where its content comes from; `sha256` in it identifies that.
    """
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


@contextmanager
def only_one(path: Path, making: str) -> Iterator[None]:
    """Let one process at a time build; the others wait, and say for what.

    Args:
        path: The lock file.
        making: What the other process does, as in "prepares the base weights".
    """
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        note(f"Waiting for another process that {making}...")
        lock.acquire(poll_interval=0.2)
    try:
        yield
    finally:
        lock.release()
