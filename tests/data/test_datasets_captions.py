"""Captions in the forms that people have them in: Kaggle's files, and COCO's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from official_files import captions_of, pictures, write_json

from data.datasets.builder import BuildOptions
from data.datasets.coco_captions import build_coco_captions
from data.datasets.flickr import build_flickr
from data.errors import DataError

NAMES = ["1.jpg", "2.jpg"]


def rows(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "captions.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("form", ["csv", "txt"])
def test_kaggles_files(tmp_path: Path, form: str) -> None:
    images = pictures(tmp_path / "pictures", NAMES)
    told = [(name, number, raw) for name in NAMES for number, raw in enumerate(captions_of(name))]
    if form == "csv":
        path, lines = tmp_path / "results.csv", ["image_name| comment_number| comment"]
        lines += [f"{name}| {number}| {raw}" for name, number, raw in told]
        lines[-1] = lines[-1].replace("| A", "   A")  # as a line of the real file is
    else:
        path, lines = tmp_path / "captions.txt", ["image,caption"]
        lines += [
            f'{name},"{raw}"' if number % 2 else f"{name},{raw}" for name, number, raw in told
        ]
    path.write_text("\n".join(lines) + "\n")
    split = tmp_path / "Flickr_8k.testImages.txt"
    split.write_text("2.jpg\n")
    done = build_flickr("flickr8k", BuildOptions(tmp_path / "all"), images, path)
    assert rows(done.folder) == [
        {"image": name, "split": "train", "captions": captions_of(name)} for name in NAMES
    ]
    options = BuildOptions(tmp_path / "split")
    done = build_flickr("flickr8k", options, images, path, splits=[split])
    assert [row["split"] for row in rows(done.folder)] == ["test"]


@pytest.mark.parametrize(
    ("head", "line"),
    [("image,caption", "1.jpg"), ("image_name| comment_number| comment", "1.jpg A dog"),
     ("image,caption", "../1.jpg,A dog")],
)  # fmt: skip
def test_a_line_that_is_none_is_named(tmp_path: Path, head: str, line: str) -> None:
    images = pictures(tmp_path / "pictures", NAMES)
    path = tmp_path / "captions.txt"
    path.write_text(f"{head}\n{line}\n")
    with pytest.raises(DataError, match="Line 2 of"):
        build_flickr("flickr8k", BuildOptions(tmp_path / "to"), images, path)


def test_cocos_captions(tmp_path: Path) -> None:
    images = pictures(tmp_path / "val2017", NAMES)
    document = {
        "images": [{"id": number, "file_name": f"{number}.jpg"} for number in (1, 2)],
        "annotations": [
            {"image_id": 1, "id": 5, "caption": " A dog. "},
            {"image_id": 1, "id": 6, "caption": "A wet dog."},
        ],
    }
    path = write_json(tmp_path / "captions_val2017.json", document)
    done = build_coco_captions(BuildOptions(tmp_path / "to"), [path], [images])
    assert rows(done.folder) == [
        {"image": "1.jpg", "split": "val", "captions": ["A dog.", "A wet dog."], "image_id": 1,
         "coco_split": "val2017"},
    ]  # fmt: skip
    assert any("without a caption" in warning for warning in done.warnings)
    path = write_json(tmp_path / "captions.json", document)
    with pytest.raises(DataError, match="should say its part"):
        build_coco_captions(BuildOptions(tmp_path / "other"), [path], [images])
