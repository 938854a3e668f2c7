"""Figures of what a model said of validation pictures, with their controls, and their table."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from finetune.evaluation import metrics
from finetune.evaluation.hallucination import hallucination

Figures = dict[str, float]
ANSWER_TYPES = ("yes/no", "number", "other")


def of_captions(
    texts: Sequence[str], references: Sequence[Sequence[str]], prefix: str = ""
) -> Figures:
    """Scores of captions of the pictures that have references.

    Args:
        texts: One a picture.
        references: People's captions of the same pictures; there may be none of some.
        prefix: Of the figures' names.
    """
    known = [(text, golds) for text, golds in zip(texts, references, strict=True) if golds]
    scores = metrics.score_captions([text for text, _ in known], [golds for _, golds in known])
    return {
        f"{prefix}captions": scores.count,
        f"{prefix}references": sum(len(golds) for _, golds in known),
        f"{prefix}cider": scores.cider,
        f"{prefix}bleu4": scores.bleu4,
        f"{prefix}distinct_captions": scores.distinct,
    }


def of_objects(
    texts: Sequence[str],
    references: Sequence[Sequence[str]],
    listed: Sequence[frozenset[str] | None],
) -> Figures:
    """Objects that captions name: ours, and people's first captions of the same pictures.

    Args:
        texts: One caption a picture.
        references: People's captions of the same pictures; there may be none of some.
        listed: The objects there; None where nobody listed them.
    """
    ours, people = [], []
    for text, golds, there in zip(texts, references, listed, strict=True):
        if there is not None:
            ours.append((text, there))
            people += [(gold, there) for gold in golds[:1]]
    figures: Figures = {}
    for prefix, pairs in (("", ours), ("people_", people)):
        found = hallucination([text for text, _ in pairs], [there for _, there in pairs])
        figures |= {
            f"{prefix}chair_captions": found.captions,
            f"{prefix}chair_mentions": found.mentions,
            f"{prefix}chair_i": found.of_mentions,
            f"{prefix}chair_s": found.of_captions,
            f"{prefix}objects_recall": found.recall,
        }
    return figures


def of_questions(
    questions: Sequence[str],
    golds: Sequence[str],
    said: Sequence[str],
    blind: Sequence[str],
    confidences: Sequence[float],
) -> Figures:
    """Accuracy by answer type, with the right pictures and with shuffled ones.

    Args:
        questions: As they were asked.
        golds: People's majority answers.
        said: Answers about the right pictures.
        blind: Answers about other pictures.
        confidences: Of the answers about the right pictures, 0..1.
    """
    types = [metrics.answer_type(*pair) for pair in zip(questions, golds, strict=True)]
    right = [metrics.exact(text, gold) for text, gold in zip(said, golds, strict=True)]
    figures: Figures = {"questions": len(golds)}
    for name in ("", *ANSWER_TYPES):
        chosen = [i for i, kind in enumerate(types) if name in ("", kind)]
        wanted = [golds[i] for i in chosen]
        seen = metrics.accuracy([said[i] for i in chosen], wanted)
        unseen = metrics.accuracy([blind[i] for i in chosen], wanted)
        key = _key(name)
        figures |= {
            f"{key}_questions": len(chosen),
            key: seen,
            f"{key}_shuffled_pictures": unseen,
            f"{key}_above_shuffled": seen - unseen,
        }
    return figures | {
        "vqa_majority_answer": metrics.majority_accuracy(golds),
        "vqa_best_per_question": metrics.question_accuracy(questions, golds),
        "vqa_calibration_error": metrics.calibration_error(confidences, right),
    }


def of_polar(name: str, golds: Sequence[str], said: Sequence[str]) -> Figures:
    """Accuracies of questions for yes or no.

    Args:
        name: Of the set; the figures' names begin with it.
        golds: "yes" or "no" each.
        said: The answers.
    """
    figures: Figures = {f"{name}_questions": len(golds)}
    for answer in ("yes", "no"):
        chosen = [i for i, gold in enumerate(golds) if metrics.exact(gold, answer)]
        wanted = [golds[i] for i in chosen]
        figures[f"{name}_{answer}"] = metrics.accuracy([said[i] for i in chosen], wanted)
    return figures | {
        name: metrics.accuracy(said, golds),
        f"{name}_balanced": metrics.balanced_accuracy(said, golds),
        f"{name}_majority_answer": metrics.majority_accuracy(golds),
    }


def of_counts(golds: Sequence[str], said: Sequence[str]) -> Figures:
    """Accuracy and error of counts, and what always saying 1 would give.

    Args:
        golds: A number each, in digits.
        said: The answers, in digits or words.
    """
    counts = [int(gold) for gold in golds]
    ones = ["1"] * len(counts)
    return {
        "counts_questions": len(counts),
        "counts": metrics.count_accuracy(said, counts),
        "counts_error": metrics.count_error(said, counts),
        "counts_always_one": metrics.count_accuracy(ones, counts),
        "counts_error_always_one": metrics.count_error(ones, counts),
    }


def table(figures: Figures) -> str:
    """The figures as a Markdown table, with what they were measured on and their controls."""
    lines = ["| figure | on | value | control |", "|---|---|---|---|"]
    for row in rows():
        with contextlib.suppress(KeyError):  # of a set that was not asked
            lines.append(f"| {' | '.join(row)} |".format_map(figures))
    return "\n".join(lines)


def rows() -> _Rows:
    """What the table shows if everything was measured: templates of the figures' names."""
    polar = []
    for title, key in (("presence, POPE", "presence"), ("existence, GVTBench", "existence")):
        for what, *cells in _POLAR:
            about, value, control = (cell.replace("KEY", key) for cell in cells)
            polar.append((title + what, about, value, control))
    return (*_CAPTIONS, *_QUESTIONS, *polar, *_REST)


