"""Writing rows, in the one connection of the writer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlite_utils import Database

from bot.log.hashing import Hasher
from bot.log.records import Record, kept, stamp
from bot.log.schema import FTS
from bot.messages import Exchange, Rating
from bot.recent import Recent

_PERSON = ("hash", "platform", "first_seen", "last_seen")


class Made(NamedTuple):
    """What answers: the names of its profile and of its adapter's weights."""

    profile: str = ""
    adapter: str = ""


class Erased(NamedTuple):
    """How many rows were erased."""

    exchanges: int
    ratings: int


class Store:
    """Writes what the log is told.

    Args:
        db: Open to be written; one thread uses it.
        hasher: Names people.
        made: What answers.
    """

    def __init__(self, db: Database, hasher: Hasher, made: Made) -> None:
        self._db, self._hash, self._made = db, hasher, made
        self._ids: Recent[tuple[str, str], int] = Recent()  # of rows that are there

    def record(self, record: Record) -> None:
        """Keep a message and its reply, one row for each picture; unless the person said no."""
        person = self._person(record.platform, record.user, record.language, record.at)
        if not self._db.execute("SELECT logged FROM people WHERE id = ?", [person]).fetchone()[0]:
            return
        chat = self._named("chats", "chat", record.platform, record.chat, record.at)
        rows: Sequence[tuple[int, Exchange | None]] = [*enumerate(record.exchanges)] or [(0, None)]
        for place, exchange in rows:
            self._insert(record, person, chat, place, exchange)

    def rate(self, rating: Rating, at: datetime) -> None:
        """Keep what a person thinks of an answer that is kept; their last word counts."""
        sql = "SELECT 1 FROM exchanges WHERE number = ?"
        if not self._db.execute(sql, [rating.number]).fetchone():
            return
        if not self.is_logged(rating.platform, rating.user):
            return
        person = self._person(rating.platform, rating.user, "", at)
        self._db.execute(
            "INSERT INTO ratings (at, number, person, good, correction) VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT (number, person) DO UPDATE SET at = excluded.at, good = excluded.good, "
            "correction = coalesce(excluded.correction, correction)",
            [stamp(at), rating.number, person, int(rating.good), kept(rating.correction) or None],
        )

    def is_logged(self, platform: str, user: str) -> bool:
        """Whether a person's exchanges are kept: until they say no."""
        sql = "SELECT logged FROM people WHERE hash = ?"
        found = self._db.execute(sql, [self._hash("person", platform, user)]).fetchone()
        return found is None or bool(found[0])

    def set_logged(self, platform: str, user: str, at: datetime, *, logged: bool) -> None:
        """Keep whether a person's exchanges may be kept."""
        person = self._person(platform, user, "", at)
        self._db.execute("UPDATE people SET logged = ? WHERE id = ?", [int(logged), person])

    def forget(self, platform: str, user: str) -> Erased:
        """Erase everything of a person but the wish that nothing be kept."""
        found = self._db.execute(
            "SELECT id FROM people WHERE hash = ?", [self._hash("person", platform, user)]
        ).fetchone()
        if found is None:
            return Erased(0, 0)
        ratings = self._run("DELETE FROM ratings WHERE person = ?", found)
        ratings += self._run(
            "DELETE FROM ratings WHERE number IN (SELECT number FROM exchanges WHERE person = ?)",
            found,
        )
        exchanges = self._run("DELETE FROM exchanges WHERE person = ?", found)
        self._run("DELETE FROM people WHERE id = ? AND logged = 1", found)
        self._sweep()
        # Deleted words stay in the index until it is merged.
        self._db.execute(f"INSERT INTO {FTS} ({FTS}) VALUES ('optimize')")
        return Erased(exchanges, ratings)

    def purge(self, before: datetime) -> int:
        """Erase what is older, and whatever nothing is left of; tells how many exchanges."""
        old = [stamp(before)]
        self._run(
            "DELETE FROM ratings WHERE number IN (SELECT number FROM exchanges WHERE at < ?)", old
        )
        exchanges = self._run("DELETE FROM exchanges WHERE at < ?", old)
        if exchanges:
            self._sweep()
            self._db.execute(f"INSERT INTO {FTS} ({FTS}) VALUES ('optimize')")
        return exchanges

    def _sweep(self) -> None:
        """Erase what no exchange names any more."""
        self._ids.clear()
        for table, column in (("pictures", "picture"), ("chats", "chat")):
            self._run(
                f"DELETE FROM {table} WHERE id NOT IN "
                f"(SELECT {column} FROM exchanges WHERE {column} IS NOT NULL)"
            )
        self._run(
            "DELETE FROM people WHERE logged = 1 AND id NOT IN (SELECT person FROM exchanges) "
            "AND id NOT IN (SELECT person FROM ratings)"
        )

    def _run(self, sql: str, values: Sequence[Any] = ()) -> int:
        return int(self._db.execute(sql, values).rowcount)

    def _insert(
        self, record: Record, person: int, chat: int, place: int, exchange: Exchange | None
    ) -> None:
        row: dict[str, Any] = {
            "at": stamp(record.at), "number": record.number, "place": place, "person": person,
            "chat": chat, "platform": record.platform, "kind": "message",
            "outcome": record.outcome, "reference": record.reference or None,
            "seconds": record.seconds, "fetching": record.fetching,
            "question": kept(record.question) or None,
        }  # fmt: skip
        if exchange:
            row |= {
                "kind": exchange.kind, "answer": kept(exchange.answer),
                "question": None if exchange.question is None else kept(exchange.question),
                "confidence": exchange.confidence, "picture": self._picture(exchange),
                "waiting": exchange.waiting, "encoding": exchange.encoding,
                "decoding": exchange.decoding, **self._made._asdict(),
            }  # fmt: skip
        marks = ", ".join("?" * len(row))
        self._db.execute(
            f"INSERT OR IGNORE INTO exchanges ({', '.join(row)}) VALUES ({marks})", [*row.values()]
        )

    def _picture(self, exchange: Exchange) -> int:
        key = ("picture", exchange.digest)
        if key not in self._ids:
            values = [exchange.digest, exchange.width, exchange.height, exchange.format]
            self._ids[key] = self._found(
                "pictures", ("sha256", "width", "height", "format"), values
            )
        return self._ids[key]

    def _person(self, platform: str, user: str, language: str, at: datetime) -> int:
        person = self._named("people", "person", platform, user, at)
        if language:
            self._db.execute(
                "UPDATE people SET language = ? WHERE id = ?", [kept(language[:35]), person]
            )
        return person

    def _named(self, table: str, kind: str, platform: str, name: str, at: datetime) -> int:
        """The row of a person or chat, made if it is new."""
        key, now = (kind, self._hash(kind, platform, name)), stamp(at)
        if key not in self._ids:
            self._ids[key] = self._found(table, _PERSON, [key[1], platform, now, now])
        sql = f"UPDATE {table} SET last_seen = max(last_seen, ?) WHERE id = ?"
        self._db.execute(sql, [now, self._ids[key]])
        return self._ids[key]

    def _found(self, table: str, columns: Sequence[str], values: Sequence[Any]) -> int:
        """The row whose first column has the first value, made if it is new."""
        marks = ", ".join("?" * len(columns))
        self._db.execute(
            f"INSERT OR IGNORE INTO {table} ({', '.join(columns)}) VALUES ({marks})", values
        )
        sql = f"SELECT id FROM {table} WHERE {columns[0]} = ?"
        return int(self._db.execute(sql, values[:1]).fetchone()[0])

    def forget_cached(self) -> None:
        """Look rows up anew: what was written last was taken back."""
        self._ids.clear()
