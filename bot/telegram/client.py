"""The connection to Telegram: within its limits, and aware of a token that is taken back."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from telegram import Update
from telegram.error import Forbidden, InvalidToken
from telegram.ext import AIORateLimiter, Application, ApplicationBuilder, ExtBot
from telegram.request import HTTPXRequest

AT_ONCE = 64  # updates in work; each person's wait for each other anyway
CONNECTIONS = 256
# Shown for a moment only, and worthless if late.
PASSING = frozenset({"sendChatAction", "sendMessageDraft", "answerCallbackQuery"})

App = Application[Any, Any, Any, Any, Any, Any]


class _Limiter(AIORateLimiter):
    """Keeps to Telegram's limits, towards which what is shown in passing does not count."""

    def __init__(self, rejected: asyncio.Event) -> None:
        super().__init__(max_retries=5)
        self._rejected = rejected

    async def process_request(
        self, callback: Any, args: Any, kwargs: Any, endpoint: str, *more: Any, **named: Any
    ) -> Any:
        """Send now, or when the limits allow it."""
        try:
            if endpoint in PASSING:
                return await callback(*args, **kwargs)
            return await super().process_request(callback, args, kwargs, endpoint, *more, **named)
        except InvalidToken as error:
            # An unknown method is an invalid token to the library, too.
            if "unauthorized" in str(error).lower():
                self._rejected.set()
            raise


class Client(ExtBot[int]):
    """The bot's side of Telegram.

    Args:
        token: From BotFather.
        base_url: Of another Bot API server than Telegram's, or "".
    """

    def __init__(self, token: str, base_url: str = "") -> None:
        root = base_url.rstrip("/") or "https://api.telegram.org"
        self._rejected = asyncio.Event()
        super().__init__(
            token,
            base_url=f"{root}/bot",
            base_file_url=f"{root}/file/bot",
            request=HTTPXRequest(connection_pool_size=CONNECTIONS),
            get_updates_request=HTTPXRequest(),
            rate_limiter=_Limiter(self._rejected),
        )

    @property
    def rejected(self) -> asyncio.Event:
        """Set once Telegram does not know the token any more."""
        return self._rejected

    async def get_updates(self, *args: Any, **named: Any) -> tuple[Update, ...]:
        """As the library's, but a rejected token gives nothing more instead of an error.

        The library would log the error at length, and end fetching without telling anybody.
        """
        if not self._rejected.is_set():
            try:
                return await super().get_updates(*args, **named)
            except (InvalidToken, Forbidden) as error:
                if error.__cause__ is not None:  # not Telegram's own words: a proxy's, say
                    raise
                self._rejected.set()
        return ()


def build(token: str, base_url: str = "") -> App:
    """The application, which keeps to Telegram's limits by itself; its bot is a `Client`.

    Args:
        token: From BotFather.
        base_url: Of another Bot API server than Telegram's.
    """
    # They log the addresses of requests, and the token is part of those.
    for name in ("httpx", "httpcore", "telegram"):
        logging.getLogger(name).setLevel(logging.WARNING)
    client = Client(token, base_url)
    return ApplicationBuilder().bot(client).concurrent_updates(AT_ONCE).build()
