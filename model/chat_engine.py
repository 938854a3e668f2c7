"""The engine of a profile whose chat model computes in this process."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from dataclasses import replace

from PIL import Image, ImageOps

from model.cache import Progress, silent
from model.chat_config import ChatConfig, ChatProfile
from model.chat_messages import temperature_of
from model.chat_model import TITLE, ChatModel, load_chat_model
from model.chat_template import Conversation, conversation_of
from model.chat_writing import Sampling, Writing, set_threads, write
from model.errors import EngineUnavailable, WeightsError
from model.plain_text import bare, plain_text, plain_text_so_far, shortened
from model.queued_engine import QueuedEngine
from model.requests import Answer, Capabilities, ChatContext, Request
from model.runtime import usable_cores

log = logging.getLogger(__name__)
LAST_TOKEN_SECONDS = 5.0  # that `close` waits for what nobody waits for any more
MOST_RATIO = 20  # of a picture's longer side to the shorter one
SENTENCE_ENDS = tuple('.!?…)"”')


class ChatEngine(QueuedEngine):
    """Lets a chat model answer questions about pictures, one after the other.

    Args:
        profile: How it is asked.
        model: The loaded model.
    """

    def __init__(self, profile: ChatProfile, model: ChatModel) -> None:
        super().__init__(workers=1, queue=profile.chat.queue, name="glimpse-chat")
        self.profile = profile
        self._model: ChatModel | None = model
        self._start()

    def capabilities(self, profile: str = "") -> Capabilities:
        """What the model can do, as far as the profile knows."""
        return self.profile.capabilities

    def _hurry(self) -> None:
        """Answers end by themselves when their futures do."""

    def _release(self) -> None:
        for worker in self._workers:  # a process that ends under PyTorch may break
            worker.join(LAST_TOKEN_SECONDS)
        self._model = None

    def _ask(self, request: Request) -> Answer:
        begun = time.perf_counter()
        config, future = self.profile.chat, request.future
        question, context = request.asked_in(config.languages)
        writing = self._write(
            request.picture.image,
            conversation_of(config, question, context),
            request.rank,
            _telling(context),
            lambda: future.done() or time.perf_counter() - begun > config.timeout,
        )
        text = shortened(plain_text(writing.text))
        now = time.perf_counter()
        if not text:
            raise EngineUnavailable(
                f"{self._title} gave no answer within {config.timeout:g} seconds."
                if now - begun > config.timeout
                else f"{self._title} gave an empty answer."
            )
        if not writing.ended and not text.endswith(SENTENCE_ENDS):
            text += "…"
        return Answer(
            bare(text), writing.confidence, now - request.submitted, decoding=now - begun,
            language=context.language,
        )  # fmt: skip

    def _write(
        self,
        picture: Image.Image,
        said: Conversation,
        rank: int,
        on_text: Callable[[str], None],
        is_over: Callable[[], bool],
    ) -> Writing:
        config, model = self.profile.chat, self._model
        assert model is not None  # it is let go of when no worker is left
        image = _fitted(picture, config.longest_side)
        temperature = temperature_of(config.temperature, rank)
        sampling = Sampling(temperature, rank, config.most_tokens)
        try:
            inputs = model.template.inputs(image, said)
            room = model.positions - config.most_tokens
            while said.turns and inputs["input_ids"].shape[1] > room:
                said = replace(said, turns=said.turns[1:])
                inputs = model.template.inputs(image, said)
            return write(model, inputs, sampling, on_text, is_over)
        except (MemoryError, RuntimeError) as error:  # the latter is PyTorch's
            if not isinstance(error, MemoryError) and "memory" not in str(error):
                raise
            raise EngineUnavailable(
                f"{self._title} has not enough memory for an answer; take a smaller one, or "
                "smaller pictures (longest_side)."
            ) from error

    @property
    def _title(self) -> str:
        return f"{TITLE} {self.profile.chat.source!r}"


def _fitted(picture: Image.Image, longest_side: int) -> Image.Image:
    """An RGB copy, no larger than that; strips get a border, for processors refuse narrow ones."""
    image = picture.convert("RGB")
    least = math.ceil(max(image.size) / MOST_RATIO)
    if min(image.size) < least:
        image = ImageOps.pad(image, (max(image.width, least), max(image.height, least)))
    image.thumbnail((longest_side, longest_side))
    return image


def _telling(context: ChatContext) -> Callable[[str], None]:
    """Tells the plain text whenever there is more of it."""
    told, on_text = "", context.on_text

    def tell(written: str) -> None:
        nonlocal told
        if context.on_sign:
            context.on_sign()
        if on_text and (text := plain_text_so_far(written)) and text != told:
            told = text
            on_text(text)

    return tell


def load_chat_engine(
    profile: ChatProfile,
    *,
    threads: int | None = None,
    device: str = "cpu",
    progress: Progress = silent,
    warm_up: bool = True,
) -> ChatEngine:
    """Load a profile's chat model and start its engine.

    Args:
        profile: Which model, and how it is asked.
        threads: CPU cores to use; None for what the profile says.
        device: Where to compute, if it is another place than "cpu"; else the profile says it.
        progress: Told if the model is fetched.
        warm_up: Write a word about a blank picture first, so that a model which cannot is refused.

    Raises:
        WeightsError, DeviceError, MissingLibraryError: One plain sentence each.
    """
    config = profile.chat
    model = load_chat_model(config, device, progress)
    set_threads(threads or config.threads or usable_cores())
    if warm_up:
        try:
            _warm_up(model, config)
        except Exception as error:
            log.exception("cannot ask %s", config.source)
            raise WeightsError(
                f"{TITLE} {config.source!r} cannot answer a question here."
            ) from error
    return ChatEngine(profile, model)


def _warm_up(model: ChatModel, config: ChatConfig) -> None:
    blank = Image.new("RGB", (64, 64), "grey")
    said = conversation_of(config, None)
    inputs = model.template.inputs(blank, said)
    write(model, inputs, Sampling(0.0, 0, 1), lambda _text: None, lambda: True)
