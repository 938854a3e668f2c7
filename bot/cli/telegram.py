"""`glimpse telegram`: the bot on Telegram."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from bot.cli import terminal
from bot.cli.context import Desk, profile_option, standard
from bot.cli.serve import serve_bots
from bot.settings import Settings
from bot.errors import SettingsError

if TYPE_CHECKING:
    from bot.assistant.assistant import Assistant
    from bot.health import Health
    from bot.platforms import Part
    from bot.telegram.webhook import Webhook


@click.command(epilog="Example: glimpse telegram", short_help="Answer on Telegram.")
@profile_option
@standard
@click.pass_obj
def telegram(desk: Desk, profile: str | None) -> None:
    """Answer on Telegram until Ctrl-C, as the bot whose token GLIMPSE_TELEGRAM_TOKEN is."""
    settings = desk.settings
    if not settings.telegram_token:
        raise SettingsError(
            "Set GLIMPSE_TELEGRAM_TOKEN to your bot's token; BotFather on Telegram gives you one."
        )
    serve_bots(
        desk, profile, ["telegram"], lambda assistant, health: parts(settings, assistant, health)
    )


def parts(settings: Settings, assistant: Assistant, health: Health) -> Iterator[Part]:
    """The bot on Telegram, not started yet; nothing if it has no token."""
    if not settings.telegram_token:
        return
    from bot.platforms import reporting
    from bot.telegram.bot import BROUGHT, POLLED, serve
    from bot.telegram.client import build

    webhook = _webhook(settings)
    connection = health.connection("telegram", BROUGHT if webhook else POLLED)
    application = build(settings.telegram_token, settings.telegram_base_url, connection)
    yield reporting(lambda stopped: serve(application, assistant, stopped, webhook), connection)


def _webhook(settings: Settings) -> Webhook | None:
    if not settings.telegram_webhook_url:
        return None
    from bot.telegram.webhook import Webhook, secret_from

    secret = settings.telegram_webhook_secret or secret_from(settings.telegram_token)
    terminal.hide(secret)
    host, port = settings.telegram_webhook_host, settings.telegram_webhook_port
    return Webhook(settings.telegram_webhook_url, host, port, secret)
