"""Keeping to Telegram's limits, chat by chat."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from contextvars import ContextVar
from datetime import timedelta
from typing import Any

import httpx
from aiolimiter import AsyncLimiter
from cachetools import LRUCache
from telegram.constants import FloodLimit
from telegram.error import InvalidToken, NetworkError, RetryAfter
from telegram.ext import AIORateLimiter

from bot.live_draft import Pace
from bot.platforms import RECENT
from bot.telegram.sender import NOW, Sending, was_not_sent

# Shown for a moment only, and worthless if late.
TRANSIENT_METHODS = frozenset({"sendChatAction", "sendMessageDraft", "answerCallbackQuery"})
FLOOD_ATTEMPTS = 6  # where Telegram tells to wait
FLOOD_MARGIN = 0.1  # seconds longer than it says
DRAFT_PAUSE = 1.0  # seconds between two drafts in one chat
# Of what Telegram takes in a second, and in a group in a minute, so much is left for answers.
LEFT_FOR_ANSWERS = 10


class ChatLimiter(AIORateLimiter):
    """Keeps to Telegram's limits, towards which what is shown in passing does not count.

    Where Telegram tells to wait, the chat that it is about waits, and no other.

    Args:
        rejected: Is set when Telegram does not know the token any more.
    """

    def __init__(self, rejected: asyncio.Event) -> None:
        super().__init__()
        self._rejected = rejected
        self._free: LRUCache[object, float] = LRUCache(RECENT)  # by chat: when it may go on
        self._drafts = Pace(DRAFT_PAUSE)
        self._all_drafts = AsyncLimiter(FloodLimit.MESSAGES_PER_SECOND - LEFT_FOR_ANSWERS, 1)

    async def process_request(  # noqa: PLR0917 (the library's)
        self, callback: Any, args: Any, kwargs: Any, endpoint: str, data: Any, rate_limit_args: Any
    ) -> Any:
        """Send now, or when the limits allow it.

        `rate_limit_args` is told when it is sent; or it is `NOW`, for a draft whose turn it is.
        """
        try:
            if endpoint in TRANSIENT_METHODS:
                return await callback(*args, **kwargs)
            chat, now = data.get("chat_id"), rate_limit_args is NOW

            async def when_free() -> Any:
                return await self._when_free(chat, send, 1 if now else FLOOD_ATTEMPTS)

            async def send() -> Any:
                with _telling(None if now else rate_limit_args):
                    return await callback(*args, **kwargs)

            return await super().process_request(when_free, (), {}, endpoint, data, None)
        except InvalidToken as error:
            # An unknown method is an invalid token to the library, too.
            if "unauthorized" in str(error).lower():
                self._rejected.set()
            raise

    async def draft_turn(self, chat: int) -> None:
        """Wait until a chat may be shown a draft, which takes nothing away from answers."""
        while True:
            await self._drafts.turn(chat)
            if self._has_room(chat):
                return await self._all_drafts.acquire()

    def _has_room(self, chat: int) -> bool:
        told_to_wait = self._free.get(chat, 0.0) > asyncio.get_running_loop().time()
        limits = [self._base_limiter] if self._base_limiter else []
        if chat < 0:  # a group
            limits.append(self._get_group_limiter(chat))
        room = all(limit.has_capacity(1 + LEFT_FOR_ANSWERS) for limit in limits)
        return room and self._all_drafts.has_capacity() and not told_to_wait

    async def _when_free(
        self, chat: object, send: Callable[[], Awaitable[Any]], attempts: int
    ) -> Any:
        time = asyncio.get_running_loop().time
        for attempt in range(attempts):
            while chat is not None and (wait := self._free.get(chat, 0.0) - time()) > 0:
                await asyncio.sleep(wait)
            try:
                return await send()
            except RetryAfter as error:
                told = error.retry_after
                wait = told.total_seconds() if isinstance(told, timedelta) else told
                self._free[chat] = time() + wait + FLOOD_MARGIN
                if attempts == 1:
                    raise
                if attempt == attempts - 1:
                    raise NetworkError("Telegram tells to wait again and again.") from error
                if chat is None:
                    await asyncio.sleep(wait + FLOOD_MARGIN)
        return None


# Told when the request of this task is on its way.
_SENDING: ContextVar[Sending | None] = ContextVar("sending", default=None)


@contextlib.contextmanager
def _telling(sending: Sending | None) -> Iterator[None]:
    """Tells that something is on its way, and if it could not be sent."""
    token = _SENDING.set(sending)
    try:
        yield
    except Exception as error:
        if sending and was_not_sent(error):
            sending(False)
        raise
    finally:
        _SENDING.reset(token)


async def trace_sending(request: httpx.Request) -> None:
    """Have it told when a request is really on its way: connected, and all but its body sent.

    What ends the process before then leaves nothing with Telegram (a hook of httpx).
    """
    sending = _SENDING.get()
    if sending is None:
        return

    async def trace(event: str, _: Any) -> None:
        if event.endswith("send_request_body.started"):
            sending(True)

    request.extensions = {**request.extensions, "trace": trace}
