"""The figures of an evaluation: accuracies with controls, caption scores, calibration."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from finetune.evaluation import metrics
from finetune.evaluation.captions import CaptionFigures, caption_figures, cider_of_each
from finetune.evaluation.dataset import Dataset, Item
from finetune.evaluation.intervals import Estimate, bootstrap
from finetune.evaluation.runner import Replies, Reply
from finetune.evaluation.vqa_accuracy import normalise, vqa_accuracy

BINS = 10
MOST_TYPES = 20  # of questions that are shown one by one


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
        blank: Of the model when shown a grey picture.
        majority: Of always giving the commonest answer to these very questions.
        per_question: Of the best answer for each question text: an upper bound for the blind.
    """

    count: int
    model: Estimate
    shuffled: Estimate | None
    blank: Estimate
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
    texts = _texts(replies.captions)
    ciders = cider_of_each(dataset.captions, texts) if texts else []
    rare = len(ciders) > 1  # of one picture every word is as common as can be
    told = [
        Scored(item, reply, metrics.grounded_share(reply.text, item.golds), cider if rare else None)
        for item, reply, cider in zip(dataset.captions, replies.captions, ciders, strict=True)
    ]
    said = [
        Scored(item, reply, vqa_accuracy(reply.text, item.golds))
        for item, reply in zip(dataset.questions, replies.questions, strict=True)
    ]
    captions = None
    if told:
        scores = clip_score(dataset.captions, texts) if clip_score else None
        captions = caption_figures(dataset.captions, texts, ciders, seed, scores)
    questions = _question_figures(said, replies, seed) if said else None
    return Figures(captions, questions, _reliability(told) if told else None), told + said


def _question_figures(said: Sequence[Scored], replies: Replies, seed: int) -> QuestionFigures:
    items = [scored.item for scored in said]
    columns = _Columns(
        items,
        [scored.score for scored in said],
        None if replies.shuffled is None else _scores(items, _texts(replies.shuffled)),
        _scores(items, _texts(replies.blank)),
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
        _reliability(said),
    )


@dataclass(frozen=True)
class _Columns:
    """Scores of every question, 0..1, by who answers."""

    items: Sequence[Item]
    model: Sequence[float]
    shuffled: Sequence[float] | None
    blank: Sequence[float]
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
            return bootstrap(scores, images, self.seed).times(100)

        common = Counter(_common(item.golds) for item in items).most_common(1)[0][0]
        return Accuracy(
            len(items),
            estimate([self.model[i] for i in chosen]),
            estimate([self.shuffled[i] for i in chosen]) if self.shuffled else None,
            estimate([self.blank[i] for i in chosen]),
            estimate(_scores(items, [common] * len(items))),
            estimate([self.per_question[i] for i in chosen]),
        )


def _texts(replies: Sequence[Reply]) -> list[str]:
    return [reply.text for reply in replies]


def _common(golds: Sequence[str]) -> str:
    """The answer that most people gave, as one of them wrote it."""
    return Counter(golds).most_common(1)[0][0]


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
    bins = []
    for number in range(BINS):
        inside = [i for i, c in enumerate(confidences) if min(int(c * BINS), BINS - 1) == number]
        if inside:
            sure = sum(confidences[i] for i in inside) / len(inside)
            right = sum(scores[i] for i in inside) / len(inside)
            bins.append(Bin(number / BINS, (number + 1) / BINS, len(inside), sure, right))
    return Reliability(metrics.calibration_error(confidences, scores, BINS), tuple(bins))
