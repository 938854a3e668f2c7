"""Keeping the C library from holding on to memory that nobody uses."""

from __future__ import annotations

import ctypes
import sys

# Of GNU's <malloc.h>: which parameter, and its value. By default each thread gets a heap of its
# own, and what is freed in one cannot be used by another: hundreds of megabytes after some hours
# of photos. And the more large blocks were freed, the larger ones it keeps.
_SETTINGS = (
    (-8, 2),  # M_ARENA_MAX: heaps
    (-3, 1024 * 1024),  # M_MMAP_THRESHOLD: larger blocks go back to the system at once, in bytes
    (-1, 1024 * 1024),  # M_TRIM_THRESHOLD: likewise the end of a heap
)


def limit_allocator() -> bool:
    """Tell the allocator so, before threads begin; returns whether it understood.

    Other systems' allocators have no such settings, and are left alone.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):  # another C library
        return False
    return all(mallopt(parameter, value) for parameter, value in _SETTINGS)
