"""Puts the kinds of question about objects together for a whole corpus, in balance."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain

from data.box_qa.attributes import count_questions, place_questions, size_questions
from data.box_qa.evidence import Evidence
from data.box_qa.presence import NegativeSampler, presence_questions
from data.box_qa.wording import Candidate, QuestionTemplate
from data.datasets.objects import ImageObjects
from data.datasets.records import QuestionRecord

# How many questions of a kind one picture may have, so that a full table does not ask the most.
_LIMITS = {"presence": 10, "count": 3, "place": 4, "size": 2}


class BoxQuestions:
    """Makes questions about the pictures of a corpus from the objects in them.

    Everything is chosen when it is built, for the balance of answers is over the corpus: no
    wording gives its answer away, and "no" is asked of what often goes with what is there. Give
    it training pictures only.

    Args:
        objects: What is known of each picture, by its name.
        seed: Same seed and objects, same questions.
    """

    def __init__(self, objects: Mapping[str, ImageObjects], *, seed: int = 0) -> None:
        rng = random.Random(seed)
        images = sorted(objects)
        evidence = [Evidence.of(objects[image]) for image in images]
        negatives = NegativeSampler(evidence, seed)
        candidates = chain(
            presence_questions(evidence, negatives),
            count_questions(evidence, negatives),
            place_questions(evidence),
            size_questions(evidence),
        )
        asked = balance_answers(candidates, _LIMITS, rng)
        self._asked = {image: asked.get(number, []) for number, image in enumerate(images)}
        for questions in self._asked.values():
            rng.shuffle(questions)

    def questions(self, image: str) -> list[QuestionRecord]:
        """The questions about one picture, in a mixed order.

        Raises:
            KeyError: The picture is not of the corpus.
        """
        return list(self._asked[image])


def balance_answers(
    candidates: Iterable[Candidate], limits: Mapping[str, int], rng: random.Random
) -> dict[int, list[QuestionRecord]]:
    """The questions of each picture that has some, chosen so that no wording tells its answer.

    The answers of a template take turns with the same wordings, and none of them has more than its
    share. Rare templates choose their pictures first.

    Args:
        candidates: What could be asked.
        limits: How many questions of a kind one picture may have.
        rng: Makes every choice.
    """
    pictures_by_answer: dict[str, tuple[QuestionTemplate, dict[str, list[int]]]] = {}
    for template, answer, picture in candidates:
        _, answers = pictures_by_answer.setdefault(template.name, (template, {}))
        answers.setdefault(answer, []).append(picture)
    load: Counter[tuple[int, str]] = Counter()
    asked: dict[int, list[QuestionRecord]] = {}
    for template, found in sorted(pictures_by_answer.values(), key=_size):
        wordings = rng.sample(template.wordings, len(template.wordings))
        limit = limits[template.kind]
        free = {
            answer: [p for p in found[answer] if load[p, template.kind] < limit]
            for answer in sorted(found)
        }
        cap = max_per_answer([len(pictures) for pictures in free.values()], template.max_share)
        for answer, pictures in free.items():
            chosen = rng.sample(pictures, min(cap, len(pictures)))
            for turn, picture in enumerate(chosen):
                load[picture, template.kind] += 1
                wording = wordings[turn % len(wordings)]
                record = QuestionRecord.single(wording, answer, template.kind)
                asked.setdefault(picture, []).append(record)
    return asked


def _size(found: tuple[QuestionTemplate, dict[str, list[int]]]) -> tuple[int, str]:
    template, answers = found
    return sum(map(len, answers.values())), template.name


def max_per_answer(numbers: Sequence[int], share: float) -> int:
    """The largest number of one answer with which none has more than its share of all.

    It is at least 1 where there are several answers, and 0 where there is one alone, for then the
    question tells all.

    Args:
        numbers: How often each answer could be given.
        share: 0..1.
    """
    if sum(number > 0 for number in numbers) < 2:
        return 0
    cap = max(numbers)
    while cap > 1 and cap > share * sum(min(cap, number) for number in numbers):
        cap -= 1
    return cap
