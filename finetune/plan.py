"""What a run would take, before it starts: counts from the data, times from a short rehearsal."""

from __future__ import annotations

import math
import resource
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from finetune.config import Recipe, Source
from finetune.image_features import SampledFeatures
from finetune.object_head import FILE as OBJECTS
from finetune.object_head import ObjectLabels, fit_objects
from finetune.sampler import ImageTexts, Mixture, check_pictures, warnings_of
from finetune.trainer import Trainer

MEASURED = 2  # steps of each kind that are timed, after one that warms up
BOXED = 64  # pictures that stand for all where the object head is fitted


@dataclass(frozen=True)
class SourcePlan:
    """What a source gives, and how often it is seen.

    Attributes:
        name: Of the source.
        pictures, captions, questions: How many there are to learn from.
        epochs: How often a picture of it is visited on average.
    """

    name: str
    pictures: int
    captions: int
    questions: int
    epochs: float


@dataclass(frozen=True)
class Plan:
    """What a run would take on this machine.

    Attributes:
        mapper, lora, tower: Parameters that each of them learns.
        frozen: Parameters that stay.
        sources: What is learnt from.
        texts: Questions without a picture that people asked.
        derived_texts: Share of those drawn that are derived from captions instead.
        pictures: Pictures to encode.
        feature_bytes: Size of their hidden states on the disk, in all views.
        free_bytes: What is free on the disk of the run.
        encoding_seconds: How long encoding takes if none are cached.
        boxed: Pictures that the object head is fitted to; 0 if it is not.
        boxed_seconds: How long that takes, before the first step.
        steps: Optimizer steps until the run ends.
        step_seconds: How long a step takes.
        critic_seconds: How long a self-critical step takes; 0 if there are none.
        seconds: How long all steps take.
        memory: The most memory held in the rehearsal, in bytes: of a GPU what was allocated, else
            of this process.
        device: What it was measured on.
        processes: How many processes shared the work.
        warnings: What `glimpse data` found wrong with what is learnt from.
    """

    mapper: int
    lora: int
    tower: int
    frozen: int
    sources: tuple[SourcePlan, ...]
    texts: int
    derived_texts: float
    pictures: int
    feature_bytes: int
    free_bytes: int
    encoding_seconds: float
    boxed: int
    boxed_seconds: float
    steps: int
    step_seconds: float
    critic_seconds: float
    seconds: float
    memory: int
    device: str
    processes: int
    warnings: tuple[str, ...]


