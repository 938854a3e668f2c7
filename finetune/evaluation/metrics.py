"""Measures of captions, counts and confidences, and bootstrap intervals of their means."""

from __future__ import annotations

import contextlib
import io
import itertools
import logging
import re
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from finetune.evaluation.vqa_accuracy import DIGITS
from model.errors import WeightsError
from model.hub import silence_libraries

log = logging.getLogger(__name__)
_WORD = re.compile(r"[a-z0-9]+(?:'[a-z]+)?")
_STOPWORDS = """
    a an the and or of in on at to with by is are was were be being his her its their it they he
    she this that there as for from up out into over while another other one two
"""
STOPWORDS = frozenset(_STOPWORDS.split())
WORDS_NOTE = (
    "Captions are split into words by a pattern of this project, not by Stanford's PTB tokenizer, "
    "so that these scores differ somewhat from published ones."
)
BINS = 10  # of confidence
RESAMPLES = 1000  # of the bootstrap
LEVEL = 95.0  # percent
FEWEST = 10  # scores: of fewer, the bootstrap says hardly anything
DASH = "–"  # noqa: RUF001
CLIP_PROMPT, CLIP_WEIGHT, CLIP_BATCH = "A photo depicts ", 2.5, 16


def words(text: str) -> list[str]:
    """Lower-case tokens of a text, without punctuation."""
    return _WORD.findall(text.lower())


# --- captions -----------------------------------------------------------------------------------


class CaptionScorer:
    """pycocoevalcap's scorers that need no Java, of one caption for each picture.

    Args:
        captions: What was said of each picture.
        references: People's captions of each.
    """

    def __init__(self, captions: Sequence[str], references: Sequence[Sequence[str]]) -> None:
        self._captions = {i: [_joined(caption)] for i, caption in enumerate(captions)}
        self._references = {i: list(map(_joined, texts)) for i, texts in enumerate(references)}

    def cider(self) -> list[float]:
        """CIDEr-D of each (Vedantam et al. 2015, arXiv 1411.5726) times 100, from 0 to 1000.

        The rarer an n-gram is in the references, the more it weighs.
        """
        from pycocoevalcap.cider.cider import Cider

        scores = Cider().compute_score(self._references, self._captions)[1]
        return [100 * float(score) for score in scores]

    def bleu4(self) -> float:
        """BLEU-4 (Papineni et al. 2002) of the whole set, times 100."""
        from pycocoevalcap.bleu.bleu import Bleu

        with contextlib.redirect_stdout(io.StringIO()):  # it prints lengths
            return 100 * float(Bleu(4).compute_score(self._references, self._captions)[0][3])

    def rouge_l(self) -> list[float]:
        """ROUGE-L of each (Lin 2004), times 100."""
        from pycocoevalcap.rouge.rouge import Rouge

        scores = Rouge().compute_score(self._references, self._captions)[1]
        return [100 * float(score) for score in scores]

    def distinct(self) -> float:
        """Share of different captions, 0..100."""
        return 100 * len({text for (text,) in self._captions.values()}) / len(self._captions)


def _joined(text: str) -> str:
    return " ".join(words(text))


def grounded_share(caption: str, references: Sequence[str]) -> float:
    """Share of a caption's content words that people also used of this picture, 0..1."""
    known = {word for text in references for word in words(text)}
    content = [word for word in words(caption) if word not in STOPWORDS]
    return sum(word in known for word in content) / max(1, len(content))


class ClipScore:
    """How well captions fit their pictures in the eyes of a CLIP, without references.

    Hessel et al. 2021, arXiv 2104.08718: 2.5 x max(cosine, 0) of the embeddings of the picture and
    of "A photo depicts" with the caption.

    Args:
        source: A folder in the hub's format, or the id of a model in the hub's cache.

    Raises:
        WeightsError: It is not there, or is no whole CLIP; one plain sentence.
    """

    def __init__(self, source: str) -> None:
        from transformers import CLIPModel, CLIPProcessor

        try:
            with silence_libraries():
                self._processor: Any = CLIPProcessor.from_pretrained(source, local_files_only=True)
                self._model, info = CLIPModel.from_pretrained(
                    source, dtype=torch.float32, local_files_only=True, output_loading_info=True
                )
        except Exception as error:  # whatever a parser of files trips over
            log.exception("cannot load %s", source)
            raise WeightsError(
                f"There is no CLIP {source!r} on this machine that can be loaded; name a folder."
            ) from error
        if info["missing_keys"] or info["mismatched_keys"]:  # they would silently be random
            raise WeightsError(f"{source!r} holds no whole CLIP with vision and text.")
        self._model.eval()

    @torch.inference_mode()
    def __call__(self, images: Iterable[Image.Image], captions: Sequence[str]) -> list[float]:
        """CLIPScore of each caption with its picture, 0..2.5; few pictures are held at once."""
        scores: list[float] = []
        pairs = iter(zip(images, captions, strict=True))
        while batch := list(itertools.islice(pairs, CLIP_BATCH)):
            inputs = self._processor(
                text=[CLIP_PROMPT + caption for _, caption in batch],
                images=[image for image, _ in batch],
                return_tensors="pt",
                padding=True,
                truncation=True,
            )
            found = self._model(**inputs)
            cosine: Tensor = torch.cosine_similarity(found.image_embeds, found.text_embeds)
            scores += (CLIP_WEIGHT * cosine.clamp(min=0)).tolist()
        return scores


