"""What no recipe can ask for, beside unknown keys, wrong types and numbers that are none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from finetune.config import Recipe, Samples, Schedule, Source

PRECISIONS = ("auto", "float32", "bfloat16")


def problems(recipe: Recipe) -> Iterator[str]:
    """What is impossible in a recipe, as parts of a sentence."""
    for part in (recipe.schedule, recipe.lora, *recipe.sources, *recipe.samples):
        yield from _nameless(part)
    yield from _below_one(recipe, "views", "text_tokens")
    if recipe.precision not in PRECISIONS:
        yield f"precision = {recipe.precision!r} is not one of {', '.join(PRECISIONS)}"
    if recipe.tower_blocks and not recipe.crops:
        yield "tower_blocks needs crops = true, for hidden states that are kept do not learn"
    if recipe.refit_words and not recipe.continues:
        yield "refit_words is for a run that continues; any other fits the word detector anyway"
    if not recipe.sources:
        yield "it names no [[sources]]"
    elif not any(source.share for source in recipe.sources):
        yield "the share of every source is 0"
    yield from _of_schedule(recipe.schedule, recipe.continues)
    yield from _of_texts(recipe)
    yield from _below_one(recipe.lora, "rank", "alpha")
    if recipe.lora.dropout >= 1:
        yield "dropout in [lora] must be below 1"
    for source in recipe.sources:
        if not source.captions + source.questions + source.derived + source.boxes:
            yield f"the source {source.name!r} asks for no captions, questions or derived ones"
        if source.boxes and not recipe.objects.folders:
            yield f"boxes of the source {source.name!r} needs folders in [objects]"
        if source.prefix_dropout >= 1:
            yield f"prefix_dropout of the source {source.name!r} must be below 1"
        yield from _split(source)
    for sample in recipe.samples:
        yield from _below_one(sample, "pictures")
        yield from _split(sample)
    yield from _of_stages(recipe.schedule)
    yield from _of_objects(recipe)


def _of_schedule(schedule: Schedule, continues: bool) -> Iterator[str]:
    yield from _below_one(schedule, "steps", "pictures", "accumulate", "checkpoint_steps")
    if schedule.critic_from < 1 and schedule.critic_samples < 2:
        yield "critic_samples must be at least 2, for each is judged by the others"
    for name in ("last_rate", "derived_texts", "start_share"):
        if getattr(schedule, name) > 1:
            yield f"{name} must be at most 1"
    if schedule.start_share and not continues:
        yield "start_share is for a run that continues"
    if not schedule.clip:
        yield "clip must be more than 0"
    if schedule.average_from > 1:
        yield "average_from must be at most 1, which is for never"


def _of_texts(recipe: Recipe) -> Iterator[str]:
    schedule = recipe.schedule
    if schedule.derived_texts and not schedule.texts:
        yield "derived_texts is a share of texts, of which there are none"
    if schedule.derived_texts and not any(source.derived for source in recipe.sources):
        yield "derived_texts needs a source with derived questions"
    if schedule.texts and not (recipe.text_only or schedule.derived_texts):
        yield "texts without a picture need a file of them, text_only, or derived_texts"


def _of_objects(recipe: Recipe) -> Iterator[str]:
    folders, masks = recipe.objects.folders, recipe.objects.masks
    for name, value in (("folders", folders), ("masks", masks)):
        if value and not _names(value):
            yield f"{name} in [objects] should be a list of names"
    if not set(masks) <= set(folders):
        yield "masks in [objects] should be some of its folders"
    yield from _below_one(recipe.objects, "epochs")
    if recipe.schedule.critic_absent and not folders:
        yield "critic_absent needs folders in [objects]"
    for texts in recipe.implied:
        yield from _below_one(texts, "texts")
    if recipe.schedule.implied and not any(texts.share for texts in recipe.implied):
        yield "implied in [schedule] needs [[implied]] with a share"
    if recipe.schedule.implied and not (recipe.cross_fit and folders):
        yield "implied in [schedule] needs cross_fit = true, and folders in [objects]"


def _of_stages(schedule: Schedule) -> Iterator[str]:
    if schedule.warmup_steps > schedule.steps:
        yield f"warmup_steps = {schedule.warmup_steps} is more than all steps"
    if schedule.mapper_steps >= schedule.steps:
        yield f"mapper_steps = {schedule.mapper_steps} leaves LoRA no step"


def _split(part: Source | Samples) -> Iterator[str]:
    if bool(part.split) != bool(part.split_key):
        yield "split and split_key go together"


def _below_one(part: Any, *names: str) -> Iterator[str]:
    for name in names:
        if getattr(part, name) < 1:
            yield f"{name} must be at least 1"


def _nameless(part: Any) -> Iterator[str]:
    for field in fields(part):
        if field.type == "tuple[str, ...]" and not _names(getattr(part, field.name)):
            yield f"{field.name} should be a list of one or more names"


def _names(value: Any) -> bool:
    return isinstance(value, tuple) and bool(value) and all(type(v) is str and v for v in value)
