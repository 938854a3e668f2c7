"""Writing with a chat model: token by token, told as it comes, and stopped at any time."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import (
    LogitsProcessor,
    LogitsProcessorList,
    StoppingCriteria,
    StoppingCriteriaList,
)

from model.chat_model import ChatModel

_HALF_CHARACTER = "\ufffd"  # whose other bytes are in the next token


@dataclass(frozen=True)
class Sampling:
    """How the next token is chosen.

    Attributes:
        temperature: 0 takes the likeliest.
        seed: Of the draws.
        most_tokens: Most of them.
    """

    temperature: float
    seed: int
    most_tokens: int


class Writing(StoppingCriteria):  # type: ignore[misc]  # transformers is not typed
    """One text while it is written.

    Args:
        model: That writes.
        prompt: How many tokens its inputs have.
        on_text: Called with the whole text so far after each token.
        is_over: Asked after each token whether to stop there.

    Attributes:
        text: So far, as the model writes it.
        ended: Whether the model came to an end by itself.
    """

    def __init__(
        self,
        model: ChatModel,
        prompt: int,
        on_text: Callable[[str], None],
        is_over: Callable[[], bool],
    ) -> None:
        self._tokenizer, self._prompt = model.tokenizer, prompt
        self._on_text, self._is_over = on_text, is_over
        self._ends = frozenset(model.ends)
        self._logprobs: list[float] = []
        self.scores = _LastScores()
        self.text, self.ended = "", False

    def __call__(self, input_ids: Tensor, scores: Any, **_more: Any) -> Tensor:
        """Take note of the newest token; whether to stop, for the one row."""
        token = int(input_ids[0, -1])
        self.ended = self.ended or token in self._ends
        if not self.ended:
            self._logprobs.append(self.scores.logprob(token))
            written = input_ids[0, self._prompt :].tolist()
            text = self._tokenizer.decode(written, skip_special_tokens=True)
            self.text = text.rstrip(_HALF_CHARACTER)
            self._on_text(self.text)
        return torch.full((1,), self._is_over(), dtype=torch.bool, device=input_ids.device)

    @property
    def confidence(self) -> float | None:
        """The geometric mean of the tokens' probabilities, 0..1; None if nothing was written."""
        known = self._logprobs
        return min(1.0, math.exp(sum(known) / len(known))) if known else None


class _LastScores(LogitsProcessor):  # type: ignore[misc]  # likewise
    """Keeps what the model thinks of the next token, before any temperature."""

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        self._scores = scores
        return scores

    def logprob(self, token: int) -> float:
        """Of the token that was chosen then."""
        return float(torch.log_softmax(self._scores[0].float(), dim=-1)[token])


def write(
    model: ChatModel,
    inputs: Any,
    sampling: Sampling,
    on_text: Callable[[str], None],
    is_over: Callable[[], bool],
) -> Writing:
    """Let a model write until it ends, has written enough, or is told that it is over.

    Args:
        model: That writes; one thread at a time.
        inputs: What its template made.
        sampling: How tokens are chosen.
        on_text: Called with the whole text so far after each token.
        is_over: Asked after each token whether to stop there.
    """
    inputs = inputs.to(model.device, model.dtype)
    writing = Writing(model, inputs["input_ids"].shape[1], on_text, is_over)
    drawn = {"do_sample": True, "temperature": sampling.temperature, "top_k": 0, "top_p": 1.0}
    gpus = [model.device] if model.device.type == "cuda" else []
    with torch.inference_mode(), torch.random.fork_rng(gpus):
        torch.manual_seed(sampling.seed)
        model.network.generate(
            **inputs,
            **(drawn if sampling.temperature > 0 else {"do_sample": False}),
            max_new_tokens=sampling.most_tokens,
            logits_processor=LogitsProcessorList([writing.scores]),
            stopping_criteria=StoppingCriteriaList([writing]),
        )
    return writing


def set_threads(count: int) -> None:
    """Let the process compute with so many cores."""
    torch.set_num_threads(count)
