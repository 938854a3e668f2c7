"""Decoding written anew as simply as can be: no cache, no batch, no padding."""

from __future__ import annotations

import torch
from PIL import Image
from torch import Tensor

from model.vlm import PrefixVLM


@torch.no_grad()
def next_logprobs(
    vlm: PrefixVLM, image: Image.Image, tokens: list[int], guidance_scale: float = 1.0
) -> Tensor:
    """Log-probabilities (V) of what follows a picture and these tokens."""
    prefix = vlm.encode([image])
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
    asked, written, total = vlm.tokens(prompt), list[int](), 0.0
    while len(written) < most and vlm.end not in written:
        logprobs = next_logprobs(vlm, image, asked + written, guidance_scale)
        best, token = logprobs.masked_fill(vlm.unwritable, -torch.inf).max(dim=-1)
        written.append(int(token))
        total += float(best)
    return tuple(written), total


def reference_score(vlm: PrefixVLM, image: Image.Image, prompt: str, target: list[int]) -> float:
    """Log-probability of these tokens after the prompt."""
    asked = vlm.tokens(prompt)
    return sum(
        float(next_logprobs(vlm, image, asked + target[:step])[token])
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
    asked, found = vlm.tokens(prompt), list[tuple[float, tuple[int, ...], float]]()

    def extend(written: tuple[int, ...], total: float) -> None:
        logprobs = next_logprobs(vlm, image, [*asked, *written], guidance_scale)
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
