"""Measure a profile as its users get it: through `glimpse batch`, on pictures never trained on.

    python -m finetune.measure --data FOLDER [--profile starter] [--json FILE]

Prints captions (CIDEr, BLEU-4, distinct), answers with their controls, and presence questions.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data.records import read_rows
from finetune import metrics
from model.profile import load_profile


@dataclass(frozen=True)
class Asked:
    """A question (None: a caption) about a picture, with what people answered."""

    image: Path
    question: str | None
    golds: tuple[str, ...]


@dataclass(frozen=True)
class Answered:
    """Texts and confidences of a batch, and how fast it was."""

    texts: list[str]
    confidences: list[float]
    per_second: float


def main() -> None:
    """Run the measurement that the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="the data folder")
    parser.add_argument("--profile", default="starter")
    parser.add_argument("--limit", type=int, default=0, help="only the first N of each set")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    options = parser.parse_args()
    figures = measure(options.data, options.profile, options.limit or None)
    print(table(figures))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def measure(root: Path, profile: str, limit: int | None = None) -> dict[str, float]:
    """All figures by name; accuracies and CIDEr in 0..100."""
    captions = flickr_captions(root)[:limit]
    answers = vqa_questions(root)[:limit]
    presence = presence_questions(root)[:limit]
    told = ask(captions, profile)
    scores = metrics.score_captions(told.texts, [asked.golds for asked in captions])
    said = ask(answers, profile)
    swap = metrics.derange([str(asked.image) for asked in answers])
    blind = ask([Asked(Path(swap[str(a.image)]), a.question, a.golds) for a in answers], profile)
    seen = ask(presence, profile)
    golds, questions = [a.golds[0] for a in answers], [str(a.question) for a in answers]
    right = [metrics.exact(text, gold) for text, gold in zip(said.texts, golds, strict=True)]
    there = [a.golds[0] for a in presence]
    return {
        "captions": scores.count,
        "cider": scores.cider,
        "bleu4": scores.bleu4,
        "distinct_captions": scores.distinct,
        "captions_per_second": told.per_second,
        "questions": len(answers),
        "vqa": metrics.accuracy(said.texts, golds),
        "vqa_shuffled_pictures": metrics.accuracy(blind.texts, golds),
        "vqa_majority_answer": metrics.majority_accuracy(golds),
        "vqa_best_per_question": metrics.question_accuracy(questions, golds),
        "vqa_calibration_error": metrics.calibration_error(said.confidences, right),
        "answers_per_second": said.per_second,
        "presence_questions": len(presence),
        "presence": metrics.accuracy(seen.texts, there),
        "presence_balanced": _balanced(seen.texts, there),
        "presence_majority_answer": metrics.majority_accuracy(there),
        "guidance_scale": load_profile(profile).decoding.guidance_scale,
        "polar_guidance_scale": load_profile(profile).decoding.polar_guidance_scale,
    }


def flickr_captions(root: Path) -> list[Asked]:
    """Flickr8k's Karpathy validation pictures."""
    rows = read_rows(root / "flickr8k/captions.jsonl", {"split": "val"})
    return [Asked(root / "flickr8k/images" / r["image"], None, tuple(r["captions"])) for r in rows]


def vqa_questions(root: Path) -> list[Asked]:
    """VQA questions about COCO val2014 pictures, with the majority answer."""
    rows = read_rows(root / "coco/vqa.jsonl", {"coco_split": "val2014"})
    return [Asked(root / "coco/images" / r["image"], r["question"], (r["answer"],)) for r in rows]


def presence_questions(root: Path) -> list[Asked]:
    """POPE's questions (Li et al. 2023, arXiv 2305.10355): is there a … in the image?"""
    rows = read_rows(root / "coco/pope_yesno.jsonl")
    return [Asked(root / "coco/images" / r["image"], r["question"], (r["answer"],)) for r in rows]


def ask(asked: Sequence[Asked], profile: str) -> Answered:
    """Put all questions to `glimpse batch`; a failed one counts as an empty answer."""
    requests = "".join(
        json.dumps({"id": i, "image": str(a.image), "question": a.question}) + "\n"
        for i, a in enumerate(asked)
    )
    start = time.monotonic()
    command = [sys.executable, "-m", "bot.cli", "batch", "--profile", profile]
    done = subprocess.run(command, input=requests, stdout=subprocess.PIPE, text=True, check=False)
    rows: list[dict[str, Any]] = [json.loads(line) for line in done.stdout.splitlines()]
    seconds = time.monotonic() - start
    return Answered(
        [row.get("answer", "") for row in rows],
        [row.get("confidence", 0.0) for row in rows],
        len(rows) / seconds,
    )


def table(figures: dict[str, float]) -> str:
    """The figures as a Markdown table."""
    lines = ["| figure | value |", "|---|---|"]
    lines += [f"| {name.replace('_', ' ')} | {value:.4g} |" for name, value in figures.items()]
    return "\n".join(lines)


def _balanced(texts: Sequence[str], golds: Sequence[str]) -> float:
    """Mean of the accuracies on yes and on no, 0..100: 50 for whoever always says the same."""
    parts = []
    for answer in sorted(set(golds)):
        chosen = [i for i, gold in enumerate(golds) if gold == answer]
        parts.append(metrics.accuracy([texts[i] for i in chosen], [golds[i] for i in chosen]))
    return sum(parts) / len(parts)


if __name__ == "__main__":
    main()
