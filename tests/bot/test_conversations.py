"""Pictures and answers are kept for a while, and people take turns in each conversation."""

from __future__ import annotations

import asyncio
import gc
import weakref

import pytest
from engine_stand_in import Clock, photo, picture

from bot.assistant.conversations import (
    MAX_ANSWERS,
    Album,
    Answer,
    Conversations,
    Missing,
    TooManyWaitingError,
    TurnQueue,
)
from bot.assistant.types import Attachment, Conversation
from data.errors import ImageRefused

ANN = Conversation("telegram", "group", "ann")
BEN = Conversation("telegram", "group", "ben")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def conversations(clock: Clock) -> Conversations:
    return Conversations(clock=clock)


def album(*colours: str) -> Album:
    return Album([photo(colour) for colour in colours], len(colours) - 1)


def test_person_has_a_picture_for_an_hour_from_sending(
    conversations: Conversations, clock: Clock
) -> None:
    assert conversations.recall(ANN) is Missing.NEVER
    sent = album("red")
    conversations.remember(ANN, sent)
    clock.advance(3599)
    assert conversations.recall(ANN) is sent  # which does not prolong its life
    clock.advance(1)
    assert conversations.recall(ANN) is Missing.EXPIRED
    conversations.remember(ANN, sent)
    assert conversations.recall(ANN) is sent


def test_latest_picture_counts(conversations: Conversations, clock: Clock) -> None:
    conversations.remember(ANN, album("red"))
    clock.advance(3000)
    latest = album("blue")
    conversations.remember(ANN, latest)
    clock.advance(3000)
    assert conversations.recall(ANN) is latest
    assert len(conversations) == 1


def test_conversations_are_apart(conversations: Conversations) -> None:
    conversations.remember(ANN, album("red"))
    for other in (
        Conversation("telegram", "private", "ann"),
        Conversation("discord", "group", "ann"),
        Conversation("discord", "group", "ben"),
    ):
        assert conversations.recall(other) is Missing.NEVER


def test_what_others_showed_in_a_chat_is_theirs(conversations: Conversations, clock: Clock) -> None:
    anns, bens = album("red"), album("blue")
    conversations.remember(ANN, anns)
    assert conversations.recall(BEN) is Missing.NEVER
    assert conversations.owns(ANN, anns)
    assert not conversations.owns(BEN, anns)
    clock.advance(1800)
    conversations.remember(BEN, bens)
    assert conversations.recall(ANN) is anns
    clock.advance(1800)
    assert conversations.recall(ANN) is Missing.EXPIRED  # though Ben's is not
    assert conversations.recall(BEN) is bens


def test_forgetting_a_person_forgets_only_them(conversations: Conversations) -> None:
    home = Conversation("telegram", "home", "ann")
    bens = album("blue")
    conversations.remember(BEN, bens)
    conversations.remember(ANN, album("red"))
    conversations.remember(home, album("green"))
    conversations.forget("telegram", "ann", chat="home")
    assert conversations.recall(home) is Missing.NEVER
    assert isinstance(conversations.recall(ANN), Album)
    conversations.forget("discord", "ann")
    assert isinstance(conversations.recall(ANN), Album)
    conversations.forget("telegram", "ann")
    assert conversations.recall(ANN) is Missing.NEVER
    assert conversations.recall(BEN) is bens


def test_forgotten_person_leaves_no_trace_of_an_expired_picture(
    conversations: Conversations, clock: Clock
) -> None:
    conversations.remember(ANN, album("red"))
    clock.advance(4000)
    assert conversations.recall(ANN) is Missing.EXPIRED
    conversations.forget("telegram", "ann")
    assert conversations.recall(ANN) is Missing.NEVER
    assert "ann" not in repr(vars(conversations))


def test_any_access_frees_expired_pictures(conversations: Conversations, clock: Clock) -> None:
    opened = picture("red")
    watch = weakref.ref(opened)
    conversations.remember(ANN, Album([opened], 0))
    del opened
    clock.advance(3600)
    gc.collect()
    assert watch() is not None
    conversations.recall(Conversation("web", "x", "y"))
    gc.collect()
    assert watch() is None
    assert len(conversations) == 0


def test_least_recently_used_makes_room(clock: Clock) -> None:
    conversations = Conversations(conversations=2, clock=clock)
    cleo = Conversation("telegram", "group", "cleo")
    conversations.remember(ANN, album("red"))
    conversations.remember(BEN, album("blue"))
    conversations.recall(ANN)
    conversations.remember(cleo, album("green"))
    assert len(conversations) == 2
    assert conversations.owns(ANN, conversations.recall(ANN))  # type: ignore[arg-type]
    conversations.forget("telegram", "ann")
    conversations.forget("telegram", "cleo")
    assert conversations.recall(BEN) is Missing.EXPIRED


def test_bytes_are_bounded_and_opened_pictures_count(clock: Clock) -> None:
    conversations = Conversations(size=2000, clock=clock)
    first, second = album("red"), album("blue")
    conversations.remember(ANN, first)
    conversations.remember(BEN, second)
    assert len(conversations) == 2
    second.entries[0] = picture("blue", size=(30, 30))  # 2,700 bytes
    conversations.purge()
    assert conversations.recall(BEN) is second  # the newest stays, however large
    assert len(conversations) == 1
    assert Album([ImageRefused("x", "No.")], 0).bytes == 0
    assert Album([Attachment(b"123"), picture("red", (2, 1))], 1).bytes == 9


