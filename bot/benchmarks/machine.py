"""What a benchmark ran on: the processor, its cores, and the versions of what computed."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import numpy as np

from model.runtime import usable_cores

LIBRARIES = ("torch", "transformers", "openvino")
READ_BYTES = 2**29  # more than caches hold
READS = 3


@dataclass(frozen=True)
class Machine:
    """What a benchmark ran on.

    Attributes:
        processor: Its name, as far as the system tells it.
        cores: How many of its cores this process may use.
        threads: How many threads computed.
        system: The operating system and the kind of processor.
        versions: Of Python and of the libraries.
    """

    processor: str
    cores: int
    threads: int
    system: str
    versions: dict[str, str]

    def __str__(self) -> str:
        libraries = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        return (
            f"{self.processor}, {_count(self.cores, 'core')}, {_count(self.threads, 'thread')}\n"
            f"{self.system}, {libraries}"
        )


def this_machine(threads: int) -> Machine:
    """The machine that this process runs on, where so many threads compute."""
    versions = {"Python": platform.python_version()}
    versions |= {name: metadata.version(name) for name in LIBRARIES}
    system = f"{platform.system()} {platform.machine()}"
    return Machine(_processor(), usable_cores(), threads, system, versions)


def measure_bandwidth(threads: int, clock: Callable[[], float] = time.perf_counter) -> float:
    """How many bytes a second some threads read from memory, at best.

    Each reads its part of one large array from end to end, as decoding reads the weights.
    """
    parts = np.array_split(np.ones(READ_BYTES // 4, np.float32), threads)
    seconds = []
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(1 + READS):  # the first one starts the threads
            start = clock()
            tuple(pool.map(np.max, parts))  # NumPy lets go of the interpreter's lock
            seconds.append(clock() - start)
    return READ_BYTES / min(seconds[1:])


def _processor() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name" and value.strip():
                return value.strip()
    return platform.processor() or platform.machine() or "unknown processor"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")
