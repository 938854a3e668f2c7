"""`glimpse serve`: the model for programs, by OpenAI's protocol, until Ctrl-C or SIGTERM."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from bot.cli import terminal
from bot.cli.allocator import limit_allocator
from bot.cli.context import AppContext, profile_option, standard
from bot.cli.serve import health_server, until_signalled
from bot.errors import SettingsError

if TYPE_CHECKING:
    from bot.settings import WebSettings

_NOT_LOGGED = "The API keeps nothing."


@click.command(
    epilog="Example: glimpse serve --port 9001\n\nHow programs use it: docs/serve.md",
    short_help="Answer programs, as OpenAI's API does.",
)
@click.option("--host", metavar="NAME", help="Where to listen. [default: 127.0.0.1]")
@click.option(
    "--port", type=click.IntRange(0, 65_535), help="0 takes any free one. [default: 8001]"
)
@profile_option
@standard
@click.pass_obj
def serve(app: AppContext, host: str | None, port: int | None, profile: str | None) -> None:
    """Serve the model to programs that speak OpenAI's protocol (chat completions), until Ctrl-C.

    Only this computer can reach it, unless --host says otherwise, for which GLIMPSE_API_KEY or
    GLIMPSE_API_KEYS_FILE has to be set.
    """
    import asyncio

    from bot.api.app import api_of
    from bot.api.keys import read_keys
    from bot.health import Health
    from bot.metrics import Metrics
    from bot.platforms import reporting
    from bot.version import build_info
    from bot.web.server import listen, serve_until

    settings = app.settings
    where = settings.api
    where = replace(where, host=host or where.host, port=where.port if port is None else port)
    keys = read_keys(settings)
    _check_reach(where, keys)
    listen(where.host, where.port).close()  # found taken before the model is loaded
    build = build_info(profile or settings.profile)
    health = Health(["api"])
    health.without_log(_NOT_LOGGED, ok=True)
    metrics = Metrics(health, build, profile or settings.profile)
    limit_allocator()
    with health_server(settings, health, metrics):
        terminal.print_sentence("Loading the model, which takes a few seconds...")
        app.convert_apart(profile or settings.profile)
        with app.engine(profile) as engine:
            terminal.set_log_level(logging.WARNING)  # from here on, an operator's log
            metrics.engine = engine
            api = api_of(engine, settings, keys, metrics, where=where, fingerprint=build.adapter)
            connection = health.connection("api")
            part = reporting(
                lambda stopped: serve_until(
                    api, where, stopped, connection.connected, _ready_line
                ),
                connection,
            )  # fmt: skip
            health.loaded(engine)
            asyncio.run(until_signalled(lambda: None, engine, [part], health, False))


def _check_reach(where: WebSettings, keys: tuple[str, ...]) -> None:
    """See that a key is asked for where others can reach the server, and hide keys in the log."""
    from bot.web.security import is_loopback

    for key in keys:
        terminal.add_secret(key)
    if not keys and not is_loopback(where.host):
        raise SettingsError(
            "Others could use the model: set GLIMPSE_API_KEY to a key of at least 16 letters, or "
            "leave out --host."
        )


def _ready_line(host: str, port: int) -> str:
    from bot.web.server import address_of

    return f"Glimpse is ready: programs use {address_of(host, port)}/v1. Ctrl-C stops it."
