"""Datasets in the formats that their makers publish, small enough for a test."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image

TIMES = ("one", "two", "three", "four", "five")
CATEGORIES = {"person": 1, "bus": 6, "dog": 18, "tv": 72}  # COCO counts with gaps


def pictures(folder: Path, names: Sequence[str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names):
        Image.new("RGB", (8, 6), (number * 20, 90, 30)).save(folder / name, "JPEG")
    return folder


def write_json(path: Path, value: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


def captions_of(name: str) -> list[str]:
    return [f"A dog in {name}, {time} time ." for time in TIMES]


def karpathy(path: Path, splits: dict[str, str]) -> Path:
    images = [
        {
            "sentids": list(range(number * 5, number * 5 + 5)),
            "imgid": number,
            "sentences": [
                {"tokens": raw.split(), "raw": raw, "imgid": number, "sentid": number * 5 + i}
                for i, raw in enumerate(captions_of(name))
            ],
            "split": split,
            "filename": name,
        }
        for number, (name, split) in enumerate(splits.items())
    ]
    return write_json(path, {"images": images, "dataset": "flickr30k"})


def tokens(path: Path, names: Sequence[str]) -> Path:
    lines = [f"{name}#{i}\t{raw}\n" for name in names for i, raw in enumerate(captions_of(name))]
    path.write_text("".join(lines), encoding="utf-8")
    return path


def asked(image_id: int, number: int) -> dict[str, Any]:
    question = f"What is {number}?"
    return {"image_id": image_id, "question": question, "question_id": image_id * 1000 + number}


def answered(image_id: int, number: int) -> dict[str, Any]:
    said = ["cat"] * 7 + ["dog"] * 3
    return {
        "question_type": "what is",
        "multiple_choice_answer": "cat",
        "answers": [
            {"answer": answer, "answer_confidence": "maybe" if i > 6 else "yes", "answer_id": i + 1}
            for i, answer in enumerate(said)
        ],
        "image_id": image_id,
        "answer_type": "other",
        "question_id": image_id * 1000 + number,
    }


def vqa_files(folder: Path, subtype: str, questions: Any, annotations: Any) -> tuple[Path, Path]:
    about = {
        "info": {"version": "2.0"},
        "license": {"name": "CC-BY 4.0"},
        "data_type": "mscoco",
        "data_subtype": subtype,
    }
    ask = {**about, "task_type": "Open-Ended", "questions": questions}
    return (
        write_json(folder / f"v2_OpenEnded_mscoco_{subtype}_questions.json", ask),
        write_json(
            folder / f"v2_mscoco_{subtype}_annotations.json", {**about, "annotations": annotations}
        ),
    )


def coco_name(subtype: str, image_id: int) -> str:
    return f"COCO_{subtype}_{image_id:012d}.jpg"


def annotation(
    image_id: int, category: str, box: Sequence[float], crowd: bool = False
) -> dict[str, Any]:
    outline: Any = [[1.5, 2.25, 3.5, 4.25, 5.5, 6.25]]
    return {
        "segmentation": {"counts": [3, 2, 1], "size": [6, 8]} if crowd else outline,
        "area": 12.5,
        "iscrowd": int(crowd),
        "image_id": image_id,
        "bbox": list(box),
        "category_id": CATEGORIES[category],
        "id": image_id * 1000,
    }


def instances_file(
    folder: Path, subtype: str, ids: Sequence[int], annotations: Sequence[Any]
) -> Path:
    """COCO's objects in pictures of 8 x 6 pixels."""
    shown = [
        {
            "license": 3,
            "file_name": coco_name(subtype, number),
            "coco_url": f"http://images.invalid/{number}.jpg",
            "height": 6,
            "width": 8,
            "date_captured": "2013-11-14 11:18:45",
            "id": number,
        }
        for number in ids
    ]
    categories = [
        {"supercategory": "thing", "id": number, "name": name}
        for name, number in CATEGORIES.items()
    ]
    about = {"info": {"year": 2014}, "licenses": [{"id": 3, "name": "Attribution"}]}
    parts = {"images": shown, "annotations": list(annotations), "categories": categories}
    return write_json(folder / f"instances_{subtype}.json", {**about, **parts})
