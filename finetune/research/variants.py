"""The variants that `finetune.research.ablate` compares: a recipe with one thing changed.

Three of them learn captions only, with photos and without: `implied` texts go on while captions
with photos come from none, 500 or all of them, and each step learns as much. The detectors of words
and objects, and what texts imply, are fitted to all photos in any case: what is compared is what
the captioner itself learns from. Three others tell of objects by prefix positions, by words in the
prompt, or not at all; all of them learn from cross-fitted heads, without implied texts.

Objects as words, instead of prefix positions, begin the prompt:

    <prefix>2 dog left, frisbee.
    Caption: a dog …

They say what the positions would, but for how sure they are: which objects are likely, how many
there are, and whether they are at the left or at the right. The positions hold just their place
then, as a hidden one does.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from finetune.config import Recipe, Source
from finetune.loss import Objective
from finetune.packing import Segment
from finetune.sampler import ImageTexts, Mixture, Visit
from finetune.trainer import Trainer
from model.config import load_profile, save_profile
from model.mapper import MOST_COUNTED
from model.object_head import ObjectFacts
from model.vlm import PrefixVLM

LIKELY = 0.3  # probability from which an object is told


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
            kind = ObjectWords if variant.objects == "words" else HiddenObjects
            self.objective = kind(self.learner, self.objective.features)

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

    def _some(self, source: Source, items: list[ImageTexts], count: int) -> list[ImageTexts]:
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


# --- objects as words, or hidden ----------------------------------------------------------------


def object_lines(
    facts: ObjectFacts, names: Sequence[str], most: int, kept: Tensor | None = None
) -> list[str]:
    """The likely objects of B pictures in words, with the end of the line; "" where there are none.

    Args:
        facts: What is known of them.
        names: Of the classes.
        most: Objects told of one picture, the likeliest first.
        kept: Which of those are not dropped (B, most).
    """
    likeliest, found = facts.probabilities.topk(most)  # (B, most)
    told = likeliest >= LIKELY
    told = told if kept is None else told & kept.to(told.device)
    lines = []
    for row, (places, chosen) in enumerate(zip(found.tolist(), told.tolist(), strict=True)):
        objects = [
            _object(names[place], int(facts.counts[row, place]), facts.corners[row, place].tolist())
            for place, it in zip(places, chosen, strict=True)
            if it
        ]
        # No token reaches over the end of a line, so that prompts are the same in any batch.
        lines.append(f"{', '.join(objects)}.\n" if objects else "")
    return lines


def without_objects(vlm: PrefixVLM, prefix: Tensor) -> Tensor:
    """A prefix (B, P, C) whose object tags hold just their place, as hidden ones in training do."""
    count = vlm.mapper.config.objects
    hidden = vlm.mapper.places[-count:].expand(len(prefix), -1, -1)
    return torch.cat([prefix[:, :-count], hidden.to(prefix)], dim=1)


class HiddenObjects(Objective):
    """The loss of visits without object tags."""

    def prefix(self, visits: Sequence[Visit]) -> Tensor:
        """Prefixes (pictures, P, C), the positions of objects hidden."""
        return without_objects(self.learner.vlm, super().prefix(visits))


class ObjectWords(HiddenObjects):
    """The loss of visits whose prompts begin with the objects in words."""

    def __call__(self, visits: Sequence[Visit]) -> Tensor:
        """Weighted sum of the cross-entropies of learnt tokens, in nats."""
        return super().__call__(self.with_words(visits))

    @torch.no_grad()
    def with_words(self, visits: Sequence[Visit]) -> list[Visit]:
        """The visits with objects in front of each prompt, some dropped as positions would be."""
        vlm, tags = self.learner.vlm, self.learner.vlm.mapper.objects
        assert tags is not None
        assert self.objects is not None
        seen = [visit for visit in visits if visit.image is not None]
        if not seen:
            return list(visits)
        facts = self.objects(seen, vlm.tower.complete(self.features(seen).to(vlm.device).float()))
        kept = torch.stack([visit.kept(vlm.mapper.positions)[-tags.count :] for visit in seen])
        lines = iter(object_lines(facts, vlm.object_names, tags.count, kept))
        return [
            visit if visit.image is None else self._after(next(lines), visit) for visit in visits
        ]

    def _after(self, line: str, visit: Visit) -> Visit:
        words = tuple(self.learner.vlm.tokens(line))
        segments = (
            Segment((*words, *text.prompt), text.target, text.weight)
            for text in visit.group.segments
        )
        return replace(visit, group=replace(visit.group, segments=tuple(segments)))


def _object(name: str, count: int, corners: Sequence[float]) -> str:
    """An object in words: "2 dog left"."""
    words = [str(min(count, MOST_COUNTED)), name] if count > 1 else [name]
    middle = (corners[0] + corners[2]) / 2
    if corners[2] > corners[0] and not 1 / 3 <= middle <= 2 / 3:
        words.append("left" if middle < 1 / 3 else "right")
    return " ".join(words)
