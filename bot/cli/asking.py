"""Reading a question as the assistant does, so that the same words get the same answer."""

from __future__ import annotations

from collections.abc import Callable

from bot.assistant.types import AnswersPictures, Attachment, Incoming, Reply
from bot.errors import CommandError
from data.images.open import Picture


def wanted(question: str) -> str | None:
    """What the engine is asked: the question in plain words, or None for a caption.

    Raises:
        CommandError: It cannot be answered from a picture; says why.
    """
    # Every command is slower to start if these are imported with it.
    from bot.assistant.intents import MAX_CHARACTERS, UNANSWERABLE, read_intent
    from bot.assistant.locale.texts import ENGLISH

    intent = read_intent(as_command(question), attached=True)
    if intent.kind in UNANSWERABLE:
        template: str = getattr(ENGLISH, intent.kind.value)
        raise CommandError(template.format(limit=MAX_CHARACTERS, command=intent.command))
    return intent.question


def as_command(question: str) -> str:
    """The message that asks this, whatever the question looks like."""
    from bot.assistant.text import clean

    return f"/ask {clean(question)}"


def look(engine: AnswersPictures, picture: Picture, message: str) -> Reply:
    """Let the assistant answer one message about one picture.

    Raises:
        CommandError: It could not; says why.
    """
    import asyncio

    from bot.assistant.assistant import Assistant

    opened: Callable[[bytes], Picture] = lambda _content: picture  # noqa: E731
    assistant = Assistant(engine, open_picture=opened)
    incoming = Incoming("cli", "cli", "cli", message, (Attachment(b"", "picture"),))
    reply = asyncio.run(assistant.handle(incoming))
    assert reply is not None  # it was addressed
    if reply.error:
        raise CommandError(reply.text)
    return reply
