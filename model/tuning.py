"""A tower whose last blocks were tuned: their weights, which an adapter then holds as well."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from model.vision import VisionTower

FILE = "tower.safetensors"


def tune(tower: VisionTower, count: int) -> None:
    """Let the weights of a tower's last blocks learn; batch norms keep their statistics.

    Raises:
        ValueError: The tower has fewer blocks.
    """
    blocks = tower.blocks()
    if count > len(blocks):
        raise ValueError(f"the tower has only {len(blocks)} blocks")
    for block in blocks[len(blocks) - count :]:
        block.requires_grad_(True)


def tuned_state(tower: VisionTower) -> dict[str, Tensor]:
    """The weights that learn, by name."""
    return {name: p.detach() for name, p in tower.named_parameters() if p.requires_grad}


@torch.no_grad()
def set_tuned(tower: VisionTower, state: dict[str, Tensor]) -> None:
    """Put tuned weights in the place of the tower's own.

    Raises:
        ValueError: They are of another tower, or not numbers.
    """
    known = dict(tower.named_parameters())
    for name, value in state.items():
        if name not in known or known[name].shape != value.shape:
            raise ValueError(f"The tower has no weights {name} of this shape.")
        if not value.isfinite().all():
            raise ValueError("The tower's weights are not all numbers.")
        known[name].copy_(value)


def read_tuned(folder: Path) -> dict[str, Tensor]:
    """The tuned weights in an adapter's folder; none if its tower stayed as it was."""
    return load_file(folder / FILE) if (folder / FILE).is_file() else {}
