"""Putting to the assistant what somebody wants, with the pictures that it is about."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial

from bot.assistant.assistant import Assistant
from bot.assistant.locale.texts import Texts
from bot.assistant.turns import TooManyWaitingError, Turns
from bot.assistant.types import Attachment, Incoming, Notify, Reply
from bot.discord.answers import Answer, alt_texts, unanswered
from bot.discord.button import Place
from bot.discord.files import Fetched, fetch_all
from bot.discord.languages import Locales
from bot.discord.messages import Found
from bot.discord.subjects import Shown, Subject, Subjects, Whose, subject_of

PLATFORM = "discord"


@dataclass(frozen=True)
class Person:
    """Who wants something: in which channel, and what their device speaks."""

    whose: Whose
    language: str = ""


@dataclass(frozen=True)
class Ask:
    """What somebody wants.

    Attributes:
        person: Wants it.
        words: What they said, or what they pressed.
        own: Pictures of theirs.
        about: Pictures of others, or earlier ones.
        place: Where those pictures are shown.
        pressed: The answer under which they pressed a button.
        alt: They want captions to copy.
        replied: Number of the answer that they replied to, or "".
    """

    person: Person
    words: str
    own: Sequence[Found] = ()
    about: Sequence[Found] = ()
    place: Place | None = None
    pressed: Subject | None = None
    alt: bool = False
    replied: str = ""


class Asker:
    """Asks the assistant.

    Args:
        assistant: Ours.

    Attributes:
        turns: Of people in channels.
        subjects: What answers are about.
        locales: What people's devices speak.
    """

    def __init__(self, assistant: Assistant) -> None:
        self._assistant = assistant
        self.turns = Turns()
        self.subjects = Subjects(partial(assistant.remembers, PLATFORM))
        self.locales = Locales()

    def texts(self, person: Person) -> Texts:
        """What is said to somebody."""
        return self._assistant.texts(PLATFORM, person.whose[1], person.language)

    async def in_turn(self, person: Person, work: Callable[[], Awaitable[Answer]]) -> Answer:
        """Do what makes an answer once everything else that somebody wants there is done."""
        try:
            async with self.turns.of(person.whose):
                return await work()
        except TooManyWaitingError:
            return self.overwhelmed(person)

    def overwhelmed(self, person: Person) -> Answer:
        """What somebody is told who asks too much at once."""
        self._assistant.turned_away(PLATFORM, "too_many")
        return Answer(self.texts(person).too_many_waiting, error=True)

    async def ask(self, ask: Ask, notify: Notify | None = None) -> Answer:
        """Fetch the pictures and answer.

        Args:
            ask: Of somebody who has no other request under way in the same channel.
            notify: Told if there is a long wait.
        """
        channel, user = ask.person.whose
        texts = self.texts(ask.person)
        if not self._assistant.allows(PLATFORM, user, channel):
            self._assistant.turned_away(PLATFORM, "not_allowed")
            return Answer(texts.not_allowed, error=True)
        start = time.perf_counter()
        own, about = await fetch_all(ask.own, texts), await fetch_all(ask.about, texts)
        fetching = time.perf_counter() - start
        remarks = list(dict.fromkeys(own.remarks + about.remarks))
        shown = self.subjects.last(ask.person.whose)
        if own.pictures or about.pictures:
            shown = await asyncio.to_thread(_shown, ask, own, about)
            self.subjects.show(ask.person.whose, shown)
        elif remarks:
            self._assistant.turned_away(PLATFORM, "not_fetched")
            return Answer("\n".join(remarks), error=True)
        words = ask.pressed.again(ask.words, shown) if ask.pressed and shown else ask.words
        pictures, others = tuple(own.pictures), tuple(about.pictures)
        incoming = Incoming(
            PLATFORM, channel, user, words, pictures, others,
            language=ask.person.language, fetching=fetching, replied=ask.replied,
        )  # fmt: skip
        reply = await self._assistant.handle(incoming, notify)
        assert reply is not None  # it was addressed
        if reply.outcome == "forgotten":
            self.subjects.forget(user)
            self.locales.forget(user)
            return Answer(reply.text)
        return self._answer(ask, reply, shown, remarks)

    def _answer(self, ask: Ask, reply: Reply, shown: Shown | None, remarks: list[str]) -> Answer:
        subject = subject_of(shown, ask.person.whose[1], reply.exchanges, reply.number)
        spoiler = bool(shown and shown.spoiler and reply.exchanges)
        if ask.alt and shown and reply.exchanges:
            blocks = alt_texts(reply, shown, self.texts(ask.person))
            said = "\n".join([*unanswered(reply, shown), *remarks])
            return Answer(said, False, spoiler, (), subject, blocks)
        text = "\n".join([reply.text, "", *remarks]) if remarks else reply.text
        return Answer(text, reply.error, spoiler, reply.buttons, subject)


def _shown(ask: Ask, own: Fetched, about: Fetched) -> Shown:
    assert ask.place is not None  # it has pictures
    digests = tuple(map(_digest, own.pictures or about.pictures))
    return Shown(ask.place, own.spoiler or about.spoiler, ask.person.whose[1], digests)


def _digest(picture: Attachment) -> str:
    """As `data.images.open.Picture` has it."""
    return hashlib.sha256(picture.content).hexdigest()
