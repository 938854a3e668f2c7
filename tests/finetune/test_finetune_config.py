from pathlib import Path
from typing import Any

import pytest
from tiny_data import recipe_table, scenes_table, write_recipe

from finetune.config import RECIPES_FOLDER, ImpliedTexts, ObjectSources, load_recipe
from finetune.errors import RecipeError
from model.config import load_profile


@pytest.mark.parametrize("path", sorted(RECIPES_FOLDER.glob("*.toml")), ids=lambda path: path.stem)
def test_every_shipped_recipe_can_be_read_and_names_a_profile(path: Path) -> None:
    recipe = load_recipe(path.stem)
    assert recipe.name == path.stem
    assert load_profile(recipe.profile)


def test_a_profile_beside_the_recipe_is_found(tmp_path: Path) -> None:
    (tmp_path / "tiny.toml").touch()
    recipe = load_recipe(write_recipe(tmp_path, recipe_table()))
    assert recipe.profile == str(tmp_path / "tiny.toml")
    assert recipe.name == "recipe"
    assert recipe.sources[0].files == ("vqa.jsonl",)
    assert recipe.samples[0].pictures == 2


SCHEDULE = recipe_table()["schedule"]
SEEN = {"cross_fit": True, "objects": {"folders": ["coco"]}}
IMPOSSIBLE: dict[str, tuple[dict[str, Any], str]] = {
    "new words for no old ones": ({"refit_words": True}, "refit_words is for a run that continues"),
    "negative steps": ({"schedule": {"steps": -1}}, "must not be negative"),
    "no steps": ({"schedule": {"steps": 0}}, "steps must be at least 1"),
    "steps missing": ({"schedule": {}}, "'steps' is missing"),
    "steps as text": ({"schedule": {"steps": "many"}}, "should be of type int"),
    "schedule of another kind": ({"schedule": 3}, "should be a table"),
    "no pictures": ({"schedule": {"steps": 1, "pictures": 0}}, "pictures must be at least 1"),
    "never saving": ({"schedule": {"steps": 1, "checkpoint_steps": 0}}, "checkpoint_steps must"),
    "no clip": ({"schedule": {"steps": 1, "clip": 0}}, "clip must be more than 0"),
    "warming up for ever": ({"schedule": {"steps": 9, "warmup_steps": 10}}, "more than all steps"),
    "LoRA never learns": (
        {"schedule": {"steps": 9, "warmup_steps": 1, "mapper_steps": 9}},
        "mapper_steps = 9 leaves LoRA no step",
    ),
    "averaging after the end": (
        {"schedule": {"steps": 9, "average_from": 3.0}},
        "average_from must be at most 1",
    ),
    "texts from nowhere": (
        {"text_only": "", "schedule": {"steps": 200, "texts": 5}},
        "texts without a picture need a file of them",
    ),
    "more derived texts than texts": (
        {"schedule": {"steps": 1, "derived_texts": 1.5}},
        "derived_texts must be at most 1",
    ),
    "a share of no texts": (
        {"schedule": {"steps": 1, "derived_texts": 0.5}},
        "derived_texts is a share of texts, of which there are none",
    ),
    "no source to derive from": (
        {"schedule": {"steps": 1, "texts": 4, "derived_texts": 0.5}},
        "derived_texts needs a source with derived questions",
    ),
    "rates that rise": ({"schedule": {"steps": 1, "last_rate": 1.5}}, "last_rate must be at most"),
    "endless rate": (
        {"schedule": {"steps": 1, "mapper_rate": float("inf")}},
        "mapper_rate = inf",
    ),
    "no views": ({"views": 0}, "views must be at least 1"),
    "no room for texts": ({"text_tokens": 0}, "text_tokens must be at least 1"),
    "precision": ({"precision": "float8"}, "precision = 'float8' is not one of auto"),
    "unknown key": ({"lerning_rate": 1.0}, "Unknown key 'lerning_rate'"),
    "unknown key in a section": ({"lora": {"rang": 2}}, "Unknown key 'rang' in [lora]"),
    "rank": ({"lora": {"rank": 0}}, "rank must be at least 1"),
    "dropout": ({"lora": {"dropout": 1.0}}, "dropout in [lora] must be below 1"),
    "a target instead of a list": ({"lora": {"targets": "q_proj"}}, "targets should be a list"),
    "no targets": ({"lora": {"targets": []}}, "targets should be a list"),
    "no sources": ({"sources": []}, "names no [[sources]]"),
    "sources as a table": ({"sources": {"name": "x"}}, "should be a list of tables"),
    "nothing learnt": ({"sources": [{"name": "x", "files": ["f"], "images": "i"}]}, "asks for no"),
    "files as numbers": (
        {"sources": [{"name": "x", "files": [1], "images": "i", "captions": 1}]},
        "files should be a list",
    ),
    "split without its key": (
        {"sources": [{"name": "x", "files": ["f"], "images": "i", "captions": 1, "split": "val"}]},
        "split and split_key go together",
    ),
    "no share": (
        {"sources": [{"name": "x", "files": ["f"], "images": "i", "captions": 1, "share": 0}]},
        "share of every source is 0",
    ),
    "every position hidden": (
        {
            "sources": [
                {"name": "x", "files": ["f"], "images": "i", "captions": 1, "prefix_dropout": 1.0}
            ]
        },
        "prefix_dropout of the source 'x' must be below 1",
    ),
    "boxes from nowhere": (
        {"sources": [{"name": "x", "files": ["f"], "images": "i", "boxes": 2}]},
        "boxes of the source 'x' needs folders in [objects]",
    ),
    "a folder instead of a list": (
        {"objects": {"folders": "coco"}},
        "folders in [objects] should be a list of names",
    ),
    "folders without a name": (
        {"objects": {"folders": ["coco", ""]}},
        "folders in [objects] should be a list of names",
    ),
    "masks of other folders": (
        {"objects": {"folders": ["coco"], "masks": ["ade20k"]}},
        "masks in [objects] should be some of its folders",
    ),
    "a head that sees nothing": (
        {"objects": {"folders": ["coco"], "epochs": 0}},
        "epochs must be at least 1",
    ),
    "unknown key of objects": (
        {"objects": {"folder": ["coco"]}},
        "Unknown key 'folder' in [objects]",
    ),
    "texts that imply nothing": (
        {"implied": [{"file": "f", "texts": 0}]},
        "texts must be at least 1",
    ),
    "unknown key of implied texts": (
        {"implied": [{"file": "f", "captions": 2}]},
        "Unknown key 'captions' in [[implied]]",
    ),
    "no file of implied texts": ({"implied": [{"share": 1.0}]}, "'file' is missing in [[implied]]"),
    "implied texts from nowhere": (
        {**SEEN, "schedule": {**SCHEDULE, "implied": 4}},
        "implied in [schedule] needs [[implied]] with a share",
    ),
    "implied texts that are never drawn": (
        {**SEEN, "schedule": {**SCHEDULE, "implied": 4}, "implied": [{"file": "f", "share": 0}]},
        "implied in [schedule] needs [[implied]] with a share",
    ),
    "implied tags by detectors that know the pictures": (
        {
            **SEEN,
            "schedule": {**SCHEDULE, "implied": 4},
            "implied": [{"file": "f"}],
            "cross_fit": False,
        },
        "implied in [schedule] needs cross_fit = true, and folders in [objects]",
    ),
    "implied tags without an object head": (
        {"cross_fit": True, "schedule": {**SCHEDULE, "implied": 4}, "implied": [{"file": "f"}]},
        "implied in [schedule] needs cross_fit = true, and folders in [objects]",
    ),
    "no sample pictures": (
        {"samples": [{"files": ["f"], "images": "i", "pictures": 0}]},
        "pictures must be at least 1",
    ),
}


