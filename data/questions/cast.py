"""Who is in a picture: one person or several, which, and which animals."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass

from data.caption_qa import lexicon
from data.caption_qa.parser import UNKNOWN, Mention, Reading, Scene

_MORE_PEOPLE = frozenset({"others", "another", "each", "they", "them", "other", "friends", "both"})
_MORE = _MORE_PEOPLE | {"crowd", "audience", "spectators", "onlookers", "team", "several", "many"}
_GENDERED = ("man", "woman", "boy", "girl")


@dataclass(frozen=True)
class Cast:
    """The living things of a scene.

    Attributes:
        single: what to call the only person ("man", "child", "person"); None if not surely one.
        several: what to call several people ("men", "people"); None if not surely several.
        people: how many people there are, where the captions agree; else None.
    """

    single: str | None
    several: str | None
    people: int | None

    @property
    def who(self) -> str | None:
        """What to call the only person or the people."""
        return self.single or self.several


def is_person(mention: Mention) -> bool:
    """Whether a mention is of people."""
    return lexicon.has(mention.noun, "p")


def total(reading: Reading, trait: str) -> int:
    """How many people (trait "p") or animals ("a") a caption counts; UNKNOWN when it is vague."""
    found = [m for m in reading.mentions if lexicon.has(m.noun, trait)]
    if not found:
        return 0
    if any(m.count == UNKNOWN or lexicon.has(m.noun, "g") for m in found):
        return UNKNOWN
    if len(found) > 1 and _repeats(reading, found):
        return UNKNOWN
    if trait == "p" and _MORE_PEOPLE & set(reading.tokens):
        return UNKNOWN
    return sum(m.count for m in found)


def _repeats(reading: Reading, found: list[Mention]) -> bool:
    """Whether a later mention may be of somebody who was counted before."""
    for earlier, later in itertools.pairwise(found):
        if reading.tokens[later.start] in {"the", "this"}:
            return True
        joined = reading.tokens[earlier.end : later.start] in [("and",), (",",), (",", "and")]
        if (earlier.count > 1 or later.count > 1) and not joined:
            return True
    # "two people, a man and a woman"
    return len(found) > 2


def agreed(scene: Scene, trait: str) -> int | None:
    """The number of people or animals, where at least two captions count and none disagrees."""
    totals = [total(r, trait) for r in scene.readings]
    known = {t for t in totals if t > 0}
    if len(known) != 1 or sum(t > 0 for t in totals) < 2:
        return None
    number = known.pop()
    if number == 1 and scene.tokens & {"busy", "crowded", "others"}:
        return None
    if UNKNOWN in totals and (number == 1 or scene.tokens & _MORE):
        return None
    return number


def cast(scene: Scene) -> Cast:
    """Makes out who is in the picture."""
    per = [[m for m in r.mentions if is_person(m)] for r in scene.readings]
    count = agreed(scene, "p")
    spoken = sum(1 for found in per if found)
    single = several = None
    if count == 1 and spoken >= min(3, len(per)):
        single = _name([m.noun for found in per for m in found])
    elif count is None or count > 1:
        totals = [total(r, "p") for r, found in zip(scene.readings, per, strict=True) if found]
        if len(totals) >= 2 and all(t == UNKNOWN or t > 1 for t in totals):
            several = _kind({m.noun for found in per for m in found})
    return Cast(single, several, count)


def _name(said: list[str]) -> str:
    tally = Counter(said)
    present = [n for n in _GENDERED if tally[n]]
    sexes = {t for n in tally for t in lexicon.vocabulary()[n].traits & {"m", "f"}}
    if len(sexes) == 1 and present:
        return max(present, key=lambda n: tally[n])
    if not sexes and any(tally[n] for n in ("child", "baby")):
        return "baby" if tally["baby"] > tally["child"] else "child"
    return "person"


def _kind(said: set[str]) -> str:
    for name in (*_GENDERED, "child"):
        if said == {name}:
            return lexicon.plural(name)
    if said <= {"boy", "girl", "child"}:
        return "children"
    return "people"


def callings(scene: Scene, them: Cast, mention: Mention) -> str | None:
    """What a question may call the one (or those) that a caption mentions; None if unsure."""
    if is_person(mention):
        return _person(scene, them, mention)
    if lexicon.has(mention.noun, "a") and mention.noun != "animal":
        return _animal(scene, mention)
    return None


def _person(scene: Scene, them: Cast, mention: Mention) -> str | None:
    if them.single:
        return them.single
    if mention.noun in (*_GENDERED, "baby") and _only(scene, mention.noun):
        return mention.noun
    return them.several if mention.count != 1 and not mention.other else None


def _animal(scene: Scene, mention: Mention) -> str | None:
    if mention.count == 1:
        return mention.noun if scene.unique(mention.noun) and not mention.other else None
    per = scene.of(mention.noun)
    plain = all(len(found) == 1 and found[0].count != 1 for found in per)
    return lexicon.plural(mention.noun) if plain else None


def _only(scene: Scene, noun: str) -> bool:
    """Whether there is one of this kind among several people, by most captions."""
    per = scene.of(noun)
    return scene.unique(noun) and len(per) * 2 > len(scene.readings)


def verb_to_be(who: str) -> str:
    """The form of "to be" that goes with what ``callings`` gave."""
    return "is" if who in lexicon.vocabulary() else "are"
