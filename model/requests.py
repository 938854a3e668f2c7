"""What people ask of the engine, what they get, and how much of it there may be."""

from __future__ import annotations

import time
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Protocol

from PIL import Image


class Picture(Protocol):
    """A picture to ask about; `data.images.open.Picture` is one."""

    @property
    def image(self) -> Image.Image:
        """RGB pixels."""
        ...

    @property
    def digest(self) -> str:
        """Names the picture: equal digests mean equal pictures."""
        ...


@dataclass(frozen=True)
class DetectedObject:
    """An object that the model sees in a picture.

    Attributes:
        name: What it is: "dog", "traffic light".
        score: How surely such an object is there, 0..1.
        box: Its left, top, right and bottom edge, in shares of the picture's width and height.
    """

    name: str
    score: float
    box: tuple[float, float, float, float]


@dataclass(frozen=True)
class Answer:
    """What the model says.

    Attributes:
        text: Lower case, no final full stop: "yes", "2", "a brown dog running through grass"; of a
            chat model plain text as it writes, in sentences.
        confidence: Calibrated probability, 0..1; of a chat model a mean of its tokens', or None if
            it tells none.
        seconds: From asking to answering, waiting included.
        encoding: Of those, for the pictures answered together; 0 if all were encoded before.
        decoding: For their texts.
        objects: What the model sees in the picture, the surest first.
    """

    text: str
    confidence: float | None
    seconds: float
    encoding: float = 0.0
    decoding: float = 0.0
    objects: tuple[DetectedObject, ...] = ()


@dataclass(frozen=True)
class EngineLimits:
    """What the engine takes on.

    Attributes:
        queue: Most requests waiting.
        batch: Most computed together.
        new_pictures: Most of them, at a time, about pictures that were not asked about before.
        workers: Threads that compute side by side.
        pictures: Most encoded pictures kept for follow-up questions.
        bytes: Most memory that they take (2.8 MB each with the starter, 15 with ViT-B/16).
    """

    queue: int = 64
    batch: int = 8
    new_pictures: int = 2
    workers: int = 1
    pictures: int = 24
    bytes: int = 256_000_000


@dataclass
class Request:
    """A question about a picture.

    Attributes:
        picture: What it is about.
        question: None asks for a caption.
        rank: Which answer is wanted, from 0: they differ in their first token, the likeliest first.
        future: The answer.
        submitted: When it was asked.
    """

    picture: Picture
    question: str | None
    rank: int = 0
    future: Future[Answer] = field(default_factory=Future)
    submitted: float = field(default_factory=time.perf_counter)
