"""Running the Telegram bot until somebody stops it, by long polling."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Any

from telegram import BotCommand, BotCommandScopeAllGroupChats, BotCommandScopeDefault, Update
from telegram.error import Conflict, InvalidToken, NetworkError, TelegramError
from telegram.ext import (
    AIORateLimiter,
    Application,
    ApplicationBuilder,
    ContextTypes,
    TypeHandler,
)  # fmt: skip

from bot.assistant import Assistant
from bot.telegram.reading import COMMANDS
from bot.telegram.talking import Talk
from bot.texts import ENGLISH, Texts

AT_ONCE = 64  # updates in work; each person's wait for each other anyway
FINISHING = 15.0  # seconds that answers under way have when the bot is stopped
RETRY = 5.0  # seconds between attempts to start without a network
KINDS = [Update.MESSAGE, Update.EDITED_MESSAGE, Update.CALLBACK_QUERY]

_log = logging.getLogger(__name__)
App = Application[Any, Any, Any, Any, Any, Any]


class CannotTalk(RuntimeError):  # noqa: N818
    """`str(error)` is one plain sentence: why Telegram will not have the bot, and what to do."""


class _Limiter(AIORateLimiter):
    """Keeps to Telegram's limits, which "typing" does not count towards."""

    async def process_request(
        self, callback: Any, args: Any, kwargs: Any, endpoint: str, *more: Any, **named: Any
    ) -> Any:
        """Send now, or when the limits allow it."""
        if endpoint == "sendChatAction":
            return await callback(*args, **kwargs)
        return await super().process_request(callback, args, kwargs, endpoint, *more, **named)


def build(token: str, base_url: str = "") -> App:
    """The application, which keeps to Telegram's limits by itself.

    Args:
        token: From BotFather.
        base_url: Of another Bot API server than Telegram's.
    """
    # They log the addresses of requests, and the token is part of those.
    for name in ("httpx", "httpcore", "telegram"):
        logging.getLogger(name).setLevel(logging.WARNING)
    builder = (
        ApplicationBuilder()
        .token(token)
        .concurrent_updates(AT_ONCE)
        .rate_limiter(_Limiter(max_retries=5))
    )
    if base_url:
        root = base_url.rstrip("/")
        builder = builder.base_url(f"{root}/bot").base_file_url(f"{root}/file/bot")
    return builder.build()


async def serve(
    application: App, assistant: Assistant, stopped: asyncio.Event, texts: Texts = ENGLISH
) -> None:
    """Answer until `stopped` is set; then take nothing new, and finish what is under way.

    Raises:
        CannotTalk: Telegram does not know the token.
    """
    talk = Talk(application.bot, assistant, texts)

    async def on_update(update: Update, _context: ContextTypes.DEFAULT_TYPE) -> None:
        await talk.on_update(update)

    application.add_handler(TypeHandler(Update, on_update))
    application.add_error_handler(_on_error)
    await _initialise(application, stopped)
    try:
        if not stopped.is_set():
            await _tell_commands(application, texts)
            await application.start()
            await _poll(application, stopped)
    finally:
        try:
            async with asyncio.timeout(FINISHING):
                await _finish(application, talk)
        except TimeoutError:
            _log.warning("Some answers were not finished in %.0f s", FINISHING)
        with contextlib.suppress(RuntimeError):  # it still runs, but will not any more
            await application.shutdown()


async def _poll(application: App, stopped: asyncio.Event) -> None:
    """Fetch updates until `stopped` is set, however long it takes to begin without a network."""
    updater = application.updater
    assert updater is not None
    starting = asyncio.ensure_future(
        updater.start_polling(
            allowed_updates=KINDS, bootstrap_retries=-1, error_callback=_on_polling_error
        )
    )
    stopping = asyncio.ensure_future(stopped.wait())
    try:
        await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            starting.result()
            name = application.bot.username
            print(f"Glimpse is on Telegram as @{name}. Ctrl-C stops it.", flush=True)
            await stopping
    finally:
        for task in (starting, stopping):
            task.cancel()
        await asyncio.gather(starting, stopping, return_exceptions=True)


async def _finish(application: App, talk: Talk) -> None:
    """Take nothing new; answer what has come in, then the albums that were waited for."""
    if application.updater and application.updater.running:
        await application.updater.stop()
    if application.running:
        await application.stop()
    await talk.close()


async def introduce(token: str, base_url: str = "") -> str:
    """The user name of the bot with this token.

    Raises:
        CannotTalk: Telegram does not know the token, or cannot be reached.
    """
    bot = build(token, base_url).bot
    try:
        await bot.initialize()
        return str(bot.username)
    except InvalidToken:
        raise _unknown_token() from None
    except TelegramError as error:
        raise CannotTalk("Telegram cannot be reached; look after the network.") from error
    finally:
        await bot.shutdown()
        await bot.request.shutdown()  # a bot that could not start does not do that


async def _initialise(application: App, stopped: asyncio.Event) -> None:
    """Introduce the bot, as often as it takes without a network."""
    while not stopped.is_set():
        try:
            await application.initialize()
        except InvalidToken:
            await application.bot.request.shutdown()  # it counts as never started
            raise _unknown_token() from None  # its text holds the token
        except NetworkError as error:
            _log.warning("Telegram cannot be reached (%s); trying again", type(error).__name__)
            try:
                async with asyncio.timeout(RETRY):
                    await stopped.wait()
            except TimeoutError:
                continue
        else:
            return


async def _tell_commands(application: App, texts: Texts) -> None:
    """Fill the menus of commands; not worth failing for."""
    menu = [BotCommand(name, getattr(texts, f"command_{name}")) for name in COMMANDS]
    short = [command for command in menu if command.command != "start"]
    try:
        await application.bot.set_my_commands(menu, BotCommandScopeDefault())
        await application.bot.set_my_commands(short, BotCommandScopeAllGroupChats())
    except TelegramError as error:
        _log.warning("Cannot set the menu of commands: %s", type(error).__name__)


def _unknown_token() -> CannotTalk:
    return CannotTalk(
        "Telegram does not know this token; copy GLIMPSE_TELEGRAM_TOKEN from BotFather once more."
    )


def _on_polling_error(error: TelegramError) -> None:
    """It goes on by itself; say why it stands still."""
    if isinstance(error, Conflict):
        _log.error("Another program answers for this bot; stop it, for only one can.")
    else:
        _log.warning("Telegram cannot be reached (%s); trying again", type(error).__name__)


async def _on_error(update: object, context: ContextTypes.DEFAULT_TYPE) -> None:
    """What nobody expected: the operator sees the cause, the person nothing of it."""
    number = update.update_id if isinstance(update, Update) else "?"
    _log.error("Update %s could not be answered", number, exc_info=context.error)
