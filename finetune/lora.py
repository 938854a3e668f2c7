"""What is learnt: the mapper, and LoRA inside a frozen language model.

peft computes LoRA (Hu et al. 2021, arXiv 2106.09685), `W x + s B A x`, as separate operations on
the whole batch, with conversions between them. In bfloat16 they are one operation of autograd here,
with few passes over memory, that keeps only what its backward pass reads.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from peft.tuners.lora import Linear
from torch import Tensor, nn
from torch.nn import functional as F

from finetune.config import Lora, Recipe
from finetune.errors import RecipeError
from model.hub import silence_libraries
from model.vlm import PrefixCache, PrefixVLM

log = logging.getLogger(__name__)
State = dict[str, Tensor]
CPU = torch.device("cpu")
CLASS_NAMES = Path(__file__).parent / "imagenet_classes.txt"


class Learner:
    """A model whose mapper and LoRA learn while everything else is frozen.

    Args:
        vlm: The model with a fresh mapper; LoRA is put into its language model.
        lora: What LoRA looks like.
        bfloat16: Keep frozen weights in bfloat16, at half the memory traffic.
        device: Where it learns.
        tower_blocks: How many of the tower's last blocks learn, too.

    Attributes:
        vlm: The model.
        language: peft's form of its language model.

    Raises:
        RecipeError: LoRA's targets do not exist in this language model, or the tower's blocks in
            this tower.
    """

    def __init__(
        self,
        vlm: PrefixVLM,
        lora: Lora,
        bfloat16: bool = False,
        device: torch.device = CPU,
        tower_blocks: int = 0,
    ) -> None:
        self.vlm, self.bfloat16, self.device = vlm, bfloat16, device
        self.language: Any = attach_lora(vlm, lora)
        try:
            vlm.tower.unfreeze_blocks(tower_blocks)
        except ValueError as error:
            raise RecipeError(f"tower_blocks = {tower_blocks} is too many: {error}.") from error
        if device.type == "cpu":
            # There the fused kernel's backward pass with a mask takes three times the plain one's.
            self.language.set_attn_implementation("eager")
        if bfloat16:
            for parameter in self.language.parameters():
                if not parameter.requires_grad and parameter.ndim > 1:  # norms stay exact
                    parameter.data = parameter.data.to(torch.bfloat16)
            speed_up(self.language)
        init_class_names(vlm)
        vlm.to(device)

    @property
    def mapper_parameters(self) -> list[Tensor]:
        """What the mapper learns."""
        return [p for p in self.vlm.mapper.parameters() if p.requires_grad]

    @property
    def lora_parameters(self) -> list[Tensor]:
        """What LoRA learns."""
        return [p for p in self.language.parameters() if p.requires_grad]

    @property
    def tower_parameters(self) -> list[Tensor]:
        """What the tower learns."""
        return [p for p in self.vlm.tower.parameters() if p.requires_grad]

    def train(self, mode: bool = True) -> None:
        """Switch dropout on or off."""
        self.vlm.mapper.train(mode)
        self.language.train(mode)

    def compile(self) -> None:
        """Compile each layer of the language model, the same code for all and for any batch.

        Takes a minute at the first step, and a C++ compiler; without one, nothing is compiled.
        """
        if not any(map(shutil.which, (os.environ.get("CXX", "g++"), "clang++"))):
            log.warning("There is no C++ compiler, so that each step will take longer.")
            return
        for layer in self.language.get_base_model().base_model.layers:
            layer.compile(dynamic=True)

    def autocast(self) -> torch.autocast:
        """Multiply bfloat16 inside, if the run does."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.bfloat16)

    @contextmanager
    def generating(self) -> Iterator[None]:
        """Write texts inside, as users will get them: without dropout or gradients."""
        self.train(False)
        try:
            with (
                torch.inference_mode(),
                self.autocast(),
                # Compiled layers would be compiled anew for every shape of the growing cache.
                torch.compiler.set_stance("force_eager"),
                merged(self.language),
            ):
                yield
        finally:
            self.train()

    def prefill(self, prefix: Tensor) -> list[PrefixCache]:
        """Prefix (B, P, C) of any type → its keys and values, one cache for each picture."""
        return self.vlm.prefill(prefix.to(next(self.language.parameters()).dtype))

    def state(self) -> State:
        """Everything that is learnt, by name: "mapper.…", "tower.…", "lora.…" as peft names it."""
        from peft import get_peft_model_state_dict

        # "auto" would look for the base model on the hub.
        lora = get_peft_model_state_dict(self.language, save_embedding_layers=False)
        parts = {
            "mapper.": self.vlm.mapper.state_dict(),
            "tower.": self.vlm.tower.tuned_state(),
            "lora.": lora,
        }
        return {
            start + key: value for start, state in parts.items() for key, value in state.items()
        }

    def load(self, state: State) -> None:
        """Put back what `state` gave.

        Raises:
            RuntimeError: It is of another model.
        """
        from peft import set_peft_model_state_dict

        if state.keys() != self.state().keys():
            raise RuntimeError("The weights are those of another model.")
        self.vlm.mapper.load_state_dict(part("mapper", state))
        self.vlm.tower.load_tuned_state(part("tower", state))
        set_peft_model_state_dict(self.language, part("lora", state))


class WeightAverage:
    """The running mean of weights (LAWA, Kaddour 2022, arXiv 2209.14981).

    Attributes:
        state: The mean; empty at first.
        count: How many were averaged.
    """

    def __init__(self) -> None:
        self.state: State = {}
        self.count = 0

    @torch.no_grad()
    def add(self, state: State) -> None:
        """Take one more into the mean."""
        self.count += 1
        for key, value in state.items():
            mean = self.state.setdefault(key, torch.zeros_like(value))
            mean += (value - mean) / self.count


def part(name: str, state: State) -> State:
    """The part of a state that is the "mapper", "tower" or "lora", under its own names."""
    start = f"{name}."
    return {k.removeprefix(start): v for k, v in state.items() if k.startswith(start)}


def attach_lora(vlm: PrefixVLM, lora: Lora) -> Any:
    """Put LoRA into the language model and return the peft model.

    Raises:
        RecipeError: The targets do not exist in this language model.
    """
    from peft import LoraConfig, get_peft_model

    names = {name.rpartition(".")[2] for name, _ in vlm.language.named_modules()}
    missing = [target for target in lora.targets if target.rpartition(".")[2] not in names]
    config = LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=list(lora.targets),
        task_type="CAUSAL_LM",
    )
    try:
        if missing:
            raise ValueError(f"no module is called {missing[0]}")
        with silence_libraries():
            return get_peft_model(vlm.language, config)
    except ValueError as error:
        raise RecipeError(
            f"LoRA cannot be put on {', '.join(missing or lora.targets)} of this language model; "
            f"linear layers in it are {', '.join(sorted(_linear(vlm.language)))}."
        ) from error


def init_class_names(vlm: PrefixVLM) -> None:
    """Start each class tag at the mean token embedding of the class's name."""
    tags = vlm.mapper.tags
    if tags is None:
        return
    names = CLASS_NAMES.read_text(encoding="utf-8").split("\n")
    with torch.no_grad():
        for row in range(tags.names.num_embeddings):
            ids = torch.tensor(vlm.tokens(" " + names[row]))
            tags.names.weight[row] = vlm.embed(ids).float().mean(dim=0)


def _linear(language: Any) -> set[str]:
    named: Iterator[tuple[str, Any]] = language.named_modules()
    return {name.rpartition(".")[2] for name, it in named if isinstance(it, torch.nn.Linear)}


# --- LoRA in bfloat16 ---------------------------------------------------------------------------


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
