"""Saying a reply on Telegram: in parts that fit, again after the network was away, or in place."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import httpx
from cachetools import LRUCache
from telegram import (
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    LinkPreviewOptions,
    Message,
    ReplyParameters,
)
from telegram.constants import ChatAction, ChatType, MessageLimit
from telegram.error import (
    BadRequest,
    ChatMigrated,
    Forbidden,
    InvalidToken,
    NetworkError,
    RetryAfter,
    TelegramError,
    TimedOut,
)
from telegram.ext import ExtBot

from bot.assistant.splitting import split, utf16_length
from bot.assistant.types import Reply
from bot.platforms import RECENT, retry
from bot.telegram.inbox import Marks
from bot.telegram.messages import topic

TYPING_SECONDS = 4.0  # Telegram shows it for five
# Seconds between attempts without a network, for an hour: only this person's turn waits for it.
WAITS = (1.0, 2.0, 4.0, 8.0, 15.0, *[30.0] * 119)
IN_A_ROW = 4  # buttons
NO_PREVIEW = LinkPreviewOptions(is_disabled=True)

_log = logging.getLogger(__name__)
T = TypeVar("T")
Sending = Callable[[bool], None]
NOW = object()  # tells the limiter that a draft has had its turn, and waits for nothing more


class Sender:
    """Says things in chats.

    Args:
        bot: Telegram's side.
    """

    def __init__(self, bot: ExtBot[Any]) -> None:
        self._bot = bot
        self._has_drafts = True
        self._moved: LRUCache[int, int] = LRUCache(RECENT)  # groups that became supergroups

    async def say(
        self,
        asked: Message,
        reply: Reply,
        said: Sequence[int] = (),
        marks: Marks | None = None,
    ) -> tuple[int, ...]:
        """Answer a message, or change what was said before.

        Args:
            asked: What it answers.
            reply: What to say; as plain text, so that no character means anything else.
            said: The messages to change: the answer before the question was edited, say.
            marks: Told how far it is said.

        Returns:
            The ids of the answer's messages, as far as the person could be reached.
        """
        parts = split(reply.text, MessageLimit.MAX_TEXT_LENGTH, utf16_length)
        sent: list[int] = []
        left = [*said]
        try:
            for number, part in enumerate(parts, 1):
                keys = _keys(reply) if number == len(parts) else None
                if left and await self._edit(asked, left[0], part, keys):
                    sent.append(left.pop(0))
                else:
                    await self.withdraw(asked, left)  # they would stand before this one
                    left = []
                    message = await self._send(asked, part, keys, marks.sending if marks else None)
                    sent.append(message.message_id)
                if marks and number < len(parts):
                    marks.said(sent)
            await self.withdraw(asked, left)
        except Forbidden as error:
            _log.info("Cannot answer any more: %s", error)
        except TelegramError as error:
            if connection_broke(error):
                _log.warning("The connection broke before Telegram said that it took an answer")
            else:
                # The text of one has the id of the group.
                cause = None if isinstance(error, ChatMigrated) else error
                kind = type(error).__name__
                _log.error("Could not send an answer (%s)", kind, exc_info=cause)
        return tuple(sent)

    async def withdraw(self, asked: Message, said: Sequence[int]) -> None:
        """Take messages back, as far as that is possible."""
        for message in said:
            try:
                await self._bot.delete_message(asked.chat_id, message)
            except TelegramError as error:
                _log.info("Cannot take a message back (%s)", type(error).__name__)

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

    # --- before the answer, without insisting ---------------------------------------------------

    def has_drafts(self, asked: Message) -> bool:
        """Whether a chat shows drafts that vanish, as far as that is known."""
        return self._has_drafts and asked.chat.type == ChatType.PRIVATE

    async def draft(self, asked: Message, text: str) -> bool:
        """Show a draft, which vanishes; returns whether this chat and this server know drafts.

        Raises:
            TelegramError: It could not be shown.
        """
        if not self.has_drafts(asked):
            return False
        try:
            await self._bot.send_message_draft(
                asked.chat_id, asked.message_id, text, message_thread_id=topic(asked)
            )
        except TelegramError as error:
            if not _unknown_method(error):
                raise
            self._has_drafts = False
            _log.info("This server knows no drafts; notices are messages from now on")
            return False
        return True

    async def begin(self, asked: Message, text: str) -> int:
        """Send the beginning of an answer, if it is possible at once; returns the message's id.

        Raises:
            TelegramError: It could not be sent, or may have been.
        """
        return (await self._post(asked, text, None, topic(asked), NOW)).message_id

    async def change(self, asked: Message, said: int, text: str) -> None:
        """Change the beginning of an answer, if it is possible at once.

        Raises:
            TelegramError: It could not be changed.
        """
        await self._bot.edit_message_text(
            text, asked.chat_id, said, link_preview_options=NO_PREVIEW, rate_limit_args=NOW
        )

    # --- the answer, insistently ----------------------------------------------------------------

    async def _send(
        self,
        asked: Message,
        text: str,
        keys: InlineKeyboardMarkup | None,
        sending: Sending | None = None,
    ) -> Message:
        thread = topic(asked)

        def send() -> Awaitable[Message]:
            return self._post(asked, text, keys, thread, sending)

        try:
            return await _insist(send)
        except ChatMigrated as error:  # a group that became a supergroup
            self._moved[asked.chat_id] = error.new_chat_id
        except BadRequest as error:
            if thread is None or "thread not found" not in str(error).lower():
                raise
            thread = None  # the topic was deleted; the group is still there
        return await _insist(send)

    def _post(
        self,
        asked: Message,
        text: str,
        keys: InlineKeyboardMarkup | None,
        thread: int | None,
        told: object,
    ) -> Awaitable[Message]:
        """Send a message that replies to one; `told` is for the limiter."""
        moved = self._moved.get(asked.chat_id)
        # The question may be deleted by now; and it has another id where the group went.
        replied = ReplyParameters(asked.message_id, allow_sending_without_reply=True)
        return self._bot.send_message(
            moved or asked.chat_id,
            text,
            message_thread_id=None if moved else thread,
            reply_parameters=None if moved else replied,
            reply_markup=keys,
            link_preview_options=NO_PREVIEW,
            rate_limit_args=told,
        )

    async def _edit(
        self, asked: Message, said: int, text: str, keys: InlineKeyboardMarkup | None
    ) -> bool:
        """Change an answer; returns whether it is there to be changed."""
        try:
            await _insist(
                lambda: self._bot.edit_message_text(
                    text, asked.chat_id, said, reply_markup=keys, link_preview_options=NO_PREVIEW
                ),
                # What was done already is not done twice: it is "not modified" then.
                lambda error: was_not_sent(error) or connection_broke(error),
            )
        except BadRequest as error:
            return "not modified" in str(error).lower()
        except ChatMigrated as error:  # where it went, the answer has another id
            self._moved[asked.chat_id] = error.new_chat_id
            return False
        return True


async def _insist(
    call: Callable[[], Awaitable[T]], retried: Callable[[BaseException], bool] | None = None
) -> T:
    """Try again while there is no network; not after a failure when it may have worked.

    Args:
        call: What to do.
        retried: After which errors it may be done again; those of `was_not_sent` if not given.

    Raises:
        TelegramError: There is none for a minute and a half, or Telegram refuses.
    """

    def failed(_error: BaseException, wait: float) -> None:
        _log.warning("No network; trying again in %.0f s", wait)

    return await retry(call, retried or was_not_sent, WAITS, failed)


def connection_broke(error: BaseException) -> bool:
    """Whether a call ended without an answer, so that nobody knows whether it did its work."""
    network = isinstance(error, NetworkError) and not isinstance(error, BadRequest)
    return network and isinstance(error.__cause__, httpx.TransportError) and not was_not_sent(error)


def was_not_sent(error: BaseException) -> bool:
    """Whether nothing can have come of a call: there was no network, or it was refused for now.

    Where a connection ends before the answer to a call, the call may have done its work.
    """
    if isinstance(error, RetryAfter):
        return True
    if not isinstance(error, NetworkError) or isinstance(error, BadRequest):
        return False
    cause = error.__cause__
    if cause is None:  # Telegram's own words: it cannot do it now
        return not isinstance(error, TimedOut)
    # A `TelegramError` is behind the answer of a gateway, which is no JSON: "502 Bad Gateway".
    return isinstance(
        cause, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout | TelegramError
    )


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
