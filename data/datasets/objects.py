"""The objects of pictures: where a detector sees them, and what people say is there.

Everything is in shares of the picture, so that it holds for any size of it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from data.datasets.records import DataError, Row, rows_of

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
# In a folder of pictures: what a detector sees, and what people say is there.
BOXES, PEOPLE = "detections.jsonl", "objects.jsonl"
SMALLEST_LEFT = 0.4  # the share of a box that has to stay inside a crop
_KNOWN = frozenset(COCO_CLASSES)


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

    def cropped(self, left: float, top: float, right: float, bottom: float) -> Box | None:
        """The box in a crop of the picture, or None if less than `SMALLEST_LEFT` of it is inside.

        Args:
            left: Left edge of the crop, in shares of the picture, as are the others.
            top: Top edge.
            right: Right edge.
            bottom: Bottom edge.
        """
        inside = Box(
            self.name,
            self.score,
            max(self.left, left),
            max(self.top, top),
            min(self.right, right),
            min(self.bottom, bottom),
        )
        if inside.right <= inside.left or inside.bottom <= inside.top:
            return None
        if inside.area < SMALLEST_LEFT * self.area:
            return None
        width, height = right - left, bottom - top
        return Box(
            self.name,
            self.score,
            (inside.left - left) / width,
            (inside.top - top) / height,
            (inside.right - left) / width,
            (inside.bottom - top) / height,
        )

    def overlap(self, other: Box) -> float:
        """Intersection over union with another box, 0..1."""
        shared = self._shared(other)
        return shared / (self.area + other.area - shared)

    def inside(self, other: Box) -> float:
        """The part of this box that lies inside another one, 0..1."""
        return self._shared(other) / self.area

    def _shared(self, other: Box) -> float:
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(width, 0.0) * max(height, 0.0)


@dataclass(frozen=True)
class SeenObjects:
    """What is known of the objects in one picture.

    Attributes:
        boxes: The detector's boxes.
        scores: Its score of each class anywhere in the picture, 0..1; one that is absent has less
            than .04.
        present: The classes that people say are there, all of them; None if nobody looked.
        counts: How many of a class people counted, for some classes.
    """

    boxes: tuple[Box, ...] = ()
    scores: Mapping[str, float] = field(default_factory=dict)
    present: frozenset[str] | None = None
    counts: Mapping[str, int] = field(default_factory=dict)

    def mirrored(self) -> SeenObjects:
        """What is known of the mirror image."""
        return replace(self, boxes=tuple(box.mirrored() for box in self.boxes))


def read_objects(detections: Path, people: Path | None = None) -> dict[str, SeenObjects]:
    """What is known of the objects of pictures, by the name of the picture.

    Args:
        detections: JSON lines with `image`, `boxes` ([class, score, left, top, right, bottom]) and
            `scores` of COCO's classes.
        people: JSON lines with `image`, `objects` (all that is there) and perhaps `counts`.
            Pictures without detections are left out.

    Raises:
        DataError: A file is missing, or a row is not what it should be.
    """
    seen = {}
    for row in rows_of(detections):
        boxes = tuple(_box(values, row) for values in _list(row, "boxes"))
        scores = {_class(name, row): _share(value, row) for name, value in _table(row, "scores")}
        seen[row.text("image")] = SeenObjects(boxes, scores)
    for row in rows_of(people) if people else ():
        name = row.text("image")
        present = frozenset(_class(thing, row) for thing in _list(row, "objects"))
        counts = {
            _class(thing, row): _count(number, row) for thing, number in _table(row, "counts")
        }
        if name in seen:
            seen[name] = replace(seen[name], present=present, counts=counts)
    return seen


def read_folder(folder: Path, *, masks: bool = False) -> dict[str, SeenObjects]:
    """What is known of the objects of a folder's pictures, by their names in it.

    Args:
        folder: Holds `BOXES`, and perhaps `PEOPLE`.
        masks: Whether the latter holds shares of the picture, for `read_areas`, and no objects.

    Raises:
        DataError: A file is missing, or a row is not what it should be.
    """
    people = folder / PEOPLE
    return read_objects(folder / BOXES, people if people.is_file() and not masks else None)


def read_areas(path: Path) -> dict[str, Mapping[str, float]]:
    """The share of the picture that each class of things and stuff covers, by picture name.

    Args:
        path: JSON lines with `image` and `objects` (class: share), as made of ADE20K's masks. The
            classes are the file's own ("sky", "wall"), and all that is there is named.

    Raises:
        DataError: The file is missing, or a row is not what it should be.
    """
    areas: dict[str, Mapping[str, float]] = {}
    for row in rows_of(path):
        if "objects" not in row:
            raise DataError(f"{row.where} should hold shares by class under 'objects'.")
        shares = {name: _share(value, row) for name, value in _table(row, "objects")}
        areas[row.text("image")] = shares
    return areas


def _list(row: Row, key: str) -> list[Any]:
    value = row.values.get(key)
    if not isinstance(value, list):
        raise DataError(f"{row.where} should hold a list under {key!r}.")
    return value


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
    if not isinstance(name, str) or name not in _KNOWN:
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
