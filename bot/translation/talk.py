"""German set phrases: small talk, corrections, and which picture is meant.

`SMALL_TALK` matches a whole message, folded (`text.fold`) and without punctuation.
"""

from __future__ import annotations

import re

from bot.assistant.patterns import any_of
from bot.translation import adjectives
from bot.translation.chunks import ENGLISH_NUMBERS, NUMBERS, noun_phrases
from bot.translation.text import words

_WHO = r"(?: (?:bot|glimpse|du|ihr|euch|dir|alle|zusammen|leute|nochmal|wieder))*"
_DAY = (
    r"(?:guten? (?:morgen|tag|abend)|moin(?: moin)?|servus|gruess (?:gott|dich)|hallo+"
    r"|halloechen|na)"
)
_HOW_ARE_YOU = any_of(
    r"wie geht s(?: dir)?", r"wie geht es dir(?: heute)?", r"alles (?:gut|klar)(?: bei dir)?"
)
SMALL_TALK: dict[str, re.Pattern[str]] = {
    "hello": re.compile(
        rf"(?:hi |hey )?{_DAY}{_WHO}(?: {_HOW_ARE_YOU})?|{_HOW_ARE_YOU}|(?:hi|hey) {_HOW_ARE_YOU}"
    ),
    "thanks": re.compile(
        r"(?:(?:ok|okay|super|toll|prima|ja|nein|gut|cool|alles klar|ah) )?"
        r"(?:danke+(?: schoen| sehr| dir)?|dankeschoen|vielen dank|besten dank|herzlichen dank"
        r"|tausend dank|merci|ich danke dir)"
        rf"(?: (?:fuer (?:die|deine) (?:antwort|hilfe)|dafuer|trotzdem|nochmals|nochmal))*{_WHO}"
    ),
    "goodbye": re.compile(
        rf"(?:(?:ok|okay|danke) )?(?:tschuess(?:i)?|tschau|ciao|ade|auf wiedersehen"
        rf"|auf wiederschauen"
        rf"|bis (?:bald|spaeter|dann|morgen)|gute nacht|mach s gut|machs gut){_WHO}"
    ),
    "nod": re.compile(
        r"(?:ja |oh |das ist )?(?:super|toll|prima|klasse|sehr (?:gut|schoen)|gut gemacht|genau"
        r"|richtig"
        r"|stimmt|das stimmt|gut|schoen|spitze|wunderbar|grossartig|ja|jawohl|genau richtig|krass)"
    ),
    "sorry": re.compile(
        r"(?:nein |ne |nee )?(?:nein|nee|falsch|das ist falsch|das stimmt nicht|stimmt nicht"
        r"|das ist nicht richtig|bist du (?:dir )?sicher|quatsch|unsinn|wirklich|nicht ganz)"
    ),
    "help": re.compile(
        r"hilfe|hilf mir|ich brauche hilfe|befehle|was kannst du(?: alles)?(?: so)?(?: machen"
        r"| tun)?"
        r"|wie funktioniert (?:das|der bot)|wie funktionierst du|wie geht das|was machst du"
        r"|was kann ich (?:dich )?fragen"
    ),
    "about": re.compile(
        r"wer bist du|was bist du|wie heisst du|bist du (?:ein )?(?:bot|roboter|mensch|echt"
        r"|computer|chatgpt|maschine)"
        r"|wer hat dich (?:gemacht|gebaut|programmiert)|stell dich vor|wie alt bist du"
        r"|sprichst du deutsch"
        r"|kannst du deutsch|verstehst du deutsch"
    ),
}  # fmt: skip
_DENIAL = (
    r"(?:(?:nein|nee|ne|falsch|das ist falsch|stimmt nicht|das stimmt nicht|doch"
    r"|eigentlich)[\s,.!:;-]+)"
)
_SAID = re.compile(
    rf"{_DENIAL}*(?:die (?:richtige )?antwort (?:ist|waere|war)|richtig (?:ist"
    rf"|waere)):? (?P<told>.+)"
    rf"|{_DENIAL}*(?:das|es|er|sie) (?:ist|sind|war|waren) (?P<one>.+)"
    rf"|{_DENIAL}+(?:sondern )?(?P<bare>.+)",
    re.IGNORECASE,
)
_ORDINALS = (
    "erste",
    "zweite",
    "dritte",
    "vierte",
    "fuenfte",
    "sechste",
    "siebte",
    "achte",
    "neunte",
    "zehnte",
)
_NAMED = re.compile(
    r"\b(?:(?:auf|in|im|von|zu|bei)\s+)?(?:dem\s+|das\s+)?(?:bild|foto)(?:\s+(?:nummer"
    r"|nr\.?))?\s+(?P<number>\d{1,2})\b"
    rf"|\b(?:(?:auf|in|im|von|zu|bei)\s+)?(?:dem\s+|das\s+)?(?P<place>{'|'.join(_ORDINALS)}"
    rf"|fünfte|letzte)[nsr]?\s+(?:bild|foto)\b",
    re.IGNORECASE,
)
LAST = -1  # as `references.LAST`


def small_talk(said: str) -> str:
    """The field of `Texts` that answers a folded message, or ""."""
    return next((name for name, pattern in SMALL_TALK.items() if pattern.fullmatch(said)), "")


def correction(text: str) -> str:
    """What an answer should have been, in English, if a text says that in German; else ""."""
    found = _SAID.fullmatch(text.strip())
    if found is None or "?" in text:
        return ""
    said = found["told"] or found["one"] or found["bare"]
    return english_of(said)


def english_of(said: str) -> str:
    """A German thing, colour or number in English, or "" if it is something else."""
    tokens = words(said)
    if tokens in (["ja"], ["nein"]):
        return "yes" if tokens == ["ja"] else "no"
    if len(tokens) == 1 and tokens[0] in NUMBERS:
        return ENGLISH_NUMBERS[NUMBERS.index(tokens[0])]
    if len(tokens) == 1 and tokens[0].isdigit():
        return tokens[0]
    if len(tokens) == 1 and tokens[0] in adjectives.colours():
        return adjectives.colours()[tokens[0]]
    for chunk in noun_phrases(tokens, 0):
        if chunk.end == len(tokens) and chunk.noun is not None and not chunk.definite:
            return chunk.english
    return ""


def named_pictures(text: str) -> tuple[tuple[int, ...], str]:
    """Picture numbers that a German question names, and the question asked of one picture.

    Args:
        text: Cleaned question, asked while several pictures are at hand.
    """
    matches = list(_NAMED.finditer(text))
    if not matches:
        return (), text
    numbers = tuple(dict.fromkeys(_value(match) for match in matches))
    return numbers, _NAMED.sub("auf dem Bild", text).strip()


def _value(match: re.Match[str]) -> int:
    if match["number"]:
        return int(match["number"])
    place = match["place"].lower().replace("ü", "ue")
    return LAST if place == "letzte" else _ORDINALS.index(place) + 1
