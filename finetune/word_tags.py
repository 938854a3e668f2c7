"""Fits the word detector of a mapper's word tags: from a picture's global state to words about it.

The words are those of captions and of what people ask, for people caption other pictures than they
ask about. Takes a minute on a CPU, before the mapper and LoRA start to learn, and stays as it is
then.
"""

from __future__ import annotations

import copy
import math
import re
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from data.datasets.feature_cache import FeatureStore
from finetune.errors import TrainingError
from finetune.evaluation.metrics import STOPWORDS
from finetune.sampler import Visit
from model.vlm import PrefixVLM

EPOCHS, UPDATES = 12, 100  # at least, for few pictures take more epochs
BATCH = 128
RATE = 1e-3
WEIGHT_DECAY = 0.05
FOLDS = 5
INPUT_DROPOUT, HIDDEN_DROPOUT = 0.2, 0.4
SAID_ONCE = 0.6  # target of a word in one text only; in several it is 1
_WORD = re.compile(r"[a-z]{3,}")
# Frequent in captions and questions, but nobody could point at what they name.
_POINTLESS = frozenset(
    (Path(__file__).parent / "pointless_words.txt").read_text(encoding="utf-8").split()
)


@dataclass(frozen=True)
class WordExamples:
    """What detectors of words are fitted on.

    Attributes:
        images: Names of the pictures.
        states: Their global states (views, pictures, D), in all views that every picture has.
        texts: The captions of each, then what the others' questions mention.
        captioned: How many pictures have captions; they come first.
    """

    images: Sequence[str]
    states: Tensor
    texts: Sequence[Sequence[str]]
    captioned: int

    @classmethod
    def of(
        cls,
        vlm: PrefixVLM,
        store: FeatureStore | None,
        captions: Mapping[str, Sequence[str]],
        mentions: Mapping[str, Sequence[str]] | None = None,
    ) -> WordExamples | None:
        """The examples in a store, read at once; None if nothing has word tags.

        Args:
            vlm: Its tower made the store.
            store: Hidden states of the pictures.
            captions: Captions by the picture's name.
            mentions: What people's questions tell of pictures without captions, by name.

        Raises:
            TrainingError: There are word tags, and no texts.
        """
        if vlm.mapper.words is None or store is None:
            return None
        told = {**captions, **(mentions or {})}
        if not told:
            raise TrainingError("Word tags need pictures with captions or questions.")
        images = [*sorted(captions), *sorted(told.keys() - captions.keys())]
        texts = [told[image] for image in images]
        return cls(images, _pooled(vlm, store, images), texts, len(captions))


def fit_words(
    vlm: PrefixVLM, examples: WordExamples | None, seed: int, known: Sequence[str] = ()
) -> list[str]:
    """Fit the detector of `vlm.mapper.words` and name its words; returns the vocabulary.

    Args:
        vlm: Its mapper has word tags.
        examples: What to fit it on; None if there is nothing.
        seed: Of order, views and dropout.
        known: The vocabulary so far, whose words keep their learnt names.

    Raises:
        TrainingError: There are no word tags, or the texts hold fewer words than the vocabulary
            has room for.
    """
    words = vlm.mapper.words
    if words is None or examples is None:
        raise TrainingError("refit_words needs word tags: a profile with words in [mapper].")
    size = words.names.num_embeddings
    count = examples.captioned
    vocabulary = frequent_words([examples.texts[:count], examples.texts[count:]], size)
    if len(vocabulary) < size:
        raise TrainingError(
            f"The captions and questions hold only {len(vocabulary)} different words, "
            f"but the mapper's vocabulary is {size}."
        )
    targets = word_targets(examples.texts, vocabulary)
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        _fit_anew(words.detector, examples.states, targets.to(vlm.device))
    learnt = dict(zip(known, words.names.weight.detach().clone(), strict=bool(known)))
    with torch.no_grad():
        for row, word in enumerate(vocabulary):
            ids = torch.tensor(vlm.tokens(" " + word), device=vlm.device)
            name = learnt.get(word)
            words.names.weight[row] = vlm.embed(ids).float().mean(dim=0) if name is None else name
    return vocabulary


