"""What operators read in the log: the latest exchanges, what was said about something, figures."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from bot.errors import LogError
from bot.log.recovery import ENOUGH, refuse_foreign
from bot.log.schema import FTS, open_to_read, timestamp

Row = dict[str, Any]
SHARES = (0.5, 0.95, 0.99)
_USE = """
    SELECT day, platform, outcome, count(*) AS exchanges,
           sum(confidence) AS confidence, count(confidence) AS sure
    FROM exchanges WHERE day >= ? GROUP BY day, platform, outcome
"""
_ASKED = """
    SELECT question, count(*) AS times FROM exchanges WHERE question IS NOT NULL AND day >= ?
    GROUP BY question ORDER BY times DESC, question LIMIT 10
"""
_PUT_RIGHT = """
    SELECT exchanges.id, correction, question, answer
    FROM ratings JOIN exchanges ON exchanges.number = ratings.number
    WHERE correction IS NOT NULL ORDER BY exchanges.id DESC
"""
_ROWS = """
    SELECT exchanges.*, people.hash AS person_hash, people.language, pictures.sha256,
           pictures.width, pictures.height, pictures.format,
           rated.good, rated.correction
    FROM exchanges JOIN people ON people.id = exchanges.person
    LEFT JOIN pictures ON pictures.id = exchanges.picture
    LEFT JOIN ratings AS rated ON rated.id =
        (SELECT max(id) FROM ratings WHERE ratings.number = exchanges.number)
