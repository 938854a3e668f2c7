"""The question-answer pair that is made from captions."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DerivedQuestion:
    """A question, its short lower-case answer, and its kind ("presence", "colour", "count", ...)."""

    question: str
    answer: str
    kind: str
