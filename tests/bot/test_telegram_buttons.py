"""Buttons on Telegram: ratings in passing, other answers to the right question, languages."""

from __future__ import annotations

from pathlib import Path

import pytest
from engine_stand_in import StandIn
from fake_telegram import GROUP, FakeTelegram, Json, telegram
from log_helpers import opened, rows

from bot.assistant.limits import Access
from bot.assistant.locale.german import GERMAN
from bot.assistant.locale.texts import ENGLISH
from bot.assistant.privacy import Recorder
from bot.assistant.types import Rating
from bot.log.privacy import PictureCipher, new_key

RED, BLUE = ("red", "What color is it?"), ("blue", "Is it blue?")


def action(api: FakeTelegram, label: str) -> str:
    (data,) = [button["callback_data"] for button in api.buttons if button["text"] == label]
    assert len(data.encode()) <= 64
    return str(data)


def quoted(api: FakeTelegram) -> int:
    """The message that the last answer replies to."""
    return int(api.of("sendMessage")[-1][1]["reply_parameters"]["message_id"])


def toasts(api: FakeTelegram) -> list[str | None]:
    return [call.get("text") for _, call in api.of("answerCallbackQuery")]


async def test_a_rating_is_thanked_for_in_passing_and_needs_nothing_else() -> None:
    ratings: list[Rating] = []
    recorder = Recorder()
    recorder.rate = ratings.append  # type: ignore[method-assign]
    async with telegram(recorder=recorder) as api:
        asked = api.photo(b"red", "What color is it?")
        await api.answers(1)
        rows = api.of("sendMessage")[0][1]["reply_markup"]["inline_keyboard"]
        assert [[key["text"] for key in row] for row in rows] == [
            ["Caption it", "👍", "👎", "Try again"]
        ]
        before = len(api.of("getFile", "sendChatAction"))
        answer = api.said_to(asked)
        api.press(action(api, "👎"), answer)
        await api.until(lambda: ratings)
        api.press(action(api, "👍"), answer, language="de")
        await api.until(lambda: len(toasts(api)) == 2)
        assert toasts(api) == [ENGLISH.rated, GERMAN.rated]
        assert [rating.good for rating in ratings] == [False, True]
        assert len(api.said) == 1
        assert len(api.of("getFile", "sendChatAction")) == before
        api.press("/rate nonsense", answer)
        await api.until(lambda: len(toasts(api)) == 3)
        assert len(ratings) == 2


async def test_trying_again_gives_other_answers_to_the_same_question() -> None:
    engine = StandIn()
    async with telegram(engine) as api:
        asked = api.photo(b"red", "What color is it?")
        await api.answers(1)
        first, retry = api.said_to(asked), action(api, "Try again")
        for number in (2, 3):  # pressed on the same answer
            api.press(retry, first)
            await api.answers(number)
            assert quoted(api) == asked["message_id"]
        api.press(retry, api.said_to(asked))
        await api.answers(4)
        assert engine.ranks == [0, 1, 2, 3]
        assert engine.asked == [RED] * 4
        assert len(api.of("getFile")) == 1
        # An edit of the question changes the first answer, and what is tried again there.
        same = {"message_id": asked["message_id"], "photo": asked["photo"], "edit": True}
        api.message("Is it red?", **same)
        await api.answers(5)
        assert api.of("editMessageText")[0][1]["message_id"] == first["message_id"]
        api.press(retry, first)
        await api.answers(6)
        assert (engine.asked[-1], engine.ranks[-1]) == (("red", "Is it red?"), 1)


async def test_an_old_answer_is_tried_again_about_its_own_picture_and_question() -> None:
    engine = StandIn()
    async with telegram(engine) as api:
        red = api.photo(b"red", "What color is it?")
        await api.answers(1)
        first = api.said_to(red)
        question = api.message("Is it red?")
        await api.answers(2)
        follow_up = api.said_to(question)
        api.photo(b"blue", "Is it blue?")
        await api.answers(3)
        api.press("/retry", first)
        await api.answers(4)
        assert quoted(api) == red["message_id"]
        fetched = len(api.of("getFile"))
        api.press("/retry", first)  # its picture is the last one again
        await api.answers(5)
        api.press("/retry", follow_up)
        await api.answers(6)
        assert quoted(api) == question["message_id"]
        assert len(api.of("getFile")) == fetched
        asked = [RED, RED, ("red", "Is it red?")]
        assert list(zip(engine.asked, engine.ranks, strict=True))[3:] == list(
            zip(asked, [1, 2, 1], strict=True)
        )
        api.press("/caption", first)
        assert (await api.answers(7))[6] == "A red square."
        api.press("/retry", api.said_to(first))
        await api.answers(8)
        assert (engine.asked[-1], engine.ranks[-1]) == (("red", None), 1)


