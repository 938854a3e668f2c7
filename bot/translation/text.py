"""German text as words that compare alike, however their umlauts are typed."""

from __future__ import annotations

import re

_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "é": "e"})
_CONTRACTED = {
    "im": "in dem", "am": "an dem", "vom": "von dem", "zum": "zu dem", "zur": "zu der",
    "beim": "bei dem", "ins": "in das", "ans": "an das", "aufs": "auf das", "gibts": "gibt es",
    "ists": "ist es", "wieviele": "wie viele", "wieviel": "wie viel", "wievielen": "wie vielen",
    "nen": "einen", "ne": "eine", "n": "ein", "aufm": "auf dem", "unterm": "unter dem",
    "hinterm": "hinter dem", "vorm": "vor dem", "uebers": "ueber das", "wies": "wie ist das",
}  # fmt: skip


def fold(text: str) -> str:
    """Lower case, with "ae", "oe", "ue" and "ss" for the letters that English keyboards lack."""
    return text.lower().translate(_UMLAUTS)


def words(text: str) -> list[str]:
    """The folded words of a text, with prepositions parted from their articles."""
    found = re.findall(r"[^\W\d_]+(?:-[^\W\d_]+)*|\d+", fold(text.replace("'s ", "s ")))
    return [part for word in found for part in _CONTRACTED.get(word, word).split()]
