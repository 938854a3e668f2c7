"""What the log is told, and how that becomes rows, in the one connection of the writer."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlite_utils import Database

from bot.assistant.types import Exchange, Rating
from bot.log import schema
from bot.log.consent import Consent, ConsentStore
from bot.log.privacy import Hasher, PictureCipher
from bot.log.schema import FTS, timestamp, transaction
from bot.log.spending import NOBODY, SpendingStore
from model.requests import Usage

MAX_TEXT = 4000  # characters kept of a text
CHECKPOINT_PATIENCE = 300  # milliseconds that erasing waits for readers
_PERSON_COLUMNS = ("hash", "platform", "first_seen", "last_seen")
_REFERENCES = {"pictures": "picture", "chats": "chat"}  # tables, and the column that names a row

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Record:
    """One message and the reply to it.

    Attributes:
        platform: "web", "telegram" or "discord".
        chat: The conversation's id on its platform; only a keyed hash of it is kept.
        user: The person's, likewise.
        language: Of their device, as the platform tells it.
        question: What they wrote, where that could not be answered; else "".
        number: Names the reply.
        outcome: "answered", or in a word why not.
        reference: Of an error in the operator's log, or "".
        exchanges: What the model was asked, one for each picture.
        seconds: From the message to the reply.
        fetching: Of those, until the picture was there.
        at: When the message came.
    """

    platform: str
    chat: str
    user: str
    language: str
    question: str
    number: str
    outcome: str
    reference: str
    exchanges: tuple[Exchange, ...]
    seconds: float
    fetching: float = 0.0
    at: datetime = field(default_factory=lambda: datetime.now(UTC))


def without_pictures(record: Record) -> Record:
    """The same without the pictures themselves."""
    bare = (exchange.without_picture() for exchange in record.exchanges)
    return replace(record, exchanges=tuple(bare))


def storable(text: str) -> str:
    """A text as the log holds it: valid Unicode without control characters, and not endless."""
    whole = text[: 2 * MAX_TEXT].encode("utf-8", "replace").decode()
    shown = re.sub(r"[\x00-\x08\x0b-\x1f\x7f]", "�", whole)
    return shown if len(shown) <= MAX_TEXT else shown[: MAX_TEXT - 1] + "…"


class ModelVersion(NamedTuple):
    """What answers: the names of its profile and of its adapter's weights."""

    profile: str = ""
    adapter: str = ""


class Erased(NamedTuple):
    """How many rows were erased."""

    exchanges: int
    ratings: int
    pictures: int = 0


