"""How an adapter's mapper lies in its file: big matrices in eight bits, everything else in half.

A row of a matrix is its largest magnitude over 127, times whole numbers (symmetric quantisation,
Jacob et al. 2017, arXiv 1712.05877): .3 % of a row's deviation is lost, at half the size.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

SMALLEST = 2**15  # weights of a matrix for which that is worth it
_SCALE = ".scale"


def pack(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights by name → what is stored: int8 with a scale a row, or float16."""
    packed = {}
    for name, value in state.items():
        weights = value.detach().float().cpu()
        if weights.ndim == 2 and weights.numel() >= SMALLEST:
            scale = weights.abs().amax(dim=1).clamp(min=1e-12) / 127
            packed[name] = (weights / scale[:, None]).round().to(torch.int8)
            packed[name + _SCALE] = scale
        else:
            packed[name] = weights.to(torch.float16).contiguous()
    return packed


def unpack(stored: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What `pack` gave → weights in fp32.

    Raises:
        ValueError: A matrix lacks its scale, or they do not fit.
    """
    state = {}
    for name, value in stored.items():
        if value.dtype == torch.int8:
            scale = stored.get(name + _SCALE)
            if scale is None or scale.shape != value.shape[:1]:
                raise ValueError(f"The scale of {name} is missing or of another size.")
            state[name] = value.float() * scale.float()[:, None]
        elif not name.endswith(_SCALE):
            state[name] = value.float()
    return state
