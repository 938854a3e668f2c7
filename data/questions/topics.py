"""Questions gathered from all pictures by what they ask, then asked in balance.

A topic is one question in several wordings. No wording gives its answer away: the answers of a
topic take turns with the same wordings, and none of them has more than its share.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from data.datasets.records import QuestionRecord


@dataclass(frozen=True)
class Topic:
    """A question that may be asked of many pictures.

    Attributes:
        name: Tells it from all others.
        kind: The family of questions: "presence", "count", "place" or "size".
        wordings: Ways to ask it; a wording that is listed twice is asked twice as often.
        share: The largest part that one answer may have, 0..1; .5 makes yes and no even.
    """

    name: str
    kind: str
    wordings: tuple[str, ...]
    share: float = 0.5


class Topics:
    """Gathers what could be asked, and chooses what is.

    Args:
        limits: How many questions of a kind one picture may have.
    """

    def __init__(self, limits: Mapping[str, int]) -> None:
        self._limits = limits
        self._found: dict[str, tuple[Topic, dict[str, list[int]]]] = {}

    def add(self, topic: Topic, answer: str, picture: int) -> None:
        """Notes that a topic has this answer in a picture."""
        _, answers = self._found.setdefault(topic.name, (topic, {}))
        answers.setdefault(answer, []).append(picture)

    def ask(self, chance: random.Random) -> dict[int, list[QuestionRecord]]:
        """The questions of each picture that has some.

        Rare topics choose their pictures first.

        Args:
            chance: Makes every choice.
        """
        load: Counter[tuple[int, str]] = Counter()
        asked: dict[int, list[QuestionRecord]] = {}
        for topic, found in sorted(self._found.values(), key=_size):
            wordings = chance.sample(topic.wordings, len(topic.wordings))
            limit = self._limits[topic.kind]
            free = {
                answer: [p for p in found[answer] if load[p, topic.kind] < limit]
                for answer in sorted(found)
            }
            cap = most_of_each([len(pictures) for pictures in free.values()], topic.share)
            for answer, pictures in free.items():
                chosen = chance.sample(pictures, min(cap, len(pictures)))
                for turn, picture in enumerate(chosen):
                    load[picture, topic.kind] += 1
                    wording = wordings[turn % len(wordings)]
                    record = QuestionRecord(wording, ((answer, 1),), topic.kind)
                    asked.setdefault(picture, []).append(record)
        return asked


def most_of_each(numbers: Sequence[int], share: float) -> int:
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


def _size(found: tuple[Topic, dict[str, list[int]]]) -> tuple[int, str]:
    topic, answers = found
    return sum(map(len, answers.values())), topic.name
