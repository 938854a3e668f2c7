"""What is sure of a picture, from a detector's boxes and from the classes that people labelled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from data.datasets.objects import COCO_CLASSES, Box, ImageObjects

SURE = 0.5  # a box's score from which on its object is there: right in 97 % of COCO's pictures
LABELLED = 0.35  # the same, where people say that such an object is in the picture
COUNTED = 0.5  # what every box of a class has to have for their number to be right
ABSENT = 0.08  # a class's score below which it is nowhere in the picture
MOST = 10  # the largest number that is asked for
_SAME_PLACE = 0.6  # boxes of two classes that overlap so much are one object with two names
_RIVAL = 0.6  # how much of a box's score the other name needs to make the box unsure
_PART = 0.8  # how much of a box lies inside a surer one of the class that is a part of that one
_ALL = frozenset(COCO_CLASSES)


@dataclass(frozen=True)
class Evidence:
    """What is sure of one picture.

    Attributes:
        present: Classes that are there.
        absent: Classes that are not.
        undetected: Classes that the detector sees no trace of, and that people do not name.
        counts: How many there are of some classes; at most `MOST`.
        boxes: Boxes whose objects are there.
        single: The box of each class of which there is exactly one, to be called "the dog".
        candidates: Every box that may be right, the unsure ones too.
    """

    present: frozenset[str]
    absent: frozenset[str]
    undetected: frozenset[str]
    counts: dict[str, int]
    boxes: tuple[Box, ...]
    single: dict[str, Box]
    candidates: tuple[Box, ...]

    @classmethod
    def of(cls, objects: ImageObjects) -> Evidence:
        """Takes out of what is known of a picture all that is sure."""
        labels = objects.present
        boxes = [box for box in objects.boxes if labels is None or box.name in labels]
        bar = SURE if labels is None else LABELLED
        sure = tuple(box for box in boxes if box.score >= bar and not _has_rival(box, boxes))
        traced = {name for name, score in objects.scores.items() if score >= ABSENT}
        traced.update(box.name for box in objects.boxes)
        present = frozenset(box.name for box in sure) if labels is None else labels
        undetected = _ALL - traced - present
        absent = undetected if labels is None else _ALL - labels
        counts = _counts(objects, boxes, sure)
        single = {
            box.name: box
            for box in sure
            if counts.get(box.name, 1) == 1 and all(_is_no_second(other, box) for other in boxes)
        }
        return cls(present, absent, undetected, counts, sure, single, tuple(boxes))


def _has_rival(box: Box, boxes: Sequence[Box]) -> bool:
    """Whether another class claims the same place nearly as surely."""
    return any(
        other.name != box.name
        and other.score >= _RIVAL * box.score
        and box.iou(other) > _SAME_PLACE
        for other in boxes
    )


def _is_no_second(other: Box, box: Box) -> bool:
    """Whether a box is no second object of the kind: itself, a part of it, or another thing."""
    return (
        other.name != box.name
        or other == box
        or (other.score < box.score and other.intersection(box) / other.area >= _PART)
    )


def _counts(objects: ImageObjects, boxes: Sequence[Box], sure: Sequence[Box]) -> dict[str, int]:
    """People's counts; without them, those of classes all of whose boxes are clear."""
    if objects.counts:
        return {name: count for name, count in objects.counts.items() if 0 < count <= MOST}
    every = Counter(box.name for box in boxes)
    clear = Counter(box.name for box in sure if box.score >= COUNTED)
    return {name: count for name, count in clear.items() if count == every[name] <= MOST}
