"""From Discord's messages, commands and buttons to the assistant and back."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import discord
from cachetools import LRUCache

from bot.assistant.assistant import Assistant
from bot.assistant.conversations import TooManyWaitingError, TurnQueue
from bot.assistant.intents import is_data_right
from bot.assistant.limits import RepeatThrottle
from bot.assistant.locale.texts import Texts
from bot.assistant.types import Action, Ask, Conversation, Incoming, Reply, Retry, button_action
from bot.discord.messages import (
    PLATFORM,
    MessageFinder,
    Place,
    conversation,
    is_addressed,
    picture_fetcher,
    plain_words,
    words_in,
)
from bot.discord.references import Meant, References
from bot.discord.sender import (
    DRAFT_PAUSE,
    InteractionResponder,
    MessageResponder,
    Outgoing,
    Responder,
    alt_texts,
    showing,
    typing,
)
from bot.live_draft import Pace
from bot.platforms import RECENT, PressGuard, SharedFile, UnderWay

REWRITABLE = timedelta(minutes=10)  # since a message was written that nobody remembers any more
FORM_SECONDS = 2.0  # in which pictures are found; after three a form could not be shown
FORGOTTEN = "forgotten"  # the outcome of /forget
_PERSONAL = frozenset({FORGOTTEN, "privacy", "settings"})  # outcomes
_NO_PICTURE = Meant(refusal="no_picture_file")
_RETRY = re.compile(r"/retry\b", re.IGNORECASE)
_DEFAULT_LOCALE = "en-US"  # of a server whose owner chose no language
_REPLY_DEPTH = 5  # from an answer to an answer to a question
Interaction = discord.Interaction[Any]


@dataclass(frozen=True)
class DiscordRequest:
    """What somebody wants, by a message, a command or a button.

    Attributes:
        who: Wants it.
        language: What their device speaks, or "".
        text: What they wrote.
        action: What they chose or pressed, instead.
        own: Pictures and files of theirs.
        about: Those of others, or earlier ones.
        place: Where those pictures are shown.
        answer: Id of the answer that they replied to, or "".
        refusal: Why it cannot be asked, or "".
        alt: They want captions to copy.
        message: They wrote this, in a channel where typing is shown.
        question: Tells whether the message has changed since.
    """

    who: Conversation
    language: str
    text: str = ""
    action: Action | None = None
    own: Sequence[SharedFile] = ()
    about: Sequence[SharedFile] = ()
    place: Place | None = None
    answer: str = ""
    refusal: str = ""
    alt: bool = False
    message: discord.Message | None = None
    question: int = 0


class DiscordHandlers:
    """Answers what people write, choose and press.

    Args:
        client: Discord's side.
        assistant: Ours.
    """

    def __init__(self, client: discord.Client, assistant: Assistant) -> None:
        self._client, self._assistant = client, assistant
        self.finder = MessageFinder(client)
        # By person and message: what a form that is open asks a question about.
        self._forms: LRUCache[tuple[int, Place], Meant] = LRUCache(RECENT)
        self._fetcher = picture_fetcher()
        self._turns = TurnQueue()
        self._throttle = RepeatThrottle()
        self._presses = PressGuard()
        # By message: its answer's messages, and a hash, for words need not be kept to be compared.
        self._answers: LRUCache[int, tuple[list[int], int]] = LRUCache(RECENT)
        # By the bot's message: the id of the answer that it is.
        self._answer_ids: LRUCache[int, str] = LRUCache(RECENT)
        self._references = References(self.finder, assistant, self._answer_ids)
        # By person: what their device speaks; commands tell it, messages do not.
        self._locales: LRUCache[str, str] = LRUCache(RECENT)
        self._under_way = UnderWay()
        self._pace = Pace(DRAFT_PAUSE)
        self._closed = False

    async def on_message(self, message: discord.Message) -> None:
        """Answer a message if the bot is meant."""
        me = self._client.user
        if not self._closed and me and is_addressed(message, me):
            responder = MessageResponder(message, self._pace)
            await self._answer(responder, conversation(message),
                               lambda: self._read_message(message, me, responder))  # fmt: skip

    async def on_edit(self, message: discord.Message) -> None:
        """Change the answer to a message that was edited."""
        me = self._client.user
        if self._closed or me is None or not is_addressed(message, me):
            return
        # One that is not known may have called somebody else before, and is as good as new.
        edited = not _rewritten(message)
        responder = MessageResponder(message, self._pace)
        await self._answer(
            responder, conversation(message),
            lambda: self._read_message(message, me, responder, edited=edited), edited=edited,
        )  # fmt: skip

    def on_command(
        self,
        interaction: Interaction,
        action: Action,
        image: SharedFile | None = None,
        number: int = 0,
        *,
        ephemeral: bool = False,
    ) -> Coroutine[Any, Any, None]:
        """Answer a slash command.

        Args:
            interaction: Its use.
            action: What it means.
            image: The picture given to it, which nobody else is shown.
            number: Discord's id of that.
            ephemeral: Nobody else is to see the answer.
        """
        own = (image,) if image else ()
        place = Place(0, number, files=own) if own else None
        request = replace(self._request(interaction, action), own=own, place=place)

        async def read() -> DiscordRequest:
            if own or not isinstance(action, Ask):
                return request
            return self._with(request, await self._references.of_thread(
                interaction.channel, request.who
            ))  # fmt: skip

        return self._run_command(interaction, request, read, ephemeral=ephemeral)

    def on_menu(
        self,
        interaction: Interaction,
        action: Action,
        message: discord.Message,
        *,
        alt: bool = False,
    ) -> Coroutine[Any, Any, None]:
        """Answer a command in the menu of a message; `alt`: with captions to copy."""
        request = replace(self._request(interaction, action), alt=alt)

        async def read() -> DiscordRequest:
            return self._with(
                request, await self._references.of_menu(message, request.who) or _NO_PICTURE
            )

        # What can only be refused is refused for their eyes only.
        shows = self.finder.pictures_in(message) or self.finder.is_ours(message)
        hopeless = not (shows or message.reference)
        return self._run_command(interaction, request, read, ephemeral=alt or hopeless)

    async def on_form_wanted(self, interaction: Interaction, message: discord.Message) -> bool:
        """Whether there are pictures for which a form may ask a question; keeps them for it."""
        meant: Meant | None = None
        with suppress(TimeoutError):
            async with asyncio.timeout(FORM_SECONDS):
                meant = await self._references.of_menu(message, conversation(interaction))
        if meant is None or meant.refusal:
            return False
        self._forms[interaction.user.id, Place.of(message)] = meant
        return True

    async def on_form(self, interaction: Interaction, question: str, place: Place) -> None:
        """Answer a question about a message's pictures, also if its form is of an earlier run."""
        request = self._request(interaction, Ask(question))

        async def read() -> DiscordRequest:
            meant = self._forms.get((interaction.user.id, place))
            if meant is None:
                # A name can be made up, but nobody is answered about what is elsewhere.
                here = place.channel == interaction.channel_id
                message = await self.finder.message_at(place) if here else None
                if message:
                    meant = await self._references.of_message(message, request.who)
            if meant is None or meant.refusal:
                said = self._texts(request).form_too_old.format(question=question)
                return replace(request, refusal=said)
            return self._with(request, meant)

        await self._run_command(interaction, request, read)

    async def on_press(self, interaction: Interaction, command: str, place: Place | None) -> None:
        """Do what a button is for; pressed again while that is in work, it does nothing more."""
        message = interaction.message
        assert message is not None  # it has the button
        who, language = conversation(interaction), self._language(interaction)
        responder = InteractionResponder(interaction, self._pace)
        with self._presses.once((who.user, message.id, command)) as first:
            if not first:
                await responder.begin()
                return
            action = button_action(command, self._references.answer_id(message))
            text = "" if action else command
            request = DiscordRequest(who, language, text, action)
            if place is None:
                responder.ephemeral = True
                if command.startswith("/settings") and message.flags.ephemeral:
                    responder.sent = [message.id]

                async def read() -> DiscordRequest:
                    return request

                await self._answer(responder, who, read)
            else:
                await self._answer(
                    responder, who, lambda: self._read_press(request, message, place)
                )

    def texts(self, interaction: Interaction) -> Texts:
        """What is said to whoever chose something."""
        person = str(interaction.user.id)
        return self._assistant.texts(PLATFORM, person, self._language(interaction))

    async def close(self) -> None:
        """Take no new messages, and wait until everything under way is dealt with."""
        self._closed = True
        await self._under_way.wait()

    async def abandon(self) -> None:
        """End what was not answered in time."""
        await self._under_way.abandon()

    async def _answer(
        self,
        responder: Responder,
        who: Conversation,
        read: Callable[[], Awaitable[DiscordRequest | None]],
        *,
        edited: bool = False,
    ) -> None:
        """Read what somebody wants once it is their turn, have it answered, and say that.

        Args:
            responder: Says it.
            who: Wants it.
            read: Tells what; None if nothing.
            edited: They want it in other words than before.
        """
        async with self._under_way.working(), showing(responder):
            if not await responder.begin():
                return
            try:
                async with self._turns.of(who):
                    request = await read()
                    if request is None:
                        return
                    channel = request.message.channel if request.message else None
                    async with typing(channel):
                        incoming, refusal, remarks = await self._fetch(request)
                        if incoming is None:
                            answer = Outgoing(refusal)
                        else:
                            responder.spoiler = self._hides(incoming)
                            reply = await self._assistant.handle(
                                incoming, responder.notify, None if request.alt else responder.draft
                            )
                            assert reply is not None  # it was addressed
                            answer = self._outgoing(request, incoming, reply, remarks)
                    await self._say(responder, who, answer)
                    if request.message:
                        self._answers[request.message.id] = (responder.sent, request.question)
            except TooManyWaitingError:
                if not edited:
                    texts = self._assistant.texts(
                        PLATFORM, who.user, self._locales.get(who.user, "")
                    )
                    refused = self._assistant.refuse(PLATFORM, "too_many", texts.too_many_waiting)
                    await self._say(responder, who, Outgoing(refused))

    async def _read_message(
        self,
        message: discord.Message,
        me: discord.ClientUser,
        responder: Responder,
        *,
        edited: bool = False,
    ) -> DiscordRequest | None:
        """What a message wants; None if it was answered before."""
        said, before = self._answers.get(message.id, (None, 0))
        question = hash((words_in(message, me), len(self.finder.pictures_in(message))))
        if said is None and edited:
            return None
        if said is not None:
            if before == question:
                return None  # something else than the question changed
            responder.sent = list(said)
        who, language = conversation(message), self._language_of(message)
        return await self._find_pictures(
            DiscordRequest(who, language, message=message, question=question), message, me
        )

    async def _find_pictures(
        self, request: DiscordRequest, message: discord.Message, me: discord.ClientUser
    ) -> DiscordRequest:
        """A request with the words of a message, and the pictures that it is about."""
        readable = await self.finder.readable(message)
        if readable is None:
            return replace(request, refusal=self._texts(request).mention_me)
        request = replace(request, text=words_in(readable, me))
        if is_data_right(request.text):
            return request  # whatever it replies to
        if own := self.finder.pictures_in(readable):
            return replace(request, own=own, place=Place.of(message))
        meant = await self._references.of_reply(readable, request.who)
        if meant is None and not _RETRY.match(request.text):
            meant = await self._references.of_thread(message.channel, request.who)
        return self._with(request, meant)

    def _with(self, request: DiscordRequest, meant: Meant | None) -> DiscordRequest:
        """A request about what is meant."""
        if meant is None:
            return request
        if meant.refusal:
            return replace(request, refusal=getattr(self._texts(request), meant.refusal))
        return replace(request, about=meant.files, place=meant.place, answer=meant.answer)

    async def _read_press(
        self, request: DiscordRequest, message: discord.Message, place: Place
    ) -> DiscordRequest:
        """What a button under an answer wants, with its pictures if they have to be shown again."""
        known = self._assistant.answer(self._references.answer_id(message))
        here = place.channel in {0, message.channel.id, getattr(message.channel, "parent_id", 0)}
        meant = await self._references.of_answer(message, request.who) if here else None
        request = self._with(request, meant or Meant(refusal="button_too_old"))
        if known is None and not request.refusal and isinstance(request.action, Retry):
            words = await self._asked(message) or "/caption"
            request = replace(request, action=Retry(text=words))
        # The action names the answer; not shown anew, it goes on counting tries.
        return replace(request, answer="")

    async def _asked(self, answer: discord.Message) -> str:
        """What an answer of an earlier run answers, as far as Discord tells."""
        message: discord.Message | None = answer
        for _ in range(_REPLY_DEPTH):
            message = await self.finder.replied(message) if message else None
            if message and message.author.id != answer.author.id:
                readable = await self.finder.readable(message)
                return words_in(readable, answer.author) if readable else ""
        return ""

    async def _fetch(self, request: DiscordRequest) -> tuple[Incoming | None, Reply, list[str]]:
        """The message with its pictures, else why there is none; and what to say of others."""
        texts = self._texts(request)
        words, action = request.text, request.action
        if not self._assistant.allows(request.who, words, action):
            return None, self._assistant.refuse(PLATFORM, "not_allowed", texts.not_allowed), []
        if request.refusal:
            return None, Reply(request.refusal, error=True), []
        start = time.perf_counter()
        own = await self._fetcher.fetch_all(request.own, texts)
        about = await self._fetcher.fetch_all(request.about, texts)
        remarks = list(dict.fromkeys(own.remarks + about.remarks))
        if remarks and not (own.pictures or about.pictures):
            return None, self._assistant.refuse(PLATFORM, "not_fetched", "\n".join(remarks)), []
        place = request.place
        incoming = Incoming(
            *request.who, request.text, tuple(own.pictures), tuple(about.pictures),
            language=request.language, fetching=time.perf_counter() - start,
            reply_to=request.answer, action=request.action,
            place=place._replace(spoiler=own.spoiler or about.spoiler) if place else None,
        )  # fmt: skip
        return incoming, Reply(""), remarks

    def _hides(self, incoming: Incoming) -> bool:
        """Whether a message is about a hidden picture, perhaps one that was shown before."""
        shows = incoming.pictures or incoming.reply_pictures
        place = incoming.place if shows else self._assistant.place(incoming.conversation)
        return isinstance(place, Place) and place.spoiler

    def _outgoing(
        self, request: DiscordRequest, incoming: Incoming, reply: Reply, remarks: list[str]
    ) -> Outgoing:
        if reply.outcome == FORGOTTEN:
            self._forget(request.who.user)
        spoiler = isinstance(reply.place, Place) and reply.place.spoiler and bool(reply.exchanges)
        if request.alt and reply.exchanges:
            shown = incoming.pictures or incoming.reply_pictures
            blocks = alt_texts(reply, self._texts(request), numbered=len(shown) > 1)
            said = "\n".join([*reply.unanswered, *remarks])
            return Outgoing(replace(reply, text=said, buttons=()), spoiler, blocks)
        if remarks:
            reply = replace(reply, text="\n".join([reply.text, "", *remarks]))
        return Outgoing(reply, spoiler)

    async def _say(self, responder: Responder, who: Conversation, answer: Outgoing) -> None:
        """Say an answer, unless the person was told the same again and again."""
        reply, looked = answer.reply, bool(answer.reply.exchanges)
        if looked:  # which nobody can do too often
            self._throttle.clear(who)
        if reply.error:
            await responder.whisper()
        # What nobody else sees, and what is kept of them, they may ask as often as they like.
        counts = not (looked or responder.ephemeral or reply.outcome in _PERSONAL)
        repeated = counts and self._throttle.repeats(who, reply.text) and not responder.sent
        if repeated and not await responder.whisper():
            return
        await responder.say(answer)
        for message in responder.sent:
            self._answer_ids.pop(message, None)
            if reply.number:
                self._answer_ids[message] = reply.number

    def _request(self, interaction: Interaction, action: Action) -> DiscordRequest:
        """What a command wants, in which nobody is named."""
        if isinstance(action, Ask):
            action = Ask(plain_words(action.question, self._client.user))
        return DiscordRequest(conversation(interaction), self._language(interaction), action=action)

    def _run_command(
        self,
        interaction: Interaction,
        request: DiscordRequest,
        read: Callable[[], Awaitable[DiscordRequest]],
        *,
        ephemeral: bool = False,
    ) -> Coroutine[Any, Any, None]:
        refused = not self._assistant.allows(request.who, action=request.action)
        responder = InteractionResponder(interaction, self._pace, ephemeral=ephemeral or refused)
        return self._answer(responder, request.who, read)

    def _forget(self, person: str) -> None:
        """Forget what is kept of a person here."""
        self._locales.pop(person, None)
        for key in [key for key in self._forms if str(key[0]) == person]:
            del self._forms[key]

    def _texts(self, request: DiscordRequest) -> Texts:
        return self._assistant.texts(PLATFORM, request.who.user, request.language)

    def _language(self, interaction: Interaction) -> str:
        """The language of the device on which somebody chose or pressed something."""
        self._locales[str(interaction.user.id)] = language = str(interaction.locale)
        return language

    def _language_of(self, message: discord.Message) -> str:
        """The language of a person who writes, else of the server, else ""."""
        if known := self._locales.get(str(message.author.id)):
            return known
        server = str(message.guild.preferred_locale) if message.guild else _DEFAULT_LOCALE
        return "" if server == _DEFAULT_LOCALE else server


def _rewritten(message: discord.Message) -> bool:
    """Whether somebody changed their words soon after writing them: to call the bot, perhaps.

    Previews and pins change messages, too, and after a restart all older versions are unknown.
    """
    age = discord.utils.utcnow() - message.created_at
    return message.edited_at is not None and age < REWRITABLE
