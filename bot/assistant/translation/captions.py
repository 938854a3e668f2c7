"""The model's captions in German: whole sentences, by a grammar of what captions say.

A caption of which a word or the shape is not known has no German: half a translation would be worse
than the model's own words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cache, lru_cache

from bot.assistant.translation.caption_phrases import (
    Tokens,
    agrees,
    caption_adjectives,
    nominals,
)
from bot.assistant.translation.caption_places import in_german, places
from bot.assistant.translation.caption_verbs import Action, Predicate, known_verbs, participle
from bot.assistant.translation.declension import Nominal, NounPhrase, contracted, sentence
from bot.assistant.translation.english import present_participle, third_person
from bot.assistant.translation.lexicon import caption_words

_LONGEST = 24  # words
_RELATIVE = {"m": "der", "f": "die", "n": "das", "": "die"}
_POSTURE_PARTICIPLES = {"parked": "park", "docked": "dock", "seated": "seat", "placed": "place"}
_PARTICLES = frozenset({"up", "down"})
_POSTURES_DOWN = frozenset({"lie", "lay", "sit"})


@lru_cache(1000)  # the log and the reply ask for the same one, and captions are much alike
def caption_in_german(caption: str) -> str | None:
    """A caption as a German sentence without its full stop; None if any of it is not understood.

    Args:
        caption: In English: "a dog runs on the beach".
    """
    tokens = tuple(re.findall(r"[\w'-]+|,", caption.lower().rstrip(" .")))
    if re.sub(r"[\w'\s,-]", "", caption.rstrip(" .")) or not 0 < len(tokens) <= _LONGEST:
        return None
    return next(_sentences(tokens, 0), None)


def _sentences(tokens: Tokens, at: int) -> Iterator[str]:
    """Everything from a word to the end as a sentence, the likeliest first."""
    if tokens[at] == "there" and tokens[at + 1 : at + 2] in (("is",), ("are",)):
        yield from _there(tokens, at + 2)
        return
    for subject, said, end in _subjects(tokens, at):
        if end == len(tokens):
            yield sentence([said])
        for pieces, after in _predicates(tokens, end, subject):
            if after == len(tokens):
                yield sentence([said, *pieces])
            elif tokens[after] == "and":
                for second in _sentences(tokens, after + 1):
                    if _has_verb(tokens[after + 1 :]):
                        yield f"{sentence([said, *pieces])}, und {_decapitalized(second)}"


def _decapitalized(said: str) -> str:
    first, _, rest = said.partition(" ")
    bare = first.lower() in {"ein", "eine", "zwei", "drei", "der", "die", "das", "mehrere"}
    return f"{first.lower() if bare else first} {rest}"


def _has_verb(tokens: Tokens) -> bool:
    return not {"is", "are"}.isdisjoint(tokens) or any(token in _finite() for token in tokens)


def _there(tokens: Tokens, at: int) -> Iterator[str]:
    for what, end in nominals(tokens, at):
        for found, after in places(tokens, end):
            if after == len(tokens):
                where = [in_german(place, "be", what) for place in found]
                yield sentence(["es gibt", what.decline("accusative"), *where])


def _subjects(tokens: Tokens, at: int) -> Iterator[tuple[Nominal, str, int]]:
    """Subjects with places and relative clauses after them."""
    for read, end in nominals(tokens, at):
        subject = _with_articles(read) if end < len(tokens) else read
        said = subject.decline("nominative")
        yield subject, said, end
        for found, after in places(tokens, end):
            if found:
                where = [in_german(place, "be", subject) for place in found]
                yield subject, " ".join([said, *where]), after
        if end < len(tokens) and tokens[end] in _gerunds():
            for done, after in _doings(tokens, end, subject):
                if after < len(tokens) and tokens[after] in {"is", "are"}:
                    relative = _RELATIVE["" if subject.plural else subject.first.gender]
                    pieces = done.said_last(plural=subject.plural)
                    clause = " ".join(filter(None, (f"{said}, {relative}", *pieces)))
                    yield subject, f"{clause},", after


def _with_articles(subject: Nominal) -> Nominal:
    """In "dog is running", the model left one out."""
    return Nominal(
        tuple(replace(part, article="ein") if _lacks_article(part) else part
              for part in subject.parts)
    )  # fmt: skip


def _lacks_article(part: NounPhrase) -> bool:
    whole = part.article or part.amount or part.plural or part.noun.singular == "jemand"
    return not whole and part.noun.counted


def _predicates(tokens: Tokens, at: int, subject: Nominal) -> Iterator[tuple[list[str], int]]:
    """What a subject is or does, and more of it after "and"."""
    for found, end in _predicate(tokens, at, subject):
        said = found.said(plural=subject.plural)
        if tokens[end : end + 1] == ("and",):
            for more, after in _predicates(tokens, end + 1, subject):
                yield [*said, "und", *more], after
        yield said, end


def _predicate(tokens: Tokens, at: int, subject: Nominal) -> Iterator[tuple[Predicate, int]]:
    word = tokens[at] if at < len(tokens) else ""
    if word in {"is", "are"} and agrees(subject, word):
        yield from _being(tokens, at + 1, subject)
    elif word in _gerunds() or (at and word in _participles() and tokens[at - 1] == "and"):
        yield from _being(tokens, at, subject)
    elif word in {"has", "have"}:
        for what, end in nominals(tokens, at + 1):
            yield Predicate("haben", (what.decline("accusative"),)), end
    elif word in _finite():
        yield from _acting(tokens, at + 1, _finite()[word], subject)
    elif subject.plural and word in known_verbs():
        yield from _acting(tokens, at + 1, word, subject)


def _being(tokens: Tokens, at: int, subject: Nominal) -> Iterator[tuple[Predicate, int]]:
    """What comes after "is" or "are"."""
    word = tokens[at] if at < len(tokens) else ""
    yield from _doings(tokens, at, subject)
    if word in _POSTURE_PARTICIPLES:
        yield from _acting(tokens, at + 1, _POSTURE_PARTICIPLES[word], subject)
    if word == "dressed" and tokens[at + 1 : at + 2] == ("in",):
        for what, end in nominals(tokens, at + 2):
            yield Predicate("tragen", (what.decline("accusative"),)), end
    yield from _passives(tokens, at, subject)
    for found, end in places(tokens, at):
        if found:
            done = Action("be", subject, None, found).predicate()
            if done is not None:
                yield done, end
    quality = caption_adjectives().get(word)
    if quality:
        for found, end in places(tokens, at + 1):
            where = tuple(in_german(place, "be", subject) for place in found)
            yield Predicate("sein", where, quality), end
    for what, end in nominals(tokens, at):
        done = Action("be", subject, what).predicate()
        if done is not None and what.plural == subject.plural:
            yield done, end


def _passives(tokens: Tokens, at: int, subject: Nominal) -> Iterator[tuple[Predicate, int]]:
    """As in "is filled with food on a table"."""
    for english, german, with_english, with_german in caption_words("participle"):
        if tokens[at : at + 2] != (english, with_english):
            continue
        for what, middle in nominals(tokens, at + 2):
            for found, end in places(tokens, middle):
                said = contracted(with_german, what.decline("dative"))
                action = Action("be", subject, None, found)
                yield participle(german, action, [said]), end


def _doings(tokens: Tokens, at: int, subject: Nominal) -> Iterator[tuple[Predicate, int]]:
    """Something that goes on: "riding a horse"."""
    verb = _gerunds().get(tokens[at]) if at < len(tokens) else None
    if verb:
        yield from _acting(tokens, at + 1, verb, subject)


def _acting(
    tokens: Tokens, at: int, verb: str, subject: Nominal
) -> Iterator[tuple[Predicate, int]]:
    """A verb's object, places and purpose."""
    for particle, start in _particles(tokens, at, verb):
        for what, middle in _objects(tokens, start):
            for found, end in places(tokens, middle):
                done = Action(verb, subject, what, found, particle).predicate()
                if done is None:
                    continue
                for purpose, after in _purposes(tokens, end, subject):
                    yield _with_purpose(done, purpose), after
                yield done, end


