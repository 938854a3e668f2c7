"""The objects that the model sees, for programs (JSON) and in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

from bot.assistant.translation.lexicon import english_nouns
from model.questions import class_of, singular
from model.requests import DetectedObject

SEEN = 0.75  # probability from which an object is named to people
DIGITS = 3  # of scores and shares: a thousandth of a picture is a pixel or less


def as_rows(objects: Iterable[DetectedObject]) -> list[dict[str, Any]]:
    """What JSON says of objects: `{"name", "score", "box": [left, top, right, bottom]}` each."""
    return [
        {
            "name": seen.name,
            "score": round(seen.score, DIGITS),
            "box": [round(edge, DIGITS) for edge in seen.box],
        }
        for seen in objects
    ]


def other_things(objects: Iterable[DetectedObject], caption: str, *, german: bool) -> str:
    """Name the objects that a caption does not: "cup, 2 people", or "Tasse, Person (2)"; or ""."""
    words = caption.lower().split()
    phrases = {*words, *(" ".join(pair) for pair in pairwise(words))}
    told = {name for phrase in phrases for name in _names_of(phrase)}
    unsaid = [seen for seen in objects if seen.score >= SEEN and seen.name not in told]
    if not german:
        return in_words(unsaid)
    counts = Counter(seen.name for seen in unsaid)
    known = {name: english_nouns()[name] for name in counts if name in english_nouns()}
    singulars = {name: noun.singular for name, (noun, many) in known.items() if not many}
    return ", ".join(
        word if counts[name] == 1 else f"{word} ({counts[name]})"
        for name, word in singulars.items()
    )


def _names_of(phrase: str) -> tuple[str, ...]:
    """The classes that a phrase may name."""
    found = class_of(phrase)
    return (phrase, singular(phrase), *(found[:1] if found else ()))


def in_words(objects: Iterable[DetectedObject]) -> str:
    """Name objects, the surest first, those of a kind together: "dog, 2 people, frisbee"."""
    # Every command is slower to start if this is imported with it.
    from data.box_qa.wording import name_forms

    counts = Counter(seen.name for seen in objects)  # in the order in which they came
    return ", ".join(
        name if count == 1 else f"{count} {name_forms(name).many}" for name, count in counts.items()
    )
