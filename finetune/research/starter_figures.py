"""Measure a profile as its users get it: through `glimpse batch`, on pictures never trained on.

    python -m finetune.research.starter_figures --data FOLDER [--profile starter]
        [--limit N] [--only SET ...] [--json FILE] [--answers FILE]

Prints captions (CIDEr, BLEU-4, distinct, objects that are not there), answers with their controls,
presence, existence and counts.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from data.datasets.records import read_rows
from finetune.evaluation import figures, metrics
from finetune.evaluation.figures import Figures
from model.config import load_profile

SETS = ("flickr8k", "coco", "vqa", "presence", "existence", "counts")
_CAPTIONED = ("flickr8k", "coco")


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
    parser.add_argument("--only", nargs="+", choices=SETS, default=SETS, help="only these sets")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--answers", type=Path, help="write every answer to this file, JSON lines")
    options = parser.parse_args()
    sets = read_sets(options.data, options.limit or None, options.only)
    answered = ask_all(sets, options.profile)
    if options.answers:
        options.answers.write_text(answer_lines(sets, answered), encoding="utf-8")
    measured = score(sets, answered, objects_there(options.data))
    decoding = load_profile(options.profile).decoding
    measured["guidance_scale"] = decoding.guidance_scale
    measured["polar_guidance_scale"] = decoding.polar_guidance_scale
    print(figures.table(measured))
    if options.json:
        options.json.write_text(json.dumps(measured, indent=2) + "\n", encoding="utf-8")


def read_sets(
    root: Path, limit: int | None = None, only: Sequence[str] = SETS
) -> dict[str, list[Asked]]:
    """Everything that is asked, by the name of the set; "vqa shuffled" goes with "vqa".

    Args:
        root: The data folder.
        limit: Only so many of each set, the first ones.
        only: The sets that are wanted.

    Raises:
        DataError: A file is missing or damaged.
    """
    read: dict[str, Callable[[Path], list[Asked]]] = {
        "flickr8k": flickr_captions,
        "coco": coco_captions,
        "vqa": vqa_questions,
        "presence": presence_questions,
        "existence": partial(gvt_questions, source="gvt_coco_mci"),
        "counts": partial(gvt_questions, source="gvt_coco_oc"),
    }
    sets = {name: read[name](root)[:limit] for name in SETS if name in only}
    if asked := sets.get("vqa"):
        other = metrics.derange([str(one.image) for one in asked])
        sets["vqa shuffled"] = [replace(one, image=Path(other[str(one.image)])) for one in asked]
    return sets


def flickr_captions(root: Path) -> list[Asked]:
    """Flickr8k's Karpathy validation pictures."""
    rows = read_rows(root / "flickr8k/captions.jsonl", {"split": "val"})
    return [Asked(root / "flickr8k/images" / r["image"], None, tuple(r["captions"])) for r in rows]


def coco_captions(root: Path) -> list[Asked]:
    """COCO's validation pictures that have captions, or whose objects people listed.

    All captions that are known of a picture are its references; some pictures have none.
    """
    known: dict[str, list[str]] = {
        row["image"]: list(row["captions"]) for row in read_rows(root / "coco/captions.jsonl")
    }
    for file in ("captions_more.jsonl", "derived_captions.jsonl"):
        for row in read_rows(root / "coco" / file, {"split": "val"}):
            if row["image"] in known:
                known[row["image"]] += row["captions"]
    names = sorted({*known, *objects_there(root)})
    return [Asked(root / "coco/images" / n, None, tuple(known.get(n, ()))) for n in names]


def objects_there(root: Path) -> dict[str, frozenset[str]]:
    """Classes of COCO in the validation pictures, as people listed them in full, by name."""
    rows = read_rows(root / "coco/objects.jsonl", {"split": "val"})
    return {row["image"]: frozenset(row["objects"]) for row in rows}