def _key(answer_type: str) -> str:
    return f"vqa_{answer_type.replace('/', '_')}" if answer_type else "vqa"


# What, on how many, the figure, its controls: templates of the figures' names.
_Rows = tuple[tuple[str, str, str, str], ...]
_CAPTIONS: _Rows = (
    (
        "captions, Flickr8k validation: CIDEr",
        "{captions} photos, {references} references",
        "{cider:.1f}",
        "",
    ),
    ("… BLEU-4, distinct captions", "", "{bleu4:.1f}, {distinct_captions:.0f} %", ""),
    (
        "captions, COCO validation: CIDEr",
        "{coco_captions} photos, {coco_references} references",
        "{coco_cider:.1f}",
        "",
    ),
    ("… BLEU-4, distinct captions", "", "{coco_bleu4:.1f}, {coco_distinct_captions:.0f} %", ""),
    (
        "objects named that are not there (CHAIR), of mentions",
        "{chair_captions} photos, {chair_mentions} mentions",
        "{chair_i:.1f} %",
        "people {people_chair_i:.1f}",
    ),
    ("… captions with such objects", "", "{chair_s:.1f} %", "people {people_chair_s:.1f}"),
    (
        "… objects there that are named",
        "",
        "{objects_recall:.1f} %",
        "people {people_objects_recall:.1f}",
    ),
)
_QUESTIONS: _Rows = (
    *(
        (
            f"questions, COCO val2014: {name or 'all'}",
            f"{{{key}_questions}} questions",
            f"{{{key}:.1f}} %",
            f"shuffled pictures {{{key}_shuffled_pictures:.1f}}: {{{key}_above_shuffled:+.1f}}",
        )
        for name in ("", *ANSWER_TYPES)
        for key in [_key(name)]
    ),
    ("… always the commonest answer", "", "{vqa_majority_answer:.1f} %", ""),
    ("… best answer of each question text", "", "{vqa_best_per_question:.1f} %", ""),
    ("… calibration error", "", "{vqa_calibration_error:.3f}", ""),
)
_POLAR: _Rows = (
    (
        ": mean of yes and no",
        "{KEY_questions} questions, {KEY_pictures} photos",
        "{KEY_balanced:.1f} %",
        "always the same answer 50",
    ),
    (
        ": where yes is right, where no is right",
        "",
        "{KEY_yes:.1f} %, {KEY_no:.1f} %",
        "",
    ),
    (": accuracy", "", "{KEY:.1f} %", "always the commonest answer {KEY_majority_answer:.1f}"),
)
_REST: _Rows = (
    (
        "counts, GVTBench: accuracy",
        "{counts_questions} questions, {counts_pictures} photos",
        "{counts:.1f} %",
        "always 1: {counts_always_one:.1f}",
    ),
    ("… mean absolute error", "", "{counts_error:.2f}", "always 1: {counts_error_always_one:.2f}"),
    ("answers a second", "", "{answers_per_second:.1f}", ""),
    ("captions a second", "", "{captions_per_second:.1f}", ""),
    (
        "guidance scale, and that of polar questions",
        "",
        "{guidance_scale:.2g}, {polar_guidance_scale:.2g}",
        "",
    ),
)
