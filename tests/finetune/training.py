"""Makes trainers of tiny models."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tiny_data import recipe_table, write_profile, write_recipe

from finetune.config import load_recipe
from finetune.progress import StepReport
from finetune.trainer import Trainer


def make_trainer(
    folder: Path,
    hub: Path,
    data: Path,
    *,
    speaking: str = "gpt-neox",
    report: Callable[[StepReport], None] = lambda report: None,
    changes: dict[str, Any] | None = None,
    profile: dict[str, Any] | None = None,
    **schedule: Any,
) -> Trainer:
    """A trainer whose recipe, profile, features and run are in a folder."""
    folder.mkdir(exist_ok=True)
    write_profile(folder, hub, speaking, **profile or {})
    table = recipe_table(speaking, **schedule) | (changes or {})
    recipe = load_recipe(write_recipe(folder, table))
    return Trainer(recipe, data, folder / "run", folder / "features", report)


def adapter_bytes(folder: Path) -> dict[str, bytes]:
    """The weights of an adapter, file by file."""
    return {
        name: (folder / name).read_bytes()
        for name in ("prefix.safetensors", "lora/adapter_model.safetensors")
    }


def act_at(step: int, act: Callable[[], object]) -> Callable[[StepReport], None]:
    """Act when the report of a step is given."""

    def report(said: StepReport) -> None:
        if said.step == step:
            act()

    return report
