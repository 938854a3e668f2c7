"""What is missing or wrong beside a recipe's own values: one plain sentence before training."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_data import recipe_table, write_data, write_profile, write_recipe, write_rows
from training import make_trainer

from bot.cli.train import plan_lines
from data.datasets.builder import BuildOptions
from data.datasets.jsonl import build_jsonl
from data.errors import DataError
from finetune.config import load_recipe
from finetune.errors import RecipeError
from finetune.plan import plan
from finetune.trainer import Trainer
from model.errors import ProfileError, WeightsError


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A data folder to spoil."""
    write_data(tmp_path / "own")
    return tmp_path / "own"


@pytest.mark.parametrize("name", ["images/train_3.png", "images/val_9.png"])
def test_a_missing_or_broken_picture(tmp_path: Path, hub: Path, own: Path, name: str) -> None:
    (own / name).unlink()
    changes = {"samples": [recipe_table()["samples"][0] | {"pictures": 3}]}
    with pytest.raises(DataError, match=r"training picture .*\.png is missing or cannot be read"):
        make_trainer(tmp_path / "run", hub, own, changes=changes)
    (own / name).write_bytes(b"\x89PNG\r\n\x1a\nnot a picture")
    with pytest.raises(DataError, match=r"training picture .*\.png is missing or cannot be read"):
        make_trainer(tmp_path / "run", hub, own, changes=changes)


def test_missing_pictures_are_counted_before_anything_is_computed(
    tmp_path: Path, hub: Path, own: Path
) -> None:
    for number in (3, 5):
        (own / f"images/train_{number}.png").unlink()
    changes = {"schedule": recipe_table()["schedule"], "crops": True}
    with pytest.raises(
        DataError, match=r"^2 of 9 training pictures are missing, such as .*_3\.png"
    ):
        make_trainer(tmp_path / "run", hub, own, changes=changes)


def test_what_preparing_warned_of_is_told_again(tmp_path: Path, hub: Path, own: Path) -> None:
    write_profile(tmp_path, hub)
    rows = [tmp_path / "rows.jsonl"]
    write_rows(
        rows[0],
        [{"image": f"{n}.png", "captions": ["A red wall, a big brown dog"]} for n in range(3)],
    )
    for number in range(2):
        shutil.copy(own / "images/train_0.png", tmp_path / f"{number}.png")
    build_jsonl(BuildOptions(own / "mine"), rows, [tmp_path])
    source = {"name": "mine", "files": ["mine/rows.jsonl"], "images": "mine/images", "captions": 1}
    table = recipe_table() | {"sources": [source], "samples": [], "text_only": ""}
    table["schedule"]["texts"] = 0
    recipe = load_recipe(write_recipe(tmp_path, table))
    warning = f"{own / 'mine'}: Pictures without a file: 1 (2.png)."
    assert Trainer(recipe, own, tmp_path / "run").warnings == (warning,)
    assert f"warning     {warning}" in [*plan_lines(plan(recipe, own, tmp_path / "run"))]
    (own / "mine/dataset.json").rename(own / "mine/dataset.json.part")
    with pytest.raises(DataError, match=r"mine is not whole; run glimpse data again\.$"):
        Trainer(recipe, own, tmp_path / "run")


def test_a_missing_or_broken_dataset_file(tmp_path: Path, hub: Path, own: Path) -> None:
    write_rows(own / "vqa.jsonl", [{"image": "train_1.png", "split": "train", "answer": "red"}])
    with pytest.raises(DataError, match=r"Line 1 of .*vqa\.jsonl should hold .* 'question'"):
        make_trainer(tmp_path / "run", hub, own)
    (own / "vqa.jsonl").unlink()
    with pytest.raises(DataError, match=r"dataset file .*vqa\.jsonl is missing"):
        make_trainer(tmp_path / "run", hub, own)


@pytest.mark.parametrize("targets", [["q_proj"], ["dense", "q_proj"], ["embed_in", "layers"]])
def test_lora_targets_that_do_not_exist(
    tmp_path: Path, hub: Path, data: Path, targets: list[str]
) -> None:
    with pytest.raises(RecipeError) as caught:
        make_trainer(tmp_path, hub, data, changes={"lora": {"targets": targets}})
    assert "LoRA cannot be put on" in str(caught.value)
    assert "dense, dense_4h_to_h, dense_h_to_4h" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_such_profile_or_model(tmp_path: Path, hub: Path, data: Path) -> None:
    with pytest.raises(ProfileError, match="no profile 'sarter'"):
        make_trainer(tmp_path, hub, data, changes={"profile": "sarter"})
    missing: dict[str, Any] = {"language": {"source": str(tmp_path / "gone")}}
    with pytest.raises(WeightsError, match="could not be loaded"):
        make_trainer(tmp_path, hub, data, profile=missing)


def test_features_of_another_tower_are_refused(tmp_path: Path, hub: Path, data: Path) -> None:
    make_trainer(tmp_path, hub, data)
    tower = {"kind": "clip", "source": str(hub / "clip"), "image_size": 32, "layer": -2}
    with pytest.raises(DataError, match="made with another tower or preprocessing; delete that"):
        make_trainer(tmp_path, hub, data, profile={"tower": tower})


def test_encoding_is_told_and_done_once(tmp_path: Path, hub: Path, data: Path) -> None:
    threads = torch.get_num_threads()
    trainer = make_trainer(tmp_path, hub, data)
    views = sorted(path.name for path in (tmp_path / "features").glob("view*.npy"))
    assert views == ["view0-00000.npy", "view1-00000.npy"]
    before = (tmp_path / "features/view0-00000.npy").stat().st_mtime_ns
    make_trainer(tmp_path, hub, data)
    assert (tmp_path / "features/view0-00000.npy").stat().st_mtime_ns == before
    assert torch.get_num_threads() == threads
    assert trainer.store.counts == [2] * 9
