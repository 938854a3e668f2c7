"""The objects that the model sees, for programs (JSON) and in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from model.requests import DetectedObject

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


def in_words(objects: Iterable[DetectedObject]) -> str:
    """Name objects, the surest first, those of a kind together: "dog, 2 people, frisbee"."""
    # Every command is slower to start if this is imported with it.
    from data.box_qa.wording import name_forms

    counts = Counter(seen.name for seen in objects)  # in the order in which they came
    return ", ".join(
        name if count == 1 else f"{count} {name_forms(name).many}" for name, count in counts.items()
    )
