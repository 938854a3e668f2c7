"""What a run would take, and that every shipped recipe starts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from official_files import answered, asked, coco_name, karpathy, pictures, vqa_files
from tiny_data import (
    recipe_table,
    scenes_table,
    seeing,
    write_profile,
    write_recipe,
    write_rows,
    write_scenes,
)

import finetune.plan as planning
from bot.cli.main import main
from bot.cli.train import duration, plan_lines
from data.datasets.builder import BuildOptions
from data.datasets.feature_cache import FeatureStore
from data.datasets.flickr import build_flickr
from data.datasets.shapes import build_shapes
from data.datasets.vqa import build_vqa
from finetune import trainer
from finetune.config import RECIPES_FOLDER, Schedule, load_recipe
from finetune.object_head import ObjectLabels
from finetune.plan import _until_the_end, plan
from finetune.progress import Progress
from finetune.trainer import Trainer
from model.vlm import PrefixVLM

SPLITS = {f"{number}.jpg": "val" if number > 8 else "train" for number in range(12)}


def prepared(root: Path) -> Path:
    """Everything that shipped recipes name, in the official formats where there are some."""
    for name in ("flickr30k", "flickr8k"):
        images = pictures(root / f"{name}-official", [*SPLITS])
        captions = karpathy(root / f"{name}.json", SPLITS)
        build_flickr(name, BuildOptions(root / name), images, captions)
    parts = []
    for part, ids in (("train2014", range(5, 11)), ("val2014", range(4))):
        folder = pictures(root / part, [coco_name(part, number) for number in ids])
        answers = [answered(number, 0) for number in ids]
        parts.append((folder, vqa_files(root, part, [asked(n, 0) for n in ids], answers)))
    files = [files for _, files in parts]
    build_vqa(
        BuildOptions(root / "vqav2"),
        [q for q, _ in files],
        [a for _, a in files],
        [f for f, _ in parts],
    )
    build_shapes(BuildOptions(root / "shapes"), 10)
    write_loose(root)
    write_more(root)
    for folder in ("vqav2", "coco", "flickr8k", "ade20k", "daquar", "imagenet_sample"):
        write_boxes(root / folder)
    return root


def write_loose(root: Path) -> None:
    """Data that only the starter's recipes and `feedback` name."""
    names = [coco_name(part, number) for part in ("train2014", "val2014") for number in range(4)]
    pictures(root / "coco/images", names)
    pictures(root / "daquar/images", ["room.jpg"])
    question = {"question": "What is on the sofa?", "answer": "a dog"}
    write_rows(root / "coco/vqa.jsonl", [{"image": name, **question} for name in names])
    write_rows(
        root / "coco/vsr_statements.jsonl",
        [{"image": names[0], "statement": "The dog is on the left.", "label": 1}],
    )
    write_rows(root / "coco/vqa_text_only.jsonl", [question] * 5)
    write_rows(root / "daquar/qa.jsonl", [{"image": "room.jpg", **question}])
    shared = [f"{number}.jpg" for number in range(12)]
    pictures(root / "pictures", shared)
    told = [
        {"image": name, "captions": ["A brown dog lies on a red sofa beside a lamp."]}
        for name in shared
    ]
    write_rows(root / "feedback.jsonl", [*told, {"image": shared[0], **question}])
    stated = {"image": "0.jpg", "hypothesis": "It runs.", "gold_label": "entailment"}
    write_rows(root / "flickr8k/esnli_ve.jsonl", [{**stated, "flickr8k_split": "train"}])


def write_more(root: Path) -> None:
    """What the starter learns beside that."""
    question = {"question": "What is on the sofa?", "answer": "a dog"}
    told = {"captions": ["A brown dog lies on a red sofa beside a lamp."]}
    for folder, name, captions, questions in (
        ("coco", coco_name("train2014", 1), ("captions_more", "derived_captions"),
         ("vqa_more", "vsr_more", "cocoqa", "hl_qa")),
        ("ade20k", "ADE_train_00000001.jpg", ("captions",), ("qa",)),
        ("imagenet_sample", "n01440764_tench.jpg", (), ("labels",)),
    ):  # fmt: skip
        pictures(root / folder / "images", [name])
        row = {"image": name, "split": "train"}
        for files, text in ((captions, told), (questions, question)):
            for file in files:
                write_rows(root / folder / f"{file}.jsonl", [{**row, **text}])
    (root / "text_only").mkdir()
    for file in ("coco_captions", "flickr30k_captions"):
        write_rows(root / "text_only" / f"{file}.jsonl", [told] * 3)
    write_rows(root / "text_only/cocoqa.jsonl", [question])
    masks = [{"image": "ADE_train_00000001.jpg", "objects": {"sky": 0.4, "grass": 0.3}}]
    write_rows(root / "ade20k/objects.jsonl", masks)


