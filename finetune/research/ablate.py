"""What each choice is worth: the same short run again and again, with one thing changed at a time.

    python -m finetune.research.ablate --data FOLDER --run FOLDER
        [--recipe R] [--steps N] [--only NAME ...]

Every variant learns from nothing, by cross-entropy, the same texts about the same cached hidden
states in the same order. What is told is the loss on pictures that no recipe learns from, in nats:
of a caption's token, and of an answer; and CIDEr and the accuracy of answers, with the profile's
guidance and without. With object tags, COCO's validation photos are described as well, and asked
about what is there, without guidance; variants that learn captions only describe pictures twice,
the second time by their word and object tags alone. Where objects are words in the prompt, what
guidance takes for an answer without a picture has read them.

A variant that was finished before is not run again, so that several of these may share a folder of
results. They share `features` and `objects.safetensors` there, too, the cached hidden states and
the fitted object heads, which those of a run of `glimpse train` may be.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from finetune.config import Recipe, load_recipe
from finetune.errors import TrainingError
from finetune.object_head import FILE as OBJECTS
from finetune.research.held_out import HeldOut, measure
from finetune.research.sanity import one_sentence, print_report
from finetune.research.variants import VARIANTS, VariantTrainer, changed
from model.config import load_profile


@dataclass(frozen=True)
class Finding:
    """What came of a variant.

    Attributes:
        name: Of the variant.
        recipe: What it changes, its steps and its pictures in a step.
        caption_loss: Nats a token of people's captions.
        answer_loss: Nats an answer of people's.
        cider: Of greedy captions, 0..100.
        accuracy: Of greedy answers with the profile's guidance scales, 0..100.
        unguided: The same without guidance.
        mapper: Parameters that the mapper learns.
        lora: Parameters that LoRA learns.
        positions: Of a prefix.
        minutes: The run took.
        coco_loss: As `caption_loss`, of COCO's photos.
        coco_cider: As `cider`, of them.
        chair: Objects named that are not in them, of those named, 0..100 (CHAIR_i).
        presence: Mean of the accuracies on questions for yes and for no about what is there.
        alone: CIDEr of what is described by tags alone.
        coco_alone: The same of COCO's photos.
    """

    name: str
    recipe: str
    caption_loss: float
    answer_loss: float | None
    cider: float
    accuracy: float | None
    unguided: float | None
    mapper: int
    lora: int
    positions: int
    minutes: float
    coco_loss: float | None = None
    coco_cider: float | None = None
    chair: float | None = None
    presence: float | None = None
    alone: float | None = None
    coco_alone: float | None = None


def main() -> int:
    """Run what is missing, print the table; returns the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="the data folder")
    parser.add_argument("--run", type=Path, required=True, help="keep everything in this folder")
    parser.add_argument("--recipe", default="starter", help="what is changed")
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--pictures", type=int, default=16, help="in a step")
    parser.add_argument("--limit", type=int, default=400, help="captions and questions told of")
    parser.add_argument("--only", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    options = parser.parse_args()
    recipe = shortened(load_recipe(options.recipe), options.steps, options.pictures)
    root = options.data.resolve()
    for name in options.only:
        try_out(recipe, name, root, options.run, options.limit)
    findings = [found for name in VARIANTS if (found := _known(options.run, name))]
    print(f"{findings[0].recipe}:\n\n{tables(findings)}")
    return 0


def shortened(recipe: Recipe, steps: int, pictures: int) -> Recipe:
    """The recipe as a short run by cross-entropy on cached hidden states."""
    schedule = replace(
        recipe.schedule, steps=steps, pictures=pictures, minutes=0.0, critic_from=1.0,
        mapper_steps=steps // 10, warmup_steps=steps // 10, checkpoint_steps=steps, implied=0,
        accumulate=4,
    )  # fmt: skip
    return replace(
        recipe, schedule=schedule, samples=(), views=1, crops=False, cross_fit=False,
        tower_blocks=0, continues=False, refit_words=False,
    )  # fmt: skip


def try_out(recipe: Recipe, name: str, root: Path, run: Path, limit: int) -> Finding:
    """Train a variant and measure it, unless that was done before.

    Args:
        recipe: What it changes.
        name: Of the variant.
        root: The data folder.
        run: Results go there, and the cached hidden states.
        limit: How many captions and how many questions are measured.

    Raises:
        DataError, ProfileError, WeightsError, TrainingError: One plain sentence each.
    """
    if known := _known(run, name):
        if known.recipe != _called(recipe):
            raise TrainingError(f"{run} holds findings of {known.recipe}; name another folder.")
        return known
    folder = _folder(run, name)
    folder.mkdir(parents=True, exist_ok=True)
    if (run / OBJECTS).is_file():
        shutil.copyfile(run / OBJECTS, folder / OBJECTS)
    its_recipe, variant = changed(recipe, name, folder), VARIANTS[name]
    features = _features(its_recipe, run)
    trainer = VariantTrainer(
        variant, its_recipe, root, folder, features=features, report=print_report
    )
    trainer.train()
    if (folder / OBJECTS).is_file() and not (run / OBJECTS).is_file():
        shutil.copyfile(folder / OBJECTS, run / OBJECTS)
    if trainer.average.count:
        trainer.learner.load(trainer.average.state)
    tagged = trainer.vlm.mapper.objects is not None
    held_out = HeldOut.read(root, variant, tagged, limit)
    with trainer.learner.generating():
        measured = measure(trainer.vlm, trainer.profile.decoding, held_out, variant)
    found = Finding(
        name=name,
        recipe=_called(recipe),
        mapper=sum(p.numel() for p in trainer.learner.mapper_parameters),
        lora=sum(p.numel() for p in trainer.learner.lora_parameters),
        positions=trainer.vlm.mapper.positions,
        minutes=round(trainer.progress.seconds / 60, 1),
        **measured,
    )
    (folder / "finding.json").write_text(json.dumps(asdict(found)), encoding="utf-8")
    return found


def _features(recipe: Recipe, run: Path) -> Path:
    """The folder of cached hidden states that a variant shares with those that see the same."""
    if (run / "features").is_dir() and not recipe.crops:
        return run / "features"
    kind = "told" if recipe.crops else "all"  # of pictures that need cached hidden states
    return run / f"features-{kind}-{load_profile(recipe.profile).mapper.colours}"


def _called(recipe: Recipe) -> str:
    return f"{recipe.name}, {recipe.schedule.steps} steps of {recipe.schedule.pictures} pictures"


def _folder(run: Path, name: str) -> Path:
    return run / name.replace(" ", "-").replace(",", "")


def _known(run: Path, name: str) -> Finding | None:
    path = _folder(run, name) / "finding.json"
    if not path.is_file():
        return None
    try:
        return Finding(**json.loads(path.read_text(encoding="utf-8")))
    except (TypeError, ValueError) as error:
        raise TrainingError(f"{path} is of another version of this; remove it.") from error


# --- tables -------------------------------------------------------------------------------------


def tables(findings: Sequence[Finding]) -> str:
    """The findings as Markdown tables: of variants that answer, and of those with object tags."""
    answering = [found for found in findings if found.answer_loss is not None]
    tagged = [found for found in findings if found.coco_cider is not None]
    return "\n\n".join(
        part for part in (table(answering) if answering else "", tag_table(tagged)) if part
    )


def tag_table(findings: Sequence[Finding]) -> str:
    """What shows whether tags help, as a Markdown table; "" of no findings."""
    if not findings:
        return ""
    lines = [
        "| variant | Flickr8k: token | CIDEr | by tags alone | COCO: token | CIDEr | by tags alone "
        "| not there, of objects named | presence |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for found in findings:
        cells = [
            f"{found.caption_loss:.3f}", f"{found.cider:.1f}", _cell(found.alone),
            _cell(found.coco_loss, 3), _cell(found.coco_cider), _cell(found.coco_alone),
            _cell(found.chair), _cell(found.presence),
        ]  # fmt: skip
        lines.append(f"| {found.name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def table(findings: Sequence[Finding]) -> str:
    """The findings as a Markdown table, with what changed from the first."""
    lines = [
        "| variant | positions | mapper, millions | LoRA, millions | caption token | answer | "
        "| CIDEr | accuracy | unguided |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for found in findings:
        first = findings[0]
        answer = (found.answer_loss or 0.0) - (first.answer_loss or 0.0)
        lines.append(
            f"| {found.name} | {found.positions} | {found.mapper / 1e6:.1f} | "
            f"{found.lora / 1e6:.1f} | {found.caption_loss:.3f} | {_cell(found.answer_loss, 3)} | "
            f"{found.caption_loss - first.caption_loss:+.3f}, {answer:+.3f} | "
            f"{found.cider:.1f} | {_cell(found.accuracy)} | {_cell(found.unguided)} |"
        )
    return "\n".join(lines)


def _cell(value: float | None, digits: int = 1) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


if __name__ == "__main__":
    sys.exit(one_sentence(main))
