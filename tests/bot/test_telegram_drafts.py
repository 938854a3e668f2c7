"""On Telegram people see an answer while it is written; whatever goes wrong, they get it once."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Any

import pytest
from engine_stand_in import Said, StandIn
from fake_telegram import GROUP, TOKEN, FakeTelegram, Json, telegram

from bot.assistant.locale.texts import ENGLISH
from bot.benchmarks.fake_telegram import DROP, TAKEN
from bot.telegram.inbox import Inbox
from bot.telegram.limiter import LEFT_FOR_ANSWERS

ASK = "What is the dog doing?"
CALL = f"@glimpse_bot {ASK}"
BEGINNING = "A brown dog runs"
MORE = f"{BEGINNING} along the beach,"
WHOLE = f"{MORE} and its tail is up."
GONE = {"description": "Bad Request: message to edit not found"}


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.telegram.limiter.DRAFT_PAUSE", 0.02)
    monkeypatch.setattr("bot.telegram.notice.BEFORE_MESSAGE", 0.01)


def writer(text: str = WHOLE) -> StandIn:
    """A chat model that writes on command."""
    return StandIn(lambda *_: Said(text), held=True)


async def asked(engine: StandIn, count: int = 1) -> None:
    async with asyncio.timeout(10):
        while len(engine.queue) < count:
            await asyncio.sleep(0.005)


def messages(api: FakeTelegram) -> dict[int, str]:
    """What the bot's messages say now."""
    gone = {call["message_id"] for _, call in api.of("deleteMessage")}
    now = dict(zip(api.numbers, api.said, strict=True))
    return {number: text for number, text in now.items() if number not in gone}


def drafts(api: FakeTelegram) -> list[str]:
    return [call["text"] for _, call in api.of("sendMessageDraft")]


# --- as it should be ------------------------------------------------------------------------------


@pytest.mark.parity("a chat model's answer while it is written", "Telegram")
async def test_in_private_drafts_show_what_is_written_until_the_answer_is_there() -> None:
    async with telegram(engine := writer()) as api:
        question = api.photo(b"red", ASK)
        await asked(engine)
        for number, text in enumerate((BEGINNING, MORE), 1):
            engine.write(text)
            await api.until(lambda number=number: len(drafts(api)) == number)
        assert api.said == []
        engine.release()
        assert await api.answers(1) == [WHOLE]
        engine.write(f"{WHOLE} Too late")
        assert await api.settle(0.1) == [WHOLE]
        assert drafts(api) == [BEGINNING, MORE]
        shown = [call for _, call in api.of("sendMessageDraft")]
        assert {call["draft_id"] for call in shown} == {question["message_id"]}
        assert [button["text"] for button in api.buttons][1:3] == ["👍", "👎"]


async def test_in_a_group_one_message_becomes_the_answer() -> None:
    async with telegram(engine := writer()) as api:
        question = api.photo(b"red", CALL, chat=GROUP)
        await asked(engine)
        for number, text in enumerate((BEGINNING, MORE), 1):
            engine.write(text)
            await api.answers(number)
        assert not api.buttons
        engine.release()
        assert await api.answers(3) == [BEGINNING, MORE, WHOLE]
        assert len(api.buttons) == 4
        ((_, first),) = api.of("sendMessage")
        assert first["reply_parameters"]["message_id"] == question["message_id"]
        engine.held = False
        api.message("Is it red?", chat=GROUP, reply_to_message=api.said_to(question))
        await api.answers(4)
        assert [about for about, _ in engine.asked] == ["red", "red"]


async def test_what_is_written_at_once_is_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.telegram.notice.BEFORE_MESSAGE", 60.0)
    async with telegram(engine := writer()) as api:
        api.photo(b"red", CALL, chat=GROUP)
        await asked(engine)
        engine.write(BEGINNING)
        await asyncio.sleep(0.05)
        engine.release()
        assert await api.answers(1) == [WHOLE]


async def test_a_group_is_shown_no_more_than_leaves_room_for_its_answers() -> None:
    time = asyncio.get_running_loop().time
    async with telegram(engine := writer()) as api:
        for user in (7, 8):
            api.photo(b"red", CALL, chat=GROUP, user=user)
        await asked(engine, 2)
        start, most = time(), 20 - LEFT_FOR_ANSWERS
        for number in range(600):
            for which in (0, 1):
                engine.write(f"{BEGINNING} {number}", which)
            await asyncio.sleep(0.005)
            if len(api.said) == most:
                break
        for which in (0, 1):
            engine.write(MORE, which)
        taken = len(await api.settle(0.1))
        assert most <= taken <= most + 1 + (time() - start) / 3  # for three seconds make one more
        assert len(messages(api)) == 2
        engine.release()
        await api.until(lambda: list(messages(api).values()) == [WHOLE] * 2)


