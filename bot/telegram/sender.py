"""Saying a reply on Telegram: in parts that fit, again after the network was away, or in place."""

from __future__ import annotations

import asyncio
import logging
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
)  # fmt: skip
from telegram.constants import ChatAction, MessageLimit
from telegram.error import BadRequest, Forbidden, NetworkError, TelegramError, TimedOut

from bot.assistant.splitting import split
from bot.assistant.types import Reply

TYPING_SECONDS = 4.0  # Telegram shows it for five
WAITS = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 30.0)  # seconds between attempts without a network
IN_A_ROW = 4  # buttons
NO_PREVIEW = LinkPreviewOptions(is_disabled=True)

_log = logging.getLogger(__name__)
T = TypeVar("T")


async def say(bot: Bot, asked: Message, reply: Reply, said: int | None = None) -> int | None:
    """Answer a message, or change what was said before.

    Args:
        bot: Says it.
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
            if said and number == 0 and await _edit(bot, asked, said, part, last):
                first = said
                continue
            send = _sending(bot, asked, part, last)
            sent = await insist(send)
            first = first or sent.message_id
    except Forbidden as error:
        _log.info("Cannot answer any more: %s", error)
        return None
    except TelegramError as error:
        _log.error("Could not send an answer (%s)", type(error).__name__, exc_info=error)
        return None
    return first


async def insist(call: Callable[[], Awaitable[T]]) -> T:
    """Try again while there is no network; not after a failure when it may have worked.

    Raises:
        TelegramError: There is none for a minute and a half, or Telegram refuses.
    """
    for wait in WAITS:
        try:
            return await call()
        except NetworkError as error:
            if isinstance(error, BadRequest) or _may_have_worked(error):
                raise
            _log.warning("No network; trying again in %.0f s", wait)
            await asyncio.sleep(wait)
    return await call()


@asynccontextmanager
async def typing(bot: Bot, asked: Message) -> AsyncIterator[None]:
    """Show in the chat that an answer is on its way, for as long as it takes."""

    async def show() -> None:
        while True:
            try:
                await bot.send_chat_action(
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


def topic(asked: Message) -> int | None:
    """The topic of a forum that a message is in."""
    return asked.message_thread_id if asked.is_topic_message else None


def _sending(
    bot: Bot, asked: Message, text: str, keys: InlineKeyboardMarkup | None
) -> Callable[[], Awaitable[Message]]:
    return lambda: bot.send_message(
        asked.chat_id,
        text,
        message_thread_id=topic(asked),
        # The question may be deleted by now.
        reply_parameters=ReplyParameters(asked.message_id, allow_sending_without_reply=True),
        reply_markup=keys,
        link_preview_options=NO_PREVIEW,
    )


async def _edit(
    bot: Bot, asked: Message, said: int, text: str, keys: InlineKeyboardMarkup | None
) -> bool:
    """Change an answer; returns whether it is there to be changed."""
    try:
        await insist(
            lambda: bot.edit_message_text(
                text, asked.chat_id, said, reply_markup=keys, link_preview_options=NO_PREVIEW
            )
        )
    except BadRequest as error:
        return "not modified" in str(error).lower()
    return True


def _may_have_worked(error: NetworkError) -> bool:
    """Whether a message may have been sent though nothing was heard of it."""
    cause = error.__cause__
    if isinstance(error, TimedOut):  # also when no connection was made at all
        return not isinstance(cause, httpx.ConnectTimeout | httpx.PoolTimeout)
    return isinstance(cause, httpx.ReadError)


def _keys(reply: Reply) -> InlineKeyboardMarkup | None:
    keys = [InlineKeyboardButton(b.label, callback_data=b.action) for b in reply.buttons]
    rows = [keys[first : first + IN_A_ROW] for first in range(0, len(keys), IN_A_ROW)]
    return InlineKeyboardMarkup(rows) if rows else None
