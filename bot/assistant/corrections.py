"""Telling what an answer should have been: "The answer is a bus", or "No, it's a bus".

Rather too strict than too lax: what is read wrongly would be learnt.
"""

from __future__ import annotations

import re

WORDS = 8  # of an answer

_BE = r"(?:['\u2019]?s|['\u2019]?re| is| are| was| were| should be)"
_DENIAL = (
    r"(?:(?:no|nope|nah|wrong|incorrect|actually|not quite"
    r"|(?:that|this|it)['\u2019]?s (?:wrong|not right|incorrect|not true))[\s,.!:;-]+)+"
)
_SAID = re.compile(
    rf"(?:{_DENIAL})?the (?:right |correct |true |real )?answer(?: is| was| should be):? "
    r"(?P<plain>.+)"
    rf"|{_DENIAL}(?:it|that|this|he|she){_BE} (?P<one>.+)"
    rf"|{_DENIAL}(?:they|these|those|there){_BE} (?P<many>.+)"
    r"|(?:no[\s,.]+)?(?:it|that|this)(?: is|['\u2019]?s) not (?:an? |the )?[\w ]{1,30}[,;.] ?"
    rf"(?:but|(?:it|that|this){_BE}) (?P<instead>.+)",
    re.IGNORECASE,
)
_HEDGE = re.compile(r"(?:really|clearly|definitely|actually|just|obviously|probably|only)\s+", re.I)
_NOT_BUT = re.compile(r",? (?:and )?not .*$", re.IGNORECASE)
# After "it's", a thing, a number or a colour; all else may be an opinion.
_THING = re.compile(
    r"(?:an?|one|two|three|four|five|six|seven|eight|nine|ten|\d+|red|orange|yellow|green|blue|purple"
    r"|pink|brown|black|white|gr[ae]y|(?:dark|light) \w+)\b",
    re.IGNORECASE,
)
_OPINION = re.compile(
    r"\b(?:not|n['\u2019]t|wrong|incorrect|right|correct|true|false|good|great|bad|fine|nice|ok|okay"
    r"|lie|joke|shame|pity|stupid|ridiculous|nonsense|rubbish|perfect|better|worse|best|worst|enough"
    r"|impressive|interesting|funny|amazing|awesome|cool|lovely|cute|adorable|beautiful|pretty|ugly"
    r"|obvious|unclear|clear|helpful|useless|hilarious|weird|strange|missing|gone|fake|yours|mine|hers"
    r"|so|too|very|because|why|how|what|which|who|where|me|you|your|my|our|i|we|been|nothing|something"
    r"|anything|everything|more|less|different|bit|lot|while|secret|mistake|problem|pictures?|photos?"
    r"|images?|pics?|answers?|questions?|others?|same|describe|name|tell|say|show|thanks|thank|please"
    r"|coming|going)\b",
    re.IGNORECASE,
)


def correction(text: str) -> str:
    """What an answer should have been, if a text says that; else ""."""
    found = _SAID.fullmatch(text.strip())
    if found is None or "?" in text:
        return ""
    said = next(group for group in found.groups() if group is not None)
    said = _NOT_BUT.sub("", _HEDGE.sub("", said)).strip(" .!,;:)('\"\u201c\u201d\u2019")
    if not said or len(said.split()) > WORDS or re.search(r"[.!;,:]\s", said):
        return ""
    if _OPINION.search(said):
        return ""
    strict = found["one"] is not None or found["instead"] is not None
    return said if not strict or _THING.match(said) else ""
