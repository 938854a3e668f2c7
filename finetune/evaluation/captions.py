"""Scores of captions against human ones, by pycocoevalcap's scorers that need no Java."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from finetune.evaluation.dataset import Item
from finetune.evaluation.intervals import Estimate, bootstrap
from finetune.evaluation.metrics import words
from finetune.evaluation.runner import wrong_pictures

WORDS_NOTE = (
    "Captions are split into words by a pattern of this project, not by Stanford's PTB tokenizer, "
    "so that these scores differ somewhat from published ones."
)


@dataclass(frozen=True)
class CaptionFigures:
    """Scores on the project's lower-case regex tokens, times 100 as tables give them.

    Attributes:
        count: Number of pictures.
        cider: CIDEr-D (Vedantam et al. 2015, arXiv 1411.5726).
        shuffled_cider: Of the same captions, each given to another picture; None if there is none.
        bleu4: BLEU-4 (Papineni et al. 2002) of the whole set.
        rouge_l: ROUGE-L (Lin 2004), mean over pictures.
        distinct: Share of different captions, 0..100.
        clip_score: CLIPScore (Hessel et al. 2021), if a CLIP was given; at most 250.
    """

    count: int
    cider: Estimate
    shuffled_cider: Estimate | None
    bleu4: float
    rouge_l: Estimate
    distinct: float
    clip_score: Estimate | None


def cider_of_each(items: Sequence[Item], captions: Sequence[str]) -> list[float]:
    """CIDEr-D of each picture's caption, times 100; the rarer an n-gram is, the more it weighs."""
    return [100 * score for score in _cider(_references(items), _tokens(captions))]


def caption_figures(
    items: Sequence[Item],
    captions: Sequence[str],
    ciders: Sequence[float],
    seed: int,
    clip_scores: Sequence[float] | None,
) -> CaptionFigures:
    """Score one caption for each picture.

    Args:
        items: The pictures with their references.
        captions: What the model said of each.
        ciders: What `cider_of_each` gives for them.
        seed: Of the bootstrap.
        clip_scores: CLIPScore of each, 0..2.5, or None.
    """
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.rouge.rouge import Rouge

    made, gold = _tokens(captions), _references(items)
    with contextlib.redirect_stdout(io.StringIO()):  # Bleu prints its lengths
        bleu = Bleu(4).compute_score(gold, made)[0][3]
    places = range(len(items))

    def estimate(scores: Sequence[float]) -> Estimate:
        return bootstrap(scores, places, seed).times(100)

    wrong = wrong_pictures(items)
    return CaptionFigures(
        len(items),
        bootstrap(ciders, places, seed),
        estimate(_cider(gold, _tokens([captions[i] for i in wrong]))) if wrong else None,
        100 * float(bleu),
        estimate(Rouge().compute_score(gold, made)[1]),
        100 * len({texts[0] for texts in made.values()}) / len(made),
        estimate(clip_scores) if clip_scores else None,
    )


_Texts = dict[int, list[str]]


def _cider(gold: _Texts, made: _Texts) -> Sequence[float]:
    from pycocoevalcap.cider.cider import Cider

    scores: Sequence[float] = np.asarray(Cider().compute_score(gold, made)[1]).tolist()
    return scores


def _references(items: Sequence[Item]) -> _Texts:
    return {i: _joined(item.golds) for i, item in enumerate(items)}


def _tokens(captions: Sequence[str]) -> _Texts:
    return {i: _joined([caption]) for i, caption in enumerate(captions)}


def _joined(texts: Sequence[str]) -> list[str]:
    return [" ".join(words(text)) for text in texts]
