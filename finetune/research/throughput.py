"""How fast a recipe learns, and in how much memory, with random weights and made-up data.

    python -m finetune.research.throughput flagship [--steps 200] [--data FOLDER] [--pictures N]
        [--accumulate N] [--compiled yes|no] [--photos 256]

The steps are spread evenly over the recipe's run, so that as many of them are self-critical as
there; they learn for real, through the trainer. What comes before the first step is timed on a few
photos: encoding, and fitting the object head. With `--data`, the recipe's own files are read
instead of made-up ones. Rates are told of plain and of self-critical steps, without the first step
of each, which compiles and allocates.

`positions` are what the language model reads: prefixes and texts, without padding, as drawn; what
a self-critical step writes itself is not counted. `texts` are captions and answers learnt.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch

from finetune.config import Recipe, load_recipe
from finetune.image_features import SampledFeatures
from finetune.packing import Group
from finetune.plan import fit_to_few, peak_memory
from finetune.research.sanity import one_sentence
from finetune.research.synthetic_data import with_random_weights, write_synthetic_data
from finetune.sampler import Visit
from finetune.trainer import Trainer


@dataclass(frozen=True)
class Rates:
    """What steps of one kind took.

    Attributes:
        steps: How many were timed.
        seconds: Of one step, on average.
        texts: Texts learnt in a second.
        positions: Positions of the language model in a second, padding left out.
    """

    steps: int
    seconds: float
    texts: float
    positions: float


@dataclass(frozen=True)
class Throughput:
    """What a recipe takes on this machine.

    Attributes:
        recipe: Its name.
        device: What was computed on.
        precision: "bfloat16" or "float32".
        plain: Steps that learn what people said; None if none was timed.
        critical: Steps that learn from the model's own captions; likewise.
        encoding: Photos encoded in a second, decoding left out.
        boxed: Photos that the object head was fitted to in a second, once each; 0 without one.
        begin: Seconds of the first steps of both kinds, which compile and allocate.
        gigabytes: Memory at its most, of the GPU or else of the process.
    """

    recipe: str
    device: str
    precision: str
    plain: Rates | None
    critical: Rates | None
    encoding: float
    boxed: float
    begin: float
    gigabytes: float


@dataclass(frozen=True)
class _Step:
    """What one step took, and what was learnt in it."""

    critical: bool
    seconds: float
    texts: int
    positions: int


def measure(
    recipe: Recipe, root: Path, steps: int, done: Callable[[int], None] = lambda done: None
) -> Throughput:
    """Make a trainer's steps, spread over its run, and time them.

    Args:
        recipe: What is trained.
        root: The data folder.
        steps: How many.
        done: Called after each step with their number so far.

    Raises:
        RecipeError, DataError, ProfileError, WeightsError, TrainingError: One plain sentence each.
    """
    few = SampledFeatures(recipe, root)
    with tempfile.TemporaryDirectory(prefix="glimpse-") as folder:
        trainer = Trainer(recipe, root, Path(folder), few)
        boxed, boxed_seconds = fit_to_few(trainer)
        trainer.begin()
        if recipe.compiled:
            trainer.learner.compile()
        drawn = _watch(trainer)
        made: list[_Step] = []
        for number in range(steps):
            at = number * recipe.schedule.steps // steps
            made.append(_timed(trainer, at, drawn))
            done(number + 1)
    kinds = {kind: [step for step in made if step.critical is kind] for kind in (False, True)}
    device = trainer.processes.device
    return Throughput(
        recipe=recipe.name,
        device=torch.cuda.get_device_name(device) if device.type == "cuda" else _processor(),
        precision="bfloat16" if trainer.learner.bfloat16 else "float32",
        plain=_rates(kinds[False][1:]),
        critical=_rates(kinds[True][1:]),
        encoding=1 / few.seconds if few.seconds else 0.0,
        boxed=boxed * recipe.objects.epochs / boxed_seconds if boxed else 0.0,
        begin=sum(of_kind[0].seconds for of_kind in kinds.values() if of_kind),
        gigabytes=peak_memory(device) / 1e9,
    )


def _watch(trainer: Trainer) -> list[Group]:
    """The list that the texts of each further step are put into."""
    drawn: list[Group] = []
    draw = trainer.mixture.visits

    def visits(step: int, pictures: int, texts: int) -> list[Visit]:
        found = draw(step, pictures, texts)
        drawn.extend(visit.group for visit in found)
        return found

    trainer.mixture.visits = visits  # type: ignore[method-assign]
    return drawn


def _timed(trainer: Trainer, step: int, drawn: list[Group]) -> _Step:
    drawn.clear()
    critical = step / trainer.recipe.schedule.steps >= trainer.recipe.schedule.critic_from
    start = time.monotonic()
    trainer.rehearse(step)
    if trainer.processes.device.type == "cuda":
        torch.cuda.synchronize()
    seconds = time.monotonic() - start
    places = trainer.vlm.mapper.positions
    texts = sum(len(group.segments) for group in drawn)
    return _Step(critical, seconds, texts, sum(group.length(places) for group in drawn))


def _rates(steps: Sequence[_Step]) -> Rates | None:
    if not steps:
        return None
    seconds = sum(step.seconds for step in steps)
    return Rates(
        len(steps),
        seconds / len(steps),
        sum(step.texts for step in steps) / seconds,
        sum(step.positions for step in steps) / seconds,
    )


def _processor() -> str:
    return f"CPU ({platform.machine()}, {torch.get_num_threads()} threads)"


def main() -> int:
    """Measure and print; returns the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("recipe", help="name or TOML file")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--data", type=Path, help="the recipe's own data, instead of made-up ones")
    parser.add_argument("--photos", type=int, default=256, help="made up, of each folder")
    parser.add_argument("--pictures", type=int, help="in a step, if not the recipe's")
    parser.add_argument("--accumulate", type=int, help="parts of a step, if not the recipe's")
    parser.add_argument("--compiled", choices=("yes", "no"), help="if not as the recipe has it")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    recipe = load_recipe(options.recipe)
    chosen = {"pictures": options.pictures, "accumulate": options.accumulate}
    schedule = replace(recipe.schedule, **{k: v for k, v in chosen.items() if v})
    compiled = options.compiled == "yes" if options.compiled else recipe.compiled
    recipe = replace(recipe, schedule=schedule, compiled=compiled)
    with tempfile.TemporaryDirectory(prefix="glimpse-") as folder:
        torch.manual_seed(recipe.seed)
        recipe = with_random_weights(recipe, Path(folder) / "model")
        root = options.data or Path(folder) / "data"
        if not options.data:
            write_synthetic_data(recipe, root, options.photos)
        found = measure(recipe, root.resolve(), options.steps, _show)
    print(json.dumps(asdict(found), indent=2) if options.json else "\n".join(lines(found)))
    return 0


def _show(done: int) -> None:
    if done in (1, 2) or done % 20 == 0:
        print(f"{done} steps", file=sys.stderr, flush=True)


def lines(found: Throughput) -> list[str]:
    """What was found, for people."""
    told = [f"{found.recipe} on {found.device}, {found.precision}"]
    for name, rates in (("plain", found.plain), ("self-critical", found.critical)):
        if rates:
            told.append(
                f"{name + ' steps':21}{1 / rates.seconds:.3g} a second ({rates.seconds:.3f} s "
                f"each, {rates.steps} timed); {rates.texts:,.1f} texts and "
                f"{rates.positions:,.0f} positions a second"
            )
    told.append(f"{'encoding':21}{found.encoding:,.1f} photos a second")
    if found.boxed:
        told.append(f"{'object head':21}{found.boxed:,.1f} photos a second and epoch")
    told.append(f"{'first steps':21}{found.begin:.1f} s")
    told.append(f"{'memory':21}{found.gigabytes:.1f} GB")
    return told


if __name__ == "__main__":
    sys.exit(one_sentence(main))
