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
from bot.messages import Attachment, Incoming, Reply
from bot.recent import Recent
from bot.telegram.albums import Albums
from bot.telegram.files import PATIENCE, FetchError, fetch
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
REFUSALS, REFUSAL_SECONDS = 2, 10.0  # how often the same refusal is said within how many seconds

_log = logging.getLogger(__name__)


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
        self._unasked: Recent[str, list[Message]] = Recent()
        self._refused: Recent[tuple[str, str], tuple[str, int, float]] = Recent()
        self._seen: Recent[int, None] = Recent()

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
            await self._edited(update.edited_message)
        elif message := update.message:
            if message.from_user and message.from_user.is_bot and not message.sender_chat:
                return
            await self._arrived(message)

    async def close(self) -> None:
        """Answer the albums that are still gathered."""
        await self._albums.close()

    async def _arrived(self, message: Message) -> None:
        whose = (conversation(message), sender(message))
        if message.media_group_id:
            self._album_of[whose] = (*whose, message.media_group_id)
            self._albums.add(self._album_of[whose], message)
            return
        if album := self._album_of.pop(whose, None):  # it was sent before this, so it comes first
            self._albums.flush(album)
            await asyncio.sleep(0)
        await self._take([message])

    async def _edited(self, message: Message) -> None:
        said, before = self._answers.get((message.chat_id, message.message_id), (None, ""))
        if words_in(message, self.me) == before or message.media_group_id:
            return  # something else than the question was changed: a place that moves, say
        await self._take([message], said)

    async def _pressed(self, query: CallbackQuery) -> None:
        """A button under an answer: its action is meant for what the answer was about."""
        try:
            await query.answer()
        except TelegramError as error:
            _log.debug("Cannot confirm a button: %s", type(error).__name__)
        message = query.message
        if not (isinstance(message, Message) and message.is_accessible and query.data):
            return  # too old for Telegram to tell what it was
        about = message.reply_to_message
        await self._answer([], message, str(query.from_user.id), query.data, about)

    async def _take(self, messages: list[Message], said: int | None = None) -> None:
        """Answer messages that belong together, or keep them in mind until somebody asks."""
        if not any(is_addressed(message, self.me) for message in messages):
            if any(isinstance(picture_in(message), Source) for message in messages):
                self._unasked[conversation(messages[0])] = messages
            return
        spoken = [words for message in messages if (words := words_in(message, self.me))]
        if spoken and spoken[0].lower().startswith("/forget"):
            self._unasked.pop(conversation(messages[0]), None)
        asked = messages[0]
        await self._answer(
            messages, asked, sender(asked), spoken[0] if spoken else "",
            asked.reply_to_message, said,
        )  # fmt: skip

    async def _answer(  # noqa: PLR0917
        self,
        messages: Sequence[Message],
        asked: Message,
        who: str,
        words: str,
        about: Message | None,
        said: int | None = None,
    ) -> None:
        where = conversation(asked)
        try:
            async with self._turns.of((where, who)):
                async with typing(self._bot, asked):
                    reply = await self._reply(messages, where, who, words, about)
                if reply is None or self._repeats(where, who, reply):
                    return
                answer = await say(self._bot, asked, reply, said)
        except TooManyWaitingError:
            reply = Reply(self._texts.too_many_waiting, error=True)
            if not self._repeats(where, who, reply):
                await say(self._bot, asked, reply)
            return
        if answer and messages:
            self._answers[asked.chat_id, asked.message_id] = (answer, words)

    async def _reply(
        self, messages: Sequence[Message], where: str, who: str, words: str, about: Message | None
    ) -> Reply | None:
        own = await self._fetch(messages)
        replied = await self._fetch([about] if about and not own.pictures else [])
        remarks = own.remarks + replied.remarks
        if remarks and not own.pictures and not replied.pictures:
            return Reply("\n".join(dict.fromkeys(remarks)), error=True)
        if own.pictures or replied.pictures:
            self._unasked.pop(where, None)
        else:
            await self._catch_up(where)
        reply = await self._assistant.handle(
            Incoming(PLATFORM, where, who, words, tuple(own.pictures), tuple(replied.pictures))
        )
        if reply and remarks:
            return replace(reply, text="\n".join([reply.text, "", *dict.fromkeys(remarks)]))
        return reply

    async def _catch_up(self, where: str) -> None:
        """Show the assistant a picture that was posted before the bot was called."""
        messages = self._unasked.pop(where, None)
        if messages:
            shown = await self._fetch(messages)
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
            return await fetch(self._bot, source, PATIENCE)
        except FetchError as error:
            return self._texts.file_too_big if error.too_big else self._texts.fetch_failed

    def _repeats(self, where: str, who: str, reply: Reply) -> bool:
        """Whether this person was refused in the same words twice a moment ago."""
        if not reply.error:
            self._refused.pop((where, who), None)
            return False
        now = asyncio.get_running_loop().time()
        words = re.sub(r"\d+", "", reply.text)  # the time to wait grows shorter
        before, count, at = self._refused.get((where, who), ("", 0, now))
        again = before == words and now - at < REFUSAL_SECONDS
        count, at = (count + 1, at) if again else (1, now)
        self._refused[where, who] = (words, count, at)
        return count > REFUSALS