async def test_forgotten_pictures_are_fetched_again_when_somebody_presses() -> None:
    engine = StandIn()
    async with telegram(engine) as api:
        red = api.photo(b"red", "What color is it?")
        await api.answers(1)
        api.message("/forget")
        await api.answers(2)
        api.press("/retry", api.said_to(red, 0))
        await api.answers(3)
        assert engine.asked == [RED] * 2
        assert engine.ranks == [0, 1]


async def test_an_album_is_tried_again_as_it_was_asked() -> None:
    engine = StandIn()
    async with telegram(engine) as api:
        first = api.photo(b"red", media_group_id="a")
        api.photo(b"blue", media_group_id="a")
        one = api.message("Is picture 1 red?")
        await api.answers(2)
        album, follow_up = api.said_to(first, 0), api.said_to(one, 1)
        both = "1. A red square.\n2. A blue square."
        api.press("/retry", album)
        assert (await api.answers(3))[2] == both
        api.press("/retry", album)
        assert (await api.answers(4))[3] == both
        assert engine.ranks == [0, 0, 0, 1, 1, 2, 2]
        assert len(api.of("getFile")) == 2
        api.photo(b"green", "Is it green?")
        await api.answers(5)
        api.press("/retry", follow_up)
        assert (await api.answers(6))[5] == "Red."
        assert (engine.asked[-1], engine.ranks[-1]) == (("red", "Is the picture red?"), 1)
        assert len(api.of("getFile")) == 5
        api.press("/caption", follow_up)
        assert (await api.answers(7))[6] == "A red square."


@pytest.mark.parametrize("words", ["", "Hello", "Look at my cat"])
async def test_a_caption_nobody_asked_for_is_tried_again_as_one(words: str) -> None:
    engine = StandIn()
    async with telegram(engine) as api:
        asked = api.photo(b"red", words)
        await api.answers(1)
        answer = api.said_to(asked)
        api.photo(b"blue", "Is it blue?")
        await api.answers(2)
        api.press("/retry", answer)
        assert (await api.answers(3))[2] == "A red square."
        assert engine.ranks == [0, 0, 1]


async def test_retry_can_be_written_and_may_reply_to_an_answer() -> None:
    engine = StandIn()
    async with telegram(engine) as api:
        asked = api.photo(b"red", "What color is it?")
        await api.answers(1)
        api.message("/retry")
        await api.answers(2)
        api.photo(b"blue", "Is it blue?")
        await api.answers(3)
        api.message("/retry", reply_to_message=api.said_to(asked, 1))
        await api.answers(4)
        assert engine.asked == [RED, RED, BLUE, RED]
        assert engine.ranks == [0, 1, 0, 1]


async def test_after_a_restart_an_answer_tells_by_itself_what_it_was_about() -> None:
    engine = StandIn()
    async with telegram(engine) as api:
        api.files["photo"] = b"red"
        photo = {"file_id": "photo", "file_unique_id": "p", "width": 9, "height": 9}
        person = {"id": 7, "is_bot": False, "first_name": "Ann"}
        chat = {"id": 7, "type": "private"}
        base = {"message_id": 1000, "date": 1, "chat": chat, "from": person}
        shown = {**base, "photo": [photo], "caption": "What color is it?"}
        api.numbers.append(1001)
        api.press("/retry", {**base, "message_id": 1001, "text": "Red.", "reply_to_message": shown})
        await api.answers(1)
        assert (engine.asked, engine.ranks, quoted(api)) == ([RED], [1], 1000)
    async with telegram(engine) as api:
        unknown = {**base, "text": "Is it red?"}
        for number, language in enumerate(["", "de-AT"], 1):
            old = {**base, "message_id": 1002, "text": "Yes.", "reply_to_message": unknown}
            api.press("/retry", old, language=language)
            await api.until(lambda number=number: len(toasts(api)) == number)
        api.press("/retry", {"message_id": 1, "date": 0, "chat": chat})
        await api.until(lambda: len(toasts(api)) == 3)
        old_ones = [ENGLISH.button_too_old, GERMAN.button_too_old, ENGLISH.button_too_old]
        assert toasts(api) == old_ones
        assert await api.settle(0.1) == []


