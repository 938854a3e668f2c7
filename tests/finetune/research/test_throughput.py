"""What a recipe takes is measured without its data or its weights."""

from __future__ import annotations

import json
import sys
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tiny_data import recipe_table, scenes_table, seeing, write_profile, write_recipe

from finetune.config import RECIPES_FOLDER, Recipe, load_recipe
from finetune.errors import TrainingError
from finetune.object_head import ObjectLabels
from finetune.research import synthetic_data, throughput
from finetune.research.synthetic_data import with_random_weights, write_synthetic_data
from finetune.research.throughput import lines, measure
from finetune.sampler import check_pictures, read_implied, read_source
from model.adapter import load_base
from model.config import load_profile

SHIPPED = sorted(path.stem for path in RECIPES_FOLDER.glob("*.toml") if path.stem != "feedback")


@pytest.fixture
def recipe(tmp_path: Path, hub: Path) -> Recipe:
    write_profile(tmp_path, hub, **seeing(hub))
    table = scenes_table(steps=20, critic_from=0.5, critic_tokens=4)
    return load_recipe(write_recipe(tmp_path, table))


def test_steps_of_both_kinds_are_timed(recipe: Recipe, tmp_path: Path) -> None:
    write_synthetic_data(recipe, tmp_path / "data", 20)
    seen: list[int] = []
    found = measure(recipe, tmp_path / "data", 6, seen.append)
    assert seen == [1, 2, 3, 4, 5, 6]
    assert found.plain is not None
    assert found.critical is not None
    assert (found.plain.steps, found.critical.steps) == (2, 2)
    assert found.plain.positions > found.plain.texts > 0
    assert min(found.encoding, found.boxed, found.begin, found.gigabytes) > 0
    assert found.precision == "float32"
    said = "\n".join(lines(found))
    assert "self-critical steps" in said
    assert "2 timed" in said


def test_the_command_prints_what_was_measured(
    hub: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    write_profile(tmp_path, hub)
    path = write_recipe(tmp_path, recipe_table())
    more = ["--steps", "3", "--photos", "12", "--pictures", "2", "--json"]
    monkeypatch.setattr(sys, "argv", ["throughput", str(path), *more])
    assert throughput.main() == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["recipe"], found["plain"]["steps"], found["critical"]) == ("recipe", 2, None)


@pytest.mark.parametrize("name", SHIPPED)
def test_made_up_data_serve_every_shipped_recipe(name: str, tmp_path: Path) -> None:
    recipe = load_recipe(name)
    write_synthetic_data(recipe, tmp_path, 12)
    images = set()
    for source in recipe.sources:
        items = read_source(source, tmp_path, recipe.objects)
        images |= {item.image for item in items}
        assert all(item.captions for item in items) or not source.captions
        assert all(item.questions for item in items) or not source.questions
        assert any(item.polar or item.open for item in items) or not source.derived
        assert any(item.boxes for item in items) or not source.boxes
    check_pictures(sorted(images), tmp_path)
    if recipe.objects.folders:
        classes = load_profile(recipe.profile).mapper.object_classes
        ObjectLabels.read(recipe.objects, tmp_path, sorted(images), classes)
    for implied in recipe.implied:
        assert read_implied(tmp_path / implied.file)


def test_random_weights_are_in_the_hubs_format(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = {"hidden_size": 32, "intermediate_size": 32, "num_attention_heads": 2}
    for known in (synthetic_data.TOWERS, synthetic_data.LANGUAGES):
        for name, sizes in list(known.items()):
            monkeypatch.setitem(known, name, sizes | small)
    recipe = with_random_weights(load_recipe("flagship"), tmp_path)
    profile = load_profile(recipe.profile)
    vlm = load_base(replace(profile, mapper=replace(profile.mapper, hidden_size=8)))
    shipped = load_profile("clip-pythia")
    assert profile.tower.detail_layer == shipped.tower.detail_layer
    assert (vlm.tower.grid, vlm.tower.image_size) == (7, 224)
    assert vlm.language.config.vocab_size == 50304
    assert len(vlm.tokens(" a red dog is standing on the dining table")) < 12
    with (tmp_path / "profile.toml").open("rb") as file:
        assert tomllib.load(file)["name"] == "clip-pythia"


def test_a_network_of_unknown_sizes_is_named(hub: Path, tmp_path: Path) -> None:
    tower = {"kind": "clip", "source": "somebody/clip", "image_size": 32}
    write_profile(tmp_path, hub, tower=tower)
    recipe = load_recipe(write_recipe(tmp_path, recipe_table()))
    with pytest.raises(TrainingError, match="sizes of 'somebody/clip' are not known; known are"):
        with_random_weights(recipe, tmp_path / "model")
