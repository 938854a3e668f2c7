"""From the model's bare words ("2", "a dog runs .") to a sentence as a person would write it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from bot.texts import Texts
from bot.translation.answers import in_german


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_NUMBERS = (  # by value
    *("", "one", "two", "three", "four", "five", "six"),
    *("seven", "eight", "nine", "ten", "eleven", "twelve"),
)
_COUNTING = re.compile(
    r"\bhow many\b|^count\b|\bwhat (?:number of|is the (?:total )?number of (?!the\b))",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"(?<![\w.,:/$#-])(\d{1,2})\b(?![.,:/%+-]?\d|[%+])(?=(.?))")
_UNKNOWN = {"unknown", "not sure", "unsure", "i don't know", "don't know", "can't tell", "unclear"}
_ARTICLE = re.compile(r"(?:a|an|the|some|there)\s", re.IGNORECASE)

_CAPITALS = _words(
    """I I'm I've I'll I'd TV TVs USA UK U.S U.S.A NYC DVD DVDs CD CDs PC SUV SUVs ATM RV
    RVs BBQ BMW NBA NFL MLB USB GPS BMX IBM HP LG KFC iPhone iPad iPod Xbox Wii Nike Adidas Samsung
    Sony Dell Toyota Honda Nikon Wilson Harley Nintendo Starbucks McDonald's Pepsi Coke Google
    Monday Tuesday Wednesday Thursday Friday Saturday Sunday January February April June July
    September October November December Christmas Halloween Easter Thanksgiving Santa America
    American Americans England English Britain British London Paris Rome Italy Italian France French
    Germany German Spain Spanish Europe European Asia Asian Africa African India Indian Japan
    Japanese Chinese Mexico Mexican Canada Canadian Australia Australian Russia Russian Chicago
    California Texas Florida Dalmatian Labrador Chihuahua
    """
)
_PHRASES = ("New York", "Los Angeles", "San Francisco", "Las Vegas", "Santa Claus", "Coca-Cola")
_SPELLINGS = {word.lower(): word for word in (*_CAPITALS, *_PHRASES)} | {"coca cola": "Coca-Cola"}
_NAMES = re.compile(
    r"(?<!\w)(?<!\w')(?:"
    + "|".join(re.escape(name) for name in sorted(_SPELLINGS, key=len, reverse=True))
    + r")(?!\w|'(?!s\b)\w)"
)


@dataclass(frozen=True)
class Sureness:
    """Confidence (0..1) below which an answer or a caption says that it is not sure."""

    answer: float = 0.35
    caption: float = 0.5


def say_caption(raw: str, texts: Texts, *, sure: bool = True) -> str:
    """Write a caption as a sentence: "a dog runs ." becomes "A dog runs."."""
    body = _tidy(raw)
    if not body:
        return texts.cannot_tell
    return _sentence(body) if sure else texts.unsure_looks_like.format(answer=_stop(body))


def say_answer(raw: str, question: str, texts: Texts, *, sure: bool = True) -> str:
    """Write an answer as a sentence: "2" to a question for a count becomes "Two."."""
    body = _tidy(raw)
    if not body or body.lower() in _UNKNOWN:
        return texts.cannot_tell
    if _COUNTING.search(question):
        body = _NUMBER.sub(_number_word, body)
    if sure:
        return _sentence(body)
    hedge = texts.unsure_looks_like if _ARTICLE.match(body) else texts.unsure_say
    return hedge.format(answer=_stop(body))


def say_translated(raw: str, question: str, texts: Texts, *, sure: bool = True) -> str:
    """Write the answer to a translated question as a German sentence: "red" becomes "Rot."."""
    body = _tidy(raw)
    if not body or body.lower() in _UNKNOWN:
        return texts.cannot_tell
    german = in_german(body, question)
    if german is None:
        return texts.in_english.format(answer=_stop(body))
    return _sentence(german) if sure else texts.unsure_say.format(answer=_stop(german))


def _number_word(digits: re.Match[str]) -> str:
    value = int(digits.group(1))
    if value == 0:
        return "no" if digits.group(2) == " " else "none"
    return _NUMBERS[value] if value < len(_NUMBERS) else digits.group()


def _tidy(raw: str) -> str:
    """Undo tokenised spacing, drop outer punctuation and give names their capitals."""
    text = " ".join(re.sub(r"<\W*\w+\W*>", " ", raw).split())
    text = re.sub(r"``|\'\'", '"', text)
    text = re.sub(r'"\s*([^"]*?)[\s.,]*"', r'"\1"', text)
    text = re.sub(r"(?<!\w)'\s+([^']+?)\s+'(?!\w)", r"'\1'", text)
    text = re.sub(r"\s+([.,!?;:%)\]])", r"\1", text)
    text = re.sub(r"([(\[])\s+|(?<=\d:)\s+(?=\d\d\b)", r"\1", text)
    text = re.sub(r"(?<=[a-z]),(?=[a-z])", ", ", text)
    text = re.sub(r"\s+(n't|'(?:s|m|re|ve|ll|d))\b", r"\1", text)
    text = re.sub(r"([.,!?;:])[.,!?;:\s]*(?=[.,!?;:])", "", text)
    text = text.lstrip(" .,!?;:").rstrip(" .,!?;:-")
    text = re.sub(r"^-\s*(?!\d)", "", text)
    return _NAMES.sub(lambda name: _SPELLINGS[name.group()], text)


def _sentence(body: str) -> str:
    """Capital letters where sentences start, and a full stop."""
    if body.split(maxsplit=1)[0] not in _CAPITALS:  # "iPhone" keeps its small letter
        body = body[0].upper() + body[1:]
    return _stop(re.sub(r"(?<=\w{3}[.!?] )[a-z]", lambda letter: letter.group().upper(), body))


def _stop(body: str) -> str:
    return f"{body}."
