"""`glimpse run`, `telegram`, `discord` and `web`: answering people until Ctrl-C or SIGTERM."""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from bot.assistant.types import ModelAnswer
from bot.cli import terminal
from bot.cli.allocator import limit_allocator
from bot.cli.context import (
    AppContext,
    check_log,
    log_path,
    open_log,
    profile_option,
    standard,
)
from bot.cli.models import LoadedEngine
from bot.errors import SettingsError
from bot.settings import Settings

if TYPE_CHECKING:
    from concurrent.futures import Future

    from bot.assistant.assistant import Assistant
    from bot.health import Health
    from bot.metrics import Metrics
    from bot.platforms import Part
    from bot.telegram.webhook import Webhook
    from model.requests import Capabilities

    Parts = Callable[[Assistant, Health], Iterable[Part]]

DISCORD_SILENCE = 150.0  # seconds; it acknowledges a heartbeat about every 41


@click.command(
    epilog="Example: glimpse run\n\nWhat can be set: docs/settings.md",
    short_help="Answer everywhere at once.",
)
@click.option("--web/--no-web", default=True, help="Whether to serve the chat page. [default: yes]")
@profile_option
@standard
@click.pass_obj
def run(app: AppContext, web: bool, profile: str | None) -> None:
    """Answer on Telegram and Discord, as far as their tokens are set, and on the chat page."""
    settings = app.settings
    if not (web or settings.telegram_token or settings.discord_token):
        raise click.UsageError("Nothing is set up; set GLIMPSE_TELEGRAM_TOKEN, say")
    if web:
        from bot.web.server import listen

        listen(settings.host, settings.port).close()  # found taken before the model is loaded
    set_up = {
        "telegram": settings.telegram_token, "discord": settings.discord_token, "web": web
    }  # fmt: skip
    names = [name for name, given in set_up.items() if given]
    serve_platforms(
        app, profile, names, lambda assistant, health: all_parts(settings, assistant, health, web)
    )


@click.command(
    epilog="Example: glimpse telegram\n\nHow to get a token: docs/telegram.md",
    short_help="Answer on Telegram.",
)
@profile_option
@standard
@click.pass_obj
def telegram(app: AppContext, profile: str | None) -> None:
    """Answer on Telegram until Ctrl-C, as the bot whose token GLIMPSE_TELEGRAM_TOKEN is."""
    settings = app.settings
    if not settings.telegram_token:
        raise SettingsError(
            "Set GLIMPSE_TELEGRAM_TOKEN to your bot's token; BotFather on Telegram gives you one."
        )
    serve_platforms(
        app, profile, ["telegram"],
        lambda assistant, health: [_telegram_part(settings, assistant, health)],
    )  # fmt: skip


@click.command(
    epilog="Example: glimpse discord\n\nHow to get a token: docs/discord.md",
    short_help="Answer on Discord.",
)
@click.option("--sync", is_flag=True, help="Only tell Discord the bot's commands; once is enough.")
@profile_option
@standard
@click.pass_obj
@click.pass_context
def discord(context: click.Context, app: AppContext, profile: str | None, sync: bool) -> None:
    """Answer on Discord until Ctrl-C, as the bot whose token GLIMPSE_DISCORD_TOKEN is.

    Run it once with --sync before.
    """
    settings = app.settings
    if not settings.discord_token:
        raise SettingsError(
            "Set GLIMPSE_DISCORD_TOKEN to your bot's token, from its page in Discord's developer "
            "portal."
        )
    if sync:
        import asyncio

        asyncio.run(_sync_commands(settings.discord_token))
        return
    verbose = context.get_parameter_source("verbose") is click.core.ParameterSource.COMMANDLINE
    serve_platforms(
        app, profile, ["discord"],
        lambda assistant, health: [_discord_part(settings, assistant, health, invite=verbose)],
    )  # fmt: skip


@click.command(
    epilog="Example: glimpse web --port 9000", short_help="Open the chat page on this computer."
)
@click.option("--host", metavar="NAME", help="Where to listen. [default: 127.0.0.1]")
@click.option(
    "--port", type=click.IntRange(0, 65_535), help="0 takes any free one. [default: 8000]"
)
@profile_option
@standard
@click.pass_obj
def web(app: AppContext, host: str | None, port: int | None, profile: str | None) -> None:
    """Serve the chat page until Ctrl-C; open the address that it prints in a browser.

    Only this computer can reach it, unless --host says otherwise; it asks for no password.
    """
    from bot.web.server import listen, serve

    chosen = app.settings.web
    chosen = replace(chosen, host=host or chosen.host, port=chosen.port if port is None else port)
    listen(chosen.host, chosen.port).close()  # found taken before the model is loaded
    said = check_log(app.settings)
    terminal.print_sentence("Loading the model, which takes a few seconds...")
    app.convert_apart(profile or app.settings.profile, choices=True)
    with app.engine(profile, choices=True) as engine:
        terminal.set_log_level(logging.WARNING)  # from here on, an operator's log
        with open_log(app.settings, engine, said=said) as recorder:
            from bot.web.app import create_app

            assistant = app.assistant(engine, recorder)
            page = create_app(assistant, settings=chosen)
            serve(page, chosen, tidy=assistant.purge)


