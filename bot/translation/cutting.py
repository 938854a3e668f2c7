"""Every way to cut the words of a clause into chunks, the likeliest first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from bot.translation import adjectives, verbs
from bot.translation.chunks import Chunk, noun_phrases, places
from bot.translation.english import done

MOST = 60  # cuttings tried of one clause
_THERE = frozenset({"da", "hier", "dort", "irgendwo"})
_FEELINGS = {
    "angst": "scared", "hunger": "hungry", "durst": "thirsty", "spass": "having fun",
    "schmerzen": "in pain",
}  # fmt: skip
_AT_THE_END = frozenset({"an", "aus", "auf", "zu"})  # "ist an"; elsewhere prepositions
_BINDERS = {"und": "and", "oder": "or"}


def cuttings(words: Sequence[str], at: int) -> Iterator[list[Chunk]]:
    """Ways to read the words from `at` to the end, each word being part of a chunk."""
    if at >= len(words):
        yield []
        return
    if words[at] in adjectives.FILLERS:
        here = [Chunk("there", "", start=at, end=at + 1)] if words[at] in _THERE else []
        for rest in cuttings(words, at + 1):
            yield here + rest
    for chunk in _chunks(words, at):
        for joined in _joined(words, chunk):
            for rest in cuttings(words, joined.end):
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
        verb = verbs.infinitives().get(words[at + 2])
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
    degree = adjectives.degree(word)
    if degree and at + 1 < len(words):
        quality = adjectives.predicative(words[at + 1])
        if quality:
            yield Chunk("adjective", f"{degree} {quality}", start=at, end=at + 2)
    quality = adjectives.predicative(word)
    if quality and (word not in _AT_THE_END or at == len(words) - 1):
        yield Chunk("adjective", quality, start=at, end=at + 1)


def _verbs(words: Sequence[str], at: int) -> Iterator[Chunk]:
    """What ends a clause: participles, infinitives and prefixes."""
    word = words[at]
    verb = verbs.participles().get(word)
    if verb and at >= len(words) - 2:
        yield Chunk("participle", done(verb.english), verb=verb, start=at, end=at + 1)
    verb = verbs.infinitives().get(word)
    if verb and at == len(words) - 1:
        yield Chunk("infinitive", verb.english, verb=verb, start=at, end=at + 1)
    if word == "sein" and at == len(words) - 1:
        yield Chunk("infinitive", "be", verb=verbs.Verb("sein", "", "be"), start=at, end=at + 1)
    if word == "sich" or (word in verbs.prefixes() and at == len(words) - 1):
        yield Chunk("prefix", word, start=at, end=at + 1)
