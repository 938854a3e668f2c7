"""The model's words as sentences: "2" becomes "Two.", and "a dog runs ." "A dog runs."."""

from __future__ import annotations

import re
from dataclasses import replace

from bot.assistant.locale.german import GERMAN
from bot.assistant.locale.texts import ENGLISH, Texts
from bot.assistant.plain_pictures import plain_in_german
from bot.assistant.text import word_set
from bot.assistant.translation.answers import in_german
from bot.assistant.translation.captions import caption_in_german
from bot.assistant.translation.english import article
from bot.assistant.translation.translator import Translation
from bot.assistant.types import Exchange

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
_INDEFINITE = re.compile(r"(?<![\w'-])(an?) ([a-z]\w*)")
_ARTICLE = re.compile(r"(?:a|an|the|some|there)\s", re.IGNORECASE)

_CAPITALS = word_set(
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
_ENDED = re.compile(r"[.!?…][)\"'”\u2019]*$")
_NAMES = re.compile(
    r"(?<!\w)(?<!\w')(?:"
    + "|".join(re.escape(name) for name in sorted(_SPELLINGS, key=len, reverse=True))
    + r")(?!\w|'(?!s\b)\w)"
)


def say(exchange: Exchange, texts: Texts, *, sure: bool = True) -> str:
    """Write what the model said as a sentence for a person."""
    if exchange.language != "en":
        return _say_own(exchange, texts, sure=sure)
    if exchange.question is None:
        return say_caption(exchange.answer, texts, sure=sure)
    how = say_translated if exchange.original_question else say_answer
    return how(exchange.answer, exchange.question, texts, sure=sure)


def say_caption(raw: str, texts: Texts, *, sure: bool = True) -> str:
    """Write a caption as a sentence: "a dog runs ." becomes "A dog runs." or "Ein Hund rennt."."""
    body = _tidy(raw)
    if _is_written(raw) and not (texts is GERMAN and caption_in_german(body)):
        return _say_written(raw, texts, sure=sure)
    if not body:
        return texts.cannot_tell
    if texts is GERMAN:
        german = plain_in_german(body) or caption_in_german(body)
        if german is None:
            return texts.in_english.format(answer=say_caption(raw, ENGLISH, sure=sure))
        return _stop(german) if sure else texts.unsure_looks_like.format(answer=_stop(german))
    return _sentence(body) if sure else texts.unsure_looks_like.format(answer=_stop(body))


def _say_own(exchange: Exchange, texts: Texts, *, sure: bool) -> str:
    """What a model said in the person's language itself."""
    said = _in_own_language(exchange)
    if said.lower() in _UNKNOWN:
        return texts.cannot_tell
    said = said if _is_written(said) else _ended(said[0].upper() + said[1:])
    return said if sure else texts.unsure_sentence.format(answer=said)


def _in_own_language(exchange: Exchange) -> str:
    """What a model answered in German; some fall back into English, where that is short."""
    said = exchange.answer
    if exchange.question is None:
        return caption_in_german(_tidy(said)) or said
    # German nouns have a capital, so that "Rock" stays what it is.
    return (said.islower() and in_german(said, exchange.question)) or said


def say_alt(exchange: Exchange, texts: Texts) -> str:
    """A caption as a sentence to be copied: without doubts, and without a word on its language."""
    if exchange.translated_answer:
        return _ended(exchange.translated_answer)
    if _is_written(exchange.answer):
        return exchange.answer
    body = _tidy(exchange.answer)
    return _sentence(body) if body else texts.cannot_tell


def translated_answer(exchange: Exchange, translation: Translation) -> Exchange:
    """The same with the German words of the question, and of its answer if there are some."""
    german = in_german(exchange.answer, exchange.question or "")
    if exchange.language == "de":
        german = _in_own_language(exchange)
    return replace(exchange, original_question=translation.german, translated_answer=german or "")


def translated_caption(exchange: Exchange, texts: Texts) -> Exchange:
    """The same with its caption in the language of the texts, if there are words for it."""
    if exchange.question is not None:
        return exchange
    if exchange.language == "de":
        return replace(exchange, translated_answer=_in_own_language(exchange))
    if texts is not GERMAN:
        return replace(exchange, translated_answer="")
    body = _tidy(exchange.answer)
    german = plain_in_german(body) or caption_in_german(body)
    return replace(exchange, translated_answer=german or "")


def say_answer(raw: str, question: str, texts: Texts, *, sure: bool = True) -> str:
    """Write an answer as a sentence: "2" to a question for a count becomes "Two."."""
    if _is_written(raw):  # in the language of the question
        return raw if sure else texts.unsure_sentence.format(answer=raw)
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
    if _is_written(raw):
        return _say_written(raw, texts, sure=sure)
    body = _tidy(raw)
    if not body or body.lower() in _UNKNOWN:
        return texts.cannot_tell
    german = in_german(body, question)
    if german is None:
        return texts.in_english.format(answer=_stop(body))
    return _sentence(german) if sure else texts.unsure_say.format(answer=_stop(german))


def begins_written(raw: str) -> bool:
    """Whether what a model has written so far may become sentences, not bare words."""
    return re.match(r"[^\sa-z]", raw) is not None


def _is_written(raw: str) -> bool:
    """Whether an answer is in sentences already, as chat models write, not in bare words."""
    return bool(begins_written(raw) and (_ENDED.search(raw) or re.search(r"\n\S", raw)))


def _say_written(raw: str, texts: Texts, *, sure: bool) -> str:
    """Sentences as they are, and in which language if that is not the person's."""
    frame = texts.in_english if sure else texts.unsure_sentence
    return frame.format(answer=raw)


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
    text = _INDEFINITE.sub(lambda found: f"{article(found[2])} {found[2]}", text)
    return _NAMES.sub(lambda name: _SPELLINGS[name.group()], text)


def _sentence(body: str) -> str:
    """Capital letters where sentences start, and a full stop."""
    if body.split(maxsplit=1)[0] not in _CAPITALS:  # "iPhone" keeps its small letter
        body = body[0].upper() + body[1:]
    return _stop(re.sub(r"(?<=\w{3}[.!?] )[a-z]", lambda letter: letter.group().upper(), body))


def _stop(body: str) -> str:
    return f"{body}."


def _ended(said: str) -> str:
    """With a full stop, if there is none."""
    return said if _ENDED.search(said) else _stop(said)
