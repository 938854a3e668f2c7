"""The tags that a text without a picture implies, as the detectors would have given them.

A captioner can learn from text alone if something stands for the picture (DeCap, Li et al. 2023,
arXiv 2303.03032). Here that is what the word detector and the object head would tell: a ridge
regression from the words of a caption to their logits, fitted on training pictures, plus what it
leaves of a picture whose captions are much like the text, so that the noise (what else is there,
what is confused, what is overlooked) is the detectors' own. Both come from cross-fitted detectors,
which have not seen the pictures.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from finetune.errors import TrainingError
from finetune.evaluation.hallucination import mentioned
from finetune.sampler import Visit
from finetune.word_tags import words_in
from model.object_head import ObjectFacts

RIDGE = 30.0
CANDIDATES = 256  # pictures among which the most alike is looked for


class ImpliedTags:
    """Tags of texts.

    Args:
        captions: Captions of training pictures, by name.
        words: Logits of words in these pictures, by detectors that have not seen them (N, V).
        objects: Facts of objects in them, likewise.
        vocabulary: The words that the detector tells.
        names: The classes that the object head tells.

    Raises:
        TrainingError: There are no pictures.
    """

    def __init__(
        self,
        captions: Mapping[str, Sequence[str]],
        words: Tensor,
        objects: ObjectFacts,
        vocabulary: Sequence[str],
        names: Sequence[str],
    ) -> None:
        if not len(words):
            raise TrainingError("[[implied]] needs captioned pictures to learn from.")
        self._columns = {word: column for column, word in enumerate(vocabulary)}
        self._things = {name: len(vocabulary) + place for place, name in enumerate(names)}
        self._width = len(vocabulary) + len(names) + 1
        self._vocabulary, self._device = len(vocabulary), words.device
        rng = random.Random(0)
        # One caption of each, since a text without a picture is mostly one, too.
        inputs = torch.stack([self._read(rng.choice(it)) for it in captions.values()])
        odds = torch.logit(objects.probabilities.double(), eps=1e-6).float()
        wanted = torch.cat([words.float(), odds], dim=1).cpu()
        gram = inputs.T @ inputs + RIDGE * torch.eye(self._width)
        self._weights = torch.linalg.solve(gram, inputs.T @ wanted)  # (W, V + K)
        self._predicted = inputs @ self._weights
        self._left = wanted - self._predicted
        self._near = F.normalize(self._predicted - self._predicted.mean(0), dim=1)
        self._mean = self._predicted.mean(0)

    def __call__(self, visits: Sequence[Visit]) -> tuple[Tensor, ObjectFacts]:
        """Visits with `implied` texts → logits of words (visits, V), and facts of objects."""
        inputs = torch.stack([self._read(visit.implied) for visit in visits])
        predicted = inputs @ self._weights
        alike = F.normalize(predicted - self._mean, dim=1)
        rows = []
        for number, visit in enumerate(visits):
            rng = random.Random(visit.draw)
            some = rng.choices(range(len(self._left)), k=CANDIDATES)
            rows.append(some[int((self._near[some] @ alike[number]).argmax())])
        logits = (predicted + self._left[rows]).to(self._device)
        words, odds = logits.split([self._vocabulary, logits.shape[1] - self._vocabulary], dim=1)
        unknown = torch.zeros_like(odds)
        return words, ObjectFacts(odds.sigmoid(), unknown, unknown[..., None].expand(-1, -1, 4))

    def _read(self, text: str) -> Tensor:
        """What a text says: its words, the objects it mentions, and 1."""
        said = torch.zeros(self._width)
        said[-1] = 1
        for word in words_in(text):
            if word in self._columns:
                said[self._columns[word]] = 1
        for name in mentioned(text):
            if name in self._things:
                said[self._things[name]] = 1
        return said