# --- counts -------------------------------------------------------------------------------------


def number_in(text: str) -> int | None:
    """The first number in a text, in digits or as a word up to ten; None if there is none."""
    for word in words(text):
        digits = DIGITS.get(word, word)
        if digits.isdigit():
            return int(digits)
    return None


def count_accuracy(answers: Sequence[str], golds: Sequence[int]) -> float:
    """Share of answers whose number is the gold one, 0..100."""
    right = [number_in(text) == gold for text, gold in zip(answers, golds, strict=True)]
    return 100 * sum(right) / max(1, len(golds))


def count_error(answers: Sequence[str], golds: Sequence[int]) -> float:
    """Mean absolute difference of counts; an answer without a number counts as 0."""
    away = [abs((number_in(text) or 0) - gold) for text, gold in zip(answers, golds, strict=True)]
    return sum(away) / max(1, len(golds))


# --- confidences --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Bin:
    """Answers whose confidence is in an interval of [low, high).

    Attributes:
        low: Of the interval, 0..1.
        high: Of the interval, 0..1.
        count: How many answers.
        confidence: Their mean confidence, 0..1.
        accuracy: Their mean score, 0..1.
    """

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float


def calibration_bins(confidences: Sequence[float], scores: Sequence[float]) -> list[Bin]:
    """Those of ten equal bins of confidence that are not empty."""
    bins = []
    for number in range(BINS):
        inside = [i for i, c in enumerate(confidences) if min(int(c * BINS), BINS - 1) == number]
        if inside:
            sure = sum(confidences[i] for i in inside) / len(inside)
            right = sum(scores[i] for i in inside) / len(inside)
            bins.append(Bin(number / BINS, (number + 1) / BINS, len(inside), sure, right))
    return bins


def calibration_error(confidences: Sequence[float], scores: Sequence[float]) -> float:
    """Expected calibration error (Guo et al. 2017, arXiv 1706.04599) over ten equal bins, 0..1."""
    bins = calibration_bins(confidences, scores)
    gaps = sum(abs(each.confidence - each.accuracy) * each.count for each in bins)
    return gaps / max(1, len(confidences))


# --- intervals ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Estimate:
    """A figure with the ends of its 95 % interval, in the figure's own unit."""

    value: float
    low: float
    high: float

    def scaled(self, factor: float) -> Estimate:
        """The same figure in another unit."""
        return Estimate(self.value * factor, self.low * factor, self.high * factor)


def format_estimate(estimate: Estimate | None, count: int) -> tuple[str, str]:
    """A figure and its interval as tables show them: ("31.4", "28.0–35.1").

    Args:
        estimate: None, where nothing was measured, is a dash.
        count: Of how many scores it is the mean; the interval of fewer than `FEWEST` is a dash.
    """  # noqa: RUF002
    if estimate is None:
        return DASH, DASH
    ends = f"{estimate.low:.1f}{DASH}{estimate.high:.1f}" if count >= FEWEST else DASH
    return f"{estimate.value:.1f}", ends


def bootstrap(scores: Sequence[float], groups: Sequence[Hashable], seed: int) -> Estimate:
    """Mean of scores with the percentile interval of the bootstrap (Efron 1979), over groups.

    Pictures are drawn with all their questions, because those are not independent.

    Args:
        scores: At least one.
        groups: The picture that each score is about.
        seed: The same seed draws the same.
    """
    places: dict[Hashable, int] = {}
    index = np.array([places.setdefault(group, len(places)) for group in groups])
    sums = np.bincount(index, weights=np.asarray(scores, dtype=np.float64))
    counts = np.bincount(index).astype(np.float64)
    rng = np.random.default_rng(seed)
    means = np.empty(RESAMPLES)
    for number in range(RESAMPLES):
        drawn = rng.integers(0, len(sums), len(sums))
        means[number] = sums[drawn].sum() / counts[drawn].sum()
    low, high = np.percentile(means, [(100 - LEVEL) / 2, (100 + LEVEL) / 2])
    return Estimate(float(sums.sum() / counts.sum()), float(low), float(high))
