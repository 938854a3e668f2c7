"""`glimpse caption`: a sentence about one photo."""

from __future__ import annotations

import click

from bot.cli.ask import answer_about
from bot.cli.context import Desk, profile_option, standard


@click.command(epilog="Example: glimpse caption photo.jpg --json", short_help="Describe a photo.")
@click.argument("image")
@click.option("--json", "as_json", is_flag=True, help="Print the model's own words as JSON.")
@profile_option
@standard
@click.pass_obj
def caption(desk: Desk, image: str, as_json: bool, profile: str | None) -> None:
    """Describe the photo in the file IMAGE in one sentence.

    \b
    With --json: {"caption", "confidence" (0 to 1), "profile", "seconds", "objects"}.
    Objects, the surest first: {"name": "dog", "score": 0.93, "box": [0.1, 0.2, 0.5, 0.9]},
    where a box is left, top, right, bottom in shares of the photo.
    """
    answer_about(desk, image, "/caption", profile, key="caption" if as_json else "")
