"""A data folder, profiles and recipes small enough to train on in seconds."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import tomli_w
from PIL import Image

from data.datasets.objects import Box, ImageObjects

COLOURS = {"red": (200, 30, 30), "green": (30, 160, 30), "blue": (30, 30, 200), "white": (240,) * 3}
PICTURES = 12
THINGS = {"dog": (220, 40, 40), "cat": (40, 180, 40), "bus": (40, 40, 220)}  # classes of COCO
SCENE = 32  # pixels along each side
TARGETS = {"gpt-neox": ["query_key_value", "dense"], "llama": ["q_proj", "v_proj"]}


def write_data(folder: Path) -> None:
    """Pictures of one colour each, with captions, questions, and questions without pictures."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    captions, questions = [], []
    for number in range(PICTURES):
        colour = list(COLOURS)[number % len(COLOURS)]
        split = "val" if number >= PICTURES - 3 else "train"
        name = f"{split}_{number}.png"
        Image.new("RGB", (24 + number, 32), COLOURS[colour]).save(folder / "images" / name)
        row = {"image": name, "split": split}
        captions.append({**row, "captions": [f"A {colour} wall", f"A {colour} dog on the left"]})
        questions.append({**row, "question": "What color is it?", "answer": colour})
        questions.append(
            {**row, "question": "Is it red?", "answer": "yes" if number % 4 == 0 else "no"}
        )
    write_rows(folder / "captions.jsonl", captions)
    write_rows(folder / "vqa.jsonl", questions)
    write_rows(
        folder / "texts.jsonl", [{"question": f"Is it {n}?", "answer": "no"} for n in range(9)]
    )


def scene(number: int) -> tuple[Image.Image, ImageObjects]:
    """A grey picture with a coloured rectangle in one half or in each, and what these are."""
    rng = random.Random(number)
    image = Image.new("RGB", (SCENE, SCENE), (rng.randint(100, 150),) * 3)
    names, halves = rng.sample(list(THINGS), rng.choice((1, 1, 2))), [0, SCENE // 2]
    rng.shuffle(halves)
    boxes = []
    for name, half in zip(names, halves, strict=False):
        width, height = rng.randint(9, 15), rng.randint(9, 15)
        left = half + rng.randint(0, SCENE // 2 - width)
        top = rng.randint(0, SCENE - height)
        corners = (left, top, left + width, top + height)
        image.paste(THINGS[name], corners)
        boxes.append(Box(name, 0.8, *(corner / SCENE for corner in corners)))
    return image, ImageObjects(tuple(boxes), dict.fromkeys(names, 0.9), frozenset(names))


def scene_name(number: int) -> str:
    """The file name of a scene, such that both folds of heads have their pictures."""
    return f"{chr(97 + number % 26)}{number}.png"


def write_scenes(folder: Path, count: int = 24) -> None:
    """Scenes with captions, boxes, what people say is there, and texts without pictures."""
    (folder / "images").mkdir(parents=True)
    captions, seen, people, texts = [], [], [], []
    for number in range(count):
        image, objects = scene(number)
        image.save(folder / "images" / scene_name(number))
        row = {"image": scene_name(number)}
        boxes = [[b.name, b.score, b.left, b.top, b.right, b.bottom] for b in objects.boxes]
        seen.append({**row, "boxes": boxes, "scores": objects.scores})
        names = [box.name for box in objects.boxes]
        people.append({**row, "objects": names, "counts": dict.fromkeys(names, 1)})
        told = f"A {' beside a '.join(names)} on grey grass"
        captions.append({**row, "captions": [told, f"Somebody painted a {names[0]}"]})
        texts.append({"captions": [f"The {names[0]} waits", told]})
    texts += [{"question": "What is on the grass?", "answer": name} for name in THINGS]
    write_rows(folder / "captions.jsonl", captions)
    write_rows(folder / "detections.jsonl", seen)
    write_rows(folder / "objects.jsonl", people)
    write_rows(folder / "texts.jsonl", texts)


def seeing(hub: Path, kind: str = "clip", **mapper: Any) -> dict[str, Any]:
    """Changes of a profile for `write_profile`, by which its mapper has an object head."""
    sizes = {"objects": 3, "object_classes": 80, "words": 2, "vocabulary": 5}
    source = {"kind": kind, "source": str(hub / kind), "image_size": SCENE, "detail_layer": 1}
    shape = {"kind": "mlp", "hidden_size": 24, "shuffle": 2, "dropout": 0.1}
    return {"tower": source, "mapper": {**shape, **sizes, **mapper}}


def scenes_table(**schedule: Any) -> dict[str, Any]:
    """Changes of `recipe_table` by which scenes are learnt, and texts that imply tags."""
    table = recipe_table(**{"implied": 3, **schedule})
    source = {"name": "scenes", "files": ["scenes/captions.jsonl"], "images": "scenes/images"}
    return {
        **table,
        "text_only": "scenes/alone.jsonl",
        "crops": True,
        "cross_fit": True,
        "sources": [{**source, "captions": 1, "boxes": 2}],
        "samples": [],
        "objects": {"folders": ["scenes"], "epochs": 1},
        "implied": [{"file": "scenes/texts.jsonl"}],
    }


def write_rows(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write JSON lines."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def write_profile(folder: Path, hub: Path, speaking: str = "gpt-neox", **changes: Any) -> Path:
    """A profile of tiny models; `changes` are top-level keys of its TOML."""
    table: dict[str, Any] = {
        "tower": {"kind": "clip", "source": str(hub / "clip"), "image_size": 32},
        "mapper": {
            "kind": "mlp", "hidden_size": 24, "shuffle": 2, "dropout": 0.1,
            "words": 2, "vocabulary": 5,
        },
        "language": {"source": str(hub / speaking)},
        "decoding": {"answer_tokens": 4, "caption_tokens": 6},
    }  # fmt: skip
    path = folder / "tiny.toml"
    path.write_text(tomli_w.dumps(table | changes), encoding="utf-8")
    return path


def recipe_table(speaking: str = "gpt-neox", **schedule: Any) -> dict[str, Any]:
    """A recipe's TOML table for the profile `tiny.toml` beside it."""
    rows = {"files": ["vqa.jsonl"], "images": "images", "split_key": "split"}
    return {
        "profile": "tiny.toml",
        "precision": "float32",
        "views": 2,
        "text_only": "texts.jsonl",
        "seed": 5,
        "schedule": {
            "steps": 8, "pictures": 4, "texts": 2,
            "mapper_steps": min(2, schedule.get("steps", 8) - 1),
            "warmup_steps": min(2, schedule.get("steps", 8)),
            "checkpoint_steps": 4, "average_from": 0.5, "mapper_rate": 0.01, "lora_rate": 0.01,
            **schedule,
        },
        "lora": {"rank": 2, "alpha": 4, "dropout": 0.1, "targets": TARGETS[speaking]},
        "sources": [
            {**rows, "name": "asked", "split": "train", "questions": 2},
            {
                **rows, "name": "told", "files": ["captions.jsonl"], "split": "train",
                "captions": 1, "share": 0.5,
            },
        ],
        "samples": [{**rows, "files": ["captions.jsonl", "vqa.jsonl"], "split": "val"}],
    }  # fmt: skip


def write_recipe(folder: Path, table: dict[str, Any]) -> Path:
    """Write a recipe's TOML file."""
    path = folder / "recipe.toml"
    path.write_text(tomli_w.dumps(table), encoding="utf-8")
    return path
