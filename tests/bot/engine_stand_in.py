"""A fast stand-in for the engine, and real pictures by their colour."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field, replace

from PIL import Image

from bot.assistant.types import Attachment, ModelAnswer
from data.errors import ImageRefused
from data.images.open import Picture
from model.errors import EngineBusy, EngineClosed
from model.requests import (
    NO_CONTEXT,
    SHORT_ANSWERS,
    Capabilities,
    ChatContext,
    DetectedObject,
    Usage,
)


@dataclass(frozen=True)
class Said:
    text: str
    confidence: float = 0.9
    seconds: float = 0.01
    encoding: float = 0.0
    decoding: float = 0.0
    objects: tuple[DetectedObject, ...] = ()
    profile: str = ""
    instead: bool = False
    usage: Usage | None = None
    language: str = "en"


def picture(colour: str, size: tuple[int, int] = (8, 6)) -> Picture:
    digest = hashlib.sha256(colour.encode()).hexdigest()
    return Picture(Image.new("RGB", size, colour), digest, *size, "PNG")


def photo(colour: str) -> Attachment:
    """An attachment that `open_photo` opens as a picture of this colour."""
    return Attachment(colour.encode(), f"{colour}.png")


def open_photo(content: bytes) -> Picture:
    if content.startswith(b"bad"):
        raise ImageRefused("not-a-picture", f"This file is no picture ({content.decode()}).")
    if content.startswith(b"boom"):
        raise OSError("/secret/path is broken")
    return picture(content.decode())


COLOURS = {
    (0, 0, 255): "blue",
    (255, 0, 0): "red",
    (0, 128, 0): "green",
    (255, 255, 255): "white",
    (0, 0, 0): "black",
}


def see(picture: Picture, question: str | None) -> Said:
    """The default model: sees the colour, and answers every question with it."""
    colour = COLOURS[picture.image.getpixel((0, 0))]  # type: ignore[index]
    return Said(f"a {colour} square" if question is None else colour)


@dataclass
class StandIn:
    """Answers at once, unless `held`: then `release` answers."""

    answer: Callable[[Picture, str | None], Said | Exception] = see
    room: int = 1000
    closed: bool = False
    held: bool = False
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    queue: list[tuple[Future[ModelAnswer], Picture, str | None]] = field(default_factory=list)
    ranks: list[int] = field(default_factory=list)
    contexts: list[ChatContext] = field(default_factory=list)
    ahead: int = 0  # of others, who are not there
    able: Capabilities = SHORT_ANSWERS

    @property
    def waiting(self) -> int:
        return self.ahead + len(self.queue)

    def capabilities(self, profile: str = "") -> Capabilities:
        return self.able

    def submit(
        self,
        picture: Picture,
        question: str | None,
        rank: int = 0,
        context: ChatContext = NO_CONTEXT,
    ) -> Future[ModelAnswer]:
        if self.closed:
            raise EngineClosed("closed")
        if len(self.queue) >= self.room:
            raise EngineBusy("full")
        self.asked.append((COLOURS[picture.image.getpixel((0, 0))], question))  # type: ignore[index]
        self.ranks.append(rank)
        if context.language not in self.able.languages:
            context = replace(context, on_text=None)
        self.contexts.append(context)
        future: Future[ModelAnswer] = Future()
        self.queue.append((future, picture, question))
        if not self.held:
            self.release()
        return future

    def write(self, text: str, number: int = -1) -> None:
        """Have written so much of an answer: of the question asked last, or of another."""
        on_text = self.contexts[number].on_text
        assert on_text is not None
        on_text(text)

    def release(self) -> None:
        """Answer everything that waits."""
        while True:
            try:
                future, picture, question = self.queue.pop(0)
            except IndexError:  # another thread may have answered the rest
                return
            if future.set_running_or_notify_cancel():
                said = self.answer(picture, question)
                if isinstance(said, Exception):
                    future.set_exception(said)
                else:
                    future.set_result(said)


class Clock:
    """Monotonic seconds under the test's control."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds
