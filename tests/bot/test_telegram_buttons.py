"""Buttons on Telegram: ratings in passing, other answers to the right question, languages."""

from __future__ import annotations

from engine_stand_in import StandIn
from fake_telegram import GROUP, FakeTelegram, Json, telegram

from bot.assistant.limits import Access
from bot.assistant.locale.german import GERMAN
from bot.assistant.locale.texts import ENGLISH
from bot.assistant.privacy import Recorder
from bot.assistant.types import Rating

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


async def test_who_is_not_on_the_list_may_choose_settings_and_nothing_else() -> None:
    async with telegram(access=Access(users=frozenset({"telegram:7"}))) as api:
        asked = api.photo(b"red", "/caption@glimpse_bot", chat=GROUP)
        await api.answers(1)
        api.press("/rate good " + "0" * 16, api.said_to(asked), user=8)
        await api.until(lambda: toasts(api))
        assert toasts(api) == [ENGLISH.not_allowed]
        api.message("/settings@glimpse_bot", chat=GROUP, user=8)
        assert (await api.answers(2))[1].startswith("I speak English with you")


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
