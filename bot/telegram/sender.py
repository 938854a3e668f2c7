"""Saying a reply on Telegram: in parts that fit, again after the network was away, or in place."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import httpx
from telegram import (
    Bot,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    LinkPreviewOptions,
    Message,
    ReplyParameters,
)
from telegram.constants import ChatAction, ChatType, MessageLimit
from telegram.error import (
    BadRequest,
    Forbidden,
    InvalidToken,
    NetworkError,
    TelegramError,
    TimedOut,
)

from bot.assistant.text import split
from bot.assistant.types import Reply
from bot.platforms import retry
from bot.telegram.messages import topic

TYPING_SECONDS = 4.0  # Telegram shows it for five
DRAFT_SECONDS = 20.0  # until a draft is sent again; Telegram shows it for thirty
WAITS = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 30.0)  # seconds between attempts without a network
IN_A_ROW = 4  # buttons
NO_PREVIEW = LinkPreviewOptions(is_disabled=True)

_log = logging.getLogger(__name__)
T = TypeVar("T")


class Sender:
    """Says things in chats.

    Args:
        bot: Telegram's side.
    """

    def __init__(self, bot: Bot) -> None:
        self._bot = bot
        self._has_drafts = True

    async def say(self, asked: Message, reply: Reply, said: int | None = None) -> int | None:
        """Answer a message, or change what was said before.

        Args:
            asked: What it answers.
            reply: What to say; as plain text, so that no character means anything else.
            said: The message to change: the answer before the question was edited, say.

        Returns:
            The id of the answer's first message; None if the person cannot be reached any more.
        """
        parts = split(reply.text, MessageLimit.MAX_TEXT_LENGTH)
        keys = _keys(reply)
        try:
            first = None
            for number, part in enumerate(parts):
                last = keys if number == len(parts) - 1 else None
                if said and number == 0 and await self._edit(asked, said, part, last):
                    first = said
                    continue
                sent = await self._send(asked, part, last)
                first = first or sent.message_id
        except Forbidden as error:
            _log.info("Cannot answer any more: %s", error)
            return None
        except TelegramError as error:
            _log.error("Could not send an answer (%s)", type(error).__name__, exc_info=error)
            return None
        return first

    @asynccontextmanager
    async def typing(self, asked: Message) -> AsyncIterator[None]:
        """Show in the chat that an answer is on its way, for as long as it takes."""

        async def show() -> None:
            while True:
                try:
                    await self._bot.send_chat_action(
                        asked.chat_id, ChatAction.TYPING, message_thread_id=topic(asked)
                    )
                except TelegramError as error:  # a nicety; the answer itself reports troubles
                    _log.debug("Cannot show typing: %s", type(error).__name__)
                await asyncio.sleep(TYPING_SECONDS)

        task = asyncio.ensure_future(show())
        try:
            yield
        finally:
            task.cancel()

    @asynccontextmanager
    async def notice(self, asked: Message, said: int | None) -> AsyncIterator[Notice]:
        """While an answer is awaited; `said` is the message that it will change, if any."""
        notice = Notice(self, asked, said)
        try:
            yield notice
        finally:
            await notice.close()

    async def draft(self, asked: Message, text: str) -> bool:
        """Show a draft, which vanishes; returns whether this chat and this server know drafts."""
        if not self._has_drafts or asked.chat.type != ChatType.PRIVATE:
            return False
        try:
            await self._bot.send_message_draft(
                asked.chat_id, asked.message_id, text, message_thread_id=topic(asked)
            )
        except TelegramError as error:  # a nicety
            if _unknown_method(error):
                self._has_drafts = False
                _log.info("This server knows no drafts; notices are messages from now on")
                return False
            _log.debug("Cannot show a draft: %s", type(error).__name__)
        return True

    async def _send(self, asked: Message, text: str, keys: InlineKeyboardMarkup | None) -> Message:
        return await _insist(
            lambda: self._bot.send_message(
                asked.chat_id,
                text,
                message_thread_id=topic(asked),
                # The question may be deleted by now.
                reply_parameters=ReplyParameters(
                    asked.message_id, allow_sending_without_reply=True
                ),
                reply_markup=keys,
                link_preview_options=NO_PREVIEW,
            )
        )

    async def _edit(
        self, asked: Message, said: int, text: str, keys: InlineKeyboardMarkup | None
    ) -> bool:
        """Change an answer; returns whether it is there to be changed."""
        try:
            await _insist(
                lambda: self._bot.edit_message_text(
                    text, asked.chat_id, said, reply_markup=keys, link_preview_options=NO_PREVIEW
                )
            )
        except BadRequest as error:
            return "not modified" in str(error).lower()
        return True


class Notice:
    """What is said before one answer: a draft that vanishes, or a message that becomes the answer.

    Attributes:
        said: The message to change into the answer, if there is one.
    """

    def __init__(self, sender: Sender, asked: Message, said: int | None) -> None:
        self._sender, self._asked, self.said = sender, asked, said
        self._drafting: asyncio.Task[None] | None = None

    async def tell(self, text: str) -> None:
        """Say it, in the way that this chat allows."""
        if await self._sender.draft(self._asked, text):
            self._drafting = asyncio.ensure_future(self._keep(text))
        else:
            self.said = await self._sender.say(self._asked, Reply(text), self.said)

    async def close(self) -> None:
        """Say no more, for the answer comes next."""
        if self._drafting:
            self._drafting.cancel()
            await asyncio.wait({self._drafting})

    async def _keep(self, text: str) -> None:
        while True:
            await asyncio.sleep(DRAFT_SECONDS)
            await self._sender.draft(self._asked, text)


async def _insist(call: Callable[[], Awaitable[T]]) -> T:
    """Try again while there is no network; not after a failure when it may have worked.

    Raises:
        TelegramError: There is none for a minute and a half, or Telegram refuses.
    """

    def failed(_error: BaseException, wait: float) -> None:
        _log.warning("No network; trying again in %.0f s", wait)

    return await retry(call, _was_not_sent, WAITS, failed)


def _was_not_sent(error: BaseException) -> bool:
    """Whether there was no network, so that nothing can have been sent."""
    if not isinstance(error, NetworkError) or isinstance(error, BadRequest):
        return False
    cause = error.__cause__
    if isinstance(error, TimedOut):  # also when no connection was made at all
        return isinstance(cause, httpx.ConnectTimeout | httpx.PoolTimeout)
    return not isinstance(cause, httpx.ReadError)


def _unknown_method(error: TelegramError) -> bool:
    """Whether a server does not know what it was asked for, or will never do it."""
    said = str(error).lower()
    if isinstance(error, InvalidToken):  # what the library makes of 404, but also of 401
        return "unauthorized" not in said
    unknown = re.search("not found|unsupported|not supported|unknown", said)
    return isinstance(error, BadRequest) and "method" in said and unknown is not None


def _keys(reply: Reply) -> InlineKeyboardMarkup | None:
    keys = [InlineKeyboardButton(b.label, callback_data=b.action) for b in reply.buttons]
    rows = [keys[first : first + IN_A_ROW] for first in range(0, len(keys), IN_A_ROW)]
    return InlineKeyboardMarkup(rows) if rows else None
