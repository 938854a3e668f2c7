"""Questions about how many objects there are, where they are, and which is bigger.

A question that would have another answer in the mirror image holds the word "left" or "right",
by which training knows not to mirror the picture.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import combinations

from data.box_qa.evidence import Evidence
from data.box_qa.presence import NegativeSampler
from data.box_qa.wording import (
    UNCOUNTED,
    Candidate,
    QuestionTemplate,
    answer_name,
    names_in_picture,
    names_of,
)
from data.datasets.objects import Box

Answered = tuple[QuestionTemplate, str]  # a question with its answer about one picture

# --- how many ------------------------------------------------------------------------------------

_MAX_COUNT_SHARE = 0.4  # the largest part of one number
_NONE = 0.25  # how many questions are asked where there is none, for each about several
_HOW_MANY = """
How many {many} are there?
How many {many} are there?
How many {many} are in the picture?
How many {many} are in this photo?
How many {many} are shown?
How many {many} can you see?
How many {many} do you see?
how many {many}
how many {many} are here?
How many {many} are visible?
How many {many} are there in the image?
Count the {many}.
What is the number of {many}?
"""


def count_questions(
    evidence: Sequence[Evidence], negatives: NegativeSampler
) -> Iterator[Candidate]:
    """Questions for numbers."""
    counted: dict[str, list[tuple[int, int]]] = {}
    for picture, sure in enumerate(evidence):
        for label, count in sorted(sure.counts.items()):
            if label not in UNCOUNTED:
                counted.setdefault(label, []).append((picture, count))
    for label, found in sorted(counted.items()):
        texts = [
            text.replace("{many}", forms.many)
            for forms in names_of(label)
            for text in _HOW_MANY.strip().splitlines()
        ]
        name = f"how many {label}"
        template = QuestionTemplate(name, "count", tuple(texts), _MAX_COUNT_SHARE)
        yield from ((template, str(count), picture) for picture, count in found)
        several = sum(count > 1 for _, count in found)
        for picture in negatives.without(label, round(several * _NONE)):
            yield template, "0", picture


# --- where ---------------------------------------------------------------------------------------

_NARROW = 0.45  # the widest or highest box that is on one side of the picture only
_EDGE = 0.36  # a centre before this is on the left (and after 1 - this on the right)
_MIDDLE = 0.42  # a centre between this and 1 - this is in the middle
_APART = 0.15  # the least distance of two centres, for one to be left of the other
_SHARED = 0.2  # how much of the narrower one may be left and right of the other's edge
_LEVEL = 0.3  # how much of the lower one two things beside each other share in height
_MAX_NEIGHBOUR_SHARE = 0.34  # the largest part of one answer to "What is to the left of …?"

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


def place_questions(evidence: Sequence[Evidence]) -> Iterator[Candidate]:
    """Questions for places: in the picture, and beside, above or below one another."""
    for picture, sure in enumerate(evidence):
        single = _countable(sure)
        for label, box in single:
            found = [*_in_the_picture(label, box), *_neighbours(label, box, sure)]
            for other, its in single:
                if other != label:
                    found += _of_two(label, box, other, its)
            yield from ((template, answer, picture) for template, answer in found)


def _countable(sure: Evidence) -> list[tuple[str, Box]]:
    """The classes of which there is exactly one, to be called "the dog", with their boxes."""
    return [pair for pair in sorted(sure.single.items()) if pair[0] not in UNCOUNTED]


def _in_the_picture(label: str, box: Box) -> Iterator[Answered]:
    across, down = box.centre
    column = _third(across) if box.right - box.left <= _NARROW else None
    row = _third(down) if box.bottom - box.top <= _NARROW else None
    if column is not None:
        yield _place("third", _THIRD, label, share=0.4), ("left", "middle", "right")[column]
    if column in (0, 2):
        yield _place("side", _SIDE, label), "left" if column == 0 else "right"
        yield _place("on", _IS_ON, label, side="left"), "yes" if column == 0 else "no"
        yield _place("on", _IS_ON, label, side="right"), "no" if column == 0 else "yes"
    if row in (0, 2):
        height = "top" if row == 0 else "bottom"
        yield _place("height", _HEIGHT, label), height
        if column in (0, 2):
            corner = f"{height} {'left' if column == 0 else 'right'}"
            yield _place("corner", _CORNER, label, share=0.3), corner


def _third(centre: float) -> int | None:
    """0 near the left or top edge, 1 in the middle, 2 at the other edge; None if between."""
    if _MIDDLE < centre < 1 - _MIDDLE:
        return 1
    return 0 if centre < _EDGE else 2 if centre > 1 - _EDGE else None


def _of_two(label: str, box: Box, other: str, its: Box) -> Iterator[Answered]:
    if _is_left(box, its) or _is_left(its, box):
        left = _is_left(box, its)
        yield _place("left of", _LEFT_OF, label, other), "yes" if left else "no"
        yield _place("which side of", _WHICH_SIDE, label, other), "left" if left else "right"
    if _is_higher(box, its) or _is_higher(its, box):
        higher = _is_higher(box, its)
        yield _place("higher than", _HIGHER, label, other), "yes" if higher else "no"


def _is_left(one: Box, other: Box) -> bool:
    """Whether a box is clearly left of another; 0.2 of the narrower one may be on both sides."""
    narrower = min(one.right - one.left, other.right - other.left)
    far = other.centre[0] - one.centre[0] >= _APART
    return far and one.right - other.left <= _SHARED * narrower


def _is_higher(one: Box, other: Box) -> bool:
    lower = min(one.bottom - one.top, other.bottom - other.top)
    far = other.centre[1] - one.centre[1] >= _APART
    return far and one.bottom - other.top <= _SHARED * lower


def _neighbours(label: str, box: Box, sure: Evidence) -> Iterator[Answered]:
    """What is beside a thing, at its height, if there is one kind of thing only."""
    level = [its for its in sure.candidates if its != box and _share_height(box, its)]
    for side in ("left", "right"):
        beyond = [its for its in level if (its.centre[0] < box.centre[0]) == (side == "left")]
        clear = [
            its
            for its in beyond
            if its in sure.boxes and (_is_left(its, box) if side == "left" else _is_left(box, its))
        ]
        if clear and len({its.name for its in beyond}) == 1:
            template = _place("what is", _WHAT, label, side=side, share=_MAX_NEIGHBOUR_SHARE)
            yield template, answer_name(clear[0].name)


def _share_height(one: Box, other: Box) -> bool:
    shared = min(one.bottom, other.bottom) - max(one.top, other.top)
    return shared >= _LEVEL * min(one.bottom - one.top, other.bottom - other.top)


@cache
def _place(
    asks: str, wordings: str, label: str, other: str = "", *, side: str = "", share: float = 0.5
) -> QuestionTemplate:
    beside = names_in_picture(other)[0] if other else ""
    texts = [
        text.format(a=name, b=beside, side=side)
        for name in names_in_picture(label)
        for text in wordings.strip().splitlines()
    ]
    return QuestionTemplate(f"{label} {asks} {other or side}", "place", tuple(texts), share)


# --- which is bigger -----------------------------------------------------------------------------

_TIMES = 2.0  # how much more of the picture the bigger one has to cover
_LARGE = 0.25  # the least share of the picture of "the biggest object"
_MAX_BIGGEST_SHARE = 0.1  # the largest part of one answer to that

_BIGGER = """
Is the {a} bigger than the {b}?
Is the {a} bigger than the {b} in the picture?
Does the {a} look bigger than the {b}?
Does the {a} take up more of the picture than the {b}?
Is the {b} smaller than the {a} in the picture?
Does the {b} look smaller than the {a}?
"""
_WHICH = """
Which looks bigger, the {a} or the {b}?
Which looks bigger, the {b} or the {a}?
Which is bigger in the picture, the {a} or the {b}?
Which is bigger in the picture, the {b} or the {a}?
"""
_BIGGEST = """
What is the biggest object in the picture?
What is the largest object in this photo?
What is the main object in the image?
"""


def size_questions(evidence: Sequence[Evidence]) -> Iterator[Candidate]:
    """Questions for sizes."""
    for picture, sure in enumerate(evidence):
        for template, answer in (*_bigger_of_two(sure), *_biggest(sure)):
            yield template, answer, picture


def _bigger_of_two(sure: Evidence) -> Iterator[Answered]:
    for (label, box), (other, its) in combinations(_countable(sure), 2):
        if max(box.area, its.area) >= _TIMES * min(box.area, its.area):
            bigger = box.area > its.area
            yield _size(_BIGGER, label, other), "yes" if bigger else "no"
            yield _size(_BIGGER, other, label), "no" if bigger else "yes"
            yield _size(_WHICH, label, other), answer_name(label if bigger else other)


def _biggest(sure: Evidence) -> Iterator[Answered]:
    by_area = sorted(sure.candidates, key=lambda box: -box.area)
    if by_area and by_area[0] in sure.boxes and by_area[0].area >= _LARGE:
        rivals = [box for box in by_area[1:] if box.area * _TIMES > by_area[0].area]
        if not rivals:
            wordings = tuple(_BIGGEST.strip().splitlines())
            template = QuestionTemplate("biggest", "size", wordings, _MAX_BIGGEST_SHARE)
            yield template, answer_name(by_area[0].name)


@cache
def _size(wordings: str, label: str, other: str) -> QuestionTemplate:
    a, b = names_in_picture(label)[0], names_in_picture(other)[0]
    texts = wordings.format(a=a, b=b).strip().splitlines()
    asks = "bigger" if wordings == _BIGGER else "which is bigger"
    return QuestionTemplate(f"{asks}: {label} {other}", "size", tuple(texts))
