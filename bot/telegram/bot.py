"""The Telegram bot: its connection, its menus, and running it by long polling or by a webhook."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any

from telegram import (
    Bot,
    BotCommand,
    BotCommandScopeAllGroupChats,
    BotCommandScopeDefault,
    Update,
)
from telegram.error import (
    BadRequest,
    Conflict,
    Forbidden,
    InvalidToken,
    NetworkError,
    TelegramError,
)
from telegram.ext import (
    Application,
    ApplicationBuilder,
    ContextTypes,
    ExtBot,
)
from telegram.request import HTTPXRequest

from bot.assistant.assistant import Assistant
from bot.assistant.locale import CATALOGUES
from bot.assistant.locale.texts import ENGLISH
from bot.errors import PlatformError
from bot.health import Connection
from bot.platforms import SHUTDOWN_SECONDS
from bot.telegram.handlers import TelegramHandlers
from bot.telegram.inbox import ATTEMPTS, Inbox
from bot.telegram.limiter import ChatLimiter, trace_sending
from bot.telegram.messages import COMMANDS
from bot.telegram.updates import read_update
from bot.telegram.webhook import Webhook

RETRY = 5.0  # seconds between attempts to start without a network
TOKEN_CHECK_SECONDS = 600.0  # seconds between looks whether the token is still known
TOKEN_RECHECK_SECONDS = 30.0  # after one that failed
POLLING_MARGIN = 5.0  # seconds more than Telegram may take to tell that there is nothing new
POLLING_SILENCE = 90.0  # seconds without a word after which the connection counts as lost
WEBHOOK_SILENCE = 1500.0  # the same with a webhook, whose bot may wait long for somebody to write
ALLOWED_UPDATES = [Update.MESSAGE, Update.EDITED_MESSAGE, Update.CALLBACK_QUERY]
# Updates in work: each person's wait for each other, and those of a chat that has to wait, too;
# others must not wait for these.
UPDATES_AT_ONCE = 4096
CONNECTIONS = 256
UNREACHABLE = "Telegram cannot be reached; look after the network."
CONFLICT = "Another program answers for this bot; stop it, for only one can."
# Loggers of the library that show updates which it cannot read.
_UPDATER_LOGGER = "telegram.ext.Updater"
_LOGGERS_WITH_CONTENT = (
    "telegram.Bot",
    "telegram.ext.ExtBot",
    _UPDATER_LOGGER,
    "telegram.request.BaseRequest",
)

_log = logging.getLogger(__name__)
App = Application[Any, Any, Any, Any, Any, Any]


# --- running --------------------------------------------------------------------------------------


async def serve(
    application: App,
    assistant: Assistant,
    stopped: asyncio.Event,
    webhook: Webhook | None = None,
) -> None:
    """Answer until `stopped` is set; then take nothing new, and finish what is under way.

    Args:
        application: As `build` makes it.
        assistant: Answers.
        stopped: Ends it.
        webhook: Where Telegram brings updates; None asks it for them.

    Raises:
        PlatformError: Telegram does not know the token, or not any more, or there is no webhook.
    """
    handlers = TelegramHandlers(application.bot, assistant, application.bot.inbox)
    handlers.register(application)
    application.add_error_handler(_on_error)
    await _initialise(application, stopped)
    try:
        if not stopped.is_set():
            await tell_commands(application.bot)
            await application.start()
            await _take_up(application, handlers)
            await _take_updates(application, stopped, webhook)
    finally:
        try:
            async with asyncio.timeout(SHUTDOWN_SECONDS):
                await _finish(application, handlers)
        except TimeoutError:
            _log.warning("Some answers were not finished in %.0f s", SHUTDOWN_SECONDS)
            await handlers.abandon()
        with contextlib.suppress(RuntimeError):  # it still runs, but will not any more
            await application.shutdown()
        application.bot.inbox.close()


async def _take_up(application: App, handlers: TelegramHandlers) -> None:
    """Go on with what an earlier run did not answer, before anything newer."""
    bot = application.bot
    for pending in bot.inbox.pending():
        update = read_update(pending.content, bot)
        if pending.attempts < ATTEMPTS:
            handlers.take_up(update)
            await application.update_queue.put(update)
        else:
            handlers.give_up(update)


async def _take_updates(application: App, stopped: asyncio.Event, webhook: Webhook | None) -> None:
    """Take updates until `stopped` is set, however long it takes to begin without a network."""
    rejected = application.bot.rejected
    listening = contextlib.AsyncExitStack()
    beginning = asyncio.ensure_future(_begin(application, stopped, webhook, listening))
    ends = [asyncio.ensure_future(event.wait()) for event in (stopped, rejected)]
    looking = asyncio.ensure_future(_watch_token(application, webhook))
    try:
        await asyncio.wait({beginning, *ends}, return_when=asyncio.FIRST_COMPLETED)
        if beginning.done():
            beginning.result()
            if not stopped.is_set():
                name = application.bot.username
                print(f"Glimpse is on Telegram as @{name}. Ctrl-C stops it.", flush=True)
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        if rejected.is_set():
            raise _unknown_token()
    finally:
        tasks = (beginning, looking, *ends)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await listening.aclose()


async def _begin(
    application: App,
    stopped: asyncio.Event,
    webhook: Webhook | None,
    listening: contextlib.AsyncExitStack,
) -> None:
    """Begin to take updates, as often as that takes without a network."""
    updater = application.updater
    assert updater is not None
    try:
        if webhook is None:
            await updater.start_polling(
                allowed_updates=ALLOWED_UPDATES,
                bootstrap_retries=-1,
                error_callback=_on_polling_error,
            )
            return
        webhook.check()
        # The library would repeat even what Telegram refuses, without a word.
        register, connection = webhook.register, application.bot.connection
        if await _reached(lambda: register(application.bot, ALLOWED_UPDATES), stopped, connection):
            server = webhook.listen(lambda content: _bring(application, content))
            listening.push_async_callback(server.close_all_connections)
            listening.callback(server.stop)
            connection.connected()
    except InvalidToken:
        raise _unknown_token() from None
    except BadRequest as error:
        raise PlatformError(
            "Telegram does not take the address of the webhook; look after "
            "GLIMPSE_TELEGRAM_WEBHOOK_URL."
        ) from error
    except OSError as error:
        raise PlatformError(
            "The webhook's port cannot be listened on; set GLIMPSE_TELEGRAM_WEBHOOK_HOST and "
            "GLIMPSE_TELEGRAM_WEBHOOK_PORT to one that is free."
        ) from error


async def _bring(application: App, content: Any) -> None:
    """Take what Telegram brought to the webhook."""
    application.bot.connection.connected()
    for update in application.bot.take([content]):
        await application.update_queue.put(update)


async def _watch_token(application: App, webhook: Webhook | None) -> None:
    """Ask now and then, because a webhook does not tell when the token is taken back."""
    pause, connection = TOKEN_CHECK_SECONDS, application.bot.connection
    while True:
        await asyncio.sleep(pause)
        try:
            await application.bot.get_me()
        except TelegramError:
            pause = TOKEN_RECHECK_SECONDS
            if webhook:
                connection.lost(UNREACHABLE)
        else:
            pause = TOKEN_CHECK_SECONDS
            if webhook:
                connection.connected()


async def _finish(application: App, handlers: TelegramHandlers) -> None:
    """Take nothing new; answer what has come in, then the albums that were waited for."""
    if application.updater and application.updater.running:
        await application.updater.stop()
    if application.running:
        await application.stop()
    await handlers.close()


async def introduce(token: str, base_url: str = "") -> str:
    """The user name of the bot with this token.

    Raises:
        PlatformError: Telegram does not know the token, or cannot be reached.
    """
    bot = build(token, base_url).bot
    try:
        await bot.initialize()
        return str(bot.username)
    except InvalidToken:
        raise _unknown_token() from None
    except TelegramError as error:
        raise PlatformError("Telegram cannot be reached; look after the network.") from error
    finally:
        await bot.shutdown()
        await bot.request.shutdown()  # a bot that could not start does not do that


async def _initialise(application: App, stopped: asyncio.Event) -> None:
    """Introduce the bot."""
    try:
        await _reached(application.initialize, stopped, application.bot.connection)
    except InvalidToken:
        await application.bot.request.shutdown()  # it counts as never started
        raise _unknown_token() from None  # its text holds the token


async def _reached(
    call: Callable[[], Awaitable[object]], stopped: asyncio.Event, connection: Connection
) -> bool:
    """Call as often as it takes without a network; false if `stopped` is set before.

    Raises:
        TelegramError: Telegram refuses.
    """
    while not stopped.is_set():
        try:
            await call()
        except NetworkError as error:
            if isinstance(error, BadRequest):  # a NetworkError by name only
                raise
            _log.warning("Telegram cannot be reached (%s); trying again", type(error).__name__)
            connection.lost(UNREACHABLE)
            try:
                async with asyncio.timeout(RETRY):
                    await stopped.wait()
            except TimeoutError:
                continue
        else:
            return True
    return False


def _unknown_token() -> PlatformError:
    return PlatformError(
        "Telegram does not know this token; copy GLIMPSE_TELEGRAM_TOKEN from BotFather once more."
    )


def _on_polling_error(error: TelegramError) -> None:
    """It goes on by itself; say why it stands still."""
    if isinstance(error, Conflict):
        _log.error(CONFLICT)
    else:
        _log.warning("Telegram cannot be reached (%s); trying again", type(error).__name__)


async def _on_error(update: object, context: ContextTypes.DEFAULT_TYPE) -> None:
    """What nobody expected: the operator sees the cause, the person nothing of it."""
    number = update.update_id if isinstance(update, Update) else "?"
    _log.error("Update %s could not be answered", number, exc_info=context.error)


# --- the connection -------------------------------------------------------------------------------


class Client(ExtBot[Any]):
    """The bot's side of Telegram.

    Args:
        token: From BotFather.
        base_url: Of another Bot API server than Telegram's, or "".
        connection: Is told whether Telegram answers.
        inbox: Holds updates until they are answered; memory by default.
    """

    def __init__(
        self,
        token: str,
        base_url: str = "",
        connection: Connection | None = None,
        inbox: Inbox | None = None,
    ) -> None:
        root = base_url.rstrip("/") or "https://api.telegram.org"
        self._rejected = asyncio.Event()
        self._connection = connection or Connection()
        self._inbox = inbox or Inbox(None, token)
        super().__init__(
            token,
            base_url=f"{root}/bot",
            base_file_url=f"{root}/file/bot",
            request=HTTPXRequest(
                connection_pool_size=CONNECTIONS,
                httpx_kwargs={"event_hooks": {"request": [trace_sending]}},
            ),
            get_updates_request=HTTPXRequest(),
            rate_limiter=ChatLimiter(self._rejected),
        )

    @property
    def rejected(self) -> asyncio.Event:
        """Set once Telegram does not know the token any more."""
        return self._rejected

    @property
    def connection(self) -> Connection:
        """What is known of whether Telegram answers."""
        return self._connection

    @property
    def inbox(self) -> Inbox:
        """Holds updates until they are answered."""
        return self._inbox

    async def get_updates(
        self,
        offset: int | None = None,
        limit: int | None = None,
        timeout: Any = None,
        allowed_updates: Sequence[str] | None = None,
        **named: Any,
    ) -> tuple[Update, ...]:
        """As the library's, but a rejected token gives nothing more instead of an error.

        The library would log the error at length, and end fetching without telling anybody; and
        it would ask again and again, without a pause, for an update that it cannot read.
        """
        if self._rejected.is_set():
            return ()
        data = {"offset": offset, "limit": limit, "timeout": timeout}
        seconds = timeout.total_seconds() if isinstance(timeout, timedelta) else timeout or 0
        named["read_timeout"] = seconds + POLLING_MARGIN
        try:
            found: Any = await self._post(
                "getUpdates", {**data, "allowed_updates": allowed_updates}, **named
            )
        except (InvalidToken, Forbidden) as error:
            if error.__cause__ is not None:  # not Telegram's own words: a proxy's, say
                self._connection.lost(UNREACHABLE)
                raise
            self._rejected.set()
            return ()
        except TelegramError as error:
            self._connection.lost(CONFLICT if isinstance(error, Conflict) else UNREACHABLE)
            raise
        self._connection.connected()
        return tuple(self.take(found if isinstance(found, list) else []))

    def take(self, contents: Sequence[Any]) -> Iterator[Update]:
        """The updates in what Telegram brought, held in the inbox, but for those answered before.

        One that cannot be read has no content, so that the next one comes.
        """
        held = [each for each in contents if _number(each) is not None]
        answered = set(self._inbox.take(held))
        for content in held:
            number = content["update_id"]
            yield Update(number) if number in answered else read_update(content, self)


def _number(content: Any) -> int | None:
    number = content.get("update_id") if isinstance(content, dict) else None
    return number if isinstance(number, int) else None


def build(
    token: str,
    base_url: str = "",
    connection: Connection | None = None,
    inbox: Inbox | None = None,
) -> App:
    """The application, which keeps to Telegram's limits by itself; its bot is a `Client`.

    Args:
        token: From BotFather.
        base_url: Of another Bot API server than Telegram's.
        connection: Is told whether Telegram answers.
        inbox: Holds updates until they are answered; memory by default.
    """
    # They log the addresses of requests, and the token is part of those.
    for name in ("httpx", "httpcore", "telegram"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in _LOGGERS_WITH_CONTENT:
        logging.getLogger(name).addFilter(_without_content)
    client = Client(token, base_url, connection, inbox)
    return ApplicationBuilder().bot(client).concurrent_updates(UPDATES_AT_ONCE).build()


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
    return record.name == _UPDATER_LOGGER  # of what was asked for, `Client` tells the same


# --- menus ----------------------------------------------------------------------------------------


async def tell_commands(bot: Bot) -> None:
    """Fill the menus of commands; not worth failing for."""
    try:
        for code, texts in CATALOGUES.items():
            spoken = None if texts is ENGLISH else code  # English is for all others, too
            menu = [BotCommand(name, getattr(texts, f"command_{name}")) for name in COMMANDS]
            short = [command for command in menu if command.command != "start"]
            await bot.set_my_commands(menu, BotCommandScopeDefault(), language_code=spoken)
            await bot.set_my_commands(short, BotCommandScopeAllGroupChats(), language_code=spoken)
    except TelegramError as error:
        _log.warning("Cannot set the menu of commands: %s", type(error).__name__)
