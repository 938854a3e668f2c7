"""Cutting German words into noun phrases, places, adjectives and verbs, each put into English."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from bot.assistant.text import word_set
from bot.assistant.translation.english import article, past_participle
from bot.assistant.translation.lexicon import (
    DEGREES,
    ENGLISH_NUMBERS,
    FILLERS,
    NUMBERS,
    Noun,
    NounForm,
    Verb,
    attributive,
    find_noun,
    infinitives,
    participles,
    place_adverbs,
    predicative,
    prefixes,
)

_DEFINITE = word_set("der die das den dem des")
_INDEFINITE = word_set("ein eine einen einem einer eines")
_STEMS = {  # of determiners with endings
    "dies": "this", "jen": "that", "jed": "every", "mein": "my", "dein": "your",
    "sein": "his", "ihr": "her", "irgendein": "any", "irgendwelch": "any", "unser": "our",
}  # fmt: skip
_AMOUNTS = {
    "viele": "many", "vielen": "many", "viel": "much", "einige": "some", "einigen": "some",
    "mehrere": "several", "mehreren": "several", "alle": "all the", "allen": "all the",
    "beide": "both", "beiden": "both", "mehr": "more", "andere": "other", "anderen": "other",
    "ein paar": "some", "genug": "enough", "verschiedene": "different", "weniger": "fewer",
}  # fmt: skip
_PRONOUNS = {
    "er": "he", "sie": "she", "es": "it", "ihn": "him", "ihm": "him", "jemand": "anyone",
    "jemanden": "anyone", "jemandem": "anyone", "etwas": "anything", "man": "you", "du": "you",
    "wir": "we", "ich": "I", "ihnen": "them", "dieser": "this", "dieses": "this", "das": "this",
    "dies": "this", "diese": "these", "was": "anything", "alle": "they all", "beide": "both",
}  # fmt: skip
_PREPOSITIONS = {
    "auf": "on", "in": "in", "an": "on", "unter": "under", "ueber": "over", "neben": "next to",
    "hinter": "behind", "vor": "in front of", "zwischen": "between", "bei": "at", "mit": "with",
    "ohne": "without", "aus": "out of", "von": "of", "zu": "to", "fuer": "for", "um": "around",
    "gegen": "against", "durch": "through", "nach": "to", "waehrend": "during",
    "innerhalb": "inside", "ausserhalb": "outside", "gegenueber": "across from", "seit": "since",
    "wegen": "because of",
}  # fmt: skip
_MOSTLY_SINGULAR = frozenset({"winter", "summer", "morning", "lunch", "dinner"})
_PICTURES = frozenset({"picture", "photo"})
_AT_PLACES = frozenset({"beach", "table", "bus stop", "train station", "shore", "airport"})
_IN_PLACES = frozenset({"field", "meadow", "pasture", "farm", "parking lot", "playground", "yard"})


@dataclass(frozen=True)
class Chunk:
    """A piece of a clause.

    Attributes:
        kind: "noun", "place", "adjective", "participle", "infinitive", "doing" ("am Essen"),
            "prefix", "feeling", "visible" or "there".
        english: What it says.
        plural: Of a noun phrase: whether it is many.
        noun: Its last noun; None for a pronoun.
        definite: Whether it says "the", "this", "my" or is a pronoun.
        subject: False if its article tells that it is an object ("den Hund").
        verb: Of a participle or an infinitive.
        preposition: German, of a place.
        start: Where its words start.
        end: Where they end.
        bare: Of a noun phrase, what it says without its determiner.
    """

    kind: str
    english: str
    plural: bool = False
    noun: Noun | None = None
    definite: bool = False
    subject: bool = True
    verb: Verb | None = None
    preposition: str = ""
    start: int = 0
    end: int = 0
    bare: str = ""

    @property
    def alive(self) -> bool:
        """Whether English says "whose" of it."""
        return self.noun is None or self.noun.kind in {"person", "animal"}


def noun_phrases(words: Sequence[str], at: int) -> Iterator[Chunk]:
    """The noun phrases that start at a word, the longest first."""
    simple = list(_simple(words, at))
    for chunk in simple:
        owner = _genitive(words, chunk.end)
        if owner is not None and chunk.noun is not None:
            yield _owned(chunk, owner)
    yield from simple
    attached = at + 1 < len(words) and words[at].startswith("dies") and find_noun(words[at + 1])
    if at < len(words) and words[at] in _PRONOUNS and not attached:
        yield _pronoun(words[at], at)


def _pronoun(word: str, at: int) -> Chunk:
    definite = _PRONOUNS[word] not in {"anyone", "anything"}
    plural = word in {"ihnen", "diese", "wir", "man", "du", "alle", "beide"}
    subject = word not in {"ihn", "ihm", "ihnen", "jemanden", "jemandem"}
    return Chunk("noun", _PRONOUNS[word], plural, None, definite, subject, start=at, end=at + 1)


def _simple(words: Sequence[str], at: int) -> Iterator[Chunk]:
    """Determiner, number, adjectives and noun."""
    for determiner, place in _determiners(words, at):
        number, after = _number(words, place)
        qualities: list[str] = []
        while after < len(words):
            form = find_noun(words[after])
            quality = attributive(words[after])
            if form is not None and not (quality and _goes_on(words, after + 1)):
                for chosen in _numbers(determiner, number, form):
                    chunk = _phrase(determiner, number, qualities, chosen, (at, after + 1))
                    if chunk is not None:
                        yield chunk
                break
            if quality is None or (
                determiner in _DEFINITE and not words[after].endswith(("e", "en"))
            ):
                break
            qualities.append(quality)
            after += 2 if words[after + 1 : after + 2] == ["und"] and qualities else 1


def _numbers(determiner: str, number: str, form: NounForm) -> list[NounForm]:
    """Without an article, "Spieler" may be one or many."""
    if determiner or number or not (form.singular and form.plural):
        return [form]
    one, many = replace(form, plural=False), replace(form, singular=False)
    return [one, many] if form.noun.english in _MOSTLY_SINGULAR else [many, one]


def _goes_on(words: Sequence[str], at: int) -> bool:
    return at < len(words) and find_noun(words[at]) is not None


def _determiners(words: Sequence[str], at: int) -> Iterator[tuple[str, int]]:
    """What may be an article here, and where the rest starts; "" for none."""
    if at >= len(words):
        return
    if " ".join(words[at : at + 2]) == "ein paar":
        yield "ein paar", at + 2
    if words[at] in _DEFINITE | _INDEFINITE or _stem(words[at]):
        yield words[at], at + 1
    yield "", at


def _stem(word: str) -> str:
    """The determiner that a word is a form of, in English, or ""."""
    if word in {"sein", "ihr", "mein", "dein"}:
        return _STEMS[word]
    for ending in ("er", "es", "en", "em", "e"):
        if word.endswith(ending) and word.removesuffix(ending) in _STEMS:
            return _STEMS[word.removesuffix(ending)]
    return ""


def _number(words: Sequence[str], at: int) -> tuple[str, int]:
    """A number or an amount, and where the rest starts."""
    if at >= len(words):
        return "", at
    word = words[at]
    if word in _AMOUNTS:
        return _AMOUNTS[word], at + 1
    if word in NUMBERS[2:]:
        return ENGLISH_NUMBERS[NUMBERS.index(word)], at + 1
    return (word, at + 1) if word.isdigit() else ("", at)


def _phrase(
    determiner: str, number: str, qualities: list[str], form: NounForm, place: tuple[int, int]
) -> Chunk | None:
    """Put a noun phrase into English, or None if its parts do not agree."""
    noun = form.noun
    plural = _is_plural(determiner, number, form)
    if plural is None:
        return None
    name = noun.english_plural if plural else noun.english
    if noun.kind in {"person", "animal"}:
        qualities = ["little" if quality == "small" else quality for quality in qualities]
    bare = " ".join([*qualities, name])
    definite = determiner in _DEFINITE or bool(_stem(determiner)) or number == "all the"
    subject = determiner not in {"den", "einen", "dem", "einem", "des", "eines"} and (
        not determiner.endswith(("en", "em", "es")) or determiner in {"", "dieses", "jenes"}
    )
    if determiner == "der" and noun.gender == "f" and not plural:
        subject = False
    many = (plural and not noun.never_plural) or noun.always_plural
    chunk = Chunk(
        "noun", "", many, noun, definite, subject,
        start=place[0], end=place[1], bare=bare,
    )  # fmt: skip
    return replace(chunk, english=_say(determiner, number, bare, chunk))


def _say(determiner: str, number: str, bare: str, chunk: Chunk) -> str:
    """Article, number and the rest in English."""
    noun = chunk.noun
    if determiner in _DEFINITE:
        said = "the"
    elif determiner in _INDEFINITE:
        counted = noun is not None and noun.counted and not chunk.plural
        said = article(bare) if counted else ""
    elif determiner == "ein paar":
        said = "some"
    else:
        said = _stem(determiner)
        if chunk.plural:
            said = {"this": "these", "that": "those", "every": "all"}.get(said, said)
    return " ".join(filter(None, (said, number, bare)))


def _is_plural(determiner: str, number: str, form: NounForm) -> bool | None:
    """Whether a noun phrase is many; None if it cannot be."""
    gender = form.noun.gender
    if number and number != "1" and number not in {"much", "more", "enough", "all the"}:
        return True if form.plural or form.noun.kind == "mass" else None
    many = form.plural
    if determiner in _INDEFINITE or determiner in {"das", "dem", "des"}:
        many = False
    elif determiner == "die" or determiner.endswith("e"):
        many = form.plural and not (gender == "f" and form.singular)
    elif determiner == "der":
        many = form.plural and not form.singular
    elif determiner == "den":
        many = form.plural and gender != "m"
    elif determiner:
        many = form.plural and not form.singular
    if many:
        return True
    return False if form.singular else None


def _genitive(words: Sequence[str], at: int) -> Chunk | None:
    """Whose it is: "des Mannes", "der Frau", "von dem Auto"."""
    if at >= len(words):
        return None
    if words[at] == "von":
        at += 1
        if any(words[chunk.end : chunk.end + 1] == ["weg"] for chunk in _simple(words, at)):
            return None
    elif words[at] not in {"des", "der", "eines", "einer", "dieses", "dieser"}:
        return None
    owner = next(_simple(words, at), None)
    if owner is None or owner.noun is None:
        return None
    further = _genitive(words, owner.end)
    return owner if further is None else _owned(owner, further)


def _owned(thing: Chunk, owner: Chunk) -> Chunk:
    """As in "the man's hat", "the door of the house"."""
    if owner.alive and thing.definite:
        mark = "'" if owner.plural and owner.english.endswith("s") else "'s"
        return replace(thing, english=f"{owner.english}{mark} {thing.bare}", end=owner.end)
    return replace(thing, english=f"{thing.english} of {owner.english}", end=owner.end)


def places(words: Sequence[str], at: int) -> Iterator[Chunk]:
    """Places that start at a word: "auf dem Tisch", "links"."""
    if at >= len(words):
        return
    adverb = place_adverbs().get(words[at])
    if words[at] == "ganz" and at + 1 < len(words):  # "ganz links"
        side = place_adverbs().get(words[at + 1], "")
        if side:
            yield Chunk("place", side.replace("the ", "the far "), start=at, end=at + 2)
    if words[at] == "von":  # "von der Kamera weg"
        for chunk in noun_phrases(words, at + 1):
            if words[chunk.end : chunk.end + 1] == ["weg"]:
                yield Chunk("place", f"away from {chunk.english}", start=at, end=chunk.end + 1)
    preposition = _PREPOSITIONS.get(words[at])
    if preposition:
        for chunk in noun_phrases(words, at + 1):
            yield _located(words[at], preposition, chunk, at)
    if adverb:
        yield Chunk("place", adverb, start=at, end=at + 1)


def _located(german: str, english: str, chunk: Chunk, at: int) -> Chunk:
    """A preposition and what it is about."""
    noun = chunk.noun
    name = noun.english if noun else ""
    if name in _PICTURES and german in {"auf", "in", "an"} and not chunk.bare.count(" "):
        return Chunk("place", f"in {chunk.english}", preposition="picture", start=at, end=chunk.end)
    if name == "sky" and german == "an":
        english = "in"
    elif name == "country" and german == "auf":
        return Chunk("place", "in the countryside", start=at, end=chunk.end)
    elif name == "outdoors":
        return Chunk("place", "outdoors", start=at, end=chunk.end)
    elif name in _AT_PLACES and german in {"an", "bei"}:
        english = "at"
    elif name in _IN_PLACES and german == "auf" and noun and noun.singular != "Spielfeld":
        english = "in"
    elif noun is not None and noun.kind == "body" and german == "um":
        english = "around"
    said = f"{english} {_object(chunk.english)}"
    return replace(
        chunk, kind="place", english=said, preposition=german, start=at, bare=chunk.bare or ""
    )


def _object(english: str) -> str:
    return {"he": "him", "she": "her", "they": "them", "I": "me", "we": "us"}.get(english, english)


# --- every way to cut a clause into chunks, the likeliest first ----------------------------------

_MAX_SEGMENTATIONS = 60  # tried of one clause
_THERE = frozenset({"da", "hier", "dort", "irgendwo"})
_FEELINGS = {
    "angst": "scared", "hunger": "hungry", "durst": "thirsty", "spass": "having fun",
    "schmerzen": "in pain",
}  # fmt: skip
_AT_THE_END = frozenset({"an", "aus", "auf", "zu"})  # "ist an"; elsewhere prepositions
_BINDERS = {"und": "and", "oder": "or"}


def segmentations(words: Sequence[str], at: int) -> Iterator[list[Chunk]]:
    """Ways to read the words from `at` to the end, each word being part of a chunk."""
    return islice(_segmentations(words, at), _MAX_SEGMENTATIONS)


def _segmentations(words: Sequence[str], at: int) -> Iterator[list[Chunk]]:
    if at >= len(words):
        yield []
        return
    if words[at] in FILLERS:
        here = [Chunk("there", "", start=at, end=at + 1)] if words[at] in _THERE else []
        for rest in _segmentations(words, at + 1):
            yield here + rest
    for chunk in _chunks(words, at):
        for joined in _joined(words, chunk):
            for rest in _segmentations(words, joined.end):
                yield [joined, *rest]


def _joined(words: Sequence[str], chunk: Chunk) -> Iterator[Chunk]:
    """The chunk with what "und" or "oder" binds to it, and the chunk alone."""
    if chunk.end < len(words) and words[chunk.end] in _BINDERS:
        binder = _BINDERS[words[chunk.end]]
        for other in _chunks(words, chunk.end + 1):
            if other.kind == chunk.kind and chunk.kind in {"noun", "adjective", "place"}:
                english = f"{chunk.english} {binder} {other.english}"
                plural = chunk.plural if binder == "or" else True
                whole = replace(chunk, english=english, plural=plural, end=other.end)
                yield from _joined(words, whole)
                return
    else:
        yield chunk


def _chunks(words: Sequence[str], at: int) -> Iterator[Chunk]:
    """What may start at a word, the longest first of each kind."""
    if at >= len(words):
        return
    word, after = words[at], words[at + 1 : at + 2]
    if word == "zu" and after and after[0] in {"sehen", "erkennen"}:
        yield Chunk("visible", "visible", start=at, end=at + 2)
    if words[at : at + 2] == ["an", "dem"] and len(words) > at + 2:  # "am Essen"
        verb = infinitives().get(words[at + 2])
        if verb and at + 3 == len(words):
            yield Chunk("doing", "", verb=verb, start=at, end=at + 3)
    yield from places(words, at)
    yield from noun_phrases(words, at)
    yield from _qualities(words, at)
    if word in _FEELINGS:
        yield Chunk("feeling", _FEELINGS[word], start=at, end=at + 1)
    yield from _verbs(words, at)


def _qualities(words: Sequence[str], at: int) -> Iterator[Chunk]:
    """Adjectives after "is": "rot", "sehr alt"."""
    word = words[at]
    degree = DEGREES.get(word)
    if degree and at + 1 < len(words):
        quality = predicative(words[at + 1])
        if quality:
            yield Chunk("adjective", f"{degree} {quality}", start=at, end=at + 2)
    quality = predicative(word)
    if quality and (word not in _AT_THE_END or at == len(words) - 1):
        yield Chunk("adjective", quality, start=at, end=at + 1)


def _verbs(words: Sequence[str], at: int) -> Iterator[Chunk]:
    """What ends a clause: participles, infinitives and prefixes."""
    word = words[at]
    verb = participles().get(word)
    if verb and at >= len(words) - 2:
        yield Chunk("participle", past_participle(verb.english), verb=verb, start=at, end=at + 1)
    verb = infinitives().get(word)
    if verb and at == len(words) - 1:
        yield Chunk("infinitive", verb.english, verb=verb, start=at, end=at + 1)
    if word == "sein" and at == len(words) - 1:
        yield Chunk("infinitive", "be", verb=Verb("sein", "", "be"), start=at, end=at + 1)
    if word == "sich" or (word in prefixes() and at == len(words) - 1):
        yield Chunk("prefix", word, start=at, end=at + 1)
