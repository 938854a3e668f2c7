"""Buttons under answers: each is done once, and means what its answer was about."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from telegram import Bot, CallbackQuery, Message
from telegram.constants import CallbackQueryLimit
from telegram.error import TelegramError

from bot.assistant.assistant import Assistant
from bot.assistant.types import Incoming, Reply
from bot.telegram.asking import Ask
from bot.telegram.messages import PLATFORM, Source, conversation, language, picture_in, words_in
from bot.telegram.sender import say
from bot.telegram.subjects import RETRY, Subject, Subjects, question_in

_log = logging.getLogger(__name__)


class Presses:
    """Does what buttons are for.

    Args:
        bot: Telegram's side.
        assistant: Ours.
        subjects: What answers were about.
        answer: Answers what is asked about pictures.
    """

    def __init__(
        self,
        bot: Bot,
        assistant: Assistant,
        subjects: Subjects,
        answer: Callable[[Ask], Awaitable[None]],
    ) -> None:
        self._bot, self._assistant, self._subjects = bot, assistant, subjects
        self._answer = answer
        self._in_work: set[tuple[int, int, int, str]] = set()

    async def on_press(self, query: CallbackQuery) -> None:
        """Do what a button is for; pressed again while that is in work, it does nothing more."""
        message, action = query.message, query.data
        if not (isinstance(message, Message) and message.is_accessible and action):
            await self._confirm(query, self._too_old(query))
            return
        press = (message.chat_id, message.message_id, query.from_user.id, action)
        if press in self._in_work:
            await self._confirm(query)
            return
        self._in_work.add(press)
        try:
            await self._press(query, message, action)
        finally:
            self._in_work.discard(press)

    async def _press(self, query: CallbackQuery, message: Message, action: str) -> None:
        command = action.partition(" ")[0]
        if command in {"/rate", "/settings"}:
            reply = await self._handle(query, message, action)
            passing = command == "/rate" or reply is None or reply.error
            await self._confirm(query, reply.text if reply and passing else "")
            if reply and not passing:
                await say(self._bot, message, reply, message.message_id)
        else:
            await self._look(query, message, action)

    async def _look(self, query: CallbackQuery, message: Message, action: str) -> None:
        """Answer once more, or describe, what this answer was about."""
        subject = self._subjects.of(message) or self._read(message)
        where, who = conversation(message), str(query.from_user.id)
        if not (subject.messages or self._assistant.remembers(PLATFORM, where, who)):
            await self._confirm(query, self._too_old(query))
            return
        await self._confirm(query)
        asked = subject.asked if action == RETRY else message
        said = language(query.from_user)
        await self._answer(Ask(asked, where, who, action, said, subject=subject))

    async def _handle(self, query: CallbackQuery, message: Message, action: str) -> Reply | None:
        """Tell the assistant what needs no picture."""
        who, said = str(query.from_user.id), language(query.from_user)
        return await self._assistant.handle(
            Incoming(PLATFORM, conversation(message), who, action, language=said)
        )

    def _read(self, message: Message) -> Subject:
        """What an answer was about whose subject is forgotten, by the message it replies to."""
        asked = message.reply_to_message
        if asked is None or (asked.from_user and asked.from_user.id == self._bot.id):
            return Subject((), asked or message)  # only captions answer the bot's own answers
        shown = (asked,) if isinstance(picture_in(asked), Source) else ()
        return Subject(shown, asked, question=question_in(words_in(asked, self._bot.bot)))

    def _too_old(self, query: CallbackQuery) -> str:
        who, said = str(query.from_user.id), language(query.from_user)
        return self._assistant.texts(PLATFORM, who, said).button_too_old

    async def _confirm(self, query: CallbackQuery, text: str = "") -> None:
        """End the waiting that Telegram shows on the button, perhaps with words in passing."""
        try:
            await query.answer(text[: CallbackQueryLimit.ANSWER_CALLBACK_QUERY_TEXT_LENGTH] or None)
        except TelegramError as error:
            _log.debug("Cannot confirm a button: %s", type(error).__name__)
