"""How fast the log is: writing, and reading from many exchanges."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

from bot.assistant.types import Exchange
from bot.log import Log
from bot.log.privacy import Hasher
from bot.log.queries import search, stats
from bot.log.schema import open_to_read, open_to_write
from bot.log.store import ModelVersion, Record, Store

AHEAD = 5_000  # records that wait to be written, at most
_ASKED = ("What colour is the {}?", "How many {}s are there?", "Is there a {}?", "Where is the {}?")
_THINGS = ("dog", "cat", "bus", "pizza", "person", "giraffe", "chair", "ball", "tree", "boat")
RARE = "okapi"  # in one question of a thousand


@dataclass(frozen=True)
class LogSpeed:
    """What was measured; times in seconds.

    Attributes:
        rate: Rows written in a second.
        recording: What handing over one record costs who answers, at the 99th percentile.
        rare: Finding a word of few exchanges.
        frequent: Finding a word of many.
        stats: All figures of 30 days.
        forgetting: Erasing one person, who waits for it.
        purging: Erasing a day.
        size: Megabytes.
    """

    rate: float
    recording: float
    rare: float
    frequent: float
    stats: float
    forgetting: float
    purging: float
    size: float


def measure_log(path: Path, count: int) -> LogSpeed:
    """Write so many exchanges of 30 days, then read."""
    log = Log(path, b"key", days=36_500)
    costs = []
    start = time.perf_counter()
    waiting: list[object] = []
    for record in _records(count):
        before = time.perf_counter()
        done = log.record(record)
        costs.append(time.perf_counter() - before)
        waiting.append(done)
        if len(waiting) >= AHEAD:
            done.result()
            waiting.clear()
    done.result()
    rate = count / (time.perf_counter() - start)
    log.close()
    with closing(open_to_read(path)) as db:
        marks = [time.perf_counter()]
        for look in (
            lambda: search(db, RARE, 20),
            lambda: search(db, "dog", 20),
            lambda: stats(db, 30),
        ):
            look()
            marks.append(time.perf_counter())
    rare, frequent, figures = (after - before for before, after in pairwise(marks))
    forgetting, purging = _erase(path)
    recording = sorted(costs)[int(0.99 * (len(costs) - 1))]
    return LogSpeed(
        rate, recording, rare, frequent, figures, forgetting, purging, path.stat().st_size / 1e6
    )  # fmt: skip


def _erase(path: Path) -> tuple[float, float]:
    """Seconds that erasing a person takes, and erasing a day."""
    log = Log(path, b"key", days=36_500)
    log.consent("web", "2").result()  # it is open by then
    marks = [time.perf_counter()]
    log.forget("web", "2").result()
    marks.append(time.perf_counter())
    log.close()
    with closing(open_to_write(path)) as db, db.atomic():
        marks.append(time.perf_counter())
        Store(db, Hasher(b"key"), ModelVersion()).purge(datetime.now(UTC) - timedelta(days=29))
    marks.append(time.perf_counter())
    return marks[1] - marks[0], marks[3] - marks[2]


def _records(count: int) -> Iterator[Record]:
    """Exchanges of 2,000 people on three platforms, evenly over 30 days."""
    start = datetime.now(UTC) - timedelta(days=29.9)
    step = timedelta(days=29.8) / count
    for number in range(count):
        thing = _THINGS[number % 7 + number % 3] if number % 1000 else RARE
        question = None if number % 5 == 0 else _ASKED[number % 4].format(thing)
        exchange = Exchange(
            "caption" if question is None else "question", question, f"a brown {thing}",
            number % 100 / 100, number % 997 / 500, f"{number % 100_000:064x}", 800, 600, "JPEG",
        )  # fmt: skip
        yield Record(
            ("telegram", "discord", "web")[number % 3], str(number % 3000), str(number % 2000),
            "en", "", f"{number:016x}", "answered", "", (exchange,), number % 997 / 400, 0.1,
            start + number * step,
        )  # fmt: skip