async def test_who_presses_twice_gets_one_answer() -> None:
    engine = StandIn()
    async with telegram(engine) as api:
        asked = api.photo(b"red", "What color is it?", chat=GROUP, reply_to_message=_ours())
        await api.answers(1)
        engine.held = True
        answer = api.said_to(asked)
        api.press("/retry", answer)
        await api.until(lambda: engine.queue)
        api.press("/retry", answer)
        await api.until(lambda: len(toasts(api)) == 2)
        api.press("/retry", answer, user=8)  # somebody else may
        await api.until(lambda: len(engine.queue) == 2)
        engine.release()
        assert len(await api.answers(3)) == len(await api.settle(0.1)) == 3
        assert toasts(api) == [None] * 3


async def test_settings_change_in_place_and_for_this_person_only() -> None:
    async with telegram() as api:
        asked = api.message("/settings", language="en")
        await api.answers(1)
        settings = api.said_to(asked)
        api.press(action(api, "Deutsch"), settings)
        assert (await api.answers(2))[1] == GERMAN.settings_chosen
        ((_, edit),) = api.of("editMessageText")
        assert edit["message_id"] == settings["message_id"]
        assert api.buttons == []
        api.document(b"%PDF", "paper.pdf", "application/pdf")
        assert (await api.answers(3))[2] == GERMAN.no_picture_file
        api.message("/start", user=8)
        assert (await api.answers(4))[3] == ENGLISH.start


async def test_who_is_not_on_the_list_changes_nothing_by_pressing() -> None:
    async with telegram(access=Access(users=frozenset({"telegram:7"}))) as api:
        asked = api.message("/settings@glimpse_bot", chat=GROUP)
        await api.answers(1)
        api.press(action(api, "Deutsch"), api.said_to(asked), user=8)
        await api.until(lambda: toasts(api))
        assert toasts(api) == [ENGLISH.not_allowed]
        assert len(await api.settle(0.1)) == 1


async def test_who_speaks_german_is_answered_in_german() -> None:
    async with telegram() as api:
        api.document(b"red", "a.png", "image/png", file_size=20_000_001, language="de")
        assert await api.answers(1) == [GERMAN.file_too_big]
        api.photo(b"red", language="de-CH")
        assert (await api.answers(2))[1].endswith(GERMAN.invite)
        assert [button["text"] for button in api.buttons] == ["👍", "👎", GERMAN.retry_button]


def _ours() -> Json:
    """A message of the bot's, which to reply to means it."""
    return {"message_id": 9, "date": 1, "chat": {"id": GROUP, "type": "supergroup"},
            "from": {"id": 42, "is_bot": True, "first_name": "Glimpse"}, "text": "Hi"}  # fmt: skip


async def test_pictures_are_shared_by_a_button_and_a_reply_puts_an_answer_right(
    tmp_path: Path,
) -> None:
    with opened(tmp_path / "log.db", cipher=PictureCipher(new_key())) as log:
        async with telegram(recorder=Recorder(log)) as api:
            asked = api.message("/settings", language="en")
            await api.answers(1)
            api.press(action(api, "Save my pictures"), api.said_to(asked), language="en")
            assert ENGLISH.settings_shared in (await api.answers(2))[-1]
            photo = api.photo(b"red", "What vehicle is it?")
            await api.answers(3)
            api.message("No, it's a bus", reply_to_message=api.said_to(photo))
            assert (await api.answers(4))[-1] == ENGLISH.corrected
        log.consent("x", "y").result(10)
        assert rows(log.path, "SELECT count(*) FROM shared") == [(1,)]
        assert rows(log.path, "SELECT good, correction FROM ratings") == [(0, "a bus")]
