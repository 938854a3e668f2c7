"""What somebody wants, and which pictures they mean: read off messages and pressed buttons."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from telegram import Bot, CallbackQuery, Message

from bot.assistant.assistant import Assistant
from bot.assistant.types import Action, Caption, Conversation, Retry
from bot.platforms import PictureFile, SharedFile
from bot.telegram.inbox import Inbox
from bot.telegram.memory import MessageMemory, Shown
from bot.telegram.messages import (
    content_of,
    conversation,
    files_in,
    is_addressed,
    language,
    picture_in,
    replied_files,
    replied_to,
    sender,
    words_in,
)

_RETRY = re.compile(r"^/retry(?=\s|$)\s*", re.IGNORECASE)


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
        owner: Who showed what they replied to, or "".
        content: A hash of what was said and shown.
        updates: Numbers of the updates that brought it.
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
    owner: str = ""
    content: bytes = b""
    updates: tuple[int, ...] = ()

    @property
    def key(self) -> tuple[int, int]:
        """Names the message that is answered."""
        return self.asked.chat_id, self.asked.message_id


class RequestReader:
    """Reads requests.

    Args:
        bot: Telegram's side.
        assistant: Knows what its answers were about.
        memory: Knows which messages were answered, and what they showed.
        inbox: Hashes.
    """

    def __init__(self, bot: Bot, assistant: Assistant, memory: MessageMemory, inbox: Inbox) -> None:
        self._bot, self._assistant = bot, assistant
        self._memory, self._inbox = memory, inbox

    def read(
        self, messages: Sequence[Message], updates: tuple[int, ...], *, edited: bool = False
    ) -> TelegramRequest | None:
        """What messages that belong together want; None if the bot is not meant."""
        if not messages:
            return None
        asked, me = messages[0], self._bot.bot
        who, files = conversation(asked), files_in(messages)
        about = self._about(asked)
        for message in messages:
            own = files_in([message])
            self._memory.note_shown(message, who.user if own else about.owner, own or about.files)
        self._memory.note_album(messages)
        if not any(is_addressed(message, me) for message in messages):
            if not edited:
                self._memory.keep_unasked(who, files)  # until they ask
            return None
        spoken = [words for message in messages if (words := words_in(message, me))]
        replied = replied_to(asked)
        return TelegramRequest(
            asked, who, language(asked.from_user), spoken[0] if spoken else "", own=files,
            about=about.files, owner=about.owner,
            answer=self._memory.number(replied.chat_id, replied.message_id) if replied else "",
            edited=edited, content=self._inbox.hash(*content_of(messages, me)), updates=updates,
        )  # fmt: skip

    def compared(self, request: TelegramRequest) -> tuple[tuple[int, ...], TelegramRequest, bool]:
        """An edit compared with what was asked before: the messages to change, and whether to.

        A reaction comes as an edit that changes nothing. What was asked about pictures without
        showing them, is still about these.
        """
        if not request.edited:
            return (), request, True
        known = self._memory.answer_to(request.key)
        if known is None:
            shows = any(isinstance(file, PictureFile) for file in request.own)
            nothing = not (request.text or shows)  # a place that moves, say
            is_old = self._memory.is_old(request.asked, request.who.user)
            return (), request, not (nothing or is_old)
        if known.content == request.content:
            return (), request, False
        if not (request.own or request.about or request.answer):
            if self._assistant.answer(known.number):
                request = replace(request, answer=known.number)
            elif known.shown and not self._assistant.holds(request.who, known.shown.files):
                request = replace(request, about=known.shown.files, owner=known.shown.owner)
        return known.messages, request, True

    def _about(self, asked: Message) -> Shown:
        """The pictures of the message that one replies to, or that it was about."""
        files, replied = replied_files(asked), replied_to(asked)
        if replied is None:
            return Shown("", files)
        key = replied.chat_id, replied.message_id
        nested = replied.reply_to_message
        shows = replied if picture_in(replied) or nested is None else nested
        if files:
            return Shown(sender(shows), files)
        if replied.from_user and replied.from_user.id == self._bot.bot.id:
            known = self._assistant.answer(self._memory.number(*key))
            found = None if known else self._memory.shown_in_answer(*key)
        else:
            found = self._memory.shown(*key)
        return found or Shown("", ())

    def read_press(
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
        shown = Shown(sender(question), files_in([question]))
        if not any(isinstance(file, PictureFile) for file in shown.files):
            found = self._memory.shown_in_answer(message.chat_id, message.message_id)
            if found is None:
                return None
            shown = found
        if isinstance(action, Retry):
            words = _RETRY.sub("", words_in(question, me))
            action = Retry(text=words or "/caption")
        return TelegramRequest(
            asked, who, said, action=action, about=shown.files, owner=shown.owner
        )
