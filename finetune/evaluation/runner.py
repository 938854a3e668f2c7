"""Questions put to the engine, many at a time, about the right pictures and about wrong ones."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image

from data.errors import DataError, ImageRefused
from data.images.open import Picture, read_picture
from finetune.evaluation.dataset import Dataset, Item, derange
from model.engine import Engine, load_engine
from model.errors import EngineBusy
from model.requests import Answer

AHEAD = 48  # requests under way; the engine's queue holds 64
GREY = 128
Request = tuple[Path | None, str | None]  # a picture (None: a grey one), a question (None: caption)
OnAnswer = Callable[[int, int], None]  # takes how many are done, of how many


@dataclass(frozen=True)
class Reply:
    """What the model says, and how sure it is (calibrated, 0..1; 0 if it does not tell)."""

    text: str
    confidence: float


@dataclass(frozen=True)
class Replies:
    """What the model says of a dataset, in its order.

    Attributes:
        captions: One for each picture.
        questions: One for each question.
        shuffled: Likewise, but each about another picture; None if there is only one picture.
        blank: Likewise, but each about a grey picture.
        unanswered: One for each picture or question that nothing is known of.
    """

    captions: tuple[Reply, ...]
    questions: tuple[Reply, ...]
    shuffled: tuple[Reply, ...] | None
    blank: tuple[Reply, ...]
    unanswered: tuple[Reply, ...] = ()


def ask_dataset(engine: Engine, dataset: Dataset, on_answer: OnAnswer) -> Replies:
    """Ask for all captions and answers, and for the answers of the controls.

    Raises:
        DataError: A picture cannot be read; one plain sentence.
    """
    captions, questions = dataset.captions, dataset.questions
    swap = derange([str(item.image) for item in questions])
    texts = sorted({item.question or "" for item in questions})
    real: list[Request] = [(item.image, item.question) for item in captions + questions]
    swapped: list[Request] = [
        (Path(swap[str(item.image)]), item.question) for item in questions if len(swap) > 1
    ]
    blank: list[Request] = [(None, text) for text in texts]
    open_ones: list[Request] = [(item.image, item.question) for item in dataset.unanswered]
    replies = ask(engine, real + swapped + blank + open_ones, on_answer)
    told, rest = replies[: len(captions)], replies[len(captions) :]
    said, rest = rest[: len(questions)], rest[len(questions) :]
    shuffled, rest = rest[: len(swapped)], rest[len(swapped) :]
    rest, unanswered = rest[: len(blank)], rest[len(blank) :]
    unseen = dict(zip(texts, rest, strict=True))
    blind = tuple(unseen[item.question or ""] for item in questions)
    wrong = tuple(shuffled) if swapped else None
    return Replies(tuple(told), tuple(said), wrong, blind, tuple(unanswered))


def ask_profile(
    profile: str, items: Sequence[Item], on_answer: OnAnswer = lambda done, total: None
) -> list[Reply]:
    """What a profile says of each item, loaded as `glimpse batch` loads it.

    Raises:
        DataError, ProfileError, AdapterError, WeightsError: One plain sentence each.
    """
    threads = torch.get_num_threads()
    engine = load_engine(profile)
    try:
        return ask(engine, [(item.image, item.question) for item in items], on_answer)
    finally:
        engine.close()
        torch.set_num_threads(threads)  # which the engine has changed


def ask(engine: Engine, requests: Sequence[Request], on_answer: OnAnswer) -> list[Reply]:
    """Ask everything, several at a time; requests about one picture follow each other.

    Raises:
        DataError: A picture cannot be read; one plain sentence.
    """
    order = sorted(range(len(requests)), key=lambda i: str(requests[i][0] or ""))
    replies: dict[int, Reply] = {}
    waiting: deque[tuple[int, Future[Answer]]] = deque()

    def receive() -> None:
        index, future = waiting.popleft()
        answer = future.result()
        replies[index] = Reply(answer.text, answer.confidence or 0.0)
        on_answer(len(replies), len(requests))

    path, picture = None, blank_picture()
    try:
        for index in order:
            name, question = requests[index]
            if name is not None and name != path:
                path, picture = name, open_image(name)
            while (future := _submit(engine, picture, question, bool(waiting))) is None:
                receive()
            waiting.append((index, future))
            if len(waiting) >= AHEAD:
                receive()
        while waiting:
            receive()
    finally:  # after Ctrl-C or an error nobody wants the rest
        for _, future in waiting:
            future.cancel()
    return [replies[index] for index in range(len(requests))]


def _submit(
    engine: Engine, picture: Picture, question: str | None, can_wait: bool
) -> Future[Answer] | None:
    """Queue a request; None if the queue is full but an earlier request of ours can be awaited."""
    try:
        return engine.submit(picture, question)
    except EngineBusy:
        if not can_wait:
            raise
        return None


def open_image(path: Path) -> Picture:
    """Decode a picture of the dataset.

    Raises:
        DataError: It cannot be read; one plain sentence that names it.
    """
    try:
        return read_picture(path)
    except ImageRefused as error:
        raise DataError(f"The picture {path} cannot be used: {error}") from error


def blank_picture() -> Picture:
    """A grey picture, which shows nothing."""
    side = 224
    return Picture(Image.new("RGB", (side, side), (GREY,) * 3), "blank", side, side, "PNG")
