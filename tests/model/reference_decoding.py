"""Decoding written anew as simply as can be: no cache of keys, no batch, no padding."""

from __future__ import annotations

import torch
from PIL import Image
from torch import Tensor

from model.vlm import PrefixVLM


@torch.no_grad()
def encoded(vlm: PrefixVLM, image: Image.Image) -> Tensor:
    """A picture's prefix (1, P, C)."""
    return vlm.encode([image])


@torch.no_grad()
def next_logprobs(
    vlm: PrefixVLM, prefix: Tensor, tokens: list[int], guidance_scale: float = 1.0
) -> Tensor:
    """Log-probabilities (V) of what follows a picture's prefix and these tokens."""
    embedded = vlm.language.get_input_embeddings()(torch.tensor([tokens]))
    inputs = torch.cat([prefix, embedded], dim=1)
    logits: Tensor = vlm.language(inputs_embeds=inputs, use_cache=False).logits
    seen = logits[0, -1].log_softmax(dim=-1)
    if guidance_scale == 1:
        return seen
    blind: Tensor = vlm.language(inputs_embeds=embedded, use_cache=False).logits
    return (
        guidance_scale * seen + (1 - guidance_scale) * blind[0, -1].log_softmax(-1)
    ).log_softmax(-1)


def reference_greedy(
    vlm: PrefixVLM, image: Image.Image, prompt: str, most: int, guidance_scale: float = 1.0
) -> tuple[tuple[int, ...], float]:
    """Tokens of the most probable continuation, step by step, and their log-probability."""
    prefix, asked, written, total = encoded(vlm, image), vlm.tokens(prompt), list[int](), 0.0
    while len(written) < most and vlm.end not in written:
        logprobs = next_logprobs(vlm, prefix, asked + written, guidance_scale)
        best, token = logprobs.masked_fill(vlm.unwritable, -torch.inf).max(dim=-1)
        written.append(int(token))
        total += float(best)
    return tuple(written), total


def reference_score(vlm: PrefixVLM, image: Image.Image, prompt: str, target: list[int]) -> float:
    """Log-probability of these tokens after the prompt."""
    prefix, asked = encoded(vlm, image), vlm.tokens(prompt)
    return sum(
        float(next_logprobs(vlm, prefix, asked + target[:step])[token])
        for step, token in enumerate(target)
    )


def reference_best(
    vlm: PrefixVLM,
    image: Image.Image,
    prompt: str,
    most: int,
    penalty: float,
    guidance_scale: float = 1.0,
) -> tuple[tuple[int, ...], float]:
    """The best of all texts there are, by log-probability / length ** penalty."""
    prefix, asked = encoded(vlm, image), vlm.tokens(prompt)
    found: list[tuple[float, tuple[int, ...], float]] = []

    def extend(written: tuple[int, ...], total: float) -> None:
        logprobs = next_logprobs(vlm, prefix, [*asked, *written], guidance_scale)
        logprobs = logprobs.masked_fill(vlm.unwritable, -torch.inf)
        for token, logprob in enumerate(logprobs.tolist()):
            longer, sum_ = (*written, token), total + logprob
            if token == vlm.end or len(longer) == most:
                found.append((sum_ / len(longer) ** penalty, longer, sum_))
            else:
                extend(longer, sum_)

    extend((), 0.0)
    _, tokens, total = max(found)
    return tokens, total
