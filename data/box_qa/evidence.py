"""What is sure of a picture, from a detector's boxes and from what people say is there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from data.datasets.objects import COCO_CLASSES, Box, SeenObjects

SURE = 0.5  # a box's score from which on its object is there: right in 97 % of COCO's pictures
NAMED = 0.35  # the same, where people say that such an object is in the picture
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
        there: Classes that are there.
        absent: Classes that are not.
        unseen: Classes that the detector sees no trace of, and that people do not name.
        counts: How many there are of some classes; at most `MOST`.
        boxes: Boxes whose objects are there.
        single: The box of each class of which there is exactly one, to be called "the dog".
        crowded: Every box that may be right, the unsure ones too.
    """

    there: frozenset[str]
    absent: frozenset[str]
    unseen: frozenset[str]
    counts: dict[str, int]
    boxes: tuple[Box, ...]
    single: dict[str, Box]
    crowded: tuple[Box, ...]


def weigh(seen: SeenObjects) -> Evidence:
    """Takes out of what is known of a picture all that is sure."""
    boxes = [box for box in seen.boxes if seen.present is None or box.name in seen.present]
    bar = SURE if seen.present is None else NAMED
    sure = tuple(box for box in boxes if box.score >= bar and not _has_rival(box, boxes))
    traced = {name for name, score in seen.scores.items() if score >= ABSENT}
    traced.update(box.name for box in seen.boxes)
    there = frozenset(box.name for box in sure) if seen.present is None else seen.present
    unseen = _ALL - traced - there
    absent = unseen if seen.present is None else _ALL - seen.present
    counts = _counts(seen, boxes, sure)
    single = {
        box.name: box
        for box in sure
        if counts.get(box.name, 1) == 1 and all(_is_of(other, box) for other in boxes)
    }
    return Evidence(there, absent, unseen, counts, sure, single, tuple(boxes))


def _has_rival(box: Box, boxes: Sequence[Box]) -> bool:
    """Whether another class claims the same place nearly as surely."""
    return any(
        other.name != box.name
        and other.score >= _RIVAL * box.score
        and box.overlap(other) > _SAME_PLACE
        for other in boxes
    )


def _is_of(other: Box, box: Box) -> bool:
    """Whether a box is no second object of the kind: itself, a part of it, or another thing."""
    return (
        other.name != box.name
        or other == box
        or (other.score < box.score and other.inside(box) >= _PART)
    )


def _counts(seen: SeenObjects, boxes: Sequence[Box], sure: Sequence[Box]) -> dict[str, int]:
    """People's counts; without them, those of classes all of whose boxes are clear."""
    if seen.counts:
        return {name: count for name, count in seen.counts.items() if 0 < count <= MOST}
    every = Counter(box.name for box in boxes)
    clear = Counter(box.name for box in sure if box.score >= COUNTED)
    return {name: count for name, count in clear.items() if count == every[name] <= MOST}
