"""The model's English answers in German."""

from __future__ import annotations

import re
from functools import cache

from bot.assistant.translation.chunks import noun_phrases
from bot.assistant.translation.english import present_participle
from bot.assistant.translation.lexicon import (
    ENGLISH_NUMBERS,
    NUMBERS,
    UNDECLINED,
    colours,
    common_answers,
    english_nouns,
    german_adjectives,
    german_infinitives,
    words,
)

_COUNT = (
    *("keine", "eins", "zwei", "drei", "vier", "fünf", "sechs"),
    *("sieben", "acht", "neun", "zehn", "elf", "zwölf"),
)
_PREPOSITIONS = {
    "on": "auf", "in": "in", "under": "unter", "behind": "hinter", "next to": "neben",
    "in front of": "vor", "at": "an", "near": "bei", "beside": "neben", "by": "bei",
    "above": "über", "over": "über", "inside": "in", "on top of": "auf",
}  # fmt: skip
_OF_WORDS = re.compile(
    r"\b(?:written|brand|company|name|letter|word|say|number (?:is )?on|time)\b", re.I
)
_CONTRACTED = {"in dem": "im", "an dem": "am", "bei dem": "beim"}


def in_german(answer: str, question: str) -> str | None:
    """An answer in German, or None if a word of it is not known.

    Args:
        answer: In the model's words: lower case, no full stop.
        question: In English, which decides how a number is said.
    """
    said = " ".join(answer.lower().split())
    if not re.search(r"[a-z]", said):
        if said.isdigit() and int(said) < len(_COUNT) and question.lower().startswith("how many"):
            return _COUNT[int(said)]
        return answer
    if _OF_WORDS.search(question) and said not in {"yes", "no"} and said not in common_answers():
        return answer
    return _phrase(said)


def _phrase(said: str) -> str | None:
    """One thing, or several that "and" or a comma joins."""
    simple = _simple(said)
    if simple is not None:
        return simple
    for binder, german in ((" and ", " und "), (" or ", " oder "), (", ", ", ")):
        first, found, rest = said.partition(binder)
        if found:
            parts = _simple(first), _phrase(rest)
            return f"{parts[0]}{german}{parts[1]}" if parts[0] and parts[1] else None
    return None


def _simple(said: str) -> str | None:
    if said in common_answers():
        return common_answers()[said]
    if said in ENGLISH_NUMBERS:
        return _COUNT[ENGLISH_NUMBERS.index(said)]
    quality = german_adjectives().get(said)
    if quality and " and " not in said:
        return quality
    return _place(said) or _thing(said) or _activity(said)


def _thing(said: str) -> str | None:
    """As in "dogs" → "Hunde", "a red car" → "ein rotes Auto"."""
    indefinite = re.match(r"an? ", said) is not None
    bare = re.sub(r"^(?:an?|the|some) ", "", said)
    known = english_nouns().get(bare)
    qualities: list[str] = []
    if known is None:
        *first, last = bare.split()
        known = english_nouns().get(last)
        german = [german_adjectives().get(word) for word in first]
        if known is None or not all(german) or len(first) > 2:
            return None
        qualities = [word for word in german if word]
    noun, many = known
    name = noun.plural if many else noun.singular
    ending = {"m": "er", "n": "es"}.get("" if many else noun.gender, "e")
    described = [_with_ending(quality, ending) for quality in qualities]
    article = {"f": "eine"}.get(noun.gender, "ein") if indefinite and not many else ""
    return " ".join(filter(None, (article, *described, name)))


def _with_ending(quality: str, ending: str) -> str:
    if quality in UNDECLINED:
        return quality
    return {"hoch": "hoh", "dunkel": "dunkl"}.get(quality, quality) + ending


def _place(said: str) -> str | None:
    """As in "on table" → "auf dem Tisch"."""
    for english, german in sorted(_PREPOSITIONS.items(), key=lambda pair: -len(pair[0])):
        if not said.startswith(f"{english} "):
            continue
        bare = re.sub(r"^(?:an?|the|his|her|their) ", "", said.removeprefix(f"{english} "))
        known = english_nouns().get(bare)
        if known is None:
            return None
        noun, many = known
        if many:
            name = noun.plural + ("" if noun.plural.endswith(("n", "s")) else "n")
            return f"{german} den {name}"
        where = "an" if noun.english == "sky" else german
        located = f"{where} {'der' if noun.gender == 'f' else 'dem'}"
        return f"{_CONTRACTED.get(located, located)} {noun.singular}"
    return None


@cache
def _infinitives() -> dict[str, str]:
    """German infinitives by English present participles."""
    found: dict[str, str] = {}
    for english, german in german_infinitives().items():
        found.setdefault(present_participle(english), german)
    return found


def _activity(said: str) -> str | None:
    """As in "eating" → "essen", "eating grass" → "Gras essen"."""
    known = _infinitives().get(said)
    if known:
        return known
    verb, _, rest = said.partition(" ")
    infinitive = _infinitives().get(verb)
    if infinitive is None or not rest:
        return None
    place = _place(rest)
    if place:
        return f"{place} {infinitive}"
    known_noun = english_nouns().get(re.sub(r"^(?:an?|the) ", "", rest))
    if known_noun is None:
        return None
    noun, many = known_noun
    article = (
        "" if many or not noun.counted else {"m": "einen ", "f": "eine "}.get(noun.gender, "ein ")
    )
    return f"{article}{noun.plural if many else noun.singular} {infinitive}"


def in_english(said: str) -> str:
    """A German thing, colour or number in English, or "" if it is something else."""
    tokens = words(said)
    if tokens in (["ja"], ["nein"]):
        return "yes" if tokens == ["ja"] else "no"
    if len(tokens) == 1 and tokens[0] in NUMBERS:
        return ENGLISH_NUMBERS[NUMBERS.index(tokens[0])]
    if len(tokens) == 1 and tokens[0].isdigit():
        return tokens[0]
    if len(tokens) == 1 and tokens[0] in colours():
        return colours()[tokens[0]]
    for chunk in noun_phrases(tokens, 0):
        if chunk.end == len(tokens) and chunk.noun is not None and not chunk.definite:
            return chunk.english
    return ""
