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

_KNOWN = ("hash", "platform", "first_seen", "last_seen")
_NAMED = {"pictures": "picture", "chats": "chat"}  # tables, and who names their rows


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

    Attributes:
        settles: Whether `settle` has to follow what was written, once that is committed.
    """

    def __init__(self, db: Database, hasher: Hasher, made: Made) -> None:
        self._db, self._hash, self._made = db, hasher, made
        self.settles = False

    def record(self, record: Record) -> None:
        """Keep a message and its reply, one row for each picture; unless the person said no."""
        if not self.is_logged(record.platform, record.user):
            return
        person = self._named("people", "person", record.platform, record.user, record.at)
        if record.language:
            told = [kept(record.language[:35]), person]
            self._run("UPDATE people SET language = ? WHERE id = ?", told)
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
        person = self._named("people", "person", rating.platform, rating.user, at)
        self._db.execute(
            "INSERT INTO ratings (at, number, person, good, correction) VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT (number, person) DO UPDATE SET at = excluded.at, good = excluded.good, "
            "correction = coalesce(excluded.correction, correction)",
            [stamp(at), rating.number, person, int(rating.good), kept(rating.correction) or None],
        )

    def is_logged(self, platform: str, user: str) -> bool:
        """Whether a person's exchanges are kept: until they say no."""
        sql = "SELECT 1 FROM unlogged WHERE hash = ?"
        return not self._db.execute(sql, [self._hash("person", platform, user)]).fetchone()

    def set_logged(self, platform: str, user: str, *, logged: bool) -> None:
        """Keep whether a person's exchanges may be kept: if not, nothing of them but that."""
        who = [self._hash("person", platform, user)]
        if logged:
            self._run("DELETE FROM unlogged WHERE hash = ?", who)
        else:
            self._run("INSERT OR IGNORE INTO unlogged (hash) VALUES (?)", who)
        self.settles = True

    def forget(self, platform: str, user: str) -> Erased:
        """Erase everything of a person but the wish that nothing be kept."""
        found = self._db.execute(
            "SELECT id FROM people WHERE hash = ?", [self._hash("person", platform, user)]
        ).fetchone()
        if found is None:
            return Erased(0, 0)
        left = {
            table: self._db.execute(
                f"SELECT DISTINCT {column} FROM exchanges WHERE person = ?", found
            ).fetchall()
            for table, column in _NAMED.items()
        }
        # Others' ratings of this person's answers tell of them, too.
        ratings = self._run(
            "DELETE FROM ratings WHERE person = ?1 OR "
            "number IN (SELECT number FROM exchanges WHERE person = ?1)",
            found,
        )
        exchanges = self._run("DELETE FROM exchanges WHERE person = ?", found)
        self._run("DELETE FROM people WHERE id = ?", found)
        for table, ids in left.items():
            column = _NAMED[table]
            self._db.conn.executemany(
                f"DELETE FROM {table} WHERE id = ?1 "
                f"AND NOT EXISTS (SELECT 1 FROM exchanges WHERE {column} = ?1)",
                ids,
            )
        self.settles = True
        return Erased(exchanges, ratings)

    def purge(self, before: datetime) -> int:
        """Erase what is older, and whatever nothing is left of; tells how many exchanges."""
        old, where = [stamp(before)[:10], stamp(before)], "day <= ? AND at < ?"
        self._run(
            f"DELETE FROM ratings WHERE number IN (SELECT number FROM exchanges WHERE {where})", old
        )
        exchanges = self._run(f"DELETE FROM exchanges WHERE {where}", old)
        for table, column in _NAMED.items():
            self._run(
                f"DELETE FROM {table} WHERE NOT EXISTS "
                f"(SELECT 1 FROM exchanges WHERE {column} = {table}.id)"
            )
        self._run(
            "DELETE FROM people WHERE "
            "NOT EXISTS (SELECT 1 FROM exchanges WHERE person = people.id) AND "
            "NOT EXISTS (SELECT 1 FROM ratings WHERE person = people.id)"
        )
        self.settles = self.settles or exchanges > 0
        return exchanges

    def settle(self) -> None:
        """After erasing: leave no words in the file beside the database, and wait for the disk."""
        self.settles = False
        self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def tidy_index(self) -> None:
        """After erasing: words of what was deleted stay in the index until it is merged."""
        with self._db.atomic():
            self._db.execute(f"INSERT INTO {FTS} ({FTS}) VALUES ('optimize')")
        self.settle()

    def adopt_wishes(self, hashes: Sequence[tuple[str]]) -> None:
        """Keep the wishes of another database that nothing be kept."""
        with self._db.atomic():
            self._db.conn.executemany("INSERT OR IGNORE INTO unlogged (hash) VALUES (?)", hashes)

    def _run(self, sql: str, values: Sequence[Any] = ()) -> int:
        return int(self._db.execute(sql, values).rowcount)

    def _insert(
        self, record: Record, person: int, chat: int, place: int, exchange: Exchange | None
    ) -> None:
        row: dict[str, Any] = {
            "at": stamp(record.at), "day": stamp(record.at)[:10], "number": record.number,
            "place": place, "person": person, "chat": chat, "platform": record.platform,
            "kind": "message", "outcome": record.outcome, "reference": record.reference or None,
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
        values = [exchange.digest, exchange.width, exchange.height, exchange.format]
        return self._found("pictures", ("sha256", "width", "height", "format"), values)

    def _named(self, table: str, kind: str, platform: str, name: str, at: datetime) -> int:
        """The row of a person or chat, made if it is new."""
        now = stamp(at)
        row = self._found(table, _KNOWN, [self._hash(kind, platform, name), platform, now, now])
        sql = f"UPDATE {table} SET last_seen = max(last_seen, ?) WHERE id = ?"
        self._run(sql, [now, row])
        return row

    def _found(self, table: str, columns: Sequence[str], values: Sequence[Any]) -> int:
        """The row whose first column has the first value, made if it is new."""
        marks = ", ".join("?" * len(columns))
        self._run(f"INSERT OR IGNORE INTO {table} ({', '.join(columns)}) VALUES ({marks})", values)
        # No id is kept in memory: another process may erase rows, and give their ids again.
        sql = f"SELECT id FROM {table} WHERE {columns[0]} = ?"
        return int(self._db.execute(sql, values[:1]).fetchone()[0])
