"""The figures that a model card states: captions, answers, controls and calibration."""

from __future__ import annotations

import contextlib
import io
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from finetune.vqa_words import DIGITS

_WORD = re.compile(r"[a-z0-9]+(?:'[a-z]+)?")
EMPTY_WORDS = frozenset(
    [
        "a",
        "an",
        "the",
        "and",
        "or",
        "of",
        "in",
        "on",
        "at",
        "to",
        "with",
        "by",
        "is",
        "are",
        "was",
        "were",
        "be",
        "being",
        "his",
        "her",
        "its",
        "their",
        "it",
        "they",
        "he",
        "she",
        "this",
        "that",
        "there",
        "as",
        "for",
        "from",
        "up",
        "out",
        "into",
        "over",
        "while",
        "another",
        "other",
        "one",
        "two",
    ]
)


@dataclass(frozen=True)
class CaptionScores:
    """Captions against several human ones.

    Attributes:
        cider: CIDEr (Vedantam et al. 2015, arXiv 1411.5726) times 100, by pycocoevalcap, on
            lower-case regex tokens.
        bleu4: BLEU-4 times 100, by pycocoevalcap, on the same tokens.
        distinct: Share of captions that no other picture got, counted as distinct texts, 0..100.
        count: Number of pictures.
    """

    cider: float
    bleu4: float
    distinct: float
    count: int


def words(text: str) -> list[str]:
    """Lower-case tokens of a text, without punctuation."""
    return _WORD.findall(text.lower())


def score_captions(captions: Sequence[str], references: Sequence[Sequence[str]]) -> CaptionScores:
    """Score one caption for each picture against its references."""
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider

    made = {i: [" ".join(words(caption))] for i, caption in enumerate(captions)}
    gold = {i: [" ".join(words(text)) for text in texts] for i, texts in enumerate(references)}
    with contextlib.redirect_stdout(io.StringIO()):  # Bleu prints its lengths
        bleu = Bleu(4).compute_score(gold, made)[0][3]
    cider = Cider().compute_score(gold, made)[0]
    distinct = len({texts[0] for texts in made.values()}) / len(made)
    return CaptionScores(100 * float(cider), 100 * float(bleu), 100 * distinct, len(made))


def grounded_share(caption: str, references: Sequence[str]) -> float:
    """Share of a caption's content words that people also used of this picture, 0..1."""
    known = {word for text in references for word in words(text)}
    content = [word for word in words(caption) if word not in EMPTY_WORDS]
    return sum(word in known for word in content) / max(1, len(content))


def exact(answer: str, gold: str) -> bool:
    """Whether an answer is the gold one but for case, punctuation and articles."""
    return _plain(answer) == _plain(gold)


def accuracy(answers: Sequence[str], golds: Sequence[str]) -> float:
    """Share of exact answers, 0..100."""
    return 100 * sum(map(exact, answers, golds)) / max(1, len(golds))


def balanced_accuracy(answers: Sequence[str], golds: Sequence[str]) -> float:
    """Mean over the gold answers' kinds of the accuracy on each, 0..100.

    Of yes and no it is 50 for whoever always says the same, however many of each there are.
    """
    kinds = sorted({" ".join(_plain(gold)) for gold in golds})
    parts = []
    for kind in kinds:
        chosen = [i for i, gold in enumerate(golds) if exact(gold, kind)]
        parts.append(accuracy([answers[i] for i in chosen], [golds[i] for i in chosen]))
    return sum(parts) / max(1, len(parts))


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


def answer_type(question: str, gold: str) -> str:
    """What VQA calls an answer's type, where the data do not say: yes/no, number or other."""
    answer = _plain(gold)
    if answer in (["yes"], ["no"]):
        return "yes/no"
    one = len(answer) == 1 and answer != ["none"] and number_in(gold) is not None
    return "number" if one or words(question)[:2] == ["how", "many"] else "other"


def majority_accuracy(golds: Sequence[str]) -> float:
    """What always giving the most common answer scores, 0..100."""
    return 100 * Counter(golds).most_common(1)[0][1] / len(golds)


def question_accuracy(questions: Sequence[str], golds: Sequence[str]) -> float:
    """What the best answer for each question text scores, 0..100: an upper bound for blind ones."""
    by_text: dict[str, Counter[str]] = {}
    for question, gold in zip(questions, golds, strict=True):
        by_text.setdefault(question.lower(), Counter())[gold] += 1
    hits = sum(counts.most_common(1)[0][1] for counts in by_text.values())
    return 100 * hits / len(golds)


def calibration_error(
    confidences: Sequence[float], correct: Sequence[float], bins: int = 10
) -> float:
    """Expected calibration error (Guo et al. 2017, arXiv 1706.04599) over equal bins, 0..1."""
    total = 0.0
    for number in range(bins):
        low, high = number / bins, (number + 1) / bins
        inside = [
            i for i, c in enumerate(confidences) if low <= c < high or (c == 1.0 and high == 1.0)
        ]
        if inside:
            sure = sum(confidences[i] for i in inside) / len(inside)
            right = sum(correct[i] for i in inside) / len(inside)
            total += abs(sure - right) * len(inside)
    return total / max(1, len(confidences))


def derange(names: Sequence[str]) -> Mapping[str, str]:
    """Another picture for each picture, the same at every run: the shuffled-pictures control."""
    ordered = sorted(set(names))
    step = max(1, len(ordered) // 2 - 1)
    return {name: ordered[(i + step) % len(ordered)] for i, name in enumerate(ordered)}


def _plain(text: str) -> list[str]:
    return [word for word in words(text) if word not in ("a", "an", "the")]