class CrossFittedWords:
    """Words of training pictures from detectors that have not seen them.

    The detector knows its own training pictures better than new ones, and the language model would
    learn to trust it too much. So each fold of the pictures has a detector that was fitted on the
    others (cross-fitting, as in stacked generalisation: Wolpert 1992).

    Args:
        vlm: Its mapper has word tags, whose detector serves pictures without texts.
        examples: What to fit the others on; None if there is nothing.
        vocabulary: The words that the detector of `vlm` tells.
        seed: Of order, views and dropout.

    Raises:
        TrainingError: There are no word tags, or too few pictures, or nobody knows the vocabulary.
    """

    def __init__(
        self,
        vlm: PrefixVLM,
        examples: WordExamples | None,
        vocabulary: Sequence[str],
        seed: int,
    ) -> None:
        words = vlm.mapper.words
        if words is None or examples is None or len(vocabulary) != words.names.num_embeddings:
            raise TrainingError(
                "cross_fit needs word tags whose vocabulary is known: a profile with words in "
                "[mapper], and to go on from, an adapter that lists its vocabulary."
            )
        images = examples.images
        if len(images) <= FOLDS:
            raise TrainingError(f"cross_fit needs more than {FOLDS} pictures with texts.")
        self._own: nn.Sequential = words.detector
        self._size = vlm.mapper.hidden_size
        mixed = sorted(images, key=lambda image: zlib.crc32(image.encode()))
        self._fold = {image: rank % FOLDS for rank, image in enumerate(mixed)}
        targets = word_targets(examples.texts, vocabulary).to(vlm.device)
        folds = torch.tensor([self._fold[image] for image in images], device=vlm.device)
        self._detectors: list[nn.Sequential] = []
        for fold in range(FOLDS):
            detector = copy.deepcopy(self._own)
            others = folds != fold
            with torch.random.fork_rng(devices=()):
                torch.manual_seed(seed + fold)
                _fit_anew(detector, examples.states[:, others], targets[others])
            self._detectors.append(detector)

    @property
    def tensors(self) -> list[Tensor]:
        """The weights of all detectors."""
        return [weight for detector in self._detectors for weight in detector.parameters()]

    @torch.no_grad()
    def __call__(self, visits: Sequence[Visit], hidden: Tensor) -> Tensor:
        """Hidden states (visits, 1 + G², D) → logits of words (visits, V)."""
        return self.of([str(visit.image) for visit in visits], hidden[:, 0, : self._size])

    @torch.no_grad()
    def of(self, images: Sequence[str], whole: Tensor) -> Tensor:
        """Global states (pictures, D), by their pictures' names → logits of words (pictures, V)."""
        logits: Tensor = self._own(whole).float()
        folds = [self._fold.get(image) for image in images]
        for fold, detector in enumerate(self._detectors):
            rows = [row for row, each in enumerate(folds) if each == fold]
            if rows:
                logits[rows] = detector(whole[rows]).float()
        return logits


def frequent_words(groups: Sequence[Sequence[Sequence[str]]], size: int) -> list[str]:
    """The content words that name most pictures, the most frequent first.

    Args:
        groups: Kinds of texts, each the texts of every picture. The share of pictures that a word
            names is summed over the kinds, however many pictures each has.
        size: How many words.
    """
    shares: dict[str, float] = {}
    for pictures in groups:
        counts = Counter(word for texts in pictures for word in words_in(" ".join(texts)))
        for word, count in counts.items():
            shares[word] = shares.get(word, 0.0) + count / len(pictures)
    return sorted(shares, key=lambda word: (-shares[word], word))[:size]


def word_targets(pictures: Sequence[Sequence[str]], vocabulary: Sequence[str]) -> Tensor:
    """How surely each word belongs to each picture: (pictures, V) of 0, `SAID_ONCE` or 1."""
    column = {word: index for index, word in enumerate(vocabulary)}
    targets = torch.zeros(len(pictures), len(vocabulary))
    for row, texts in enumerate(pictures):
        said = Counter(word for text in texts for word in words_in(text))
        for word, count in said.items():
            if word in column:
                targets[row, column[word]] = SAID_ONCE if count == 1 else 1.0
    return targets


def _fit_anew(detector: nn.Sequential, states: Tensor, targets: Tensor) -> None:
    """Binary cross-entropy on normalised states; the normalisation is folded in at the end."""
    first, last = detector[0], detector[2]
    assert isinstance(first, nn.Linear)
    assert isinstance(last, nn.Linear)
    first.reset_parameters()
    last.reset_parameters()
    mean, spread = states[0].mean(dim=0), states[0].std(dim=0) + 1e-3
    with torch.no_grad():
        last.weight.mul_(0.1)
        last.bias.copy_(torch.logit(targets.mean(dim=0), eps=1e-4))
    detector.requires_grad_(True)
    optimizer = torch.optim.AdamW(detector.parameters(), lr=RATE, weight_decay=WEIGHT_DECAY)
    epochs = max(EPOCHS, math.ceil(UPDATES / math.ceil(len(targets) / BATCH)))
    for epoch in range(epochs):
        for group in optimizer.param_groups:
            group["lr"] = RATE * (1 - epoch / epochs)
        for rows in torch.randperm(len(targets)).split(BATCH):  # type: ignore[no-untyped-call]
            views = torch.randint(0, len(states), (len(rows),))
            inputs = F.dropout((states[views, rows] - mean) / spread, INPUT_DROPOUT)
            hidden = F.dropout(F.relu(first(inputs)), HIDDEN_DROPOUT)
            loss = F.binary_cross_entropy_with_logits(last(hidden), targets[rows])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    detector.requires_grad_(False)
    with torch.no_grad():
        first.weight.div_(spread)
        first.bias.sub_(first.weight @ mean)


def _pooled(vlm: PrefixVLM, store: FeatureStore, images: Sequence[str]) -> Tensor:
    """Global states (views, pictures, D) of all views that every picture has."""
    rows = [store.rows[image] for image in images]
    views = min(store.counts[row] for row in rows)
    pooled = []
    for view in range(views):
        parts = []
        for start in range(0, len(rows), BATCH):
            part = rows[start : start + BATCH]
            stored = torch.from_numpy(store.get(part, [view] * len(part))).float()
            whole = vlm.tower.complete(stored.to(vlm.device))[:, 0]
            parts.append(whole[:, : vlm.mapper.hidden_size].clone())  # not all of the states
        pooled.append(torch.cat(parts))
    return torch.stack(pooled)


def words_in(text: str) -> set[str]:
    """The words of a text that name something."""
    return set(_WORD.findall(text.lower())) - STOPWORDS - _POINTLESS
