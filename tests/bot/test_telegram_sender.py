"""What Telegram shows before an answer and as one, and what goes wrong there and does no harm."""

from __future__ import annotations

import asyncio
import logging
from functools import partial

import pytest
from engine_stand_in import StandIn
from fake_telegram import GROUP, TOKEN, FakeTelegram, telegram
from telegram.request import HTTPXRequest

from bot.assistant.assistant import Assistant
from bot.assistant.inference import LONG_QUEUE
from bot.assistant.locale.texts import ENGLISH
from bot.platforms import PictureFile
from bot.telegram.bot import build, serve
from bot.telegram.messages import picture_fetcher


async def test_a_conversation_goes_on_after_the_network_was_gone() -> None:
    stopped = asyncio.Event()
    api = FakeTelegram()
    async with api.running():
        task = asyncio.ensure_future(serve(build(TOKEN, api.url), Assistant(StandIn()), stopped))
        api.message("/start")
        await api.answers(1)
    port = int(api.url.rpartition(":")[2])
    await asyncio.sleep(0.05)  # nobody listens there
    async with api.running(port):
        api.message("Thanks")
        assert (await api.answers(2))[1] == ENGLISH.thanks
        stopped.set()
        await task


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (400, "Bad Request: message to be replied not found"),
        (400, "Bad Request: chat not found"),
        (403, "Forbidden: bot was kicked from the supergroup chat"),
        (403, "Forbidden: bot was blocked by the user"),
    ],
)
async def test_who_is_gone_does_no_harm_to_others(
    status: int, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with telegram() as api:
        api.faults["sendMessage"].append((status, {"description": said}, 0))
        api.message("/start@glimpse_bot", chat=GROUP)
        await api.until(lambda: not api.faults["sendMessage"])
        api.message("/help", user=8)
        assert len(await api.answers(1)) == len(await api.settle(0.1)) == 1
    assert TOKEN not in caplog.text
    errors = [each for each in caplog.records if each.levelno > logging.WARNING]
    assert bool(errors) == (status == 400)


async def test_a_slow_file_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    hasty = partial(HTTPXRequest, read_timeout=0.05)  # as the library is by default, but for less
    monkeypatch.setattr("bot.telegram.bot.HTTPXRequest", hasty)
    async with FakeTelegram().running() as api:
        api.files["photo"] = b"red"
        api.faults["file"].append((200, {}, 0.1))
        async with build(TOKEN, api.url).bot as bot:
            assert (await picture_fetcher(bot).fetch(PictureFile("photo"))).content == b"red"
    assert caplog.records == []


async def test_longest_texts_are_taken() -> None:
    engine = StandIn()
    async with telegram(engine) as api:
        longest = "Nice. " * 200
        api.photo(b"red", (longest + "What color is it?")[-1024:])
        api.message((longest * 4 + "What color is it?")[-4096:])
        assert len(await api.answers(2)) == 2
        assert not any(call["text"] == "" for _, call in api.of("sendMessage"))


def test_what_telegram_did_not_say_in_json_is_not_in_the_operators_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    build(TOKEN)
    words = '{"ok": true, "result": [{"message": {"text": "my secret'
    logging.getLogger("telegram.request.BaseRequest").exception(
        'Can not load invalid JSON data: "%s"', words
    )
    assert "secret" not in caplog.text
    assert "Telegram said something else than JSON" in caplog.text


QUEUED = ENGLISH.queued.format(number=LONG_QUEUE)
UNKNOWN = {"description": "Not Found: method not found"}


async def test_in_private_a_draft_tells_of_the_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.telegram.notice.DRAFT_SECONDS", 0.05)
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
        bot.rate_limiter._free[7] = asyncio.get_running_loop().time() + 60
        async with asyncio.timeout(5):
            assert await bot.send_message_draft(7, 1, "Wait")
            assert await bot.send_chat_action(7, "typing")
        await bot.shutdown()
