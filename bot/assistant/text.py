"""From what people type to plain text: no controls, no invisible marks, no emoji."""

from __future__ import annotations

import re
import unicodedata

_QUOTES = str.maketrans("‘’‚‛´`“”„‟«»‐‑‒–—", "''''''\"\"\"\"\"\"-----")  # noqa: RUF001
_UNSEEN = {"Cc", "Cf", "Co", "Cs", "Cn", "Mn", "Me", "Zl", "Zp"}
_EMOJI_FROM = 0x2190  # symbols below this are ©, ®, ° and the like
_SKIN_TONES = range(0x1F3FB, 0x1F400)
_MENTION = re.compile(r"<@[!&]?\d+>|^(?:@\w{2,}[\s,:]+)+|(?:\s+@\w{2,})+\s*$|^@\w{2,}$")
_LINK = re.compile(r"\b(?:https?://|www\.)\S+", re.IGNORECASE)
_QUESTION = re.compile(r"(?:what|where|which|who|why|how|is|are|does|do|did|can)\b")
_ABBREVIATIONS = {"mr", "mrs", "ms", "dr", "st", "no", "nr", "vs", "jr", "sr", "mt", "ft", "etc"}


def clean(text: str) -> str:
    """Fold compatible characters, drop what cannot be seen and emoji, and collapse white space.

    Stacked accents ("zalgo") go too; letters with an ordinary accent keep it.
    """
    kept: list[str] = []
    for character in unicodedata.normalize("NFKC", text):
        category = unicodedata.category(character)
        if character.isspace() or _is_emoji(character, category):
            kept.append(" ")
        elif category not in _UNSEEN:
            kept.append(character)
    return " ".join(_MENTION.sub(" ", " ".join("".join(kept).translate(_QUOTES).split())).split())


def _is_emoji(character: str, category: str) -> bool:
    code = ord(character)
    return (category == "So" and code >= _EMOJI_FROM) or code in _SKIN_TONES


def has_words(text: str) -> bool:
    """Whether anything can be read aloud: one letter or digit is enough."""
    return any(character.isalnum() for character in text)


def without_links(text: str) -> str:
    """The text with web addresses taken out."""
    return " ".join(_LINK.sub(" ", text).split())


def sentences(text: str) -> list[str]:
    """Split cleaned text after "!" and "?", and after "." where that ends a sentence.

    It does not after "St.", an initial, or before a small letter, unless a question starts there.
    """
    parts: list[str] = []
    start = 0
    for end in re.finditer(r"[.!?]+[\"')]*\s+", text):
        if not end.group().startswith(".") or _ends_sentence(text, end):
            parts.append(text[start : end.end()].strip())
            start = end.end()
    return [*parts, text[start:]]


def _ends_sentence(text: str, stop: re.Match[str]) -> bool:
    word = re.split(r"\W", text[: stop.start()])[-1].lower()
    if word in _ABBREVIATIONS or len(word) == 1:
        return False
    return not text[stop.end()].islower() or _QUESTION.match(text, stop.end()) is not None


def plain(text: str) -> str:
    """Lower case words only, without politeness, for comparing with set phrases."""
    words = re.sub(r"[^\w'#/+*=-]+", " ", text.lower()).strip()
    words = re.sub(
        r"^(?:(?:hey|hi|hello|yo|ok|okay|so|and|now|well|um|bot|glimpse)\s+)+", "", words
    )
    words = re.sub(r"\b(?:please|pls|plz|kindly|for me)\b", " ", words)
    return " ".join(words.replace("what's", "what is").replace("who's", "who is").split())


_GREETING = re.compile(
    r"^(?:(?:hi|hey|hello)(?: there| glimpse| bot)?\s*[,.!:-]\s*|(?:hi|hey|hello|please|ok|okay|and"
    r"|so|now|um)\s+|(?:please|ok|okay|and|so|now|well|um)\s*,\s*)+(?=\S)",
    re.IGNORECASE,
)
_TELL_ME = re.compile(
    r"^(?:(?:can|could|would|will) you (?:please )?)?(?:please )?tell me "
    r"(?=(?:what|where|which|who|whose|how|why|when)\b)",
    re.IGNORECASE,
)
_THANKS_AFTER = re.compile(r"\s*[,-]\s*(?:please|pls|plz|thanks|thank you)\s*([?]*)[.!]*$", re.I)


def without_politeness(question: str) -> str:
    """Take "Hi, could you tell me" from the front and ", please" from the end."""
    question = _GREETING.sub("", question)
    question = _TELL_ME.sub("", question)
    return _THANKS_AFTER.sub(r"\1", question).strip()
