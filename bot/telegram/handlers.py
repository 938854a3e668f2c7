"""From a Telegram update to the assistant and back: messages, edits, albums, buttons."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar, cast

from cachetools import LRUCache
from telegram import Bot, CallbackQuery, Message, Update, User
from telegram.constants import CallbackQueryLimit
from telegram.error import TelegramError
from telegram.ext import (
    Application,
    ApplicationHandlerStop,
    CallbackQueryHandler,
    ContextTypes,
    MessageHandler,
    TypeHandler,
    filters,
)

from bot.assistant.assistant import Assistant
from bot.assistant.conversations import TooManyWaitingError, TurnQueue
from bot.assistant.limits import RepeatThrottle
from bot.assistant.locale.texts import Texts
from bot.assistant.types import (
    Action,
    Caption,
    Conversation,
    Incoming,
    Rate,
    Reply,
    Retry,
    button_action,
)
from bot.platforms import RECENT, PictureFile, PressGuard, SharedFile
from bot.telegram.messages import (
    PLATFORM,
    conversation,
    files_in,
    is_addressed,
    language,
    picture_fetcher,
    words_in,
)
from bot.telegram.sender import Sender

ALBUM_PAUSE = 1.0  # seconds without another part after which an album counts as whole
ALBUM_MOST = 8.0  # seconds after its first part; later parts are an album of their own
FORGOTTEN = "forgotten"  # the outcome of /forget
_RETRY = re.compile(r"^/retry(?=\s|$)\s*", re.IGNORECASE)

_log = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(frozen=True)
class TelegramRequest:
    """What somebody wants, by a message or by a button.

    Attributes:
        asked: The message that is answered.
        who: Wants it.
        language: What their device speaks, or "".
        text: What they wrote.
        action: What they pressed, instead.
        own: Pictures and files that they sent.
        about: Those of the message that they replied to.
        answer: Id of the answer that they replied to, or whose button they pressed, or "".
        edited: It was said before in other words.
    """

    asked: Message
    who: Conversation
    language: str
    text: str = ""
    action: Action | None = None
    own: tuple[SharedFile, ...] = ()
    about: tuple[SharedFile, ...] = ()
    answer: str = ""
    edited: bool = False

    @property
    def key(self) -> tuple[int, int]:
        """Names the message that is answered."""
        return self.asked.chat_id, self.asked.message_id


class TelegramHandlers:
    """Answers updates.

    Args:
        bot: Telegram's side.
        assistant: Ours.
    """

    def __init__(self, bot: Bot, assistant: Assistant) -> None:
        self._bot, self._assistant = bot, assistant
        self._albums: AlbumCollector[Message] = AlbumCollector(
            self._answer_album, ALBUM_PAUSE, ALBUM_MOST
        )
        self._album_of: LRUCache[Conversation, tuple[str, ...]] = LRUCache(RECENT)
        self._turns = TurnQueue()
        # By message: its answer, and a hash, for words need not be kept to be compared.
        self._answers: LRUCache[tuple[int, int], tuple[int, int]] = LRUCache(RECENT)
        # By the bot's message: the id of the answer that it is.
        self._answer_ids: LRUCache[tuple[int, int], str] = LRUCache(RECENT)
        # By chat: pictures that were posted before the bot was called.
        self._unasked: LRUCache[str, tuple[Conversation, tuple[SharedFile, ...]]] = LRUCache(RECENT)
        self._seen: LRUCache[int, None] = LRUCache(RECENT)
        self._throttle = RepeatThrottle()
        self._sender = Sender(bot)
        self._fetcher = picture_fetcher(bot)
        self._presses = PressGuard()

    def register(self, application: Application[Any, Any, Any, Any, Any, Any]) -> None:
        """Have an application hand its updates on."""
        kinds = filters.UpdateType
        application.add_handler(TypeHandler(Update, self.on_update), group=-1)
        application.add_handler(MessageHandler(kinds.MESSAGE, self.on_message))
        application.add_handler(MessageHandler(kinds.EDITED_MESSAGE, self.on_edit))
        application.add_handler(CallbackQueryHandler(self.on_press))

    async def close(self) -> None:
        """Answer the albums that are still gathered."""
        await self._albums.close()

    async def on_update(self, update: Update, _context: ContextTypes.DEFAULT_TYPE) -> None:
        """Stop an update that comes twice."""
        if update.update_id in self._seen:
            raise ApplicationHandlerStop
        self._seen[update.update_id] = None

    async def on_message(self, update: Update, _context: ContextTypes.DEFAULT_TYPE) -> None:
        """Answer a message if the bot is meant; the parts of an album together."""
        message = update.message
        assert message is not None  # by the filter
        if message.from_user and message.from_user.is_bot and not message.sender_chat:
            return
        if not (message.text or message.caption or message.effective_attachment):
            return  # somebody pinned a message, say
        who = conversation(message)
        album = (*who, message.media_group_id) if message.media_group_id else None
        before = self._album_of.pop(who, None)
        if before and before != album:  # it was sent before this, so it comes first
            self._albums.flush(before)
        if album:
            self._album_of[who] = album
            self._albums.add(album, message)
            return
        if before:
            await asyncio.sleep(0)  # for it to take its turn
        if request := self._read([message]):
            await self._answer(request)

    async def on_edit(self, update: Update, _context: ContextTypes.DEFAULT_TYPE) -> None:
        """Change the answer to a message that was edited."""
        message = update.edited_message
        assert message is not None  # by the filter
        request = None if message.media_group_id else self._read([message], edited=True)
        if request:
            await self._answer(request)

    async def on_press(self, update: Update, _context: ContextTypes.DEFAULT_TYPE) -> None:
        """Do what a button is for; pressed again while that is in work, it does nothing more."""
        query = update.callback_query
        assert query is not None  # by the kind of handler
        message, command = query.message, query.data
        if not (isinstance(message, Message) and message.is_accessible and command):
            await self._confirm(query, self._too_old(query))
            return
        key = message.chat_id, message.message_id
        with self._presses.once((*key, query.from_user.id, command)) as first:
            if not first:
                await self._confirm(query)
                return
            answer = self._answer_ids.get(key, "")
            action = button_action(command, answer)
            if not isinstance(action, Caption | Retry):
                await self._answer_in_place(query, message, command, action)
            elif request := self._read_press(query, message, action):
                await self._confirm(query)
                await self._answer(request)
            else:
                await self._confirm(query, self._too_old(query))

    async def _answer_album(self, messages: list[Message]) -> None:
        if request := self._read(messages):
            await self._answer(request)

    def _read(self, messages: Sequence[Message], *, edited: bool = False) -> TelegramRequest | None:
        """What messages that belong together want; None if the bot is not meant."""
        asked = messages[0]
        who, files, me = conversation(asked), files_in(messages), self._bot.bot
        if not any(is_addressed(message, me) for message in messages):
            if not edited and any(isinstance(file, PictureFile) for file in files):
                self._unasked[who.chat] = who, files  # until somebody asks
            return None
        spoken = [words for message in messages if (words := words_in(message, me))]
        replied = asked.reply_to_message
        return TelegramRequest(
            asked, who, language(asked.from_user), spoken[0] if spoken else "", own=files,
            about=files_in([replied] if replied else ()),
            answer=self._answer_ids.get((replied.chat_id, replied.message_id), "")
            if replied else "",
            edited=edited,
        )  # fmt: skip

    def _read_press(
        self, query: CallbackQuery, message: Message, action: Caption | Retry
    ) -> TelegramRequest | None:
        """What a button under an answer wants; None if its pictures cannot be had any more."""
        question = message.reply_to_message
        asked = question if question and isinstance(action, Retry) else message
        who, said = conversation(message, query.from_user), language(query.from_user)
        if self._assistant.answer(action.answer):
            return TelegramRequest(asked, who, said, action=action, answer=action.answer)
        # An answer of an earlier run, say: the message that it replies to tells as much.
        me = self._bot.bot
        if question is None or (question.from_user and question.from_user.id == me.id):
            return None
        files = files_in([question])
        if not any(isinstance(file, PictureFile) for file in files):
            return None
        if isinstance(action, Retry):
            words = _RETRY.sub("", words_in(question, me))
            action = Retry(text=words or "/caption")
        return TelegramRequest(asked, who, said, action=action, about=files)

    async def _answer(self, request: TelegramRequest) -> None:
        asked, who = request.asked, request.who
        try:
            async with self._turns.of(who):
                # Only now is the answer to the question before its edit known.
                said, before = self._answers.get(request.key, (None, hash("")))
                if request.edited and hash(request.text) == before:
                    return  # something else than the question was changed: a place that moves, say
                async with self._sender.notice(asked, said if request.edited else None) as notice:
                    if not self._assistant.allows(who, request.text, request.action):
                        reply: Reply | None = self._assistant.refuse(
                            PLATFORM, "not_allowed", self._texts(request).not_allowed
                        )
                    else:
                        async with self._sender.typing(asked):
                            incoming, remarks = await self._fetch(request)
                            if incoming is None:
                                reply = self._assistant.refuse(
                                    PLATFORM, "not_fetched", "\n".join(remarks)
                                )
                            elif reply := await self._assistant.handle(incoming, notice.tell):
                                lines = [reply.text, "", *remarks] if remarks else [reply.text]
                                reply = replace(reply, text="\n".join(lines))
                if reply and reply.outcome == FORGOTTEN:  # only now is nothing of theirs in work
                    self._forget(who)
                silent = not request.edited and self._repeats(who, reply)
                if reply is None or (silent and not notice.said):
                    return
                answer = await self._sender.say(asked, reply, notice.said)
        except TooManyWaitingError:
            reply = self._assistant.refuse(
                PLATFORM, "too_many", self._texts(request).too_many_waiting
            )
            if not self._repeats(who, reply):
                await self._sender.say(asked, reply)
            return
        if answer:
            self._note(request, reply, answer)

    async def _fetch(self, request: TelegramRequest) -> tuple[Incoming | None, list[str]]:
        """The message with its pictures, None if none could be had; and what to say of others."""
        start, texts = asyncio.get_running_loop().time(), self._texts(request)
        own = await self._fetcher.fetch_all(request.own, texts)
        about = request.about
        answer = self._assistant.answer(request.answer)
        if answer:
            held = self._assistant.holds(request.who, answer.place, answer.digests)
            about = () if held else cast("tuple[SharedFile, ...]", answer.place)
        others = await self._fetcher.fetch_all(() if own.pictures else about, texts)
        remarks = list(dict.fromkeys(own.remarks + others.remarks))
        if own.pictures or others.pictures:
            self._unasked.pop(request.who.chat, None)
        elif remarks:
            return None, remarks
        elif not (answer or request.text.lower().startswith("/forget")):
            await self._catch_up(request.who.chat, texts)
        incoming = Incoming(
            *request.who, request.text, tuple(own.pictures), tuple(others.pictures),
            language=request.language, fetching=asyncio.get_running_loop().time() - start,
            reply_to=request.answer, action=request.action,
            place=request.own if own.pictures else about,
        )  # fmt: skip
        return incoming, remarks

    async def _catch_up(self, chat: str, texts: Texts) -> None:
        """Show the assistant a picture that was posted before the bot was called."""
        posted = self._unasked.get(chat)
        if posted is None:
            return
        who, files = posted
        shown = await self._fetcher.fetch_all(files, texts)
        if self._unasked.get(chat) is posted and shown.pictures:
            del self._unasked[chat]
            pictures = tuple(shown.pictures)
            await self._assistant.handle(
                Incoming(*who, pictures=pictures, addressed=False, place=files)
            )

    def _note(self, request: TelegramRequest, reply: Reply, message: int) -> None:
        """Keep which answer the bot's message is, and which message it answers."""
        key = (request.asked.chat_id, message)
        self._answer_ids.pop(key, None)
        if reply.number:
            self._answer_ids[key] = reply.number
        if request.action is None:
            self._answers[request.key] = (message, hash(request.text))

    async def _answer_in_place(
        self, query: CallbackQuery, message: Message, command: str, action: Action | None
    ) -> None:
        """Do what needs no picture, and say it in passing or in place of the message."""
        reply = await self._assistant.handle(
            Incoming(
                *conversation(message, query.from_user), "" if action else command,
                language=language(query.from_user), action=action,
            )
        )  # fmt: skip
        passing = reply is None or reply.error or isinstance(action, Rate)
        await self._confirm(query, reply.text if reply and passing else "")
        if reply and not passing:
            await self._sender.say(message, reply, message.message_id)

    async def _confirm(self, query: CallbackQuery, text: str = "") -> None:
        """End the waiting that Telegram shows on the button, perhaps with words in passing."""
        try:
            await query.answer(text[: CallbackQueryLimit.ANSWER_CALLBACK_QUERY_TEXT_LENGTH] or None)
        except TelegramError as error:
            _log.debug("Cannot confirm a button: %s", type(error).__name__)

    def _repeats(self, who: Conversation, reply: Reply | None) -> bool:
        """Whether this person was refused in the same words twice a moment ago."""
        if reply and reply.error:
            return self._throttle.repeats(who, reply.text)
        self._throttle.clear(who)
        return False

    def _forget(self, who: Conversation) -> None:
        """Forget what a person posted, wherever that was."""
        for chat, (poster, _) in list(self._unasked.items()):
            if poster.user == who.user:
                del self._unasked[chat]

    def _texts(self, request: TelegramRequest) -> Texts:
        return self._assistant.texts(PLATFORM, request.who.user, request.language)

    def _too_old(self, query: CallbackQuery) -> str:
        person: User = query.from_user
        return self._assistant.texts(PLATFORM, str(person.id), language(person)).button_too_old


