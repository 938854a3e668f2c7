"""The flagship path on tiny models: profile → recipe → `glimpse train` → `glimpse ask`."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from official_files import (
    annotation,
    answered,
    asked,
    coco_name,
    instances_file,
    karpathy,
    pictures,
    vqa_files,
)
from tiny_data import recipe_table, seeing, write_profile, write_recipe

from bot.cli.main import main
from data.datasets.builder import BuildOptions
from data.datasets.objects import COCO_CLASSES
from data.datasets.records import read_pictures
from data.datasets.shapes import build_shapes
from data.images.open import read_picture
from finetune.config import RECIPES_FOLDER, load_recipe
from finetune.evaluation.metrics import CaptionScorer
from finetune.trainer import Trainer
from model.config import load_profile
from model.generation import greedy
from model.pretrained import LANGUAGE_MODEL, TOWER, is_ready
from model.prompts import prompt_for


@pytest.mark.timeout(300)
def test_a_hub_model_is_trained_and_then_answers(
    tmp_path: Path, hub: Path, data: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    profile = write_profile(tmp_path, hub, adapter="run/adapter")
    schedule = {"steps": 20, "checkpoint_steps": 10, "mapper_rate": 0.03, "lora_rate": 0.03}
    recipe = write_recipe(tmp_path, recipe_table(**schedule))
    picture = str(data / "images/val_9.png")
    ask = ["ask", picture, "What color is it?", "--json", "--profile", str(profile)]

    assert main(ask) == 1
    assert "no adapter" in capfd.readouterr().err

    folders = ["--data", str(data), "--run", str(tmp_path / "run")]
    assert main(["train", str(recipe), *folders]) == 0
    said = capfd.readouterr()
    assert "step 20 of 20, loss " in said.err
    assert "What color is it? → " in said.err
    assert "run/adapter" in said.out

    assert main(["train", str(recipe), *folders, "--resume"]) == 0  # finished already
    capfd.readouterr()

    command = [sys.executable, "-m", "bot.cli", *ask]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    answer = json.loads(done.stdout)
    assert answer.keys() == {"answer", "confidence", "profile", "seconds", "objects"}
    assert answer["profile"] == "tiny"
    assert answer["objects"] == []  # it has no head that sees some
    assert isinstance(answer["answer"], str)
    assert 0 <= answer["confidence"] <= 1


def official(root: Path) -> Path:
    """VQA v2, COCO and Flickr30k as their makers publish them, through `glimpse data`."""
    options, boxed = [], []
    for part, ids in (("train2014", range(5, 11)), ("val2014", range(2, 5))):
        pictures(root / part, [coco_name(part, number) for number in ids])
        files = vqa_files(root, part, [asked(n, 0) for n in ids], [answered(n, 0) for n in ids])
        options += [f"--questions={files[0]}", f"--annotations={files[1]}"]
        options += [f"--images={root / part}"]
        # Pictures of both folds, so that each has a head that has not seen it.
        things = [annotation(n, "dog" if n % 2 else "bus", [1, 1, 4, 3]) for n in ids]
        boxed.append(str(instances_file(root, part, ids, things)))
    assert main(["data", "vqav2", *options, f"--to={root / 'data/vqav2'}"]) == 0
    assert main(["data", "coco-objects", *boxed, f"--to={root / 'data/vqav2'}"]) == 0
    splits = {f"{n}.jpg": "val" if n > 7 else "train" for n in range(10)}
    images, captions = pictures(root / "flickr", [*splits]), karpathy(root / "f30k.json", splits)
    command = ["data", "flickr30k", f"--images={images}", f"--captions={captions}"]
    assert main([*command, f"--to={root / 'data/flickr30k'}"]) == 0
    return root / "data"


@pytest.mark.timeout(300)
def test_from_the_official_files_to_figures_by_the_shipped_recipe(
    tmp_path: Path, hub: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data = official(tmp_path)
    assert "Expected 443,757 questions in the split 'train', found 6." in capfd.readouterr().err
    flagship = load_profile("clip-pythia")
    write_profile(tmp_path, hub, **seeing(hub, objects=flagship.mapper.objects, words=0))
    shipped = tomllib.loads((RECIPES_FOLDER / "flagship.toml").read_text(encoding="utf-8"))
    small = {"steps": 6, "mapper_steps": 2, "warmup_steps": 1, "pictures": 4, "checkpoint_steps": 3}
    objects = shipped["objects"] | {"epochs": 2}
    table = shipped | {"profile": "tiny.toml", "compiled": False, "objects": objects}
    recipe = write_recipe(tmp_path, table | {"schedule": shipped["schedule"] | small})
    run = tmp_path / "run"
    assert main(["train", str(recipe), "--data", str(data), "--run", str(run)]) == 0
    said = capfd.readouterr()
    assert f"Warning: {data / 'vqav2'}: Expected 443,757 questions" in said.err
    assert "What is 0? → " in said.err
    card = tomllib.loads((run / "adapter/adapter.toml").read_text(encoding="utf-8"))
    assert card["objects"]["names"] == list(COCO_CLASSES)
    profile = str(run / "profile.toml")
    trained = load_profile(profile)
    assert (trained.tower.detail_layer, trained.mapper.objects) == (1, flagship.mapper.objects)
    picture = str(tmp_path / "val2014" / coco_name("val2014", 3))
    assert main(["ask", picture, "What is 0?", "--json", "--profile", profile]) == 0
    answer = json.loads(capfd.readouterr().out)
    assert answer["profile"] == "recipe"
    assert all(each["name"] in COCO_CLASSES for each in answer["objects"])
    for rows, figure in (("vqav2", "accuracy"), ("flickr30k/captions.jsonl", "CIDEr-D")):
        page = tmp_path / "page.html"
        measured = ["eval", profile, str(data / rows), "--split", "val", "--report", str(page)]
        assert main(measured) == 0
        assert figure in capfd.readouterr().out
        assert figure in page.read_text(encoding="utf-8")


STEPS = {"steps": 20, "mapper_steps": 2, "warmup_steps": 2, "pictures": 4, "checkpoint_steps": 20}


@pytest.mark.skipif(
    not (is_ready(LANGUAGE_MODEL) and is_ready(TOWER)), reason="needs `glimpse fetch`"
)
@pytest.mark.timeout(300)
def test_the_recipe_tiny_learns_to_see(tmp_path: Path) -> None:
    shapes = build_shapes(BuildOptions(tmp_path / "shapes"), 120).folder
    recipe = load_recipe("tiny")
    recipe = replace(recipe, samples=(), schedule=replace(recipe.schedule, **STEPS))
    trainer = Trainer(recipe, tmp_path, tmp_path / "run")
    trainer.train()
    records = read_pictures([shapes / "rows.jsonl"], shapes / "images", {"split": "val"})
    ciders = []
    with trainer.learner.generating():
        prefix = trainer.vlm.encode([read_picture(record.image).image for record in records])
        for turn in (0, 1):  # with its own picture, and with another one
            caches = trainer.learner.prefill(prefix.roll(turn, 0))
            told = greedy(trainer.vlm, caches, [prompt_for(None)] * len(records), 20)
            captions = [record.captions for record in records]
            ciders.append(sum(CaptionScorer([d.text for d in told], captions).cider()))
    print(ciders)
    assert ciders[0] > 1.4 * ciders[1]
