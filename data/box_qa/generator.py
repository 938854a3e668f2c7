"""Questions about objects that are made from boxes: presence, count, place and size."""

from __future__ import annotations

import random
from collections.abc import Mapping

from data.box_qa.attributes import add_places
from data.box_qa.evidence import weigh
from data.box_qa.presence import Companions, add_presence
from data.datasets.objects import SeenObjects
from data.datasets.records import QuestionRecord
from data.questions.box_counts import add_counts
from data.questions.box_sizes import add_sizes
from data.questions.topics import Topics

# How many questions of a kind one picture may have, so that a full table does not ask the most.
_LIMITS = {"presence": 10, "count": 3, "place": 4, "size": 2}


class BoxQuestions:
    """Makes questions about the pictures of a corpus from the objects in them.

    Everything is chosen when it is built, for the balance of answers is over the corpus: no
    wording gives its answer away, and "no" is asked of what often goes with what is there. Give
    it training pictures only.

    Args:
        objects: What is known of each picture, by its name.
        seed: Same seed and objects, same questions.
    """

    def __init__(self, objects: Mapping[str, SeenObjects], *, seed: int = 0) -> None:
        chance = random.Random(seed)
        images = sorted(objects)
        evidence = [weigh(objects[image]) for image in images]
        topics = Topics(_LIMITS)
        companions = Companions(evidence, seed)
        add_presence(topics, evidence, companions)
        add_counts(topics, evidence, companions)
        add_places(topics, evidence)
        add_sizes(topics, evidence)
        asked = topics.ask(chance)
        self._asked = {image: asked.get(number, []) for number, image in enumerate(images)}
        for questions in self._asked.values():
            chance.shuffle(questions)

    def questions(self, image: str) -> list[QuestionRecord]:
        """The questions about one picture, in a mixed order.

        Raises:
            KeyError: The picture is not of the corpus.
        """
        return list(self._asked[image])