# --- albums ---------------------------------------------------------------------------------------


class _Gathering(Generic[T]):
    def __init__(self, first: float) -> None:
        self.first = first
        self.parts: list[T] = []
        self.timer: asyncio.TimerHandle | None = None


class AlbumCollector(Generic[T]):
    """Hands on what arrived under one key, once it has been quiet for a while.

    What counts is when parts arrive, not how long it takes to fetch them. For one event loop.

    Args:
        hand_on: Takes the parts, in the order of arrival.
        pause: Seconds without another part.
        longest: Seconds from the first part on.
    """

    def __init__(
        self,
        hand_on: Callable[[list[T]], Awaitable[None]],
        pause: float,
        longest: float,
    ) -> None:
        self._hand_on, self._pause, self._longest = hand_on, pause, longest
        self._gathering: dict[Hashable, _Gathering[T]] = {}
        self._handing: set[asyncio.Task[None]] = set()

    def add(self, key: Hashable, part: T) -> None:
        """Take a part; the first one starts an album."""
        loop = asyncio.get_running_loop()
        album = self._gathering.setdefault(key, _Gathering(loop.time()))
        album.parts.append(part)
        if album.timer:
            album.timer.cancel()
        at = min(loop.time() + self._pause, album.first + self._longest)
        album.timer = loop.call_at(at, self.flush, key)

    def flush(self, key: Hashable) -> None:
        """Hand on what is there under a key, if anything is."""
        album = self._gathering.pop(key, None)
        if album is None:
            return
        if album.timer:
            album.timer.cancel()
        task = asyncio.ensure_future(self._hand_on(album.parts))
        self._handing.add(task)
        task.add_done_callback(self._handing.discard)

    async def close(self) -> None:
        """Hand on everything, and wait until it is dealt with."""
        for key in list(self._gathering):
            self.flush(key)
        await asyncio.gather(*self._handing, return_exceptions=True)
