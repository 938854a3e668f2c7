"""The log over real SQLite: what is kept, what is erased, and what goes wrong."""

from __future__ import annotations

import errno
import logging
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from log_helpers import KEY, damage, opened, record, rows, until
from sqlite_utils import Database

from bot.assistant.types import Rating
from bot.errors import LogError, LogKeyError
from bot.log import Consent, Erased, Log
from bot.log.privacy import Hasher, read_key
from bot.log.queries import search, stats
from bot.log.recovery import failure_sentence
from bot.log.schema import migrations, open_to_read

EVIL = "'); DROP TABLE exchanges; --\x00\x1b[31m \ud800 🦒 مرحبا"


def test_an_exchange_is_kept_with_all_that_an_operator_needs_and_no_name(tmp_path: Path) -> None:
    path = tmp_path / "deep/log.db"
    with opened(path) as log:
        two = record(1).exchanges * 2
        log.record(record(1, exchanges=two)).result(5)
        failed = record(2, exchanges=(), outcome="crashed", reference="abc123", question="Why?")
        log.record(failed).result(5)
        log.rate(Rating("telegram", "ann", record(1).number, good=False))
        log.rate(Rating("telegram", "ann", record(1).number, good=True)).result(5)
    (first, second, third) = list(open_to_read(path).table("exchanges").rows)
    assert (first["place"], second["place"], third["picture"]) == (0, 1, None)
    expected = {
        "kind": "question", "question": "What is number 1?", "answer": "a giraffe",
        "confidence": 0.8, "seconds": 0.4, "fetching": 0.1, "waiting": 0.1, "encoding": 0.15,
        "decoding": 0.05, "profile": "starter", "adapter": "abc", "outcome": "answered",
    }  # fmt: skip
    assert first | expected == first
    assert (third["question"], third["outcome"], third["reference"]) == (
        "Why?",
        "crashed",
        "abc123",
    )
    assert rows(path, "SELECT platform, language FROM people") == [("telegram", "de-AT")]
    assert rows(path, "SELECT width, height, format FROM pictures") == [(640, 480, "JPEG")]
    assert rows(path, "SELECT good FROM ratings") == [(1,)]
    assert path.stat().st_mode & 0o777 == 0o600
    stored = b"".join(each.read_bytes() for each in path.parent.iterdir())
    assert b"-100" not in stored
    assert b"ann" not in stored
    found = rows(path, "SELECT count(*) FROM exchanges_fts WHERE exchanges_fts MATCH 'giraffe'")
    assert found == [(2,)]


@pytest.mark.parametrize("text", [EVIL, "x" * 1_000_000, "\ud800" * 9, "", "🦒" * 5000])
def test_any_text_is_kept_as_text(tmp_path: Path, text: str) -> None:
    path = tmp_path / "log.db"
    with opened(path) as log:
        log.record(record(1, question=text, exchanges=(), chat=text, user=text)).result(5)
        log.record(record(2, language=text, platform="web")).result(5)
    (kept,) = rows(path, "SELECT question FROM exchanges WHERE number = ?", f"{1:016x}")[0]
    assert len(kept or "") <= 4000
    assert not set(kept or "") & {"\0", "\x1b"}
    assert text.startswith("x") == bool(kept and kept.endswith("…") and kept.startswith("x"))
    assert rows(path, "SELECT count(*) FROM exchanges") == [(2,)]


