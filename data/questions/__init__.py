"""Questions and short answers made from the human captions of a picture.

In the manner of COCO-QA: presence with hard negatives, colour, count, activity, clothing, place,
objects and people, read out of the captions with small word lists and rules. Made for soundness
before number, and balanced over the corpus so that no answer can be guessed from the question.
"""

from data.questions.asked import DerivedQuestion
from data.questions.maker import QuestionMaker

__all__ = ["DerivedQuestion", "QuestionMaker"]
