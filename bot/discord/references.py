"""Which pictures are meant by a message or a command that shows none itself."""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass

import discord

from bot.assistant.assistant import Assistant
from bot.assistant.types import Conversation
from bot.discord.messages import MessageFinder, Place, answer_of, is_reply, starter_place
from bot.platforms import SharedFile

HOPS = 2  # a reply to a picture, or to a text that itself replies to one


@dataclass(frozen=True)
class Meant:
    """Pictures that are meant.

    Attributes:
        files: Those, and files that are none; none of them if the assistant holds the pictures.
        place: Where they are shown.
        answer: Id of the answer that they belong to, or "".
        refusal: Why they cannot be had: a field of `Texts`, or "".
    """

    files: tuple[SharedFile, ...] = ()
    place: Place | None = None
    answer: str = ""
    refusal: str = ""


class References:
    """Follows replies, answers and threads to the pictures that they are about.

    Args:
        finder: Asks Discord.
        assistant: Knows what its answers were about.
        answer_ids: By the bot's message: the id of the answer that it is.
    """

    def __init__(
        self, finder: MessageFinder, assistant: Assistant, answer_ids: MutableMapping[int, str]
    ) -> None:
        self._finder, self._assistant, self._answer_ids = finder, assistant, answer_ids

    def answer_id(self, message: discord.Message) -> str:
        """The id of the answer that a message of the bot's is, or ""."""
        return self._answer_ids.get(message.id, "") or answer_of(message)[1]

    async def of_reply(self, message: discord.Message, who: Conversation) -> Meant | None:
        """What a reply means; None if it is none, or leads to no picture."""
        replied = await self._finder.replied(message)
        if replied:
            return await self._of_message(replied, who, HOPS - 1)
        # Of what was deleted nobody knows whether it showed a picture, and another was not meant.
        return Meant(refusal="button_too_old") if is_reply(message) else None

    async def of_message(self, message: discord.Message, who: Conversation) -> Meant | None:
        """What is meant by pointing at a message: in its menu, by a reply, by a thread about it."""
        return await self._of_message(message, who, HOPS - 1)

    async def of_menu(self, message: discord.Message, who: Conversation) -> Meant | None:
        """The same of a message in whose menu something was chosen: what is in it is all there."""
        if self._finder.pictures_in(message) or self._finder.is_ours(message):
            return await self.of_message(message, who)
        return await self._of_reply(message, who, HOPS - 1)

    async def of_thread(self, channel: object, who: Conversation) -> Meant | None:
        """What a thread or a forum post is about; None if it is no thread, or about no picture."""
        place = starter_place(channel)
        if place is None:
            return None
        if self._assistant.holds(who, place):
            return Meant()
        starter = await self._finder.message_at(place)
        meant = await self.of_message(starter, who) if starter else None
        if meant and meant.refusal == "cannot_read" and self._assistant.remembers(who):
            return None  # what they showed themselves is more than what is hidden
        return meant

    async def of_answer(self, message: discord.Message, who: Conversation) -> Meant | None:
        """What a message of the bot's is about; None if that is no picture."""
        shown, _ = answer_of(message)
        number = self.answer_id(message)
        known = self._assistant.answer(number)
        place = known.place if known and isinstance(known.place, Place) else shown
        if known and self._assistant.holds(who, known.place, known.digests):
            return Meant(answer=number)
        if place is None:
            return None
        if not place.channel:  # it was shown to the bot alone
            if known is None:
                return Meant(refusal="button_too_old")
            if who.user not in (known.conversation.user, known.asked_by):
                return Meant(refusal="not_yours")
            return Meant(place.files, place, number)
        files = await self._finder.pictures_at(place)
        refusal = "" if files else "button_too_old"
        return Meant(tuple(files), place, number, refusal)

    async def _of_message(
        self, message: discord.Message, who: Conversation, hops: int
    ) -> Meant | None:
        if self._finder.is_ours(message):
            answer = await self.of_answer(message, who)
            return answer or await self._of_reply(message, who, hops)
        shown = await self._finder.readable(message)
        if shown and (files := self._finder.pictures_in(shown)):
            return Meant(tuple(files), Place.of(message))
        further = await self._of_reply(message, who, hops)
        if further is None and shown is None:
            return Meant(refusal="cannot_read")
        return further

    async def _of_reply(
        self, message: discord.Message, who: Conversation, hops: int
    ) -> Meant | None:
        replied = await self._finder.replied(message) if hops else None
        return await self._of_message(replied, who, hops - 1) if replied else None
