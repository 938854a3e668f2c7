"""Presence questions, as many "no" as "yes" for each thing, with hard negatives."""

from __future__ import annotations

import math
import random
from collections import Counter, defaultdict
from collections.abc import Sequence

from data.questions import nouns, words
from data.questions.asked import DerivedQuestion
from data.questions.reading import Scene, kinds

TEMPLATES = (
    "Is there {a} in the picture?",
    "Is there {a} in the image?",
    "Is there {a} in this photo?",
    "Is there {a}?",
    "Can you see {a}?",
    "Do you see {a}?",
    "Does the picture show {a}?",
    "Are there any {many} in the picture?",
    "Are there any {many}?",
    "Is {a} visible?",
)
_YES_LIMIT = 4
_NO_LIMIT = 7
_TOP_COUNT = 900
_LIFT_BACKGROUND = 1.4
_LIFT_LEFT_OUT = 0.7
_SMOOTH = 3.0
# Things so alike, or so often parts of one another, that one named keeps the other from a "no".
_ALIKE = (
    "boat dock|ball goal|sled ski|ice snow|skate ice rink|sand beach|sand desert|"
    "ocean beach|wave ocean|ocean lake|lake river|river waterfall|mud puddle|pool fountain|grass field|"
    "grass park|grass yard|playground swing|playground slide|street city|street track|street trail|"
    "hill mountain|mountain cliff|rock cliff|rock mountain|wall building|house building|"
    "store building|restaurant store|store market|kitchen restaurant|drink cup|drink bottle|"
    "drink beer|beer bottle|beer cup|stick log|log tree|forest tree|tree bush|hat helmet|"
    "glasses sunglasses|glasses goggles|sunglasses goggles|bag backpack|chair bench|bench table|"
    "couch chair|table restaurant|towel blanket|scarf bandana|suit tie|swimsuit trunks|wetsuit suit|"
    "wetsuit swimsuit|costume dress|costume mask|costume uniform|dress skirt|car truck|"
    "wagon stroller|tractor truck|atv car|atv motorcycle|scooter motorcycle|scooter bike|"
    "bike motorcycle|airplane parachute|parachute kite|surfboard boat|ski snowboard|"
    "skateboard ramp|ramp rail|hurdle rail|toy ball|toy frisbee|toy stick|toy bone|bone stick|"
    "racket bat|ball frisbee|guitar violin|drum musician|newspaper book|paper newspaper|paper book|"
    "laptop television|cow horse|sheep goat|horse donkey|stage microphone|bear dog|rope leash|"
    "leash collar|statue fountain|cup bottle|bowl cup|food cake|food ice cream|food sandwich|"
    "food pizza|food apple|food banana|plate food|bowl food|fork food|knife food|table food|"
    "bed couch|bed blanket|bed pillow|couch pillow|water beach|water boat|ice snow|snow mountain|"
    "track car|beach desert|field yard|field park|yard park|yard garden|park garden|field garden|"
    "flower garden|tent umbrella|box basket|bucket basket|hose sprinkler|hose rope|hoop ball|"
    "rock wall|hill cliff|street building|stairs building|stairs house|window building|door building|"
    "water ice|fountain sprinkler|water surfer|stroller baby"
)
_MALE_FEMALE = {"man": "m", "boy": "m", "woman": "f", "girl": "f"}


def _blockers() -> dict[str, frozenset[str]]:
    alike: dict[str, set[str]] = defaultdict(set)
    for pair in _ALIKE.split("|"):
        first, _, second = pair.partition(" ")
        if first in nouns.vocabulary() and second in nouns.vocabulary():
            alike[first].add(second)
            alike[second].add(first)
    return {n: frozenset(alike[n] | {n}) for n in nouns.vocabulary()}


def absent(scene: Scene, noun: str, alike: frozenset[str]) -> bool:
    """Whether it is safe to say that the noun is not in the picture."""
    if scene.named & alike:
        return False
    people = {n for n in scene.named if nouns.has(n, "p")}
    if noun == "person":
        return not people and not scene.tokens & words.HUMAN_HINTS
    if not nouns.has(noun, "p"):
        return not (nouns.has(noun, "a") and scene.named & {"animal"} and "animal" in _plain(scene))
    if not people:
        return not scene.tokens & words.HUMAN_HINTS
    return _surely_not(noun, scene, people)


def _plain(scene: Scene) -> set[str]:
    return {m.noun for r in scene.readings for m in r.mentions}


