"""Whether something is in the picture: as often yes as no, and no where one would expect yes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np

from data.box_qa import wording
from data.box_qa.evidence import Evidence
from data.box_qa.wording import Called
from data.datasets.objects import COCO_CLASSES
from data.questions.topics import Topic, Topics

_MOST_DENIED = 4  # how often one picture is asked for what it has not
_HARD = 0.5  # part of those that often goes with what the picture has
_WIDER_STEP = 3  # one "yes" in so many is asked by a wider name ("ball", "animal")

_ONE = """
Is there {one} in the image?
Is there {one} in the image?
Is there {one} in the picture?
Is there {one} in the photo?
Is there {one} in this picture?
Is there {one}?
is there {one}
is there {one} here
is there {one} in the pic?
Is {one} in the picture?
Do you see {one}?
Can you see {one} in this photo?
can u see {one}
Does {one} appear in the picture?
Does the picture show {one}?
Does this image contain {one}?
Does the photo have {one} in it?
Is {one} visible in the picture?
Does {name} exist in the image?
Does {name} exist in the image?
"""
_MANY = """
Are there any {many} in the picture?
Are there any {many} in the image?
Are there any {many}?
are there any {many} here
any {many}?
any {many} in this photo?
Do you see any {many}?
Can you see any {many} in the picture?
Does the picture show any {many}?
"""
_ANYBODY = """
Is anybody in the picture?
Is there anyone in this photo?
is anyone there
Is somebody in the picture?
"""


class Companions:
    """Which classes go together, and the pictures in which one of them is missing.

    Args:
        evidence: What is sure of each picture.
        seed: Makes every choice.
    """

    def __init__(self, evidence: Sequence[Evidence], seed: int) -> None:
        self._evidence = evidence
        self._chance = np.random.default_rng(seed)
        self._load = np.zeros(len(evidence), dtype=np.int64)
        there = np.zeros((len(evidence), len(COCO_CLASSES)), dtype=np.float32)
        for picture, sure in enumerate(evidence):
            there[picture] = [kind in sure.there for kind in COCO_CLASSES]
        number = there.sum(axis=0)
        usual = (number + 1) / (len(evidence) + len(COCO_CLASSES))
        # How often class b is there if a is: rows a, columns b; few pictures count for little.
        given = (there.T @ there + 5 * usual) / (number[:, None] + 5)
        self._expected = np.tile(usual, (len(evidence), 1))
        for expected, row in zip(self._expected, there, strict=True):
            if row.any():
                expected[:] = given[row > 0].max(axis=0)

    def without(self, kind: str, number: int, *, unseen: bool = False) -> list[int]:
        """Pictures that lack a class, half of them chosen because one would expect it there.

        Args:
            kind: The class.
            number: How many are wanted; there may be fewer.
            unseen: Only pictures in which the detector sees no trace of it.
        """
        lacking = [
            picture
            for picture, sure in enumerate(self._evidence)
            if self._load[picture] < _MOST_DENIED
            and kind in (sure.unseen if unseen else sure.absent)
        ]
        expected = self._expected[lacking, COCO_CLASSES.index(kind)]
        # Weighted draw without putting back: the smallest of exponential waiting times come first.
        waiting = self._chance.exponential(size=len(lacking)) / expected**2
        order = np.argsort(waiting).tolist()
        hard = order[: round(number * _HARD)]
        rest = self._chance.permutation(order[len(hard) :])[: number - len(hard)]
        chosen = [lacking[index] for index in (*hard, *rest)]
        self._load[chosen] += 1
        return chosen

    def without_all(self, kinds: frozenset[str], number: int) -> list[int]:
        """Pictures in which the detector sees no trace of any of some classes."""
        lacking = [
            picture
            for picture, sure in enumerate(self._evidence)
            if self._load[picture] < _MOST_DENIED and kinds <= sure.unseen
        ]
        chosen = [lacking[index] for index in self._chance.permutation(len(lacking))[:number]]
        self._load[chosen] += 1
        return chosen


def add_presence(topics: Topics, evidence: Sequence[Evidence], companions: Companions) -> None:
    """Notes the questions for presence; rare classes choose the pictures that lack them first."""
    shown: dict[str, list[int]] = {kind: [] for kind in COCO_CLASSES}
    for picture, sure in enumerate(evidence):
        for kind in sure.there:
            shown[kind].append(picture)
    for kind in sorted(COCO_CLASSES, key=lambda kind: len(shown[kind])):
        wide = set(shown[kind][::_WIDER_STEP]) if wording.wider(kind) else set()
        narrow = [picture for picture in shown[kind] if picture not in wide]
        _add(topics, _topic(kind), narrow, companions.without(kind, len(narrow)))
        if called := wording.wider(kind):
            lacking = companions.without(kind, len(wide), unseen=True)
            _add(topics, _topic_of(called), sorted(wide), lacking)
    for word, members in wording.kinds().items():
        having = [p for p, sure in enumerate(evidence) if members & sure.there]
        lacking = companions.without_all(members, len(having) // _WIDER_STEP)
        _add(topics, _topic_of(wording.called(word)), having, lacking)


def _add(topics: Topics, topic: Topic, shown: Sequence[int], lacking: Sequence[int]) -> None:
    for picture in shown:
        topics.add(topic, "yes", picture)
    for picture in lacking:
        topics.add(topic, "no", picture)


def _topic(kind: str) -> Topic:
    wordings = [text for name in wording.names(kind) for text in _wordings(name)]
    wordings += [f"Does {kind} exist in the image?"]  # the class's own name, as evaluations ask
    if kind == "person":
        wordings += _ANYBODY.strip().splitlines()
    return Topic(f"is there {kind}", "presence", tuple(wordings))


@cache
def _topic_of(called: Called) -> Topic:
    return Topic(f"is there, in the wider sense, {called.name}", "presence", _wordings(called))


def _wordings(called: Called) -> tuple[str, ...]:
    many = "" if called.one.startswith("any ") else _MANY
    texts = (_ONE + many).replace("{one}", called.one).replace("{name}", called.name)
    return tuple(filter(None, texts.replace("{many}", called.many).splitlines()))
