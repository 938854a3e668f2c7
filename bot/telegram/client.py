"""The connection to Telegram: within its limits, and aware of a token that is taken back."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from telegram import Update
from telegram.error import Conflict, Forbidden, InvalidToken, NetworkError, TelegramError
from telegram.ext import AIORateLimiter, Application, ApplicationBuilder, ExtBot
from telegram.request import HTTPXRequest

from bot.health import Connection

AT_ONCE = 64  # updates in work; each person's wait for each other anyway
CONNECTIONS = 256
# Shown for a moment only, and worthless if late.
PASSING = frozenset({"sendChatAction", "sendMessageDraft", "answerCallbackQuery"})
AWAY = "Telegram cannot be reached; look after the network."
OTHER = "Another program answers for this bot; stop it, for only one can."
# Loggers of the library that show updates which it cannot read.
_UPDATER = "telegram.ext.Updater"
_SHOWING = ("telegram.Bot", "telegram.ext.ExtBot", _UPDATER, "telegram.request.BaseRequest")

_log = logging.getLogger(__name__)
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
        connection: Is told whether Telegram answers.
    """

    def __init__(
        self, token: str, base_url: str = "", connection: Connection | None = None
    ) -> None:
        root = base_url.rstrip("/") or "https://api.telegram.org"
        self._rejected = asyncio.Event()
        self._connection = connection or Connection()
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

    @property
    def connection(self) -> Connection:
        """What is known of whether Telegram answers."""
        return self._connection

    async def get_updates(self, *args: Any, **named: Any) -> tuple[Update, ...]:
        """As the library's, but a rejected token gives nothing more instead of an error.

        The library would log the error at length, and end fetching without telling anybody; and
        it would ask again and again, without a pause, for an update that it cannot read.
        """
        if self._rejected.is_set():
            return ()
        try:
            found = await self._readable(*args, **named)
        except (InvalidToken, Forbidden) as error:
            if error.__cause__ is not None:  # not Telegram's own words: a proxy's, say
                self._connection.lost(AWAY)
                raise
            self._rejected.set()
            return ()
        except TelegramError as error:
            self._connection.lost(OTHER if isinstance(error, Conflict) else AWAY)
            raise
        self._connection.connected()
        return found

    async def _readable(self, *args: Any, **named: Any) -> tuple[Update, ...]:
        try:
            return await super().get_updates(*args, **named)
        except TelegramError:
            raise
        except Exception:  # an update of another shape than the library knows
            offset, kinds = named.get("offset"), named.get("allowed_updates")
            data = {"offset": offset, "timeout": 0, "allowed_updates": kinds}
            answer: Any = await self._post("getUpdates", data)
            found = [self._read(each) for each in answer]
        if not any(found):
            raise NetworkError("No update could be read.")
        return tuple(filter(None, found))

    def _read(self, content: Any) -> Update | None:
        """An update; one without content for what cannot be read, so that the next one comes."""
        try:
            return Update.de_json(content, self)
        except Exception as error:
            _log.error("An update that cannot be read is left out (%s)", type(error).__name__)
        number = content.get("update_id") if isinstance(content, dict) else None
        return Update(number) if isinstance(number, int) else None


def build(token: str, base_url: str = "", connection: Connection | None = None) -> App:
    """The application, which keeps to Telegram's limits by itself; its bot is a `Client`.

    Args:
        token: From BotFather.
        base_url: Of another Bot API server than Telegram's.
        connection: Is told whether Telegram answers.
    """
    # They log the addresses of requests, and the token is part of those.
    for name in ("httpx", "httpcore", "telegram"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in _SHOWING:
        logging.getLogger(name).addFilter(_without_content)
    client = Client(token, base_url, connection)
    return ApplicationBuilder().bot(client).concurrent_updates(AT_ONCE).build()


def _without_content(record: logging.LogRecord) -> bool:
    """Take an update, with somebody's words, out of what the library says of one it cannot read."""
    if "invalid JSON" in str(record.msg):  # maybe the half of an answer
        record.msg, record.args, record.exc_info = (
            "Telegram said something else than JSON",
            (),
            None,
        )
    if "Received data was" not in str(record.msg):
        return True
    record.msg, record.args, record.exc_info = "An update cannot be read", (), None
    return record.name == _UPDATER  # of what was asked for, `Client` tells the same
