"""LoRA's arithmetic in bfloat16 with few passes over memory.

peft computes `W x + s B A x` as separate operations on the whole batch, with conversions between
them. Here they are one operation of autograd that keeps only what its backward pass reads.
LoRA: Hu et al. 2021, arXiv 2106.09685.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from peft.tuners.lora import Linear
from torch import Tensor, nn
from torch.nn import functional as F


class _LowRankLinear(torch.autograd.Function):
    """x (..., in) → x Wᵀ + s (x Aᵀ) Bᵀ (..., out), in bfloat16."""

    @staticmethod
    def forward(  # noqa: PLR0917
        ctx: Any, states: Tensor, weight: Tensor, down: Tensor, up: Tensor, scaling: float
    ) -> Tensor:
        flat = states.reshape(-1, states.shape[-1]).to(torch.bfloat16)
        low = down.to(torch.bfloat16)  # (r, in)
        high = (up * scaling).to(torch.bfloat16)  # (out, r)
        inner = flat @ low.t()  # (T, r)
        output = flat @ weight.t()
        output.addmm_(inner, high.t())
        ctx.save_for_backward(flat, weight, low, high, inner)
        ctx.scaling, ctx.shape, ctx.dtype = scaling, states.shape, states.dtype
        return output.view(*states.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        flat, weight, low, high, inner = ctx.saved_tensors
        output = gradients[0].reshape(-1, gradients[0].shape[-1]).to(torch.bfloat16)
        back = output @ high  # (T, r)
        states = output @ weight
        states.addmm_(back, low)
        down = (back.t() @ flat).float()
        up = (output.t() @ inner).float() * ctx.scaling
        return states.view(ctx.shape).to(ctx.dtype), None, down, up, None


class _FastLinear(Linear):  # type: ignore[misc]
    """peft's linear layer with LoRA, for one adapter that is always on."""

    merged: Tensor | None = None

    def forward(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """States (..., in) → (..., out)."""
        base: Any = self.base_layer
        if self.merged is not None:
            return F.linear(x.to(torch.bfloat16), self.merged)
        with torch.autocast(x.device.type, enabled=False):
            output: Tensor = _LowRankLinear.apply(  # type: ignore[no-untyped-call]
                x,
                base.weight,
                self.lora_A["default"].weight,
                self.lora_B["default"].weight,
                self.scaling["default"],
            )
        return output


def speed_up(language: nn.Module) -> None:
    """Compute every LoRA of a peft model that has bfloat16 weights, no bias and no dropout so."""
    for module in language.modules():
        if isinstance(module, Linear) and _plain(module):
            # Another class, not another method: one compiled layer then serves for all.
            module.__class__ = _FastLinear


@contextmanager
def merged(language: nn.Module) -> Iterator[None]:
    """Add LoRA to the weights inside: for one token at a time, each pass over memory costs."""
    fast = [module for module in language.modules() if isinstance(module, _FastLinear)]
    for module in fast:
        base: Any = module.base_layer
        down, up = module.lora_A["default"].weight, module.lora_B["default"].weight
        high = (up * module.scaling["default"]).to(torch.bfloat16)
        module.merged = torch.addmm(base.weight, high, down.to(torch.bfloat16))
    try:
        yield
    finally:
        for module in fast:
            module.merged = None


def _plain(module: Any) -> bool:
    weight, bias = module.base_layer.weight, module.base_layer.bias
    dropouts = module.lora_dropout.values()
    still = all(isinstance(dropout, nn.Identity) for dropout in dropouts)
    return weight.dtype == torch.bfloat16 and bias is None and still
