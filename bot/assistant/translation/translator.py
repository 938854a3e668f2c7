"""German questions about pictures, put into English as the model learnt to be asked."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from bot.assistant.translation.chunks import Chunk, noun_phrases, segmentations
from bot.assistant.translation.clauses import Clause, Gap, clause
from bot.assistant.translation.idioms import idiom
from bot.assistant.translation.lexicon import VERB_PREPOSITIONS, Noun, finite_forms, prefixes, words
from bot.assistant.translation.question_words import QuestionWord, question_words

CAPTION = "Describe this picture."
_LONGEST = 24  # words
_SEEN = (
    r"(?: (?:hier|da|denn|alles|gerade|darauf|so|(?:auf|in) (?:dem|diesem|meinem) (?:bild|foto)))*"
)
_CAPTION = re.compile(
    rf"was ist (?:das|dies|es){_SEEN}|was ist{_SEEN}(?: zu sehen| zu erkennen| los)?"
    rf"|was (?:siehst|erkennst) du{_SEEN}|was (?:sieht|erkennt) man{_SEEN}"
    rf"|was (?:kann man|kannst du){_SEEN} (?:sehen|erkennen)|was gibt es{_SEEN} zu sehen"
    r"|was zeigt (?:das|dieses|mein) (?:bild|foto)|was (?:passiert|geschieht)"
    rf"{_SEEN}|(?:beschreib|beschreibe|beschreiben)(?: mir)?(?: mal)?"
    r"(?: (?:(?:das|dieses|mein) (?:bild|foto)|das|es|was du siehst))?"
    rf"|(?:(?:sag|sage|erzaehl|erzaehle)(?: mir)? )?was du{_SEEN} siehst"
    rf"|was{_SEEN} (?:zu sehen|los) ist|was das{_SEEN} ist"
    r"|(?:kannst|koenntest) du(?: mir)?(?: bitte)? (?:das (?:bild|foto)|das|es) beschreiben"
    r"|(?:eine )?(?:bild)?beschreibung|(?:das (?:bild|foto)|das|es) beschreiben"
)
_POLITE = re.compile(
    r"(?:(?:hallo|hi|hey|guten (?:tag|morgen|abend)|bitte|mal|sag mal|sag mir(?: mal)?|sage mir"
    r"|(?:kannst|koenntest) du (?:mir )?(?:mal )?(?:bitte )?(?:sagen|verraten|erklaeren)"
    r"|(?:kannst|koenntest) du (?:bitte )?(?:sehen|erkennen)(?= (?:ob|wie|was|wer|wo|welche\w?)\b)"
    r"|(?:kannst|koenntest) du (?:mir )?(?:mal )?(?:bitte )?(?=das (?:bild|foto) beschreiben)"
    r"|weisst du|siehst du(?= (?:ob|wie|was|wer|wo|welche\w?)\b)"
    r"|ich (?:moechte|will|wuerde gerne?) (?:gerne? )?wissen|ok|okay|also|glimpse) )+"
)
_AND = re.compile(
    r"(?:und(?: was ist mit| wie ist es bei)?|was ist mit|wie ist es bei|wie sieht es mit) "
)


@dataclass(frozen=True)
class Translation:
    """A German question in English.

    Attributes:
        english: The question.
        german: The same as it was asked.
        words: The German ones, folded, as they were read.
        about: Where in them its subject is: from and to; equal if it has none.
        noun: The subject's, or None.
        plural: Whether the subject is many.
    """

    english: str
    german: str = ""
    words: tuple[str, ...] = ()
    about: tuple[int, int] = (0, 0)
    noun: Noun | None = None
    plural: bool = False


def translate(text: str, last: Translation | None = None) -> Translation | None:
    """Put a German question into English; None if any of it is not understood.

    Args:
        text: One question, as it was typed.
        last: What was asked before about the same picture, for "und die Katze?" and "er".
    """
    found = _translate(text, last)
    return found and replace(found, german=text)


def _translate(text: str, last: Translation | None) -> Translation | None:
    spoken = " ".join(words(text))
    bare = _POLITE.sub("", f"{spoken} ", count=1).strip()
    bare = re.sub(r"(?: bitte| danke| mal)+$", "", bare)
    if _CAPTION.fullmatch(bare) or _CAPTION.fullmatch(spoken):
        return Translation(CAPTION)
    tokens = bare.removeprefix("und ").split()
    if not tokens or len(tokens) > _LONGEST or {"nicht", "kein", "keine", "keinen"} & set(tokens):
        return None
    another = _about_another(f"{bare} ", last)
    if another is not None:
        return another
    for order in (tokens, *_main_orders(tokens)):
        found = _read(order, last)
        if found is not None:
            return found
    return None


def _main_orders(tokens: Sequence[str]) -> Iterator[list[str]]:
    """A subordinate clause as a question of its own: "ob er schläft" → "schläft er"."""
    if len(tokens) < 2:
        return
    *rest, final = tokens
    ends = [(final, "")]
    for prefix in prefixes():
        if final.startswith(prefix):
            ends.append((final.removeprefix(prefix), prefix))
    for form, prefix in ends:
        if form not in finite_forms():
            continue
        tail = [prefix] if prefix else []
        if rest[:1] == ["ob"]:
            yield [form, *rest[1:], *tail]
        for asked in question_words(rest):
            yield [*rest[: asked.end], form, *rest[asked.end :], *tail]


def _read(tokens: Sequence[str], last: Translation | None) -> Translation | None:
    if tokens[0] in finite_forms():
        for found in _clauses(tokens, 0, None, last):
            return _translation(found.asked(), tokens, found)
        return None
    for asked in question_words(tokens):
        translation = _ask(tokens, asked, last)
        if translation is not None:
            return translation
    return None


def _ask(
    tokens: Sequence[str], asked: QuestionWord, last: Translation | None
) -> Translation | None:
    """A question with a question word."""
    if asked.end == len(tokens):  # "Wie viele Hunde?"
        whole = asked.alone
        return Translation(whole) if whole else None
    at = asked.end
    early: list[Chunk] = []
    if tokens[at] not in finite_forms():  # "Wie viele Leute auf dem Bild tragen ..."
        ends = [place for place in range(at, len(tokens)) if tokens[place] in finite_forms()]
        if not ends:
            return None
        cut = next(segmentations(tokens[at : ends[0]], 0), None)
        if not cut or any(chunk.kind != "place" for chunk in cut):
            return None
        early, at = cut, ends[0]
    for chunks in segmentations(tokens, at + 1):
        found = _answerable(tokens, at, asked, [*(_resolved(c, last) for c in chunks), *early])
        if found is not None:
            return found
    return None


def _answerable(
    tokens: Sequence[str], at: int, asked: QuestionWord, chunks: list[Chunk]
) -> Translation | None:
    """One way to cut the words, read in each way that the question word allows."""
    said = idiom(asked, tokens[at], chunks)
    if said:
        return _translation(said[0], tokens, said[1])
    if asked.english == "how" and finite_forms()[tokens[at]].verbs[0].infinitive == "sein":
        return None
    for reading in asked.readings(tokens, at):
        found = clause(tokens[at], chunks, reading.gap)
        if found is None or not _fits(tokens[at], reading.gap, found):
            continue
        if not _acts(asked, found, chunks, reading.gap.place):
            continue
        english = found.asked(reading.english)
        preposition = _wanted(tokens[at], asked, reading.preposition)
        return _translation(_stranded(english, preposition), tokens, found)
    return None


def _fits(form: str, gap: Gap | None, found: Clause) -> bool:
    """Whether verb and subject agree in number, which tells subject from object."""
    finite = finite_forms()[form]
    if gap is None or not gap.counted:
        return True
    plural = gap.plural if found.about is None else found.about.plural
    return finite.plural if plural else finite.singular


def _acts(asked: QuestionWord, found: Clause, chunks: Sequence[Chunk], place: str) -> bool:
    """Whether it is sure who does it: what is asked for, or what else is named."""
    if not asked.alive or asked.accusative or asked.nominative or not place:
        return True
    if place == "subject":
        others = [chunk for chunk in chunks if chunk.kind == "noun" and chunk.noun is not None]
        return not any(chunk.alive and chunk.subject and chunk.definite for chunk in others)
    about = found.about
    if about is None or about.noun is None:
        return True
    return about.alive and about.noun.gender == "m" and about.definite and not about.plural


def _wanted(form: str, asked: QuestionWord, preposition: str) -> str:
    """The preposition that the verb wants: "pointing at", not "pointing on"."""
    verb = finite_forms()[form].verbs[0].english.split(" ")[0]
    return VERB_PREPOSITIONS.get((verb, asked.german), preposition)


def _stranded(english: str, preposition: str) -> str:
    """As in "What is the bird sitting on?"."""
    return f"{english.removesuffix('?')} {preposition}?" if preposition else english


def _clauses(
    tokens: Sequence[str], at: int, gap: Gap | None, last: Translation | None
) -> Iterator[Clause]:
    for chunks in segmentations(tokens, at + 1):
        found = clause(tokens[at], [_resolved(chunk, last) for chunk in chunks], gap)
        if found is not None:
            yield found


def _resolved(chunk: Chunk, last: Translation | None) -> Chunk:
    """What "er" or "sie" is, if that was just spoken of."""
    if chunk.kind != "noun" or chunk.noun is not None or last is None or last.noun is None:
        return chunk
    gender = {"he": "m", "him": "m", "she": "f", "they": ""}.get(chunk.english)
    if gender is None:
        return chunk
    if last.plural:
        if chunk.english not in {"she", "they"}:
            return chunk
        name = last.noun.english_plural
    elif gender != last.noun.gender:
        return chunk
    else:
        name = last.noun.english
    return replace(chunk, english=f"the {name}", bare=name, noun=last.noun, plural=last.plural)


def _translation(english: str, tokens: Sequence[str], found: Clause | Chunk | None) -> Translation:
    chunk = found.about if isinstance(found, Clause) else found
    if chunk is None or chunk.noun is None:
        return Translation(english, words=tuple(tokens))
    return Translation(
        english, "", tuple(tokens), (chunk.start, chunk.end), chunk.noun, chunk.plural
    )


def _about_another(spoken: str, last: Translation | None) -> Translation | None:
    """As in "Und die Katze?": what was asked before, of something else."""
    opening = _AND.match(spoken)
    if opening is None or last is None or last.about[0] == last.about[1]:
        return None
    tokens = spoken[opening.end() :].split()
    other = next((chunk for chunk in noun_phrases(tokens, 0) if chunk.end == len(tokens)), None)
    if other is None or other.noun is None:
        return None
    if tokens[0] in {"der", "dem", "den"}:  # after "mit"
        tokens[0] = (
            "die" if other.plural else {"m": "der", "f": "die"}.get(other.noun.gender, "das")
        )
    start, end = last.about
    return _read([*last.words[:start], *tokens, *last.words[end:]], None)
