"""What each choice is worth: the same short run again and again, with one thing changed at a time.

    python -m finetune.research.ablate --data FOLDER --run FOLDER
        [--recipe R] [--steps N] [--only NAME ...]

Every variant learns from nothing, by cross-entropy, the same texts about the same cached hidden
states in the same order. What is told is the loss on pictures that no recipe learns from, in nats:
of a caption's token, and of an answer; and CIDEr and the accuracy of answers, with the profile's
guidance and without. A variant that was finished before is not run again, so that several of these
may share a folder of results.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from data.images.open import read_picture
from finetune.config import Recipe, load_recipe
from finetune.errors import TrainingError
from finetune.evaluation.dataset import Item
from finetune.evaluation.metrics import CaptionScorer
from finetune.evaluation.vqa_accuracy import mean_accuracy
from finetune.research.sanity import one_sentence, print_report
from finetune.research.starter_figures import flickr_captions, vqa_questions
from finetune.research.variants import VARIANTS, changed
from finetune.trainer import Trainer
from model.config import DecodingConfig, load_profile
from model.generation import greedy
from model.vlm import PrefixVLM, prompt_for

BATCH = 16
Hidden = dict[Path, Tensor]


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
    """

    name: str
    recipe: str
    caption_loss: float
    answer_loss: float
    cider: float
    accuracy: float
    unguided: float
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
        mapper_steps=steps // 10, warmup_steps=steps // 10, checkpoint_steps=steps, implied=0,
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
    variant = changed(recipe, name, folder)
    kind = "told" if variant.crops else "all"  # of pictures that need cached hidden states
    features = run / f"features-{kind}-{load_profile(variant.profile).mapper.colours}"
    trainer = Trainer(variant, root, folder, features=features, report=print_report)
    trainer.train()
    if trainer.average.count:
        trainer.learner.load(trainer.average.state)
    captions, questions = _spread(flickr_captions(root), limit), _spread(vqa_questions(root), limit)
    with trainer.learner.generating():
        measured = _measure(trainer.vlm, trainer.profile.decoding, captions, questions)
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


def table(findings: Sequence[Finding]) -> str:
    """The findings as a Markdown table, with what changed from the first."""
    lines = [
        "| variant | positions | mapper, millions | LoRA, millions | caption token | answer | "
        "| CIDEr | accuracy | unguided |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for found in findings:
        first = findings[0]
        more = (found.caption_loss - first.caption_loss, found.answer_loss - first.answer_loss)
        lines.append(
            f"| {found.name} | {found.positions} | {found.mapper / 1e6:.1f} | "
            f"{found.lora / 1e6:.1f} | {found.caption_loss:.3f} | {found.answer_loss:.3f} | "
            f"{more[0]:+.3f}, {more[1]:+.3f} | "
            f"{found.cider:.1f} | {found.accuracy:.1f} | {found.unguided:.1f} |"
        )
    return "\n".join(lines)


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


def _spread(asked: Sequence[Item], limit: int) -> Sequence[Item]:
    return asked[:: max(1, len(asked) // limit)][:limit]


def _measure(
    vlm: PrefixVLM, decoding: DecodingConfig, captions: Sequence[Item], questions: Sequence[Item]
) -> dict[str, float]:
    """The figures of a finding, by name."""
    hidden = _hidden(vlm, [*captions, *questions])
    told, (described,) = _replies(vlm, captions, hidden, decoding.caption_tokens, [None])
    answered, (guided, unguided) = _replies(
        vlm, questions, hidden, decoding.answer_tokens, [decoding, None]
    )
    golds = [asked.golds for asked in questions]
    scorer = CaptionScorer(described, [asked.golds for asked in captions])
    return {
        "caption_loss": sum(told) / sum(len(vlm.target(asked.gold)) for asked in captions),
        "answer_loss": sum(answered) / len(answered),
        "cider": sum(scorer.cider()) / len(captions),
        "accuracy": mean_accuracy(guided, golds),
        "unguided": mean_accuracy(unguided, golds),
    }


def _hidden(vlm: PrefixVLM, asked: Sequence[Item]) -> Hidden:
    """Hidden states of each picture."""
    images = sorted({a.image for a in asked})
    found: Hidden = {}
    for start in range(0, len(images), BATCH):
        part = images[start : start + BATCH]
        states = vlm.tower(vlm.tower.preprocess([read_picture(path).image for path in part]))
        found.update(zip(part, states.float(), strict=True))
    return found


def _replies(
    vlm: PrefixVLM,
    asked: Sequence[Item],
    hidden: Hidden,
    most: int,
    guidances: Sequence[DecodingConfig | None],
) -> tuple[list[float], list[list[str]]]:
    """Nats of the first gold text of each; and what is written greedily, with each guidance."""
    losses: list[float] = []
    written: list[list[str]] = [[] for _ in guidances]
    for start in range(0, len(asked), BATCH):
        part = asked[start : start + BATCH]
        caches = vlm.prefill(vlm.mapper(torch.stack([hidden[a.image] for a in part])))
        prompts = [prompt_for(a.question) for a in part]
        losses.extend(-score for score in vlm.score(caches, prompts, [a.gold for a in part]))
        for texts, guidance in zip(written, guidances, strict=True):
            scales = [guidance.scale_of(a.question or "") for a in part] if guidance else []
            texts.extend(found.text for found in greedy(vlm, caches, prompts, most, scales))
    return losses, written


if __name__ == "__main__":
    sys.exit(one_sentence(main))
