"""Objects of pictures: a detector's boxes and scores, and the classes that people labelled.

Coordinates are shares of the picture's width and height, so that they hold for any size of it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from data.datasets.records import Row, parse_rows
from data.errors import DataError

COCO_CLASSES = (
    "person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat",
    "traffic light", "fire hydrant", "stop sign", "parking meter", "bench", "bird", "cat", "dog",
    "horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe", "backpack", "umbrella",
    "handbag", "tie", "suitcase", "frisbee", "skis", "snowboard", "sports ball", "kite",
    "baseball bat", "baseball glove", "skateboard", "surfboard", "tennis racket", "bottle",
    "wine glass", "cup", "fork", "knife", "spoon", "bowl", "banana", "apple", "sandwich", "orange",
    "broccoli", "carrot", "hot dog", "pizza", "donut", "cake", "chair", "couch", "potted plant",
    "bed", "dining table", "toilet", "tv", "laptop", "mouse", "remote", "keyboard", "cell phone",
    "microwave", "oven", "toaster", "sink", "refrigerator", "book", "clock", "vase", "scissors",
    "teddy bear", "hair drier", "toothbrush",
)  # fmt: skip
# Files of a dataset's folder.
DETECTIONS_FILE = "detections.jsonl"  # boxes and scores of a detector
LABELS_FILE = "objects.jsonl"  # the classes that people say are there
_CLASSES = frozenset(COCO_CLASSES)


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle around an object.

    Attributes:
        name: Class of the object.
        score: How sure the detector is, 0..1.
        left: Left edge, in shares of the picture's width.
        top: Top edge, in shares of its height.
        right: Right edge.
        bottom: Bottom edge.
    """

    name: str
    score: float
    left: float
    top: float
    right: float
    bottom: float

    @property
    def area(self) -> float:
        """Share of the picture that the box covers."""
        return (self.right - self.left) * (self.bottom - self.top)

    @property
    def centre(self) -> tuple[float, float]:
        """Its middle, from the left and from the top."""
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2

    def mirrored(self) -> Box:
        """The box in the picture's mirror image."""
        return Box(self.name, self.score, 1 - self.right, self.top, 1 - self.left, self.bottom)

    def iou(self, other: Box) -> float:
        """Intersection over union with another box, 0..1."""
        shared = self.intersection(other)
        return shared / (self.area + other.area - shared)

    def intersection(self, other: Box) -> float:
        """Share of the picture that both boxes cover."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(width, 0.0) * max(height, 0.0)


@dataclass(frozen=True)
class ImageObjects:
    """The objects of one picture, from a detector and from people.

    Attributes:
        boxes: The detector's boxes.
        scores: Its score of each class anywhere in the picture, 0..1; one that is absent has less
            than .04.
        present: The classes that people labelled, all that are there; None if nobody looked.
        counts: How many of a class people counted, for some classes.
    """

    boxes: tuple[Box, ...] = ()
    scores: Mapping[str, float] = field(default_factory=dict)
    present: frozenset[str] | None = None
    counts: Mapping[str, int] = field(default_factory=dict)

    def mirrored(self) -> ImageObjects:
        """The objects of the mirror image."""
        return replace(self, boxes=tuple(box.mirrored() for box in self.boxes))


def read_objects(detections: Path, labels: Path | None = None) -> dict[str, ImageObjects]:
    """The objects of pictures, by the name of the picture.

    Args:
        detections: JSON lines with `image`, `boxes` ([class, score, left, top, right, bottom]) and
            `scores` of COCO's classes.
        labels: JSON lines with `image`, `objects` (all classes that are there) and perhaps
            `counts`. Pictures without detections are left out.

    Raises:
        DataError: A file is missing, or a row is not what it should be.
    """
    objects = {}
    for row in parse_rows(detections):
        boxes = tuple(_box(values, row) for values in row.items("boxes", may_be_empty=True))
        scores = {_class(name, row): _share(value, row) for name, value in _table(row, "scores")}
        objects[row.text("image")] = ImageObjects(boxes, scores)
    for row in parse_rows(labels) if labels else ():
        image = row.text("image")
        present = frozenset(_class(name, row) for name in row.items("objects", may_be_empty=True))
        counts = {_class(name, row): _count(value, row) for name, value in _table(row, "counts")}
        if image in objects:
            objects[image] = replace(objects[image], present=present, counts=counts)
    return objects


def read_objects_folder(folder: Path, *, masks: bool = False) -> dict[str, ImageObjects]:
    """The objects of a folder's pictures, by their names in it.

    Args:
        folder: Holds `DETECTIONS_FILE`, and perhaps `LABELS_FILE`.
        masks: Whether the latter holds shares of the picture, for `read_areas`, and no labels.

    Raises:
        DataError: A file is missing, or a row is not what it should be.
    """
    labels = folder / LABELS_FILE
    return read_objects(folder / DETECTIONS_FILE, None if masks or not labels.is_file() else labels)


def read_areas(path: Path) -> dict[str, Mapping[str, float]]:
    """The share of the picture that each class of things and stuff covers, by picture name.

    Args:
        path: JSON lines with `image` and `objects` (class: share), as made of ADE20K's masks. The
            classes are the file's own ("sky", "wall"), and all that is there is named.

    Raises:
        DataError: The file is missing, or a row is not what it should be.
    """
    areas: dict[str, Mapping[str, float]] = {}
    for row in parse_rows(path):
        if "objects" not in row:
            raise DataError(f"{row.where} should hold shares by class under 'objects'.")
        shares = {name: _share(value, row) for name, value in _table(row, "objects")}
        areas[row.text("image")] = shares
    return areas


def _table(row: Row, key: str) -> list[tuple[str, Any]]:
    value = row.values.get(key)
    if value is None:
        return []
    if not isinstance(value, dict):
        raise DataError(f"{row.where} should hold numbers by class under {key!r}.")
    return list(value.items())


def _box(values: Any, row: Row) -> Box:
    if not isinstance(values, list) or len(values) != 6:
        raise DataError(f"{row.where} holds a box that is not [class, score, x1, y1, x2, y2].")
    name, score, left, top, right, bottom = values
    edges = [_edge(value, row) for value in (left, top, right, bottom)]
    box = Box(_class(name, row), _share(score, row), *edges)
    if box.left >= box.right or box.top >= box.bottom:
        raise DataError(f"{row.where} holds a box without any area.")
    return box


def _class(name: Any, row: Row) -> str:
    if not isinstance(name, str) or name not in _CLASSES:
        raise DataError(f"{row.where} names {name!r}, which is none of COCO's 80 classes.")
    return name


def _share(value: Any, row: Row) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise DataError(f"{row.where} holds {value!r} where a share from 0 to 1 should be.")
    return float(value)


def _edge(value: Any, row: Row) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise DataError(f"{row.where} holds {value!r} where an edge of a box should be.")
    return min(max(float(value), 0.0), 1.0)  # detectors guess what lies beyond the picture's edge


def _count(value: Any, row: Row) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise DataError(f"{row.where} holds {value!r} where a count should be.")
    return value
