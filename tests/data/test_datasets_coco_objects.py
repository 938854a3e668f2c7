"""COCO's boxes, beside the pictures that questions are about."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from official_files import (
    annotation,
    answered,
    asked,
    coco_name,
    instances_file,
    pictures,
    vqa_files,
    write_json,
)

from data.datasets.builder import BuildOptions, BuildResult
from data.datasets.coco_objects import build_coco_objects
from data.datasets.manifest import read_warnings
from data.datasets.objects import Box, ImageObjects, read_objects
from data.datasets.vqa import build_vqa
from data.errors import DataError

TRAIN, VAL = "train2014", "val2014"
FILES = ("detections.jsonl", "objects.jsonl", "dataset-objects.json")
DOG = annotation(9, "dog", [2, 1.5, 4, 3])


@pytest.fixture
def vqa(tmp_path: Path) -> Path:
    """A folder that `glimpse data vqav2` has filled: two pictures of train2014, one of val2014."""
    options: list[Any] = []
    for subtype, ids in ((TRAIN, [9, 25]), (VAL, [42])):
        folder = pictures(tmp_path / "coco" / subtype, [coco_name(subtype, n) for n in ids])
        answers = [answered(n, 0) for n in ids]
        options.append((*vqa_files(tmp_path, subtype, [asked(n, 0) for n in ids], answers), folder))
    build_vqa(BuildOptions(tmp_path / "vqav2"), *zip(*options, strict=True))
    return tmp_path / "vqav2"


def prepare(
    folder: Path, *annotations: Any, ids: tuple[int, ...] = (9, 25), **options: Any
) -> BuildResult:
    path = instances_file(folder.parent, TRAIN, ids, annotations)
    return build_coco_objects(BuildOptions(folder, **options), [path])


def seen(folder: Path) -> dict[str, ImageObjects]:
    return read_objects(folder / FILES[0], folder / FILES[1])


def splits(folder: Path, file: str = FILES[0]) -> dict[str, str]:
    rows = map(json.loads, (folder / file).read_text(encoding="utf-8").splitlines())
    return {row["image"]: row["split"] for row in rows}


def test_both_parts_become_what_an_object_head_reads(tmp_path: Path, vqa: Path) -> None:
    crowd = annotation(9, "person", [0, 0, 8, 3], crowd=True)
    train = instances_file(
        tmp_path, TRAIN, [9, 25], [DOG, annotation(9, "person", [6, 4, 2.5, 1]), crowd, DOG]
    )
    val = instances_file(tmp_path, VAL, [42], [annotation(42, "tv", [0, 0, 8, 6])])
    done = build_coco_objects(BuildOptions(vqa), [train, val])
    assert done.counts == {"train": {"rows": 2, "pictures": 2}, "val": {"rows": 1, "pictures": 1}}
    assert (done.warnings, done.unchanged) == ((), False)
    one, two, three = (
        f"{TRAIN}/{coco_name(TRAIN, 9)}",
        f"{TRAIN}/{coco_name(TRAIN, 25)}",
        f"{VAL}/{coco_name(VAL, 42)}",
    )
    assert splits(vqa) == splits(vqa, FILES[1]) == {one: "train", two: "train", three: "val"}
    known = seen(vqa)
    dog = Box("dog", 1.0, 0.25, 0.25, 0.75, 0.75)
    assert known[one].boxes == (dog, Box("person", 1.0, 0.75, 0.66667, 1.0, 0.83333), dog)
    assert known[one].scores == {"person": 1.0, "dog": 1.0}
    assert known[one].present == {"person", "dog"}
    assert known[one].counts == {"dog": 2}  # nobody counts a crowd
    assert known[two] == ImageObjects((), {}, frozenset(), {})  # looked at, and nothing is there
    assert known[three].boxes == (Box("tv", 1.0, 0, 0, 1, 1),)
    assert all((vqa / "images" / name).is_file() for name in known)
    assert build_coco_objects(BuildOptions(vqa), [train, val]).unchanged
    (vqa / FILES[1]).write_text("damaged", encoding="utf-8")
    assert not build_coco_objects(BuildOptions(vqa), [train, val]).unchanged
    assert seen(vqa) == known


def test_questions_say_which_split_a_picture_is_in(vqa: Path) -> None:
    rows = (vqa / "vqa.jsonl").read_text(encoding="utf-8").replace('"train"', '"val"', 1)
    (vqa / "vqa.jsonl").write_text(rows, encoding="utf-8")
    prepare(vqa, DOG)
    assert [*splits(vqa).values()] == ["val", "train"]
    (vqa / "vqa.jsonl").unlink()
    assert not prepare(vqa, DOG).unchanged
    assert [*splits(vqa).values()] == ["train", "train"]


def test_what_is_absent_is_counted_and_said(vqa: Path) -> None:
    beside = annotation(9, "dog", [9, 1, 2, 2])
    flat = annotation(9, "bus", [1, 1, 3, 0])
    done = prepare(vqa, DOG, beside, flat, annotation(77, "dog", [0, 0, 1, 1]), ids=(9, 9, 12, 25))
    name = coco_name(TRAIN, 9)
    said = (
        f"Boxes outside of their pictures: 1 ({TRAIN}/{name}).",
        f"Pictures that appear twice: 1 ({name}).",
        f"Pictures without a file: 1 ({coco_name(TRAIN, 12)}).",
        "Annotations without a picture in instances_train2014.json: 1 (77).",
    )
    assert done.warnings == said
    assert done.counts["train"]["rows"] == 2
    known = seen(vqa)[f"{TRAIN}/{name}"]
    assert len(known.boxes) == 1
    assert known.counts == {"dog": 2, "bus": 1}  # though it has no height
    assert set(said) <= set(read_warnings(vqa))  # as training will say again
    with pytest.raises(DataError, match=r"^No pictures could be prepared; pictures without a file"):
        prepare(vqa, DOG, ids=(13,))
    assert set(splits(vqa)) >= {f"{TRAIN}/{name}"}  # what was there before stays
    with pytest.raises(DataError, match="Pictures without a file"):
        prepare(vqa, DOG, ids=(9, 13), strict=True)
    assert prepare(vqa, DOG, limit=1).counts == {"train": {"rows": 1, "pictures": 1}}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"bbox": [1, 2, 3]}, "Annotation 1 of PATH should hold [x, y, width, height] in pixels"),
        ({"bbox": [1, 2, 3, float("nan")]}, "should hold [x, y, width, height] in pixels"),
        ({"bbox": [1, 2, 10**400, 3]}, "should hold [x, y, width, height] in pixels"),
        ({"bbox": [1, 2, 3, "4"]}, "should hold [x, y, width, height] in pixels"),
        ({"bbox": [1, 2, -3, 4]}, "Annotation 1 of PATH holds a box of a negative size."),
        ({"category_id": 2}, "Annotation 1 of PATH is of a category that the file does not name."),
        ({"category_id": "2"}, "should hold a whole number under 'category_id'."),
        ({"image_id": None}, "should hold a whole number under 'image_id'."),
        ({"iscrowd": "no"}, "Annotation 1 of PATH should hold 0 or 1 under 'iscrowd'."),
    ],
)
def test_corrupt_annotations_are_one_sentence(
    vqa: Path, change: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(DataError) as caught:
        prepare(vqa, {**DOG, **change})
    assert sentence.replace("PATH", str(vqa.parent / "instances_train2014.json")) in str(
        caught.value
    )
    assert not any((vqa / name).exists() for name in FILES)
    assert not [*vqa.glob("*.part")]


@pytest.mark.parametrize(
    ("part", "value", "sentence"),
    [
        ("images", [], "should hold a list under 'images'."),
        ("images", [{"id": 9}], "should hold a text under 'file_name'."),
        (
            "images", [{"id": 9, "file_name": "../9.jpg", "width": 8, "height": 6}],
            "names the picture '../9.jpg', which is no name inside a folder.",
        ),
        (
            "images", [{"id": 9, "file_name": "9.jpg", "width": 8, "height": 0}],
            "Picture 1 of PATH should be at least one pixel wide and high.",
        ),
        ("annotations", ["a"], "Annotation 1 of PATH is not a JSON object."),
        ("categories", None, "should hold a list under 'categories'."),
        (
            "categories", [{"id": 1, "name": "unicorn"}],
            "Category 1 of PATH is 'unicorn', which is none of COCO's 80 classes.",
        ),
    ],
)  # fmt: skip
def test_damaged_files_are_one_sentence(vqa: Path, part: str, value: Any, sentence: str) -> None:
    path = instances_file(vqa.parent, TRAIN, [9], [DOG])
    write_json(path, json.loads(path.read_text(encoding="utf-8")) | {part: value})
    with pytest.raises(DataError) as caught:
        build_coco_objects(BuildOptions(vqa), [path])
    assert sentence.replace("PATH", str(path)) in str(caught.value)
    path.write_text(path.read_text(encoding="utf-8")[:-30], encoding="utf-8")
    with pytest.raises(DataError, match=r"instances_train2014\.json is not valid JSON\.$"):
        build_coco_objects(BuildOptions(vqa), [path])


def test_nobodys_objects_are_written_over(vqa: Path) -> None:
    (vqa / FILES[0]).write_text("a teacher's", encoding="utf-8")
    with pytest.raises(DataError, match=r"detections\.jsonl is there already"):
        prepare(vqa, DOG)
    assert (vqa / FILES[0]).read_text(encoding="utf-8") == "a teacher's"
    with pytest.raises(DataError, match="There are no pictures in"):
        build_coco_objects(
            BuildOptions(vqa.parent / "new"), [vqa.parent / "instances_train2014.json"]
        )
    assert not (vqa.parent / "new").exists()


def test_an_interruption_is_made_good_and_known_until_then(
    vqa: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("data.datasets.manifest.JsonLinesWriter.publish", lambda sink: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            prepare(vqa, DOG)
    with pytest.raises(DataError, match=r"is not whole; run glimpse data again\.$"):
        read_warnings(vqa)
    assert not prepare(vqa, DOG).unchanged
    assert len(read_warnings(vqa)) == 2  # what is missing of VQA v2
    assert not [*vqa.glob("*.part")]