async def test_an_edited_question_keeps_its_answer_until_there_is_another() -> None:
    async with telegram(engine := writer()) as api:
        question = api.photo(b"red", CALL, chat=GROUP)
        await asked(engine)
        engine.release()
        await api.answers(1)
        same = {"message_id": question["message_id"], "photo": question["photo"], "edit": True}
        api.message("@glimpse_bot Is it brown?", chat=GROUP, **same)
        await asked(engine)
        engine.write("It is not brown at all")
        assert await api.settle(0.1) == [WHOLE]
        engine.answer = lambda *_: ValueError("no")
        engine.release()
        said = await api.answers(2)
        assert said[1].startswith(ENGLISH.crashed[:10])
        assert next(iter(messages(api).values())) == WHOLE


# --- what goes wrong ------------------------------------------------------------------------------


async def test_where_telegram_tells_to_wait_no_more_is_shown_and_the_answer_comes() -> None:
    flood = {"description": "Too Many Requests", "parameters": {"retry_after": 1}}
    async with telegram(engine := writer()) as api:
        api.faults["sendMessageDraft"].append((429, flood, 0))
        api.photo(b"red", ASK)
        await asked(engine)
        engine.write(BEGINNING)
        await api.until(lambda: not api.faults["sendMessageDraft"])
        engine.write(MORE)
        await api.settle(0.1)
        engine.release()
        assert await api.answers(1) == [WHOLE]
        assert drafts(api) == []

        api.photo(b"red", CALL, chat=GROUP)
        await asked(engine)
        engine.write(BEGINNING)
        await api.answers(2)
        api.faults["editMessageText"].append((429, flood, 0))
        engine.write(MORE)
        await api.until(lambda: not api.faults["editMessageText"])
        engine.write(f"{MORE} and")
        engine.release()
        assert (await api.answers(3))[1:] == [BEGINNING, WHOLE]
        assert len(api.of("sendMessage")) == 2


@pytest.mark.parametrize("group", [False, True])
async def test_a_network_that_is_gone_for_a_moment_costs_a_draft(group: bool) -> None:
    method = "editMessageText" if group else "sendMessageDraft"
    async with telegram(engine := writer()) as api:
        api.photo(b"red", CALL, **({"chat": GROUP} if group else {}))
        await asked(engine)
        engine.write(BEGINNING)
        await api.until(lambda: api.said or drafts(api))
        api.faults[method] += [(DROP, {}, 0), (502, {"description": "Bad Gateway"}, 0)]
        for number, text in enumerate((f"{BEGINNING} a", f"{BEGINNING} al"), 1):
            engine.write(text)
            await api.until(lambda number=number: len(api.faults[method]) == 2 - number)
        engine.write(MORE)
        await api.until(lambda: MORE in [*api.said, *drafts(api)])
        engine.release()
        await api.until(lambda: api.said[-1:] == [WHOLE])
        assert list(messages(api).values()) == [WHOLE]


async def test_a_first_message_whose_fate_is_unknown_is_followed_by_the_answer() -> None:
    async with telegram(engine := writer()) as api:
        api.faults["sendMessage"].append((TAKEN, {}, 0))
        api.photo(b"red", CALL, chat=GROUP)
        await asked(engine)
        engine.write(BEGINNING)
        await api.answers(1)
        engine.write(MORE)
        await api.settle(0.1)
        engine.release()
        assert await api.answers(2) == [BEGINNING, WHOLE]
        assert len(await api.settle(0.1)) == 2


