"""What of people's words and pictures the Telegram bot itself keeps in mind, and until when."""

from __future__ import annotations

from typing import Any

import pytest
from engine_stand_in import StandIn
from fake_telegram import GROUP, telegram

from bot.assistant.locale.texts import ENGLISH
from bot.telegram import bot
from bot.telegram.handlers import TelegramHandlers


@pytest.fixture
def handlers(monkeypatch: pytest.MonkeyPatch) -> list[TelegramHandlers]:
    """Those that the bots of a test start."""
    made: list[TelegramHandlers] = []

    def make(*how: Any) -> TelegramHandlers:
        made.append(TelegramHandlers(*how))
        return made[-1]

    monkeypatch.setattr(bot, "TelegramHandlers", make)
    return made


async def test_words_are_not_kept_to_know_an_edit(handlers: list[TelegramHandlers]) -> None:
    async with telegram() as api:
        api.message("Hello, I am called Ann")
        await api.until(lambda: handlers and handlers[0]._answers)
        assert "Ann" not in repr(handlers[0]._answers)


async def test_who_forgets_leaves_no_subject_of_a_button_they_pressed(handlers: list[TelegramHandlers]) -> None:
    async with telegram() as api:
        asked = api.photo(b"red", "What color is it?")
        await api.answers(1)
        api.press("/caption", api.said_to(asked))
        await api.answers(2)
        api.photo(b"blue", "/caption", user=8)
        await api.answers(3)
        api.message("/forget")
        assert (await api.answers(4))[3] == ENGLISH.forgotten
        index = handlers[0]._assistant._conversations._answers
        assert {answer.conversation.user for answer in index.values()} == {"8"}


async def test_a_photo_that_is_still_in_work_is_forgotten_too(handlers: list[TelegramHandlers]) -> None:
    engine = StandIn(held=True)
    async with telegram(engine) as api:
        api.photo(b"red")
        await api.until(lambda: engine.queue)
        api.message("/forget")
        await api.settle(0.1)
        engine.release()
        assert (await api.answers(2))[1] == ENGLISH.forgotten
        index = handlers[0]._assistant._conversations._answers
        assert not list(index)


async def test_photos_nobody_asked_about_are_forgotten_with_who_sent_them_in_all_chats() -> None:
    async with telegram() as api:
        api.photo(b"red", chat=GROUP, user=7)
        api.photo(b"blue", chat=GROUP - 1, user=8)
        api.message("/forget@glimpse_bot", chat=GROUP - 1, user=7)
        await api.answers(1)
        assert not api.of("getFile")
        api.message("@glimpse_bot what colour is it?", chat=GROUP, user=9)
        assert (await api.answers(2))[1] == ENGLISH.no_picture
        api.message("@glimpse_bot what colour is it?", chat=GROUP - 1, user=9)
        assert (await api.answers(3))[2] == "Blue."
