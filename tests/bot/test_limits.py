"""Who may ask, how often, and how often the same is said."""

from __future__ import annotations

import pytest
from engine_stand_in import Clock, StandIn, open_photo, photo

from bot.assistant.assistant import Assistant
from bot.assistant.limits import (
    DAY,
    REPEAT_SECONDS,
    Access,
    Limits,
    LimitSettings,
    RateLimit,
    RepeatThrottle,
    Wait,
)
from bot.assistant.locale.texts import ENGLISH
from bot.assistant.types import Incoming


@pytest.fixture
def clock() -> Clock:
    return Clock()


def told(wait: Wait | None) -> tuple[float, bool]:
    assert wait is not None
    return round(wait.seconds, 6), wait.daily


def test_five_at_once_then_one_every_twelve_seconds(clock: Clock) -> None:
    limits = Limits(clock=clock)
    assert [limits.take("telegram", "ann") for _ in range(5)] == [None] * 5
    wait = limits.take("telegram", "ann")
    assert told(wait) == (12.0, False)
    clock.advance(11.9)
    assert limits.take("telegram", "ann") is not None
    clock.advance(0.1)
    assert limits.take("telegram", "ann") is None
    assert limits.take("telegram", "ann") is not None


def test_one_persons_use_is_not_anothers(clock: Clock) -> None:
    limits = Limits(clock=clock)
    for _ in range(6):
        limits.take("telegram", "ann")
    assert limits.take("telegram", "ben") is None
    assert limits.take("discord", "ann") is None


def test_fifty_a_day(clock: Clock) -> None:
    limits = Limits(clock=clock)
    answered = 0
    for _ in range(60):
        clock.advance(12)
        answered += limits.take("telegram", "ann") is None
    assert answered == 50
    wait = limits.take("telegram", "ann")
    assert wait is not None
    assert wait.daily
    assert 0 < wait.seconds <= DAY / 50
    clock.advance(wait.seconds)
    assert limits.take("telegram", "ann") is None
    clock.advance(DAY)
    results = [limits.take("telegram", "ann") for _ in range(6)]
    assert results[:5] == [None] * 5
    assert told(results[5]) == (12.0, False)


def test_a_refusal_costs_nothing_and_a_failure_is_given_back(clock: Clock) -> None:
    limits = Limits(clock=clock)
    for _ in range(100):
        limits.take("telegram", "ann")
    clock.advance(12)
    assert limits.take("telegram", "ann") is None
    limits.give_back("telegram", "ann")
    assert limits.take("telegram", "ann") is None
    limits.give_back("telegram", "nobody")
    assert limits.take("telegram", "ann") is not None


def test_giving_back_never_saves_up(clock: Clock) -> None:
    limits = Limits(clock=clock)
    limits.take("telegram", "ann")
    for _ in range(9):
        limits.give_back("telegram", "ann")
    assert [limits.take("telegram", "ann") is None for _ in range(6)] == [True] * 5 + [False]


@pytest.mark.parametrize("platform", ["web", "cli"])
def test_local_use_is_unlimited_by_default(platform: str, clock: Clock) -> None:
    limits = Limits(clock=clock)
    assert all(limits.take(platform, "ann") is None for _ in range(500))
    assert len(limits) == 0


def test_rates_are_settings(clock: Clock) -> None:
    settings = LimitSettings(
        rates={"web": RateLimit(None, 2), "discord": RateLimit(1, None), "cli": RateLimit(0, None)}
    )
    limits = Limits(settings, clock=clock)
    assert [limits.take("web", "ann") is None for _ in range(3)] == [True, True, False]
    assert [limits.take("discord", "ann") is None for _ in range(2)] == [True, False]
    assert limits.take("cli", "ann") == Wait(DAY, daily=False)


def test_people_at_rest_are_forgotten(clock: Clock) -> None:
    limits = Limits(clock=clock)
    for number in range(50):
        limits.take("telegram", str(number))
    assert len(limits) == 50
    clock.advance(DAY / 50)
    limits.take("telegram", "ann")
    assert len(limits) == 1


def test_people_are_bounded_the_longest_unseen_going_first(clock: Clock) -> None:
    limits = Limits(LimitSettings(people=3), clock=clock)
    for name in ("ann", "ben"):
        for _ in range(5):
            limits.take("telegram", name)
    limits.take("telegram", "ann")
    for name in ("cleo", "dan"):
        limits.take("telegram", name)
    assert len(limits) == 3
    assert limits.take("telegram", "ann") is not None
    assert limits.take("telegram", "ben") is None


LISTED = Access(
    users=frozenset({"telegram:1"}),
    chats=frozenset({"telegram:-100"}),
    admins=frozenset({"telegram:9"}),
)


@pytest.mark.parametrize(
    ("platform", "user", "chat", "allowed"),
    [
        ("telegram", "1", "1", True),
        ("telegram", "2", "2", False),
        ("telegram", "2", "-100", True),
        ("telegram", "2", "-100/5", True),
        ("telegram", "2", "-1001", False),
        ("telegram", "9", "9", True),
        ("discord", "2", "2", True),  # there is no list for Discord
        ("web", "2", "2", True),
    ],
)
def test_lists(platform: str, user: str, chat: str, allowed: bool) -> None:
    assert LISTED.allows(platform, user, chat) is allowed
    assert Access().allows(platform, user, chat)
    assert Access(admins=frozenset({"telegram:9"})).allows(platform, user, chat)


async def test_who_is_not_on_the_list_is_told_so_and_costs_nothing() -> None:
    engine = StandIn()
    assistant = Assistant(engine, open_picture=open_photo, access=LISTED)
    reply = await assistant.handle(Incoming("telegram", "2", "2", pictures=(photo("red"),)))
    assert reply is not None
    assert (reply.text, reply.error) == (ENGLISH.not_allowed, True)
    unasked = Incoming("telegram", "-5", "2", pictures=(photo("red"),), addressed=False)
    assert await assistant.handle(unasked) is None
    assert not engine.asked
    # Nor is their picture kept for somebody who may ask.
    reply = await assistant.handle(Incoming("telegram", "-5", "1", "What colour is it?"))
    assert reply is not None
    assert reply.text == ENGLISH.no_picture


async def test_admins_are_not_counted() -> None:
    limits = Limits(LimitSettings(default=RateLimit(1, 1)))
    assistant = Assistant(StandIn(), open_picture=open_photo, access=LISTED, limits=limits)
    for user, answered in (("9", 3), ("1", 1)):
        replies = [
            await assistant.handle(Incoming("telegram", user, user, pictures=(photo("red"),)))
            for _ in range(3)
        ]
        assert sum(not reply.error for reply in replies if reply) == answered


def test_what_was_said_is_said_again_later() -> None:
    clock = Clock()
    refusals = RepeatThrottle(clock)
    said = [refusals.repeats("ann", f"Wait {second} seconds.") for second in (9, 8, 7)]
    assert said == [False, False, True]
    assert not refusals.repeats("ann", "Something else.")
    assert not refusals.repeats("ben", "Wait 6 seconds.")
    clock.advance(REPEAT_SECONDS)
    assert not refusals.repeats("ann", "Wait 5 seconds.")
    refusals.clear("ann")
    assert not refusals.repeats("ann", "Wait 5 seconds.")
