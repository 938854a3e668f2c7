"""Pictures are kept for an hour, within bounds, and really let go of."""

from __future__ import annotations

import gc
import weakref

import pytest
from engine_stand_in import Clock, photo, picture

from bot.assistant.conversations import Album, Conversation, Conversations, Missing
from bot.assistant.types import Attachment
from data.errors import ImageRefused

ANN = Conversation("telegram", "group", "ann")
BEN = Conversation("telegram", "group", "ben")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def memory(clock: Clock) -> Memory:
    return Conversations(clock=clock)


def album(*colours: str) -> Album:
    return Album([photo(colour) for colour in colours], len(colours) - 1)


def test_person_has_a_picture_for_an_hour_from_sending(memory: Memory, clock: Clock) -> None:
    assert memory.recall(ANN) is Missing.NEVER
    sent = album("red")
    memory.remember(ANN, sent)
    clock.advance(3599)
    assert memory.recall(ANN) is sent  # which does not prolong its life
    clock.advance(1)
    assert memory.recall(ANN) is Missing.EXPIRED
    memory.remember(ANN, sent)
    assert memory.recall(ANN) is sent


def test_latest_picture_counts(memory: Memory, clock: Clock) -> None:
    memory.remember(ANN, album("red"))
    clock.advance(3000)
    latest = album("blue")
    memory.remember(ANN, latest)
    clock.advance(3000)
    assert memory.recall(ANN) is latest
    assert len(memory) == 1


def test_conversations_are_apart(memory: Memory) -> None:
    memory.remember(ANN, album("red"))
    for other in (
        Conversation("telegram", "private", "ann"),
        Conversation("discord", "group", "ann"),
        Conversation("discord", "group", "ben"),
    ):
        assert memory.recall(other) is Missing.NEVER


def test_own_picture_comes_before_the_chats_last(memory: Memory) -> None:
    anns, bens, anns_new = album("red"), album("blue"), album("green")
    memory.remember(ANN, anns)
    assert memory.recall(BEN) is anns
    assert not memory.owns(BEN, anns)
    assert memory.owns(ANN, anns)
    memory.remember(BEN, bens)
    memory.remember(ANN, anns_new)
    assert memory.recall(BEN) is bens
    assert memory.recall(Conversation("telegram", "group", "cleo")) is anns_new


def test_chats_last_expires_too(memory: Memory, clock: Clock) -> None:
    memory.remember(BEN, album("blue"))
    clock.advance(1800)
    anns = album("red")
    memory.remember(ANN, anns)
    clock.advance(1800)
    assert memory.recall(BEN) is anns  # their own is gone, the chat's is not
    clock.advance(1800)
    assert memory.recall(BEN) is Missing.EXPIRED
    assert memory.recall(Conversation("telegram", "group", "cleo")) is Missing.EXPIRED


def test_forgetting_a_person_forgets_only_them(memory: Memory) -> None:
    home = Conversation("telegram", "home", "ann")
    bens = album("blue")
    memory.remember(BEN, bens)
    memory.remember(ANN, album("red"))
    memory.remember(home, album("green"))
    memory.forget("telegram", "ann", chat="home")
    assert memory.recall(home) is Missing.NEVER
    assert isinstance(memory.recall(ANN), Album)
    memory.forget("discord", "ann")
    assert isinstance(memory.recall(ANN), Album)
    memory.forget("telegram", "ann")
    assert memory.recall(ANN) is Missing.NEVER
    assert memory.recall(BEN) is bens


def test_forgotten_person_leaves_no_trace_of_an_expired_picture(
    memory: Memory, clock: Clock
) -> None:
    memory.remember(ANN, album("red"))
    clock.advance(4000)
    assert memory.recall(ANN) is Missing.EXPIRED
    memory.forget("telegram", "ann")
    assert memory.recall(ANN) is Missing.NEVER
    assert "ann" not in repr(vars(memory))


def test_any_access_frees_expired_pictures(memory: Memory, clock: Clock) -> None:
    opened = picture("red")
    watch = weakref.ref(opened)
    memory.remember(ANN, Album([opened], 0))
    del opened
    clock.advance(3600)
    gc.collect()
    assert watch() is not None
    memory.recall(Conversation("web", "x", "y"))
    gc.collect()
    assert watch() is None
    assert len(memory) == 0


def test_least_recently_used_makes_room(clock: Clock) -> None:
    memory = Conversations(conversations=2, clock=clock)
    cleo = Conversation("telegram", "group", "cleo")
    memory.remember(ANN, album("red"))
    memory.remember(BEN, album("blue"))
    memory.recall(ANN)
    memory.remember(cleo, album("green"))
    assert len(memory) == 2
    assert memory.owns(ANN, memory.recall(ANN))  # type: ignore[arg-type]
    memory.forget("telegram", "ann")
    memory.forget("telegram", "cleo")
    assert memory.recall(BEN) is Missing.EXPIRED


def test_bytes_are_bounded_and_opened_pictures_count(clock: Clock) -> None:
    memory = Conversations(size=2000, clock=clock)
    first, second = album("red"), album("blue")
    memory.remember(ANN, first)
    memory.remember(BEN, second)
    assert len(memory) == 2
    second.entries[0] = picture("blue", size=(30, 30))  # 2,700 bytes
    memory.purge()
    assert memory.recall(BEN) is second  # the newest stays, however large
    assert len(memory) == 1
    assert Album([ImageRefused("x", "No.")], 0).bytes == 0
    assert Album([Attachment(b"123"), picture("red", (2, 1))], 1).bytes == 9


def test_flood_of_people_is_forgotten(clock: Clock) -> None:
    memory = Conversations(conversations=5, clock=clock)
    for number in range(1000):
        memory.remember(Conversation("telegram", f"chat {number}", "ann"), album("red"))
    assert len(memory) == 5
    assert memory.recall(Conversation("telegram", "chat 1", "ann")) is Missing.NEVER
    assert memory.recall(Conversation("telegram", "chat 994", "ann")) is Missing.EXPIRED
    held = [getattr(memory, name) for name in vars(memory)]
    assert max(len(value) for value in held if hasattr(value, "__len__")) < 100
