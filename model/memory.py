"""Giving memory back to the system that nobody needs any more."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import logging
import sys
from pathlib import Path

log = logging.getLogger(__name__)
MADV_DONTNEED = 4  # of Linux's <sys/mman.h>


_CONTROL_GROUP = Path("/sys/fs/cgroup")  # of a container


def free_memory() -> int:
    """Memory that this process may still take, in bytes; the limit of a container counts."""
    import psutil  # type: ignore[import-untyped]

    free = int(psutil.virtual_memory().available)
    try:
        most, taken, told = (
            (_CONTROL_GROUP / f"memory.{name}").read_text(encoding="ascii")
            for name in ("max", "current", "stat")
        )
        figures = dict(line.split() for line in told.splitlines())
        files = int(figures["active_file"]) + int(figures["inactive_file"])  # can be let go of
        return min(free, max(0, int(most) - int(taken) + files))
    except (OSError, ValueError, KeyError):  # no limit
        return free


def release_mapped(folder: Path) -> None:
    """Drop the pages of a folder's files, as far as they are mapped to be read only.

    They come back from the file, mostly from the system's cache, if they are read again. Elsewhere
    than on Linux nothing happens.
    """
    if not sys.platform.startswith("linux"):
        return
    advise = ctypes.CDLL(None, use_errno=True).madvise
    advise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    inside = f"{folder.resolve()}/"
    for line in Path("/proc/self/maps").read_text(encoding="utf-8").splitlines():
        # start-end permissions offset device inode path
        addresses, permissions, *rest = line.split(maxsplit=5)
        if len(rest) < 4 or not rest[3].startswith(inside) or "w" in permissions:
            continue
        start, end = (int(part, 16) for part in addresses.split("-"))
        if advise(start, end - start, MADV_DONTNEED):
            log.debug("cannot release %s: error %d", rest[3], ctypes.get_errno())


def release_freed() -> None:
    """Give back what was freed but is kept by the allocator, as far as the C library can."""
    gc.collect()
    if sys.platform.startswith("linux"):
        with contextlib.suppress(AttributeError):  # of GNU's C library alone
            ctypes.CDLL(None).malloc_trim(0)
