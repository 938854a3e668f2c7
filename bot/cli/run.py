"""`glimpse run`: every platform that is set up, with one model."""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

import click

from bot.cli import quiet
from bot.cli.desk import Desk, profile_option, standard
from bot.cli.keeping import kept
from bot.settings import Settings

if TYPE_CHECKING:
    from bot.assistant import Assistant
    from bot.running import Part


@click.command(epilog="Example: glimpse run", short_help="Answer everywhere at once.")
@click.option("--web/--no-web", default=True, help="Whether to serve the chat page. [default: yes]")
@profile_option
@standard
@click.pass_obj
def run(desk: Desk, web: bool, profile: str | None) -> None:
    """Answer on Telegram and Discord, as far as their tokens are set, and on the chat page."""
    settings = desk.settings
    if not (web or settings.telegram_token or settings.discord_token):
        raise click.UsageError("Nothing is set up; set GLIMPSE_TELEGRAM_TOKEN, say")
    if web:
        from bot.web.server import listen

        listen(settings.host, settings.port).close()  # found taken before the model is loaded
    serve_bots(desk, profile, lambda assistant: _parts(settings, assistant, web))


def serve_bots(
    desk: Desk, profile: str | None, parts: Callable[[Assistant], Iterable[Part]]
) -> None:
    """Load the model and run platforms with it until Ctrl-C or SIGTERM.

    Args:
        desk: Settings and the engine.
        profile: Which model; the settings' one if None.
        parts: What to run around an assistant.
    """
    import asyncio

    click.echo("Loading the model, which takes a few seconds...", err=True)
    with desk.engine(profile) as engine, kept(desk.settings, engine) as diary:
        quiet.speak(logging.WARNING)  # from here on, an operator's log
        assistant = desk.assistant(engine, diary)
        asyncio.run(_until_signalled(assistant, parts(assistant)))


async def _until_signalled(assistant: Assistant, parts: Iterable[Part]) -> None:
    """Run platforms, and keep the assistant tidy, until Ctrl-C or SIGTERM."""
    import asyncio

    from bot.running import run_together, tidy_until

    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    await run_together([*parts, lambda event: tidy_until(assistant.tidy, event)], stopped)


def _parts(settings: Settings, assistant: Assistant, web: bool) -> Iterator[Part]:
    """What is set up, not started yet."""
    from bot.cli import telegram  # which imports this module

    yield from telegram.parts(settings, assistant)
    if settings.discord_token:
        from bot.discord import serving as discord

        client = discord.build(assistant)
        yield lambda stopped: discord.serve(client, settings.discord_token, stopped)
    if web:
        from bot.web import WebSettings, create_app
        from bot.web.server import serve_until

        chosen = WebSettings(
            host=settings.host, port=settings.port, allowed_hosts=settings.allowed_hosts
        )
        app = create_app(assistant, settings=chosen)
        yield lambda stopped: serve_until(app, chosen, stopped)