def test_flood_of_people_is_forgotten(clock: Clock) -> None:
    conversations = Conversations(conversations=5, clock=clock)
    for number in range(1000):
        conversations.remember(Conversation("telegram", f"chat {number}", "ann"), album("red"))
    assert len(conversations) == 5
    assert conversations.recall(Conversation("telegram", "chat 1", "ann")) is Missing.NEVER
    assert conversations.recall(Conversation("telegram", "chat 994", "ann")) is Missing.EXPIRED
    held = [getattr(conversations, name) for name in vars(conversations)]
    assert max(len(value) for value in held if hasattr(value, "__len__")) < 100


# --- the answer index -----------------------------------------------------------------------------


def digests(*colours: str) -> tuple[str, ...]:
    return tuple(picture(colour).digest for colour in colours)


def test_an_answer_is_known_for_as_long_as_a_picture_would_be(clock: Clock) -> None:
    conversations = Conversations(clock=clock)
    answer = Answer(ANN, "ann", "place", digests("red"), "Is it red?")
    conversations.note_answer("1", answer)
    clock.advance(3599)
    assert conversations.answer("1") == answer
    clock.advance(2)
    conversations.purge()
    assert conversations.answer("1") is None
    assert len(conversations._answers) == 0


def test_answers_are_bounded(conversations: Conversations) -> None:
    for number in range(MAX_ANSWERS + 10):
        conversations.note_answer(str(number), Answer(ANN, "ann", None))
    assert len(conversations._answers) == MAX_ANSWERS
    assert conversations.answer("0") is None
    assert conversations.answer(str(MAX_ANSWERS)) is not None


def test_who_forgets_leaves_no_answer_to_them_or_to_what_they_asked(
    conversations: Conversations,
) -> None:
    other = ANN._replace(chat="another")
    conversations.note_answer("1", Answer(ANN, "ann", None))
    conversations.note_answer("2", Answer(BEN, "ann", None, digests("red"), "Is it red?"))
    conversations.note_answer("3", Answer(BEN, "ben", None))
    conversations.note_answer("4", Answer(other, "ann", None))
    conversations.forget("telegram", "ann", "group")
    assert list(conversations._answers) == ["3", "4"]
    conversations.forget("telegram", "ann")
    assert list(conversations._answers) == ["3"]


def test_pictures_are_found_by_their_digests_whether_opened_or_not() -> None:
    mixed = Album([photo("red"), picture("green"), ImageRefused("x", "No."), photo("blue")], 0)
    assert mixed.find(digests("blue", "green", "white")) == [3, 1]


def test_what_a_message_would_mean_is_told_by_place(conversations: Conversations) -> None:
    shown = album("red", "green")
    shown.place = ("channel", 1)
    conversations.remember(ANN, shown)
    assert conversations.holds(ANN, ("channel", 1))
    assert conversations.holds(ANN, ("channel", 1), digests("green"))
    assert not conversations.holds(ANN, ("channel", 1), digests("green", "blue"))
    assert not conversations.holds(ANN, ("channel", 2))
    assert not conversations.holds(BEN, ("channel", 1))


# --- turns ----------------------------------------------------------------------------------------


async def test_same_conversation_in_order_others_at_once() -> None:
    turns = TurnQueue()
    log: list[str] = []
    go = asyncio.Event()

    async def speak(conversation: str, name: str) -> None:
        async with turns.of(conversation):
            log.append(f"{name} in")
            if conversation == "a":
                await go.wait()
            log.append(f"{name} out")

    tasks = [asyncio.create_task(speak("a", name)) for name in ("1", "2", "3")]
    tasks.append(asyncio.create_task(speak("b", "other")))
    for _ in range(5):
        await asyncio.sleep(0)
    assert log == ["1 in", "other in", "other out"]
    assert len(turns) == 1
    go.set()
    await asyncio.gather(*tasks)
    assert log[3:] == ["1 out", "2 in", "2 out", "3 in", "3 out"]
    assert len(turns) == 0


async def test_cancelled_waiter_and_holder_pass_the_turn_on() -> None:
    turns = TurnQueue()
    entered: list[int] = []

    async def speak(number: int) -> None:
        async with turns.of("a"):
            entered.append(number)
            await asyncio.sleep(3600 if number == 0 else 0)

    tasks = [asyncio.create_task(speak(number)) for number in range(3)]
    await asyncio.sleep(0)
    tasks[1].cancel()
    await asyncio.sleep(0)
    tasks[0].cancel()
    await asyncio.wait(tasks)
    assert entered == [0, 2]
    assert [task.cancelled() for task in tasks] == [True, True, False]
    assert len(turns) == 0


async def test_waiting_is_bounded_and_an_error_frees_the_turn() -> None:
    turns = TurnQueue(waiting=1)

    async def fail() -> None:
        async with turns.of("a"), turns.of("b"):
            await turns.of("a").__aenter__()

    for _ in range(2):  # the first left nothing behind
        with pytest.raises(TooManyWaitingError):
            await fail()
    assert len(turns) == 0
