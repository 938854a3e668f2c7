"""Ablations: each variant changes what it says, learns, and is measured on other pictures."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny_data import recipe_table, write_profile, write_recipe

from finetune.config import Recipe, load_recipe, problems
from finetune.errors import TrainingError
from finetune.evaluation.dataset import Item
from finetune.research import ablate
from finetune.research.ablate import Finding, shortened, table, try_out
from finetune.research.variants import VARIANTS, changed
from model.config import load_profile
from model.mapper import Mapper

CHOSEN = (
    "as it is", "resampler, 17 queries", "LoRA on attention", "no word tags",
    "random crops, two blocks of the tower", "no averaging",
)  # fmt: skip


@pytest.fixture
def recipe(tmp_path: Path, hub: Path) -> Recipe:
    mapper = {"kind": "mlp", "hidden_size": 24, "shuffle": 2, "words": 2, "vocabulary": 6}
    write_profile(tmp_path, hub, "llama", mapper=mapper)
    return load_recipe(write_recipe(tmp_path, recipe_table("llama")))


@pytest.fixture
def held_out(monkeypatch: pytest.MonkeyPatch, data: Path) -> None:
    images = sorted((data / "images").glob("val_*.png"))
    told = [Item(image, None, ("A red wall", "A wall")) for image in images]
    asked = [Item(image, "Is it red?", ("yes",)) for image in images]
    monkeypatch.setattr(ablate, "flickr_captions", lambda root: told)
    monkeypatch.setattr(ablate, "vqa_questions", lambda root: asked)


@pytest.mark.usefixtures("held_out")
def test_variants_differ_in_what_they_name_and_nothing_runs_twice(
    tmp_path: Path,
    data: Path,
    recipe: Recipe,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = tmp_path / "ablations"
    monkeypatch.setattr("finetune.trainer.AVERAGE_EVERY", 1)
    short = shortened(replace(recipe, crops=True, cross_fit=True), 4, 3)
    assert (short.schedule.steps, short.crops, short.cross_fit, short.samples) == (
        4,
        False,
        False,
        (),
    )
    found = {name: try_out(short, name, data, run, 3) for name in CHOSEN}
    first = found["as it is"]
    assert first.caption_loss > 0
    assert all(0 <= each.accuracy <= 100 and each.cider >= 0 for each in found.values())
    assert found["resampler, 17 queries"].positions == 17 + 2
    assert found["no word tags"].positions == first.positions - 2
    assert found["LoRA on attention"].lora > first.lora
    assert found["LoRA on attention"].mapper == first.mapper
    assert len({each.answer_loss for each in found.values()}) == len(CHOSEN)
    monkeypatch.setattr(ablate, "Trainer", None)  # whatever is known needs none
    arguments = [
        "ablate",
        "--data",
        str(data),
        "--run",
        str(run),
    ]
    monkeypatch.setattr(
        sys, "argv", [*arguments, "--recipe", str(tmp_path / "recipe.toml"), "--only", *CHOSEN]
    )
    assert try_out(short, "no word tags", data, run, 3) == found["no word tags"]
    monkeypatch.setattr(ablate, "shortened", lambda recipe, steps, pictures: short)
    assert ablate.main() == 0
    with pytest.raises(TrainingError, match="holds findings of"):
        try_out(shortened(recipe, 5, 3), "no word tags", data, run, 3)
    assert "| no word tags | " in capsys.readouterr().out
    (run / "no-word-tags" / "finding.json").write_text('{"name": "no word tags"}', encoding="utf-8")
    with pytest.raises(TrainingError, match="of another version of this"):
        try_out(short, "no word tags", data, run, 3)


def test_a_variant_changes_only_the_sources_that_have_what_it_names(tmp_path: Path) -> None:
    recipe = shortened(load_recipe("starter"), 10, 4)
    variant = changed(recipe, "captions, not derived questions", tmp_path)
    told, *others = variant.sources
    assert (told.captions, told.derived, variant.schedule.derived_texts) == (4, 0, 0.0)
    assert others == list(recipe.sources[1:])


def test_the_table_tells_what_changed() -> None:
    what = ("as it is", "tiny, 4 steps of 3 pictures")
    one = Finding(*what, 2.5, 1.25, 12.34, 25.0, 20.0, 1_000_000, 200_000, 36, 5.0)
    lines = table([one, replace(one, name="no word tags", caption_loss=2.75, answer_loss=1.2)])
    assert lines.splitlines()[-1] == (
        "| no word tags | 36 | 1.0 | 0.2 | 2.750 | 1.200 | +0.250, -0.050 | 12.3 | 25.0 | 20.0 |"
    )


@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_of_the_starter_is_possible(tmp_path: Path, name: str) -> None:
    variant = changed(shortened(load_recipe("starter"), 10, 4), name, tmp_path)
    assert list(problems(variant)) == []
    config = load_profile(variant.profile).mapper
    mapper = Mapper(config, hidden_size=1280, grid=8, width=576, classes=1000)
    states = 1280 + 3 * config.colours**2
    assert mapper(torch.randn(2, 65, states)).shape == (2, mapper.positions, 576)
