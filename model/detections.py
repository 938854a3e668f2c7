"""What the object head sees in a picture, as plain values, and which of it is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from model.requests import DetectedObject

COUNT_THRESHOLD = 0.4  # score from which a box counts
MAX_OBJECTS = 10  # told of a picture
CONTAINMENT = 0.6  # share of a box inside another from which only the surer one is told
Corners = tuple[float, float, float, float]


@dataclass(frozen=True)
class Detections:
    """What the object head sees in one picture.

    Attributes:
        objects: To be told, the surest first.
        probabilities: Whether an object of each class is there, 0..1 (K).
        counts: How many of each class have a box (K).
    """

    objects: tuple[DetectedObject, ...] = ()
    probabilities: tuple[float, ...] = ()
    counts: tuple[int, ...] = ()


class FoundBoxes(Protocol):
    """Boxes of B pictures, M of each, the surest first: arrays or tensors."""

    @property
    def classes(self) -> Any:
        """Of each box (B, M)."""

    @property
    def scores(self) -> Any:
        """0..1, and 0 for a box that is another's double (B, M)."""

    @property
    def corners(self) -> Any:
        """Left, top, right, bottom in shares of the picture, 0..1 (B, M, 4)."""


def detections_of(
    boxes: FoundBoxes, probabilities: Any, counts: Any, names: Sequence[str]
) -> list[Detections]:
    """What is seen in B pictures.

    Args:
        boxes: What was found in them.
        probabilities: Of each class in each picture (B, K), an array or a tensor.
        counts: How many boxes of each class count (B, K), likewise.
        names: Of the classes.
    """
    found = zip(
        select_objects(boxes, probabilities, names),
        probabilities.tolist(),
        counts.tolist(),
        strict=True,
    )
    return [
        Detections(objects, tuple(there), tuple(int(each) for each in many))
        for objects, there, many in found
    ]


def select_objects(
    boxes: FoundBoxes, picture: Any, names: Sequence[str]
) -> list[tuple[DetectedObject, ...]]:
    """The objects to tell of each picture, the surest first.

    Args:
        boxes: What was found in the pictures.
        picture: Probability of each class in each picture (B, K), an array or a tensor.
        names: Of the classes.
    """
    selected: list[tuple[DetectedObject, ...]] = []
    for row in range(len(picture)):
        objects: list[DetectedObject] = []
        of = (part[row].tolist() for part in (boxes.classes, boxes.scores, boxes.corners))
        for number, score, (left, top, right, bottom) in zip(*of, strict=True):
            there = float(picture[row, number])
            if not score or there < 0.5:
                continue
            found = DetectedObject(names[number], there, (left, top, right, bottom))
            same = [it.box for it in objects if it.name == found.name]
            # The surest box of what is surely there is told, however faint it is.
            if not same or (
                score >= COUNT_THRESHOLD and not any(_contained(found.box, it) for it in same)
            ):
                objects.append(found)
        objects.sort(key=lambda it: -it.score)
        selected.append(tuple(objects[:MAX_OBJECTS]))
    return selected


def _contained(one: Corners, other: Corners) -> bool:
    """Whether most of one box lies in another, or the other way round."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    areas = ((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return width > 0 and height > 0 and width * height > CONTAINMENT * min(areas)
