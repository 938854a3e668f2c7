"""What travels between a platform adapter and the assistant: plain values, no framework objects."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Protocol

from data.images import Picture
from model.requests import SeenObject

Notify = Callable[[str], Awaitable[None]]  # tells a person something before their answer comes


@dataclass(frozen=True)
class Attachment:
    """An encoded image as it came from a person: untrusted bytes and the name it was sent under."""

    content: bytes
    name: str = ""


@dataclass(frozen=True)
class Incoming:
    """One message from a person.

    Attributes:
        platform: "web", "cli", "telegram" or "discord".
        chat: Identifies the conversation on its platform.
        user: Identifies the person on their platform.
        text: What they wrote: a question, a caption, a command ("/caption") or nothing.
        pictures: Images attached to this message, in order.
        reply_pictures: Images of the message that this one replies to.
        addressed: Whether the bot is meant: always in a private chat, else on a mention,
            a reply to the bot or a command.
        language: What the person's device speaks, as far as the platform tells: "de-AT", or "".
        fetching: Seconds that it took to fetch the pictures.
        replied: Number of the answer that this message replies to, or "".
    """

    platform: str
    chat: str
    user: str
    text: str = ""
    pictures: tuple[Attachment, ...] = ()
    reply_pictures: tuple[Attachment, ...] = ()
    addressed: bool = True
    language: str = ""
    fetching: float = 0.0
    replied: str = ""


@dataclass(frozen=True)
class Button:
    """A button under a reply.

    Attributes:
        label: What is written on it: words, or one emoji.
        action: The text that pressing it sends ("/caption"); at most 40 characters.
        name: What an emoji stands for, to be read aloud; "" if the label says it.
    """

    label: str
    action: str
    name: str = ""


@dataclass(frozen=True)
class Exchange:
    """What was asked of the model and what it said, for the log.

    Attributes:
        kind: "caption" or "question".
        question: As the model got it; None for a caption.
        answer: In the model's own words.
        confidence: Calibrated, 0..1.
        seconds: From asking to answering: waiting, encoding and decoding.
        digest: SHA-256 of the picture.
        width: Of the picture as it was sent.
        height: Likewise.
        format: Likewise, "JPEG" say.
        waiting: Seconds in the queue.
        encoding: Seconds for the picture.
        decoding: Seconds for the words.
        picture: Itself, for who allows that it is kept.
        place: Of the picture among those sent with it, from 0.
        objects: What the model sees in the picture, the surest first; the log does not keep it.
        asked: The question as the person put it, where the model got a translation; else "".
        told: The answer in their language then, or "" if there are no words for it.
    """

    kind: str
    question: str | None
    answer: str
    confidence: float
    seconds: float
    digest: str
    width: int = 0
    height: int = 0
    format: str = ""
    waiting: float = 0.0
    encoding: float = 0.0
    decoding: float = 0.0
    picture: Picture | None = field(default=None, repr=False, compare=False)
    place: int = 0
    objects: tuple[SeenObject, ...] = ()
    asked: str = ""
    told: str = ""

    def without_picture(self) -> Exchange:
        """The same without the picture itself, which is not everybody's, and takes much memory."""
        return replace(self, picture=None)


@dataclass(frozen=True)
class Reply:
    """What the assistant says back.

    Attributes:
        text: Plain text, ready to be read by a person.
        buttons: Offered next steps.
        error: True if nothing could be answered; `text` then says what to do.
        reference: Short id that an error shares with the operator's log, or "".
        exchanges: What the model was asked, one for each picture answered.
        number: Names the answer, for ratings and the log; "" where the model was not asked.
        outcome: "answered", or in a word why not, for the log.
        brief: It only confirms something, and may be shown in passing.
    """

    text: str
    buttons: tuple[Button, ...] = ()
    error: bool = False
    reference: str = ""
    exchanges: tuple[Exchange, ...] = ()
    number: str = ""
    outcome: str = field(default="said", compare=False)
    brief: bool = False


@dataclass(frozen=True)
class Rating:
    """What a person thinks of an answer.

    Attributes:
        platform: "telegram", say.
        user: Who thinks so.
        number: Of the answer's reply.
        good: Whether it is.
        correction: What it should have been, or "".
    """

    platform: str
    user: str
    number: str
    good: bool
    correction: str = ""


class Measures(Protocol):
    """Counts answers; never waits, never fails."""

    def answered(self, incoming: Incoming, reply: Reply, seconds: float) -> None:
        """A message was answered, `seconds` after it came with its pictures fetched."""
        ...


class ModelAnswer(Protocol):
    """The part of `model.engine.Answer` that the assistant reads."""

    @property
    def text(self) -> str:
        """What it says, in lower case and without a final full stop."""
        ...

    @property
    def confidence(self) -> float:
        """Calibrated probability, 0..1."""
        ...

    @property
    def seconds(self) -> float:
        """From asking to answering."""
        ...

    @property
    def encoding(self) -> float:
        """Of those seconds, for the picture; 0 if it was encoded before."""
        ...

    @property
    def decoding(self) -> float:
        """For the words."""
        ...

    @property
    def objects(self) -> tuple[SeenObject, ...]:
        """What the model sees in the picture, the surest first; none if it has no such head."""
        ...


class AnswersPictures(Protocol):
    """The part of `model.engine.Engine` that the assistant uses; tests pass a fast stand-in."""

    @property
    def waiting(self) -> int:
        """How many questions are queued."""
        ...

    def submit(self, picture: Picture, question: str | None, rank: int = 0) -> Future[ModelAnswer]:
        """Queue a question (None asks for a caption); a `rank` above 0 asks for another answer.

        Raises:
            model.engine.EngineBusy: The queue is full.
            model.engine.EngineClosed: The engine was shut down.
        """
        ...
