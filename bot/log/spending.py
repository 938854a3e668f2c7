"""What answers of profiles with a budget cost today, by person and of all, kept over a restart."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from sqlite_utils import Database

from model.requests import NO_USAGE, Usage

NOBODY = ""  # whom rows name that are nobody's any more
Row = tuple[str, str, int, int]  # a person's hash, a profile, tokens of questions and of answers


def today() -> str:
    """The day, which begins at midnight in UTC."""
    return datetime.now(UTC).strftime("%Y-%m-%d")


class SpendingStore:
    """The table of what was spent; rows of other days than the last one are erased.

    Args:
        db: Open to be written.
    """

    def __init__(self, db: Database) -> None:
        self._db = db

    def add(self, day: str, person: str, profile: str, usage: Usage) -> None:
        """Count what a person spent."""
        self._db.execute("DELETE FROM spending WHERE day < ?", [day])
        self._db.execute(
            "INSERT INTO spending (day, hash, profile, prompt, completion) VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT (day, hash, profile) DO UPDATE SET "
            "prompt = prompt + excluded.prompt, completion = completion + excluded.completion",
            [day, person, profile, usage.prompt, usage.completion],
        )

    def of(self, day: str) -> list[Row]:
        """What was spent on a day."""
        sql = "SELECT hash, profile, prompt, completion FROM spending WHERE day = ?"
        return self._db.execute(sql, [day]).fetchall()

    def forget(self, person: str) -> None:
        """Forget who spent it; that it was spent stays."""
        sql = "SELECT day, profile, prompt, completion FROM spending WHERE hash = ?"
        for day, profile, prompt, completion in self._db.execute(sql, [person]).fetchall():
            self.add(day, NOBODY, profile, Usage(prompt, completion))
        self._db.execute("DELETE FROM spending WHERE hash = ?", [person])


class Spending:
    """The same in memory, so that it is known at once; threads may share it.

    Args:
        day: Tells the day.
    """

    def __init__(self, day: Callable[[], str] = today) -> None:
        self._today, self._day = day, day()
        self._lock = threading.Lock()
        self._people: defaultdict[tuple[str, str], Usage] = defaultdict(Usage)
        self._all: defaultdict[str, Usage] = defaultdict(Usage)
        self._loaded = False

    def load(self, rows_of: Callable[[str], Iterable[Row]]) -> None:
        """Take in, once, what a database holds of today."""
        with self._lock:
            self._turn()
            if self._loaded:
                return
            self._loaded = True
            for person, profile, prompt, completion in rows_of(self._day):
                self._add(person, profile, Usage(prompt, completion))

    def add(self, person: str, profile: str, usage: Usage) -> str:
        """Count what a person spent; tells on which day."""
        with self._lock:
            self._turn()
            self._add(person, profile, usage)
            return self._day

    def of(self, person: str, profile: str) -> tuple[Usage, Usage]:
        """What a person, and what everybody spent today with a profile."""
        with self._lock:
            self._turn()
            spent = self._people.get((person, profile), NO_USAGE)
            return spent, self._all.get(profile, NO_USAGE)

    def _add(self, person: str, profile: str, usage: Usage) -> None:
        if person != NOBODY:
            self._people[person, profile] += usage
        self._all[profile] += usage

    def _turn(self) -> None:
        """Begin anew on another day."""
        if (day := self._today()) != self._day:
            self._day = day
            self._people.clear()
            self._all.clear()
