"""A long text as messages that fit: cut where sentences end, never through a word or an emoji."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import takewhile
from typing import TYPE_CHECKING

from bot.assistant.text import sentence_ends

if TYPE_CHECKING:
    import regex

Length = Callable[[str], int]
_ITEM = r"^[^\S\n]*(?:\d+[.)]|[-*•])"  # the number or the dash before an item of a list
# White space, but for what parts those from the item, or an accent from what it is on.
_GAP = rf"(?:(?<!{_ITEM})|(?=[^\S\n]*\n))\s++(?![\p{{M}}\u200d])"
_SENTENCE_WITHOUT_SPACE = r"[。！？]+[」』）”]*(?=[^\s\p{M}])"  # noqa: RUF001 (Chinese, Japanese)
_ENDS = _PARAGRAPH, _LINE, _SENTENCE = range(3)  # the best place to cut first


def split(text: str, limit: int, length: Length = len) -> list[str]:
    """Divide a text among as few messages as possible, best at ends of paragraphs or sentences.

    Args:
        text: Plain text.
        limit: Longest message, as `length` counts.
        length: Of a part as it will be sent; at least one for each character.
    """
    if length(text) <= limit:
        return [text]
    measure, parts = _Measure(limit, length), []
    text = text.strip()
    left = measure.fewest(text)
    while left > 1:
        left -= 1
        end = measure.cut(text, left)
        parts.append(text[:end].rstrip())
        text = text[end:].lstrip()
    return [*parts, text]


def utf16_length(text: str) -> int:
    """UTF-16 units, which Telegram counts: most emoji have two."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


@dataclass(frozen=True)
class _Measure:
    """How much fits into one message."""

    limit: int
    length: Length

    def fewest(self, text: str) -> int:
        """How many messages a text needs, if words may be parted anywhere."""
        count = 1
        while (end := self._longest(text)) < len(text):
            text, count = text[end:].lstrip(), count + 1
        return count

    def cut(self, text: str, left: int) -> int:
        """Where the first message ends, so that the rest fits into the others that are `left`."""
        longest, last = self._longest(text), dict.fromkeys(_ENDS, 0)
        for place, ended in _ends(text):
            if last[ended] < place <= longest:
                last[ended] = place
        # The last end of a kind leaves the least to say.
        fits = (end for end in last.values() if end and self.fewest(text[end:].lstrip()) <= left)
        return next(fits, longest)

    def _longest(self, text: str) -> int:
        """Where the longest message ends that a text can begin with."""
        prefixes = range(1, min(len(text), self.limit) + 1)
        most = max(1, bisect_right(prefixes, self.limit, key=lambda n: self.length(text[:n])))
        if most == len(text):
            return most
        words = _starts(_GAP, text, most)
        if words and words[-1]:
            return words[-1]
        # A word that is longer than a message; what looks like one character stays whole.
        return _starts(r"\X", text, most)[-1] or most


def _ends(text: str) -> Iterator[tuple[int, int]]:
    """Where paragraphs, lines and sentences end, and which of these does."""
    sentences = {end.start("space") for end in sentence_ends(text)}
    for gap in _pattern(_GAP).finditer(text):
        if lines := gap.group().count("\n"):
            yield gap.start(), _PARAGRAPH if lines > 1 else _LINE
        elif gap.start() in sentences:
            yield gap.start(), _SENTENCE
    for found in _pattern(_SENTENCE_WITHOUT_SPACE).finditer(text):
        yield found.end(), _SENTENCE


def _starts(pattern: str, text: str, last: int) -> list[int]:
    """Where a pattern is found, up to a place in the text."""
    starts = (found.start() for found in _pattern(pattern).finditer(text))
    return [*takewhile(lambda start: start <= last, starts)]


@cache
def _pattern(pattern: str) -> regex.Pattern[str]:
    import regex  # not for texts that fit, which nearly all are

    return regex.compile(pattern, regex.MULTILINE)
