"""Which of two things takes up more of the picture, and what takes up the most."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import combinations

from data.box_qa import wording
from data.box_qa.evidence import Evidence
from data.questions.topics import Topic, Topics

_TIMES = 2.0  # how much more of the picture the bigger one has to cover
_LARGE = 0.25  # the least share of the picture of "the biggest object"
_LIKELY = 0.1  # the largest part of one answer to that

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


def add_sizes(topics: Topics, evidence: Sequence[Evidence]) -> None:
    """Notes the questions for sizes."""
    for picture, sure in enumerate(evidence):
        for topic, answer in (*_of_two(sure), *_biggest(sure)):
            topics.add(topic, answer, picture)


def _of_two(sure: Evidence) -> Iterator[tuple[Topic, str]]:
    things = [pair for pair in sorted(sure.single.items()) if pair[0] not in wording.UNCOUNTED]
    for (kind, box), (other, its) in combinations(things, 2):
        if max(box.area, its.area) >= _TIMES * min(box.area, its.area):
            bigger = box.area > its.area
            yield _topic(_BIGGER, kind, other), "yes" if bigger else "no"
            yield _topic(_BIGGER, other, kind), "no" if bigger else "yes"
            yield _topic(_WHICH, kind, other), wording.answer(kind if bigger else other)


def _biggest(sure: Evidence) -> Iterator[tuple[Topic, str]]:
    by_area = sorted(sure.crowded, key=lambda box: -box.area)
    if by_area and by_area[0] in sure.boxes and by_area[0].area >= _LARGE:
        rivals = [box for box in by_area[1:] if box.area * _TIMES > by_area[0].area]
        if not rivals:
            topic = Topic("biggest", "size", tuple(_BIGGEST.strip().splitlines()), _LIKELY)
            yield topic, wording.answer(by_area[0].name)


@cache
def _topic(wordings: str, kind: str, other: str) -> Topic:
    a, b = wording.in_view(kind)[0], wording.in_view(other)[0]
    texts = wordings.format(a=a, b=b).strip().splitlines()
    asks = "bigger" if wordings == _BIGGER else "which is bigger"
    return Topic(f"{asks}: {kind} {other}", "size", tuple(texts))
