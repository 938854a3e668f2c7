"""`glimpse web`: the chat page."""

from __future__ import annotations

import logging

import click

from bot.cli import terminal
from bot.cli.context import Desk, profile_option, standard
from bot.cli.keeping import check_log, kept


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
def web(desk: Desk, host: str | None, port: int | None, profile: str | None) -> None:
    """Serve the chat page until Ctrl-C; open the address that it prints in a browser.

    Only this computer can reach it, unless --host says otherwise; it asks for no password.
    """
    from bot.web import WebSettings, serve
    from bot.web.server import listen

    settings = desk.settings
    chosen = WebSettings(
        host=host or settings.host,
        port=settings.port if port is None else port,
        allowed_hosts=settings.allowed_hosts,
    )
    listen(chosen.host, chosen.port).close()  # found taken before the model is loaded
    check_log(settings)
    terminal.say("Loading the model, which takes a few seconds...")
    with desk.engine(profile) as engine:
        terminal.speak(logging.WARNING)  # from here on, an operator's log
        with kept(settings, engine) as diary:
            from bot.assistant.assistant import Assistant
            from bot.web import create_app

            assistant = Assistant(engine, diary=diary)
            app = create_app(assistant, settings=chosen)
            seconds = chosen.shutdown_seconds
            serve(app, chosen.host, chosen.port, shutdown_seconds=seconds, tidy=assistant.tidy)