class Store:
    """Writes what the log is told.

    Args:
        db: Open to be written; one thread uses it.
        hasher: Names people.
        model: What answers.
        cipher: Encrypts the pictures of who allows that they are kept; None to keep none.
        others: What else may answer.

    Attributes:
        consents: What people chose, by their hashes.
        spending: What answers cost today.
        needs_checkpoint: Whether `checkpoint` has to follow, once what was written is committed.
        needs_optimize: Whether words of something erased are still in the index.
    """

    def __init__(
        self, db: Database, hasher: Hasher, model: ModelVersion,
        cipher: PictureCipher | None = None, others: Sequence[ModelVersion] = (),
    ) -> None:  # fmt: skip
        self._db, self._hash, self._model, self._cipher = db, hasher, model, cipher
        self._others = {each.profile: each for each in others}
        self.consents, self.spending = ConsentStore(db), SpendingStore(db)
        self.needs_checkpoint = self.needs_optimize = False

    def record(self, record: Record) -> None:
        """Keep a message and its reply, one row for each picture; unless the person said no."""
        consent = self.consent(record.platform, record.user)
        if not consent.exchanges:
            return
        person = self._person_or_chat("people", "person", record.platform, record.user, record.at)
        if record.language:
            told = [storable(record.language[:35]), person]
            self._run("UPDATE people SET language = ? WHERE id = ?", told)
        chat = self._person_or_chat("chats", "chat", record.platform, record.chat, record.at)
        rows: Sequence[tuple[int, Exchange | None]] = [*enumerate(record.exchanges)] or [(0, None)]
        for place, exchange in rows:
            self._insert(record, person, chat, place, exchange)
            if exchange and consent.pictures:
                try:
                    self._share(person, exchange)
                except Exception:  # the exchange itself is kept in any case
                    _log.exception("A picture could not be kept")

    def rate(self, rating: Rating, at: datetime) -> None:
        """Keep what a person thinks of an answer that is kept; their last word counts."""
        sql = "SELECT 1 FROM exchanges WHERE number = ?"
        if not self._db.execute(sql, [rating.number]).fetchone():
            return
        if not self.consent(rating.platform, rating.user).exchanges:
            return
        person = self._person_or_chat("people", "person", rating.platform, rating.user, at)
        self._db.execute(
            "INSERT INTO ratings (at, number, person, good, correction) VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT (number, person) DO UPDATE SET at = excluded.at, good = excluded.good, "
            # Who finds it good after all takes back what it should have been.
            "correction = iif(excluded.good, NULL, coalesce(excluded.correction, correction))",
            [
                timestamp(at),
                rating.number,
                person,
                int(rating.good),
                storable(rating.correction) or None,
            ],
        )

    def consent(self, platform: str, user: str) -> Consent:
        """What is kept of a person: exchanges until they say no, pictures once they say yes."""
        return self.consents.of(self._hash("person", platform, user))

    def spend(self, day: str, who: str, profile: str, usage: Usage) -> None:
        """Keep what an answer cost, without a name for who wants nothing kept."""
        self.spending.add(day, who if self.consents.of(who).exchanges else NOBODY, profile, usage)

    def knows(self, platform: str, user: str) -> bool:
        """Whether anything is kept of a person, be it that nothing may be."""
        sql = "SELECT 1 FROM people WHERE hash = ?1"
        for table in ("unlogged", "sharing", "choices", "chosen_profiles", "spending"):
            sql += f" UNION SELECT 1 FROM {table} WHERE hash = ?1"
        who = self._hash("person", platform, user)
        return self._db.execute(sql, [who]).fetchone() is not None

    def set_logged(self, platform: str, user: str, *, logged: bool) -> None:
        """Keep whether a person's exchanges may be kept: if not, nothing of them but that."""
        who = self._hash("person", platform, user)
        self.consents.set_logged(who, logged=logged)
        if not logged:
            self._unshare(who)
            self.spending.forget(who)
        self.needs_checkpoint = True

    def set_sharing(self, platform: str, user: str, at: datetime | None) -> None:
        """Keep since when a person's pictures may be kept; None erases what was kept of them."""
        who = self._hash("person", platform, user)
        if at and not self.consents.of(who).exchanges:
            return  # who wants nothing kept has to take that back first
        self.consents.set_sharing(who, at)
        if at is None:
            self._unshare(who)
        self.needs_checkpoint = True

    def forget(self, platform: str, user: str) -> Erased:
        """Erase everything of a person but the wish that nothing be kept."""
        who = self._hash("person", platform, user)
        self.consents.forget(who)
        self.spending.forget(who)
        self.needs_checkpoint = True
        pictures = self._unshare(who)
        found = self._db.execute("SELECT id FROM people WHERE hash = ?", [who]).fetchone()
        if found is None:
            return Erased(0, 0)  # whose pictures are kept, has exchanges, too
        left = {
            table: self._db.execute(
                f"SELECT DISTINCT {column} FROM exchanges WHERE person = ?", found
            ).fetchall()
            for table, column in _REFERENCES.items()
        }
        # Others' ratings of this person's answers tell of them, too.
        ratings = self._run(
            "DELETE FROM ratings WHERE person = ?1 OR "
            "number IN (SELECT number FROM exchanges WHERE person = ?1)",
            found,
        )
        exchanges = self._run("DELETE FROM exchanges WHERE person = ?", found)
        self.needs_optimize = self.needs_optimize or exchanges > 0
        self._run("DELETE FROM people WHERE id = ?", found)
        for table, ids in left.items():
            column = _REFERENCES[table]
            self._db.conn.executemany(
                f"DELETE FROM {table} WHERE id = ?1 "
                f"AND NOT EXISTS (SELECT 1 FROM exchanges WHERE {column} = ?1)",
                ids,
            )
        return Erased(exchanges, ratings, pictures)

    def purge(self, before: datetime) -> int:
        """Erase what is older, and whatever nothing is left of; tells how many exchanges."""
        old, where = [timestamp(before)[:10], timestamp(before)], "day <= ? AND at < ?"
        self._run(
            f"DELETE FROM ratings WHERE number IN (SELECT number FROM exchanges WHERE {where})", old
        )
        exchanges = self._run(f"DELETE FROM exchanges WHERE {where}", old)
        self._run(
            "DELETE FROM shared WHERE NOT EXISTS (SELECT 1 FROM exchanges WHERE "
            "exchanges.picture = shared.picture AND exchanges.person = shared.person)"
        )
        for table, column in _REFERENCES.items():
            self._run(
                f"DELETE FROM {table} WHERE NOT EXISTS "
                f"(SELECT 1 FROM exchanges WHERE {column} = {table}.id)"
            )
        self._run(
            "DELETE FROM people WHERE "
            "NOT EXISTS (SELECT 1 FROM exchanges WHERE person = people.id) AND "
            "NOT EXISTS (SELECT 1 FROM ratings WHERE person = people.id)"
        )
        self.needs_optimize = self.needs_optimize or exchanges > 0
        self.needs_checkpoint = self.needs_checkpoint or exchanges > 0
        return exchanges

    def checkpoint(self) -> None:
        """After erasing: leave no words in the file beside the database, and wait for the disk.

        `needs_checkpoint` stays true if somebody reads the file all the time.
        """
        # Whoever reads all the time, as Litestream does, must not hold up who writes.
        self._db.execute(f"PRAGMA busy_timeout = {CHECKPOINT_PATIENCE}").fetchall()
        held_up, *_ = self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        self._db.execute(f"PRAGMA busy_timeout = {round(1000 * schema.BUSY_SECONDS)}").fetchall()
        self.needs_checkpoint = bool(held_up)

    def optimize_index(self) -> None:
        """After erasing: words of what was deleted stay in the index until it is merged."""
        with transaction(self._db):
            self._db.execute(f"INSERT INTO {FTS} ({FTS}) VALUES ('optimize')")
        self.needs_checkpoint = True

    def _run(self, sql: str, values: Sequence[Any] = ()) -> int:
        return int(self._db.execute(sql, values).rowcount)

    def _insert(
        self, record: Record, person: int, chat: int, place: int, exchange: Exchange | None
    ) -> None:
        row: dict[str, Any] = {
            "at": timestamp(record.at), "day": timestamp(record.at)[:10], "number": record.number,
            "place": place, "person": person, "chat": chat, "platform": record.platform,
            "kind": "message", "outcome": record.outcome, "reference": record.reference or None,
            "seconds": record.seconds, "fetching": record.fetching,
            "question": storable(record.question) or None,
        }  # fmt: skip
        if exchange:
            row |= {
                "kind": exchange.kind,
                # Captions stay English, for people's corrections of them are to be learnt.
                "answer": storable(exchange.answer if exchange.question is None
                                   else exchange.translated_answer or exchange.answer),
                "question": None if exchange.question is None
                else storable(exchange.original_question or exchange.question),
                "confidence": exchange.confidence, "picture": self._picture(exchange),
                "waiting": exchange.waiting, "encoding": exchange.encoding,
                "decoding": exchange.decoding,
                **self._others.get(exchange.profile, self._model)._asdict(),
            }  # fmt: skip
        marks = ", ".join("?" * len(row))
        self._db.execute(
            f"INSERT OR IGNORE INTO exchanges ({', '.join(row)}) VALUES ({marks})", [*row.values()]
        )

    def _share(self, person: int, exchange: Exchange) -> None:
        """Keep a picture of who allows it, once."""
        if self._cipher is None or exchange.picture is None:
            return
        row = [person, self._picture(exchange)]
        sql = "SELECT 1 FROM shared WHERE person = ? AND picture = ?"
        if not self._db.execute(sql, row).fetchone():
            sealed = self._cipher.seal(exchange.picture.image)
            self._run(
                "INSERT INTO shared (person, picture, content) VALUES (?, ?, ?)", [*row, sealed]
            )

    def _unshare(self, who: str) -> int:
        """Erase the pictures of a person; tells how many."""
        sql = "DELETE FROM shared WHERE person = (SELECT id FROM people WHERE hash = ?)"
        return self._run(sql, [who])

    def _picture(self, exchange: Exchange) -> int:
        values = [exchange.digest, exchange.width, exchange.height, exchange.format]
        return self._get_or_insert("pictures", ("sha256", "width", "height", "format"), values)

    def _person_or_chat(self, table: str, kind: str, platform: str, name: str, at: datetime) -> int:
        """The row of a person or chat, made if it is new."""
        now = timestamp(at)
        row = self._get_or_insert(
            table, _PERSON_COLUMNS, [self._hash(kind, platform, name), platform, now, now]
        )
        sql = f"UPDATE {table} SET last_seen = max(last_seen, ?) WHERE id = ?"
        self._run(sql, [now, row])
        return row

    def _get_or_insert(self, table: str, columns: Sequence[str], values: Sequence[Any]) -> int:
        """The row whose first column has the first value, made if it is new."""
        marks = ", ".join("?" * len(columns))
        self._run(f"INSERT OR IGNORE INTO {table} ({', '.join(columns)}) VALUES ({marks})", values)
        # No id is kept in memory: another process may erase rows, and give their ids again.
        sql = f"SELECT id FROM {table} WHERE {columns[0]} = ?"
        return int(self._db.execute(sql, values[:1]).fetchone()[0])