@pytest.mark.parametrize("fault", [DROP, TAKEN])
async def test_a_connection_that_breaks_at_the_end_leaves_no_half_of_the_answer(
    fault: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.telegram.sender.WAITS", (0.01,))
    async with telegram(engine := writer(LONG)) as api:
        api.photo(b"red", CALL, chat=GROUP)
        await asked(engine)
        engine.write(BEGINNING)
        await api.answers(1)
        api.faults["editMessageText"].append((fault, {}, 0))
        engine.release()
        await api.until(lambda: " ".join(messages(api).values()) == LONG)
        assert len(api.buttons) == 4


async def test_a_message_that_is_deleted_meanwhile_is_said_anew() -> None:
    async with telegram(engine := writer()) as api:
        api.photo(b"red", CALL, chat=GROUP)
        await asked(engine)
        engine.write(BEGINNING)
        await api.answers(1)
        api.faults["editMessageText"] += [(400, GONE, 0)] * 2
        engine.write(MORE)
        await api.until(lambda: len(api.faults["editMessageText"]) == 1)
        engine.release()
        assert await api.answers(2) == [BEGINNING, WHOLE]
        assert [name for name, _ in api.of("sendMessage", "editMessageText")] == ["sendMessage"] * 2


async def test_an_answer_that_fails_leaves_no_half_of_it() -> None:
    async with telegram(engine := writer()) as api:
        engine.answer = lambda *_: ValueError("no")
        for number, where in enumerate(({}, {"chat": GROUP}), 1):
            api.photo(b"red", CALL, **where)
            await asked(engine)
            engine.write(BEGINNING)
            await api.until(lambda: BEGINNING in [*api.said, *drafts(api)])
            engine.release()
            await api.until(lambda number=number: len(messages(api)) == number)
        crashed = ENGLISH.crashed[:10]
        await api.until(lambda: all(each.startswith(crashed) for each in messages(api).values()))


async def test_forgetting_meanwhile_does_not_wait_and_the_answer_still_comes() -> None:
    async with telegram(engine := writer()) as api:
        api.photo(b"red", CALL, chat=GROUP)
        await asked(engine)
        engine.write(BEGINNING)
        await api.answers(1)
        api.message("/forget")
        await api.answers(2)
        engine.release()
        await api.answers(3)
        assert list(messages(api).values()) == [WHOLE, ENGLISH.forgotten]
        api.message("@glimpse_bot Is it red?", chat=GROUP)
        assert (await api.answers(4))[3] == ENGLISH.no_picture_in_group


# --- the end of the process -----------------------------------------------------------------------


def left(path: Path) -> Path:
    """What a process that is killed now leaves of its inbox."""
    copy = path.with_name("left.db")
    for end in ("", "-wal"):
        shutil.copy(f"{path}{end}", f"{copy}{end}")
    return copy


async def test_after_a_kill_the_message_that_was_begun_becomes_the_answer(tmp_path: Path) -> None:
    path = tmp_path / "inbox.db"
    async with telegram(engine := writer(), inbox=Inbox(path, TOKEN)) as api:
        api.photo(b"red", CALL, chat=GROUP)
        api.photo(b"red", ASK, user=8)
        await asked(engine, 2)
        for which in (0, 1):
            engine.write(BEGINNING, which)
        await api.until(lambda: api.said and drafts(api))
        number = api.numbers[0]
        await api.until(lambda: any(each.content for each in _said(path)))
        killed = left(path)
        engine.release()
    later = FakeTelegram(files=api.files)
    async with telegram(engine := writer(), api=later, inbox=Inbox(killed, TOKEN)):
        await asked(engine, 2)
        engine.write(MORE, [about for about, _ in engine.asked].index("red"))
        engine.release()
        await later.until(lambda: later.said.count(WHOLE) == 2)
        await later.settle(0.1)
        sent = later.of("sendMessage")
        assert [call["chat_id"] for _, call in sent] == [8]
        assert {call["message_id"] for _, call in later.of("editMessageText")} == {number}


def _said(path: Path) -> list[Any]:
    box = Inbox(path, TOKEN)
    try:
        return [each for each in box.pending() if box.said([each.content["update_id"]])]
    finally:
        box.close()


@pytest.mark.parametrize("kept", [False, True])
async def test_what_is_not_written_in_time_when_it_is_stopped_is_taken_back(
    kept: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.telegram.bot.SHUTDOWN_SECONDS", 0.1)
    path = tmp_path / "inbox.db"
    async with telegram(engine := writer(), inbox=Inbox(path if kept else None, TOKEN)) as api:
        api.photo(b"red", CALL, chat=GROUP)
        await asked(engine)
        engine.write(BEGINNING)
        await api.answers(1)
    assert messages(api) == {}
    if kept:
        later = FakeTelegram(files=api.files)
        later.faults["editMessageText"].append((400, GONE, 0))
        async with telegram(StandIn(), api=later, inbox=Inbox(path, TOKEN)):
            assert await later.answers(1) == ["Red."]


# --- long answers ---------------------------------------------------------------------------------

SENTENCE = "The dog runs along the beach, and its tail is up in the air. "
LONG = (SENTENCE * 90).strip()


async def test_a_long_answer_is_shown_as_far_as_it_fits_and_said_in_parts() -> None:
    async with telegram(engine := writer(LONG)) as api:
        for number, where in enumerate(({}, {"chat": GROUP}), 1):
            api.photo(b"red", CALL, **where)
            await asked(engine)
            engine.write(LONG)
            shown = drafts if number == 1 else messages
            await api.until(lambda shown=shown: _goes_on(shown(api)))
            engine.release()
            await api.until(lambda number=number: len(messages(api)) == 2 * number)
        parts = [*messages(api).values()]
        assert " ".join(parts[:2]) == " ".join(parts[2:]) == LONG
        assert all(part.endswith(".") for part in parts)
        calls = {call["text"]: call for _, call in api.of("sendMessage", "editMessageText")}
        assert ["reply_markup" in calls[part] for part in parts[2:]] == [False, True]


def _goes_on(shown: dict[int, str] | list[str]) -> bool:
    texts = [*shown.values()] if isinstance(shown, dict) else shown
    return any(text.endswith(". …") and len(text) > 4000 for text in texts)


def part(api: FakeTelegram, question: Json, number: int) -> Json:
    """A part of an answer, as the server shows it in a reply to that: without its own reply."""
    return {**api.said_to(question, number), "reply_to_message": None}


async def test_every_part_of_an_answer_means_it_also_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "inbox.db"
    engine = StandIn(lambda *_: Said(LONG))
    async with telegram(engine, inbox=Inbox(path, TOKEN)) as api:
        question = api.photo(b"red", CALL, chat=GROUP)
        await api.answers(2)
        other = api.photo(b"blue", CALL, chat=GROUP)
        await api.answers(4)
        engine.answer = lambda *_: Said("It is a dog, of course.")
        for number in (0, 1):
            api.message("Is it a dog?", chat=GROUP, reply_to_message=part(api, question, number))
            await api.answers(5 + number)
        same = {"message_id": other["message_id"], "photo": other["photo"], "edit": True}
        api.message("@glimpse_bot Is it a cat?", chat=GROUP, **same)
        await api.until(lambda: len(messages(api)) == 5)
        assert messages(api)[api.numbers[2]] == "It is a dog, of course."
        await api.settle(0.1)
    assert [about for about, _ in engine.asked] == ["red", "blue", "red", "red", "blue"]
    later = FakeTelegram(files=api.files)
    async with telegram(engine, api=later, inbox=Inbox(path, TOKEN)):
        for number in (0, 1):
            later.update(
                900 + number, message=later_reply(900 + number, part(api, question, number))
            )
            await later.answers(1 + number)
        changed = {**question, "caption": "@glimpse_bot Is it old?"}
        later.update(950, edited_message=changed)
        await later.until(lambda: later.of("deleteMessage"))
        assert later.of("deleteMessage")[0][1]["message_id"] == api.numbers[1]
    assert [about for about, _ in engine.asked][5:] == ["red"] * 3


def later_reply(number: int, to: Json) -> Json:
    ann = {"id": 7, "is_bot": False, "first_name": "Ann"}
    return {
        "message_id": number, "date": to["date"], "chat": to["chat"], "from": ann,
        "text": "Is it a dog?", "reply_to_message": to,
    }  # fmt: skip


async def test_a_kill_between_two_parts_loses_none_and_says_none_twice(tmp_path: Path) -> None:
    path = tmp_path / "inbox.db"
    engine = StandIn(lambda *_: Said(LONG))
    async with telegram(engine, inbox=Inbox(path, TOKEN)) as api:
        flood = {"description": "Too Many Requests", "parameters": {"retry_after": 1}}
        api.faults["sendMessage"] += [(200, {}, 0), (429, flood, 0)]
        api.photo(b"red", ASK)
        await api.until(lambda: not api.faults["sendMessage"])
        await asyncio.sleep(0.05)
        killed, first = left(path), api.numbers[0]
        await api.answers(2)
    later = FakeTelegram(files=api.files)
    async with telegram(engine, api=later, inbox=Inbox(killed, TOKEN)):
        await later.answers(2)
        assert [name for name, _ in later.calls if "Message" in name] == [
            "editMessageText",
            "sendMessage",
        ]
        assert later.of("editMessageText")[0][1]["message_id"] == first
        assert " ".join(later.said) == LONG
