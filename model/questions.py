"""What kind of question it is, as far as decoding cares."""

from __future__ import annotations

import re

_BE = r"(?:is|are|was|were)(?:n['\u2019]?t)?"
_VERB = rf"(?:{_BE}|(?:am|do|does|did|can|could|has|have|had|will|would|should)(?:n['\u2019]?t)?)"
_IMAGE = r"(?:picture|photo|image|pic|photograph|scene)s?"
# Its subject is something definite.
_DEFINITE = re.compile(
    rf"{_VERB} (?:the|this|that|these|those|his|her|their|its|my|your|he|she|they|it|all|both"
    r"|every(?:one|body|thing))\b",
    re.IGNORECASE,
)
# But it asks what that is, or what the picture shows.
_OPEN_TO_IT = re.compile(
    rf"{_BE} (?:this|that|these|those|it|they|he|she)(?: one)?(?: really)? (?:an?|any|some)\b"
    rf"|{_BE} (?:these|those|they) [a-z]+(?<!u)s\W*$"
    rf"|{_BE} (?:the|this|that|his|her) [a-z]+ an?\b"
    rf"|{_VERB} (?:this|that|it|the [a-z]+) (?:look like|be) "
    rf"|{_VERB} (?:the|this|that|these|those) {_IMAGE} (?:show|contain|include|have|depict)"
    r"|.*\b(?:in|on) (?:the|this) (?:picture|photo|image)\b",
    re.IGNORECASE,
)
_POLAR = re.compile(rf"{_VERB}\b", re.IGNORECASE)
_CHOICE = re.compile(r"\bor\b", re.IGNORECASE)


def is_polar(question: str) -> bool:
    """Whether a question wants yes or no."""
    text = question.strip()
    return bool(_POLAR.match(text) and not _CHOICE.search(text))


def takes_for_granted(question: str) -> bool:
    """Whether a question for yes or no takes for granted what it is about.

    "Is the dog wet?" does: of such questions that people ask, most are true, and a small model
    tells little from the picture. "Is there a dog?", "Is this a dog?" and "Is a dog in it?" do not,
    nor does "Is it wet or dry?", which is no question for yes or no.
    """
    text = question.strip()
    definite = is_polar(text) and _DEFINITE.match(text)
    return bool(definite and not _OPEN_TO_IT.match(text))
