"""Logs of exchanges in a file, records to put into them, and what is in them then."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from bot.assistant.types import Exchange
from bot.log import Log, ModelVersion, Record
from bot.log.privacy import PictureCipher

KEY = b"a key that nobody else has"


@contextmanager
def opened(path: Path, days: float = 30, cipher: PictureCipher | None = None) -> Iterator[Log]:
    log = Log(path, KEY, ModelVersion("starter", "abc"), days, cipher)
    try:
        yield log
    finally:
        log.close()


def record(number: int, user: str = "ann", **changes: Any) -> Record:
    exchange = Exchange(
        "question", f"What is number {number}?", "a giraffe", 0.8, 0.3, f"{number % 3:064x}",
        640, 480, "JPEG", 0.1, 0.15, 0.05,
    )  # fmt: skip
    values = {
        "platform": "telegram", "chat": "-100", "user": user, "language": "de-AT", "question": "",
        "number": f"{number:016x}", "outcome": "answered", "reference": "",
        "exchanges": (exchange,), "seconds": 0.4, "fetching": 0.1,
    }  # fmt: skip
    return Record(**(values | changes))


def rows(path: Path, sql: str, *values: object) -> list[Any]:
    with closing(sqlite3.connect(path)) as db:
        return db.execute(sql, values).fetchall()


def until(condition: Any) -> None:
    end = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def damage(path: Path) -> None:
    """Overwrite the pages of the table of exchanges."""
    (page,) = rows(path, "SELECT rootpage FROM sqlite_master WHERE name = 'exchanges'")[0]
    with path.open("r+b") as file:
        file.seek(4096 * (page - 1))
        file.write(b"\xff" * 100)
