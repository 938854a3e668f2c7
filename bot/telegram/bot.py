"""Running the Telegram bot until somebody stops it, by long polling or by a webhook."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable

from telegram import Update
from telegram.error import BadRequest, Conflict, InvalidToken, NetworkError, TelegramError
from telegram.ext import ContextTypes, TypeHandler

from bot.assistant.assistant import Assistant
from bot.health import Connection
from bot.errors import PlatformError
from bot.telegram.client import AWAY, OTHER, App, build
from bot.telegram.handlers import Talk
from bot.telegram.menu import tell_commands
from bot.telegram.webhook import Webhook

FINISHING = 17.0  # seconds that answers under way have when the bot is stopped
RETRY = 5.0  # seconds between attempts to start without a network
LOOK_AFTER = 600.0  # seconds between looks whether the token is still known
LOOK_AGAIN = 30.0  # after one that failed
POLLED = 90.0  # seconds without a word after which the connection counts as lost
BROUGHT = 1500.0  # the same with a webhook, whose bot may wait long for somebody to write
KINDS = [Update.MESSAGE, Update.EDITED_MESSAGE, Update.CALLBACK_QUERY]

_log = logging.getLogger(__name__)


class PlatformError(PlatformError):
    """`str(error)` is one plain sentence: why Telegram will not have the bot, and what to do."""


async def serve(
    application: App,
    assistant: Assistant,
    stopped: asyncio.Event,
    webhook: Webhook | None = None,
) -> None:
    """Answer until `stopped` is set; then take nothing new, and finish what is under way.

    Args:
        application: As `bot.telegram.client.build` makes it.
        assistant: Answers.
        stopped: Ends it.
        webhook: Where Telegram brings updates; None asks it for them.

    Raises:
        PlatformError: Telegram does not know the token, or not any more, or there is no webhook.
    """
    talk = Talk(application.bot, assistant)

    async def on_update(update: Update, _context: ContextTypes.DEFAULT_TYPE) -> None:
        if webhook:  # else asking for updates tells it
            application.bot.connection.connected()
        await talk.on_update(update)

    application.add_handler(TypeHandler(Update, on_update))
    application.add_error_handler(_on_error)
    await _initialise(application, stopped)
    try:
        if not stopped.is_set():
            await tell_commands(application.bot)
            await application.start()
            await _take_updates(application, stopped, webhook)
    finally:
        try:
            async with asyncio.timeout(FINISHING):
                await _finish(application, talk)
        except TimeoutError:
            _log.warning("Some answers were not finished in %.0f s", FINISHING)
        with contextlib.suppress(RuntimeError):  # it still runs, but will not any more
            await application.shutdown()


async def _take_updates(application: App, stopped: asyncio.Event, webhook: Webhook | None) -> None:
    """Take updates until `stopped` is set, however long it takes to begin without a network."""
    rejected = application.bot.rejected
    beginning = asyncio.ensure_future(_begin(application, stopped, webhook))
    ends = [asyncio.ensure_future(event.wait()) for event in (stopped, rejected)]
    looking = asyncio.ensure_future(_look_after_token(application, webhook))
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


async def _begin(application: App, stopped: asyncio.Event, webhook: Webhook | None) -> None:
    """Begin to take updates, as often as that takes without a network."""
    updater = application.updater
    assert updater is not None
    try:
        if webhook is None:
            await updater.start_polling(
                allowed_updates=KINDS, bootstrap_retries=-1, error_callback=_on_polling_error
            )
            return
        webhook.check()
        # The library would repeat even what Telegram refuses, without a word.
        agree, connection = webhook.agree, application.bot.connection
        if await _reached(lambda: agree(application.bot, KINDS), stopped, connection):
            await webhook.start(updater, KINDS)
            application.bot.connection.connected()
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


async def _look_after_token(application: App, webhook: Webhook | None) -> None:
    """Ask now and then, because a webhook does not tell when the token is taken back."""
    pause, connection = LOOK_AFTER, application.bot.connection
    while True:
        await asyncio.sleep(pause)
        try:
            await application.bot.get_me()
        except TelegramError:
            pause = LOOK_AGAIN
            if webhook:
                connection.lost(AWAY)
        else:
            pause = LOOK_AFTER
            if webhook:
                connection.connected()


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
            connection.lost(AWAY)
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
        _log.error(OTHER)
    else:
        _log.warning("Telegram cannot be reached (%s); trying again", type(error).__name__)


async def _on_error(update: object, context: ContextTypes.DEFAULT_TYPE) -> None:
    """What nobody expected: the operator sees the cause, the person nothing of it."""
    number = update.update_id if isinstance(update, Update) else "?"
    _log.error("Update %s could not be answered", number, exc_info=context.error)
