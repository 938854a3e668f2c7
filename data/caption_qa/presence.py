"""Presence questions, as many "no" as "yes" for each thing, with hard negatives."""

from __future__ import annotations

import math
import random
from collections import Counter, defaultdict
from collections.abc import Sequence

from data.caption_qa import lexicon
from data.caption_qa.parser import Scene, is_person
from data.datasets.records import QuestionRecord

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
_SYNONYMS = {
    "bike": ("bike", "bicycle"), "airplane": ("airplane", "plane"),
    "cellphone": ("cell phone", "phone"), "couch": ("couch", "sofa"), "bag": ("bag", "handbag"),
}  # fmt: skip
_MAX_YES = 4  # of one picture
_MAX_NO = 7  # of one picture
_MAX_OF_NOUN = 900
# The most that what is seen may raise the chance of a noun, for a "no" to be safe.
_MAX_LIFT_BACKGROUND = 1.4
_MAX_LIFT_LEFT_OUT = 0.7
_SMOOTHING = 3.0
_MAX_LIFT = 4.0
# Enough pictures are tried for each "no" to choose hard ones among several times as many.
_TRIED = 1500
_CHOICE = 5
_SEX = {"man": "m", "boy": "m", "woman": "f", "girl": "f"}
_PEOPLE = ("man", "woman", "boy", "girl", "child", "baby", "person")


class PresenceQuestions:
    """Chooses, over the whole corpus, which pictures are asked about which things.

    Args:
        scenes: The pictures, parsed.
        rng: Source of every random choice.
    """

    def __init__(self, scenes: Sequence[Scene], rng: random.Random) -> None:
        self._scenes = scenes
        self._rng = rng
        self._scenes_with: dict[str, list[int]] = defaultdict(list)
        for index, scene in enumerate(scenes):
            for noun in scene.support:
                self._scenes_with[noun].append(index)
        self._askable = {
            noun
            for noun in lexicon.vocabulary()
            if not lexicon.has_trait(noun, "n") and len(self._scenes_with.get(noun, ())) > 1
        }
        self._never_absent = [never_absent(scene) for scene in scenes]

    def questions(self) -> list[list[QuestionRecord]]:
        """The presence questions of each scene."""
        asked: list[list[QuestionRecord]] = [[] for _ in self._scenes]
        positives, load = self._positives(), Counter[int]()
        for noun in sorted(positives, key=lambda n: len(positives[n])):
            negatives = self._negatives(noun, len(positives[noun]), load)
            load.update(negatives)
            shown = self._rng.sample(positives[noun], len(negatives))
            for turn, (positive, negative) in enumerate(zip(shown, negatives, strict=True)):
                question = _wording(noun, turn)
                asked[positive].append(QuestionRecord.single(question, "yes", "presence"))
                asked[negative].append(QuestionRecord.single(question, "no", "presence"))
        return asked

    def _positives(self) -> dict[str, list[int]]:
        """Noun → the scenes that are asked about it because they show it."""
        chosen: dict[str, list[int]] = defaultdict(list)
        for index, scene in enumerate(self._scenes):
            here = [n for n in sorted(scene.support) if n in self._askable]
            # Rarer things first: every picture has a person or a dog.
            weight = {n: scene.support[n] / math.sqrt(len(self._scenes_with[n])) for n in here}
            here.sort(key=lambda n: self._rng.random() ** (0.05 / weight[n]), reverse=True)
            for noun in here[:_MAX_YES]:
                chosen[noun].append(index)
        return {
            n: sorted(self._rng.sample(at, min(len(at), _MAX_OF_NOUN))) for n, at in chosen.items()
        }

    def _negatives(self, noun: str, wanted: int, load: Counter[int]) -> list[int]:
        """Scenes that surely lack a noun, those sooner that call for it."""
        lifts = self._lifts(noun)
        limit = math.inf
        if lexicon.has_trait(noun, "b"):
            limit = _MAX_LIFT_BACKGROUND
        if lexicon.has_trait(noun, "c"):
            limit = _MAX_LIFT_LEFT_OUT
        order = self._rng.sample(range(len(self._scenes)), len(self._scenes))
        ranked = list[tuple[float, int]]()
        for tried, index in enumerate(order):
            if tried > _TRIED and len(ranked) > _CHOICE * wanted:
                break
            if load[index] < _MAX_NO and noun not in self._never_absent[index]:
                weight = self._hardness(self._scenes[index], noun, lifts, limit)
                if weight:
                    ranked.append((math.log(self._rng.random()) / weight, index))
        ranked.sort(reverse=True)
        return [index for _, index in ranked[:wanted]]

    @staticmethod
    def _hardness(scene: Scene, noun: str, lifts: dict[str, float], limit: float) -> float:
        """How much a scene calls for the noun that it lacks; 0 where "no" would not be safe."""
        if not scene.support or not scene.named.isdisjoint(lexicon.look_alikes()[noun]):
            return 0.0
        near = [lifts.get(n, 1.0) for n in scene.support]
        if max(near) > limit:
            return 0.0
        mean, most = sum(near) / len(near), min(max(near), _MAX_LIFT)
        return 0.05 + (mean + most) ** 2 / 4

    def _lifts(self, noun: str) -> dict[str, float]:
        """How much likelier the noun is where each other noun is; kin of its kind count double."""
        scenes = set(self._scenes_with[noun])
        base = len(scenes) / len(self._scenes)
        mine = lexicon.vocabulary()[noun].traits - {"b", "c", "n"}
        is_background = lexicon.has_trait(noun, "b")
        lifts = {}
        for other, places in self._scenes_with.items():
            together = len(scenes.intersection(places))
            lift = (together + _SMOOTHING * base) / (len(places) + _SMOOTHING) / base
            kin = not is_background and mine & lexicon.vocabulary()[other].traits
            lifts[other] = max(lift, 2.0) if kin else lift
        return lifts


def _wording(noun: str, turn: int) -> str:
    names = _SYNONYMS.get(noun, (noun,))
    name = names[turn % len(names)]
    template = TEMPLATES[(turn // len(names) * 3) % len(TEMPLATES)]
    if name in lexicon.ALWAYS_PLURAL:
        template = template.replace("Is there", "Are there").replace("Is {a}", "Are {a}")
    if "{many}" in template and name in lexicon.UNCOUNTED:
        template = "Is there {a} in the picture?"
    return template.format(a=lexicon.article(name), many=lexicon.plural(name))


def never_absent(scene: Scene) -> frozenset[str]:
    """The people and animals that may well be in the scene, whatever its captions leave out."""
    people = {n for n in scene.named if lexicon.has_trait(n, "p")}
    hinted = bool(scene.tokens & lexicon.HUMAN_HINTS)
    kept = {n for n in _PEOPLE if not (_is_excluded(n, scene, people) if people else not hinted)}
    if any(m.noun == "animal" for caption in scene.captions for m in caption.mentions):
        kept |= {n for n, noun in lexicon.vocabulary().items() if "a" in noun.traits}
    return frozenset(kept)


def _is_excluded(noun: str, scene: Scene, people: set[str]) -> bool:
    """Whether the only person of the scene is of another sex (or age, for "child")."""
    per = [[m for m in caption.mentions if is_person(m)] for caption in scene.captions]
    if any(len(found) > 1 or any(m.count != 1 for m in found) for found in per):
        return False
    known = people & _SEX.keys()
    if noun == "person" or len(known) != 1 or any(lexicon.has_trait(n, "g") for n in people):
        return False
    if noun in {"child", "baby"}:
        return not people & {"boy", "girl", "child", "baby", "teenager"}
    return _SEX[noun] != _SEX[known.pop()]
