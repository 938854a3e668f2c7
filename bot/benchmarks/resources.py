"""What a process and its children take: memory, open files, threads; and whether that grows."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import psutil  # type: ignore[import-untyped]

SHORT = 20 * 60.0  # seconds; in a shorter run caches still fill, so that nothing can be said
MOST_GROWTH = 0.03  # of memory, from one half to the next
# A connection for each person, some for the platforms, and a decoder that is replaced by another:
# what is forgotten once for each message or fault comes to hundreds in an hour.
MORE_FILES = 24
# The threads that are started on demand and then kept: asyncio's on two cores, and one of
# Discord's heartbeats that ends.
MORE_THREADS = 8


@dataclass(frozen=True)
class Sample:
    """What the processes take together at one moment.

    Attributes:
        at: Monotonic seconds.
        resident: Bytes of resident memory; what processes share counts for each.
        files: Open files and connections.
        threads: Threads.
        processes: Processes.
        own: Bytes of resident memory of the first process, without those that open pictures.
        busy: Seconds of processor time that it has used.
    """

    at: float
    resident: int
    files: int
    threads: int
    processes: int
    own: int = 0
    busy: float = 0.0


@dataclass(frozen=True)
class Check:
    """One thing that was judged: whether it is as it should be, None if that cannot be told."""

    name: str
    ok: bool | None
    detail: str


def look(pid: int, clock: Callable[[], float] = time.monotonic) -> Sample | None:
    """What a process and all that it started take now; None if it has ended."""
    try:
        root = psutil.Process(pid)
        processes = [root, *root.children(recursive=True)]
        own, busy = root.memory_info().rss, sum(root.cpu_times()[:2])
    except psutil.NoSuchProcess:
        return None
    resident = files = threads = 0
    for process in processes:
        try:
            with process.oneshot():
                resident += process.memory_info().rss
                files += process.num_fds()
                threads += process.num_threads()
        except (psutil.NoSuchProcess, psutil.AccessDenied):  # it ended just now
            continue
    return Sample(clock(), resident, files, threads, len(processes), own, busy)


async def watch(pid: int, samples: list[Sample], seconds: float = 1.0) -> None:
    """Look every so many seconds, until the process ends or this is cancelled."""
    while sample := look(pid):
        samples.append(sample)
        await asyncio.sleep(seconds)


def judge(
    samples: Sequence[Sample], start: float, end: float, *, short: bool = False
) -> list[Check]:
    """Tell whether anything grew, between the end of the warm-up and the end of the run.

    Args:
        samples: In order.
        start: When the caches were warm.
        end: When the run was over, before the bot was stopped.
        short: Caches may still have been filling: memory is not judged.
    """
    kept = [sample for sample in samples if start <= sample.at <= end]
    if len(kept) < 8:
        return [Check("resources", None, "too short to tell")]
    middle = (start + end) / 2
    before = statistics.median(each.resident for each in kept if each.at < middle)
    after = statistics.median(each.resident for each in kept if each.at >= middle)
    growth = after / before - 1
    said = (
        f"{before / 1e6:.0f} MB in the first half, {after / 1e6:.0f} MB in the second "
        f"({growth:+.1%}), {max(each.resident for each in kept) / 1e6:.0f} MB at most"
    )
    own = max(each.own for each in kept)
    said += f", of which {own / 1e6:.0f} MB are its first process's at most" if own else ""
    if short:
        said += "; too short to tell"
    memory = Check("resident memory", None if short else growth <= MOST_GROWTH, said)
    quarter = len(kept) // 4
    first, last = kept[:quarter], kept[-quarter:]
    load = (kept[-1].busy - kept[0].busy) / (kept[-1].at - kept[0].at)
    return [
        Check("processor", True, f"{load:.2f} cores on average"),
        Check("processes", True, f"{max(each.processes for each in kept)} at most"),
        memory,
        _growth("open files", [each.files for each in first], [each.files for each in last],
                MORE_FILES),
        _growth("threads", [each.threads for each in first], [each.threads for each in last],
                MORE_THREADS),
    ]  # fmt: skip


def _growth(name: str, first: Sequence[int], last: Sequence[int], tolerance: int) -> Check:
    said = (
        f"{max(first)} at most in the first quarter, {max(last)} in the last "
        f"({tolerance} more are allowed)"
    )
    return Check(name, max(last) <= max(first) + tolerance, said)
