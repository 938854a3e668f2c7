"""What people ask about several pictures: "and the first?", "Which one has a bus?"."""

from __future__ import annotations

import re

from bot.assistant import german_patterns
from bot.assistant.patterns import LAST, ORDINALS
from bot.assistant.translation.english import article

_ORDINALS = {
    **{word: number for number, word in enumerate(ORDINALS, 1)},
    # `text.plain` keeps umlauts, which those of `german_patterns` are folded from.
    **{word.replace("ue", "ü"): number for number, word in enumerate(german_patterns.ORDINALS, 1)},
    "last": LAST,
    "letzte": LAST,
}
_PICTURE = r"(?:pictures?|photos?|images?|pics?|bild(?:er)?|fotos?)"
_ORDINAL = (
    rf"(?:the |d(?:as|ie|er|em|en) )?(?:{'|'.join(_ORDINALS)}|\d{{1,2}}(?:st|nd|rd|th))[nsr]?"
)
_NAMED = (
    rf"(?:{_ORDINAL}(?: (?:one|{_PICTURE}))?"
    rf"|(?:{_PICTURE} )?(?:(?:number|no|nr|nummer) )?#?\d{{1,2}})"
)
_LEADING = (
    r"(?:(?:and|und|so|ok|okay|now|then|what about|how about|what of|was ist mit|wie ist es mit"
    r"|in|on|for|of|with|mit|bei|auf|im) )*"
)
_SAME = re.compile(rf"{_LEADING}{_NAMED}(?:(?: and| und| or| oder|,)+ {_NAMED})*")
_NUMBER = re.compile(rf"\b(?:(?P<word>{'|'.join(_ORDINALS)})|(?P<digits>\d{{1,2}}))")

_WHICH = (
    r"(?:which|what) (?:ones?|pictures?|photos?|images?|pics?)"
    r"(?: of (?:them|these|those|the \w+|my \w+))?|which of (?:them|these|those|(?:the|my) \w+)"
)
_HAS = re.compile(
    rf"(?:{_WHICH}) (?:(?:has|have|shows?|contains?|includes?|depicts?|features?|got|with)"
    r"|(?:is|are) of) (?P<thing>.+?)(?: (?:in|on) (?:it|them))?"
)
_IN = re.compile(
    rf"(?:in|on) (?:{_WHICH}) (?:(?:is|are)(?: there)?|(?:can|do) (?:you|we|i) see) (?P<thing>.+)"
)
_SHOWS = re.compile(rf"(?:{_WHICH}) (?:do|can) (?:you|i|we) see (?P<thing>.+?)(?: (?:in|on))?")
_IS = re.compile(rf"(?:{_WHICH}) (?P<verb>is|are|was|were) (?P<what>.+)")
_GERMAN = re.compile(
    r"(?:(?:auf|in) )?welche[mnsr]? (?:bild(?:er|ern)?|fotos?)(?: davon)? "
    r"(?:(?P<is>ist|sind)|zeig(?:t|en)|ha(?:t|ben)|gibt es|sieht man|siehst du) (?P<thing>.+)",
    re.IGNORECASE,
)
# What only a comparison could tell.
_COMPARES = re.compile(
    r"\b(?:most|least|more|less|fewer|best|worst|better|worse|\w{3,}est|same|different)\b"
)


def same_question(said: str) -> tuple[int, ...]:
    """Numbers of the pictures that the last question is asked about again; () if it is not.

    Args:
        said: From `text.plain`.
    """
    words = " ".join(re.sub(r"[^\w#, ]+", " ", said.lower()).split())
    # A bare number may be an answer to something, or a page.
    if not _SAME.fullmatch(words):
        return ()
    found = _NUMBER.finditer(words)
    numbers = [_ORDINALS[each["word"]] if each["word"] else int(each["digits"]) for each in found]
    return tuple(dict.fromkeys(numbers))


def which_question(said: str) -> str:
    """The question to ask of each picture if somebody asks which of them; "" if nobody does.

    Args:
        said: From `text.plain`.
    """
    if _COMPARES.search(said):
        return ""
    if found := _HAS.fullmatch(said) or _IN.fullmatch(said) or _SHOWS.fullmatch(said):
        return _is_there(found["thing"])
    if found := _IS.fullmatch(said):
        past = found["verb"] in {"was", "were"}
        return f"{'Was' if past else 'Is'} this {found['what']}?"
    return ""


def german_which_question(words: str) -> str:
    """The same in German: "Welches Bild zeigt einen Bus?" asks "Gibt es einen Bus?"."""
    found = _GERMAN.fullmatch(words.strip().rstrip("?!. "))
    if found is None:
        return ""
    inside = re.match(r"(?:auf|in)\b", words, re.IGNORECASE)
    return f"{'Ist das' if found['is'] and not inside else 'Gibt es'} {found['thing']}?"


def _is_there(thing: str) -> str:
    bare = re.sub(r"^(?:the|that|this|any|some) ", "", thing)
    if re.match(r"(?:an?|one|two|three|four|five|\d+|no|nobody|somebody|someone)\b", bare):
        many = re.match(r"(?:two|three|four|five|\d+)\b", bare)
        return f"{'Are' if many else 'Is'} there {bare}?"
    if re.search(r"(?:[^s]s|people|children|men|women)$", bare.split(" ")[0]):
        return f"Are there {bare}?"
    return f"Is there {article(bare)} {bare}?"
