"""What goes wrong on Telegram, and does no harm."""

from __future__ import annotations

import asyncio
import logging
from functools import partial

import pytest
from engine_stand_in import Said, StandIn
from fake_telegram import GROUP, TOKEN, FakeTelegram, telegram
from telegram.request import HTTPXRequest

from bot.assistant.assistant import Assistant
from bot.assistant.locale.texts import ENGLISH
from bot.platforms import PictureFile
from bot.telegram.bot import build, serve
from bot.telegram.messages import picture_fetcher
from data.images.open import open_picture


async def test_a_conversation_goes_on_after_the_network_was_gone() -> None:
    stopped = asyncio.Event()
    api = FakeTelegram()
    async with api.running():
        task = asyncio.ensure_future(serve(build(TOKEN, api.url), Assistant(StandIn()), stopped))
        api.message("/start")
        await api.answers(1)
    port = int(api.url.rpartition(":")[2])
    await asyncio.sleep(0.2)  # nobody listens there
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


async def test_a_question_that_is_deleted_is_answered_all_the_same() -> None:
    engine = StandIn(held=True)
    async with telegram(engine) as api:
        api.photo(b"red", "What color is it?")
        await api.until(lambda: engine.queue)
        engine.release()
        assert await api.answers(1) == ["Red."]
        replied = api.of("sendMessage")[0][1]["reply_parameters"]
        assert replied["allow_sending_without_reply"] is True


async def test_a_document_that_calls_itself_a_picture_is_refused_kindly() -> None:
    async with telegram(open_picture=open_picture) as api:
        api.document(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj", "cat.jpg", "image/jpeg")
        (said,) = await api.answers(1)
        assert "picture" in said
        assert "cat.jpg" not in said
        assert api.buttons == []


async def test_a_slow_file_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    hasty = partial(HTTPXRequest, read_timeout=0.2)  # as the library is by default, but for less
    monkeypatch.setattr("bot.telegram.bot.HTTPXRequest", hasty)
    async with FakeTelegram().running() as api:
        api.files["photo"] = b"red"
        api.faults["file"].append((200, {}, 0.4))
        async with build(TOKEN, api.url).bot as bot:
            assert (await picture_fetcher(bot).fetch(PictureFile("photo"))).content == b"red"
    assert caplog.records == []


@pytest.mark.parametrize("said", ["*a* [x](y) &lt;b&gt; #1", "\u202eabc\u202c שלום", "a_b `c` ~d~"])
async def test_marks_in_an_answer_mean_nothing(said: str) -> None:
    engine = StandIn(answer=lambda picture, question: Said(said))
    async with telegram(engine) as api:
        api.photo(b"red", "What does it say?")
        (text,) = await api.answers(1)
        assert said[1:] in text
        ((_, sent),) = api.of("sendMessage")
        assert not {"parse_mode", "entities"} & set(sent)


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