def test_objects_and_implied_texts_are_read(tmp_path: Path) -> None:
    recipe = load_recipe(write_recipe(tmp_path, scenes_table()))
    assert recipe.objects == ObjectSources(("scenes",), (), 1)
    assert recipe.implied == (ImpliedTexts("scenes/texts.jsonl", 1.0, 2),)
    assert (recipe.schedule.implied, recipe.sources[0].boxes) == (3, 2)


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_what_is_impossible_is_refused_in_one_sentence(tmp_path: Path, name: str) -> None:
    changes, said = IMPOSSIBLE[name]
    path = write_recipe(tmp_path, recipe_table() | changes)
    with pytest.raises(RecipeError) as caught:
        load_recipe(path)
    assert said in str(caught.value)
    assert "recipe.toml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_recipe_without_profile_is_refused(tmp_path: Path) -> None:
    table = recipe_table()
    del table["profile"]
    with pytest.raises(RecipeError, match="'profile' is missing"):
        load_recipe(write_recipe(tmp_path, table))


def test_no_such_recipe(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"no recipe 'satrter'; known are .*starter"):
        load_recipe("satrter")
    with pytest.raises(RecipeError, match="no recipe"):
        load_recipe(tmp_path / "none.toml")


def test_a_recipe_that_is_no_toml(tmp_path: Path) -> None:
    (tmp_path / "broken.toml").write_text("steps = = 3")
    with pytest.raises(RecipeError, match=r"broken\.toml is not valid TOML"):
        load_recipe(tmp_path / "broken.toml")