def test_forgetting_erases_every_trace_of_one_person_alone(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    with opened(path) as log:
        for number in range(3):
            log.record(record(number, user="ann"))
        log.record(record(9, user="ben", chat="7", exchanges=record(0).exchanges))
        log.rate(Rating("telegram", "ann", record(0).number, good=True))
        log.rate(Rating("telegram", "ben", record(1).number, good=True))
        log.rate(Rating("telegram", "ann", record(9).number, good=True))
        assert log.forget("telegram", "ann").result(5) == Erased(3, 3)
        assert log.forget("telegram", "ann").result(5) == Erased(0, 0)
        log.record(record(10, user="ann")).result(5)  # is somebody new
    assert rows(path, "SELECT number FROM exchanges") == [(f"{9:016x}",), (f"{10:016x}",)]
    assert rows(path, "SELECT count(*) FROM people") == [(2,)]
    assert rows(path, "SELECT count(*) FROM chats") == [(2,)]
    assert rows(path, "SELECT count(*) FROM pictures") == [(2,)]
    assert rows(path, "SELECT count(*) FROM exchanges_fts WHERE exchanges_fts MATCH '1'") == [(0,)]


def test_who_says_no_is_not_logged_and_that_outlives_forgetting(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    with opened(path) as log:
        log.record(record(1))
        log.set_logged("telegram", "ann", logged=False)
        log.record(record(2))
        assert log.consent("telegram", "ann").result(5) == Consent(False, False)
        assert log.consent("telegram", "ben").result(5) == Consent(True, False)
        assert log.forget("telegram", "ann").result(5) == Erased(1, 0)
        log.record(record(3)).result(5)
        for table in ("exchanges", "people", "chats"):
            assert rows(path, f"SELECT count(*) FROM {table}") == [(0,)]
        log.set_logged("telegram", "ann", logged=True)
        log.record(record(4)).result(5)
    assert rows(path, "SELECT number FROM exchanges") == [(f"{4:016x}",)]


def test_what_is_too_old_goes_when_the_log_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    with opened(path) as log:
        old = datetime.now(UTC) - timedelta(days=31)
        log.record(record(1, user="ben", at=old)).result(5)
        log.rate(Rating("telegram", "ann", record(1).number, good=True))
        log.record(record(2)).result(5)
    with opened(path) as log:
        log.record(record(3)).result(5)
    kept = rows(path, "SELECT number FROM exchanges ORDER BY id")
    assert kept == [(record(2).number,), (record(3).number,)]
    assert rows(path, "SELECT count(*) FROM people") == [(1,)]
    assert rows(path, "SELECT count(*) FROM ratings") == [(0,)]


def test_a_locked_database_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.log.schema.BUSY_SECONDS", 0.05)
    path = tmp_path / "log.db"
    with opened(path) as log:
        log.record(record(1)).result(5)
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            waiting = log.record(record(2))
            until(lambda: log.writer.error_text)
            assert "locked" in log.writer.error_text
            assert not waiting.done()
            other.execute("ROLLBACK")
        waiting.result(5)
        assert log.writer.error_text == ""
    assert rows(path, "SELECT count(*) FROM exchanges") == [(2,)]


@pytest.mark.parametrize(
    "error", ["database or disk is full", "attempt to write a readonly database"]
)
def test_what_cannot_be_written_now_is_written_later_and_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: str
) -> None:
    path = tmp_path / "log.db"
    with opened(path) as log:
        log.record(record(1)).result(5)
        broken = True
        insert = Database.execute

        def execute(db: Database, sql: str, *more: object) -> object:
            if broken and sql.startswith("INSERT OR IGNORE INTO exchanges"):
                raise sqlite3.OperationalError(error)
            return insert(db, sql, *more)  # type: ignore[arg-type]

        monkeypatch.setattr(Database, "execute", execute)
        waiting = [log.record(record(number)) for number in range(2, 30)]
        until(lambda: log.writer.error_text)
        assert log.writer.error_text == error
        broken = False
        for each in waiting:
            each.result(5)
    assert rows(path, "SELECT count(*), count(DISTINCT number) FROM exchanges") == [(29, 29)]
    assert caplog.text.count("cannot be written") == 1
    assert caplog.text.count("can be written again") == 1


def test_a_folder_that_cannot_be_written_loses_nothing_but_what_it_never_had(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.log.writer.RETRIES", (0.01,))
    (tmp_path / "file").write_text("in the way")
    log = Log(tmp_path / "file/log.db", KEY)
    waiting = log.record(record(1))
    until(lambda: log.writer.error_text)
    log.close()
    with pytest.raises(LogError):
        waiting.result(5)
    assert "things were not logged" in caplog.text


def test_a_damaged_database_is_put_aside_and_another_begun(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "log.db"
    with opened(path) as log:
        for number in range(5):
            log.record(record(number)).result(5)
        log.set_logged("telegram", "ben", logged=False).result(5)
    damage(path)
    with opened(path) as log:
        log.record(record(98, user="ben"))
        log.record(record(99)).result(5)
        assert log.writer.error_text == ""
    assert rows(path, "SELECT number FROM exchanges") == [(record(99).number,)]
    aside = min(tmp_path.glob("log.db.damaged-*"), key=lambda each: len(each.name))
    assert b"giraffe" in aside.read_bytes()
    assert "was damaged; it is kept as log.db.damaged-" in caplog.text


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (sqlite3.OperationalError("database or disk is full"), "the disk is full; make room."),
        (OSError(errno.ENOSPC, "No space left"), "the disk is full; make room."),
        (OSError(errno.EROFS, "Read-only file system"), "the disk is read-only; make it"),
        (PermissionError(errno.EACCES, "Permission denied"), "it belongs to somebody else; give"),
        (sqlite3.OperationalError("attempt to write a readonly database"), "it belongs to some"),
        (sqlite3.OperationalError("database is locked"), "another program holds it; end"),
        (sqlite3.DatabaseError("file is not a database"), "the file is no log of Glimpse; set"),
        (MemoryError("Ann's words"), "MemoryError."),
    ],
)
def test_each_cause_has_a_sentence_that_says_what_to_do(
    tmp_path: Path, error: Exception, cause: str
) -> None:
    said = failure_sentence(tmp_path / "log.db", error)
    assert said.startswith(f"The log cannot be written: {cause}")
    assert "Ann" not in said
    assert str(tmp_path) not in said


def test_what_is_wrong_with_the_place_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = sqlite3.OperationalError("unable to open database file")
    (tmp_path / "file").touch()
    assert "a folder has that name" in failure_sentence(tmp_path, failed)
    assert "its folder cannot be made" in failure_sentence(tmp_path / "file/log.db", failed)
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert "it belongs to somebody else" in failure_sentence(tmp_path / "log.db", failed)
    monkeypatch.setattr(os, "statvfs", lambda _: SimpleNamespace(f_flag=os.ST_RDONLY))
    assert "the disk is read-only" in failure_sentence(tmp_path / "deep/er/log.db", failed)


def test_what_was_put_aside_goes_in_its_time(tmp_path: Path) -> None:
    old, new = tmp_path / "log.db.damaged-1", tmp_path / "log.db.damaged-2"
    for each in (old, new):
        each.touch()
    os.utime(old, (0, 0))
    with opened(tmp_path / "log.db") as log:
        log.record(record(1)).result(5)
    assert new.exists()
    assert not old.exists()


def test_a_file_of_somebody_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("my notes, which are no database at all " * 20)
    with opened(path) as log:
        log.record(record(1))
        until(lambda: log.writer.error_text)
    assert path.read_text().startswith("my notes")
    assert [each.name for each in tmp_path.iterdir()] == ["notes.txt"]


def test_nothing_that_was_forgotten_can_be_read_from_the_disk(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    with opened(path) as log:
        exchange = replace(record(1).exchanges[0], question="Is the wombat asleep?")
        log.record(record(1, exchanges=(exchange,)))
        log.record(record(2, user="ben")).result(5)
        assert b"wombat" in b"".join(each.read_bytes() for each in tmp_path.iterdir())
        log.forget("telegram", "ann").result(5)
        log.consent("telegram", "ben").result(5)  # the index is tidied before it
        stored = b"".join(each.read_bytes() for each in tmp_path.iterdir())
        assert b"wombat" not in stored
        assert b"giraffe" in stored


def test_another_process_may_erase_and_nobody_becomes_somebody_else(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    with opened(path) as one, opened(path) as other:
        one.record(record(1, user="ann", chat="1")).result(5)
        other.forget("telegram", "ann").result(5)
        other.record(record(2, user="eve", chat="2")).result(5)
        one.record(record(3, user="ann", chat="1")).result(5)
        assert one.forget("telegram", "ann").result(5) == Erased(1, 0)
    assert rows(path, "SELECT number FROM exchanges") == [(record(2).number,)]


def test_the_writer_outlives_what_nobody_foresaw(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(tmp_path / "log.db") as log:
        log.record(record(1)).result(5)
        atomic, broken = Database.atomic, [True]

        def fails(db: Database) -> object:
            if broken:
                raise MemoryError(broken.pop())
            return atomic(db)

        monkeypatch.setattr(Database, "atomic", fails)
        log.record(record(2)).result(5)


def test_a_log_of_a_newer_glimpse_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    with opened(path) as log:
        log.record(record(1)).result(5)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) "
            "VALUES ('glimpse', 'from_the_future', '2030-01-01')"
        )
    before = path.read_bytes()
    with opened(path) as log:
        waiting = log.record(record(2))
        until(lambda: log.writer.error_text)
        assert log.writer.error_text.startswith("The log was made by a newer Glimpse")
    assert not waiting.done() or waiting.exception()
    assert path.read_bytes() == before
    with pytest.raises(LogError, match="newer Glimpse"):
        open_to_read(path)


def test_reading_needs_a_log(tmp_path: Path) -> None:
    with pytest.raises(LogError, match="There is no log"):
        open_to_read(tmp_path / "log.db")
    (tmp_path / "log.db").write_bytes(b"rubbish " * 400)
    with pytest.raises(LogError, match="no log of Glimpse"):
        open_to_read(tmp_path / "log.db")
    sqlite3.connect(tmp_path / "empty.db").close()
    (tmp_path / "empty.db").touch()
    with pytest.raises(LogError, match="older Glimpse"):
        open_to_read(tmp_path / "empty.db")


WRITER = """
import sys, itertools
sys.path[:0] = sys.argv[3:]
from log_helpers import KEY, record
from pathlib import Path
from bot.log import Log
log = Log(Path(sys.argv[1]), KEY)
for number in itertools.count(int(sys.argv[2])):
    done = log.record(record(number))
    if number % 7 == 0:
        done.result()
        print(number, flush=True)
"""


def test_what_was_acknowledged_outlives_kill_9(tmp_path: Path) -> None:
    path, acknowledged = tmp_path / "log.db", -1
    for turn in range(int(os.environ.get("KILLS", "2"))):
        start = 10_000 * turn
        arguments = [str(path), str(start), *sys.path]
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, *arguments], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                acknowledged = int(line)
                if acknowledged > start + 300:
                    process.send_signal(signal.SIGKILL)
                    break
        found = rows(path, "SELECT count(*) FROM exchanges WHERE number <= ? AND number >= ?",
                     record(acknowledged).number, record(acknowledged - 250).number)  # fmt: skip
        assert found == [(251,)]
    assert rows(path, "PRAGMA integrity_check") == [("ok",)]
    rows(path, "INSERT INTO exchanges_fts (exchanges_fts) VALUES ('integrity-check')")
    assert rows(path, "SELECT count(*) - count(DISTINCT number) FROM exchanges") == [(0,)]


def test_hashes_need_the_key_and_tell_kinds_apart(tmp_path: Path) -> None:
    one, other = Hasher(b"one"), Hasher(b"other")
    assert one("person", "web", "1") == one("person", "web", "1")
    assert len({one("person", "web", "1"), other("person", "web", "1"), one("chat", "web", "1"),
                one("person", "we", "b1"), one("person", "telegram", "1")}) == 5  # fmt: skip
    key = read_key(tmp_path / "deep/key")
    assert read_key(tmp_path / "deep/key") == key
    assert len(key) == 64
    assert (tmp_path / "deep/key").stat().st_mode & 0o777 == 0o600
    assert read_key(tmp_path / "other", "given") == b"given"
    assert not (tmp_path / "other").exists()
    assert [each.name for each in (tmp_path / "deep").iterdir()] == ["key"]
    (tmp_path / "empty").touch()
    with pytest.raises(LogKeyError, match="holds no key"):
        read_key(tmp_path / "empty")


def test_nothing_personal_is_in_the_operators_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with opened(tmp_path / "log.db") as log:
        log.record(record(1, user="secret-user", chat="secret-chat", question="secret"))
        log.record(record(2, seconds="many", user="secret-user"))  # what nobody foresaw
        log.rate(Rating("web", "secret-user", "1", good=True)).result(5)
    assert "secret" not in caplog.text


@pytest.mark.parametrize("written", [False, True], ids=["without days", "with written days"])
def test_a_log_without_days_gets_them(tmp_path: Path, written: bool) -> None:
    path = tmp_path / "log.db"
    first, *_ = migrations._migrations
    old = Database(path)
    migrations.apply(old, stop_before=[*migrations._migrations][1].name)
    assert {m.name for m in migrations.applied(old)} == {first.name}
    if written:
        old.execute("ALTER TABLE exchanges ADD COLUMN day TEXT NOT NULL DEFAULT 'x'")
        old.table("exchanges").create_index(["question", "day"])
    for table in ("people", "chats"):
        old.execute(
            f"INSERT INTO {table} VALUES (1, 'h', 'web', 'x', 'x'{', NULL' * (table == 'people')})"
        )
    row = {"at": "2026-01-02T03:04:05.000000Z", "number": "1", "place": 0, "person": 1, "chat": 1}
    row |= {"day": "2026-01-02"} if written else {}
    row |= {"platform": "web", "kind": "message", "outcome": "hello", "question": "A giraffe"}
    old.table("exchanges").insert(row)
    old.close()
    with opened(path, days=36_500) as log:
        log.record(record(1)).result(5)
    days = rows(path, "SELECT day = substr(at, 1, 10) FROM exchanges ORDER BY id")
    assert days == [(1,), (1,)]
    db = open_to_read(path)
    assert stats(db, 36_500)["exchanges"] == 2
    assert len(search(db, "giraffe", 9)) == 2
