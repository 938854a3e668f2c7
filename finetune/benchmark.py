"""How fast `glimpse train` learns, beside the plain loop, in one run on one machine."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from finetune.config import Recipe
from finetune.fewer import FewFeatures
from finetune.packing import pack
from finetune.plain import PlainModel, train_plainly
from finetune.sampler import Visit
from finetune.sights import CachedViews
from finetune.trainer import Trainer
from model.adapter import load_base

STEPS = 3  # of `glimpse train` in one round


@dataclass(frozen=True)
class Pace:
    """What was learnt, and how long it took.

    Attributes:
        texts: Captions and questions learnt.
        positions: Positions that the language model computed for them, padding included.
        seconds: How long that took.
    """

    texts: int
    positions: int
    seconds: float

    @property
    def speed(self) -> float:
        """Texts a second."""
        return self.texts / self.seconds


@dataclass(frozen=True)
class Round:
    """Both, one right after the other, on the same texts."""

    ours: Pace
    plain: Pace

    @property
    def times(self) -> float:
        """How many times as fast ours is."""
        return self.ours.speed / self.plain.speed


def race(
    recipe: Recipe, root: Path, rounds: int, done: Callable[[int], None] = lambda done: None
) -> list[Round]:
    """Time `glimpse train` and the plain loop, in turns, from cached hidden states.

    Both compute in one process, and in bfloat16 where the recipe would. Only texts about pictures
    are learnt, by cross-entropy, by the mapper and LoRA at once.

    Args:
        recipe: What is learnt by what.
        root: The data folder.
        rounds: How often each has its turn.
        done: Called with the number of rounds that are done.

    Raises:
        RecipeError, DataError, ProfileError, WeightsError, TrainingError: One plain sentence each.
    """
    recipe = _simplified(recipe)
    few = FewFeatures(recipe, root)
    with tempfile.TemporaryDirectory(prefix="glimpse-") as folder:
        trainer = Trainer(recipe, root, Path(folder), features=few)
        trainer.begin()
        if recipe.compiled:
            trainer.learner.compile()
        plain = PlainModel(load_base(trainer.profile), recipe.lora)
        trainer.rehearse(0)
        found = []
        for number in range(rounds):
            steps = range(1 + number * STEPS, 1 + (number + 1) * STEPS)
            visits = [trainer.mixture.visits(step, recipe.schedule.pictures, 0) for step in steps]
            ours = _ours(trainer, steps, visits)
            found.append(Round(ours, _plain(plain, trainer, visits, Path(folder))))
            done(number + 1)
    return found


def median(rounds: Sequence[Round]) -> Round:
    """The round in the middle, by how many times as fast ours is."""
    middle = statistics.median_low(each.times for each in rounds)
    return next(each for each in rounds if each.times == middle)


def _simplified(recipe: Recipe) -> Recipe:
    """The recipe without what the plain loop has not: what remains is the same work for both."""
    schedule = replace(
        recipe.schedule, texts=0, implied=0, mapper_steps=0, critic_from=1.0, accumulate=1
    )
    objects = replace(recipe.objects, folders=())  # fitting a head takes longer than the race
    return replace(
        recipe, schedule=schedule, objects=objects, crops=False, tower_blocks=0, cross_fit=False,
        continues=False,
    )  # fmt: skip


def _ours(trainer: Trainer, steps: Sequence[int], visits: Sequence[Sequence[Visit]]) -> Pace:
    start = time.monotonic()
    for step in steps:
        trainer.rehearse(step)
    seconds = time.monotonic() - start
    groups = [[visit.group for visit in each] for each in visits]
    positions = sum(pack(each, trainer.vlm.mapper.positions).tokens.numel() for each in groups)
    return Pace(sum(len(g.segments) for each in groups for g in each), positions, seconds)


def _plain(
    model: PlainModel, trainer: Trainer, visits: Sequence[Sequence[Visit]], folder: Path
) -> Pace:
    assert trainer.store is not None
    texts = [(v, segment) for each in visits for v in each for segment in v.group.segments]
    positions, seconds = train_plainly(
        model, texts, CachedViews(trainer.store), folder, trainer.learner.bfloat16
    )
    return Pace(len(texts), positions, seconds)
