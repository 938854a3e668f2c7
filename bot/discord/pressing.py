"""Buttons under answers: each is done once, and means what its answer was about."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import discord

from bot.assistant.types import Notify
from bot.discord.answers import Answer
from bot.discord.asking import Ask, Asker, Person
from bot.discord.button import Place
from bot.discord.finding import Finder
from bot.discord.messages import words_in
from bot.discord.sender import FollowUps, Voice

_HOPS = 5  # from an answer to an answer to a question


@dataclass(frozen=True)
class _Press:
    """What was pressed, by whom, under which message, and the picture that it is about."""

    person: Person
    action: str
    message: discord.Message
    place: Place | None


class Presses:
    """Does what buttons are for.

    Args:
        asker: Puts it to the assistant.
        finder: Finds pictures again.
        say: Says the answer.
    """

    def __init__(
        self,
        asker: Asker,
        finder: Finder,
        say: Callable[[Voice, Person, Answer], Awaitable[None]],
    ) -> None:
        self._asker, self._finder, self._say = asker, finder, say
        self._in_work: set[tuple[int, int, str]] = set()

    async def on_press(
        self,
        interaction: discord.Interaction[Any],
        person: Person,
        action: str,
        place: Place | None,
    ) -> None:
        """Do what a button is for; pressed again while that is in work, it does nothing more."""
        message = interaction.message
        assert message is not None  # it has the button
        press = (interaction.user.id, message.id, action)
        if press in self._in_work:
            return
        self._in_work.add(press)
        try:
            await self._do(interaction, _Press(person, action, message, place))
        finally:
            self._in_work.discard(press)

    async def _do(self, interaction: discord.Interaction[Any], press: _Press) -> None:
        voice, ask = FollowUps(interaction), Ask(press.person, press.action)
        if press.place is None:
            voice.ephemeral = True
            if press.action.startswith("/settings") and press.message.flags.ephemeral:
                voice.sent = [press.message.id]
            answer = await self._asker.in_turn(press.person, lambda: self._asker.ask(ask))
        else:
            answer = await self._asker.in_turn(
                press.person, lambda: self._look(press, voice.notify)
            )
            voice.ephemeral = answer.error
        await self._say(voice, press.person, answer)

    async def _look(self, press: _Press, notify: Notify) -> Answer:
        """Answer once more, or describe, what this answer was about."""
        person, place = press.person, press.place
        subject, last = self._asker.subjects.of(press.message.id), None
        if subject and not subject.digests:
            subject = None  # the model was not asked
        shown = self._asker.subjects.last(person.whose)
        if shown and shown.place == place:
            last = shown
        if subject and last and set(subject.digests) <= set(last.digests):
            # Not shown anew, so that the assistant goes on counting tries.
            return await self._asker.ask(Ask(person, press.action, pressed=subject), notify)
        here = place is not None and place.channel == press.message.channel.id
        found = await self._finder.pictures_at(place) if place and here else []
        if not (found or last):
            return Answer(self._asker.texts(person).button_too_old, error=True)
        words = press.action
        if subject is None and words == "/retry":
            words = f"/retry {await self._asked(press.message) or '/caption'}"
        return await self._asker.ask(Ask(person, words, (), found, place, subject), notify)

    async def _asked(self, answer: discord.Message) -> str:
        """What an answer of an earlier run answers, as far as Discord tells."""
        message: discord.Message | None = answer
        for _ in range(_HOPS):
            message = await self._finder.replied(message) if message else None
            if message and message.author.id != answer.author.id:
                readable = await self._finder.readable(message)
                return words_in(readable, answer.author) if readable else ""
        return ""
