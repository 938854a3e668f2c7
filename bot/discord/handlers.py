"""From Discord's messages, commands and buttons to the assistant and back."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import discord

from bot.assistant.assistant import Assistant
from bot.assistant.locale.texts import Texts
from bot.assistant.recent import Recent
from bot.assistant.refusals import Refusals
from bot.assistant.turns import TooManyWaitingError
from bot.assistant.types import Notify
from bot.discord.answers import Answer
from bot.discord.asking import Ask, Asker, Person
from bot.discord.button import Place
from bot.discord.finding import Finder
from bot.discord.messages import Found, is_addressed, words_in
from bot.discord.pressing import Presses
from bot.discord.sender import FollowUps, Replies, Voice, confirm, typing

RECENT = timedelta(minutes=10)  # since a message was written that nobody remembers any more
Interaction = discord.Interaction[Any]


@dataclass(frozen=True)
class _Said:
    """The messages of an answer, and what tells whether its question has changed since."""

    messages: list[int]
    question: int


class Talk:
    """Answers what people write, choose and press.

    Args:
        client: Discord's side.
        assistant: Ours.
    """

    def __init__(self, client: discord.Client, assistant: Assistant) -> None:
        self._client = client
        self.finder = Finder(client)
        self._asker = Asker(assistant)
        self._refusals = Refusals()
        self._presses = Presses(self._asker, self.finder, self._say)
        self._answers: Recent[int, _Said] = Recent()
        self._under_way: set[asyncio.Task[Any]] = set()
        self._closed = False

    async def on_message(
        self,
        message: discord.Message,
        *,
        edited: bool = False,
        before: discord.Message | None = None,
    ) -> None:
        """Answer a message if the bot is meant; or, if it was edited, change the answer.

        Args:
            message: As it is now.
            edited: It is not new.
            before: As it was, if that is known.
        """
        me = self._client.user
        if self._closed or me is None or not is_addressed(message, me):
            return
        # What was not for the bot before is as good as new.
        edited = edited and (is_addressed(before, me) if before else not _rewritten(message))
        person = Person(_whose(message), self._asker.locales.of_message(message))
        with self._working():
            try:
                async with self._asker.turns.of(person.whose):
                    await self._take(message, me, person, edited)
            except TooManyWaitingError:
                if not edited:
                    await self._say(Replies(message), person, self._asker.overwhelmed(person))

    async def on_command(
        self,
        interaction: Interaction,
        words: str,
        found: Sequence[Found] = (),
        place: Place | None = None,
        *,
        ephemeral: bool = False,
        alt: bool = False,
    ) -> None:
        """Answer a command.

        Args:
            interaction: Its use.
            words: What it means.
            found: The pictures it is for.
            place: Where they are shown, or would be.
            ephemeral: Nobody else is to see the answer.
            alt: The answer is to be copied.
        """
        with self._working():
            if not await confirm(interaction, thinking=True, ephemeral=ephemeral):
                return
            person, voice = self._person(interaction), FollowUps(interaction, ephemeral=ephemeral)
            if place and not found:
                answer = Answer(self._asker.texts(person).no_picture_file, error=True)
            else:
                # Those of a message in whose menu it was chosen may be anybody's.
                own, about = ((), found) if place and place.channel else (found, ())
                ask = Ask(person, words, own, about, place, alt=alt)
                answer = await self._asker.in_turn(
                    person, lambda: self._asker.ask(ask, voice.notify)
                )
            await self._say(voice, person, answer)

    async def on_press(self, interaction: Interaction, action: str, place: Place | None) -> None:
        """Do what a button is for, if what it is about can still be found."""
        with self._working():
            if await confirm(interaction):
                person = self._person(interaction)
                await self._presses.on_press(interaction, person, action, place)

    def texts(self, interaction: Interaction) -> Texts:
        """What is said to whoever chose something."""
        return self._asker.texts(self._person(interaction))

    async def close(self) -> None:
        """Take no new messages, and wait until everything under way is dealt with."""
        self._closed = True
        if self._under_way:
            await asyncio.wait(self._under_way)

    async def _take(
        self, message: discord.Message, me: discord.ClientUser, person: Person, edited: bool
    ) -> None:
        said = self._answers.get(message.id)
        # Words need not be kept to be compared.
        question = hash((words_in(message, me), len(self.finder.pictures_in(message))))
        if said is None and edited:
            return
        if said and said.question == question:
            return  # something else than the question changed
        voice = Replies(message, said.messages if said else ())
        async with typing(message.channel):
            answer = await self._to_message(message, me, person, voice.notify)
        await self._say(voice, person, answer)
        self._answers[message.id] = _Said(voice.sent, question)

    async def _to_message(
        self, message: discord.Message, me: discord.ClientUser, person: Person, notify: Notify
    ) -> Answer:
        readable = await self.finder.readable(message)
        if readable is None:
            return Answer(self._asker.texts(person).cannot_read, error=True)
        words = words_in(readable, me)
        if own := self.finder.pictures_in(readable):
            return await self._asker.ask(Ask(person, words, own, (), _place(message)), notify)
        replied = await self.finder.replied(message)
        if replied is None:
            return await self._asker.ask(Ask(person, words), notify)
        if replied.author.id == me.id:
            return await self._to_reply(person, words, replied.id, notify)
        shown = await self.finder.readable(replied)
        if shown is None:
            return Answer(self._asker.texts(person).cannot_read, error=True)
        about = self.finder.pictures_in(shown)
        return await self._asker.ask(Ask(person, words, (), about, _place(replied)), notify)

    async def _to_reply(self, person: Person, words: str, replied: int, notify: Notify) -> Answer:
        """Answer what was said about an answer, whose pictures need not be the last ones."""
        subject = self._asker.subjects.of(replied)
        last = self._asker.subjects.last(person.whose)
        if subject is None or (last and last.place == subject.place):
            number = subject.number if subject else ""  # the assistant has its pictures
            return await self._asker.ask(Ask(person, words, replied=number), notify)
        about = await self.finder.pictures_at(subject.place)
        if not about:
            return Answer(self._asker.texts(person).button_too_old, error=True)
        ask = Ask(person, words, (), about, subject.place, replied=subject.number)
        return await self._asker.ask(ask, notify)

    async def _say(self, voice: Voice, person: Person, answer: Answer) -> None:
        """Say an answer, unless the person was told the same again and again."""
        if answer.looked:
            self._refusals.clear(person.whose)
        # What nobody else sees, like help, may be asked for as often as one likes.
        counts = (answer.error or not voice.ephemeral) and not answer.looked
        if counts and self._refusals.repeats(person.whose, answer.text) and not voice.sent:
            await voice.withdraw()
            return
        await voice.say(answer)
        if answer.subject:
            self._asker.subjects.note(voice.sent, answer.subject)

    def _person(self, interaction: Interaction) -> Person:
        channel = _named(interaction.guild_id, interaction.channel_id)
        whose = (channel, str(interaction.user.id))
        return Person(whose, self._asker.locales.of_interaction(interaction))

    @contextmanager
    def _working(self) -> Iterator[None]:
        task = asyncio.current_task()
        assert task is not None
        self._under_way.add(task)
        try:
            yield
        finally:
            self._under_way.discard(task)


def _rewritten(message: discord.Message) -> bool:
    """Whether somebody changed their words soon after writing them: to call the bot, perhaps.

    Previews and pins change messages, too, and after a restart all older versions are unknown.
    """
    age = discord.utils.utcnow() - message.created_at
    return message.edited_at is not None and age < RECENT


def _whose(message: discord.Message) -> tuple[str, str]:
    guild = message.guild.id if message.guild else None
    return _named(guild, message.channel.id), str(message.author.id)


def _named(guild: int | None, channel: int | None) -> str:
    """A conversation: the server comes first, by which an operator may admit everybody in it."""
    return f"{guild}/{channel}" if guild else str(channel)


def _place(message: discord.Message) -> Place:
    return Place(message.channel.id, message.id)
