"""Where something is or goes in a caption: English prepositions into German ones with a case."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from itertools import islice

from bot.assistant.translation.caption_phrases import (
    READINGS,
    Tokens,
    animate,
    is_worn,
    named,
    nominals,
    worn,
)
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
        "to": "zu", "over": "über", "atop": "auf", "alongside": "neben", "toward": "zu",
        "towards": "zu",
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
_OF_VERBS: dict[tuple[str, str], tuple[str, Case]] = {
    ("wait", "for"): ("auf", "accusative"), ("lean", "against"): ("an", "dative"),
    ("talk", "to"): ("mit", "dative"), ("talk", "with"): ("mit", "dative"),
    ("play", "to"): ("für", "accusative"), ("come", "out of"): ("aus", "dative"),
}  # fmt: skip
_AFTER = {"down": "hinunter", "up": "hinauf"}
_ALONG = frozenset({"street", "road", "sidewalk", "path", "track", "trail", "highway", "aisle"})
_PRONOUNS = {"on it": "darauf", "in it": "darin"}
BOATS = frozenset({"boat", "ship", "canoe", "kayak", "sailboat", "raft"})
_WATERS = frozenset({"water", "ocean", "river", "lake", "pond", "stream", "sea"})
_DOCKS = frozenset({"dock", "pier", "shore"})
_BOARDS = frozenset({"surfboard", "skateboard", "snowboard", "bike", "bicycle", "board"})
_WAYS = frozenset({"street", "road", "sidewalk", "highway"})
# Where living things are in another sense than things.
_OF_THE_LIVING = {"wall": "Mauer", "track": "Rennbahn"}


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


@lru_cache(maxsize=512)
def places(tokens: Tokens, at: int) -> tuple[tuple[tuple[Place, ...], int], ...]:
    """Places one after another, as many as there are first, and none last."""
    return tuple(islice(_places(tokens, at), READINGS))


def _places(tokens: Tokens, at: int) -> Iterator[tuple[tuple[Place, ...], int]]:
    for first, end in _single(tokens, at):
        for more, after in places(tokens, end):
            yield (first, *more), after
    yield (), at


def _single(tokens: Tokens, at: int) -> Iterator[tuple[Place, int]]:
    for length in range(min(6, len(tokens) - at), 0, -1):
        adverb = _adverbs().get(" ".join(tokens[at : at + length]))
        if adverb and tokens[at + length : at + length + 1] != ("of",):
            yield Place("", adverb=adverb), at + length
    for length in range(min(3, len(tokens) - at), 0, -1):
        words = " ".join(tokens[at : at + length])
        if words in _PRONOUNS:
            yield Place("", adverb=_PRONOUNS[words]), at + length
        if words in _PREPOSITIONS or words in {"along", *_AFTER}:
            for nominal, end in nominals(tokens, at + length):
                yield Place(words, nominal), end


@cache
def _adverbs() -> dict[str, str]:
    return dict(caption_words("adverb"))  # type: ignore[arg-type]


def in_german(place: Place, verb: str, subject: Nominal, *, afloat: bool = False) -> str:
    """A place after an English verb.

    Args:
        place: What was read.
        verb: In the base form: "run".
        subject: Who does it, for people stand "mit Hut" somewhere.
        afloat: Whether it is about a boat.
    """
    nominal, preposition = place.nominal, place.preposition
    if nominal is None:
        return place.adverb
    nominal = _sense(nominal, preposition, subject)
    if preposition in {"in", "with"} and animate(subject) and is_worn(nominal, preposition):
        return worn(nominal, preposition)
    if preposition == "along" or preposition in _AFTER:
        return _along(preposition, nominal)
    way = _way(verb, preposition, nominal)
    if way:
        return contracted(way, nominal.decline("accusative"))
    german, case = _OF_VERBS.get((verb, preposition)) or _PREPOSITIONS[preposition]
    german = _by_context(place, verb, subject, afloat=afloat) or german
    if preposition == "over" and verb in {"jump", "leap", "fly", "climb", "run", "walk"}:
        case = "accusative"
    return contracted(german, nominal.decline(case))


def _sense(nominal: Nominal, preposition: str, subject: Nominal) -> Nominal:
    """What a noun means for who is there: people walk on a "Mauer", pictures hang on a "Wand"."""
    first = nominal.first
    german = _OF_THE_LIVING.get(first.noun.english, "")
    if german and not first.plural and preposition == "on" and animate(subject):
        first = replace(first, noun=replace(named(german), english=first.noun.english))
    if first.noun.english == "mouth" and subject.kind == "animal":
        first = replace(first, noun=named("Maul"))
    if first.noun.kind == "body" and first.article in {"sein", "ihr"}:
        first = replace(first, article="der")
    return Nominal((first, *nominal.parts[1:]))


def _by_context(place: Place, verb: str, subject: Nominal, *, afloat: bool) -> str:
    """The preposition by noun, verb and subject, or "" for the usual one."""
    nominal, preposition = place.nominal, place.preposition
    assert nominal is not None
    names, name = {*nominal.names}, subject.first.noun.english
    on, within = preposition == "on", preposition == "in"
    beside = subject.kind == "place" and name not in {*_ALONG, "bridge"}
    rules = (
        ("auf", on and "wall" in names and animate(subject)),
        ("an", on and "wall" in names),
        ("zwischen", within and "tree" in names and nominal.plural),
        ("auf", afloat and within and names & _WATERS),
        ("an", afloat and on and names & _DOCKS and name in BOATS),
        ("an", on and verb == "hang"),
        ("mit", on and verb in {"ride", "surf", "do", "perform"} and names & _BOARDS),
        ("an", on and names & _WAYS and beside),
    )
    return next((german for german, holds in rules if holds), "") or _special(preposition, nominal)


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
        fits = verb in verbs.split(",") and preposition in english.split(",")
        if fits and {*nominal.names} & {*names.split(",")}:
            return german
    return ""
