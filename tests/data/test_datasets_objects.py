"""Objects of pictures: boxes that follow mirrors, and files that may be damaged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from data.datasets.objects import COCO_CLASSES, Box, ImageObjects, read_areas, read_objects
from data.errors import DataError

DOG = Box("dog", 0.9, 0.1, 0.2, 0.4, 0.8)
UNKNOWN = ", which is none of COCO's 80 classes."
ROW: dict[str, Any] = {
    "image": "a.jpg",
    "boxes": [["dog", 0.9, -0.02, 0.2, 0.4, 1.01]],
    "scores": {"dog": 0.9, "cat": 0.06},
}


def write(path: Path, *rows: Any) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def edges(box: Box) -> list[float]:
    return [box.left, box.top, box.right, box.bottom]


def test_there_are_80_classes_in_cocos_order() -> None:
    assert len(set(COCO_CLASSES)) == len(COCO_CLASSES) == 80
    known = {0: "person", 15: "cat", 16: "dog", 41: "cup", 60: "dining table", 79: "toothbrush"}
    assert {place: COCO_CLASSES[place] for place in known} == known


def test_a_mirrored_box_is_as_far_from_the_other_edge() -> None:
    assert edges(DOG.mirrored()) == pytest.approx([0.6, 0.2, 0.9, 0.8])
    assert edges(DOG.mirrored().mirrored()) == pytest.approx(edges(DOG))
    cat = Box("cat", 0.5, 0.5, 0, 1, 1)
    seen = ImageObjects((DOG, cat), {"dog": 0.9}, frozenset({"dog"}), {"dog": 1})
    mirrored = seen.mirrored()
    assert mirrored.boxes == (DOG.mirrored(), cat.mirrored())
    assert (mirrored.scores, mirrored.present, mirrored.counts) == (
        seen.scores, seen.present, seen.counts,
    )  # fmt: skip


def test_overlaps() -> None:
    half = Box("cat", 0.5, 0.1, 0.2, 0.25, 0.8)
    assert DOG.iou(half) == pytest.approx(0.5)
    assert half.intersection(DOG) == DOG.intersection(half) == pytest.approx(half.area)
    assert DOG.iou(Box("cat", 0.5, 0.5, 0.9, 1, 1)) == 0


def test_detections_and_people_are_joined_by_picture(tmp_path: Path) -> None:
    detections = write(tmp_path / "detections.jsonl", ROW, {"image": "b.jpg", "boxes": []})
    people = write(
        tmp_path / "objects.jsonl",
        {"image": "a.jpg", "objects": ["dog", "cup"], "counts": {"cup": 2}},
        {"image": "gone.jpg", "objects": ["cat"]},
    )
    assert read_objects(detections, people) == {
        "a.jpg": ImageObjects(
            (Box("dog", 0.9, 0, 0.2, 0.4, 1),),  # the detector guesses beyond the edges
            {"dog": 0.9, "cat": 0.06},
            frozenset({"dog", "cup"}),
            {"cup": 2},
        ),
        "b.jpg": ImageObjects(),
    }
    assert read_objects(detections)["a.jpg"].present is None


def test_areas_have_classes_of_their_own(tmp_path: Path) -> None:
    file = write(tmp_path / "areas.jsonl", {"image": "a.jpg", "objects": {"sky": 0.4, "dog": 0}})
    assert read_areas(file) == {"a.jpg": {"sky": 0.4, "dog": 0.0}}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"image": None}, "should hold a text under 'image'."),
        ({"boxes": None}, "should hold a list under 'boxes'."),
        ({"boxes": [["dog", 0.9]]}, "holds a box that is not [class, score, x1, y1, x2, y2]."),
        ({"boxes": [["yeti", 0.9, 0, 0, 1, 1]]}, "names 'yeti'" + UNKNOWN),
        ({"boxes": [[["dog"], 0.9, 0, 0, 1, 1]]}, "names ['dog']" + UNKNOWN),
        ({"boxes": [["dog", 9, 0, 0, 1, 1]]}, "holds 9 where a share from 0 to 1 should be."),
        ({"boxes": [["dog", 0.9, "0", 0, 1, 1]]}, "holds '0' where an edge of a box should be."),
        (
            {"boxes": [["dog", 0.9, float("nan"), 0, 1, 1]]},
            "holds nan where an edge of a box should be.",
        ),
        ({"boxes": [["dog", 0.9, 0.5, 0, 0.5, 1]]}, "holds a box without any area."),
        ({"boxes": [["dog", 0.9, 1.1, 0, 1.2, 1]]}, "holds a box without any area."),
        ({"scores": ["dog"]}, "should hold numbers by class under 'scores'."),
        ({"scores": {"dog": True}}, "holds True where a share from 0 to 1 should be."),
    ],
)  # fmt: skip
def test_a_damaged_detection_is_named(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    file = write(tmp_path / "detections.jsonl", ROW, ROW | change)
    with pytest.raises(DataError) as caught:
        read_objects(file)
    assert str(caught.value) == f"Line 2 of {file} {said}"


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"image": "a.jpg"}, "should hold a list under 'objects'"),
        ({"image": "a.jpg", "objects": ["yeti"]}, "names 'yeti'"),
        ({"image": "a.jpg", "objects": [], "counts": {"dog": 1.5}}, "holds 1.5 where a count"),
        ({"image": "a.jpg", "objects": [], "counts": {"dog": -1}}, "holds -1 where a count"),
    ],
)
def test_a_damaged_word_of_people_is_named(tmp_path: Path, row: Any, said: str) -> None:
    detections = write(tmp_path / "detections.jsonl", ROW)
    with pytest.raises(DataError, match=f"Line 1 of .*objects.jsonl {said}"):
        read_objects(detections, write(tmp_path / "objects.jsonl", row))


@pytest.mark.parametrize("objects", [None, ["sky"], {"sky": 1.2}])
def test_damaged_areas_are_named(tmp_path: Path, objects: Any) -> None:
    file = write(tmp_path / "areas.jsonl", {"image": "a.jpg", "objects": objects})
    with pytest.raises(DataError, match="Line 1 of"):
        read_areas(file)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is missing"):
        read_objects(tmp_path / "gone.jsonl")
