"""Puts the kinds of question together for a whole corpus of captioned pictures."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

from data.questions.asked import DerivedQuestion
from data.questions.presence import Presence
from data.questions.reading import look


class QuestionMaker:
    """Makes questions about the pictures of a corpus from their captions.

    Everything is chosen when it is built, for the balance of yes and no is over the corpus.

    Args:
        captions: picture id -> its captions (the whole training corpus).
        seed: same seed and captions, same questions.
    """

    def __init__(self, captions: Mapping[str, Sequence[str]], *, seed: int = 0) -> None:
        rng = random.Random(seed)
        ids = sorted(captions)
        scenes = [look(captions[i]) for i in ids]
        asked = Presence(scenes, rng).questions()
        for found in asked:
            rng.shuffle(found)
        self._asked = dict(zip(ids, asked, strict=True))

    def questions(self, picture_id: str) -> list[DerivedQuestion]:
        """The questions about one picture, in a mixed order.

        Raises:
            KeyError: the picture is not of the corpus.
        """
        return list(self._asked[picture_id])
