"""What the object head says of an answer: "is there a dog?", "how many people are there?".

The head was taught by boxes what is there and what is not; the language model only by answers. So
where a question asks outright for objects that the head knows, its calibrated probability p joins
the log-probabilities of the answer, as an independent witness would (a product of experts, Hinton
2002):

    log-odds of "yes"  +=  weight x (logit(p) + ASKED_FOR)
    log p("3")         -=  weight x |3 - boxes| / spread

What somebody asks for is there more often than what nobody asks for, hence ASKED_FOR (a shift of
the prior, Saerens et al. 2002). A question that wants more ("is there a dog on the couch?", "how
many dogs are asleep?", "is there a woman?") is told only what bounds its answer: "no" where no such
object is seen.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from model.config import DecodingConfig
from model.object_names import class_of, singular

if TYPE_CHECKING:
    from model.vlm import PrefixVLM, Sight

# What is added to the log-probability of a text's last token, given those before, by its tokens.
Evidence = Mapping[tuple[int, ...], float]
ASKED_FOR = 2.0  # log-odds: a class that is asked for counts as there from p = .12 on
SURE = 4.0  # the most that log-odds say, for the head is wrong at times
MOST = 10
_NAME = r"(?P<name>[a-z].*?)"
_IMAGE = r"(?:the|this|that|my) (?:image|picture|photo|photograph|pic|scene|shot)"
_HERE = rf"(?: (?:here|there|visible|present|shown|seen|at all|in it|in {_IMAGE}))*"
_ANY = r"(?:an? |any |some |one )"
_SEEN = rf"(?:here|visible|present|shown|in {_IMAGE})"
_AFTER = re.compile(  # what says more of a name, rather than being a part of it ("car park")
    r"(?:on|in|at|with|near|by|next|beside|behind|under|below|above|between|inside|outside|from|of"
    r"|to|that|who|which|are|is|can|do|does|have|has|and|wear|sit|stand|\w+ing|\w+ed)\b"
)
_PRESENCE = [
    re.compile(pattern + _HERE)
    for pattern in (
        rf"(?:is|are|was|were) there {_ANY}?{_NAME}",
        rf"does {_ANY}?{_NAME} (?:exist|appear|occur)",
        rf"(?:do|can|could) (?:you|we|i) (?:see|spot|find|detect) {_ANY}?{_NAME}",
        rf"(?:is|are) {_ANY}?{_NAME} {_SEEN}",
        rf"do(?:es)? {_IMAGE} (?:contain|show|include|have|depict) {_ANY}?{_NAME}",
        rf"any {_NAME}",
    )
]
_COUNT = re.compile(
    rf"(?:how many|what(?: is|'s) the number of|count the) {_NAME}"
    rf"(?: (?:are|is|can|do)(?: (?:there|you see|you count|be seen|we see|i see))?)?{_HERE}"
)


@dataclass(frozen=True)
class AskedFor:
    """What a question asks for outright.

    Attributes:
        place: Number of the class.
        counts: Whether it asks how many there are, not whether there is one.
        whole: Whether it asks for the class and nothing more.
    """

    place: int
    counts: bool
    whole: bool


def asked_for(question: str, names: tuple[str, ...]) -> AskedFor | None:
    """What a question asks for, if that is one of the classes with these names."""
    text = re.sub(r"\s+", " ", question).strip().rstrip("?!. ").lower()
    if " or " in text:
        return None
    for pattern in (_COUNT, *_PRESENCE):
        match = pattern.fullmatch(text)
        if match is None:
            continue
        for name, rest in _splits(match["name"].strip()):
            if (found := _number(name, names)) and (not rest or _AFTER.match(rest)):
                place, exact = found
                return AskedFor(place, pattern is _COUNT, exact and not rest)
    return None


def evidence_for(
    vlm: PrefixVLM, sight: Sight, question: str | None, decoding: DecodingConfig
) -> Evidence:
    """What to add to the log-probabilities (nats) of answers, by their tokens."""
    if question is None or not sight.probabilities:
        return {}
    if not (decoding.presence_weight or decoding.count_weight):
        return {}
    asked = asked_for(question, vlm.object_names)
    weight = decoding.count_weight if asked and asked.counts else decoding.presence_weight
    if asked is None or not weight:
        return {}
    there = sight.probabilities[asked.place]
    odds = math.log(max(there, 1e-6)) - math.log(max(1 - there, 1e-6)) + ASKED_FOR
    odds = min(max(odds, -SURE), SURE)
    if not asked.whole:
        odds = min(odds, 0.0)
    if asked.counts:
        if asked.place >= vlm.mapper.config.object_boxes:
            return {}
        return _of_count(vlm, sight.counts[asked.place], odds, asked, weight)
    return {tuple(vlm.tokens(" yes")): weight * odds}


def _of_count(vlm: PrefixVLM, boxes: int, odds: float, asked: AskedFor, weight: float) -> Evidence:
    """For the numbers from 0 to `MOST`."""
    if not asked.whole and boxes:
        return {}  # fewer of them may do what is asked for
    if not boxes and odds > 0:
        boxes = 1  # surely there, though no box is
    spread = 0.5 + boxes / 3
    return {
        tuple(vlm.tokens(f" {number}")): -weight * abs(number - boxes) / spread
        for number in range(MOST)
    }


def _splits(name: str) -> list[tuple[str, str]]:
    """Each name that a text may begin with, and what follows it, the longest name first."""
    words = name.split()
    return [(" ".join(words[:n]), " ".join(words[n:])) for n in range(min(3, len(words)), 0, -1)]


def _number(name: str, names: tuple[str, ...]) -> tuple[int, bool] | None:
    """The place of a class, and whether the name means all of it."""
    if (found := class_of(name)) and found[0] in names:
        return names.index(found[0]), found[1]
    for form in (name, singular(name)):
        if form in names:
            return names.index(form), True
    return None
