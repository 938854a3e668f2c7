"""The tables of the log, as migrations: docs/log.md draws and explains them."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from sqlite_utils import Database, Migrations

from bot.errors import LogError, OlderLogError
from bot.log.recovery import refuse_foreign

BUSY_SECONDS = 2.0  # how long a lock of somebody else is waited for
FTS = "exchanges_fts"

EXCHANGES = """
    CREATE TABLE exchanges (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        at TEXT NOT NULL, number TEXT NOT NULL, place INTEGER NOT NULL,
        person INTEGER NOT NULL REFERENCES people (id),
        chat INTEGER NOT NULL REFERENCES chats (id),
        platform TEXT NOT NULL, picture INTEGER REFERENCES pictures (id),
        kind TEXT NOT NULL, question TEXT, answer TEXT, confidence REAL,
        outcome TEXT NOT NULL, reference TEXT, profile TEXT, adapter TEXT,
        seconds REAL, fetching REAL, waiting REAL, encoding REAL, decoding REAL
    ) STRICT
"""
RATINGS = """
    CREATE TABLE ratings (
        id INTEGER PRIMARY KEY, at TEXT NOT NULL, number TEXT NOT NULL,
        person INTEGER NOT NULL REFERENCES people (id), good INTEGER NOT NULL, correction TEXT
    ) STRICT
"""

migrations = Migrations("glimpse")


@migrations()
def people_pictures_exchanges_ratings(db: Database) -> None:
    """The first tables. No id of an exchange is given twice: what is new has a greater one."""
    for table in ("people", "chats"):
        more = ", language TEXT" if table == "people" else ""
        db.execute(
            f"CREATE TABLE {table} (id INTEGER PRIMARY KEY, hash TEXT NOT NULL UNIQUE, "
            f"platform TEXT NOT NULL, first_seen TEXT NOT NULL, last_seen TEXT NOT NULL{more}) "
            "STRICT"
        )
    db.execute("CREATE TABLE unlogged (hash TEXT PRIMARY KEY) STRICT, WITHOUT ROWID")
    db.execute(
        "CREATE TABLE pictures (id INTEGER PRIMARY KEY, sha256 TEXT NOT NULL UNIQUE, "
        "width INTEGER NOT NULL, height INTEGER NOT NULL, format TEXT NOT NULL) STRICT"
    )
    db.execute(EXCHANGES)
    db.execute(RATINGS)
    exchanges = db.table("exchanges")
    exchanges.create_index(["number", "place"], unique=True)  # nothing is kept twice
    for columns in (
        ("person",), ("chat",), ("picture",), ("reference",), ("question", "at"),
        ("at", "platform", "outcome", "confidence"), ("kind", "at", "seconds"),
    ):  # fmt: skip
        exchanges.create_index([*columns])
    db.table("ratings").create_index(["number", "person"], unique=True)
    db.table("ratings").create_index(["person"])
    exchanges.enable_fts(
        ["question", "answer"], create_triggers=True, tokenize="unicode61 remove_diacritics 2"
    )


@migrations()
def choices_and_shared_pictures(db: Database) -> None:
    """What people chose, by the hash of who did; and pictures, encrypted, of who allows it."""
    db.execute(
        "CREATE TABLE choices (hash TEXT PRIMARY KEY, language TEXT NOT NULL) STRICT, WITHOUT ROWID"
    )
    db.execute(
        "CREATE TABLE sharing (hash TEXT PRIMARY KEY, at TEXT NOT NULL) STRICT, WITHOUT ROWID"
    )
    db.execute(
        "CREATE TABLE shared (person INTEGER NOT NULL REFERENCES people (id), "
        "picture INTEGER NOT NULL REFERENCES pictures (id), content BLOB NOT NULL, "
        "PRIMARY KEY (person, picture)) STRICT"
    )
    db.table("shared").create_index(["picture"])


@migrations()
def days(db: Database) -> None:
    """Days beside times: the indexes that figures are read from are smaller so, and cover them."""
    exchanges = db.table("exchanges")
    for index in exchanges.indexes:
        if "at" in index.columns:
            db.execute(f"DROP INDEX {index.name}")
    if "day" not in exchanges.columns_dict:  # logs of one commit had them from the start
        db.execute("ALTER TABLE exchanges ADD COLUMN day TEXT NOT NULL DEFAULT ''")
        db.execute("UPDATE exchanges SET day = substr(at, 1, 10)")
    for columns in (
        ("question", "day"), ("day", "platform", "outcome", "confidence"),
        ("kind", "day", "seconds"),
    ):  # fmt: skip
        exchanges.create_index([*columns], if_not_exists=True)


@migrations()
def opted_out_of_the_first_log(db: Database) -> None:
    """Logs of the first commit kept who wants nothing kept, and languages, with the people."""
    columns = db.table("people").columns_dict
    if "logged" not in columns:
        return
    db.execute("CREATE TABLE IF NOT EXISTS unlogged (hash TEXT PRIMARY KEY) STRICT, WITHOUT ROWID")
    db.execute("INSERT OR IGNORE INTO unlogged (hash) SELECT hash FROM people WHERE NOT logged")
    db.execute(
        "INSERT OR IGNORE INTO choices (hash, language) "
        "SELECT hash, speaks FROM people WHERE logged AND speaks <> ''"
    )
    for column in ("speaks", "logged"):
        db.execute(f"ALTER TABLE people DROP COLUMN {column}")


@migrations()
def chosen_profiles_and_spending(db: Database) -> None:
    """Which model people chose, and what answers of paid ones cost on the last day, by hashes."""
    db.execute(
        "CREATE TABLE chosen_profiles (hash TEXT PRIMARY KEY, profile TEXT NOT NULL) "
        "STRICT, WITHOUT ROWID"
    )
    db.execute(
        "CREATE TABLE spending (day TEXT NOT NULL, hash TEXT NOT NULL, profile TEXT NOT NULL, "
        "prompt INTEGER NOT NULL, completion INTEGER NOT NULL, "
        "PRIMARY KEY (day, hash, profile)) STRICT, WITHOUT ROWID"
    )


@contextlib.contextmanager
def transaction(db: Database) -> Iterator[None]:
    """Several writes as one, for which other writers are waited for.

    A deferred BEGIN takes the lock at the first write only; if somebody else has written in
    between, that fails at once, however long one was ready to wait (SQLITE_BUSY_SNAPSHOT).

    Raises:
        sqlite3.OperationalError: Somebody else went on writing for `BUSY_SECONDS`.
    """
    db.conn.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.conn.execute("COMMIT")
    except BaseException:
        db.conn.rollback()
        raise


def timestamp(at: datetime) -> str:
    """A time as the log holds it, in UTC: its order as text is its order in time."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def open_to_write(path: Path) -> Database:
    """Open the log, made or brought up to date if need be.

    Raises:
        LogError: It was made by a newer Glimpse, or is no log.
        OSError, sqlite3.Error: It cannot be opened, written or understood.
    """
    refuse_foreign(path)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # Others than its owner must not read what people asked.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    path.chmod(0o600)
    db = Database(_connected(path))
    try:
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON",
                       "secure_delete=ON"):  # fmt: skip
            db.execute(f"PRAGMA {pragma}").fetchall()
        _refuse_newer(db)
        if migrations.pending(db):
            with transaction(db):  # another process may be doing the same
                migrations.apply(db)
    except BaseException:
        db.close()
        raise
    return db


