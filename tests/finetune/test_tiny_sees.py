"""The shipped recipe `tiny`, in the small, on the real base weights: what it learns, it sees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from data.images import read_picture
from data.prepare import Wish, prepare_shapes
from data.records import read_pictures
from finetune import metrics
from finetune.recipe import load_recipe
from finetune.train import Trainer
from model.decoding import greedy
from model.prompts import prompt_for
from model.vlm import PrefixCache, PrefixVLM
from model.weights import LANGUAGE_MODEL, TOWER, is_ready

STEPS = {"steps": 24, "mapper_steps": 2, "warmup_steps": 2, "pictures": 5, "checkpoint_steps": 24}


def answers(
    vlm: PrefixVLM, caches: Sequence[PrefixCache], asked: Sequence[Sequence[str | None]]
) -> list[str]:
    """What the model says to the questions about each picture (None: its caption), greedily."""
    said: list[str] = []
    for cache, questions in zip(caches, asked, strict=True):
        prompts = [prompt_for(question) for question in questions]
        said += [found.text for found in greedy(vlm, [cache] * len(prompts), prompts, 20)]
    return said


@pytest.mark.skipif(
    not (is_ready(LANGUAGE_MODEL) and is_ready(TOWER)), reason="needs `glimpse fetch`"
)
@pytest.mark.timeout(300)
def test_the_recipe_tiny_learns_to_see(tmp_path: Path) -> None:
    shapes = prepare_shapes(Wish(tmp_path / "shapes"), 150).folder
    recipe = load_recipe("tiny")
    recipe = replace(recipe, samples=(), schedule=replace(recipe.schedule, **STEPS))
    trainer = Trainer(recipe, tmp_path, tmp_path / "run")
    trainer.train()
    records = read_pictures([shapes / "rows.jsonl"], shapes / "images", {"split": "val"})
    asked = [[q.question for q in record.questions] for record in records]
    golds = [q.answers[0][0] for record in records for q in record.questions]
    accuracies, ciders = [], []
    with trainer.learner.speaking():
        prefix = trainer.vlm.encode([read_picture(record.image).image for record in records])
        for turn in (0, 1):  # with its own picture, and with another one
            caches = trainer.learner.prefill(prefix.roll(turn, 0))
            accuracies.append(metrics.accuracy(answers(trainer.vlm, caches, asked), golds))
            told = answers(trainer.vlm, caches, [[None]] * len(records))
            ciders.append(metrics.score_captions(told, [r.captions for r in records]).cider)
    print(accuracies, ciders)
    assert accuracies[0] > accuracies[1] + 6
    assert ciders[0] > 1.4 * ciders[1]
