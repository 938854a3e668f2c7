"""`glimpse discord`: the bot on Discord."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from bot.assistant.types import ModelAnswer
from bot.cli.context import Desk, profile_option, standard
from bot.cli.serve import serve_bots
from bot.settings import Settings
from bot.errors import SettingsError

if TYPE_CHECKING:
    from concurrent.futures import Future

    from bot.assistant.assistant import Assistant
    from bot.health import Health
    from bot.platforms import Part
    from data.images.open import Picture

SILENCE = 150.0  # seconds; it acknowledges a heartbeat about every 41


@click.command(epilog="Example: glimpse discord", short_help="Answer on Discord.")
@click.option("--sync", is_flag=True, help="Only tell Discord the bot's commands; once is enough.")
@profile_option
@standard
@click.pass_obj
@click.pass_context
def discord(context: click.Context, desk: Desk, profile: str | None, sync: bool) -> None:
    """Answer on Discord until Ctrl-C, as the bot whose token GLIMPSE_DISCORD_TOKEN is.

    Run it once with --sync before.
    """
    token = desk.settings.discord_token
    if not token:
        raise SettingsError(
            "Set GLIMPSE_DISCORD_TOKEN to your bot's token, from its page in Discord's developer "
            "portal."
        )
    if sync:
        import asyncio

        asyncio.run(_sync(token))
        return
    verbose = context.get_parameter_source("verbose") is click.core.ParameterSource.COMMANDLINE
    settings = desk.settings
    serve_bots(
        desk,
        profile,
        ["discord"],
        lambda assistant, health: parts(settings, assistant, health, invite=verbose),
    )


async def _sync(token: str) -> None:
    from bot.assistant.assistant import Assistant
    from bot.discord.bot import build, sync

    synced = await sync(build(Assistant(_NoModel())), token)
    click.echo(f"Discord knows {synced.commands} commands now.")
    click.echo(f"Invite the bot: {synced.invitation}")


def parts(
    settings: Settings, assistant: Assistant, health: Health, *, invite: bool = False
) -> Iterator[Part]:
    """The bot on Discord, not started yet; nothing if it has no token."""
    if not (token := settings.discord_token):
        return
    from bot.discord.bot import build, serve
    from bot.platforms import reporting

    connection = health.connection("discord", SILENCE)
    client = build(assistant, connection, settings.discord_shards)
    yield reporting(lambda stopped: serve(client, token, stopped, invite=invite), connection)


class _NoModel:
    """For telling the commands, which asks no model anything."""

    waiting = 0

    def submit(self, picture: Picture, question: str | None, rank: int = 0) -> Future[ModelAnswer]:
        raise NotImplementedError
