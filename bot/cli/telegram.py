"""`glimpse telegram`: the bot on Telegram."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from bot.cli.desk import Desk, profile_option, standard
from bot.cli.run import serve_bots
from bot.settings import Settings, SettingsError

if TYPE_CHECKING:
    from bot.assistant import Assistant
    from bot.running import Part


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
    serve_bots(desk, profile, lambda assistant: _parts(settings, assistant))


def _parts(settings: Settings, assistant: Assistant) -> Iterator[Part]:
    from bot.telegram.serving import build, serve

    application = build(settings.telegram_token, settings.telegram_base_url)
    yield lambda stopped: serve(application, assistant, stopped)
