"""What Telegram shows before an answer that has to wait."""

from __future__ import annotations

import asyncio

import pytest
from engine_stand_in import StandIn
from fake_telegram import GROUP, TOKEN, FakeTelegram, telegram

from bot.assistant.inference import LONG_QUEUE
from bot.assistant.locale.texts import ENGLISH
from bot.telegram.bot import build

QUEUED = ENGLISH.queued.format(number=LONG_QUEUE)
UNKNOWN = {"description": "Not Found: method not found"}


async def test_in_private_a_draft_tells_of_the_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.telegram.sender.DRAFT_SECONDS", 0.05)
    engine = StandIn(ahead=LONG_QUEUE, held=True)
    async with telegram(engine) as api:
        asked = api.photo(b"red", "What color is it?")
        await api.until(
            lambda: len(api.of("sendMessageDraft")) == 2
        )  # they fade, so it is repeated
        draft = api.of("sendMessageDraft")[0][1]
        assert (draft["text"], draft["chat_id"]) == (QUEUED, asked["chat"]["id"])
        assert draft["draft_id"] != 0
        assert api.said == []
        engine.release()
        assert await api.answers(1) == ["Red."]
        drafts = len(api.of("sendMessageDraft"))
        await api.settle(0.15)
        assert len(api.of("sendMessageDraft")) == drafts
        assert api.of("sendChatAction")


async def test_in_a_group_a_message_tells_of_it_and_becomes_the_answer() -> None:
    engine = StandIn(ahead=LONG_QUEUE)
    async with telegram(engine) as api:
        api.photo(b"red", "@glimpse_bot what color is it?", chat=GROUP)
        assert await api.answers(2) == [QUEUED, "Red."]
        (_, notice), (_, edit) = api.of("sendMessage", "editMessageText")
        assert edit["message_id"] == api.numbers[0]
        assert "reply_markup" in edit
        assert "reply_markup" not in notice
        api.message("/caption@glimpse_bot", chat=GROUP, user=8)
        assert (await api.answers(4))[2:] == [QUEUED, "A red square."]


@pytest.mark.parametrize("status", [404, 400])
async def test_a_server_without_drafts_is_asked_for_one_once(status: int) -> None:
    engine = StandIn(ahead=LONG_QUEUE)
    async with telegram(engine) as api:
        api.faults["sendMessageDraft"].append((status, UNKNOWN, 0))
        asked = api.photo(b"red", "What color is it?")
        assert await api.answers(2) == [QUEUED, "Red."]
        api.press("/retry", api.said_to(asked))
        assert (await api.answers(4))[2:] == [QUEUED, "Red."]
        assert len(api.of("editMessageText")) == 2
        assert not api.of("sendMessageDraft")
        # An edit says it in the answer that is there.
        same = {"message_id": asked["message_id"], "photo": asked["photo"], "edit": True}
        api.message("Is it red?", **same)
        assert (await api.answers(6))[4:] == [QUEUED, "Red."]
        assert len(api.of("sendMessage")) == 2


async def test_a_draft_that_one_chat_does_not_take_is_skipped_there_alone() -> None:
    engine = StandIn(ahead=LONG_QUEUE)
    async with telegram(engine) as api:
        refused = {"description": "Bad Request: chat not found"}
        api.faults["sendMessageDraft"].append((400, refused, 0))
        for number, user in enumerate((7, 8), 1):
            api.photo(b"red", "What color is it?", user=user)
            await api.answers(number)
        assert api.said == ["Red."] * 2
        assert [call["chat_id"] for _, call in api.of("sendMessageDraft")] == [8]


async def test_a_draft_that_fails_for_now_is_no_loss() -> None:
    engine = StandIn(ahead=LONG_QUEUE)
    busy = {"description": "Too Many Requests", "parameters": {"retry_after": 60}}
    async with telegram(engine) as api:
        api.faults["sendMessageDraft"] += [(429, busy, 0), (502, {"description": "Bad"}, 0)]
        for number in (1, 2, 3):
            api.photo(b"red", "What color is it?")
            await api.answers(number)
        assert api.said == ["Red."] * 3
        assert len(api.of("sendMessageDraft")) == 1


async def test_drafts_do_not_wait_for_the_limits() -> None:
    async with FakeTelegram().running() as api:
        bot = build(TOKEN, api.url).bot
        await bot.initialize()
        assert bot.rate_limiter
        bot.rate_limiter._retry_after_event.clear()
        async with asyncio.timeout(5):
            assert await bot.send_message_draft(7, 1, "Wait")
            assert await bot.send_chat_action(7, "typing")
        await bot.shutdown()
