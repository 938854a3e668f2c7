"""German question words, and what is special about some of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from bot.assistant.translation.chunks import noun_phrases
from bot.assistant.translation.clauses import Gap
from bot.assistant.translation.lexicon import Noun

_ADVERBS = {
    "wo": "where",
    "wohin": "where",
    "wann": "when",
    "warum": "why",
    "wieso": "why",
    "weshalb": "why",
    "wie": "how",
}
_WITH_PREPOSITION = {
    "worauf": "on", "womit": "with", "worin": "in", "woraus": "of", "woran": "on", "wofuer": "for",
    "wovon": "of", "worueber": "about", "wozu": "for", "wogegen": "against", "worunter": "under",
}  # fmt: skip
_PREPOSITIONS = {
    "in": "in", "auf": "on", "an": "on", "mit": "with", "aus": "of", "zu": "", "ueber": "over",
    "von": "of", "fuer": "for", "unter": "under", "neben": "next to", "hinter": "behind",
}  # fmt: skip
ATTRIBUTES = frozenset({"color", "shape", "size", "breed", "age", "gender"})
BARE = frozenset({"time of day", "season", "year", "direction", "time"})
_HOW = {
    "alt": "old", "gross": "big", "hoch": "tall", "lang": "long", "schnell": "fast",
    "schwer": "heavy", "tief": "deep", "breit": "wide", "weit": "far", "warm": "warm",
    "kalt": "cold", "heiss": "hot", "teuer": "expensive", "gluecklich": "happy", "viel": "much",
    "reif": "ripe", "voll": "full",
}  # fmt: skip


@dataclass(frozen=True)
class Reading:
    """One way to understand a question word."""

    english: str
    gap: Gap
    preposition: str = ""


@dataclass(frozen=True)
class QuestionWord:
    """A question word with what belongs to it.

    Attributes:
        kind: "what", "who", "which", "count", "how" or "adverb".
        english: "what color", "how many dogs", "where".
        end: Where its German words end.
        noun: Of "which" and "count".
        plural: Whether that is many.
        preposition: In front of it, in English, or "".
        accusative: It must be the object ("welchen").
        nominative: It must be the subject ("welcher Hund").
        german: The preposition in German.
    """

    kind: str
    english: str
    end: int
    noun: Noun | None = None
    plural: bool = False
    preposition: str = ""
    accusative: bool = False
    nominative: bool = False
    german: str = ""
    fixed: bool = field(default=False)  # there is a preposition, even if English has none

    @property
    def alive(self) -> bool:
        """Whether it does things: people, animals, and what they belong to."""
        return self.kind == "who" or (
            self.noun is not None
            and (self.noun.kind in {"person", "animal"} or self.noun.english == "company")
        )

    @property
    def alone(self) -> str:
        """The question that it is without more words, or ""."""
        if self.kind != "count" or self.noun is None:
            return ""
        return f"How many {self.english.removeprefix('how many ')} are there?"

    def readings(self, tokens: Sequence[str], at: int) -> Iterator[Reading]:
        """Subject, object or neither: in the order in which to try."""
        alive = self.alive
        counted = self.noun is None or not self.noun.always_plural
        subject = Reading(self.english, Gap("subject", self.plural, alive, counted))
        placed = Reading(self.english, Gap("object", self.plural, alive, counted))
        if self.kind in {"adverb", "how"} or self.fixed:
            yield Reading(self.english, Gap("", self.plural, alive), self.preposition)
        elif self.kind == "who" or self.nominative:
            yield subject
        elif self.kind == "count":
            yield from (placed, subject) if tokens[at] in _GIVES else (subject, placed)
        elif self.accusative:
            yield placed
        else:
            yield from (placed, subject)


_GIVES = frozenset({"gibt", "siehst", "sieht", "erkennst", "kannst", "kann", "hat"})


def question_words(tokens: Sequence[str]) -> Iterator[QuestionWord]:
    """The question words that a question starts with, the longest first."""
    first, second = tokens[0], tokens[1] if len(tokens) > 1 else ""
    if first == "wie":
        yield from _how(tokens)
    if first == "was" and second == "fuer":
        yield from _kind(tokens, 2, "")
    if first.startswith("welch"):
        yield from _which(tokens, 0, "")
    if first in _PREPOSITIONS:
        yield from _after_preposition(tokens)
    if first in _WITH_PREPOSITION:
        german = first.removeprefix("wo").removeprefix("r") if first != "worin" else "in"
        preposition = _WITH_PREPOSITION[first]
        yield QuestionWord("what", "what", 1, preposition=preposition, fixed=True, german=german)
    if first in _ADVERBS:
        yield QuestionWord("adverb", _ADVERBS[first], 1, german=first)
    yield from _pronouns(first, second)


def _pronouns(first: str, second: str) -> Iterator[QuestionWord]:
    if first == "was":
        end = 2 if second in {"alles", "denn", "noch"} else 1
        yield QuestionWord("what", "what else" if second == "noch" else "what", end)
    if first == "wer":
        yield QuestionWord("who", "who", 1, nominative=True)
    if first in {"wen", "wem"}:
        yield QuestionWord("what", "who", 1, accusative=True)


def _how(tokens: Sequence[str]) -> Iterator[QuestionWord]:
    second = tokens[1] if len(tokens) > 1 else ""
    if second in {"viele", "viel", "vielen"}:
        yield from _count(tokens)
    elif second == "spaet":
        yield QuestionWord("which", "what time", 2)
    elif second in _HOW:
        yield QuestionWord("how", f"how {_HOW[second]}", 2)


def _after_preposition(tokens: Sequence[str]) -> Iterator[QuestionWord]:
    """As in "in welchem Raum", "auf was"."""
    first, second = tokens[0], tokens[1] if len(tokens) > 1 else ""
    if second.startswith("welch"):
        yield from _which(tokens, 1, first)
    if list(tokens[1:3]) == ["was", "fuer"]:
        yield from _kind(tokens, 3, first)
    if second in {"was", "wem", "wen"}:
        word, english = "what" if second == "was" else "who", _PREPOSITIONS[first]
        yield QuestionWord("what", word, 2, preposition=english, fixed=True, german=first)


def _count(tokens: Sequence[str]) -> Iterator[QuestionWord]:
    for chunk in noun_phrases(["zwei", *tokens[2:]], 0):
        if chunk.noun is not None and chunk.plural:
            yield QuestionWord("count", f"how many {chunk.bare}", chunk.end + 1, chunk.noun, True)
    for chunk in noun_phrases(tokens, 2):
        if chunk.start == 2 and chunk.noun is not None and chunk.noun.kind == "mass":
            yield QuestionWord("count", f"how much {chunk.bare}", chunk.end, chunk.noun)
    yield QuestionWord("count", "how many", 2, None, True)


def _kind(tokens: Sequence[str], at: int, preposition: str) -> Iterator[QuestionWord]:
    """As in "Was für ein Tier"."""
    for chunk in noun_phrases(tokens, at):
        if chunk.noun is not None and not chunk.definite:
            said = f"what kind of {chunk.bare}"
            if chunk.noun.english in ATTRIBUTES | BARE | {"weather"}:
                said = f"what {chunk.bare}"
            english = _PREPOSITIONS.get(preposition, "")
            yield QuestionWord(
                "which", said, chunk.end, chunk.noun, chunk.plural, english,
                accusative=tokens[at] == "einen", fixed=bool(preposition),
            )  # fmt: skip


def _which(tokens: Sequence[str], at: int, preposition: str) -> Iterator[QuestionWord]:
    """As in "Welche Farbe", "in welchem Raum"."""
    ending = tokens[at].removeprefix("welch")
    if ending not in {"e", "er", "es", "en", "em"}:
        return
    article = {"e": "die", "er": "der", "es": "das", "en": "den", "em": "dem"}[ending]
    for chunk in noun_phrases([article, *tokens[at + 1 :]], 0):
        if chunk.noun is None:
            continue
        end = chunk.end + at
        name = chunk.bare
        if chunk.end > 1 and chunk.english != f"the {chunk.bare}":
            name = chunk.english.removeprefix("the ")
        if name.startswith(("kind of", "kinds of")) or name == "kind":
            name = name.removeprefix("kind of ")
        english = "" if chunk.noun.english in BARE else _PREPOSITIONS.get(preposition, "")
        yield QuestionWord(
            "which", f"{'which' if name in _SIDES else 'what'} {name}", end, chunk.noun,
            chunk.plural, english, accusative=ending == "en" and not chunk.plural,
            nominative=ending == "er" and chunk.noun.gender == "m" and not preposition,
            fixed=bool(preposition), german=preposition,
        )  # fmt: skip


_SIDES = frozenset({"side", "direction", "hand", "picture", "photo"})
