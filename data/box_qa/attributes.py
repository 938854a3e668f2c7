"""Where things are: in the picture, and beside, above or below one another.

A question that would have another answer in the mirror image holds the word "left" or "right",
by which training knows not to mirror the picture.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache

from data.box_qa import wording
from data.box_qa.evidence import Evidence
from data.datasets.objects import Box
from data.questions.topics import Topic, Topics

_NARROW = 0.45  # the widest or highest box that is on one side of the picture only
_EDGE = 0.36  # a centre before this is on the left (and after 1 - this on the right)
_MIDDLE = 0.42  # a centre between this and 1 - this is in the middle
_APART = 0.15  # the least distance of two centres, for one to be left of the other
_SHARED = 0.2  # how much of the narrower one may be left and right of the other's edge
_LEVEL = 0.3  # how much of the lower one two things beside each other share in height
_LIKELY = 0.34  # the largest part of one answer to "What is to the left of …?"

_SIDE = """
Is the {a} on the left or on the right?
Is the {a} on the left or the right side of the picture?
Is the {a} on the right or on the left?
Which side of the picture is the {a} on, left or right?
Where is the {a}, left or right?
is the {a} on the right or left side
"""
_THIRD = """
Is the {a} on the left, in the middle or on the right?
Where in the picture is the {a}: left, middle or right?
Where is the {a}: left, right or middle?
"""
_CORNER = """
Where in the picture is the {a}: top left, top right, bottom left or bottom right?
Which corner is the {a} nearest to: top left, top right, bottom left or bottom right?
Is the {a} at the top left, top right, bottom left or bottom right?
"""
_HEIGHT = """
Is the {a} at the top or at the bottom of the picture?
Is the {a} in the upper or the lower part of the picture: top or bottom?
Where is the {a}, top or bottom?
"""
_IS_ON = """
Is the {a} on the {side} side of the picture?
Is the {a} on the {side}?
is the {a} on the {side} side
Is the {a} in the {side} half of the image?
"""
_LEFT_OF = """
Is the {a} to the left of the {b}?
Is the {a} left of the {b}?
Is the {a} on the left side of the {b}?
Is the {b} to the right of the {a}?
Is the {b} right of the {a}?
is the {b} on the right of the {a}
"""
_WHICH_SIDE = """
Is the {a} to the left or right of the {b}?
Is the {a} left or right of the {b}?
Is the {a} to the right or to the left of the {b}?
On which side of the {b} is the {a}, left or right?
"""
_HIGHER = """
Is the {a} higher up in the picture than the {b}?
Is the {a} higher in the photo than the {b}?
Is the {b} lower down in the picture than the {a}?
Is the {b} lower in the photo than the {a}?
"""
_WHAT = """
What is to the {side} of the {a}?
What is {side} of the {a}?
What is on the {side} side of the {a}?
What's to the {side} of the {a}?
What do you see to the {side} of the {a}?
"""


def add_places(topics: Topics, evidence: Sequence[Evidence]) -> None:
    """Notes the questions for places."""
    for picture, sure in enumerate(evidence):
        single = [pair for pair in sorted(sure.single.items()) if pair[0] not in wording.UNCOUNTED]
        for kind, box in single:
            found = [*_in_the_picture(kind, box), *_neighbours(kind, box, sure)]
            for other, its in single:
                if other != kind:
                    found += _of_two(kind, box, other, its)
            for topic, answer in found:
                topics.add(topic, answer, picture)


def _in_the_picture(kind: str, box: Box) -> Iterator[tuple[Topic, str]]:
    across, down = box.centre
    column = _third(across) if box.right - box.left <= _NARROW else None
    line = _third(down) if box.bottom - box.top <= _NARROW else None
    if column is not None:
        yield _topic("third", _THIRD, kind, share=0.4), ("left", "middle", "right")[column]
    if column in (0, 2):
        yield _topic("side", _SIDE, kind), "left" if column == 0 else "right"
        yield _topic("on", _IS_ON, kind, side="left"), "yes" if column == 0 else "no"
        yield _topic("on", _IS_ON, kind, side="right"), "no" if column == 0 else "yes"
    if line in (0, 2):
        height = "top" if line == 0 else "bottom"
        yield _topic("height", _HEIGHT, kind), height
        if column in (0, 2):
            corner = f"{height} {'left' if column == 0 else 'right'}"
            yield _topic("corner", _CORNER, kind, share=0.3), corner


def _third(centre: float) -> int | None:
    """0 near the left or top edge, 1 in the middle, 2 at the other edge; None if between."""
    if _MIDDLE < centre < 1 - _MIDDLE:
        return 1
    return 0 if centre < _EDGE else 2 if centre > 1 - _EDGE else None


def _of_two(kind: str, box: Box, other: str, its: Box) -> Iterator[tuple[Topic, str]]:
    if _is_left(box, its) or _is_left(its, box):
        left = _is_left(box, its)
        yield _topic("left of", _LEFT_OF, kind, other), "yes" if left else "no"
        yield _topic("which side of", _WHICH_SIDE, kind, other), "left" if left else "right"
    if _is_higher(box, its) or _is_higher(its, box):
        yield _topic("higher than", _HIGHER, kind, other), "yes" if _is_higher(box, its) else "no"


def _is_left(one: Box, other: Box) -> bool:
    """Whether a box is clearly left of another; 0.2 of the narrower one may be on both sides."""
    narrower = min(one.right - one.left, other.right - other.left)
    far = other.centre[0] - one.centre[0] >= _APART
    return far and one.right - other.left <= _SHARED * narrower


def _is_higher(one: Box, other: Box) -> bool:
    lower = min(one.bottom - one.top, other.bottom - other.top)
    far = other.centre[1] - one.centre[1] >= _APART
    return far and one.bottom - other.top <= _SHARED * lower


def _neighbours(kind: str, box: Box, sure: Evidence) -> Iterator[tuple[Topic, str]]:
    """What is beside a thing, at its height, if there is one kind of thing only."""
    level = [its for its in sure.crowded if its != box and _share_height(box, its)]
    for side in ("left", "right"):
        beyond = [its for its in level if (its.centre[0] < box.centre[0]) == (side == "left")]
        clear = [
            its
            for its in beyond
            if its in sure.boxes and (_is_left(its, box) if side == "left" else _is_left(box, its))
        ]
        if clear and len({its.name for its in beyond}) == 1:
            topic = _topic("what is", _WHAT, kind, side=side, share=_LIKELY)
            yield topic, wording.answer(clear[0].name)


def _share_height(one: Box, other: Box) -> bool:
    shared = min(one.bottom, other.bottom) - max(one.top, other.top)
    return shared >= _LEVEL * min(one.bottom - one.top, other.bottom - other.top)


@cache
def _topic(
    asks: str, wordings: str, kind: str, other: str = "", *, side: str = "", share: float = 0.5
) -> Topic:
    beside = wording.in_view(other)[0] if other else ""
    texts = [
        text.format(a=name, b=beside, side=side)
        for name in wording.in_view(kind)
        for text in wordings.strip().splitlines()
    ]
    return Topic(f"{kind} {asks} {other or side}", "place", tuple(texts), share)