def refuse_newer(path: Path) -> None:
    """See that no newer Glimpse made the log, without changing it; one that is not there is fine.

    Raises:
        LogError: One did; one plain sentence.
    """
    with contextlib.suppress(OSError, sqlite3.Error):  # the writer says what is wrong with it
        if not path.is_file():
            return
        db = Database(_connected(path, "?mode=ro"))
        try:
            _refuse_newer(db)
        finally:
            db.close()


def open_to_read(path: Path, *, older: bool = False) -> Database:
    """Open the log without changing it.

    Args:
        path: The database.
        older: Whether one of an older Glimpse will do.

    Raises:
        LogError: There is none, or it is of another version; one plain sentence.
    """
    refuse_foreign(path, "The log cannot be read")
    if not path.is_file():
        raise LogError(f"There is no log in {path} yet; the bots and the chat page write it.")
    try:
        db = Database(_connected(path, "?mode=ro"))
        _refuse_newer(db)
        pending = migrations.pending(db)
    except sqlite3.Error as error:
        raise LogError(f"The log in {path} cannot be read; is it damaged?") from error
    if pending and not older:
        raise OlderLogError(
            f"The log in {path} is of an older Glimpse; start a bot once to update it."
        )
    return db


def _connected(path: Path, how: str = "") -> sqlite3.Connection:
    address = path.absolute().as_uri() + how
    return sqlite3.connect(address, timeout=BUSY_SECONDS, uri=True, check_same_thread=False)


def _refuse_newer(db: Database) -> None:
    known = {migration.name for migration in migrations.pending(db)}
    applied = {migration.name for migration in migrations.applied(db)}
    ours = {migration.name for migration in migrations._migrations}
    if applied - ours - known:
        raise LogError("The log was made by a newer Glimpse; update this one, or name another log.")
