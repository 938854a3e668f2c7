"""A request that is refused, with the sentence that the person reads."""

from __future__ import annotations


class Refusal(Exception):  # noqa: N818  (it is an answer, not a defect)
    """A request that cannot be served.

    Args:
        status: HTTP status code.
        sentence: What went wrong and what to do, fit for the person.
    """

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence
