"""The Telegram bot over loopback: real python-telegram-bot against a small Bot API server."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from engine_stand_in import Said, StandIn
from fake_telegram import GROUP, TOKEN, FakeTelegram, telegram

from bot.assistant.assistant import Assistant
from bot.assistant.locale.german import GERMAN
from bot.assistant.locale.texts import ENGLISH
from bot.errors import PlatformError
from bot.telegram import bot, sender
from bot.telegram.bot import build, serve
from bot.telegram.handlers import TelegramHandlers

BLUE_CAPTION = "A blue square.\n\nAsk me anything about it."


@pytest.mark.parity("a sign that an answer is on its way", "Telegram")
async def test_a_photo_gets_a_caption_and_follow_ups_need_no_photo() -> None:
    async with telegram() as api:
        asked = api.photo(b"blue")
        assert await api.answers(1) == [BLUE_CAPTION]
        api.message("What colour is it?")
        assert (await api.answers(2))[1] == "Blue."
        (_, first), (_, second) = api.of("sendMessage")
        assert first["reply_parameters"]["message_id"] == asked["message_id"]
        assert first["reply_parameters"]["allow_sending_without_reply"] is True
        assert second["reply_markup"]["inline_keyboard"][0][0]["text"] == "Caption it"
        assert api.of("sendChatAction")[0][1]["action"] == "typing"


async def test_a_voice_is_no_picture_and_what_telegram_only_tells_gets_no_answer() -> None:
    async with telegram() as api:
        api.message(voice={"file_id": "v", "file_unique_id": "v", "duration": 2})
        api.message(pinned_message=api.message("Thanks", user=9))
        assert sorted(await api.answers(2)) == sorted([ENGLISH.no_picture_file, ENGLISH.thanks])
        assert len(await api.settle()) == 2


@pytest.mark.parity("stickers", "Telegram")
async def test_stickers_are_pictures_and_moving_ones_give_a_still() -> None:
    async with telegram() as api:
        api.files |= {"still": b"black", "sticker": b"white"}
        base = {"file_unique_id": "u", "width": 512, "height": 512, "type": "regular"}
        still = {"file_id": "still", "file_unique_id": "s", "width": 128, "height": 128}
        sticker = {**base, "file_id": "sticker", "is_animated": False, "is_video": False}
        api.message(sticker=sticker)
        assert (await api.answers(1))[0].startswith("A white square.")
        moving = {**base, "file_id": "x", "is_animated": True, "is_video": False}
        api.message(sticker={**moving, "thumbnail": still})
        assert (await api.answers(2))[1].startswith("A black square.")
        assert api.said[1].endswith("I can only see a still image of this sticker.")
        video = {"file_id": "v", "file_unique_id": "v", "width": 9, "height": 9, "duration": 3}
        api.message("What colour is it?", video={**video, "thumbnail": still})
        assert (await api.answers(3))[2] == "Black.\n\nI can only see a still image of this video."
        api.message("What colour is it?", video=video)
        assert (await api.answers(4))[3] == ENGLISH.no_picture_file


async def test_an_album_is_answered_once_with_numbers_and_before_what_follows() -> None:
    async with telegram() as api:
        api.photo(b"red", "What colour is this?", media_group_id="a")
        await asyncio.sleep(0.05)  # parts come one by one
        api.photo(b"green", media_group_id="a")
        api.photo(b"blue", media_group_id="a")
        api.message("And what colour is picture 2?")
        said = await api.answers(2)
        assert said == ["1. Red.\n2. Green.\n3. Blue.", "Green."]
        assert await api.settle() == said


async def test_an_album_is_answered_though_the_bot_is_stopped() -> None:
    async with telegram() as api:
        api.photo(b"red", media_group_id="a")
        await api.until(lambda: not api._updates)
        await asyncio.sleep(0.05)
    assert len(api.said) == 1


async def test_in_a_group_a_mention_in_any_case_means_it_and_another_bots_command_does_not() -> (
    None
):
    async with telegram() as api:
        api.message("/caption@other_bot", chat=GROUP)
        api.message("/unknown", chat=GROUP)
        api.photo(b"green", "@Glimpse_Bot what colour is this?", chat=GROUP)
        assert await api.answers(1) == ["Green."]
        api.message("/caption@glimpse_bot", chat=GROUP)
        assert await api.answers(2) == ["Green.", "A green square."]


@pytest.mark.parity(
    "a picture first, the mention later, by the same person, where BotFather's privacy mode is off",
    "Telegram",
)
async def test_it_can_be_called_after_the_photo_was_posted() -> None:
    async with telegram() as api:
        api.photo(b"blue", user=9, chat=GROUP)
        api.message("That is nice", user=9, chat=GROUP)
        api.message("@glimpse_bot what colour is it?", user=9, chat=GROUP)
        assert await api.answers(1) == ["Blue."]


async def test_topics_of_a_forum_are_conversations_of_their_own() -> None:
    async with telegram() as api:
        topic = {"chat": GROUP, "is_topic_message": True, "message_thread_id": 5}
        api.photo(b"blue", "/caption", **topic)
        await api.answers(1)
        assert api.of("sendMessage")[0][1]["message_thread_id"] == 5
        api.message("/ask what colour is it?", chat=GROUP)
        assert (await api.answers(2))[1] == ENGLISH.no_picture_in_group


async def test_an_edited_message_without_a_picture_changes_its_answer_and_a_place_may_move() -> (
    None
):
    async with telegram() as api:
        api.photo(b"blue", "/caption")
        question = api.message("/start")
        await api.answers(2)
        place = {"latitude": 1.0, "longitude": 2.0, "live_period": 60}
        api.message(location=place, edit=True)
        api.message("What colour is it?", message_id=question["message_id"], edit=True)
        assert (await api.answers(3))[2] == "Blue."
        ((_, edit),) = api.of("editMessageText")
        assert edit["message_id"] > question["message_id"]


async def test_the_menus_of_commands() -> None:
    async with telegram() as api:
        await api.until(lambda: len(api.of("setMyCommands")) == 4)
        menus = [call for _, call in api.of("setMyCommands")]
        assert [(menu["scope"]["type"], menu.get("language_code")) for menu in menus] == [
            ("default", None), ("all_group_chats", None), ("default", "de"),
            ("all_group_chats", "de"),
        ]  # fmt: skip
        menu = [each["command"] for each in menus[0]["commands"]]
        assert menu == ["start", "help", "caption", "ask", "retry", "forget", "privacy", "settings"]
        assert [each["command"] for each in menus[1]["commands"]] == menu[1:]
        assert menus[2]["commands"][0]["description"] == GERMAN.command_start


async def test_an_update_that_comes_twice_is_answered_once() -> None:
    async with telegram() as api:
        message = api.message("/start")
        await api.answers(1)
        api._updates.clear()
        # A server that forgot what it had handed out.
        api._updates.append({"update_id": message["message_id"] + 1, "message": message})
        api._news.set()
        assert len(await api.settle()) == 1


async def test_one_person_is_served_in_order_though_a_file_is_slow() -> None:
    async with telegram() as api:
        api.faults["file"].append((200, {}, 0.1))
        api.photo(b"blue")
        api.message("What colour is it?")
        api.message("/start", user=8)
        said = await api.answers(3)
        assert said == [ENGLISH.start, BLUE_CAPTION, "Blue."]


async def test_more_messages_than_may_wait_are_refused_twice_and_keep_nobody_else_waiting() -> None:
    engine = StandIn(held=True)
    async with telegram(engine) as api:
        for _ in range(30):
            api.photo(b"red")
        await api.until(lambda: api.said == [ENGLISH.too_many_waiting] * 2)
        api.photo(b"blue", "What colour is it?", user=8)
        await api.until(lambda: len(engine.queue) == 2)
        engine.held = False
        engine.release()
        await api.until(lambda: len(api.said) == 2 + 20 + 1)
        assert "Blue." in api.said


async def test_where_a_file_is_is_asked_again_and_too_big_a_file_is_said_so() -> None:
    async with telegram() as api:
        api.faults["getFile"].append((502, {"description": "Bad Gateway"}, 0))
        api.photo(b"blue", "What colour is it?")
        assert await api.answers(1) == ["Blue."]
        api.faults["getFile"].append((400, {"description": "Bad Request: file is too big"}, 0))
        api.photo(b"red")
        assert (await api.answers(2))[1] == ENGLISH.file_too_big


async def test_it_waits_as_long_as_telegram_says() -> None:
    async with telegram() as api:
        body = {"description": "Too Many Requests", "parameters": {"retry_after": 0.05}}
        api.faults["sendMessage"].append((429, body, 0))
        api.message("/start")
        assert await api.answers(1) == [ENGLISH.start]


async def test_an_answer_waits_for_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender, "WAITS", (0.01, 0.01, 0.01))
    async with telegram() as api:
        api.faults["sendMessage"] += [(502, {"description": "Bad Gateway"}, 0)] * 2
        api.message("/start")
        assert await api.answers(1) == [ENGLISH.start]


async def test_answers_are_plain_text_and_long_ones_come_in_parts() -> None:
    engine = StandIn()
    engine.answer = lambda picture, question: Said("*_[a](b)_*&amp; " * 300)
    async with telegram(engine) as api:
        api.photo(b"blue", "שלום? " + "What colour is it?")
        await api.until(lambda: len(api.said) >= 2)
        parts = [call["text"] for _, call in api.of("sendMessage")]
        assert all(0 < len(part) <= 4096 for part in parts)
        assert "*_[a](b)_*&amp;" in parts[0]
        assert not any({"parse_mode", "entities"} & set(call) for _, call in api.of("sendMessage"))
        buttons = ["reply_markup" in call for _, call in api.of("sendMessage")]
        assert buttons == [False] * (len(parts) - 1) + [True]


async def test_the_token_is_in_no_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with telegram() as api:
        api.faults["getFile"].append((502, {"description": "Bad Gateway"}, 0))
        api.photo(b"blue")
        await api.answers(1)
    assert caplog.records
    assert "secret" not in caplog.text


async def test_a_wrong_token_is_said_so() -> None:
    async with FakeTelegram().running() as api:
        with pytest.raises(PlatformError, match="does not know this token"):
            await serve(build("1:wrong", api.url), Assistant(StandIn()), asyncio.Event())


async def test_it_starts_when_the_network_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bot, "RETRY", 0.05)
    stopped = asyncio.Event()
    async with FakeTelegram().running() as api:
        api.faults["getMe"] += [(502, {"description": "Bad Gateway"}, 0)] * 2
        task = asyncio.ensure_future(serve(build(TOKEN, api.url), Assistant(StandIn()), stopped))
        api.message("/start")
        assert await api.answers(1) == [ENGLISH.start]
        stopped.set()
        await task


async def test_an_edit_before_the_answer_still_gets_one_answer() -> None:
    async with telegram() as api:
        api.faults["file"].append((200, {}, 0.1))
        photo = api.photo(b"blue", "/caption")
        more = {"photo": photo["photo"], "message_id": photo["message_id"], "edit": True}
        api.message("What colour is it?", **more)
        assert await api.answers(2) == ["A blue square.", "Blue."]
        assert len(api.of("editMessageText")) == 1
        # The answer was deleted, so that it cannot be changed.
        gone = {"description": "Bad Request: message to edit not found"}
        api.faults["editMessageText"].append((400, gone, 0))
        api.message("Is it blue?", **more)
        assert (await api.answers(3))[2] == "Blue."
        assert len(api.of("sendMessage")) == 2


async def test_of_two_albums_the_first_is_answered_first() -> None:
    async with telegram() as api:
        api.photo(b"red", media_group_id="a")
        api.photo(b"red", media_group_id="a")
        api.photo(b"blue", media_group_id="b")
        api.photo(b"blue", media_group_id="b")
        api.message("What colour is picture 1?")
        said = await api.answers(3)
        assert [text.split("\n")[0] for text in said] == [
            "1. A red square.", "1. A blue square.", "Blue.",
        ]  # fmt: skip


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
        await api.until(lambda: handlers and handlers[0]._memory._answered)
        assert "Ann" not in repr(handlers[0]._memory._answered)


async def test_who_forgets_leaves_no_subject_of_a_button_they_pressed(
    handlers: list[TelegramHandlers],
) -> None:
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


async def test_a_photo_that_is_still_in_work_is_forgotten_too(
    handlers: list[TelegramHandlers],
) -> None:
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
        api.message("@glimpse_bot what colour is it?", chat=GROUP, user=7)
        assert (await api.answers(2))[1] == ENGLISH.no_picture_in_group
        api.message("@glimpse_bot what colour is it?", chat=GROUP - 1, user=8)
        assert (await api.answers(3))[2] == "Blue."
