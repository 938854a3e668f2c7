"""Which numbers a run computes with."""

from __future__ import annotations

import torch

from finetune.config import Recipe


def computes_bfloat16(recipe: Recipe, device: torch.device) -> bool:
    """Whether a run multiplies bfloat16; what is learnt stays float32 in any case."""
    return recipe.precision == "bfloat16" or (recipe.precision == "auto" and fast_bfloat16(device))


def fast_bfloat16(device: torch.device) -> bool:
    """Whether a device multiplies bfloat16 in hardware; else it is slower than float32."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    # PyTorch tells only privately, and not on every platform.
    supported = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return bool(supported and supported())
