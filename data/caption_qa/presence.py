"""Presence questions, as many "no" as "yes" for each thing, with hard negatives."""

from __future__ import annotations

import math
import random
from collections import Counter, defaultdict
from collections.abc import Sequence

from data.caption_qa import lexicon
from data.caption_qa.parser import Scene, kinds
from data.questions import words
from data.questions.absence import blockers, never_absent
from data.questions.asked import DerivedQuestion

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
_MOST = 4.0
# Enough pictures are looked at for each "no" to choose hard ones among several times as many.
_TRIED = 1500
_CHOICE = 5


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
            for n in lexicon.vocabulary()
            if not lexicon.has(n, "n") and len(self._where.get(n, ())) > 1
        ]
        self._blockers = blockers()
        self._kept = [never_absent(scene) for scene in scenes]

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
        if lexicon.has(noun, "b"):
            limit = _LIFT_BACKGROUND
        if lexicon.has(noun, "c"):
            limit = _LIFT_LEFT_OUT
        order = self._rng.sample(range(len(self._scenes)), len(self._scenes))
        ranked = list[tuple[float, int]]()
        for tried, index in enumerate(order):
            if tried > _TRIED and len(ranked) > _CHOICE * wanted:
                break
            if load[index] < _NO_LIMIT and noun not in self._kept[index]:
                weight = self._hardness(index, noun, lifts, limit)
                if weight:
                    ranked.append((math.log(self._rng.random()) / weight, index))
        ranked.sort(reverse=True)
        return [index for _, index in ranked[:wanted]]

    def _hardness(self, index: int, noun: str, lifts: dict[str, float], limit: float) -> float:
        """How much a scene calls for the noun that it lacks; 0 where "no" would not be safe."""
        scene = self._scenes[index]
        if not scene.seen or not scene.named.isdisjoint(self._blockers[noun]):
            return 0.0
        near = [lifts.get(n, 1.0) for n in scene.seen]
        if max(near) > limit:
            return 0.0
        mean, most = sum(near) / len(near), min(max(near), _MOST)
        return 0.05 + (mean + most) ** 2 / 4

    def _lifts(self, noun: str) -> dict[str, float]:
        """How much likelier the noun is where each other noun is; kin of its kind count double."""
        at = set(self._where[noun])
        base = len(at) / len(self._scenes)
        mine = lexicon.vocabulary()[noun].traits - {"b", "c", "n"}
        lifts = {}
        for other, places in self._where.items():
            together = len(at.intersection(places))
            lift = (together + _SMOOTH * base) / (len(places) + _SMOOTH) / base
            kin = mine & lexicon.vocabulary()[other].traits
            lifts[other] = max(lift, 2.0) if kin and not lexicon.has(noun, "b") else lift
        return lifts

    def _wording(self, noun: str, turn: int) -> str:
        names = {"bike": ("bike", "bicycle"), "airplane": ("airplane", "plane"),
                 "cellphone": ("cell phone", "phone"), "couch": ("couch", "sofa"),
                 "bag": ("bag", "handbag"), "boat": ("boat",)}.get(noun, (noun,))  # fmt: skip
        name = names[turn % len(names)]
        template = TEMPLATES[(turn // len(names) * 3) % len(TEMPLATES)]
        if name in words.ALWAYS_PLURAL:
            template = template.replace("Is there", "Are there").replace("Is {a}", "Are {a}")
        if "{many}" in template and name in words.UNCOUNTED:
            template = "Is there {a} in the picture?"
        return template.format(a=lexicon.article(name), many=lexicon.plural(name))
