"""How many there are of something, where it is sure."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from data.box_qa import wording
from data.box_qa.evidence import Evidence
from data.box_qa.presence import Companions
from data.questions.topics import Topic, Topics

_SHARE = 0.4  # the largest part of one number
_NONE = 0.25  # how many questions are asked where there is none, for each about several

_WORDINGS = """
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


def add_counts(topics: Topics, evidence: Sequence[Evidence], companions: Companions) -> None:
    """Notes the questions for numbers."""
    counted: dict[str, list[tuple[int, int]]] = {}
    for picture, sure in enumerate(evidence):
        for kind, count in sorted(sure.counts.items()):
            if kind not in wording.UNCOUNTED:
                counted.setdefault(kind, []).append((picture, count))
    for kind, found in sorted(counted.items()):
        topic = _topic(kind)
        for picture, count in found:
            topics.add(topic, str(count), picture)
        several = sum(count > 1 for _, count in found)
        for picture in companions.without(kind, round(several * _NONE)):
            topics.add(topic, "0", picture)


@cache
def _topic(kind: str) -> Topic:
    texts = [
        text.replace("{many}", name.many)
        for name in wording.names(kind)
        for text in _WORDINGS.strip().splitlines()
    ]
    return Topic(f"how many {kind}", "count", tuple(texts), _SHARE)
