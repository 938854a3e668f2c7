"""Where something is or goes in a caption: English prepositions into German ones with their case."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from bot.assistant.translation.caption_phrases import animate, is_worn, nominals, worn
from bot.assistant.translation.declension import Case, Nominal, contracted
from bot.assistant.translation.lexicon import caption_words

_STAYING: dict[str, tuple[str, Case]] = {
    english: (german, "dative")
    for english, german in {
        "in front of": "vor", "on top of": "auf", "next to": "neben", "out of": "aus",
        "inside of": "in", "outside of": "vor", "close to": "bei", "in": "in", "on": "auf",
        "at": "an", "under": "unter", "underneath": "unter", "beneath": "unter",
        "behind": "hinter", "beside": "neben", "above": "über", "below": "unter",
        "between": "zwischen", "among": "zwischen", "inside": "in", "outside": "vor",
        "near": "bei", "by": "bei", "with": "mit", "from": "von", "off": "von", "off of": "von",
        "to": "zu", "over": "über", "of": "von",
    }.items()
}  # fmt: skip
_GOING: dict[str, tuple[str, Case]] = {
    english: (german, "accusative")
    for english, german in {
        "into": "in", "onto": "auf", "through": "durch", "around": "um", "across": "über",
        "for": "für", "against": "gegen", "without": "ohne",
    }.items()
}  # fmt: skip
_PREPOSITIONS = _STAYING | _GOING
_AFTER = {"down": "hinunter", "up": "hinauf"}
_ALONG = frozenset({"street", "road", "sidewalk", "path", "track", "trail", "highway", "aisle"})
_PRONOUNS = {"on it": "darauf", "in it": "darin"}


@dataclass(frozen=True)
class Place:
    """An English place or time.

    Attributes:
        preposition: English; "" for an adverb.
        nominal: What follows it; None for an adverb.
        adverb: German for the whole, or "".
    """

    preposition: str
    nominal: Nominal | None = None
    adverb: str = ""

    def is_at(self, *names: str) -> bool:
        """Whether it is at, in or on one of these."""
        return self.nominal is not None and not {*self.nominal.names}.isdisjoint(names)


def places(tokens: Sequence[str], at: int) -> Iterator[tuple[Place, int]]:
    """The places that start at a word."""
    for length in range(6, 0, -1):
        adverb = _adverbs().get(" ".join(tokens[at : at + length]))
        if adverb and at + length <= len(tokens):
            yield Place("", adverb=adverb), at + length
    for length in (3, 2, 1):
        words = " ".join(tokens[at : at + length])
        if words in _PRONOUNS:
            yield Place("", adverb=_PRONOUNS[words]), at + length
        if words in _PREPOSITIONS or words in {"along", *_AFTER}:
            for nominal, end in nominals(tokens, at + length):
                yield Place(words, nominal), end


@cache
def _adverbs() -> dict[str, str]:
    return dict(caption_words("adverb"))  # type: ignore[arg-type]


def in_german(place: Place, verb: str, subject: Nominal) -> str:
    """A place after an English verb.

    Args:
        place: What was read.
        verb: In the base form: "run".
        subject: Who does it, for people stand "mit Hut" somewhere.
    """
    nominal, preposition = place.nominal, place.preposition
    if nominal is None:
        return place.adverb
    if preposition in {"in", "with"} and animate(subject) and is_worn(nominal, preposition):
        return worn(nominal, preposition)
    if preposition == "along" or preposition in _AFTER:
        return _along(preposition, nominal)
    way = _way(verb, preposition, nominal)
    if way:
        return contracted(way, nominal.decline("accusative"))
    german, case = _PREPOSITIONS[preposition]
    if preposition == "over" and verb in {"jump", "leap", "fly", "climb", "run", "walk"}:
        case = "accusative"
    return contracted(_special(preposition, nominal) or german, nominal.decline(case))


def _along(preposition: str, nominal: Nominal) -> str:
    if preposition == "along" and not _ALONG & {*nominal.names}:
        german = "an" if {*nominal.names} & {"beach", "river", "shore", "fence", "wall"} else "auf"
        return f"{contracted(german, nominal.decline('dative'))} entlang"
    after = "entlang" if _ALONG & {*nominal.names} else _AFTER[preposition]
    return f"{nominal.decline('accusative')} {after}"


def _special(preposition: str, nominal: Nominal) -> str:
    """As in "am Strand": not "auf dem Strand"."""
    for name in nominal.names:
        for names, english, german in caption_words("place"):
            if english == preposition and name in names.split(","):
                return german
    return ""


def _way(verb: str, preposition: str, nominal: Nominal) -> str:
    """As in "rennt durch das Gras": not "im Gras"."""
    for verbs, english, names, german in caption_words("way"):
        if verb in verbs.split(",") and preposition in english.split(","):
            if {*nominal.names} & {*names.split(",")}:
                return german
    return ""
