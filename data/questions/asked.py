"""The question-answer pair that is made from captions."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DerivedQuestion:
    """A question, its short lower-case answer, and its kind ("presence", "colour", ...)."""

    question: str
    answer: str
    kind: str


@dataclass(frozen=True)
class Claim:
    """A yes/no question that a scene answers, not yet asked: see ``balance.settle``.

    Attributes:
        wordings: ways to ask it. Claims with the same wordings are one question of the corpus.
        truth: whether the answer is "yes".
        kind: the kind of question.
    """

    wordings: tuple[str, ...]
    truth: bool
    kind: str
