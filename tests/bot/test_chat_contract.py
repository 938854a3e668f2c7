"""What the bot does on every chat platform, in one suite over both fakes."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from chat_platforms import BEN, ChatPlatform, on
from discord_world import slow
from engine_stand_in import Said, StandIn
from log_helpers import opened, rows

from bot import platforms
from bot.assistant.inference import LONG_QUEUE
from bot.assistant.limits import Access, Limits, LimitSettings, RateLimit
from bot.assistant.locale.german import GERMAN
from bot.assistant.locale.texts import ENGLISH
from bot.assistant.privacy import Recorder
from bot.assistant.types import Rating
from bot.log.privacy import PictureCipher, new_key
from data.images.open import open_picture

COLOUR = "What colour is it?"
RED, BLUE = ("red", COLOUR), ("blue", COLOUR)
Chats = Callable[..., AbstractAsyncContextManager[ChatPlatform]]


@pytest.fixture(params=["telegram", "discord"])
def chats(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Chats:
    """Starts the bot on a platform."""
    return partial(on, request.param, monkeypatch)


def captioned(colour: str) -> str:
    return f"A {colour} square.\n\n{ENGLISH.invite}"


# --- questions and pictures -----------------------------------------------------------------------


@pytest.mark.parity("a caption of a photo", "Telegram", "Discord")
@pytest.mark.parity("more questions without sending it again", "Telegram", "Discord")
async def test_a_photo_gets_a_caption_and_follow_ups_need_no_photo(chats: Chats) -> None:
    async with chats() as chat:
        await chat.say("", "blue")
        await chat.says(captioned("blue"))
        await chat.say(COLOUR)
        await chat.says(captioned("blue"), "Blue.")


@pytest.mark.parity("an answer to a question about it", "Telegram", "Discord")
async def test_words_with_a_photo_are_the_question(chats: Chats) -> None:
    async with chats() as chat:
        await chat.say(COLOUR, "red")
        await chat.says("Red.")


@pytest.mark.parity("several pictures, answered together by their numbers", "Telegram", "Discord")
async def test_several_pictures_are_answered_by_their_numbers(chats: Chats) -> None:
    async with chats() as chat:
        await chat.say("What colour is each?", "red", "green", "blue")
        await chat.says("1. Red.\n2. Green.\n3. Blue.")
        await chat.say("And what colour is picture 2?")
        await chat.says("1. Red.\n2. Green.\n3. Blue.", "Green.")


@pytest.mark.parity("images as files, HEIC too", "Telegram", "Discord")
@pytest.mark.parametrize("name", ["a.png", "IMG_1.HEIC", "a.jfif", "scan"])
async def test_an_image_sent_as_a_file_is_a_picture(chats: Chats, name: str) -> None:
    async with chats() as chat:
        await chat.say(COLOUR, files=[(name, b"green")])
        await chat.says("Green.")
        await chat.say(COLOUR, "red", files=[("a.mp3", b"")])
        await chat.says("Green.", f"Red.\n\n{ENGLISH.no_picture_file}")


async def test_what_is_no_picture_is_said_so(chats: Chats) -> None:
    async with chats(open_picture=open_picture) as chat:
        await chat.say("What is this?", files=[("paper.pdf", b"%PDF")])
        await chat.says(ENGLISH.no_picture_file)
        await chat.say("", files=[("a.jpg", b"%PDF-1.7\n" * 99)])
        await chat.until(lambda: len(chat.texts) == 2)
        assert chat.texts[1].startswith("This is a PDF, not a picture")


@pytest.mark.parity("silence in groups unless it is meant", "Telegram", "Discord")
async def test_in_a_group_it_is_silent_unless_it_is_meant(chats: Chats) -> None:
    async with chats() as chat:
        await chat.say("What is this?", "blue", called=False)
        await chat.say(COLOUR, called=False)
        await chat.say("Hello @somebody", called=False, by=BEN)
        await asyncio.sleep(0.2)
        assert chat.texts == []
        await chat.say(COLOUR, "red")
        await chat.says("Red.")
        await chat.say(COLOUR, to=chat.answer(0), called=False)  # a reply means it, too
        await chat.says("Red.", "Red.")


@pytest.mark.parity("somebody else's picture, by a reply", "Telegram", "Discord")
async def test_it_can_be_asked_about_a_picture_of_somebody_else(chats: Chats) -> None:
    async with chats() as chat:
        theirs = await chat.say("Mine", "green", by=BEN, called=False)
        await chat.say("Another", "blue", by=BEN, called=False)
        await chat.say(COLOUR, to=theirs)
        await chat.says("Green.")


async def test_a_reply_is_about_the_pictures_of_the_answer(chats: Chats) -> None:
    engine = StandIn()
    async with chats(engine) as chat:
        await chat.say("/caption", "red")
        await chat.say(COLOUR)
        await chat.say(COLOUR, "blue")
        await chat.says("A red square.", "Red.", "Blue.")
        fetched = chat.fetched
        await chat.say("Is it red?", to=chat.answer(1))
        await chat.says("A red square.", "Red.", "Blue.", "Red.")
        await chat.say(COLOUR, to=chat.answer(0))
        await chat.says("A red square.", "Red.", "Blue.", "Red.", "Red.")
        assert chat.fetched == fetched + 1  # once, for then it is the last picture again


async def test_a_reply_is_about_the_one_of_several_pictures_that_was_answered(chats: Chats) -> None:
    engine = StandIn()
    async with chats(engine) as chat:
        await chat.say("", "red", "green")
        await chat.say("What colour is picture 1?")
        await chat.say("What colour is picture 2?")
        said = await chat.first()
        await chat.says(said, "Red.", "Green.")
        await chat.say(COLOUR, to=chat.answer(1))
        await chat.says(said, "Red.", "Green.", "Red.")


@pytest.mark.parity("an edited question changes its answer", "Telegram", "Discord")
async def test_an_edited_question_changes_its_answer_in_place(chats: Chats) -> None:
    engine = StandIn()
    async with chats(engine) as chat:
        asked = await chat.say("hello there", "blue")
        await chat.says(captioned("blue"))
        await chat.edit(asked, COLOUR)
        await chat.says("Blue.")
        await chat.edit(asked, COLOUR)  # something else was changed
        await chat.says("Blue.")
        assert len(engine.asked) == 2


@pytest.mark.parametrize("stalling", [False, True])
@pytest.mark.parametrize("reads", [1, 2])
async def test_a_file_is_fetched_again_and_then_given_up(
    chats: Chats, monkeypatch: pytest.MonkeyPatch, reads: int, stalling: bool
) -> None:
    async with chats() as chat:
        if stalling:
            monkeypatch.setattr(platforms, "FETCH_TIMEOUT", 0.1)
        chat.fail_files(reads, stalling=stalling)
        await chat.say(COLOUR, "blue")
        await chat.says("Blue." if reads == 1 else ENGLISH.fetch_failed)


async def test_a_big_file_is_refused_unread(chats: Chats, monkeypatch: pytest.MonkeyPatch) -> None:
    async with chats() as chat:
        monkeypatch.setattr(platforms, "LARGEST", 4)
        await chat.say("", "green")
        await chat.says(ENGLISH.file_too_big)
        assert chat.fetched == 0


async def test_words_mean_nothing_else_and_are_read_from_right_to_left(chats: Chats) -> None:
    engine = StandIn(answer=lambda picture, question: Said("a sign that says קפה חם"))
    async with chats(engine) as chat:
        await chat.say("", "blue")
        await chat.say("ما هذا؟")
        said = "A sign that says קפה חם."
        await chat.says(f"{said}\n\n{ENGLISH.invite}", ENGLISH.foreign)
        await chat.say(f"\u202e{COLOUR}\u202c")
        await chat.says(f"{said}\n\n{ENGLISH.invite}", ENGLISH.foreign, said)


# --- buttons --------------------------------------------------------------------------------------


async def test_an_answer_offers_a_caption_a_verdict_and_another_answer(chats: Chats) -> None:
    async with chats() as chat:
        await chat.say(COLOUR, "red")
        await chat.says("Red.")
        names = [each.partition(" ")[0] for each in chat.actions(0)]
        assert names == ["/caption", "/rate", "/rate", "/retry"]
        await chat.say("hello")
        await chat.says("Red.", ENGLISH.hello_again)
        assert chat.actions(1) == []


@pytest.mark.parity("a button for a caption", "Telegram", "Discord")
async def test_a_button_means_the_picture_that_its_answer_was_about(chats: Chats) -> None:
    async with chats() as chat:
        await chat.say(COLOUR, "red")
        await chat.says("Red.")
        await chat.say(COLOUR, "blue")
        await chat.says("Red.", "Blue.")
        await chat.press(0, "/caption")
        await chat.says("Red.", "Blue.", "A red square.")


@pytest.mark.parity("another answer: Try again, `/retry`", "Telegram", "Discord")
async def test_trying_again_gives_other_answers_to_the_same_question(chats: Chats) -> None:
    engine = StandIn()
    async with chats(engine) as chat:
        asked = await chat.say(COLOUR, "red")
        await chat.says("Red.")
        for count in (2, 3):  # pressed on the same answer
            await chat.press(0, "/retry")
            await chat.says(*["Red."] * count)
        await chat.press(2, "/retry")
        await chat.says(*["Red."] * 4)
        assert engine.asked == [RED] * 4
        assert engine.ranks == [0, 1, 2, 3]
        assert chat.fetched == 1
        # An edit of the question changes the first answer, and what is tried again there.
        await chat.edit(asked, "/caption")
        await chat.says("A red square.", *["Red."] * 3)
        await chat.press(0, "/retry")
        await chat.says("A red square.", *["Red."] * 3, "A red square.")
        assert (engine.asked[-1], engine.ranks[-1]) == (("red", None), 1)


async def test_an_old_answer_is_tried_again_about_its_own_picture_and_question(
    chats: Chats,
) -> None:
    engine = StandIn()
    async with chats(engine) as chat:
        said = []
        for text, *shown in ((COLOUR, "red"), ("Is it red?",), ("Is it blue?", "blue")):
            await chat.say(text, *shown)
            said.append("Blue." if shown == ["blue"] else "Red.")
            await chat.says(*said)
        for number, fetched in ((0, 3), (0, 3), (1, 3)):  # its picture is the last one again
            await chat.press(number, "/retry")
            said.append("Red.")
            await chat.says(*said)
            assert chat.fetched == fetched
        assert engine.asked[3:] == [RED, RED, ("red", "Is it red?")]
        assert engine.ranks[3:] == [1, 2, 1]
        await chat.press(0, "/caption")
        await chat.says(*said, "A red square.")
        await chat.press(6, "/retry")
        await chat.says(*said, "A red square.", "A red square.")
        assert (engine.asked[-1], engine.ranks[-1]) == (("red", None), 1)


async def test_of_several_pictures_those_that_were_answered_are_looked_at_again(
    chats: Chats,
) -> None:
    engine = StandIn()
    async with chats(engine) as chat:
        await chat.say("What do you see?", "red", "blue")
        both = "1. A red square.\n2. A blue square."
        await chat.says(both)
        await chat.say("Is picture 1 red?")
        await chat.says(both, "Red.")
        for count in (1, 2):
            await chat.press(0, "/retry")
            await chat.says(both, "Red.", *[both] * count)
        assert engine.ranks == [0, 0, 0, 1, 1, 2, 2]
        await chat.say("Is it green?", "green")
        await chat.says(both, "Red.", both, both, "Green.")
        await chat.press(1, "/retry")
        await chat.says(both, "Red.", both, both, "Green.", "Red.")
        assert (engine.asked[-1], engine.ranks[-1]) == (("red", "Is the picture red?"), 1)
        await chat.press(1, "/caption")
        await chat.says(both, "Red.", both, both, "Green.", "Red.", "A red square.")


@pytest.mark.parametrize("words", ["", "Hello", "Look at my cat"])
async def test_a_caption_nobody_asked_for_is_tried_again_as_one(chats: Chats, words: str) -> None:
    engine = StandIn()
    async with chats(engine) as chat:
        await chat.say(words, "red")
        await chat.say("Is it blue?", "blue")
        await chat.says(captioned("red"), "Blue.")
        await chat.press(0, "/retry")
        await chat.says(captioned("red"), "Blue.", "A red square.")
        assert engine.ranks == [0, 0, 1]


async def test_retry_can_be_written_and_may_reply_to_an_answer(chats: Chats) -> None:
    engine = StandIn()
    async with chats(engine) as chat:
        await chat.say("/retry")
        await chat.says(chat.no_picture)
        await chat.say(COLOUR, "red")
        await chat.say("/retry")
        await chat.say(COLOUR, "blue")
        await chat.says(chat.no_picture, "Red.", "Red.", "Blue.")
        await chat.say("/retry", to=chat.answer(2))
        await chat.says(chat.no_picture, "Red.", "Red.", "Blue.", "Red.")
        assert engine.asked == [RED, RED, BLUE, RED]
        assert engine.ranks == [0, 1, 0, 1]


async def test_another_person_may_try_again_and_is_answered_too(chats: Chats) -> None:
    engine = StandIn()
    async with chats(engine) as chat:
        await chat.say(COLOUR, "blue")
        await chat.says("Blue.")
        await chat.press(0, "/retry", BEN)
        await chat.says("Blue.", "Blue.")
        assert engine.ranks == [0, 1]
        await chat.say(COLOUR, "red", by=BEN)
        await chat.says("Blue.", "Blue.", "Red.")
        await chat.press(0, "/retry", BEN)
        await chat.says("Blue.", "Blue.", "Red.", "Blue.")
        assert engine.asked[-1] == BLUE


async def test_after_a_restart_the_question_is_found_in_the_message_that_asked_it(
    chats: Chats,
) -> None:
    engine = StandIn()
    async with chats(engine) as chat:
        await chat.say(COLOUR, "blue")
        await chat.say("", "red")
        await chat.says("Blue.", captioned("red"))
        await chat.restart()
        await chat.press(0, "/retry")
        await chat.says("Blue.", captioned("red"), "Blue.")
        await chat.press(1, "/retry")
        await chat.says("Blue.", captioned("red"), "Blue.", "A red square.")
        assert engine.asked[2:] == [BLUE, ("red", None)]
        assert engine.ranks[2:] == [1, 1]
        await chat.press(0, "/caption")
        await chat.says("Blue.", captioned("red"), "Blue.", "A red square.", "A blue square.")


async def test_buttons_of_earlier_versions_work(chats: Chats) -> None:
    """They carry the commands of today, without the id of the answer that they are under."""
    async with chats() as chat:
        await chat.say(COLOUR, "blue")
        await chat.says("Blue.")
        actions = chat.actions(0)
        assert (actions[0], actions[3]) == ("/caption", "/retry")
        assert actions[1].startswith("/rate good ")
        assert len(actions[1]) == len("/rate good ") + 16


async def test_what_a_person_asked_is_forgotten_on_request(chats: Chats) -> None:
    engine = StandIn()
    async with chats(engine) as chat:
        await chat.say(COLOUR, "red")
        await chat.says("Red.")
        await chat.press(0, "/retry", BEN)
        await chat.say(COLOUR, "blue", by=BEN)
        await chat.says("Red.", "Red.", "Blue.")
        index = chat.assistant._conversations._answers
        assert len(index) == 3
        await chat.say("/forget")
        await chat.says("Red.", "Red.", "Blue.", ENGLISH.forgotten)
        # Nor is kept what another person tried again.
        assert [answer.conversation.user for answer in index.values()] == [
            answer.asked_by for answer in index.values()
        ]
        assert len(index) == 1
        await chat.press(0, "/retry")  # the platform still has what they wrote
        await chat.says("Red.", "Red.", "Blue.", ENGLISH.forgotten, "Red.")
        assert engine.ranks == [0, 1, 0, 1]


async def test_an_impatient_press_gives_one_answer(chats: Chats) -> None:
    engine = StandIn()
    async with chats(engine) as chat:
        await chat.say(COLOUR, "red")
        await chat.says("Red.")
        async with slow(engine):
            await chat.press_at_once(0, "/retry", 3)
        await chat.says("Red.", "Red.")
        assert engine.ranks == [0, 1]


@pytest.mark.parity("👍 and 👎", "Telegram", "Discord")
async def test_a_rating_is_thanked_for_in_passing_and_costs_no_look(chats: Chats) -> None:
    ratings: list[Rating] = []
    recorder = Recorder()
    recorder.rate = ratings.append  # type: ignore[method-assign]
    async with chats(recorder=recorder) as chat:
        await chat.say(COLOUR, "red")
        await chat.says("Red.")
        fetched = chat.fetched
        for verdict in ("bad", "good"):
            await chat.press(0, f"/rate {verdict}")
        await chat.restart()
        await chat.press(0, "/rate good", BEN)
        await chat.tells(*[ENGLISH.rated] * 3)
        assert [rating.good for rating in ratings] == [False, True, True]
        assert {rating.number for rating in ratings} == {chat.actions(0)[1].split()[-1]}
        assert chat.fetched == fetched
        assert chat.texts == ["Red."]


async def test_pictures_are_shared_by_a_button_and_a_reply_puts_its_answer_right(
    chats: Chats, tmp_path: Path
) -> None:
    with opened(tmp_path / "log.db", cipher=PictureCipher(new_key())) as log:
        async with chats(recorder=Recorder(log)) as chat:
            await chat.say("/settings")
            await chat.first()
            await chat.press(0, "/settings pictures on")
            told = lambda: "".join((*chat.texts, *chat.private))  # noqa: E731
            await chat.until(lambda: ENGLISH.settings_shared in told())
            settings = chat.texts[0]
            await chat.say("What is it on?", "green")
            await chat.say(COLOUR)
            await chat.says(settings, "Green.", "Green.")
            await chat.say("No, it's a bus", to=chat.answer(1))
            await chat.says(settings, "Green.", "Green.", ENGLISH.corrected)
        log.consent("x", "y").result(10)
        assert rows(log.path, "SELECT count(*) FROM shared") == [(1,)]
        sql = "SELECT question, correction FROM ratings JOIN exchanges USING (number)"
        assert rows(log.path, sql) == [("What is it on?", "a bus")]


# --- settings, limits, waiting --------------------------------------------------------------------


@pytest.mark.parity("`/settings`", "Telegram", "Discord")
@pytest.mark.parity("German", "Telegram", "Discord")
async def test_who_chooses_german_is_spoken_to_in_german(chats: Chats) -> None:
    async with chats() as chat:
        await chat.say("/settings")
        await chat.first()
        assert chat.actions(0) == ["/settings en", "/settings de"]
        await chat.press(0, "/settings de")
        await chat.until(lambda: GERMAN.settings_chosen in (*chat.texts, *chat.private))
        await chat.say("hello")
        await chat.say("hello", by=BEN)
        await chat.says(chat.texts[0], GERMAN.hello, ENGLISH.hello)
        await chat.says(chat.texts[0], GERMAN.hello, ENGLISH.hello)


@pytest.mark.parity("German", "Telegram", "Discord")
async def test_captions_are_german_where_the_chat_is(chats: Chats) -> None:
    async with chats() as chat:
        await chat.say("/settings")
        await chat.first()
        await chat.press(0, "/settings de")
        await chat.until(lambda: GERMAN.settings_chosen in (*chat.texts, *chat.private))
        await chat.say("", "red")
        await chat.until(lambda: chat.texts[-1] == f"Ein rotes Quadrat.\n\n{GERMAN.invite}")
        await chat.press(len(chat.texts) - 1, "/retry")
        await chat.until(lambda: chat.texts[-1] == "Ein rotes Quadrat.")
        await chat.say("/caption", "blue", "green")
        both = "1. Ein blaues Quadrat.\n2. Ein grünes Quadrat."
        await chat.until(lambda: chat.texts[-1] == both)


@pytest.mark.parity("`/forget`, `/privacy`", "Telegram", "Discord")
async def test_privacy_is_told_and_forgetting_forgets(chats: Chats) -> None:
    async with chats() as chat:
        await chat.say("/caption", "blue")
        await chat.say("/privacy")
        await chat.say("/forget")
        await chat.say(COLOUR)
        told = ENGLISH.privacy.format(time="an hour")
        await chat.says("A blue square.", told, ENGLISH.forgotten, chat.no_picture)


async def test_who_is_not_on_the_list_has_nothing_fetched(chats: Chats) -> None:
    async with chats(access=Access(frozenset({"telegram:1", "discord:1"}))) as chat:
        for _ in range(4):
            await chat.say("", "red")
        await chat.say("", "red", by=BEN)
        ann, ben = chat.not_allowed(), chat.not_allowed(BEN)
        await chat.says(ann, ann, ben)  # two to each are enough
        assert chat.fetched == 0


async def test_a_flood_by_one_person_leaves_others_their_answers(chats: Chats) -> None:
    limits = Limits(LimitSettings(default=RateLimit(5, 50)))
    async with chats(limits=limits) as chat:
        for _ in range(12):
            await chat.say("", "blue")
        await chat.say(COLOUR, "red", by=BEN)
        await chat.until(lambda: "Red." in chat.texts and chat.texts.count(captioned("blue")) == 5)
        assert chat.texts.count(captioned("blue")) == 5
        assert len(chat.texts) <= 5 + 1 + 2  # and two that told to wait


@pytest.mark.parity("how many are before you, if many are", "Telegram", "Discord")
async def test_a_message_tells_of_the_queue_and_becomes_the_answer(chats: Chats) -> None:
    engine = StandIn(ahead=LONG_QUEUE, held=True)
    queued = ENGLISH.queued.format(number=LONG_QUEUE)
    async with chats(engine) as chat:
        asking = asyncio.ensure_future(chat.say(COLOUR, "red"))
        for edited in (False, True):
            await chat.until(lambda: chat.texts == [queued])
            assert chat.actions(0) == []
            engine.release()
            asked = await asking
            await chat.says("A red square." if edited else "Red.")
            assert chat.actions(0)
            if not edited:
                asking = asyncio.ensure_future(chat.edit(asked, "/caption"))


# --- the way of a question ------------------------------------------------------------------------


async def test_a_photo_with_a_question_reaches_the_engine_by_few_functions(chats: Chats) -> None:
    ways: list[list[str]] = []

    class Watching(StandIn):
        def submit(self, *asked: Any, **how: Any) -> Any:
            ways.append(our_frames())
            return super().submit(*asked, **how)

    async with chats(Watching()) as chat:
        await chat.say(COLOUR, "red")
        await chat.says("Red.")
    (way,) = ways
    assert len(way) <= 6, way


def our_frames() -> list[str]:
    """Functions of this project that are being run, the innermost first."""
    root = str(Path(platforms.__file__).parent)
    frame, found = sys._getframe(2), []
    while frame:
        if frame.f_code.co_filename.startswith(root):
            found.append(f"{Path(frame.f_code.co_filename).name}:{frame.f_code.co_name}")
        frame = frame.f_back  # type: ignore[assignment]
    return found
