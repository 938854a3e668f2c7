"""What the log is told: plain values, as they come from the assistant."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from bot.assistant.types import Exchange

LONGEST = 4000  # characters kept of a text


@dataclass(frozen=True)
class Record:
    """One message and the reply to it.

    Attributes:
        platform: "web", "telegram" or "discord".
        chat: The conversation's id on its platform; only a keyed hash of it is kept.
        user: The person's, likewise.
        language: Of their device, as the platform tells it.
        question: What they wrote, where that could not be answered; else "".
        number: Names the reply.
        outcome: "answered", or in a word why not.
        reference: Of an error in the operator's log, or "".
        exchanges: What the model was asked, one for each picture.
        seconds: From the message to the reply.
        fetching: Of those, until the picture was there.
        at: When the message came.
    """

    platform: str
    chat: str
    user: str
    language: str
    question: str
    number: str
    outcome: str
    reference: str
    exchanges: tuple[Exchange, ...]
    seconds: float
    fetching: float = 0.0
    at: datetime = field(default_factory=lambda: datetime.now(UTC))


def without_pictures(record: Record) -> Record:
    """The same without the pictures themselves."""
    bare = (exchange.without_picture() for exchange in record.exchanges)
    return replace(record, exchanges=tuple(bare))


def stamp(at: datetime) -> str:
    """A time as the log holds it, in UTC: its order as text is its order in time."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def kept(text: str) -> str:
    """A text as the log holds it: valid Unicode without control characters, and not endless."""
    whole = text[: 2 * LONGEST].encode("utf-8", "replace").decode()
    shown = re.sub(r"[\x00-\x08\x0b-\x1f\x7f]", "�", whole)
    return shown if len(shown) <= LONGEST else shown[: LONGEST - 1] + "…"
