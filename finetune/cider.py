"""CIDEr-D of one text at a time, against a fixed corpus: the reward of self-critical training.

Vedantam et al. 2015, arXiv 1411.5726. Equal to pycocoevalcap's `Cider` when that is given the whole
corpus (a test holds this); that one forgets the corpus between calls.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

LONGEST = 4  # words in an n-gram
SIGMA = 6.0  # of the penalty on length, in words
Gram = tuple[str, ...]


@dataclass(frozen=True)
class _Vector:
    """Tf-idf weights of a text's n-grams, their norm for each n, and its length in words."""

    weights: tuple[dict[Gram, float], ...]
    norms: tuple[float, ...]
    length: int


class CiderD:
    """Scores texts against the references of their pictures.

    Args:
        references: Tokens of every reference, by the picture's name; n-grams that many pictures'
            references hold count less.
    """

    def __init__(self, references: Mapping[str, Sequence[Sequence[str]]]) -> None:
        frequency: Counter[Gram] = Counter()
        for texts in references.values():
            frequency.update({gram for text in texts for gram in _grams(text)})
        pictures = math.log(max(1, len(references)))
        self._idf = {gram: pictures - math.log(count) for gram, count in frequency.items()}
        self._unknown = pictures
        self._references = references
        self._vectors: dict[str, list[_Vector]] = {}  # of the pictures asked about so far

    def __call__(self, text: Sequence[str], picture: str) -> float:
        """CIDEr-D of a text's tokens, where 1 is what tables call 100."""
        if picture not in self._vectors:
            self._vectors[picture] = [self._vector(known) for known in self._references[picture]]
        known = self._vectors[picture]
        mine = self._vector(text)
        return 10 * sum(_similarity(mine, theirs) for theirs in known) / len(known)

    def _vector(self, text: Sequence[str]) -> _Vector:
        weights: tuple[dict[Gram, float], ...] = tuple({} for _ in range(LONGEST))
        for gram, count in Counter(_grams(text)).items():
            weights[len(gram) - 1][gram] = count * self._idf.get(gram, self._unknown)
        norms = tuple(math.sqrt(sum(w * w for w in part.values())) for part in weights)
        return _Vector(weights, norms, len(text))


def _similarity(mine: _Vector, theirs: _Vector) -> float:
    """Mean over n of the clipped cosine, less for another length."""
    total = 0.0
    for n in range(LONGEST):
        norm = mine.norms[n] * theirs.norms[n]
        if norm:
            other = theirs.weights[n]
            shared = ((w, other[gram]) for gram, w in mine.weights[n].items() if gram in other)
            total += sum(min(w, v) * v for w, v in shared) / norm
    away = mine.length - theirs.length
    return total / LONGEST * math.exp(-(away**2) / (2 * SIGMA**2))


def _grams(text: Sequence[str]) -> Iterable[Gram]:
    for n in range(1, LONGEST + 1):
        for start in range(len(text) - n + 1):
            yield tuple(text[start : start + n])
