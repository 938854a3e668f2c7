"""From Discord's messages, commands and buttons to the assistant and back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import discord

from bot.assistant import Assistant
from bot.discord.button import Place
from bot.discord.files import TROUBLES, fetch_all
from bot.discord.finding import Finder
from bot.discord.reading import Found, is_addressed, words_in
from bot.discord.sending import Answer, follow_up, say, typing
from bot.messages import Incoming
from bot.recent import Recent
from bot.texts import ENGLISH, Texts
from bot.turns import TooManyWaitingError, Turns

PLATFORM = "discord"

_log = logging.getLogger(__name__)
Whose = tuple[str, str]  # channel and person
Interaction = discord.Interaction[Any]


@dataclass(frozen=True)
class _Ask:
    """What somebody wants: words, pictures of theirs or of others, and where those are shown."""

    whose: Whose
    words: str
    own: Sequence[Found] = ()
    about: Sequence[Found] = ()
    place: Place | None = None


@dataclass(frozen=True)
class _Said:
    """The messages of an answer, and the words and number of pictures that it answers."""

    messages: list[int]
    words: str
    pictures: int


class Talk:
    """Answers what people write, choose and press.

    Args:
        client: Discord's side.
        assistant: Ours.
        texts: What is said about pictures that cannot be had.
    """

    def __init__(
        self, client: discord.Client, assistant: Assistant, texts: Texts = ENGLISH
    ) -> None:
        self._client, self._assistant, self._texts = client, assistant, texts
        self.finder = Finder(client)
        self._turns = Turns()
        self._answers: Recent[int, _Said] = Recent()
        self._subjects: Recent[int, Place] = Recent()  # of the bot's messages
        # The last pictures of each person and of each channel, and whether they were hidden.
        self._shown: Recent[Whose, tuple[Place, bool]] = Recent()
        self._under_way: set[asyncio.Task[Any]] = set()
        self._closed = False

    async def on_message(self, message: discord.Message, *, edited: bool = False) -> None:
        """Answer a message if the bot is meant; or, if it was edited, change the answer."""
        me = self._client.user
        if self._closed or me is None or not is_addressed(message, me):
            return
        try:
            with self._working():
                async with self._turns.of(_whose(message)):
                    await self._take(message, me, edited)
        except TooManyWaitingError:
            if not edited:
                await say(message, Answer(self._texts.too_many_waiting, error=True))

    async def on_command(
        self,
        interaction: Interaction,
        words: str,
        found: Sequence[Found] = (),
        place: Place | None = None,
        *,
        ephemeral: bool = False,
    ) -> None:
        """Answer a command.

        Args:
            interaction: Its use.
            words: What it means.
            found: The pictures it is for.
            place: Where they are shown, or would be.
            ephemeral: Nobody else is to see the answer.
        """
        with self._working():
            if not await _confirm(interaction, thinking=True, ephemeral=ephemeral):
                return
            if place and not found:
                answer = Answer(self._texts.no_picture_file, error=True)
            else:
                answer = await self._in_turn(_Ask(_who_acts(interaction), words, found, (), place))
            self._note(await follow_up(interaction, answer, ephemeral=ephemeral), answer)

    async def on_press(self, interaction: Interaction, place: Place) -> None:
        """Describe what an answer was about, if it can still be found."""
        with self._working():
            if not await _confirm(interaction):
                return
            whose = _who_acts(interaction)
            here = place.channel == interaction.channel_id
            found = await self.finder.pictures_at(place) if here else []
            if found or self._last(whose)[0] == place:
                answer = await self._in_turn(_Ask(whose, "/caption", (), found, place))
            else:
                answer = Answer(self._texts.button_too_old, error=True)
            self._note(await follow_up(interaction, answer, ephemeral=answer.error), answer)

    async def close(self) -> None:
        """Take no new messages, and wait until everything under way is dealt with."""
        self._closed = True
        if self._under_way:
            await asyncio.wait(self._under_way)

    async def _take(self, message: discord.Message, me: discord.ClientUser, edited: bool) -> None:
        said = self._answers.get(message.id)
        words, pictures = words_in(message, me), len(self.finder.pictures_in(message))
        if edited and (said is None or (said.words, said.pictures) == (words, pictures)):
            return  # it was not for the bot before, or something else than the question changed
        async with typing(message.channel):
            answer = await self._to_message(message, me)
        sent = await say(message, answer, said.messages if said else ())
        self._answers[message.id] = _Said(sent, words, pictures)
        self._note(sent, answer)

    async def _to_message(self, message: discord.Message, me: discord.ClientUser) -> Answer:
        readable = await self.finder.readable(message)
        if readable is None:
            return Answer(self._texts.cannot_read, error=True)
        whose, words = _whose(message), words_in(readable, me)
        if own := self.finder.pictures_in(readable):
            return await self._answer(_Ask(whose, words, own, (), _place(message)))
        replied = await self.finder.replied(message)
        if replied is None:
            return await self._answer(_Ask(whose, words))
        if replied.author.id == me.id:
            return await self._to_reply(_Ask(whose, words, place=self._subjects.get(replied.id)))
        shown = await self.finder.readable(replied)
        if shown is None:
            return Answer(self._texts.cannot_read, error=True)
        about = self.finder.pictures_in(shown)
        return await self._answer(_Ask(whose, words, (), about, _place(replied)))

    async def _to_reply(self, ask: _Ask) -> Answer:
        """Answer what was said about an answer, whose pictures need not be the last ones."""
        if ask.place is None or ask.place == self._last(ask.whose)[0]:
            return await self._answer(ask)  # the assistant remembers them
        about = await self.finder.pictures_at(ask.place)
        if not about:
            return Answer(self._texts.button_too_old, error=True)
        return await self._answer(_Ask(ask.whose, ask.words, (), about, ask.place))

    async def _in_turn(self, ask: _Ask) -> Answer:
        try:
            async with self._turns.of(ask.whose):
                return await self._answer(ask)
        except TooManyWaitingError:
            return Answer(self._texts.too_many_waiting, error=True)

    async def _answer(self, ask: _Ask) -> Answer:
        if not self._assistant.allows(PLATFORM, ask.whose[1], ask.whose[0]):
            return Answer(self._texts.not_allowed, error=True)
        own = await fetch_all(ask.own, self._texts)
        about = await fetch_all(ask.about, self._texts)
        remarks = list(dict.fromkeys(own.remarks + about.remarks))
        if own.pictures or about.pictures:
            assert ask.place is not None
            shown = (ask.place, own.spoiler or about.spoiler)
            self._shown[ask.whose] = self._shown[ask.whose[0], ""] = shown
        elif remarks:
            return Answer("\n".join(remarks), error=True)
        reply = await self._assistant.handle(
            Incoming(PLATFORM, *ask.whose, ask.words, tuple(own.pictures), tuple(about.pictures))
        )
        assert reply is not None  # it was addressed
        place, spoiler = self._last(ask.whose)
        text = "\n".join([reply.text, "", *remarks]) if remarks else reply.text
        label = reply.buttons[0].label if reply.buttons else ""
        return Answer(text, reply.error, spoiler and bool(reply.exchanges), label, place)

    def _last(self, whose: Whose) -> tuple[Place | None, bool]:
        """The last pictures of a person, else of the channel, as the assistant has them."""
        return self._shown.get(whose) or self._shown.get((whose[0], "")) or (None, False)

    def _note(self, sent: Sequence[int], answer: Answer) -> None:
        """Keep in mind which pictures an answer is about."""
        if answer.place:
            for message in sent:
                self._subjects[message] = answer.place

    @contextmanager
    def _working(self) -> Iterator[None]:
        task = asyncio.current_task()
        assert task is not None
        self._under_way.add(task)
        try:
            yield
        finally:
            self._under_way.discard(task)


def _whose(message: discord.Message) -> Whose:
    guild = message.guild.id if message.guild else None
    return _named(guild, message.channel.id), str(message.author.id)


def _who_acts(interaction: Interaction) -> Whose:
    return _named(interaction.guild_id, interaction.channel_id), str(interaction.user.id)


def _named(guild: int | None, channel: int | None) -> str:
    """A conversation: the server comes first, by which an operator may admit everybody in it."""
    return f"{guild}/{channel}" if guild else str(channel)


def _place(message: discord.Message) -> Place:
    return Place(message.channel.id, message.id)


async def _confirm(interaction: Interaction, **how: bool) -> bool:
    """Tell Discord within its three seconds that an answer will come."""
    try:
        await interaction.response.defer(**how)
    except TROUBLES as error:
        _log.warning("Could not take a command (%s)", type(error).__name__)
        return False
    return True