def plan(recipe: Recipe, root: Path, run: Path) -> Plan:
    """Load everything, encode a few pictures, make a few steps; nothing is written.

    Raises:
        RecipeError, DataError, ProfileError, WeightsError, TrainingError: One plain sentence each.
    """
    few = SampledFeatures(recipe, root)
    with TemporaryDirectory() as scratch:
        trainer = Trainer(recipe, root, Path(scratch), features=few)
        boxed, boxed_seconds = fit_to_few(trainer)
        trainer.begin()
    if recipe.compiled:
        trainer.learner.compile()
    schedule = recipe.schedule
    judged_from = int(schedule.critic_from * schedule.steps)
    plain = _timed(trainer, judged_from // 2) if judged_from else 0.0
    judged = _timed(trainer, (judged_from + schedule.steps) // 2) if schedule.critic_from < 1 else 0
    steps, seconds = _until_the_end(recipe, plain, judged)
    learner = trainer.learner
    mapper, lora = _count(learner.mapper_parameters), _count(learner.lora_parameters)
    tower = _count(learner.tower_parameters)
    return Plan(
        mapper,
        lora,
        tower,
        _count(list(trainer.vlm.parameters())) - mapper - lora - tower,
        tuple(_source(recipe, *source, steps) for source in trainer.mixture.sources),
        len(trainer.mixture.texts),
        schedule.derived_texts,
        few.images,
        few.bytes * few.images * recipe.views,
        _free_bytes(run),
        few.seconds * few.images * recipe.views / trainer.processes.size,
        boxed,
        boxed_seconds / trainer.processes.size,
        steps,
        plain,
        judged,
        seconds,
        peak_memory(trainer.processes.device),
        str(trainer.processes.device),
        trainer.processes.size,
        trainer.warnings,
    )


@dataclass(frozen=True)
class Outline:
    """What can be told of a run without its model.

    Attributes:
        sources: What is learnt from.
        texts: Questions without a picture that people asked.
        pictures: How many there are in all, each of them there.
        free_bytes: What is free on the disk of the run.
        steps: Optimizer steps, unless time ends it before.
        minutes: How long it may take; 0 for as long as the steps take.
        warnings: What `glimpse data` found wrong with what is learnt from.
    """

    sources: tuple[SourcePlan, ...]
    texts: int
    pictures: int
    free_bytes: int
    steps: int
    minutes: float
    warnings: tuple[str, ...]


def outline(recipe: Recipe, root: Path, run: Path) -> Outline:
    """Look at the data, the disk and the schedule alone, where the base weights are not to be had.

    Raises:
        DataError: A file or a picture is missing or damaged; one plain sentence.
    """
    mixture = Mixture(recipe, root, lambda _text: [], lambda _text: [])
    check_pictures(mixture.images, root)
    steps = recipe.schedule.steps
    return Outline(
        tuple(_source(recipe, *source, steps) for source in mixture.sources),
        len(mixture.texts),
        len(mixture.images),
        _free_bytes(run),
        steps,
        recipe.schedule.minutes,
        warnings_of(recipe, root),
    )


def _free_bytes(run: Path) -> int:
    return shutil.disk_usage(next(p for p in [run, *run.absolute().parents] if p.exists())).free


def fit_to_few(trainer: Trainer) -> tuple[int, float]:
    """Fit the object head to a few pictures, so that the trainer finds one when it begins.

    Returns:
        How many pictures there are to fit it to, and how many seconds that would take.
    """
    recipe, store = trainer.recipe, trainer.store
    if store is None or not recipe.objects.folders:
        return 0, 0.0
    classes = trainer.profile.mapper.object_classes
    labels = ObjectLabels.read(recipe.objects, trainer.root, trainer.mixture.images, classes)
    names = sorted(labels.seen)
    names = names[:: max(1, len(names) // BOXED)][:BOXED]
    few = replace(labels, seen={name: labels.seen[name] for name in names})
    seconds = 0.0
    for epochs in (1, MEASURED):  # the first time warms up
        briefly = replace(recipe, objects=replace(recipe.objects, epochs=epochs))
        start = time.monotonic()
        fit_objects(trainer.vlm, store, few, briefly, trainer.run / OBJECTS)
        seconds = (time.monotonic() - start) / epochs / len(names)
    return len(labels.seen), seconds * recipe.objects.epochs * len(labels.seen)


def _timed(trainer: Trainer, step: int) -> float:
    """Seconds of a step at this point of the run, without what the first one warms up."""
    trainer.rehearse(step)
    return sum(trainer.rehearse(step) for _ in range(MEASURED)) / MEASURED


def _until_the_end(recipe: Recipe, plain: float, judged: float) -> tuple[int, float]:
    """Steps and seconds until the run ends, by steps or by time, whichever is first."""
    schedule, judges_from = recipe.schedule, min(recipe.schedule.critic_from, 1.0)
    limit = 60 * schedule.minutes or math.inf
    until = judges_from * limit if judges_from else 0.0
    first = _steps_within(until, plain, math.ceil(judges_from * schedule.steps))
    spent = first * plain
    rest = _steps_within(limit - spent, judged, schedule.steps - first)
    return first + rest, spent + rest * judged


def _steps_within(seconds: float, each: float, most: int) -> int:
    """How many steps begin in so many seconds, if each takes `each`."""
    if seconds <= 0:
        return 0
    return min(most, math.ceil(seconds / each)) if each and seconds < math.inf else most


def _source(recipe: Recipe, source: Source, items: Sequence[ImageTexts], steps: int) -> SourcePlan:
    share = source.share / sum(each.share for each in recipe.sources)
    return SourcePlan(
        source.name,
        len(items),
        sum(len(item.captions) for item in items),
        sum(len(it.questions) + len(it.polar) + len(it.open) + len(it.boxes) for it in items),
        steps * recipe.schedule.pictures * share / len(items),
    )


def _count(parameters: Sequence[Any]) -> int:
    return sum(parameter.numel() for parameter in parameters)


def peak_memory(device: torch.device) -> int:
    """The most bytes held so far: of a GPU what was allocated, else what this process has."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # Linux counts in KiB