def _surely_not(noun: str, scene: Scene, people: set[str]) -> bool:
    counts = [m.count for r in scene.readings for m in r.mentions if nouns.has(m.noun, "p")]
    if any(c != 1 for c in counts) or any(nouns.has(n, "g") for n in people):
        return False
    if len({n for n in people if n in {"man", "woman", "boy", "girl"}}) != 1:
        return False
    if any(sum(nouns.has(m.noun, "p") for m in r.mentions) > 1 for r in scene.readings):
        return False
    male = any(nouns.has(n, "m") for n in people)
    young = bool(people & {"boy", "girl", "child", "baby"})
    if noun in {"child", "baby"}:
        return not young and not people & {"teenager"}
    same_sex = _MALE_FEMALE.get(noun) == ("m" if male else "f")
    return not same_sex


class Presence:
    """Chooses, over the whole corpus, which pictures are asked about which things.

    Args:
        scenes: the pictures, read.
        rng: source of every random choice.
    """

    def __init__(self, scenes: Sequence[Scene], rng: random.Random) -> None:
        self._scenes = scenes
        self._rng = rng
        self._where = kinds(scenes)
        self._askable = [
            n
            for n in nouns.vocabulary()
            if not nouns.has(n, "n") and len(self._where.get(n, ())) > 1
        ]
        self._blockers = _blockers()

    def questions(self) -> list[list[DerivedQuestion]]:
        """The presence questions of each scene."""
        asked: list[list[DerivedQuestion]] = [[] for _ in self._scenes]
        yes, load = self._yes(), Counter[int]()
        for noun in sorted(yes, key=lambda n: len(yes[n])):
            no = self._no(noun, len(yes[noun]), load)
            load.update(no)
            pairs = list(zip(self._rng.sample(yes[noun], len(no)), no, strict=True))
            for turn, (shown, hidden) in enumerate(pairs):
                question = self._wording(noun, turn)
                asked[shown].append(DerivedQuestion(question, "yes", "presence"))
                asked[hidden].append(DerivedQuestion(question, "no", "presence"))
        return asked

    def _yes(self) -> dict[str, list[int]]:
        chosen: dict[str, list[int]] = defaultdict(list)
        askable = set(self._askable)
        for index, scene in enumerate(self._scenes):
            here = [n for n in sorted(scene.seen) if n in askable]
            # Rarer things first: every picture has a person or a dog.
            weigh = {n: scene.seen[n] / math.sqrt(len(self._where[n])) for n in here}
            here.sort(key=lambda n: self._rng.random() ** (0.05 / weigh[n]), reverse=True)
            for noun in here[:_YES_LIMIT]:
                chosen[noun].append(index)
        return {
            n: sorted(self._rng.sample(at, min(len(at), _TOP_COUNT))) for n, at in chosen.items()
        }

    def _no(self, noun: str, wanted: int, load: Counter[int]) -> list[int]:
        lifts = self._lifts(noun)
        limit = math.inf
        if nouns.has(noun, "b"):
            limit = _LIFT_BACKGROUND
        if nouns.has(noun, "c"):
            limit = _LIFT_LEFT_OUT
        alike, ranked = self._blockers[noun], []
        for index, scene in enumerate(self._scenes):
            if load[index] >= _NO_LIMIT or noun in scene.named or not scene.seen:
                continue
            near = [lifts.get(n, 1.0) for n in scene.seen]
            if max(near) > limit or not absent(scene, noun, alike):
                continue
            weight = 0.05 + min(sum(near) / len(near), 3.0) ** 2
            ranked.append((math.log(self._rng.random()) / weight, index))
        ranked.sort(reverse=True)
        return [index for _, index in ranked[:wanted]]

    def _lifts(self, noun: str) -> dict[str, float]:
        """How much likelier the noun is where each other noun is; kin of its kind count double."""
        at = set(self._where[noun])
        base = len(at) / len(self._scenes)
        mine = nouns.vocabulary()[noun].traits - {"b", "c", "n"}
        lifts = {}
        for other, places in self._where.items():
            together = len(at.intersection(places))
            lift = (together + _SMOOTH * base) / (len(places) + _SMOOTH) / base
            kin = mine & nouns.vocabulary()[other].traits
            lifts[other] = max(lift, 2.0) if kin and not nouns.has(noun, "b") else lift
        return lifts

    def _wording(self, noun: str, turn: int) -> str:
        names = {"bike": ("bike", "bicycle"), "airplane": ("airplane", "plane"),
                 "cellphone": ("cell phone", "phone"), "couch": ("couch", "sofa"),
                 "bag": ("bag", "handbag"), "boat": ("boat",)}.get(noun, (noun,))  # fmt: skip
        name = names[turn % len(names)]
        template = TEMPLATES[(turn // len(names) * 3) % len(TEMPLATES)]
        if nouns.article(name).startswith("any ") and "{a}" in template:
            if name in words.ALWAYS_PLURAL:
                template = template.replace("Is there", "Are there").replace("Is {a}", "Are {a}")
        if "{many}" in template and name in words.UNCOUNTED:
            template = "Is there {a} in the picture?"
        return template.format(a=nouns.article(name), many=nouns.plural(name))
