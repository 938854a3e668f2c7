"""`glimpse ask` and `glimpse caption`: one photo, and a question about it or none."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from bot.cli.context import AppContext, profile_option, standard
from bot.errors import CommandError

if TYPE_CHECKING:
    from bot.assistant.types import Draft, Intent
    from model.requests import Capabilities

json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print the model's own words as JSON."
)


@click.command(
    epilog="Example: glimpse ask photo.jpg 'What colour is the dog?' --json",
    short_help="Answer a question about a photo.",
)
@click.argument("image")
@click.argument("question")
@json_option
@profile_option
@standard
@click.pass_obj
def ask(app: AppContext, image: str, question: str, as_json: bool, profile: str | None) -> None:
    """Answer QUESTION about the photo in the file IMAGE.

    \b
    With --json: {"answer", "confidence" (0 to 1), "profile", "seconds", "objects"}.
    Objects, the surest first: {"name": "dog", "score": 0.93, "box": [0.1, 0.2, 0.5, 0.9]},
    where a box is left, top, right, bottom in shares of the photo.
    """
    able = app.capabilities(profile)
    # Refused before anything slow happens.
    intent = question_intent(question, own_words=as_json, able=able)
    _answer(app, image, intent, profile, key="answer" if as_json else "")


@click.command(epilog="Example: glimpse caption photo.jpg --json", short_help="Describe a photo.")
@click.argument("image")
@json_option
@profile_option
@standard
@click.pass_obj
def caption(app: AppContext, image: str, as_json: bool, profile: str | None) -> None:
    """Describe the photo in the file IMAGE in one sentence.

    \b
    With --json: {"caption", "confidence" (0 to 1), "profile", "seconds", "objects"}.
    Objects, the surest first: {"name": "dog", "score": 0.93, "box": [0.1, 0.2, 0.5, 0.9]},
    where a box is left, top, right, bottom in shares of the photo.
    """
    from bot.assistant.types import Intent, Kind

    _answer(app, image, Intent(Kind.CAPTION), profile, key="caption" if as_json else "")


def question_intent(
    question: str, *, own_words: bool = False, able: Capabilities | None = None
) -> Intent:
    """Read a question as a chat does, so that the same words get the same answer.

    Args:
        question: As it was typed.
        own_words: The model's own words are wanted, of whatever it has an answer to, though a
            person would be told not to rely on it.
        able: What the model can do; short answers if not given.

    Raises:
        CommandError: It cannot be answered from a picture; says why.
    """
    # Every command is slower to start if these are imported with it.
    from bot.assistant.abilities import as_able
    from bot.assistant.intents import FOR_PEOPLE, MAX_CHARACTERS, UNANSWERABLE, read_intent
    from bot.assistant.locale.texts import ENGLISH
    from bot.assistant.text import clean
    from bot.assistant.types import Kind
    from model.requests import SHORT_ANSWERS

    read = read_intent(f"/ask {clean(question)}", attached=True)
    intent = as_able(read, able or SHORT_ANSWERS)
    if own_words and intent.kind in FOR_PEOPLE:
        return replace(intent, kind=Kind.QUESTION)
    if intent.kind in UNANSWERABLE:
        template: str = getattr(ENGLISH, intent.kind.value)
        raise CommandError(template.format(limit=MAX_CHARACTERS, command=intent.command))
    return intent


def _answer(app: AppContext, image: str, intent: Intent, profile: str | None, *, key: str) -> None:
    """Print the answer: as JSON under this key, or as a sentence if it is ""."""
    import asyncio

    from bot.assistant.assistant import Assistant
    from bot.assistant.objects import as_rows
    from bot.assistant.plain_pictures import MeasuringEngine
    from bot.assistant.types import Attachment, Incoming
    from data.images.open import Picture, read_picture

    picture = read_picture(image)
    opened: Callable[[bytes], Picture] = lambda _content: picture  # noqa: E731
    shown = (Attachment(b"", "picture"),)
    with app.engine(profile, warm_up=False) as engine:
        # Programs get the model's own words, as `batch` gives them.
        asked = engine if key else MeasuringEngine(engine)
        assistant = Assistant(asked, open_picture=opened)
        incoming = Incoming("cli", "cli", "cli", pictures=shown, intent=intent)
        with _showing(as_json=bool(key)) as draft:
            reply = asyncio.run(assistant.handle(incoming, draft=draft))
        assert reply is not None  # it was addressed
        if reply.error:
            raise CommandError(reply.text)
        if not key:
            click.echo(reply.text)
            return
        (exchange,) = reply.exchanges
        answer = {
            key: exchange.answer,
            "confidence": exchange.confidence,
            "profile": exchange.profile or engine.profile.name,
            "seconds": exchange.seconds,
            "objects": as_rows(exchange.objects),
        }
        click.echo(json.dumps(answer))


@contextmanager
def _showing(*, as_json: bool) -> Iterator[Draft | None]:
    """Show an answer on the terminal while it is written; it is taken away for the whole one."""
    if as_json or not sys.stdout.isatty():
        yield None
        return
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    with Live(console=Console(), auto_refresh=False, transient=True) as live:
        yield lambda text: live.update(Text(text), refresh=True)