def vqa_questions(root: Path) -> list[Asked]:
    """VQA questions about COCO val2014 pictures, with the majority answer."""
    return _questions(root, "vqa.jsonl", {"coco_split": "val2014"})


def presence_questions(root: Path) -> list[Asked]:
    """POPE's questions (Li et al. 2023, arXiv 2305.10355): is there a … in the image?"""
    return _questions(root, "pope_yesno.jsonl", {})


def gvt_questions(root: Path, source: str) -> list[Asked]:
    """GVTBench's questions (Wang et al. 2023, arXiv 2305.12223) about COCO's objects.

    Args:
        root: The data folder.
        source: "gvt_coco_mci" (does … exist?) or "gvt_coco_oc" (how many …?).
    """
    return _questions(root, "gvt_coco_objects.jsonl", {"source": source})


def _questions(root: Path, file: str, where: Mapping[str, str]) -> list[Asked]:
    rows = read_rows(root / "coco" / file, where)
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


def ask_all(sets: Mapping[str, Sequence[Asked]], profile: str) -> dict[str, Answered]:
    """Put every set to `glimpse batch`: one process for all captions, one for all questions."""
    answered: dict[str, Answered] = {}
    for captions in (True, False):
        names = [name for name in sets if (name in _CAPTIONED) == captions]
        if not names:
            continue
        told = ask([asked for name in names for asked in sets[name]], profile)
        end = 0
        for name in names:
            start, end = end, end + len(sets[name])
            part = told.texts[start:end], told.confidences[start:end]
            answered[name] = Answered(*part, told.per_second)
    return answered


def answer_lines(sets: Mapping[str, Sequence[Asked]], answered: Mapping[str, Answered]) -> str:
    """Every answer as a JSON line, to look at what goes wrong."""
    lines = []
    for name, asked in sets.items():
        told = answered[name]
        for one, text, sure in zip(asked, told.texts, told.confidences, strict=True):
            about = {"set": name, "image": one.image.name, "question": one.question}
            row = {**about, "golds": one.golds, "answer": text, "confidence": sure}
            lines.append(json.dumps(row) + "\n")
    return "".join(lines)


def score(
    sets: Mapping[str, Sequence[Asked]],
    answered: Mapping[str, Answered],
    objects: Mapping[str, frozenset[str]],
) -> Figures:
    """All figures by name; shares, accuracies and CIDEr in 0..100.

    Args:
        sets: What was asked, as `read_sets` gives it.
        answered: What was answered, by the same names.
        objects: As `objects_there` gives them.
    """
    texts = {name: told.texts for name, told in answered.items()}
    golds = {name: [a.golds for a in asked] for name, asked in sets.items()}
    first = {name: [a.golds[0] for a in sets[name]] for name in sets if name not in _CAPTIONED}
    found: Figures = {}
    if "flickr8k" in sets:
        found |= figures.of_captions(texts["flickr8k"], golds["flickr8k"])
    if "coco" in sets:
        listed = [objects.get(asked.image.name) for asked in sets["coco"]]
        found |= figures.of_captions(texts["coco"], golds["coco"], "coco_")
        found |= figures.of_objects(texts["coco"], golds["coco"], listed)
    if "vqa" in sets:
        questions = [str(asked.question) for asked in sets["vqa"]]
        answers = first["vqa"], texts["vqa"], texts["vqa shuffled"]
        found |= figures.of_questions(questions, *answers, answered["vqa"].confidences)
    for name in ("presence", "existence"):
        if name in sets:
            found |= figures.of_polar(name, first[name], texts[name])
    if "counts" in sets:
        found |= figures.of_counts(first["counts"], texts["counts"])
    for name, asked in sets.items():
        if name == "vqa shuffled":  # the same pictures; the key is that of its accuracy
            continue
        found[f"{name.replace(' ', '_')}_pictures"] = len({one.image for one in asked})
        rate = "captions_per_second" if name in _CAPTIONED else "answers_per_second"
        found[rate] = answered[name].per_second
    return found


if __name__ == "__main__":
    main()
