"""English endings and articles, as far as translated questions need them."""

from __future__ import annotations

import re

_DOUBLED = re.compile(r"[^aeiou][aeiou][bdgmnprt]$|quit$")
_PARTICIPLES = {
    "eat": "eaten", "take": "taken", "make": "made", "break": "broken", "build": "built",
    "burn": "burnt", "buy": "bought", "catch": "caught", "cut": "cut", "do": "done",
    "drink": "drunk", "drive": "driven", "fall": "fallen", "fly": "flown", "give": "given",
    "go": "gone", "hang": "hung", "hit": "hit", "hold": "held", "keep": "kept", "leave": "left",
    "put": "put", "read": "read", "ride": "ridden", "see": "seen", "sell": "sold", "show": "shown",
    "sit": "sat", "sleep": "slept", "speak": "spoken", "stand": "stood", "steal": "stolen",
    "swim": "swum", "throw": "thrown", "wear": "worn", "win": "won", "write": "written",
    "draw": "drawn", "grow": "grown", "feed": "fed", "tell": "told", "find": "found",
    "spread": "spread", "shoot": "shot", "lie": "lain", "run": "run",
}  # fmt: skip
_PASTS = {
    "take": "took", "make": "made", "eat": "ate", "drink": "drank", "throw": "threw",
    "write": "wrote", "build": "built", "win": "won", "break": "broke", "catch": "caught",
    "hit": "hit", "draw": "drew", "fall": "fell", "lose": "lost", "buy": "bought", "cut": "cut",
    "give": "gave", "hold": "held", "wear": "wore", "bring": "brought", "put": "put",
}  # fmt: skip


def past_tense(verb: str) -> str:
    """The past: "take" → "took"."""
    first, _, rest = verb.partition(" ")
    return f"{_PASTS.get(first) or past_participle(first)} {rest}".strip()


def plural_of(noun: str) -> str:
    """The regular plural: "dog" → "dogs", "bus" → "buses", "baby" → "babies"."""
    if re.search(r"(?:s|x|z|ch|sh)$", noun):
        return f"{noun}es"
    return f"{noun[:-1]}ies" if re.search(r"[^aeiou]y$", noun) else f"{noun}s"


def article(noun: str) -> str:
    """Choose "a" or "an", by the first letter."""
    silent = re.match(r"hour|honest|RV", noun) is not None
    sounded = re.match(r"uni(?!m|n)|us[aeu]|eu|ewe|one\b|once\b", noun) is not None
    return "an" if silent or (noun[:1].lower() in "aeiou" and not sounded) else "a"


def present_participle(verb: str) -> str:
    """As in "run" → "running"; a phrase changes its first word: "look at" → "looking at"."""
    first, _, rest = verb.partition(" ")
    if first in {"lie", "die", "tie"}:
        first = f"{first[:-2]}ying"
    elif first.endswith("e") and not first.endswith(("ee", "oe", "ye")) and first != "be":
        first = f"{first[:-1]}ing"
    else:
        first += (first[-1] if _DOUBLED.search(first) and len(first) <= 4 else "") + "ing"
    return f"{first} {rest}".strip()


def past_participle(verb: str) -> str:
    """As in "take" → "taken", "look at" → "looked at"."""
    first, _, rest = verb.partition(" ")
    if first in _PARTICIPLES:
        first = _PARTICIPLES[first]
    elif first.endswith("e"):
        first += "d"
    elif re.search(r"[^aeiou]y$", first):
        first = f"{first[:-1]}ied"
    else:
        first += (first[-1] if _DOUBLED.search(first) and len(first) <= 4 else "") + "ed"
    return f"{first} {rest}".strip()


def third_person(verb: str) -> str:
    """As in "have" → "has", "wear" → "wears"."""
    if verb == "have":
        return "has"
    first, _, rest = verb.partition(" ")
    return f"{plural_of(first)} {rest}".strip() if first not in {"do", "go"} else f"{first}es"
