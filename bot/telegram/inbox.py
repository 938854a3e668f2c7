"""What Telegram brought and nobody has answered yet, on disk, so that no crash loses it.

Telegram counts an update as delivered once it was handed out. So each one lies here, encrypted with
a key made of the bot's token, until it is answered; after a restart the rest are taken up again.
Of answered messages only keyed hashes stay, for two days: people may edit so long, and a reaction
looks like an edit that changes nothing.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet, InvalidToken

from bot.assistant.conversations import PICTURE_SECONDS

EDITABLE = 48 * 3600.0  # seconds for which Telegram lets people edit a message
ATTEMPTS = 20  # to answer one update: what ends the process each time would do so for ever
CLEANING_SECONDS = 600.0
TAKEN_UNTIL_CHECKPOINT = 200  # batches of updates
_HASH_BYTES = 16
_TABLES = """
    CREATE TABLE IF NOT EXISTS updates (
        number INTEGER PRIMARY KEY, at REAL NOT NULL, attempts INTEGER NOT NULL DEFAULT 0,
        sending INTEGER NOT NULL DEFAULT 0, digest BLOB NOT NULL, content BLOB,
        said TEXT NOT NULL DEFAULT '[]'
    ) STRICT;
    CREATE TABLE IF NOT EXISTS answers (
        asked BLOB PRIMARY KEY, answer BLOB NOT NULL, person BLOB NOT NULL,
        owner BLOB NOT NULL, at REAL NOT NULL,
        message INTEGER NOT NULL, content BLOB NOT NULL, about BLOB
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS answers_by_answer ON answers (answer);
    CREATE TABLE IF NOT EXISTS parts (
        answer BLOB PRIMARY KEY, asked BLOB NOT NULL, at REAL NOT NULL, message INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS parts_by_asked ON parts (asked);
    CREATE TABLE IF NOT EXISTS shown (
        conversation BLOB PRIMARY KEY, person BLOB NOT NULL, owner BLOB NOT NULL,
        at REAL NOT NULL, content BLOB NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS begun (at REAL NOT NULL) STRICT;
"""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Pending:
    """An update that an earlier run did not answer.

    Attributes:
        content: As Telegram brought it.
        attempts: How often it was begun; `ATTEMPTS` and more are not worth another one.
    """

    content: dict[str, Any]
    attempts: int


@dataclass(frozen=True)
class Answered:
    """What is known of a message that was answered.

    Attributes:
        messages: Ids of the answer's messages, in order.
        content: A hash of what was asked.
        about: Of the pictures that the answer was about, what fetches them again; or None.
    """

    messages: tuple[int, ...]
    content: bytes
    about: Any = None


class Inbox:
    """Updates until they are answered; for one thread. Never fails: without a disk it remembers.

    Args:
        path: The database; None keeps everything in memory.
        token: The bot's; of it the key is made.
        clock: Seconds since 1970.

    Attributes:
        since: Messages that are older and not known here were answered before it was begun.
    """

    def __init__(
        self, path: Path | None, token: str, clock: Callable[[], float] = time.time
    ) -> None:
        self._key = hmac.new(token.encode(), b"glimpse telegram inbox", hashlib.sha256).digest()
        self._fernet = Fernet(base64.urlsafe_b64encode(self._key))
        self._clock, self._cleaned, self._failing = clock, 0.0, False
        self._taken = 0
        self._db = _opened(path)
        with self._writing():
            self._db.executescript(_TABLES)
            self._complete()
            if not self._db.execute("SELECT 1 FROM begun").fetchone():
                self._db.execute("INSERT INTO begun VALUES (?)", [clock()])
        found = self._db.execute("SELECT at FROM begun").fetchone()
        self._begun = float(found[0]) if found else clock()

    @property
    def since(self) -> float:
        """Messages that are older and not known here count as answered."""
        return max(self._begun, self._clock() - EDITABLE)

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    # --- updates ----------------------------------------------------------------------------

    def take(self, contents: Iterable[dict[str, Any]]) -> list[int]:
        """Hold updates; returns the numbers of those that were answered before."""
        rows = [
            (each["update_id"], self._clock(), self.hash(json.dumps(each)), self._seal(each))
            for each in contents
        ]
        with self._writing():
            # Numbers may begin anew: only the same update is the same.
            self._db.executemany(
                "INSERT INTO updates (number, at, digest, content) VALUES (?, ?, ?, ?) "
                "ON CONFLICT (number) DO UPDATE SET at = excluded.at, digest = excluded.digest, "
                "content = excluded.content, attempts = 0, sending = 0, said = '[]' "
                "WHERE digest <> excluded.digest",
                rows,
            )
        self._clean()
        self._taken += 1
        if self._taken % TAKEN_UNTIL_CHECKPOINT == 0:
            self._read("PRAGMA wal_checkpoint(PASSIVE)")
        numbers = [row[0] for row in rows]
        marks = ", ".join("?" * len(numbers))
        sql = f"SELECT number FROM updates WHERE content IS NULL AND number IN ({marks})"
        return [number for (number,) in self._read(sql, numbers)]

    def pending(self) -> list[Pending]:
        """What an earlier run left unanswered, in order.

        An update whose answer was on its way counts as answered: it can not be known whether the
        answer arrived, for the Bot API takes nothing by which it would know the same one again.
        Who ended the process in the fraction of a millisecond before it left, loses it.
        """
        with self._writing():
            self._db.execute("UPDATE updates SET content = NULL WHERE sending")
        sql = "SELECT number, attempts, content FROM updates WHERE content NOT NULL ORDER BY number"
        found = []
        for number, attempts, content in self._read(sql):
            try:
                found.append(Pending(self._unseal(content), attempts))
            except (InvalidToken, ValueError):
                self.done([number])
        return found

    def begin(self, numbers: Sequence[int]) -> None:
        """The work on these updates begins, which is counted."""
        with self._writing():
            self._db.executemany(
                "UPDATE updates SET attempts = attempts + 1 WHERE number = ?",
                [(n,) for n in numbers],
            )

    def sending(self, numbers: Sequence[int], *, on: bool) -> None:
        """An answer to these updates is on its way from now on, or could not be sent."""
        with self._writing():
            self._db.executemany(
                "UPDATE updates SET sending = ? WHERE number = ?", [(on, n) for n in numbers]
            )

    def note_said(self, numbers: Sequence[int], messages: Sequence[int]) -> None:
        """These messages are a beginning of the answer, and the next run may go on with them.

        It changes them into the answer: neither half a draft nor the first part of a long answer
        stays alone if the process ends now. Only where that happens between Telegram's taking such
        a message and this note, the answer comes once more beside it.
        """
        told = json.dumps([*messages])
        with self._writing():
            self._db.executemany(
                "UPDATE updates SET said = ?, sending = 0 WHERE number = ?",
                [(told, n) for n in numbers],
            )

    def said(self, numbers: Sequence[int]) -> tuple[int, ...]:
        """The messages with which the answer to these updates was begun in an earlier run."""
        marks = ", ".join("?" * len(numbers))
        sql = f"SELECT said FROM updates WHERE said <> '[]' AND number IN ({marks})"
        return next((tuple(json.loads(told)) for (told,) in self._read(sql, [*numbers])), ())

    def done(self, numbers: Sequence[int]) -> None:
        """These are answered, or need no answer."""
        with self._writing():
            self._db.executemany(
                "UPDATE updates SET content = NULL, said = '[]' WHERE number = ?",
                [(n,) for n in numbers],
            )

    def marks(self, numbers: Sequence[int]) -> Marks:
        """Notes how far the answer to these updates is said."""
        return Marks(self, numbers)

    # --- answered messages --------------------------------------------------------------------

    def note_answer(
        self, asked: tuple[int, int], person: str, owner: str, answered: Answered
    ) -> None:
        """Keep that a message was answered.

        Args:
            asked: Chat and message.
            person: Who is answered.
            owner: Who showed the pictures that it is about.
            answered: How.
        """
        about = None if answered.about is None else self._seal(answered.about)
        first, *others = answered.messages
        key, now = self.hash("message", *asked), self._clock()
        row = (
            key, self.hash("message", asked[0], first), self.hash("person", person),
            self.hash("person", owner), now, first, answered.content, about,
        )  # fmt: skip
        parts = [(self.hash("message", asked[0], each), key, now, each) for each in others]
        with self._writing():
            self._db.execute("INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
            self._db.execute("DELETE FROM parts WHERE asked = ?", [key])
            self._db.executemany("INSERT OR REPLACE INTO parts VALUES (?, ?, ?, ?)", parts)

    def answer_to(self, chat: int, message: int) -> Answered | None:
        """How a message was answered, if that is known."""
        return self._answered("asked = ?", self.hash("message", chat, message))

    def answer_in(self, chat: int, message: int) -> Answered | None:
        """What a message of the bot's answered, if that is known."""
        key = self.hash("message", chat, message)
        part = "asked = (SELECT asked FROM parts WHERE answer = ?)"
        return self._answered("answer = ?", key) or self._answered(part, key)

    def note_shown(self, where: tuple[str, str], owner: str, files: Any) -> None:
        """Keep the pictures that a message without any would mean, for an hour.

        Args:
            where: The chat, and the person.
            owner: Who showed them.
            files: What fetches them again; nothing if there are none any more.
        """
        key = self.hash("conversation", *where)
        row = (key, self.hash("person", where[1]), self.hash("person", owner), self._clock())
        with self._writing():
            self._db.execute("DELETE FROM shown WHERE conversation = ?", [key])
            if files:
                sealed = self._seal({"owner": owner, "files": files})
                self._db.execute("INSERT INTO shown VALUES (?, ?, ?, ?, ?)", (*row, sealed))

    def shown(self, where: tuple[str, str]) -> Any:
        """Owner and files, as `note_shown` was given them; None if they are not known any more."""
        sql = "SELECT content FROM shown WHERE conversation = ? AND at > ?"
        key = self.hash("conversation", *where)
        for (sealed,) in self._read(sql, [key, self._clock() - PICTURE_SECONDS]):
            with suppress(InvalidToken, ValueError):
                return self._unseal(sealed)
        return None

    def forget(self, person: str) -> None:
        """Erase what is known of the messages of a person."""
        with self._writing():
            who = [self.hash("person", person)]
            self._db.execute("DELETE FROM shown WHERE ? IN (person, owner)", who)
            whose = "SELECT asked FROM answers WHERE person = ?"
            self._db.execute(f"DELETE FROM parts WHERE asked IN ({whose})", who)
            self._db.execute("DELETE FROM answers WHERE person = ?", who)
            self._db.execute("UPDATE answers SET about = NULL WHERE owner = ?", who)

    def hash(self, *parts: object) -> bytes:
        """A keyed hash, which tells nobody what was hashed."""
        framed = json.dumps([str(part) for part in parts]).encode()
        return hmac.new(self._key, framed, hashlib.sha256).digest()[:_HASH_BYTES]

    def _answered(self, which: str, key: bytes) -> Answered | None:
        sql = f"SELECT asked, message, content, about, at FROM answers WHERE {which}"
        for asked, message, content, sealed, at in self._read(sql, [key]):
            about = None
            if sealed and self._clock() - at < PICTURE_SECONDS:
                with suppress(InvalidToken, ValueError):
                    about = self._unseal(sealed)
            others = self._read(
                "SELECT message FROM parts WHERE asked = ? ORDER BY message", [asked]
            )
            return Answered((message, *(part for (part,) in others)), content, about)
        return None

    # --- the database -------------------------------------------------------------------------

    def _complete(self) -> None:
        """Give the tables of an earlier version what they lack."""
        columns = {name for _, name, *_ in self._read("PRAGMA table_info(updates)")}
        if "said" not in columns:
            self._db.execute("ALTER TABLE updates ADD COLUMN said TEXT NOT NULL DEFAULT '[]'")

    def _clean(self) -> None:
        now = self._clock()
        if now - self._cleaned < CLEANING_SECONDS:
            return
        self._cleaned = now
        with self._writing():
            for table in ("answers", "parts"):
                self._db.execute(f"DELETE FROM {table} WHERE at < ?", [now - EDITABLE])
            self._db.execute(
                "UPDATE answers SET about = NULL WHERE at < ?", [now - PICTURE_SECONDS]
            )
            self._db.execute("DELETE FROM shown WHERE at < ?", [now - PICTURE_SECONDS])
            self._db.execute(
                "DELETE FROM updates WHERE content IS NULL AND at < ?", [now - EDITABLE]
            )

    def _seal(self, content: Any) -> bytes:
        return self._fernet.encrypt(json.dumps(content).encode())

    def _unseal(self, content: bytes) -> Any:
        return json.loads(self._fernet.decrypt(content))

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """A transaction; a disk that is full, say, is told once, and loses nothing but safety."""
        try:
            with self._db:
                yield
            self._failing = False
        except sqlite3.Error as error:
            if not self._failing:
                _log.error(
                    "Updates cannot be kept until they are answered (%s)", type(error).__name__
                )
            self._failing = True

    def _read(self, sql: str, values: Sequence[Any] = ()) -> list[Any]:
        try:
            with closing(self._db.execute(sql, values)) as found:
                return found.fetchall()
        except sqlite3.Error:
            return []


@dataclass(frozen=True)
class Marks:
    """Notes in an inbox how far the answer to some updates is said."""

    inbox: Inbox
    numbers: Sequence[int]

    def sending(self, on: bool) -> None:
        """The rest of it is on its way from now on, or could not be sent."""
        self.inbox.sending(self.numbers, on=on)

    def said(self, messages: Sequence[int]) -> None:
        """These messages are a beginning of it."""
        self.inbox.note_said(self.numbers, messages)


def inbox_path(log: Path | None, token: str) -> Path | None:
    """Beside the log, and another one for each bot; None if nothing is kept."""
    if log is None or (log.exists() and not log.is_file()):  # /dev/null, say
        return None
    return log.with_name(f"telegram-{token.partition(':')[0]}.db")


def _opened(path: Path | None) -> sqlite3.Connection:
    """The database; one in memory if there is to be none, or it cannot be had."""
    if path:
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.touch(mode=0o600)
            db = sqlite3.connect(path, timeout=1.0)
            # Checkpoints write for long: never while an answer leaves.
            for pragma in (
                *("journal_mode=WAL", "synchronous=NORMAL", "secure_delete=ON"),
                "wal_autocheckpoint=0",
            ):
                db.execute(f"PRAGMA {pragma}").fetchall()
            db.execute("SELECT count(*) FROM sqlite_master").fetchall()
        except (OSError, sqlite3.Error) as error:
            _log.error(
                "What Telegram brings cannot be kept until it is answered, so that a crash may "
                "lose a question (%s)",
                type(error).__name__,
            )
        else:
            return db
    return sqlite3.connect(":memory:")
