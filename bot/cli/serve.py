"""`glimpse run`: every platform that is set up, with one model."""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

import click

from bot.cli import terminal
from bot.cli.allocator import be_frugal
from bot.cli.context import Desk, LoadedEngine, profile_option, standard
from bot.cli.keeping import check_log, kept
from bot.settings import Settings

if TYPE_CHECKING:
    from bot.assistant.assistant import Assistant
    from bot.health import Health
    from bot.metrics import Metrics
    from bot.platforms import Part

    Parts = Callable[[Assistant, Health], Iterable[Part]]


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
    set_up = {
        "telegram": settings.telegram_token, "discord": settings.discord_token, "web": web
    }  # fmt: skip
    names = [name for name, given in set_up.items() if given]
    serve_bots(
        desk, profile, names, lambda assistant, health: _parts(settings, assistant, health, web)
    )


def serve_bots(desk: Desk, profile: str | None, names: Iterable[str], parts: Parts) -> None:
    """Load the model and run platforms with it until Ctrl-C or SIGTERM.

    Health is served all the time, from before the model is loaded, if it has a port.

    Args:
        desk: Settings and the engine.
        profile: Which model; the settings' one if None.
        names: Of the platforms, which are not ready until they tell so.
        parts: What to run around an assistant.
    """
    import asyncio

    from bot.health import Health
    from bot.metrics import Metrics
    from bot.version import build_info

    settings = desk.settings
    chosen = profile or settings.profile
    be_frugal()
    check_log(settings)
    health = Health(names)
    metrics = Metrics(health, build_info(chosen), chosen)
    with _health_served(settings, health, metrics):
        terminal.say("Loading the model, which takes a few seconds...")
        with desk.engine(profile) as engine:
            terminal.speak(logging.WARNING)  # from here on, an operator's log
            metrics.engine = engine
            with kept(settings, engine, health) as diary:
                assistant = desk.assistant(engine, diary, metrics)
                running = parts(assistant, health)
                health.loaded()
                asyncio.run(
                    _until_signalled(assistant, engine, running, health, bool(settings.health_port))
                )


def _health_served(
    settings: Settings, health: Health, metrics: Metrics
) -> AbstractContextManager[object]:
    """Serves health, if that is set up."""
    if not settings.health_port:
        return nullcontext()
    from bot.health_server import check_port, serving

    check_port(settings.health_host, settings.health_port)
    return serving(health, metrics, settings.health_host, settings.health_port)


async def _until_signalled(
    assistant: Assistant, engine: LoadedEngine, parts: Iterable[Part], health: Health, stays: bool
) -> None:
    """Run platforms, and keep the assistant tidy, until Ctrl-C or SIGTERM."""
    import asyncio

    from bot.health import keep_beating
    from bot.platforms import refuse_late, run_together, tidy_until

    stopped = asyncio.Event()

    def stop() -> None:
        health.stopping()
        stopped.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    around = [keep_beating(health), refuse_late(engine.refuse_waiting, stopped)]
    tasks = [asyncio.ensure_future(each) for each in around]
    try:
        tidying: Part = lambda event: tidy_until(assistant.tidy, event)  # noqa: E731
        await run_together([*parts], stopped, beside=[tidying], stays=stays)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _parts(settings: Settings, assistant: Assistant, health: Health, web: bool) -> Iterator[Part]:
    """What is set up, not started yet."""
    from bot.cli import discord, telegram  # which import this module

    yield from telegram.parts(settings, assistant, health)
    yield from discord.parts(settings, assistant, health)
    if web:
        from bot.platforms import reporting
        from bot.web import WebSettings, create_app
        from bot.web.server import serve_until

        chosen = WebSettings(
            host=settings.host, port=settings.port, allowed_hosts=settings.allowed_hosts
        )
        page, app = health.connection("web"), create_app(assistant, settings=chosen)
        yield reporting(
            lambda stopped: serve_until(app, chosen, stopped, listening=page.connected), page
        )
