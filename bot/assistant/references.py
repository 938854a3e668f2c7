"""Finding which of several pictures a question names: "in picture 2", "the second photo", "#2"."""

from __future__ import annotations

import re

LAST = -1

_CARDINALS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_ORDINALS = (
    *("first", "second", "third", "fourth", "fifth"),
    *("sixth", "seventh", "eighth", "ninth", "tenth"),
)
_VALUES = (
    {word: number for number, word in enumerate(_CARDINALS, 1)}
    | {word: number for number, word in enumerate(_ORDINALS, 1)}
    | {"last": LAST}
)
_NOUN = r"(?:pictures?|photos?|images?|pics?|photographs?)"
_NUMBER = rf"(?:\d{{1,2}}\b(?!\s*%)|(?:{'|'.join(_CARDINALS)})\b(?!\s+of))"
_PLACE = rf"(?:{'|'.join(_ORDINALS)}|last|\d{{1,2}}(?:st|nd|rd|th))"
_REFERENCE = re.compile(
    rf"(?:\bthe\s+)?\b{_NOUN}(?:\s+|\s*\#\s*)(?:(?:number|no\.?|nr\.?)\s*)?\#?"
    rf"(?P<number>{_NUMBER}(?:(?:\s*,\s*|\s*,?\s*(?:and|or|&)\s+)\#?\d{{1,2}}\b)*)"
    rf"|(?:\bthe\s+)?\b(?P<place>{_PLACE})\s+{_NOUN}\b"
    r"|(?:(?<=\bin )|(?<=\bon )|(?<=\bof )|(?<=\bfor )|(?<=\babout )|^)\#(?P<hash>\d{1,2})\b"
    r"|^(?:number\s+|no\.?\s*|nr\.?\s*)?(?P<alone>\d{1,2})[.!?]*$",
    re.IGNORECASE,
)
_OPENING = re.compile(rf"^(?:(?:in|on|for|about)\s+)?(?:{_REFERENCE.pattern})\s*[:,-]\s*", re.I)


def named_pictures(text: str) -> tuple[tuple[int, ...], str]:
    """Read picture numbers off a question.

    Args:
        text: Cleaned question, asked while several pictures are at hand.

    Returns:
        The numbers named, in order, counted from 1 (`LAST` for "the last photo"); and the
        question as one would ask it of a single picture.
    """
    matches = _REFERENCE.finditer(text)
    numbers = tuple(dict.fromkeys(number for match in matches for number in _values(match)))
    if not numbers:
        return (), text
    return numbers, _REFERENCE.sub("the picture", _OPENING.sub("", text)).strip()


def _values(match: re.Match[str]) -> list[int]:
    named = next(group for group in match.groups() if group).lower()
    words = re.findall(rf"\d+|{'|'.join(_VALUES)}", named)
    return [_VALUES.get(word) or int(word) for word in words]
