"""What people ask of the engine, what they get, and how much of it there may be."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
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


KEPT_TURNS = 20  # most that a model is told of a conversation


@dataclass(frozen=True)
class Turn:
    """What was asked before about the same picture, and what was answered.

    Attributes:
        question: As the model got it; None for a caption.
        answer: As it was said.
    """

    question: str | None
    answer: str


@dataclass(frozen=True)
class Capabilities:
    """What a model can do beyond a short answer to an English question.

    Attributes:
        chat: It is told the conversation so far, and what it writes can be shown meanwhile.
        languages: Codes of those in which it understands questions and answers them.
        reads: It reads what is written in pictures.
    """

    chat: bool = False
    languages: tuple[str, ...] = ("en",)
    reads: bool = False


SHORT_ANSWERS = Capabilities()  # those of our own models


@dataclass(frozen=True)
class ChatContext:
    """What a chat model may use beside the question. The engine of short answers ignores it.

    Attributes:
        turns: The conversation about the picture so far, the oldest first.
        on_text: Called from the engine's threads with the whole plain text so far, again and again
            while the model writes; it must return at once and never raise. A model that does not
            speak `language` does not call it.
        on_sign: Called likewise whenever anything comes of the model, also what is not to be shown.
        profile: Name of the profile that is to answer, where an operator lets people choose; "" for
            the one that was set up.
        language: Code of the one that the person is to be answered in. A model that speaks it
            says so in `Answer.language`; others answer in English.
        asked: The question as the person wrote it in that language, where another one is asked of
            models that do not speak it: a translation; "" if there is none.
        reading: The answer has to be read off the picture.
        without: Names of profiles that may not answer: what they may cost is used up.
    """

    turns: tuple[Turn, ...] = ()
    on_text: Callable[[str], None] | None = field(default=None, compare=False)
    on_sign: Callable[[], None] | None = field(default=None, compare=False)
    profile: str = ""
    language: str = "en"
    asked: str = ""
    reading: bool = False
    without: frozenset[str] = frozenset()


NO_CONTEXT = ChatContext()


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
class Usage:
    """What answers cost, in tokens.

    Attributes:
        prompt: Of questions, with their pictures.
        completion: Of what was written.
    """

    prompt: int = 0
    completion: int = 0

    def __add__(self, other: Usage) -> Usage:
        """Both together."""
        return Usage(self.prompt + other.prompt, self.completion + other.completion)


NO_USAGE = Usage()


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
        profile: Name of the profile that answered; "" for the only one there is.
        instead: Whether it answered in place of another profile that could not.
        language: Code of the one that it was asked to answer in.
        usage: What it cost, as its server tells, or estimated; None of models in this process.
    """

    text: str
    confidence: float | None
    seconds: float
    encoding: float = 0.0
    decoding: float = 0.0
    objects: tuple[DetectedObject, ...] = ()
    profile: str = ""
    instead: bool = False
    language: str = "en"
    usage: Usage | None = None


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
    new_pictures: int = 4
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
        context: What a chat model may use.
        future: The answer.
        submitted: When it was asked.
    """

    picture: Picture
    question: str | None
    rank: int = 0
    context: ChatContext = NO_CONTEXT
    future: Future[Answer] = field(default_factory=Future)
    submitted: float = field(default_factory=time.perf_counter)

    def asked_in(self, languages: Collection[str]) -> tuple[str | None, ChatContext]:
        """The question, and its context, for a model of these languages; else they are English."""
        if self.context.language not in languages:
            return self.question, replace(self.context, language="en", on_text=None)
        if self.question is None:
            return None, self.context
        return self.context.asked or self.question, self.context
