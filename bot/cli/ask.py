"""`glimpse ask`: one question about one photo."""

from __future__ import annotations

import json

import click

from bot.assistant.objects import as_rows
from bot.assistant.types import Reply
from bot.cli.asking import as_command, look, wanted
from bot.cli.context import Desk, profile_option, standard


@click.command(
    epilog="Example: glimpse ask photo.jpg 'What colour is the dog?' --json",
    short_help="Answer a question about a photo.",
)
@click.argument("image")
@click.argument("question")
@click.option("--json", "as_json", is_flag=True, help="Print the model's own words as JSON.")
@profile_option
@standard
@click.pass_obj
def ask(desk: Desk, image: str, question: str, as_json: bool, profile: str | None) -> None:
    """Answer QUESTION about the photo in the file IMAGE.

    \b
    With --json: {"answer", "confidence" (0 to 1), "profile", "seconds", "objects"}.
    Objects, the surest first: {"name": "dog", "score": 0.93, "box": [0.1, 0.2, 0.5, 0.9]},
    where a box is left, top, right, bottom in shares of the photo.
    """
    wanted(question)  # refused before anything slow happens
    answer_about(desk, image, as_command(question), profile, key="answer" if as_json else "")


def answer_about(desk: Desk, image: str, message: str, profile: str | None, *, key: str) -> None:
    """Print the answer to a message: as JSON under this key, or as a sentence if it is ""."""
    from data.images.open import read_picture

    picture = read_picture(image)
    with desk.engine(profile) as engine:
        reply = look(engine, picture, message)
        click.echo(_as_json(reply, key, engine.profile.name) if key else reply.text)


def _as_json(reply: Reply, key: str, profile: str) -> str:
    (exchange,) = reply.exchanges
    return json.dumps(
        {
            key: exchange.answer,
            "confidence": exchange.confidence,
            "profile": profile,
            "seconds": exchange.seconds,
            "objects": as_rows(exchange.objects),
        }
    )
