"""Self-critical training: captions are learnt from the model's own, judged by what people wrote.

Cross-entropy teaches each word as if all words before it were a person's. Here the model draws
several captions of a picture, each is scored by CIDEr-D against people's captions, and those above
the mean of the others become likelier, those below less likely. Rennie et al. 2017, arXiv
1612.00563, with the mean of the other samples as baseline (Luo 2020, arXiv 2003.09971). CIDEr-D
hardly punishes an object that is not there (Rohrbach et al. 2018, arXiv 1809.02156), so that each
may cost something besides.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch

from data.datasets.objects import ImageObjects
from finetune.config import Schedule
from finetune.evaluation.hallucination import mentioned
from finetune.evaluation.metrics import words
from finetune.loss import Objective
from finetune.packing import Group, Segment
from finetune.sampler import Visit
from model.generation import Decoded, sample
from model.prompts import CAPTION_PROMPT

# Ends every text, so that a caption which breaks off in "with a" scores less than a whole one.
END = "."
LONGEST_GRAM = 4  # words
SIGMA = 6.0  # of CIDEr-D's penalty on length, in words
Gram = tuple[str, ...]
ROUNDING = 1e-5  # below it, an advantage is none
ABSENT = 0.1  # a class that the detector gives less is not there, unless people say so


class Critic:
    """Puts drawn and judged captions in the place of people's.

    Args:
        objective: Computes prefixes; its model draws the captions.
        captions: People's captions by the picture's name.
        schedule: How many captions are drawn, how long they may be, and what they weigh.

    Attributes:
        reward: Mean CIDEr-D of the captions drawn last, where 1 is what cards call 100.
        objects: What is known of the objects of pictures, by name; of others, nothing is absent.
    """

    def __init__(
        self,
        objective: Objective,
        captions: Mapping[str, Sequence[str]],
        schedule: Schedule,
    ) -> None:
        self.objective, self.schedule = objective, schedule
        self.reward = 0.0
        self.objects: Mapping[str, ImageObjects] = {}
        self._captions = captions
        self._named: dict[str, frozenset[str]] = {}
        self._prompt = tuple(objective.learner.vlm.tokens(CAPTION_PROMPT))

    @cached_property
    def _cider(self) -> CiderD:
        """Scores captions; most runs never draw any, so that it is made when it is needed."""
        people = self._captions.items()
        return CiderD({image: [_tokens(text) for text in texts] for image, texts in people})

    def cost(self, visit: Visit) -> int:
        """About how many tokens more a visit takes, for drawing captions and learning them."""
        tokens = self.schedule.critic_samples * self.schedule.critic_tokens
        return 2 * tokens if visit.image in self._captions else 0

    def judge(self, visits: Sequence[Visit]) -> list[Visit]:
        """The visits with drawn captions, weighted by their advantage, instead of people's."""
        described = [visit for visit in visits if visit.image in self._captions]
        if not described:
            return list(visits)
        count = self.schedule.critic_samples
        drawn = self._draw(described, count)
        images = [str(visit.image) for visit in described for _ in range(count)]
        scores = [self._cider(_tokens(d.text), i) for d, i in zip(drawn, images, strict=True)]
        self.reward = sum(scores) / len(scores)
        if cost := self.schedule.critic_absent:
            absent = (self.absent(d.text, i) for d, i in zip(drawn, images, strict=True))
            scores = [
                score - cost * len(names) for score, names in zip(scores, absent, strict=True)
            ]
        rewards = torch.tensor(scores).view(-1, count)
        # The sample's reward less the mean of the others' = its distance to the mean x n / (n - 1).
        advantages = (rewards - rewards.mean(dim=1, keepdim=True)) * count / (count - 1)
        advantages[advantages.abs() < ROUNDING] = 0.0
        weights = (self.schedule.critic_weight * advantages).flatten().tolist()
        judged = [
            Segment(self._prompt, text.tokens, weight)
            for text, weight in zip(drawn, weights, strict=True)
        ]
        return self._replaced(visits, judged)

    def absent(self, text: str, image: str) -> frozenset[str]:
        """The classes of objects that a text names and its picture lacks, as far as is known."""
        known = self.objects.get(image)
        named = mentioned(text)
        if known is None or not named:
            return frozenset()
        there = set(known.present or ())
        there |= {name for name, score in known.scores.items() if score >= ABSENT}
        return named - there - self._told(image)

    def _told(self, image: str) -> frozenset[str]:
        """The classes that people's captions of a picture name."""
        if image not in self._named:
            self._named[image] = mentioned(" . ".join(self._captions[image]))
        return self._named[image]

    def _draw(self, visits: Sequence[Visit], count: int) -> list[Decoded]:
        """`count` captions of each picture, one picture after the other."""
        learner = self.objective.learner
        with learner.generating():
            caches = learner.prefill(self.objective.prefix(visits))
            repeated = [cache for cache in caches for _ in range(count)]
            prompts = [CAPTION_PROMPT] * len(repeated)
            # From PyTorch's random state, which checkpoints keep.
            random = np.random.default_rng(int(torch.randint(2**31, (1,))))
            return sample(learner.vlm, repeated, prompts, self.schedule.critic_tokens, random)

    def _replaced(self, visits: Sequence[Visit], judged: list[Segment]) -> list[Visit]:
        count, start = self.schedule.critic_samples, 0
        replaced = []
        for visit in visits:
            if visit.image in self._captions:
                asked = [s for s in visit.group.segments if s.prompt != self._prompt]
                group = Group((*asked, *judged[start : start + count]), has_picture=True)
                replaced.append(replace(visit, group=group))
                start += count
            else:
                replaced.append(visit)
        return replaced


def _tokens(text: str) -> list[str]:
    return [*words(text), END]


# --- the reward ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Vector:
    """Tf-idf weights of a text's n-grams, their norm for each n, and its length in words."""

    weights: tuple[dict[Gram, float], ...]
    norms: tuple[float, ...]
    length: int


class CiderD:
    """CIDEr-D (Vedantam et al. 2015, arXiv 1411.5726) of one text at a time, by a fixed corpus.

    Equal to pycocoevalcap's `Cider` when that is given the whole corpus (a test holds this); that
    one forgets the corpus between calls.

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
        weights: tuple[dict[Gram, float], ...] = tuple({} for _ in range(LONGEST_GRAM))
        for gram, count in Counter(_grams(text)).items():
            weights[len(gram) - 1][gram] = count * self._idf.get(gram, self._unknown)
        norms = tuple(math.sqrt(sum(w * w for w in part.values())) for part in weights)
        return _Vector(weights, norms, len(text))


def _similarity(mine: _Vector, theirs: _Vector) -> float:
    """Mean over n of the clipped cosine, less for another length."""
    total = 0.0
    for n in range(LONGEST_GRAM):
        norm = mine.norms[n] * theirs.norms[n]
        if norm:
            other = theirs.weights[n]
            shared = ((w, other[gram]) for gram, w in mine.weights[n].items() if gram in other)
            total += sum(min(w, v) * v for w, v in shared) / norm
    away = mine.length - theirs.length
    return total / LONGEST_GRAM * math.exp(-(away**2) / (2 * SIGMA**2))


def _grams(text: Sequence[str]) -> Iterable[Gram]:
    for n in range(1, LONGEST_GRAM + 1):
        for start in range(len(text) - n + 1):
            yield tuple(text[start : start + n])
