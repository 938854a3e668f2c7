"""Who may use the bot, and how often."""

from __future__ import annotations

import pytest
from engine_stand_in import StandIn, open_photo, photo

from bot.assistant.assistant import Assistant
from bot.assistant.limits import Access, Limits, LimitSettings, RateLimit
from bot.assistant.locale.texts import ENGLISH
from bot.assistant.types import Incoming

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
