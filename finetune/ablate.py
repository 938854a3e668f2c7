"""What each choice is worth: the same short run again and again, with one thing changed at a time.

    python -m finetune.ablate --data FOLDER --run FOLDER [--recipe R] [--steps N] [--only NAME ...]

Every variant learns from nothing, by cross-entropy, the same texts about the same cached hidden
states in the same order. What is told is the loss on pictures that no recipe learns from, in nats:
of a caption's token, and of an answer. A variant that was finished before is not run again, so that
several of these may share a folder of results.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from data.images import read_picture
from finetune.errors import TrainingError
from finetune.measure import Asked, flickr_captions, vqa_questions
from finetune.recipe import Recipe, load_recipe
from finetune.train import Trainer
from finetune.trial import plainly, say
from model.profile import load_profile, save_profile
from model.progress import step
from model.prompts import prompt_for
from model.vlm import PrefixVLM

BATCH = 16
Hidden = dict[Path, Tensor]


@dataclass(frozen=True)
class Variant:
    """A change to the recipe: values of its profile's [mapper], of [lora] and of [schedule]."""

    mapper: dict[str, Any] = field(default_factory=dict)
    lora: dict[str, Any] = field(default_factory=dict)
    schedule: dict[str, Any] = field(default_factory=dict)


VARIANTS = {
    "as it is": Variant(),
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
}


@dataclass(frozen=True)
class Finding:
    """What came of a variant.

    Attributes:
        name: Of the variant.
        recipe: What it changes, its steps and its pictures in a step.
        caption_loss: Nats a token of people's captions.
        answer_loss: Nats an answer of people's.
        mapper: Parameters that the mapper learns.
        lora: Parameters that LoRA learns.
        positions: Of a prefix.
        minutes: The run took.
    """

    name: str
    recipe: str
    caption_loss: float
    answer_loss: float
    mapper: int
    lora: int
    positions: int
    minutes: float


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
    print(f"{findings[0].recipe}:\n\n{table(findings)}")
    return 0


def shortened(recipe: Recipe, steps: int, pictures: int) -> Recipe:
    """The recipe as a short run by cross-entropy on cached hidden states."""
    schedule = replace(
        recipe.schedule, steps=steps, pictures=pictures, minutes=0.0, critic_from=1.0,
        mapper_steps=steps // 10, warmup_steps=steps // 10, checkpoint_steps=steps,
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
    changed = _changed(recipe, VARIANTS[name], folder)
    features = run / f"features-{load_profile(changed.profile).mapper.colours}"
    trainer = Trainer(changed, root, folder, features=features, report=say)
    trainer.train()
    captions, questions = _spread(flickr_captions(root), limit), _spread(vqa_questions(root), limit)
    trainer.learner.train(False)
    with trainer.learner.speaking():
        hidden = _hidden(trainer.vlm, [*captions, *questions])
        told, answered = (_losses(trainer.vlm, each, hidden) for each in (captions, questions))
    tokens = sum(len(trainer.vlm.target(asked.golds[0])) for asked in captions)
    found = Finding(
        name,
        _called(recipe),
        sum(told) / tokens,
        sum(answered) / len(answered),
        sum(p.numel() for p in trainer.learner.mapper_parameters),
        sum(p.numel() for p in trainer.learner.lora_parameters),
        trainer.vlm.mapper.positions,
        round(trainer.progress.seconds / 60, 1),
    )
    (folder / "finding.json").write_text(json.dumps(asdict(found)), encoding="utf-8")
    return found


def table(findings: Sequence[Finding]) -> str:
    """The findings as a Markdown table, with what changed from the first."""
    lines = [
        "| variant | positions | mapper, millions | LoRA, millions | caption token | answer | |",
        "|---|---|---|---|---|---|---|",
    ]
    for found in findings:
        first = findings[0]
        more = (found.caption_loss - first.caption_loss, found.answer_loss - first.answer_loss)
        lines.append(
            f"| {found.name} | {found.positions} | {found.mapper / 1e6:.1f} | "
            f"{found.lora / 1e6:.1f} | {found.caption_loss:.3f} | {found.answer_loss:.3f} | "
            f"{more[0]:+.3f}, {more[1]:+.3f} |"
        )
    return "\n".join(lines)


def _changed(recipe: Recipe, variant: Variant, folder: Path) -> Recipe:
    profile = load_profile(recipe.profile)
    mapper = replace(profile.mapper, **variant.mapper)
    path = (folder / "variant.toml").resolve()
    save_profile(replace(profile, name=folder.name, mapper=mapper, adapter="adapter"), path)
    return replace(
        recipe,
        profile=str(path),
        lora=replace(recipe.lora, **variant.lora),
        schedule=replace(recipe.schedule, **variant.schedule),
    )


def _called(recipe: Recipe) -> str:
    return f"{recipe.name}, {recipe.schedule.steps} steps of {recipe.schedule.pictures} pictures"


def _folder(run: Path, name: str) -> Path:
    return run / name.replace(" ", "-").replace(",", "")


def _known(run: Path, name: str) -> Finding | None:
    path = _folder(run, name) / "finding.json"
    return Finding(**json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else None


def _spread(asked: Sequence[Asked], limit: int) -> Sequence[Asked]:
    return asked[:: max(1, len(asked) // limit)][:limit]


def _hidden(vlm: PrefixVLM, asked: Sequence[Asked]) -> Hidden:
    """Hidden states of each picture."""
    images = sorted({a.image for a in asked})
    found: Hidden = {}
    with step(f"Encoding {len(images)} pictures") as update:
        for start in range(0, len(images), BATCH):
            part = images[start : start + BATCH]
            states = vlm.tower(vlm.tower.preprocess([read_picture(path).image for path in part]))
            found.update(zip(part, states.float(), strict=True))
            update((start + len(part)) / len(images))
    return found


def _losses(vlm: PrefixVLM, asked: Sequence[Asked], hidden: Hidden) -> list[float]:
    """Nats of the first gold text of each."""
    losses: list[float] = []
    for start in range(0, len(asked), BATCH):
        part = asked[start : start + BATCH]
        prefix = vlm.mapper(torch.stack([hidden[a.image] for a in part]))
        scores = vlm.score(
            vlm.prefill(prefix), [prompt_for(a.question) for a in part], [a.golds[0] for a in part]
        )
        losses.extend(-score for score in scores)
    return losses


if __name__ == "__main__":
    sys.exit(plainly(main))
