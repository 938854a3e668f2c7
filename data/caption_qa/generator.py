"""Puts the kinds of question together for a whole corpus of captioned pictures."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence

from data.caption_qa.activities import doing_questions, sport_questions
from data.caption_qa.attributes import colour_questions
from data.caption_qa.balance import level, settle
from data.caption_qa.parser import Scene, look
from data.caption_qa.presence import Presence
from data.questions.asked import Claim, DerivedQuestion
from data.questions.cast import cast
from data.questions.people import count_questions, person_questions
from data.questions.places import place_questions
from data.questions.things import clothing_questions, thing_questions

# The largest share that one answer may have of a question's wording, by kind.
_SHARES = {"count": 0.4, "person": 0.5, "object": 0.5, "place": 0.4, "activity": 0.4}
_DEFAULT_SHARE = 0.6


class QuestionMaker:
    """Makes questions about the pictures of a corpus from their captions.

    Everything is chosen when it is built, for the balance of answers is over the corpus.

    Args:
        captions: picture id -> its captions (the whole training corpus).
        seed: same seed and captions, same questions.
    """

    def __init__(self, captions: Mapping[str, Sequence[str]], *, seed: int = 0) -> None:
        rng = random.Random(seed)
        ids = sorted(captions)
        scenes = [look(captions[i]) for i in ids]
        asked = Presence(scenes, rng).questions()
        claims = list[tuple[int, Claim]]()
        opens: dict[str, list[tuple[int, DerivedQuestion]]] = {}
        for number, scene in enumerate(scenes):
            for found in _about(scene, number):
                if isinstance(found, Claim):
                    claims.append((number, found))
                else:
                    opens.setdefault(found.kind, []).append((number, found))
        pairs = settle(claims, rng)
        for kind, questions in opens.items():
            pairs += level(questions, _SHARES.get(kind, _DEFAULT_SHARE), rng)
        for number, question in pairs:
            asked[number].append(question)
        for mixed in asked:
            rng.shuffle(mixed)
        self._asked = dict(zip(ids, asked, strict=True))

    def questions(self, picture_id: str) -> list[DerivedQuestion]:
        """The questions about one picture, in a mixed order.

        Raises:
            KeyError: the picture is not of the corpus.
        """
        return list(self._asked[picture_id])


def _about(scene: Scene, number: int) -> Iterator[DerivedQuestion | Claim]:
    them = cast(scene)
    yield from count_questions(scene, them, number)
    yield from person_questions(scene, them)
    yield from colour_questions(scene, them)
    yield from doing_questions(scene, them)
    yield from sport_questions(scene)
    yield from thing_questions(scene, them)
    yield from clothing_questions(scene, them)
    yield from place_questions(scene, them)
