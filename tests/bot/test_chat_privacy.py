"""What people may ask about what is kept of them on every platform, and that nobody is named."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path

import pytest
from chat_platforms import ANN, BEN, ChatPlatform, OnTelegram, on
from log_helpers import opened, rows

from bot.assistant.intents import read_intent
from bot.assistant.limits import Access
from bot.assistant.locale.texts import ENGLISH
from bot.assistant.privacy import Recorder
from bot.assistant.text import clean

Chats = Callable[..., AbstractAsyncContextManager[ChatPlatform]]


@pytest.fixture(params=["telegram", "discord"])
def chats(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Chats:
    """Starts the bot on a platform."""
    return partial(on, request.param, monkeypatch)


async def test_nobody_is_named_on_disk(chats: Chats, tmp_path: Path) -> None:
    with opened(tmp_path / "log.db") as log:
        async with chats(recorder=Recorder(log)) as chat:
            friend = "@zoe_miller" if isinstance(chat, OnTelegram) else chat.world.ben.mention
            questions = (
                f"is {friend} in this picture?",
                f"Ist {friend} auf dem Bild?",
                "Does zoe@example.org sit?",
                f"No, it's a {friend}",
                f"tell {friend} a story",  # its words are kept, for it cannot be answered
            )
            for count, text in enumerate(questions, 1):
                await chat.say(text, "red")
                await chat.until(lambda count=count: len(chat.texts) == count)
        log.consent("x", "y").result(10)
    tables = ("exchanges", "ratings")
    kept = {
        str(text)
        for table in tables
        for row in rows(tmp_path / "log.db", f"SELECT * FROM {table}")
        for text in row
    }
    for name in (friend, "zoe", "miller", "@"):
        assert not [text for text in kept if name in text]
    assert {"is somebody in this picture?", "Does somebody sit?"} <= kept
    assert any("Ist jemand auf dem Bild?" in str(text) for text in kept)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("@friend what is this", "what is this"),
        ("what is this @friend", "what is this"),
        ("is this @somebody", "is this somebody"),
        ("Is it @Ann_B's dog, or a.b@example.org's?", "Is it somebody's dog, or somebody's?"),
        ("was it @anna?", "was it somebody?"),
        ("/caption@glimpse_bot", "/caption@glimpse_bot"),
        ("what does @ mean?", "what does @ mean?"),
        ("is it open @ 5pm?", "is it open @ 5pm?"),
    ],
)
def test_a_mention_becomes_somebody(text: str, said: str) -> None:
    assert clean(text) == said


def test_a_correction_names_nobody_either() -> None:
    assert read_intent("The answer is a dog of @zoe_m.").rest == "a dog of somebody"


async def test_everybody_may_ask_what_is_kept_and_have_it_erased(chats: Chats) -> None:
    async with chats(access=Access(frozenset({"telegram:1", "discord:1"}))) as chat:
        for _ in range(3):
            await chat.say("/privacy", "red")
        await chat.say("/forget")
        privacy = ENGLISH.privacy.format(time="an hour")
        await chat.says(*[privacy] * 3, ENGLISH.forgotten)
        assert len(chat.assistant._conversations) == 0
        await chat.say("", "red", by=BEN)
        await chat.says(*[privacy] * 3, ENGLISH.forgotten, chat.not_allowed(BEN))


async def test_privacy_tells_what_holds_for_this_person_now(chats: Chats, tmp_path: Path) -> None:
    with opened(tmp_path / "log.db") as log:
        async with chats(recorder=Recorder(log)) as chat:
            steps = ("/settings log off", "/privacy", "/privacy", "/settings log on", "/privacy")
            for number, text in enumerate(steps):
                await chat.say(text, by=BEN if number == 2 else ANN)
                await chat.until(lambda number=number: len(chat.texts) > number)
            _, off, bens, _, on_again = chat.texts
    unlogged = ENGLISH.privacy_unlogged.format(time="an hour", days="30 days")
    assert off == unlogged
    assert "2. I keep your questions and my answers for 30 days" in bens
    assert on_again == bens
