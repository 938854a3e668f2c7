"""Replies that are shown while a chat model writes them."""

from __future__ import annotations

import asyncio
import threading

import pytest
from engine_stand_in import Said, StandIn, open_photo, photo

from bot.assistant.assistant import Assistant
from bot.assistant.types import Ask, Incoming

CAPTION = ["A", "A brown dog", "A brown dog runs", "A brown dog runs over the grass."]
SHOWN = ["A brown dog runs", "A brown dog runs over the grass."]


class Writing:
    """Somebody whose question a model answers word by word, from a thread of its own."""

    def __init__(self, *colours: str, text: str = "", language: str = "en") -> None:
        self.engine = StandIn(held=True)
        self.drafts: list[str] = []
        self.loop_thread = threading.get_ident()
        assistant = Assistant(self.engine, open_picture=open_photo)
        incoming = Incoming(
            "web", "home", "ann", language=language, action=Ask(text) if text else None,
            pictures=tuple(map(photo, colours or ("red",))),
        )  # fmt: skip
        self.handling = asyncio.ensure_future(assistant.handle(incoming, draft=self.draft))

    def draft(self, text: str) -> None:
        assert threading.get_ident() == self.loop_thread
        self.drafts.append(text)

    async def write(self, *texts: str) -> None:
        while not self.engine.contexts:
            await asyncio.sleep(0)
        for text in texts:
            await asyncio.to_thread(self.engine.contexts[-1].on_text or print, text)
            await asyncio.sleep(0)  # so that it is not replaced by the next

    async def say(self, text: str) -> str:
        self.engine.answer = lambda *_: Said(text)
        await asyncio.to_thread(self.engine.release)
        reply = await self.handling
        assert reply
        return reply.text


async def test_words_are_shown_as_they_come_and_none_after_the_answer() -> None:
    chat = Writing()
    await chat.write(*CAPTION)
    assert (await chat.say(CAPTION[-1])).startswith(CAPTION[-1])
    assert chat.drafts == SHOWN
    await chat.write("A brown dog runs over the grass. Late words.")
    assert chat.drafts == SHOWN


async def test_a_model_that_begins_again_is_followed() -> None:
    chat = Writing()
    await chat.write("A cat sits on", "A", "A dog sits on it")
    assert chat.drafts == ["A cat sits on", "A dog sits on it"]
    await chat.say("A dog sits on it.")


@pytest.mark.parametrize(
    ("colours", "text", "language"),
    [
        (["red", "blue"], "", "en"),
        (["red"], "", "de"),
        (["red"], "Welche Farbe hat es?", "en"),
    ],
)
async def test_what_would_be_said_in_another_way_is_not_shown(
    colours: list[str], text: str, language: str
) -> None:
    chat = Writing(*colours, text=text, language=language)
    while not chat.engine.contexts:
        await asyncio.sleep(0)
    for context in chat.engine.contexts:
        if context.on_text:
            await asyncio.to_thread(context.on_text, CAPTION[-1])
    await asyncio.sleep(0)
    assert chat.drafts == []
    await chat.say(CAPTION[-1])


async def test_no_names_is_said_before_what_is_seen() -> None:
    chat = Writing(text="Who is this?")
    await chat.write(CAPTION[-1])
    (shown,) = chat.drafts
    assert (await chat.say(CAPTION[-1])) == shown
    assert shown.startswith("I don't recognise people")


async def test_whoever_cannot_show_a_draft_still_gets_the_answer() -> None:
    chat = Writing()
    chat.drafts = None  # type: ignore[assignment]  # what shows them is broken
    await chat.write(*CAPTION)
    assert (await chat.say(CAPTION[-1])).startswith(CAPTION[-1])
