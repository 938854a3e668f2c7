"""From a Telegram update to the assistant and back."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from telegram import Bot, CallbackQuery, Message, Update, User
from telegram.error import TelegramError

from bot.assistant import Assistant
from bot.fetching import PATIENCE, FetchError
from bot.messages import Attachment, Incoming, Reply
from bot.recent import Recent
from bot.telegram.albums import Albums
from bot.telegram.files import fetch
from bot.telegram.reading import (
    NoPicture,
    Source,
    conversation,
    is_addressed,
    picture_in,
    sender,
    words_in,
)  # fmt: skip
from bot.telegram.sending import say, typing
from bot.texts import ENGLISH, Texts
from bot.turns import TooManyWaitingError, Turns

PLATFORM = "telegram"
FETCHES = 8  # files on their way at the same time
REFUSALS, REFUSAL_SECONDS = 2, 10.0  # how often the same refusal is said within how many seconds

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Ask:
    """What somebody wants.

    Attributes:
        asked: The message that is answered.
        who: Wants it.
        words: What they said.
        messages: What they sent, if they sent something.
        about: Messages of others, or earlier ones, that it is about.
        edited: Whether it was said before in other words.
    """

    asked: Message
    who: str
    words: str
    messages: Sequence[Message] = ()
    about: Sequence[Message] = ()
    edited: bool = False


@dataclass
class _Shown:
    """What messages bring: pictures, and what to say about those that could not be had."""

    pictures: list[Attachment] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


class Talk:
    """Answers updates; `me` is known once the bot has introduced itself.

    Args:
        bot: Telegram's side.
        assistant: Ours.
        texts: What is said about files that cannot be had.
        albums: How long an album is waited for: quiet seconds, and seconds in all.
    """

    def __init__(
        self,
        bot: Bot,
        assistant: Assistant,
        texts: Texts = ENGLISH,
        albums: tuple[float, float] = (1.0, 8.0),
    ) -> None:
        self._bot, self._assistant, self._texts = bot, assistant, texts
        self._albums: Albums[Message] = Albums(self._take, *albums)
        self._album_of: Recent[tuple[str, str], tuple[str, str, str]] = Recent()
        self._turns = Turns()
        self._answers: Recent[tuple[int, int], tuple[int, str]] = Recent()
        # The messages whose pictures each person was last told about, and each answer is about.
        self._last: Recent[tuple[str, str], Sequence[Message]] = Recent()
        self._subjects: Recent[tuple[int, int], Sequence[Message]] = Recent()
        self._unasked: Recent[str, list[Message]] = Recent()
        self._refused: Recent[tuple[str, str], tuple[str, int, float]] = Recent()
        self._seen: Recent[int, None] = Recent()
        self._fetching = asyncio.Semaphore(FETCHES)

    @property
    def me(self) -> User:
        """The bot itself."""
        return self._bot.bot

    async def on_update(self, update: Update) -> None:
        """Answer an update if it is meant for the bot; one that comes twice counts once."""
        if update.update_id in self._seen:
            return
        self._seen[update.update_id] = None
        if update.callback_query:
            await self._pressed(update.callback_query)
        elif update.edited_message:
            if not update.edited_message.media_group_id:
                await self._take([update.edited_message], edited=True)
        elif message := update.message:
            if message.from_user and message.from_user.is_bot and not message.sender_chat:
                return
            await self._arrived(message)

    async def close(self) -> None:
        """Answer the albums that are still gathered."""
        await self._albums.close()

    async def _arrived(self, message: Message) -> None:
        if not (message.text or message.caption or message.effective_attachment):
            return  # somebody pinned a message, say
        whose = (conversation(message), sender(message))
        album = (*whose, message.media_group_id) if message.media_group_id else None
        before = self._album_of.pop(whose, None)
        if before and before != album:  # it was sent before this, so it comes first
            self._albums.flush(before)
        if album:
            self._album_of[whose] = album
            self._albums.add(album, message)
            return
        if before:
            await asyncio.sleep(0)  # for it to take its turn
        await self._take([message])

    async def _pressed(self, query: CallbackQuery) -> None:
        """A button under an answer: its action is meant for what the answer was about."""
        message = query.message
        known = isinstance(message, Message) and message.is_accessible and query.data
        try:
            await query.answer(None if known else self._texts.button_too_old)
        except TelegramError as error:
            _log.debug("Cannot confirm a button: %s", type(error).__name__)
        if isinstance(message, Message) and message.is_accessible and query.data:
            replied = [message.reply_to_message] if message.reply_to_message else []
            about = self._subjects.get((message.chat_id, message.message_id), replied)
            ask = _Ask(message, str(query.from_user.id), query.data, (), about)
            await self._answer(ask)

    async def _take(self, messages: list[Message], *, edited: bool = False) -> None:
        """Answer messages that belong together, or keep them in mind until somebody asks."""
        asked = messages[0]
        where = conversation(asked)
        if not any(is_addressed(message, self.me) for message in messages):
            shown = any(isinstance(picture_in(message), Source) for message in messages)
            if shown and not edited:
                self._unasked[where] = messages
            return
        spoken = [words for message in messages if (words := words_in(message, self.me))]
        if spoken and spoken[0].lower().startswith("/forget"):
            self._unasked.pop(where, None)
        words = spoken[0] if spoken else ""
        await self._answer(
            _Ask(asked, sender(asked), words, messages, self._replied_to(asked), edited)
        )

    def _replied_to(self, asked: Message) -> Sequence[Message]:
        """The messages that one is about because it replies to them, or to an answer of ours."""
        replied = asked.reply_to_message
        if replied is None:
            return ()
        return self._subjects.get((replied.chat_id, replied.message_id), [replied])

    async def _answer(self, ask: _Ask) -> None:
        asked, whose = ask.asked, (conversation(ask.asked), ask.who)
        try:
            async with self._turns.of(whose):
                # Only now is the answer to the question before its edit known.
                said, before = self._answers.get((asked.chat_id, asked.message_id), (None, ""))
                if ask.edited and ask.words == before:
                    return  # something else than the question was changed: a place that moves, say
                reply = await self._reply(ask, whose)
                if reply is None or (not ask.edited and self._repeats(whose, reply)):
                    return
                answer = await say(self._bot, asked, reply, said if ask.edited else None)
        except TooManyWaitingError:
            reply = Reply(self._texts.too_many_waiting, error=True)
            if not self._repeats(whose, reply):
                await say(self._bot, asked, reply)
            return
        if answer:
            self._subjects[asked.chat_id, answer] = self._last.get(whose, ())
            if ask.messages:
                self._answers[asked.chat_id, asked.message_id] = (answer, ask.words)

    async def _reply(self, ask: _Ask, whose: tuple[str, str]) -> Reply | None:
        if not self._assistant.allows(PLATFORM, ask.who, whose[0]):
            return Reply(self._texts.not_allowed, error=True)
        async with typing(self._bot, ask.asked):
            own = await self._fetch(ask.messages)
            replied = await self._fetch([] if own.pictures else ask.about)
            remarks = list(dict.fromkeys(own.remarks + replied.remarks))
            if own.pictures or replied.pictures:
                self._unasked.pop(whose[0], None)
                self._last[whose] = ask.messages if own.pictures else ask.about
            elif remarks:
                return Reply("\n".join(remarks), error=True)
            else:
                await self._catch_up(whose)
            pictures, others = tuple(own.pictures), tuple(replied.pictures)
            reply = await self._assistant.handle(
                Incoming(PLATFORM, *whose, ask.words, pictures, others)
            )
        if reply and remarks:
            return replace(reply, text="\n".join([reply.text, "", *remarks]))
        return reply

    async def _catch_up(self, whose: tuple[str, str]) -> None:
        """Show the assistant a picture that was posted before the bot was called."""
        where = whose[0]
        messages = self._unasked.get(where)
        if messages is None:
            return
        shown = await self._fetch(messages)
        if self._unasked.get(where) is messages and shown.pictures:
            del self._unasked[where]
            self._last[whose] = messages
            who, pictures = sender(messages[0]), tuple(shown.pictures)
            await self._assistant.handle(
                Incoming(PLATFORM, where, who, pictures=pictures, addressed=False)
            )

    async def _fetch(self, messages: Sequence[Message]) -> _Shown:
        """The pictures of messages, all at once, in their order."""
        shown = _Shown()
        sources = [source for message in messages if (source := picture_in(message))]
        for found in await asyncio.gather(*map(self._fetch_one, sources)):
            if isinstance(found, Attachment):
                shown.pictures.append(found)
            else:
                shown.remarks.append(found)
        for source in sources:
            if isinstance(source, Source) and source.still and shown.pictures:
                shown.remarks.append(self._texts.still_only.format(what=source.still))
        return shown

    async def _fetch_one(self, source: Source | NoPicture) -> Attachment | str:
        if isinstance(source, NoPicture):
            return self._texts.no_picture_file
        try:
            async with self._fetching:
                return await fetch(self._bot, source, PATIENCE)
        except FetchError as error:
            return self._texts.file_too_big if error.too_big else self._texts.fetch_failed

    def _repeats(self, whose: tuple[str, str], reply: Reply) -> bool:
        """Whether this person was refused in the same words twice a moment ago."""
        if not reply.error:
            self._refused.pop(whose, None)
            return False
        now = asyncio.get_running_loop().time()
        words = re.sub(r"\d+", "", reply.text)  # the time to wait grows shorter
        before, count, at = self._refused.get(whose, ("", 0, now))
        again = before == words and now - at < REFUSAL_SECONDS
        count, at = (count + 1, at) if again else (1, now)
        self._refused[whose] = (words, count, at)
        return count > REFUSALS
