"""Whether something is in the picture: as often yes as no, and no where one would expect yes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache

import numpy as np

from data.box_qa.evidence import Evidence
from data.box_qa.wording import (
    SUPERCLASSES,
    Candidate,
    NameForms,
    QuestionTemplate,
    name_forms,
    names_of,
    wider_name,
)
from data.datasets.objects import COCO_CLASSES

_MAX_NO = 4  # how often one picture is asked for what it has not
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


class NegativeSampler:
    """Chooses pictures that lack a class, by which classes go together.

    Args:
        evidence: What is sure of each picture.
        seed: Makes every choice.
    """

    def __init__(self, evidence: Sequence[Evidence], seed: int) -> None:
        self._evidence = evidence
        self._rng = np.random.default_rng(seed)
        self._load = np.zeros(len(evidence), dtype=np.int64)
        present = np.zeros((len(evidence), len(COCO_CLASSES)), dtype=np.float32)
        for picture, sure in enumerate(evidence):
            present[picture] = [label in sure.present for label in COCO_CLASSES]
        number = present.sum(axis=0)
        usual = (number + 1) / (len(evidence) + len(COCO_CLASSES))
        # How often class b is there if a is: rows a, columns b; few pictures count for little.
        given = (present.T @ present + 5 * usual) / (number[:, None] + 5)
        self._expected = np.tile(usual, (len(evidence), 1))
        for expected, row in zip(self._expected, present, strict=True):
            if row.any():
                expected[:] = given[row > 0].max(axis=0)

    def without(self, label: str, number: int, *, undetected: bool = False) -> list[int]:
        """Pictures that lack a class, half of them chosen because one would expect it there.

        Args:
            label: The class.
            number: How many are wanted; there may be fewer.
            undetected: Only pictures in which the detector sees no trace of it.
        """
        lacking = [
            picture
            for picture, sure in enumerate(self._evidence)
            if self._load[picture] < _MAX_NO
            and label in (sure.undetected if undetected else sure.absent)
        ]
        expected = self._expected[lacking, COCO_CLASSES.index(label)]
        # Weighted draw without putting back: the smallest of exponential waiting times come first.
        waiting = self._rng.exponential(size=len(lacking)) / expected**2
        order = np.argsort(waiting).tolist()
        hard = order[: round(number * _HARD)]
        rest = self._rng.permutation(order[len(hard) :])[: number - len(hard)]
        chosen = [lacking[index] for index in (*hard, *rest)]
        self._load[chosen] += 1
        return chosen

    def without_all(self, labels: frozenset[str], number: int) -> list[int]:
        """Pictures in which the detector sees no trace of any of some classes."""
        lacking = [
            picture
            for picture, sure in enumerate(self._evidence)
            if self._load[picture] < _MAX_NO and labels <= sure.undetected
        ]
        chosen = [lacking[index] for index in self._rng.permutation(len(lacking))[:number]]
        self._load[chosen] += 1
        return chosen


def presence_questions(
    evidence: Sequence[Evidence], negatives: NegativeSampler
) -> Iterator[Candidate]:
    """Questions for presence; rare classes choose the pictures that lack them first."""
    shown: dict[str, list[int]] = {label: [] for label in COCO_CLASSES}
    for picture, sure in enumerate(evidence):
        for label in sure.present:
            shown[label].append(picture)
    for label in sorted(COCO_CLASSES, key=lambda label: len(shown[label])):
        wider = wider_name(label)
        wide = set(shown[label][::_WIDER_STEP]) if wider else set()
        narrow = [picture for picture in shown[label] if picture not in wide]
        yield from _yes_and_no(_template(label), narrow, negatives.without(label, len(narrow)))
        if wider:
            lacking = negatives.without(label, len(wide), undetected=True)
            yield from _yes_and_no(_wide_template(wider), sorted(wide), lacking)
    for word, members in SUPERCLASSES.items():
        having = [picture for picture, sure in enumerate(evidence) if members & sure.present]
        lacking = negatives.without_all(members, len(having) // _WIDER_STEP)
        yield from _yes_and_no(_wide_template(name_forms(word)), having, lacking)


def _yes_and_no(
    template: QuestionTemplate, shown: Sequence[int], lacking: Sequence[int]
) -> Iterator[Candidate]:
    yield from ((template, "yes", picture) for picture in shown)
    yield from ((template, "no", picture) for picture in lacking)


def _template(label: str) -> QuestionTemplate:
    wordings = [text for forms in names_of(label) for text in _wordings(forms)]
    wordings += [f"Does {label} exist in the image?"]  # the class's own name, as evaluations ask
    if label == "person":
        wordings += _ANYBODY.strip().splitlines()
    return QuestionTemplate(f"is there {label}", "presence", tuple(wordings))


@cache
def _wide_template(forms: NameForms) -> QuestionTemplate:
    name = f"is there, in the wider sense, {forms.name}"
    return QuestionTemplate(name, "presence", _wordings(forms))


def _wordings(forms: NameForms) -> tuple[str, ...]:
    many = "" if forms.one.startswith("any ") else _MANY
    texts = (_ONE + many).replace("{one}", forms.one).replace("{name}", forms.name)
    return tuple(filter(None, texts.replace("{many}", forms.many).splitlines()))
