"""English noun phrases of captions, read into German ones that can be declined."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache, lru_cache
from itertools import islice

from bot.assistant.text import word_set
from bot.assistant.translation.declension import Nominal, NounPhrase, contracted
from bot.assistant.translation.lexicon import (
    ENGLISH_NUMBERS,
    NUMBERS,
    UNDECLINED,
    Noun,
    caption_words,
    colours,
    english_nouns,
    german_adjectives,
    nouns,
)

_ARTICLES = {
    "a": "ein", "an": "ein", "one": "ein", "another": "ein", "the": "der", "his": "sein",
    "its": "sein", "her": "ihr", "their": "ihr", "some": "", "": "",
}  # fmt: skip
_AMOUNTS = {
    "several": "mehrere", "many": "viele", "some": "einige", "a few": "ein paar",
    "a couple of": "ein paar", "a lot of": "viele", "lots of": "viele",
}  # fmt: skip
_BALLS = frozenset({"baseball", "football", "volleyball"})
_ALIKE = frozenset({"sheep", "deer", "fish"})  # one or many
_GROUPS = frozenset({"group", "crowd", "herd", "flock", "pack", "bunch", "couple", "pair", "team"})
_MEASURES = word_set("bottle glass cup bowl bag slice piece pair herd flock bunch can")
_CONTAINERS = word_set("plate tray basket box field pile stack display")
_FULL = ("filled with", "full of")
_COVERED = ("topped with", "covered with", "covered in")
_FURNITURE = word_set("table desk room kitchen bathroom")
_LONGEST = 4  # words of a noun
Tokens = tuple[str, ...]
READINGS = 12  # of the same words, lest many an "and" and "with" take long


def animate(phrase: NounPhrase | Nominal) -> bool:
    """Whether it is a person, an animal or a group of them."""
    return phrase.kind in {"person", "animal"}


def agrees(subject: Nominal, verb: str) -> bool:
    """Whether "is" or "are" may follow; after "a group of people" both do."""
    number = "are" if subject.plural else "is"
    return verb == number or (not subject.plural and subject.first.noun.english in _GROUPS)


@lru_cache(maxsize=512)
def nominals(tokens: Tokens, at: int) -> tuple[tuple[Nominal, int], ...]:
    """The noun phrases that start at a word and may be joined by "and", the longest first."""
    return tuple(islice(_joined(tokens, at), READINGS))


def _joined(tokens: Tokens, at: int) -> Iterator[tuple[Nominal, int]]:
    for first, end in _phrases(tokens, at):
        if tokens[end : end + 1] in (("and",), (",",)):
            skip = 2 if tokens[end : end + 2] == (",", "and") else 1
            for rest, rest_end in nominals(tokens, end + skip):
                after = _with_article(rest.first, first)
                yield Nominal((first, after, *rest.parts[1:])), rest_end
        yield Nominal((first,)), end


def _with_article(phrase: NounPhrase, before: NounPhrase) -> NounPhrase:
    """In "a shirt and hat", German says the article again."""
    bare = not phrase.article and not phrase.amount and not phrase.plural
    shared = bare and phrase.noun.counted and before.article
    return replace(phrase, article=before.article) if shared else phrase


def _phrases(tokens: Tokens, at: int) -> Iterator[tuple[NounPhrase, int]]:
    """Single noun phrases, with what tells more of them, the longest first."""
    for phrase, end in _cores(tokens, at):
        if tokens[end : end + 1] == ("of",):
            for inner, inner_end in nominals(tokens, end + 1):
                whole = _of(phrase, inner)
                if whole is not None:
                    yield from _described(tokens, whole, inner_end)
        else:
            yield from _described(tokens, phrase, end)


def _described(tokens: Tokens, phrase: NounPhrase, at: int) -> Iterator[tuple[NounPhrase, int]]:
    """A phrase with "with a hat", "in a red shirt" or "filled with food" after it."""
    for tail, end in _tails(tokens, phrase, at):
        more = replace(phrase, tail=f"{phrase.tail} {tail}".strip())
        yield from _described(tokens, more, end)
    yield phrase, at


def _tails(tokens: Tokens, phrase: NounPhrase, at: int) -> Iterator[tuple[str, int]]:
    word, two = " ".join(tokens[at : at + 1]), " ".join(tokens[at : at + 2])
    if two in {"on it", "in it"}:
        yield ("darauf" if two == "on it" else "darin"), at + 2
    if word == "in" and animate(phrase) and tokens[at + 1 : at + 2]:
        colour = tokens[at + 1] in colours().values() and caption_adjectives()[tokens[at + 1]]
        if colour:
            yield f"in {colour.capitalize()}", at + 2
    if word in {"with", "in", "wearing"} or two == "dressed in":
        skip = 2 if two == "dressed in" else 1
        for inner, end in nominals(tokens, at + skip):
            if animate(phrase) and is_worn(inner, word):
                yield worn(inner, word), end
            elif word == "with":
                yield contracted("mit", inner.decline("dative")), end
    if word == "overlooking":
        for inner, end in nominals(tokens, at + 1):
            yield f"mit Blick auf {inner.decline('accusative')}", end
    if two in _FULL or two in _COVERED:
        for inner, end in nominals(tokens, at + 2):
            if not _beside(inner):
                yield _filled(two, inner), end


def _beside(inner: Nominal) -> bool:
    """In "a plate topped with broccoli and a table", the table is beside the plate."""
    return len(inner.parts) > 1 and bool({part.noun.english for part in inner.parts} & _FURNITURE)


def _filled(words: str, inner: Nominal) -> str:
    full = words in _FULL and all(
        not (part.article or part.amount or part.qualities or part.tail) for part in inner.parts
    )
    if full:
        return f"voller {inner.decline('nominative')}"
    return contracted("mit", inner.decline("dative"))


def is_worn(inner: Nominal, word: str) -> bool:
    """Whether "in", "with" or "wearing" tells of clothes, or "with" of a beard."""
    kinds = {part.noun.kind for part in inner.parts}
    return kinds == {"clothes"} or (word == "with" and kinds <= {"clothes", "body"})


def worn(inner: Nominal, word: str) -> str:
    """As in "mit Hut", "in einem roten Hemd und mit Hut"."""
    said: list[str] = []
    last = ""
    for part in inner.parts:
        preposition = "mit" if word == "with" or part.noun.english in _accessories() else "in"
        bare = part.article == "ein" and preposition == "mit"
        shown = replace(part, article="") if bare else part
        name = shown.decline("dative")
        said.append(name if preposition == last else contracted(preposition, name))
        last = preposition
    return " und ".join(said)


@cache
def _accessories() -> frozenset[str]:
    return frozenset(name for (row,) in caption_words("accessory") for name in row.split(","))


def _of(phrase: NounPhrase, inner: Nominal) -> NounPhrase | None:
    """As in "eine Gruppe von Menschen", "eine Flasche Wein", "die Seite einer Straße"."""
    name = phrase.noun.english
    bare = not any(part.article or part.qualities or part.tail for part in inner.parts)
    if name in _GROUPS:
        phrase = replace(phrase, members=inner.first.noun)
    if name == "crowd":
        people = bare and inner.first.noun.english == "person"
        return phrase if people else None
    if name == "bag":
        phrase = replace(phrase, noun=named("Tüte"))
    if name in _MEASURES and bare:
        return replace(phrase, tail=inner.decline("nominative"))
    if name in _MEASURES | _CONTAINERS:
        return replace(phrase, tail=contracted("mit", inner.decline("dative")))
    owned = not (inner.first.amount or not inner.first.article or inner.first.plural)
    if owned and name not in {"picture", "photo"}:
        return replace(phrase, tail=inner.decline("genitive"))
    return replace(phrase, tail=contracted("von", inner.decline("dative")))


def _cores(tokens: Tokens, at: int) -> Iterator[tuple[NounPhrase, int]]:
    """Article, number, adjectives and noun."""
    for article, amount, start in _determiners(tokens, at):
        for qualities, after in _qualities(tokens, start):
            for noun, plural, head, end in _nouns(tokens, after):
                found = NounPhrase(noun, plural, article, amount, qualities, head=head)
                fitting = _fitting(found, " ".join(tokens[at:start]))
                if fitting is not None:
                    yield fitting, end


def _fitting(found: NounPhrase, determiner: str) -> NounPhrase | None:
    """The phrase if determiner and noun agree."""
    noun = found.noun
    if noun.english in _ALIKE and noun.plural:
        found = replace(found, plural=found.amount != "" or determiner == "")
    if found.amount and not found.plural:
        return replace(found, amount="") if found.amount == "einige" else None
    one_of_many = determiner in {"a", "an", "one", "another"} and found.plural
    # Something that is done: "holding a phone and writing".
    done = not determiner and noun.english.endswith("ing") and not found.plural
    return None if one_of_many or done else _as_meant(found, determiner)


def _as_meant(found: NounPhrase, determiner: str) -> NounPhrase:
    """The phrase with the noun, adjectives and article that German uses here."""
    noun = found.noun
    if found.plural and noun.english == "person" and found.amount:
        return replace(found, noun=named("Person"))
    if determiner and noun.english in _BALLS:  # the ball, not the game
        return replace(found, noun=replace(noun, gender="m"))
    if noun.english == "boy" and "jung" in found.qualities:
        qualities = ("klein" if each == "jung" else each for each in found.qualities)
        return replace(found, qualities=tuple(qualities))
    if not determiner and noun.always_plural and noun.kind == "clothes":
        return replace(found, article="ein" if noun.singular and not found.plural else "")
    return found


def _determiners(tokens: Tokens, at: int) -> Iterator[tuple[str, str, int]]:
    """German article and amount, and where the rest starts."""
    for length in range(min(3, len(tokens) - at), 0, -1):
        words = " ".join(tokens[at : at + length])
        if words in _AMOUNTS:
            yield "", _AMOUNTS[words], at + length
            return
    word = tokens[at] if at < len(tokens) else ""
    if word in ENGLISH_NUMBERS[2:]:
        number = NUMBERS[ENGLISH_NUMBERS.index(word)]
        yield "", number.replace("ue", "ü").replace("oe", "ö"), at + 1
    elif word in _ARTICLES and word:
        number = tokens[at + 1] if at + 1 < len(tokens) else ""
        if word == "the" and number in ENGLISH_NUMBERS[2:]:
            yield "der", NUMBERS[ENGLISH_NUMBERS.index(number)].replace("ue", "ü"), at + 2
        yield _ARTICLES[word], "", at + 1
    else:
        yield "", "", at


def _qualities(tokens: Tokens, at: int) -> Iterator[tuple[tuple[str, ...], int]]:
    """Adjectives, as many as there are first."""
    for length in range(min(5, len(tokens) - at), 0, -1):
        quality = _quality(tokens[at : at + length])
        longer = range(length + 1, _LONGEST + 1)  # "hot" of "hot dog" is no quality
        if quality and not any(caption_noun(" ".join(tokens[at : at + n])) for n in longer):
            skip = 1 if tokens[at + length : at + length + 1] == (",",) else 0
            for more, end in _qualities(tokens, at + length + skip):
                yield (quality, *more), end
    yield (), at


def _quality(words: tuple[str, ...]) -> str:
    """German for an adjective: "black and white" is "schwarz-weiß"."""
    known = caption_adjectives()
    if len(words) >= 3 and words[-2] == "and":
        several = [word for word in words if word not in {"and", ","}]
        if len(words) == 3 or words[1] == ",":
            alike = {*several} <= {*colours().values()}
            german = "-".join(known.get(word, "") for word in several)
            # "rosa" has no endings, but "rosafarben" has.
            return german + "farben" * (known.get(several[-1]) in UNDECLINED) if alike else ""
    if not words or words[0] in _first_parts() or words[0] in {"on", "off"}:
        return ""
    return known.get(" ".join(words), "")


@cache
def caption_adjectives() -> dict[str, str]:
    """German adjectives by English ones, as captions mean them."""
    return german_adjectives() | {row[0]: row[1] for row in caption_words("adjective")}


def _nouns(tokens: Tokens, at: int) -> Iterator[tuple[Noun, bool, str, int]]:
    """Nouns that start at a word, whether they are many, the head of a compound, and their end."""
    for length in range(min(_LONGEST, len(tokens) - at), 0, -1):
        known = caption_noun(" ".join(tokens[at : at + length]))
        if known is not None:
            yield *known, "", at + length
    first = _first_parts().get(tokens[at]) if at + 1 < len(tokens) else None
    if first:
        for noun, plural, head, end in _nouns(tokens, at + 1):
            if noun.kind not in {"body", "mass"} and noun.singular and not head:
                yield _compound(first, noun, tokens[at]), plural, noun.english, end


def _compound(first: str, noun: Noun, english: str) -> Noun:
    """As in "Baseball" and "Spieler": "Baseballspieler"."""
    return replace(
        noun,
        singular=first + noun.singular.lower(),
        plural=first + noun.plural.lower() if noun.plural else "",
        english=f"{english} {noun.english}",
        english_plural=f"{english} {noun.english_plural}",
    )


@cache
def _first_parts() -> dict[str, str]:
    return {name: german for names, german in caption_words("first") for name in names.split(",")}


@cache
def caption_noun(english: str) -> tuple[Noun, bool] | None:
    """German for a noun, as captions mean it, and whether it is many."""
    for name, german in caption_words("sense"):
        noun = named(german)
        if english == name:
            return replace(noun, english=name), not noun.singular
        if english == noun.english_plural and noun.english == name and noun.plural:
            return noun, True
    if english in {"someone", "somebody"}:
        return Noun("m", "jemand", "", english, english, "person"), False
    known = english_nouns().get(english)
    if known is None or known[0].english.lower() != "person":
        return known
    return named("Mensch") if known[1] else named("Person"), known[1]


@cache
def named(german: str) -> Noun:
    """The noun of a German word, which is listed."""
    return min(
        (noun for noun in nouns() if german in (noun.singular, noun.plural)),
        key=lambda noun: noun.singular != german,
    )