def write_boxes(folder: Path) -> None:
    """A dog on the left or a bus on the right of every picture."""
    rows, images = [], folder / "images"
    paths = sorted([*images.glob("*.jpg"), *images.glob("*/*.jpg")])
    for number, path in enumerate(paths):
        name, left = ("dog", 0.1) if number % 2 else ("bus", 0.6)
        box = [name, 0.9, left, 0.2, left + 0.3, 0.8]
        image = path.relative_to(images).as_posix()
        rows.append({"image": image, "boxes": [box], "scores": {name: 0.9}})
    write_rows(folder / "detections.jsonl", rows)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("path", sorted(RECIPES_FOLDER.glob("*.toml")), ids=lambda path: path.stem)
def test_every_shipped_recipe_plans_and_starts_on_random_weights(
    path: Path, tmp_path: Path, hub: Path
) -> None:
    shipped = load_recipe(path)
    speaking = "gpt-neox" if "query_key_value" in shipped.lora.targets else "llama"
    root = prepared(tmp_path / "data")
    classes = 82 if shipped.objects.masks else 80
    profile = seeing(hub, object_classes=classes) if shipped.objects.folders else {}
    recipe = replace(
        shipped,
        profile=str(write_profile(tmp_path, hub, speaking, **profile)),
        text_only=shipped.text_only.removesuffix(".gz"),
        implied=tuple(replace(it, file=it.file.removesuffix(".gz")) for it in shipped.implied),
        compiled=False,
        continues=False,
        schedule=replace(shipped.schedule, steps=4, critic_from=0.5, start_share=0.0),
    )
    found = plan(recipe, root, tmp_path / "run")
    assert {source.name for source in found.sources} == {s.name for s in recipe.sources}
    assert all(source.pictures and source.epochs for source in found.sources)
    assert found.critic_seconds > 0
    assert bool(found.boxed) is bool(found.boxed_seconds) is bool(recipe.objects.folders)
    assert not (tmp_path / "run").exists()
    trainer = Trainer(recipe, root, tmp_path / "run")
    assert (trainer.train() / "prefix.safetensors").is_file()
    assert trainer.progress.step == 4


def test_a_plan_counts_what_it_would_learn(tmp_path: Path, hub: Path, data: Path) -> None:
    write_profile(tmp_path, hub)
    recipe = load_recipe(write_recipe(tmp_path, recipe_table(steps=9, pictures=6)))
    found = plan(recipe, data, tmp_path / "run")
    asked, told = found.sources
    assert (asked.name, asked.pictures, asked.captions, asked.questions) == ("asked", 9, 0, 18)
    assert (told.captions, told.questions) == (18, 0)
    assert asked.epochs == pytest.approx(9 * 6 / 1.5 / 9)
    assert (found.texts, found.pictures, found.steps) == (9, 9, 9)
    assert found.feature_bytes == 9 * 2 * 17 * 32 * 2  # pictures, views, states, D, float16
    assert found.critic_seconds == 0
    assert found.seconds == pytest.approx(9 * found.step_seconds)
    assert found.memory > 1e8


