"""The variants that `finetune.research.ablate` compares: a recipe with one thing changed."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from finetune.config import Recipe
from model.config import load_profile, save_profile


@dataclass(frozen=True)
class Variant:
    """A change to a recipe.

    Attributes:
        mapper: Values of its profile's [mapper].
        lora: Of [lora].
        schedule: Of [schedule].
        sources: Of those [[sources]] in which none of them is 0.
        recipe: Of the recipe itself.
    """

    mapper: dict[str, Any] = field(default_factory=dict)
    lora: dict[str, Any] = field(default_factory=dict)
    schedule: dict[str, Any] = field(default_factory=dict)
    sources: dict[str, Any] = field(default_factory=dict)
    recipe: dict[str, Any] = field(default_factory=dict)


VARIANTS = {
    "as it is": Variant(),
    "another seed": Variant(recipe={"seed": 2}),
    "resampler, 17 queries": Variant({"kind": "resampler", "queries": 17, "colours": 0}),
    "no colours": Variant({"colours": 0}),
    "4 + 1 patch positions": Variant({"shuffle": 4}),
    "64 + 1 patch positions": Variant({"shuffle": 1}),
    "no word tags": Variant({"words": 0}),
    "no class tags": Variant({"tags": 0, "quarter_tags": 0}),
    "LoRA rank 4": Variant(lora={"rank": 4, "alpha": 8}),
    "LoRA rank 64": Variant(lora={"rank": 64, "alpha": 128}),
    "LoRA on q and v": Variant(lora={"targets": ("q_proj", "v_proj")}),
    "LoRA on attention": Variant(lora={"targets": ("q_proj", "k_proj", "v_proj", "o_proj")}),
    "no texts without a picture": Variant(schedule={"texts": 0, "derived_texts": 0.0}),
    "captions, not derived questions": Variant(
        schedule={"derived_texts": 0.0}, sources={"captions": 4, "derived": 0}
    ),
    "no hidden positions": Variant(sources={"prefix_dropout": 0.0}),
    "random crops": Variant(recipe={"crops": True}),
    "random crops, two blocks of the tower": Variant(
        schedule={"tower_rate": 1e-4}, recipe={"crops": True, "tower_blocks": 2}
    ),
    "no averaging": Variant(schedule={"average_from": 1.0}),
}


def changed(recipe: Recipe, name: str, folder: Path) -> Recipe:
    """The recipe with a variant's change; its profile is written into the folder."""
    variant = VARIANTS[name]
    profile = load_profile(recipe.profile)
    mapper = replace(profile.mapper, **variant.mapper)
    path = (folder / "variant.toml").resolve()
    save_profile(replace(profile, name=folder.name, mapper=mapper, adapter="adapter"), path)
    sources = []
    for source in recipe.sources:
        has_all = all(getattr(source, key) for key in variant.sources)
        sources.append(replace(source, **variant.sources) if has_all else source)
    return replace(
        recipe,
        profile=str(path),
        lora=replace(recipe.lora, **variant.lora),
        schedule=replace(recipe.schedule, **variant.schedule),
        sources=tuple(sources),
        **variant.recipe,
    )
