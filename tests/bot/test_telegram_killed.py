"""On Telegram nobody is lost or answered twice, whatever ends the process."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from engine_stand_in import StandIn
from fake_telegram import TOKEN, FakeTelegram, telegram

from bot.assistant.locale.texts import ENGLISH
from bot.telegram.inbox import ATTEMPTS, Answered, Inbox, inbox_path

COLOUR = "What colour is it?"


def killed(path: Path, number: int) -> Path:
    """What a process that is killed now leaves of its inbox."""
    copy = path.with_name(f"left-{number}.db")
    for end in ("", "-wal"):
        shutil.copy(f"{path}{end}", f"{copy}{end}")
    return copy


async def test_what_was_not_answered_is_answered_after_a_kill_and_nothing_twice(
    tmp_path: Path,
) -> None:
    path, engine = tmp_path / "inbox.db", StandIn(held=True)
    async with telegram(engine, inbox=Inbox(path, TOKEN)) as api:
        api.photo(b"red", COLOUR, user=7)
        api.photo(b"red", media_group_id="a", user=8)
        api.photo(b"blue", media_group_id="a", user=8)
        api.message("/start", user=9)
        await api.until(lambda: engine.asked and api.said and not api.pending)
        await api.settle(0.1)
        before = killed(path, 1)
        assert path.stat().st_mode & 0o077 == 0
        engine.release()
        await api.until(lambda: engine.queue or len(api.said) == 3)
        engine.held = False
        engine.release()
        await api.answers(3)
        await api.settle(0.1)
        after = killed(path, 2)
    again = FakeTelegram(files=api.files)
    async with telegram(api=again, inbox=Inbox(before, TOKEN)):
        said = await again.answers(2)
        assert sorted(text[:6] for text in said) == ["1. A r", "Red."]
        assert len(await again.settle()) == 2
    once_more = FakeTelegram(files=api.files)
    async with telegram(api=once_more, inbox=Inbox(after, TOKEN)):
        assert await once_more.settle() == []
    assert b"colour" not in b"".join(each.read_bytes() for each in tmp_path.iterdir())


async def test_whoever_had_many_questions_waiting_gets_all_answers_after_a_kill(
    tmp_path: Path,
) -> None:
    path, api = tmp_path / "inbox.db", FakeTelegram()
    for _ in range(25):
        api.photo(b"red", COLOUR)
    box = Inbox(path, TOKEN)
    box.take(api.pending)
    box.close()
    async with telegram(api=FakeTelegram(files=api.files), inbox=Inbox(path, TOKEN)) as later:
        assert await later.answers(25) == ["Red."] * 25


async def test_an_answer_on_its_way_counts_as_said_but_not_one_that_waits(tmp_path: Path) -> None:
    path = tmp_path / "inbox.db"
    async with telegram(inbox=Inbox(path, TOKEN)) as api:
        flood = {"description": "Too Many Requests", "parameters": {"retry_after": 1}}
        api.faults["sendMessage"] += [(429, flood, 0), (200, {}, 0.5)]
        api.message("/start")
        await api.until(lambda: len(api.faults["sendMessage"]) == 1)
        await asyncio.sleep(0.1)
        waits = Inbox(killed(path, 1), TOKEN).pending()
        await api.until(lambda: not api.faults["sendMessage"])
        sends = Inbox(killed(path, 2), TOKEN).pending()
        await api.answers(1)
    assert (len(waits), len(sends)) == (1, 0)


async def test_what_ends_the_process_again_and_again_is_given_up(tmp_path: Path) -> None:
    path = tmp_path / "inbox.db"
    who = {"id": 7, "is_bot": False, "first_name": "Ann"}
    chat = {"id": 7, "type": "private"}
    message = {"message_id": 1, "date": 1, "chat": chat, "from": who, "text": "/start"}
    box = Inbox(path, TOKEN)
    box.take([{"update_id": 5, "message": message}])
    for _ in range(ATTEMPTS):
        assert box.pending()[0].attempts < ATTEMPTS
        box.begin([5])
    box.close()
    async with telegram(inbox=Inbox(path, TOKEN)) as api:
        assert await api.answers(1) == [ENGLISH.interrupted]
        api.update(5, message=message)  # as Telegram brings it once more
        assert len(await api.settle(0.2)) == 1
    assert Inbox(path, TOKEN).pending() == []


def test_an_inbox_is_beside_the_log_and_works_without_a_disk(tmp_path: Path) -> None:
    assert inbox_path(tmp_path / "log.db", "12:x") == tmp_path / "telegram-12.db"
    assert inbox_path(None, "12:x") is inbox_path(Path("/dev/null"), "12:x") is None
    (tmp_path / "folder.db").mkdir()
    for path in (None, tmp_path / "folder.db"):
        box = Inbox(path, TOKEN)
        assert box.take([{"update_id": 1}]) == []
        box.done([1])
        assert box.take([{"update_id": 1}]) == [1]
        assert box.take([{"update_id": 1, "poll": {}}]) == []  # numbers began anew
    other = Inbox(tmp_path / "a.db", TOKEN)
    other.take([{"update_id": 1}])
    assert Inbox(tmp_path / "a.db", "1:another token").pending() == []


def test_what_is_kept_of_answers_goes_by_itself_and_with_its_people(tmp_path: Path) -> None:
    now = [1_000_000.0]
    box = Inbox(tmp_path / "a.db", TOKEN, clock=lambda: now[0])
    about = {"owner": "8", "files": [{"id": "photo"}]}
    box.note_answer((7, 1), "7", "8", Answered((2,), b"x", about))
    box.note_answer((7, 3), "9", "9", Answered((4,), b"x", about))
    box.forget("8")
    assert box.answer_in(7, 2) == Answered((2,), b"x", None)
    assert box.answer_to(7, 3) == Answered((4,), b"x", about)
    box.forget("9")
    assert box.answer_to(7, 3) is None
    now[0] += 49 * 3600
    box.take([])
    assert box.answer_to(7, 1) is None


def test_an_inbox_of_an_earlier_version_goes_on(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "a.db")) as old:
        old.execute(
            "CREATE TABLE updates (number INTEGER PRIMARY KEY, at REAL NOT NULL, attempts INTEGER "
            "NOT NULL DEFAULT 0, sending INTEGER NOT NULL DEFAULT 0, digest BLOB NOT NULL, "
            "content BLOB) STRICT"
        )
        old.execute("INSERT INTO updates (number, at, digest) VALUES (5, 1, x'00')")
        old.commit()
    for _ in range(2):
        box = Inbox(tmp_path / "a.db", TOKEN)
        assert box.said([5, 6]) == ()
        box.note_said([5], [7, 8])
        assert box.said([5, 6]) == (7, 8)
        box.done([5])
        box.close()
