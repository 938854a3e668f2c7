"""The tables of the log, as migrations: docs/log.md draws and explains them."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from sqlite_utils import Database, Migrations

BUSY_SECONDS = 5.0  # how long a lock of somebody else is waited for
FTS = "exchanges_fts"

migrations = Migrations("glimpse")


class LogError(RuntimeError):
    """A log that cannot be used; `str(error)` is one plain sentence."""


@migrations()
def people_pictures_exchanges_ratings(db: Database) -> None:
    """The first tables."""
    person = {"hash": str, "platform": str, "first_seen": str, "last_seen": str}
    unknown = {"id": int, **person}
    db.create_table(
        "people", {**unknown, "language": str, "speaks": str, "logged": int}, pk="id",
        not_null={*person, "logged"}, defaults={"logged": 1}, strict=True,
    ).create_index(["hash"], unique=True)  # fmt: skip
    db.create_table("chats", unknown, pk="id", not_null={*person}, strict=True).create_index(
        ["hash"], unique=True
    )
    shown = {"sha256": str, "width": int, "height": int, "format": str}
    db.create_table(
        "pictures", {"id": int, **shown}, pk="id", not_null={*shown}, strict=True
    ).create_index(["sha256"], unique=True)
    _exchanges(db)
    db.create_table(
        "ratings",
        {"id": int, "at": str, "number": str, "person": int, "good": int, "correction": str},
        pk="id", not_null={"at", "number", "person"}, strict=True,
        foreign_keys=[("person", "people", "id")],
    ).create_index(["number", "person"], unique=True)  # fmt: skip
    db.table("ratings").create_index(["person"])


def _exchanges(db: Database) -> None:
    seconds = dict.fromkeys(("seconds", "fetching", "waiting", "encoding", "decoding"), float)
    said = {"question": str, "answer": str, "confidence": float}
    told = {"outcome": str, "reference": str, "profile": str, "adapter": str}
    exchanges = db.create_table(
        "exchanges",
        {
            "id": int, "at": str, "number": str, "place": int, "person": int, "chat": int,
            "platform": str, "picture": int, "kind": str, **said, **told, **seconds,
        },
        pk="id", not_null={"at", "number", "place", "person", "chat", "kind", "outcome"},
        foreign_keys=[
            ("person", "people", "id"), ("chat", "chats", "id"), ("picture", "pictures", "id"),
        ],
        strict=True,
    )  # fmt: skip
    exchanges.create_index(["number", "place"], unique=True)  # nothing is kept twice
    for columns in (
        ("person",), ("chat",), ("picture",), ("reference",), ("question",),
        ("at", "platform", "outcome", "confidence"), ("kind", "at", "seconds"),
    ):  # fmt: skip
        exchanges.create_index([*columns])
    exchanges.enable_fts(
        ["question", "answer"], create_triggers=True, tokenize="unicode61 remove_diacritics 2"
    )


def open_to_write(path: Path) -> Database:
    """Open the log, made or brought up to date if need be.

    Raises:
        LogError: It was made by a newer Glimpse.
        sqlite3.Error: It cannot be opened, written or understood.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    db = Database(_connected(path))
    try:
        # Others than its owner must not read what people asked.
        path.chmod(0o600)
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON",
                       "secure_delete=ON"):  # fmt: skip
            db.execute(f"PRAGMA {pragma}").fetchall()
        _refuse_newer(db)
        migrations.apply(db)
    except BaseException:
        db.close()
        raise
    return db


def open_to_read(path: Path) -> Database:
    """Open the log without changing it.

    Raises:
        LogError: There is none, or it is of another version; one plain sentence.
    """
    if not path.is_file():
        raise LogError(f"There is no log in {path} yet; the bots and the chat page write it.")
    try:
        db = Database(_connected(path, "?mode=ro"))
        _refuse_newer(db)
        pending = migrations.pending(db)
    except sqlite3.Error as error:
        raise LogError(f"The log in {path} cannot be read; is it damaged?") from error
    if pending:
        raise LogError(f"The log in {path} is of an older Glimpse; start a bot once to update it.")
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
