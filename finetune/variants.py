"""The variants that `finetune.ablate` compares: a recipe with one thing changed.

Three of them learn captions only, with photos and without: `implied` texts go on while captions
with photos come from none, 500 or all of them, and each step learns as much. The detectors of words
and objects, and what texts imply, are fitted to all photos in any case: what is compared is what
the captioner itself learns from. Three others tell of objects by prefix positions, by words in the
prompt, or not at all; all of them learn from cross-fitted heads, without implied texts.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from finetune.mixture import Learnable, Mixture, Visit
from finetune.object_words import HiddenObjects, SpokenObjects
from finetune.recipe import Recipe, Source
from finetune.train import Trainer
from model.profile import load_profile, save_profile


@dataclass(frozen=True)
class Variant:
    """A change to a recipe.

    Attributes:
        mapper: Values of its profile's [mapper].
        lora: Of [lora].
        schedule: Of [schedule].
        sources: Of those [[sources]] in which none of them is 0.
        recipe: Of the recipe itself.
        captions_only: Nothing is visited but sources of captions, for their captions.
        photos: How many photos are visited; none means texts without pictures instead, None all.
        objects: What tells of objects: prefix "positions", "words" in the prompt, or "nothing".
    """

    mapper: dict[str, Any] = field(default_factory=dict)
    lora: dict[str, Any] = field(default_factory=dict)
    schedule: dict[str, Any] = field(default_factory=dict)
    sources: dict[str, Any] = field(default_factory=dict)
    recipe: dict[str, Any] = field(default_factory=dict)
    captions_only: bool = False
    photos: int | None = None
    objects: str = "positions"


_CROSS_FIT = {"cross_fit": True}
_CAPTIONS = Variant(
    schedule={"texts": 0, "derived_texts": 0.0, "implied": 8},
    recipe=_CROSS_FIT,
    captions_only=True,
)
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
    "captions of no photos": replace(_CAPTIONS, photos=0),
    "captions of 500 photos": replace(_CAPTIONS, photos=500),
    "captions of all photos": _CAPTIONS,
    "objects as positions": Variant(recipe=_CROSS_FIT),
    "objects as words": Variant(recipe=_CROSS_FIT, objects="words"),
    "objects hidden": Variant(recipe=_CROSS_FIT, objects="nothing"),
}


class VariantTrainer(Trainer):
    """Trains a variant: `Trainer`, but for what a recipe cannot ask for.

    Args:
        variant: What is changed.
        arguments: As of `Trainer`, whose recipe is that of `changed`.
    """

    def __init__(self, variant: Variant, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.variant = variant
        if variant.objects != "positions":
            kind = SpokenObjects if variant.objects == "words" else HiddenObjects
            self.objective = kind(self.learner, self.objective.sight)

    def begin(self, resumed: bool = False) -> None:
        """Fit to all photos, then leave those to be visited."""
        super().begin(resumed)
        if self.variant.photos is not None:
            self.mixture = FewPhotos(self.mixture, self.variant.photos)


class FewPhotos(Mixture):
    """A mixture that visits only some photos, or texts without pictures in their place.

    Args:
        mixture: Where they are from.
        count: How many photos, of each source by its share.
    """

    def __init__(self, mixture: Mixture, count: int) -> None:
        vars(self).update(vars(mixture))
        self._count = count
        total = sum(source.share for source, _ in mixture.sources)
        self.sources = [
            (source, self._some(source, items, round(count * source.share / total)))
            for source, items in mixture.sources
            if source.share
        ]

    def visits(self, step: int, pictures: int, texts: int) -> list[Visit]:
        """As `Mixture` draws them; as many, without any picture, if there are no photos."""
        if self._count:
            return super().visits(step, pictures, texts)
        chance = random.Random(f"{self.recipe.seed}:{step}")
        return [self._imply(chance) for _ in range(pictures + self.recipe.schedule.implied)]

    def _some(self, source: Source, items: list[Learnable], count: int) -> list[Learnable]:
        chance = random.Random(f"{self.recipe.seed}:{source.name}")
        return chance.sample(items, min(count, len(items)))


def changed(recipe: Recipe, name: str, folder: Path) -> Recipe:
    """The recipe with a variant's change; its profile is written into the folder."""
    variant = VARIANTS[name]
    profile = load_profile(recipe.profile)
    mapper = replace(profile.mapper, **variant.mapper)
    path = (folder / "variant.toml").resolve()
    save_profile(replace(profile, name=folder.name, mapper=mapper, adapter="adapter"), path)
    sources = []
    for source in recipe.sources:
        if variant.captions_only:
            told = source.captions and not source.questions
            alone = {"derived": 0, "boxes": 0} if told else {"share": 0.0}
            sources.append(replace(source, **alone))
            continue
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
