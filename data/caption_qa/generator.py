"""Puts the kinds of question together for a whole corpus of captioned pictures."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence

from data.caption_qa.activities import activity_questions, object_questions, sport_questions
from data.caption_qa.attributes import (
    clothing_questions,
    colour_questions,
    count_questions,
    person_questions,
    place_questions,
)
from data.caption_qa.balance import Claim, Numbered, limit_majority, pair_yes_and_no
from data.caption_qa.parser import Scene, identify_people, parse_scene
from data.caption_qa.presence import PresenceQuestions
from data.datasets.records import QuestionRecord

# The largest share that one answer may have of a question's wording, by kind.
_MAX_SHARES = {"count": 0.4, "person": 0.5, "object": 0.5, "place": 0.4, "activity": 0.4}
_DEFAULT_MAX_SHARE = 0.6


class CaptionQuestions:
    """Makes questions about the pictures of a corpus from their captions.

    Everything is chosen when it is built, for the balance of answers is over the corpus.

    Args:
        captions: Picture id → its captions (the whole training corpus).
        seed: Same seed and captions, same questions.
    """

    def __init__(self, captions: Mapping[str, Sequence[str]], *, seed: int = 0) -> None:
        rng = random.Random(seed)
        ids = sorted(captions)
        scenes = [parse_scene(captions[i]) for i in ids]
        asked = PresenceQuestions(scenes, rng).questions()
        claims = list[tuple[int, Claim]]()
        open_questions: dict[str, list[Numbered]] = {}
        for number, scene in enumerate(scenes):
            for found in _questions_about(scene, number):
                if isinstance(found, Claim):
                    claims.append((number, found))
                else:
                    open_questions.setdefault(found.kind, []).append((number, found))
        chosen = pair_yes_and_no(claims, rng)
        for kind, questions in open_questions.items():
            chosen += limit_majority(questions, _MAX_SHARES.get(kind, _DEFAULT_MAX_SHARE), rng)
        for number, question in chosen:
            asked[number].append(question)
        for mixed in asked:
            rng.shuffle(mixed)
        self._asked = dict(zip(ids, asked, strict=True))

    def questions(self, picture_id: str) -> list[QuestionRecord]:
        """The questions about one picture, in a mixed order.

        Raises:
            KeyError: The picture is not of the corpus.
        """
        return list(self._asked[picture_id])


def _questions_about(scene: Scene, number: int) -> Iterator[QuestionRecord | Claim]:
    people = identify_people(scene)
    yield from count_questions(scene, people, number)
    yield from person_questions(scene, people)
    yield from colour_questions(scene, people)
    yield from activity_questions(scene, people)
    yield from sport_questions(scene)
    yield from object_questions(scene, people)
    yield from clothing_questions(scene, people)
    yield from place_questions(scene, people)
