"""What a German message wants, where its words are understood."""

from __future__ import annotations

import re
from dataclasses import dataclass

from bot.assistant.text import is_german, sentences
from bot.translation import talk
from bot.translation.questions import Translation, translate
from bot.translation.text import fold

CODE = "de"


@dataclass(frozen=True)
class GermanQuestion:
    """A German question that was understood.

    Attributes:
        said: The question as it was asked of one picture.
        translation: The same in English.
        pictures: Numbers of the pictures named, as `patterns.named_pictures` gives them.
    """

    said: str
    translation: Translation
    pictures: tuple[int, ...] = ()


def asked(spoken: str, *, several: bool, last: Translation | None) -> GermanQuestion | None:
    """Read a German question, the last one of several sentences; None if there is none.

    Args:
        spoken: Cleaned text without links.
        several: More than one picture is at hand, so that numbers may name them.
        last: What was asked in German before, about the same pictures.
    """
    numbers, question = talk.named_pictures(spoken) if several else ((), spoken)
    for sentence in (question, *reversed(sentences(question))):
        found = translate(sentence, last)
        if found is not None:
            return GermanQuestion(sentence, found, numbers)
    return None


def small_talk(words: str) -> str:
    """The field of `Texts` that answers a German greeting, thanks or the like; else ""."""
    said = " ".join(re.sub(r"[^\w ]+", " ", fold(words)).split())
    return talk.small_talk(said)


def correction(words: str) -> str:
    """What an answer should have been, in English, if German words say that; else ""."""
    return talk.correction(words)


__all__ = ["CODE", "GermanQuestion", "asked", "correction", "is_german", "small_talk"]
