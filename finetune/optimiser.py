"""AdamW with rates for the mapper, LoRA and the tower, warmed up, then decayed by cosine."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from finetune.config import Schedule
from finetune.lora import Learner


class Optimiser:
    """Updates what is learnt by its gradients.

    The stages follow LLaVA (Liu et al. 2023, arXiv 2310.03744): the mapper learns alone at first.

    Args:
        learner: What is learnt.
        schedule: How fast.

    Attributes:
        adam: PyTorch's optimiser.
    """

    def __init__(self, learner: Learner, schedule: Schedule) -> None:
        self.schedule = schedule
        mapper, lora = learner.mapper_parameters, learner.lora_parameters
        matrices = [p for p in mapper if p.ndim > 1]
        vectors = [p for p in mapper if p.ndim < 2]
        groups = [
            _group("mapper", matrices, schedule.mapper_rate, schedule.weight_decay),
            _group("mapper", vectors, schedule.mapper_rate, 0.0),
            _group("lora", lora, schedule.lora_rate, 0.0),
        ]
        if learner.tower_parameters:
            groups.append(_group("tower", learner.tower_parameters, schedule.tower_rate, 0.0))
        self.adam = torch.optim.AdamW(groups, betas=(0.9, 0.98))

    @property
    def parameters(self) -> list[Tensor]:
        """Everything that is learnt."""
        return [p for group in self.adam.param_groups for p in group["params"]]

    @property
    def rates(self) -> dict[str, float]:
        """The learning rates of the last step, by what learns."""
        return {group["name"]: group["lr"] for group in self.adam.param_groups}

    def forget_gradients(self) -> None:
        """Make room for new gradients."""
        self.adam.zero_grad(set_to_none=True)

    def update(self, step: int, share: float) -> float:
        """Take a step along the clipped gradients; returns their norm before that.

        Nothing changes when the norm is not finite.
        """
        norm = float(torch.nn.utils.clip_grad_norm_(self.parameters, self.schedule.clip))
        if math.isfinite(norm):
            self._set_rates(step, share)
            self.adam.step()
        return norm

    def _set_rates(self, step: int, share: float) -> None:
        last = self.schedule.last_rate
        decayed = last + (1 - last) * 0.5 * (1 + math.cos(math.pi * share))
        for group in self.adam.param_groups:
            since = step - (self.schedule.mapper_steps if group["name"] != "mapper" else 0)
            warm = min(1.0, max(0, since + 1) / max(1, self.schedule.warmup_steps))
            group["lr"] = group["peak"] * warm * decayed


def _group(name: str, parameters: list[Tensor], peak: float, decay: float) -> dict[str, object]:
    return {"params": parameters, "name": name, "peak": peak, "lr": 0.0, "weight_decay": decay}