def test_a_plan_fits_the_object_head_to_a_few_pictures_only(
    tmp_path: Path, hub: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_scenes(tmp_path / "scenes")
    write_profile(tmp_path, hub, **seeing(hub))
    table = scenes_table(implied=0, texts=0) | {"text_only": "", "implied": []}
    table |= {"objects": {"folders": ["scenes"], "epochs": 50}}
    fitted: list[tuple[int, int]] = []
    fit = planning.fit_objects

    def counted(vlm: PrefixVLM, store: FeatureStore, labels: ObjectLabels, *rest: Any) -> None:
        fitted.append((len(labels.seen), rest[0].objects.epochs))
        fit(vlm, store, labels, *rest)

    monkeypatch.setattr(planning, "fit_objects", counted)
    monkeypatch.setattr(trainer, "fit_objects", None)  # or it would be fitted whole
    monkeypatch.setattr(planning, "BOXED", 8)
    found = plan(load_recipe(write_recipe(tmp_path, table)), tmp_path, tmp_path / "run")
    assert fitted == [(8, 1), (8, planning.MEASURED)]
    assert found.boxed == 24
    said = "\n".join(plan_lines(replace(found, boxed_seconds=150.0)))
    assert "the head is fitted to 24 pictures in 2 min, before the first step" in said
    assert "head" not in "\n".join(plan_lines(replace(found, boxed=0)))


def test_time_ends_a_planned_run_too(tmp_path: Path, hub: Path, data: Path) -> None:
    write_profile(tmp_path, hub)
    table = recipe_table(steps=10**5, minutes=0.01, critic_from=0.5)
    found = plan(load_recipe(write_recipe(tmp_path, table)), data, tmp_path / "run")
    assert found.steps < 10**4
    longest = max(found.step_seconds, found.critic_seconds)
    assert 0.6 <= found.seconds <= 0.6 + longest


@pytest.mark.parametrize("steps", [1, 7, 100, 1000])
@pytest.mark.parametrize("minutes", [0.0, 0.5, 2.0])
@pytest.mark.parametrize("critic_from", [0.0, 0.001, 0.35, 1.0])
@pytest.mark.parametrize(("plain", "judged"), [(0.75, 2.5), (2.5, 0.75)])
def test_the_end_is_where_counting_step_by_step_would_come_to(
    steps: int, minutes: float, critic_from: float, plain: float, judged: float
) -> None:
    schedule = Schedule(steps, minutes, critic_from=critic_from)
    recipe = replace(load_recipe("tiny"), schedule=schedule)
    progress = Progress()
    while progress.share(schedule) < 1:
        judges = progress.share(schedule) >= critic_from
        progress.step += 1
        progress.seconds += judged if judges else plain
    assert _until_the_end(recipe, plain, judged) == (
        progress.step,
        pytest.approx(progress.seconds),
    )
    endless = replace(recipe, schedule=replace(schedule, steps=10**11, minutes=0.0))
    assert _until_the_end(endless, plain, judged)[0] == 10**11


def test_a_dry_run_says_it_all(
    tmp_path: Path, hub: Path, data: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write_profile(tmp_path, hub)
    recipe = write_recipe(tmp_path, recipe_table())
    folders = ["--data", str(data), "--run", str(tmp_path / "run")]
    assert main(["train", str(recipe), *folders, "--dry-run"]) == 0
    said = capfd.readouterr().out
    for line in (
        "learnt      mapper ",
        "source      asked: 9 pictures with 0 captions",
        "time        ",
        "memory ",
    ):
        assert line in said
    assert not (tmp_path / "run").exists()


def test_times_and_several_processes_in_words(tmp_path: Path, hub: Path, data: Path) -> None:
    assert [duration(s) for s in (3, 89, 90, 5300, 7200)] == [
        "3 s", "89 s", "2 min", "88 min", "2.0 h",
    ]  # fmt: skip
    write_profile(tmp_path, hub)
    found = plan(load_recipe(write_recipe(tmp_path, recipe_table())), data, tmp_path / "run")
    many = replace(found, processes=2, device="cuda:0", critic_seconds=3.0, texts=0)
    said = "\n".join(plan_lines(many))
    assert "2 processes on this machine's cuda:0" in said
    assert "3.00 s where captions are judged" in said
    assert "GB a process" in said
    assert "without a picture" not in said
    said = "\n".join(plan_lines(replace(found, texts=9, derived_texts=0.3)))
    assert "9 questions without a picture; 30 % of those drawn are derived" in said
    assert "are free there" not in said
    full = replace(found, feature_bytes=3 * 10**9, free_bytes=2 * 10**9)
    assert "3.00 GB, encoded in" in (said := "\n".join(plan_lines(full)))
    assert "; only 2.00 GB are free there" in said
