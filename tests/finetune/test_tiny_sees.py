"""The shipped recipe `tiny`, in the small, on the real base weights: what it learns, it sees."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from data.images.open import read_picture
from data.datasets.builder import Wish
from data.datasets.shapes import prepare_shapes
from data.datasets.records import read_pictures
from finetune.config import load_recipe
from finetune.evaluation import metrics
from finetune.trainer import Trainer
from model.generation import greedy
from model.pretrained import LANGUAGE_MODEL, TOWER, is_ready
from model.prompts import prompt_for

STEPS = {"steps": 20, "mapper_steps": 2, "warmup_steps": 2, "pictures": 4, "checkpoint_steps": 20}


@pytest.mark.skipif(
    not (is_ready(LANGUAGE_MODEL) and is_ready(TOWER)), reason="needs `glimpse fetch`"
)
@pytest.mark.timeout(300)
def test_the_recipe_tiny_learns_to_see(tmp_path: Path) -> None:
    shapes = prepare_shapes(Wish(tmp_path / "shapes"), 120).folder
    recipe = load_recipe("tiny")
    recipe = replace(recipe, samples=(), schedule=replace(recipe.schedule, **STEPS))
    trainer = Trainer(recipe, tmp_path, tmp_path / "run")
    trainer.train()
    records = read_pictures([shapes / "rows.jsonl"], shapes / "images", {"split": "val"})
    ciders = []
    with trainer.learner.speaking():
        prefix = trainer.vlm.encode([read_picture(record.image).image for record in records])
        for turn in (0, 1):  # with its own picture, and with another one
            caches = trainer.learner.prefill(prefix.roll(turn, 0))
            told = greedy(trainer.vlm, caches, [prompt_for(None)] * len(records), 20)
            captions = [record.captions for record in records]
            ciders.append(metrics.score_captions([d.text for d in told], captions).cider)
    print(ciders)
    assert ciders[0] > 1.4 * ciders[1]
