"""The allocator gives memory back, whatever threads did with it."""

from __future__ import annotations

import subprocess
import sys

import pytest

# Threads keep one small block of every large one that they free: in a heap of their own, which
# cannot shrink then.
PROGRAM = """
import ctypes, sys, threading
from bot.cli.allocator import limit_allocator

if sys.argv[1] == "frugal":
    assert limit_allocator()
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]

together = threading.Barrier(6)

def work():
    together.wait()
    for size in (1 << 21, 1 << 23, 1 << 24):
        held = []
        for _ in range(4):
            held.append(libc.malloc(size))
            libc.malloc(64)
            ctypes.memset(held[-1], 1, size)
        for block in held:
            libc.free(block)

threads = [threading.Thread(target=work) for _ in range(6)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmRSS")))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="of GNU's C library")
def test_what_threads_free_goes_back_to_the_system() -> None:
    def resident(how: str) -> int:
        command = [sys.executable, "-c", PROGRAM, how]
        return int(subprocess.run(command, capture_output=True, check=True, text=True).stdout)

    # Without, it is often twice to five times as much, but not each time.
    assert max(resident("frugal") for _ in range(3)) < 50_000  # kilobytes