def serve_platforms(
    app: AppContext, profile: str | None, names: Iterable[str], parts: Parts
) -> None:
    """Load the model and run platforms with it until Ctrl-C or SIGTERM.

    Health is served all the time, from before the model is loaded, if it has a port.

    Args:
        app: Settings and the engine.
        profile: Which model; the settings' one if None.
        names: Of the platforms, which are not ready until they tell so.
        parts: What to run around an assistant.
    """
    import asyncio

    from bot.health import Health
    from bot.metrics import Metrics
    from bot.version import build_info

    settings = app.settings
    chosen = profile or settings.profile
    limit_allocator()
    said = check_log(settings)
    health = Health(names)
    metrics = Metrics(health, build_info(chosen), chosen)
    with health_server(settings, health, metrics):
        terminal.print_sentence("Loading the model, which takes a few seconds...")
        app.convert_apart(chosen, choices=True)
        with app.engine(profile, choices=True) as engine:
            terminal.set_log_level(logging.WARNING)  # from here on, an operator's log
            metrics.engine = engine
            with open_log(settings, engine, health, said) as recorder:
                assistant = app.assistant(engine, recorder, metrics)
                running = parts(assistant, health)
                health.loaded(engine)
                stays = bool(settings.health_port)
                asyncio.run(until_signalled(assistant.purge, engine, running, health, stays))


def health_server(
    settings: Settings, health: Health, metrics: Metrics
) -> AbstractContextManager[object]:
    """Serves health, if that is set up."""
    if not settings.health_port:
        return nullcontext()
    from bot.health_server import check_port, serve_health

    check_port(settings.health_host, settings.health_port)
    return serve_health(health, metrics, settings.health_host, settings.health_port)


async def until_signalled(
    purge: Callable[[], None],
    engine: LoadedEngine,
    parts: Iterable[Part],
    health: Health,
    stays: bool,
) -> None:
    """Run platforms until Ctrl-C or SIGTERM; what is too old is purged every minute."""
    import asyncio

    from bot.health import keep_beating
    from bot.platforms import purge_until, refuse_late, run_together

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
        purging: Part = lambda event: purge_until(purge, event)  # noqa: E731
        await run_together([*parts], stopped, beside=[purging], stays=stays)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


# --- platforms, not started yet --------------------------------------------------------------


def all_parts(
    settings: Settings, assistant: Assistant, health: Health, web: bool
) -> Iterator[Part]:
    """What is set up."""
    if settings.telegram_token:
        yield _telegram_part(settings, assistant, health)
    if settings.discord_token:
        yield _discord_part(settings, assistant, health)
    if web:
        yield _web_part(settings, assistant, health)


def _telegram_part(settings: Settings, assistant: Assistant, health: Health) -> Part:
    from bot.platforms import reporting
    from bot.telegram.bot import POLLING_SILENCE, WEBHOOK_SILENCE, build, serve
    from bot.telegram.inbox import Inbox, inbox_path

    token = settings.telegram_token
    inbox = Inbox(inbox_path(log_path(settings), token), token)
    webhook = _webhook(settings)
    connection = health.connection("telegram", WEBHOOK_SILENCE if webhook else POLLING_SILENCE)
    application = build(token, settings.telegram_base_url, connection, inbox)
    return reporting(lambda stopped: serve(application, assistant, stopped, webhook), connection)


def _webhook(settings: Settings) -> Webhook | None:
    if not settings.telegram_webhook_url:
        return None
    from bot.telegram.webhook import Webhook, secret_from

    secret = settings.telegram_webhook_secret or secret_from(settings.telegram_token)
    terminal.add_secret(secret)
    host, port = settings.telegram_webhook_host, settings.telegram_webhook_port
    return Webhook(settings.telegram_webhook_url, host, port, secret)


def _discord_part(
    settings: Settings, assistant: Assistant, health: Health, *, invite: bool = False
) -> Part:
    from bot.discord.bot import build, serve
    from bot.platforms import reporting

    token = settings.discord_token
    connection = health.connection("discord", DISCORD_SILENCE)
    client = build(assistant, connection, settings.discord_shards)
    return reporting(lambda stopped: serve(client, token, stopped, invite=invite), connection)


def _web_part(settings: Settings, assistant: Assistant, health: Health) -> Part:
    from bot.platforms import reporting
    from bot.web.app import create_app
    from bot.web.server import serve_until

    chosen, connection = settings.web, health.connection("web")
    page = create_app(assistant, settings=chosen)
    return reporting(
        lambda stopped: serve_until(page, chosen, stopped, listening=connection.connected),
        connection,
    )


async def _sync_commands(token: str) -> None:
    from bot.assistant.assistant import Assistant
    from bot.discord.bot import build, sync

    synced = await sync(build(Assistant(_NoModel())), token)
    click.echo(f"Discord knows {synced.commands} commands now.")
    click.echo(f"Invite the bot: {synced.invitation}")


class _NoModel:
    """For telling the commands, which asks no model anything."""

    waiting = 0

    def capabilities(self, profile: str = "") -> Capabilities:
        raise NotImplementedError

    def submit(self, *asked: object, **how: object) -> Future[ModelAnswer]:
        raise NotImplementedError