def _particles(tokens: Tokens, at: int, verb: str) -> Iterator[tuple[str, int]]:
    yield "", at
    if tokens[at : at + 1] and tokens[at] in _PARTICLES:
        yield "" if verb in _POSTURES_DOWN else tokens[at], at + 1


def _objects(tokens: Tokens, at: int) -> Iterator[tuple[Nominal | None, int]]:
    yield from nominals(tokens, at)
    yield None, at


def _purposes(tokens: Tokens, at: int, subject: Nominal) -> Iterator[tuple[str, int]]:
    """As in "to catch a ball"."""
    if tokens[at : at + 1] != ("to",) or at + 1 >= len(tokens):
        return
    verb = tokens[at + 1]
    if verb in known_verbs():
        for done, end in _acting(tokens, at + 2, verb, subject):
            yield done.purpose(), end


def _with_purpose(done: Predicate, purpose: str) -> Predicate:
    pieces = (*done.middle, done.final)
    return Predicate(done.verb, tuple(filter(None, pieces)), f", {purpose}")


@cache
def _gerunds() -> dict[str, str]:
    """English verbs by what "is" comes before; "lying" is of "lie"."""
    return {present_participle(verb): verb for verb in known_verbs()} | {"lying": "lie"}


@cache
def _finite() -> dict[str, str]:
    """English verbs by their third person, and by their base form after many."""
    verbs = known_verbs() - {"be", "park", "dock", "seat", "place"}
    return {third_person(verb): verb for verb in verbs}


@cache
def _participles() -> frozenset[str]:
    return frozenset(row[0] for row in caption_words("participle")) | {*_POSTURE_PARTICIPLES}
