"""From a Telegram update to the assistant and back: messages, edits, albums, buttons."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any, cast

from cachetools import LRUCache
from telegram import CallbackQuery, ChatMember, Message, Update, User
from telegram.constants import CallbackQueryLimit, ChatType
from telegram.error import TelegramError
from telegram.ext import (
    Application,
    ApplicationHandlerStop,
    CallbackQueryHandler,
    ContextTypes,
    ExtBot,
    MessageHandler,
    TypeHandler,
    filters,
)

from bot.assistant.assistant import Assistant
from bot.assistant.conversations import TooManyWaitingError, TurnQueue
from bot.assistant.intents import is_data_right
from bot.assistant.limits import RepeatThrottle
from bot.assistant.locale.texts import Texts
from bot.assistant.types import (
    Action,
    Caption,
    ChooseSettings,
    Conversation,
    Incoming,
    Rate,
    Reply,
    Retry,
    button_action,
)
from bot.platforms import RECENT, PictureFile, PressGuard, SharedFile, UnderWay
from bot.telegram.albums import AlbumCollector
from bot.telegram.inbox import Inbox
from bot.telegram.limiter import ChatLimiter
from bot.telegram.memory import MessageMemory, Shown
from bot.telegram.messages import (
    PLATFORM,
    conversation,
    is_addressed,
    language,
    picture_fetcher,
    picture_in,
    replied_to,
    says_something,
    sender,
    words_in,
)
from bot.telegram.notice import notice
from bot.telegram.reading import RequestReader, TelegramRequest
from bot.telegram.sender import Sender

# Seconds for which words wait for a picture: who forwards one with a comment sends two messages,
# the comment first. The second is for who showed one before, and may well mean that.
HOLD, FOLLOW_UP_HOLD = 1.0, 0.3
ALBUM_PAUSE = 1.0  # seconds without another part after which an album counts as whole
ALBUM_MOST = 8.0  # seconds after its first part; later parts are an album of their own
FORGOTTEN = "forgotten"  # the outcome of /forget
_WORDS = "words"  # what is gathered instead of an album

PERSONAL = frozenset({FORGOTTEN, "settings", "privacy"})  # outcomes of what everybody may ask
PERSONAL_REPEATS = 10  # answers to such in a row
# Outcomes that tell nothing about the question: after an edit, the good answer before stays.
_NO_ANSWERS = frozenset(
    {
        *("limit_minute", "limit_day", "too_many", "busy", "closing", "crashed", "not_fetched"),
        *("unavailable", "no_picture", "picture_gone", "not_allowed"),
    }
)

_log = logging.getLogger(__name__)


class TelegramHandlers:
    """Answers updates.

    Args:
        bot: Telegram's side.
        assistant: Ours.
        inbox: Holds updates until they are answered.
    """

    def __init__(self, bot: ExtBot[Any], assistant: Assistant, inbox: Inbox) -> None:
        self._bot, self._assistant, self._inbox = bot, assistant, inbox
        self._memory = MessageMemory(inbox)
        self._reader = RequestReader(bot, assistant, self._memory, inbox)
        self._albums: AlbumCollector[Update] = AlbumCollector(
            self._answer_together, ALBUM_PAUSE, ALBUM_MOST
        )
        # What is gathered of each person: the parts of an album, or words that wait for a picture.
        self._gathered: LRUCache[Conversation, tuple[str, ...]] = LRUCache(RECENT)
        self._turns = TurnQueue()
        self._seen: LRUCache[int, None] = LRUCache(RECENT)
        self._throttle = RepeatThrottle()
        self._sender = Sender(bot)
        self._notices = partial(notice, self._sender, cast("ChatLimiter", bot.rate_limiter))
        self._fetcher = picture_fetcher(bot)
        self._presses, self._under_way = PressGuard(), UnderWay()
        self._giving_up: set[asyncio.Task[None]] = set()
        self._earlier: set[int] = set()  # updates that an earlier run did not answer

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

    async def abandon(self) -> None:
        """End what was not answered in time; the next run answers it."""
        await self._under_way.abandon()

    def take_up(self, update: Update) -> None:
        """This one comes from an earlier run, so that it may wait however many wait already."""
        self._earlier.add(update.update_id)

    def give_up(self, update: Update) -> None:
        """Say that this cannot be answered: it has ended the process more than once."""
        self._seen[update.update_id] = None  # Telegram may bring it once more
        task = asyncio.ensure_future(self._give_up(update))
        self._giving_up.add(task)
        task.add_done_callback(self._giving_up.discard)

    async def _give_up(self, update: Update) -> None:
        message, person = update.effective_message, update.effective_user
        with self._work((update.update_id,)):
            _log.error("Update %d is given up, for Glimpse ended over it", update.update_id)
            if isinstance(message, Message) and is_addressed(message, self._bot.bot):
                user = str(person.id) if person else sender(message)
                texts = self._assistant.texts(PLATFORM, user, language(person))
                reply = self._assistant.refuse(PLATFORM, "crashed", texts.interrupted)
                marks = self._inbox.marks((update.update_id,))
                begun = self._inbox.said((update.update_id,))
                await self._sender.say(message, reply, begun, marks)

    async def on_update(self, update: Update, _context: ContextTypes.DEFAULT_TYPE) -> None:
        """Stop an update that comes twice, or that nobody can answer."""
        if update.update_id in self._seen:
            raise ApplicationHandlerStop
        self._seen[update.update_id] = None
        if not (update.message or update.edited_message or update.callback_query):
            self._inbox.done([update.update_id])
            raise ApplicationHandlerStop

    async def on_message(self, update: Update, _context: ContextTypes.DEFAULT_TYPE) -> None:
        """Answer a message if the bot is meant; the parts of an album together."""
        message = update.message
        assert message is not None  # by the filter
        is_bot = message.from_user and message.from_user.is_bot and not message.sender_chat
        if is_bot or not says_something(update, message):
            self._inbox.done([update.update_id])
            return
        who = conversation(message)
        album = (*who, message.media_group_id) if message.media_group_id else None
        before = self._gathered.pop(who, None)
        held: list[Update] = []
        if before and before != album:  # it was sent before this, so it comes first
            if before[-1] == _WORDS and _is_shown_to(message):
                held = self._albums.take(before)
            self._albums.flush(before)
        if album:
            self._gathered[who] = album
            for part in (*held, update):
                self._albums.add(album, part)
            return
        if pause := self._pause(message, who):
            self._gathered[who] = (*who, _WORDS)
            self._albums.add((*who, _WORDS), update, pause)
            return
        if before:
            await asyncio.sleep(0)  # for it to take its turn
        updates = [*held, update]
        numbers = tuple(each.update_id for each in updates)
        with self._work(numbers):
            messages = [each.message for each in updates if each.message]
            if request := self._reader.read(messages, numbers):
                await self._answer(request)

    def _pause(self, message: Message, who: Conversation) -> float:
        """How long a message may have to wait for the picture that it is about; 0 if not."""
        me = self._bot.bot
        if not message.text or replied_to(message) or message.external_reply:
            return 0.0
        if not is_addressed(message, me):
            return 0.0
        words = words_in(message, me)
        if words.startswith("/") or not self._assistant.needs_picture(words, who):
            return 0.0
        memory = self._memory
        shown = self._assistant.remembers(who) or memory.unasked(who) or memory.last(who)
        return FOLLOW_UP_HOLD if shown else HOLD

    async def on_edit(self, update: Update, _context: ContextTypes.DEFAULT_TYPE) -> None:
        """Change the answer to a message that was edited."""
        message = update.edited_message
        assert message is not None  # by the filter
        with self._work((update.update_id,)):
            parts = self._memory.album(message) if message.media_group_id else [message]
            answered = [self._memory.answer_to((part.chat_id, part.message_id)) for part in parts]
            if sum(each is not None for each in answered) > 1:  # one by one
                parts = [message]
            if request := self._reader.read(parts, (update.update_id,), edited=True):
                await self._answer(request)

    async def on_press(self, update: Update, _context: ContextTypes.DEFAULT_TYPE) -> None:
        """Do what a button is for; pressed again while that is in work, it does nothing more."""
        with self._work((update.update_id,)):
            await self._press(update)

    async def _press(self, update: Update) -> None:
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
            action = button_action(command, self._memory.number(*key))
            if not isinstance(action, Caption | Retry):
                await self._answer_in_place(query, message, command, action)
            elif request := self._reader.read_press(query, message, action):
                await self._confirm(query)
                await self._answer(replace(request, updates=(update.update_id,)))
            else:
                await self._confirm(query, self._too_old(query))

    async def _answer_together(self, updates: list[Update]) -> None:
        if self._ask_apart([each.message for each in updates if each.message]):
            for update in updates:
                await self._answer_together([update])
            return
        numbers = tuple(update.update_id for update in updates)
        with self._work(numbers):
            messages = [update.message for update in updates if update.message]
            if request := self._reader.read(messages, numbers):
                await self._answer(request)

    def _ask_apart(self, parts: Sequence[Message]) -> bool:
        """Whether photos of an album have questions of their own, so that each is answered."""
        if not all(part.media_group_id for part in parts):
            return False
        return len({words_in(part, self._bot.bot) for part in parts} - {""}) > 1

    @contextmanager
    def _work(self, numbers: Sequence[int]) -> Iterator[None]:
        """What is done in it answers updates; only what the end of the process ends does not."""
        try:
            yield
        except Exception:
            self._inbox.done(numbers)
            raise
        self._inbox.done(numbers)

    async def _answer(self, request: TelegramRequest) -> None:
        asked, who, marks = request.asked, request.who, self._inbox.marks(request.updates)
        try:
            patient = not self._earlier.isdisjoint(request.updates)
            async with self._under_way.working(), self._turns.of(who, patient=patient):
                # Only now is the answer to the question before its edit known.
                said, request, changed = self._reader.compared(request)
                if not changed:
                    return
                begun = self._inbox.said(request.updates)
                async with self._notices(asked, marks, said=said, begun=begun) as shown:
                    self._inbox.begin(request.updates)
                    if (reply := self._refusal(request)) is None:
                        async with self._sender.typing(asked):
                            incoming, remarks = await self._fetch(request)
                            if incoming is None:
                                reply = self._assistant.refuse(
                                    PLATFORM, "not_fetched", "\n".join(remarks)
                                )
                            elif reply := await self._assistant.handle(
                                incoming, shown.tell, shown.draft
                            ):
                                reply = self._worded(request, reply, remarks)
                    await shown.close()
                    if reply and reply.outcome == FORGOTTEN:  # now nothing of theirs is in work
                        self._memory.forget(who.user)
                    silent = not said and self._repeats(who, reply)
                    if reply is None or (silent and not shown.said):
                        return
                    kept = said and shown.said == said and _is_no_answer(reply)
                    shown.settle()
                    answer = await self._sender.say(asked, reply, () if kept else shown.said, marks)
        except TooManyWaitingError:
            reply = self._assistant.refuse(
                PLATFORM, "too_many", self._texts(request).too_many_waiting
            )
            if not self._repeats(who, reply):
                await self._sender.say(asked, reply, marks=marks)
            return
        if answer and not kept:
            self._note(request, reply, answer)

    def _refusal(self, request: TelegramRequest) -> Reply | None:
        """Why the assistant is not even asked, so that no picture is fetched; None if it is."""
        who, texts = request.who, self._texts(request)
        if not self._assistant.allows(who, request.text, request.action):
            added = texts.your_id.format(id=_ids(request))
            return self._assistant.refuse(PLATFORM, "not_allowed", f"{texts.not_allowed} {added}")
        shows = any(isinstance(file, PictureFile) for file in (*request.own, *request.about))
        looks = shows and not is_data_right(request.text, request.action)
        if looks and (wait := self._assistant.too_much(who, request.language)):
            self._memory.keep_unasked(who, request.own)
            return wait
        return None

    def _worded(self, request: TelegramRequest, reply: Reply, remarks: Sequence[str]) -> Reply:
        """A reply with what has to be said of files, and what helps in this chat."""
        private = request.asked.chat.type == ChatType.PRIVATE
        sees_all = private or self._bot.can_read_all_group_messages
        if reply.outcome == "no_picture" and not sees_all:
            reply = replace(reply, text=self._texts(request).no_picture_in_group)
        lines = [reply.text, "", *remarks] if remarks else [reply.text]
        return replace(reply, text="\n".join(lines))

    async def _fetch(self, request: TelegramRequest) -> tuple[Incoming | None, list[str]]:
        """The message with its pictures, None if none could be had; and what to say of others."""
        start, texts = asyncio.get_running_loop().time(), self._texts(request)
        own = await self._fetcher.fetch_all(request.own, texts)
        about, owner = request.about, request.owner
        answer = self._assistant.answer(request.answer)
        if answer:
            held = self._assistant.holds(request.who, answer.place, answer.digests)
            about = () if held else cast("tuple[SharedFile, ...]", answer.place)
            owner = answer.owner
        others = await self._fetcher.fetch_all(() if own.pictures else about, texts)
        remarks = list(dict.fromkeys(own.remarks + others.remarks))
        if own.pictures or others.pictures:
            self._memory.drop_unasked(request.who)
            seen = (request.who.user, request.own) if own.pictures else (owner, about)
            self._memory.note_last(request.who, *seen)
        elif remarks:
            return None, remarks
        elif not (answer or request.text.lower().startswith("/forget")):
            await self._catch_up(request.who, texts)
        incoming = Incoming(
            *request.who, request.text, tuple(own.pictures), tuple(others.pictures),
            language=request.language, fetching=asyncio.get_running_loop().time() - start,
            reply_to=request.answer, action=request.action,
            place=request.own if own.pictures else about, owner=owner,
        )  # fmt: skip
        return incoming, remarks

    async def _catch_up(self, who: Conversation, texts: Texts) -> None:
        """Show the assistant what was posted before the bot was called, or before a restart."""
        unasked = self._memory.unasked(who)
        last = Shown(who.user, unasked) if unasked else None
        if last is None and not self._assistant.remembers(who):
            last = self._memory.last(who)
        if last is None:
            return
        found = await self._fetcher.fetch_all(last.files, texts)
        if self._memory.unasked(who) == unasked and found.pictures:
            self._memory.drop_unasked(who)
            await self._assistant.handle(
                Incoming(
                    *who, pictures=tuple(found.pictures), addressed=False, place=last.files,
                    owner=last.owner,
                )
            )  # fmt: skip

    def _note(self, request: TelegramRequest, reply: Reply, said: tuple[int, ...]) -> None:
        """Keep which answer the bot's messages are, and which message they answer."""
        for message in said:
            self._memory.note_number(request.asked.chat_id, message, reply.number)
        if request.action is None and reply.outcome != FORGOTTEN:
            answer = self._assistant.answer(reply.number)
            owner = (answer.owner if answer else "") or request.owner or request.who.user
            self._memory.note_answer(
                request.asked, (request.who.user, owner), request.content, said, reply
            )

    async def _answer_in_place(
        self, query: CallbackQuery, message: Message, command: str, action: Action | None
    ) -> None:
        """Do what needs no picture, and say it in passing or in place of the message."""
        who = await self._identity(query, message, action)
        reply = await self._assistant.handle(
            Incoming(
                *who, "" if action else command,
                language=language(query.from_user), action=action,
            )
        )  # fmt: skip
        passing = reply is None or reply.error or isinstance(action, Rate)
        await self._confirm(query, reply.text if reply and passing else "")
        if reply and not passing:
            await self._sender.say(message, reply, [message.message_id])

    async def _identity(
        self, query: CallbackQuery, message: Message, action: Action | None
    ) -> Conversation:
        """Who presses a button: an admin who asked in the group's name goes on in that."""
        own, question = conversation(message, query.from_user), message.reply_to_message
        anonymous = question is not None and question.sender_chat == message.chat
        if question is None or not anonymous or not isinstance(action, ChooseSettings):
            return own
        try:
            member = await self._bot.get_chat_member(message.chat_id, query.from_user.id)
        except TelegramError as error:
            _log.warning("Cannot tell who is an admin: %s", type(error).__name__)
            return own
        is_admin = member.status in {ChatMember.ADMINISTRATOR, ChatMember.OWNER}
        hidden = is_admin and getattr(member, "is_anonymous", False)
        return conversation(question) if hidden else own

    async def _confirm(self, query: CallbackQuery, text: str = "") -> None:
        """End the waiting that Telegram shows on the button, perhaps with words in passing."""
        try:
            await query.answer(text[: CallbackQueryLimit.ANSWER_CALLBACK_QUERY_TEXT_LENGTH] or None)
        except TelegramError as error:
            _log.debug("Cannot confirm a button: %s", type(error).__name__)

    def _repeats(self, who: Conversation, reply: Reply | None) -> bool:
        """Whether this person was told the same often enough a moment ago."""
        if reply is None:
            return False
        if reply.exchanges:
            self._throttle.clear(who)
            return False
        if reply.outcome in PERSONAL:
            return self._throttle.repeats(who, reply.outcome, PERSONAL_REPEATS)
        return self._throttle.repeats(who, reply.text)

    def _texts(self, request: TelegramRequest) -> Texts:
        return self._assistant.texts(PLATFORM, request.who.user, request.language)

    def _too_old(self, query: CallbackQuery) -> str:
        person: User = query.from_user
        return self._assistant.texts(PLATFORM, str(person.id), language(person)).button_too_old


def _is_shown_to(message: Message) -> bool:
    """Whether a message may be the picture that words before it are about."""
    if not isinstance(picture_in(message), PictureFile):
        return False
    return message.forward_origin is not None or not message.caption


def _is_no_answer(reply: Reply) -> bool:
    return reply.error and reply.outcome.partition(":")[0] in _NO_ANSWERS


def _ids(request: TelegramRequest) -> str:
    """How an operator would name the person, and the group, in the settings."""
    person = f"{PLATFORM}:{request.who.user}"
    if request.asked.chat.type == ChatType.PRIVATE:
        return person
    return f"{person} / {PLATFORM}:{request.asked.chat_id}"
