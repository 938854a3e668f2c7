"""What kind of question it is, as far as decoding cares."""

from __future__ import annotations

import re

_POLAR = re.compile(
    r"(?:is|are|was|were|do|does|did|can|could|has|have|had|will|would|should|am|isn't|aren't"
    r"|doesn't)\b",
    re.IGNORECASE,
)
_CHOICE = re.compile(r"\bor\b")
_OPEN_TO_IT = re.compile(
    r"(?:(?:is|are|was|were) there"  # Is there a dog?
    r"|(?:do|can|could) (?:you|we|i) see"  # Do you see a dog?
    r"|(?:is|are|was|were) (?:this|that|these|those|it|they) (?:an?|any|some|real|[a-z]+s)"
    r"|(?:is|are) (?:any|some)(?:one|body|thing)?)\b",
    re.IGNORECASE,
)


def takes_for_granted(question: str) -> bool:
    """Whether a question for yes or no takes for granted what it is about.

    "Is the dog wet?" does: of such questions that people ask, most are true, and a small model
    tells little from the picture. "Is there a dog?" and "Is this a dog?" do not, nor does "Is it
    wet or dry?", which is no question for yes or no.
    """
    text = question.strip()
    polar = _POLAR.match(text) and not _CHOICE.search(text)
    return bool(polar and not _OPEN_TO_IT.match(text))