"""


def latest(db: Database, count: int, after: int = 0) -> list[Row]:
    """The newest exchanges, the oldest of them first; only those with a greater id than `after`."""
    sql = f"{_ROWS} WHERE exchanges.id > ? ORDER BY exchanges.id DESC LIMIT ?"
    return [*db.query(sql, [after, count])][::-1]


def search(db: Database, words: str, count: int) -> list[Row]:
    """The newest exchanges that hold all these words: asked, answered, or put right by people."""
    wanted = " ".join(f'"{word.replace(chr(34), chr(34) * 2)}"' for word in words.split())
    if not wanted:
        return []
    found = f"SELECT rowid FROM {FTS} WHERE {FTS} MATCH ? ORDER BY rowid DESC LIMIT ?"
    ids = {row for (row,) in db.execute(found, [wanted, count])}
    ids |= _put_right(db, _folded(words), count)
    marks = ", ".join("?" * len(ids))
    sql = f"{_ROWS} WHERE exchanges.id IN ({marks}) ORDER BY exchanges.id DESC LIMIT ?"
    return [*db.query(sql, [*ids, count])]


def _put_right(db: Database, wanted: set[str], count: int) -> set[int]:
    """The newest exchanges whose corrections, with question and answer, hold all these words.

    Few answers are put right, so that these are read one by one; an index would be one more place
    to erase people's words from.
    """
    found: set[int] = set()
    for row, *texts in db.execute(_PUT_RIGHT):
        if wanted and wanted <= _folded(" ".join(text or "" for text in texts)):
            found.add(row)
            if len(found) >= count:
                break
    return found


def _folded(text: str) -> set[str]:
    """The words of a text as the index compares them: lower-cased, without diacritics."""
    bare = (c for c in unicodedata.normalize("NFKD", text.lower()) if not unicodedata.combining(c))
    return set("".join(c if c.isalnum() else " " for c in bare).split())


def by_name(db: Database, name: str) -> list[Row]:
    """The exchanges with this id or number, or this reference that a person was told."""
    where = "exchanges.number = ?1 OR reference = ?1"
    if name.isdigit() and len(name) < 16:
        where += " OR exchanges.id = CAST(?1 AS INTEGER)"
    return [*db.query(f"{_ROWS} WHERE {where} ORDER BY place", [name])]


def all_exchanges(db: Database) -> Iterator[Row]:
    """All exchanges, the oldest first, each with all its ratings."""
    for row in db.query(f"{_ROWS} ORDER BY exchanges.id"):
        given = db.query(
            "SELECT ratings.at, people.hash AS person_hash, good, correction "
            "FROM ratings JOIN people ON people.id = ratings.person WHERE number = ?",
            [row["number"]],
        )
        yield row | {"ratings": [*given]}


def stats(db: Database, days: int) -> Row:
    """Figures of the last days, today among them: use, waits, what failed, what was asked."""
    since = timestamp(datetime.now(UTC) - timedelta(days=days - 1))[:10]
    use, asked, questions, captions = _in_parallel(
        db,
        lambda db: [*db.query(_USE, [since])],
        lambda db: [*db.query(_ASKED, [since])],
        lambda db: _percentiles(db, "question", since),
        lambda db: _percentiles(db, "caption", since),
    )
    answered = sum(row["exchanges"] for row in use if row["outcome"] == "answered")
    sure = sum(row["sure"] for row in use)
    return {
        "days": days,
        "exchanges": sum(row["exchanges"] for row in use),
        "answered": answered,
        "people": _one(db, "SELECT count(*) FROM people WHERE last_seen >= ?", [since]),
        "confidence": sum(row["confidence"] or 0 for row in use) / sure if sure else None,
        "use": _summed(use, ("day", "platform")),
        "outcomes": _summed(use, ("outcome",)),
        "seconds": {"question": questions, "caption": captions},
        "good": _one(db, "SELECT count(*) FROM ratings WHERE good = 1 AND at >= ?", [since]),
        "bad": _one(db, "SELECT count(*) FROM ratings WHERE good = 0 AND at >= ?", [since]),
        "asked": asked,
    }


def _in_parallel(db: Database, *queries: Callable[[Database], Any]) -> list[Any]:
    """The results of all queries, run side by side, for each reads millions of rows."""
    (_, _, file), *_ = db.execute("PRAGMA database_list").fetchall()

    def run(query: Callable[[Database], Any]) -> Any:
        with closing(open_to_read(Path(file))) as own:
            return query(own)

    with ThreadPoolExecutor(len(queries)) as pool:
        return [*pool.map(run, queries)]


def integrity_errors(path: Path) -> Iterator[str]:
    """What is wrong with the database, nothing if it is sound."""
    address = path.absolute().as_uri() + "?mode=ro"
    with closing(sqlite3.connect(address, uri=True)) as db:
        for (found,) in db.execute("PRAGMA integrity_check(20)"):
            if found != "ok":
                yield str(found)
        for table, row, other, _ in db.execute("PRAGMA foreign_key_check"):
            yield f"row {row} of {table} names something missing in {other}"


def back_up(path: Path, target: Path) -> int:
    """Copy the log while it is written, and read the copy back; gives its number of exchanges.

    Raises:
        LogError: The copy is not sound; then there is none. Or something else than an older copy
            would be lost, or its folder is missing.
        OSError: The copy cannot be written.
    """
    part = target.with_name(target.name + ".part")
    _check_target(path, target, part)
    try:
        with (
            closing(sqlite3.connect(path.absolute().as_uri() + "?mode=ro", uri=True)) as source,
            closing(sqlite3.connect(part)) as copy,
        ):
            source.backup(copy, pages=1000)
            # A copy needs no log of its own beside it.
            copy.execute("PRAGMA journal_mode=DELETE").fetchall()
        problems = [*integrity_errors(part)]
        if problems:
            raise LogError(f"The copy is not sound: {problems[0]}.")
        with closing(sqlite3.connect(part)) as copy:
            count = int(copy.execute("SELECT count(*) FROM exchanges").fetchone()[0])
        part.replace(target)
    except sqlite3.Error as error:
        if shutil.disk_usage(target.parent).free < ENOUGH:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
        raise LogError(f"The log in {path} cannot be copied; is it damaged?") from error
    finally:
        part.unlink(missing_ok=True)
    return count


def _check_target(path: Path, target: Path, part: Path) -> None:
    """Make an empty file for the copy, if nothing but an older copy is lost.

    Raises:
        LogError: Something else would be, or there is no such folder.
        OSError: It cannot be made.
    """
    beside = [path.with_name(path.name + end) for end in ("", "-wal", "-shm", "-journal")]
    if target.absolute() in [each.absolute() for each in beside] or (
        target.exists() and target.samefile(path)
    ):
        raise LogError("The copy needs another name than the log.")
    if not target.absolute().parent.is_dir():
        raise LogError(f"There is no folder {target.parent} for the copy; make it first.")
    for each in (target, part):
        try:
            refuse_foreign(each)
        except LogError as error:
            raise LogError(
                f"{each} is something else than a copy of the log; choose another name."
            ) from error
    part.unlink(missing_ok=True)
    os.close(os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))


def _percentiles(db: Database, kind: str, since: str) -> dict[str, float] | None:
    """Seconds within which these shares of the answers came, to a hundredth."""
    counts = db.execute(
        "SELECT CAST(round(100 * seconds) AS INTEGER) AS h, count(*) FROM exchanges "
        "WHERE kind = ? AND day >= ? AND seconds IS NOT NULL GROUP BY h ORDER BY h",
        [kind, since],
    ).fetchall()
    sums = [*accumulate(count for _, count in counts)]
    if not sums:
        return None
    places = {f"p{100 * share:.0f}": int(share * (sums[-1] - 1)) for share in SHARES}
    return {name: counts[bisect_right(sums, place)][0] / 100 for name, place in places.items()}


def _summed(use: Sequence[Row], keys: Sequence[str]) -> list[Row]:
    sums: dict[tuple[Any, ...], int] = {}
    for row in use:
        group = tuple(row[key] for key in keys)
        sums[group] = sums.get(group, 0) + row["exchanges"]
    return [dict(zip(keys, group, strict=True)) | {"exchanges": n} for group, n in sums.items()]


def _one(db: Database, sql: str, values: Sequence[Any]) -> int:
    return int(db.execute(sql, values).fetchone()[0])
