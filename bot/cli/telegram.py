"""`glimpse telegram`: the bot on Telegram."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import click

from bot.cli import quiet
from bot.cli.desk import Desk, profile_option, standard
from bot.settings import Settings, SettingsError

if TYPE_CHECKING:
    from bot.assistant import Assistant


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
    click.echo("Loading the model, which takes a few seconds...", err=True)
    import asyncio

    with desk.engine(profile) as engine:
        quiet.speak(logging.WARNING)  # from here on, an operator's log
        asyncio.run(_talk(settings, desk.assistant(engine)))


async def _talk(settings: Settings, assistant: Assistant) -> None:
    from bot.cli.run import until_signalled
    from bot.telegram.serving import build, serve

    application = build(settings.telegram_token, settings.telegram_base_url)
    await until_signalled(assistant, [lambda stopped: serve(application, assistant, stopped)])
