"""A data folder, profiles and recipes small enough to train on in seconds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import tomli_w
from PIL import Image

COLOURS = {"red": (200, 30, 30), "green": (30, 160, 30), "blue": (30, 30, 200), "white": (240,) * 3}
PICTURES = 12
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
