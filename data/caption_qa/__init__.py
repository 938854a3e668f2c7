"""Questions and short answers made from the human captions of a picture, in the manner of COCO-QA.

Presence with hard negatives, colour, count, activity, clothing, place, objects and people, read out
of the captions with small word lists and rules (Ren et al. 2015, arXiv 1505.02074). Made for
soundness before number, and balanced over the corpus so that no answer can be guessed from the
question.
"""
