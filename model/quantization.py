"""Int8 linear layers for CPUs: weights quantised once for each output, activations for each row.

LLM.int8()'s vector-wise scheme (Dettmers et al. 2022, arXiv 2208.07339). Where that keeps outlying
activations in floating point, each activation here is two int8 digits, a coarse and a fine one,
multiplied in one pass: decoding waits for weights from memory, so that the second digit is almost
free, and it leaves the rounding of the weights as the only error worth naming.
The products are exact integers and every row has a scale of its own, so that a row's result does
not depend on its neighbours: a batch answers exactly as its members one by one, which PyTorch's
dynamic quantisation with one scale for the whole batch does not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

LARGEST = 127
BLOCK = 32  # numbers that share a scale in GGUF's Q8_0
FINER = 2 * LARGEST  # what rounding leaves is at most half a step


class Int8Linear(nn.Module):
    """A linear layer with int8 weights (out, in) and a float32 scale for each output."""

    weight: Tensor
    scale: Tensor
    bias: Tensor | None

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        full = linear.weight.detach().float()
        scale = full.abs().amax(dim=1).clamp(min=1e-12) / LARGEST  # (out)
        whole = (full / scale[:, None]).round().to(torch.int8)
        self.register_buffer("weight", whole.contiguous(), persistent=False)
        self.register_buffer("scale", scale, persistent=False)
        self.register_buffer("bias", None if linear.bias is None else linear.bias.detach())

    def forward(self, states: Tensor) -> Tensor:
        """States (..., in) → (..., out)."""
        flat = states.reshape(-1, states.shape[-1])
        row_scale = flat.abs().amax(dim=1, keepdim=True).clamp(min=1e-12) / LARGEST
        scaled = flat / row_scale
        coarse = scaled.round()
        fine = ((scaled - coarse) * FINER).round()
        both = torch.cat([coarse, fine]).to(torch.int8)  # (2 x rows, in)
        product = torch._int_mm(both, self.weight.t()).float()  # (2 x rows, out)
        high, low = product.chunk(2)
        result = (high + low / FINER) * row_scale * self.scale
        if self.bias is not None:
            result = result + self.bias
        return result.view(*states.shape[:-1], -1)


class BlockEmbedding(nn.Module):
    """Token embeddings as int8 (V, C) with a float16 scale for each block (V, C / 32): GGUF's Q8_0.

    It stands in for embeddings that were in that format before, whose numbers it gives exactly, in
    a quarter of the memory.
    """

    weight: Tensor
    scale: Tensor

    def __init__(self, tokens: int, width: int) -> None:
        super().__init__()
        self.register_buffer("weight", torch.zeros(tokens, width, dtype=torch.int8))
        self.register_buffer("scale", torch.zeros(tokens, width // BLOCK, dtype=torch.float16))

    def forward(self, tokens: Tensor) -> Tensor:
        """Token ids (...) → embeddings (..., C), float32."""
        blocks = self.weight[tokens].view(*tokens.shape, -1, BLOCK).float()
        embedded: Tensor = blocks * self.scale[tokens].float().unsqueeze(-1)
        return embedded.flatten(-2)


def in_blocks(embeddings: Tensor) -> BlockEmbedding | None:
    """Embeddings (V, C) as blocks, if that loses nothing at all; else None."""
    if embeddings.shape[1] % BLOCK:
        return None
    blocks = embeddings.detach().float().view(len(embeddings), -1, BLOCK)  # (V, C / 32, 32)
    # Q8_0 scales every block by its largest magnitude, which therefore is 127 steps.
    scale = (blocks.abs().amax(dim=2) / LARGEST).to(torch.float16)
    steps = blocks / scale.float().clamp(min=1e-12).unsqueeze(2)
    packed = BlockEmbedding(*embeddings.shape)
    packed.scale = scale
    packed.weight = steps.round().clamp(-LARGEST, LARGEST).to(torch.int8).flatten(1)
    chunks = torch.split(torch.arange(len(embeddings)), 4096)  # all at once takes as much again
    exact = all(torch.equal(packed(ids), embeddings[ids].float()) for ids in chunks)
    return packed if exact else None


def quantise(
    module: nn.Module, keep: Callable[[str], bool] = lambda name: False, prefix: str = ""
) -> None:
    """Replace every `nn.Linear` inside a module by its int8 form, but those that `keep` names."""
    children: dict[str, Any] = dict(module.named_children())
    for name, child in children.items():
        path = f"{prefix}{name}"
        if isinstance(child, nn.Linear) and not keep(path):
            setattr(module, name, Int8Linear(child))
        else:
            quantise(child, keep, f"{path}.")
