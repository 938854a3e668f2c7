"""What is learnt: the mapper, and LoRA inside a frozen language model."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from finetune.config import Lora
from finetune.errors import RecipeError
from finetune.lowrank import merged, speed_up
from model.hub import quiet
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
        name_tags(vlm)
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
    def speaking(self) -> Iterator[None]:
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


class Average:
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
        with quiet():
            return get_peft_model(vlm.language, config)
    except ValueError as error:
        raise RecipeError(
            f"LoRA cannot be put on {', '.join(missing or lora.targets)} of this language model; "
            f"linear layers in it are {', '.join(sorted(_linear(vlm.language)))}."
        ) from error


def name_tags(vlm: PrefixVLM) -> None:
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
