"""The figures of an evaluation: accuracies with controls, caption scores, calibration."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from finetune.evaluation.dataset import Dataset, Item, derange
from finetune.evaluation.metrics import (
    Bin,
    CaptionScorer,
    Estimate,
    bootstrap,
    calibration_bins,
    calibration_error,
    grounded_share,
)
from finetune.evaluation.runner import Replies, Reply
from finetune.evaluation.vqa_accuracy import normalise, vqa_accuracy

MOST_TYPES = 20  # of questions that are shown one by one


@dataclass(frozen=True)
class Reliability:
    """How far confidences can be trusted.

    Attributes:
        error: Expected calibration error (Guo et al. 2017, arXiv 1706.04599), 0..1.
        bins: Those of ten equal bins that are not empty.
    """

    error: float
    bins: tuple[Bin, ...]


@dataclass(frozen=True)
class Accuracy:
    """VQA accuracy, 0..100, beside that of those who do not see the picture.

    Attributes:
        count: Number of questions.
        model: Of the model.
        shuffled: Of the model when shown another picture; None if there is only one.
        blank: Of the model when shown a grey picture; None if it was not.
        majority: Of always giving the commonest answer to these very questions.
        per_question: Of the best answer for each question text: an upper bound for the blind.
    """

    count: int
    model: Estimate
    shuffled: Estimate | None
    blank: Estimate | None
    majority: Estimate
    per_question: Estimate


@dataclass(frozen=True)
class QuestionFigures:
    """Accuracies and calibration.

    Attributes:
        overall: Of all questions.
        answer_types: Of each type of answer, the commonest first.
        question_types: Of each type of question, the commonest first.
        rare_types: Of all questions whose type is not among the `MOST_TYPES` commonest; or None.
        reliability: Of the confidences.
    """

    overall: Accuracy
    answer_types: dict[str, Accuracy]
    question_types: dict[str, Accuracy]
    rare_types: Accuracy | None
    reliability: Reliability


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


@dataclass(frozen=True)
class Figures:
    """Everything measured; None where the dataset does not ask for it."""

    captions: CaptionFigures | None
    questions: QuestionFigures | None
    caption_reliability: Reliability | None


@dataclass(frozen=True)
class Scored:
    """A reply and how good it is.

    Attributes:
        item: What was asked.
        reply: What the model said.
        score: What its confidence foretells, 0..1: VQA accuracy, or for a caption the share of
            content words that people also used, which is 1 for many a wrong caption, too.
        cider: CIDEr-D of a caption, times 100. None for an answer, and for the only caption of a
            dataset, where no word is rare.
    """

    item: Item
    reply: Reply
    score: float
    cider: float | None = None


def figures_of(
    dataset: Dataset,
    replies: Replies,
    seed: int,
    clip_score: Callable[[Sequence[Item], Sequence[str]], list[float]] | None = None,
) -> tuple[Figures, list[Scored]]:
    """All figures, and every reply with its score, captions first.

    Args:
        dataset: What was asked.
        replies: What the model said.
        seed: Of the bootstrap.
        clip_score: Gives the CLIPScore of each caption, if one is wanted.
    """
    captions: CaptionFigures | None = None
    described: list[Scored] = []
    if dataset.captions:
        clips = clip_score(dataset.captions, _texts(replies.captions)) if clip_score else None
        captions, described = caption_figures(dataset.captions, replies.captions, seed, clips)
    answered = score_answers(dataset.questions, replies.questions)
    questions = None
    if answered:
        questions = question_figures(answered, replies.shuffled, replies.blank, seed)
    reliability = _reliability(described) if described else None
    return Figures(captions, questions, reliability), described + answered


def caption_figures(
    items: Sequence[Item], replies: Sequence[Reply], seed: int, clip_scores: Sequence[float] | None
) -> tuple[CaptionFigures, list[Scored]]:
    """Figures of one caption for each picture, and each with its score.

    Args:
        items: The pictures with their references.
        replies: What the model said of each.
        seed: Of the bootstrap.
        clip_scores: CLIPScore of each, 0..2.5, or None.
    """
    texts, references = _texts(replies), [item.golds for item in items]
    scorer = CaptionScorer(texts, references)
    ciders = scorer.cider()
    places = range(len(items))
    shuffled = None
    if wrong := _wrong_pictures(items):
        others = CaptionScorer([texts[i] for i in wrong], references).cider()
        shuffled = bootstrap(others, places, seed)
    figures = CaptionFigures(
        len(items),
        bootstrap(ciders, places, seed),
        shuffled,
        scorer.bleu4(),
        bootstrap(scorer.rouge_l(), places, seed),
        scorer.distinct(),
        bootstrap(clip_scores, places, seed).scaled(100) if clip_scores else None,
    )
    rare = len(items) > 1  # of one picture every word is as common as can be
    return figures, score_captions(items, replies, ciders if rare else None)


def score_captions(
    items: Sequence[Item], replies: Sequence[Reply], ciders: Sequence[float | None] | None = None
) -> list[Scored]:
    """Each caption with the share of content words that people also used, and its CIDEr-D."""
    return [
        Scored(item, reply, grounded_share(reply.text, item.golds), cider)
        for item, reply, cider in zip(items, replies, ciders or [None] * len(items), strict=True)
    ]


def _wrong_pictures(items: Sequence[Item]) -> list[int] | None:
    """For each picture the place of another one: the shuffled control; None if there is none."""
    names = [str(item.image) for item in items]
    place = {name: index for index, name in enumerate(names)}
    swap = derange(names)
    return [place[swap[name]] for name in names] if len(place) > 1 else None


def score_answers(items: Sequence[Item], replies: Sequence[Reply]) -> list[Scored]:
    """Each answer with its VQA accuracy."""
    return [
        Scored(item, reply, vqa_accuracy(reply.text, item.golds))
        for item, reply in zip(items, replies, strict=True)
    ]


def question_figures(
    answered: Sequence[Scored],
    shuffled: Sequence[Reply] | None,
    blank: Sequence[Reply] | None,
    seed: int = 0,
) -> QuestionFigures:
    """Accuracies and calibration of answers.

    Args:
        answered: At least one answer with its score.
        shuffled: The answers to the same questions about other pictures, if they were asked.
        blank: Likewise about a grey picture.
        seed: Of the bootstrap.
    """
    items = [scored.item for scored in answered]
    columns = _Columns(
        items,
        [scored.score for scored in answered],
        None if shuffled is None else _scores(items, _texts(shuffled)),
        None if blank is None else _scores(items, _texts(blank)),
        _best_per_question(items),
        seed,
    )
    question_types = columns.by_type([item.question_type for item in items])
    common = {*[*question_types][:MOST_TYPES]}
    rare = [i for i, item in enumerate(items) if item.question_type not in common]
    return QuestionFigures(
        columns.accuracy(range(len(items))),
        columns.by_type([item.answer_type for item in items]),
        question_types,
        columns.accuracy(rare) if rare else None,
        _reliability(answered),
    )


@dataclass(frozen=True)
class _Columns:
    """Scores of every question, 0..1, by who answers."""

    items: Sequence[Item]
    model: Sequence[float]
    shuffled: Sequence[float] | None
    blank: Sequence[float] | None
    per_question: Sequence[float]
    seed: int

    def by_type(self, types: Sequence[str]) -> dict[str, Accuracy]:
        places: dict[str, list[int]] = {}
        for index, kind in enumerate(types):
            places.setdefault(kind, []).append(index)
        ordered = sorted(places.items(), key=lambda pair: (-len(pair[1]), pair[0]))
        return {kind: self.accuracy(chosen) for kind, chosen in ordered}

    def accuracy(self, chosen: Sequence[int]) -> Accuracy:
        """Accuracies of some questions, chosen by their places."""
        items = [self.items[i] for i in chosen]
        images = [item.image for item in items]

        def estimate(scores: Sequence[float]) -> Estimate:
            return bootstrap(scores, images, self.seed).scaled(100)

        common = Counter(item.gold for item in items).most_common(1)[0][0]
        return Accuracy(
            len(items),
            estimate([self.model[i] for i in chosen]),
            estimate([self.shuffled[i] for i in chosen]) if self.shuffled else None,
            estimate([self.blank[i] for i in chosen]) if self.blank else None,
            estimate(_scores(items, [common] * len(items))),
            estimate([self.per_question[i] for i in chosen]),
        )


def _texts(replies: Sequence[Reply]) -> list[str]:
    return [reply.text for reply in replies]


def _scores(items: Sequence[Item], texts: Sequence[str]) -> list[float]:
    return [vqa_accuracy(text, item.golds) for item, text in zip(items, texts, strict=True)]


def _best_per_question(items: Sequence[Item]) -> list[float]:
    """Scores of the answer that does best for all questions with the same text."""
    groups: dict[str, list[int]] = {}
    for index, item in enumerate(items):
        groups.setdefault(normalise(item.question or ""), []).append(index)
    best = [0.0] * len(items)
    for places in groups.values():
        alike = [items[i] for i in places]
        candidates = sorted({gold for item in alike for gold in item.golds})
        scores = max((_scores(alike, [text] * len(alike)) for text in candidates), key=sum)
        for index, score in zip(places, scores, strict=True):
            best[index] = score
    return best


def _reliability(replies: Sequence[Scored]) -> Reliability:
    confidences = [scored.reply.confidence for scored in replies]
    scores = [scored.score for scored in replies]
    bins = calibration_bins(confidences, scores)
    return Reliability(calibration_error(confidences, scores), tuple(bins))
