"""The figures that the starter's card states, on pictures never trained on, with their controls.

    python -m finetune.research.starter_figures --data FOLDER [--profile starter]
        [--limit N] [--only SET ...] [--json FILE] [--answers FILE] [--calibrate]

Captions (CIDEr, BLEU-4, distinct, objects that are not there), questions beside shuffled pictures,
presence, existence and counts. Answers are scored as `glimpse eval` scores them: by official VQA
accuracy, which where people's most common answer alone is known asks for that one.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from data.datasets.records import read_rows
from finetune.evaluation.calibration import check_adapter, recalibrate
from finetune.evaluation.dataset import Item, derange, read_dataset
from finetune.evaluation.hallucination import hallucination
from finetune.evaluation.metrics import CaptionScorer, count_accuracy, count_error
from finetune.evaluation.runner import Reply, ask_profile
from finetune.evaluation.summary import (
    Scored,
    question_figures,
    score_answers,
    score_captions,
)
from finetune.evaluation.vqa_accuracy import mean_accuracy, normalise
from finetune.research.sanity import one_sentence
from model.config import load_profile

SETS = ("flickr8k", "coco", "vqa", "presence", "existence", "counts")
ANSWER_TYPES = ("yes/no", "number", "other")
Figures = dict[str, float]
_CAPTIONED = ("flickr8k", "coco")


def main() -> int:
    """Measure what the command line asks for; returns the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="the data folder")
    parser.add_argument("--profile", default="starter")
    parser.add_argument("--limit", type=int, default=0, help="only the first N of each set")
    parser.add_argument("--only", nargs="+", choices=SETS, default=SETS, help="only these sets")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--answers", type=Path, help="write every answer to this file, JSON lines")
    parser.add_argument(
        "--calibrate", action="store_true",
        help="then fit the adapter's confidence to flickr8k and vqa, and keep that in its card",
    )  # fmt: skip
    options = parser.parse_args()
    profile = load_profile(options.profile)
    if options.calibrate:
        check_adapter(profile)
    sets = read_sets(options.data, options.limit or None, options.only)
    replies, rates = ask_sets(sets, options.profile)
    if options.answers:
        options.answers.write_text(answer_lines(sets, replies), encoding="utf-8")
    figures = score(sets, replies, objects_there(options.data)) | rates
    figures["guidance_scale"] = profile.decoding.guidance_scale
    figures["polar_guidance_scale"] = profile.decoding.polar_guidance_scale
    print(table(figures))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    if options.calibrate:
        for kind, change in recalibrate(profile, calibration_replies(sets, replies)).items():
            print(f"{kind}s: calibration error {change.before:.3f} before, {change.after:.3f} now")
    return 0


# --- what is asked ------------------------------------------------------------------------------


def read_sets(
    root: Path, limit: int | None = None, only: Sequence[str] = SETS
) -> dict[str, list[Item]]:
    """Everything that is asked, by the name of the set; "vqa shuffled" goes with "vqa".

    Args:
        root: The data folder.
        limit: Only so many of each set, the first ones.
        only: The sets that are wanted.

    Raises:
        DataError: A file or a picture is missing or damaged.
    """
    read: dict[str, Callable[[Path], list[Item]]] = {
        "flickr8k": flickr_captions,
        "coco": coco_captions,
        "vqa": vqa_questions,
        "presence": presence_questions,
        "existence": partial(gvt_questions, source="gvt_coco_mci"),
        "counts": partial(gvt_questions, source="gvt_coco_oc"),
    }
    sets = {name: read[name](root)[:limit] for name in SETS if name in only}
    if items := sets.get("vqa"):
        other = derange([str(item.image) for item in items])
        sets["vqa shuffled"] = [replace(it, image=Path(other[str(it.image)])) for it in items]
    return sets


def flickr_captions(root: Path) -> list[Item]:
    """Flickr8k's Karpathy validation pictures."""
    folder = root / "flickr8k"
    return [*read_dataset(folder / "captions.jsonl", folder / "images", "val").captions]


def coco_captions(root: Path) -> list[Item]:
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
    return [Item(root / "coco/images" / n, None, tuple(known.get(n, ()))) for n in names]


def objects_there(root: Path) -> dict[str, frozenset[str]]:
    """Classes of COCO in the validation pictures, as people listed them in full, by name."""
    rows = read_rows(root / "coco/objects.jsonl", {"split": "val"})
    return {row["image"]: frozenset(row["objects"]) for row in rows}


def vqa_questions(root: Path) -> list[Item]:
    """VQA questions about COCO val2014 pictures; ten answers are known of few of them."""
    return _coco_questions(root, "vqa.jsonl", {"coco_split": "val2014"})


def presence_questions(root: Path) -> list[Item]:
    """POPE's questions (Li et al. 2023, arXiv 2305.10355): is there a … in the image?"""
    return _coco_questions(root, "pope_yesno.jsonl", {})


def gvt_questions(root: Path, source: str) -> list[Item]:
    """GVTBench's questions (Wang et al. 2023, arXiv 2305.12223) about COCO's objects.

    Args:
        root: The data folder.
        source: "gvt_coco_mci" (does … exist?) or "gvt_coco_oc" (how many …?).
    """
    return _coco_questions(root, "gvt_coco_objects.jsonl", {"source": source})


def _coco_questions(root: Path, file: str, where: Mapping[str, str]) -> list[Item]:
    dataset = read_dataset(root / "coco" / file, root / "coco/images", where=where)
    return [*dataset.questions]


# --- what is answered ---------------------------------------------------------------------------


def ask_sets(
    sets: Mapping[str, Sequence[Item]], profile: str
) -> tuple[dict[str, list[Reply]], Figures]:
    """The replies to every set, and how many captions and answers the engine gave in a second."""
    replies: dict[str, list[Reply]] = {}
    rates: Figures = {}
    for captions in (True, False):
        names = [name for name in sets if (name in _CAPTIONED) == captions]
        items = [item for name in names for item in sets[name]]
        if not items:
            continue
        times: list[float] = []
        found = ask_profile(profile, items, lambda *_, times=times: times.append(time.monotonic()))
        if len(times) > 1:  # the first one waited for the engine
            rate = (len(times) - 1) / (times[-1] - times[0])
            rates["captions_per_second" if captions else "answers_per_second"] = rate
        for name in names:
            replies[name], found = found[: len(sets[name])], found[len(sets[name]) :]
    return replies, rates


def answer_lines(sets: Mapping[str, Sequence[Item]], replies: Mapping[str, Sequence[Reply]]) -> str:
    """Every answer as a JSON line, to look at what goes wrong."""
    lines = []
    for name, items in sets.items():
        for item, reply in zip(items, replies[name], strict=True):
            about = {"set": name, "image": item.image.name, "question": item.question}
            said = {"golds": item.golds, "answer": reply.text, "confidence": reply.confidence}
            lines.append(json.dumps(about | said) + "\n")
    return "".join(lines)


def calibration_replies(
    sets: Mapping[str, Sequence[Item]], replies: Mapping[str, Sequence[Reply]]
) -> list[Scored]:
    """What the adapter's confidence is fitted to: Flickr8k's captions, and answers to VQA."""
    return [
        *score_captions(sets.get("flickr8k", ()), replies.get("flickr8k", ())),
        *score_answers(sets.get("vqa", ()), replies.get("vqa", ())),
    ]


# --- figures ------------------------------------------------------------------------------------


def score(
    sets: Mapping[str, Sequence[Item]],
    replies: Mapping[str, Sequence[Reply]],
    objects: Mapping[str, frozenset[str]],
) -> Figures:
    """All figures by name; shares, accuracies and CIDEr in 0..100.

    Args:
        sets: What was asked, as `read_sets` gives it.
        replies: What was answered, by the same names.
        objects: As `objects_there` gives them.
    """
    texts = {name: [reply.text for reply in said] for name, said in replies.items()}
    found: Figures = {}
    if "flickr8k" in sets:
        found |= caption_scores(sets["flickr8k"], texts["flickr8k"])
    if "coco" in sets:
        found |= caption_scores(sets["coco"], texts["coco"], "coco_")
        found |= object_scores(sets["coco"], texts["coco"], objects)
    if "vqa" in sets:
        found |= vqa_scores(score_answers(sets["vqa"], replies["vqa"]), replies["vqa shuffled"])
    for name in ("presence", "existence"):
        if name in sets:
            found |= polar_scores(name, sets[name], texts[name])
    if "counts" in sets:
        found |= count_scores(sets["counts"], texts["counts"])
    pictures = {name: len({item.image for item in items}) for name, items in sets.items()}
    return found | {
        f"{name}_pictures": count for name, count in pictures.items() if name != "vqa shuffled"
    }


def caption_scores(items: Sequence[Item], texts: Sequence[str], prefix: str = "") -> Figures:
    """Scores of captions of the pictures that have references; names begin with the prefix."""
    known = [(text, item.golds) for text, item in zip(texts, items, strict=True) if item.golds]
    scorer = CaptionScorer([text for text, _ in known], [golds for _, golds in known])
    return {
        f"{prefix}captions": len(known),
        f"{prefix}references": sum(len(golds) for _, golds in known),
        f"{prefix}cider": sum(scorer.cider()) / len(known),
        f"{prefix}bleu4": scorer.bleu4(),
        f"{prefix}distinct_captions": scorer.distinct(),
    }


def object_scores(
    items: Sequence[Item], texts: Sequence[str], objects: Mapping[str, frozenset[str]]
) -> Figures:
    """Objects that captions name: ours, and people's first captions of the same pictures."""
    ours, people = [], []
    for item, text in zip(items, texts, strict=True):
        if (there := objects.get(item.image.name)) is not None:
            ours.append((text, there))
            people += [(gold, there) for gold in item.golds[:1]]
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


def vqa_scores(answered: Sequence[Scored], shuffled: Sequence[Reply]) -> Figures:
    """Accuracy by answer type, with the right pictures and with shuffled ones."""
    found = question_figures(answered, shuffled, None)
    figures: Figures = {
        "questions": len(answered),
        "vqa_majority_answer": found.overall.majority.value,
        "vqa_best_per_question": found.overall.per_question.value,
        "vqa_calibration_error": found.reliability.error,
    }
    for name in ("", *ANSWER_TYPES):
        key = _key(name)
        accuracy = found.answer_types.get(name) if name else found.overall
        seen = accuracy.model.value if accuracy else 0.0
        unseen = accuracy.shuffled.value if accuracy and accuracy.shuffled else 0.0
        figures |= {
            f"{key}_questions": accuracy.count if accuracy else 0,
            key: seen,
            f"{key}_shuffled_pictures": unseen,
            f"{key}_above_shuffled": seen - unseen,
        }
    return figures


def polar_scores(name: str, items: Sequence[Item], texts: Sequence[str]) -> Figures:
    """Accuracies of questions for yes or no; names begin with that of the set.

    The balanced one, the mean of both, is 50 for whoever always says the same.
    """
    said: dict[str, list[str]] = {"yes": [], "no": []}
    for item, text in zip(items, texts, strict=True):
        said[normalise(item.gold)].append(text)
    figures: Figures = {
        f"{name}_{gold}": mean_accuracy(answers, [(gold,)] * len(answers))
        for gold, answers in said.items()
    }
    asked = [figures[f"{name}_{gold}"] for gold, answers in said.items() if answers]
    return figures | {
        f"{name}_questions": len(items),
        name: mean_accuracy(texts, [item.golds for item in items]),
        f"{name}_balanced": sum(asked) / max(1, len(asked)),
        f"{name}_majority_answer": 100 * max(map(len, said.values())) / len(items),
    }


def count_scores(items: Sequence[Item], texts: Sequence[str]) -> Figures:
    """Accuracy and error of counts, and what always saying 1 would give."""
    counts = [int(item.gold) for item in items]
    ones = ["1"] * len(counts)
    return {
        "counts_questions": len(counts),
        "counts": count_accuracy(texts, counts),
        "counts_error": count_error(texts, counts),
        "counts_always_one": count_accuracy(ones, counts),
        "counts_error_always_one": count_error(ones, counts),
    }


# --- the table ----------------------------------------------------------------------------------


def table(figures: Figures) -> str:
    """The figures as a Markdown table, with what they were measured on and their controls."""
    lines = ["| figure | on | value | control |", "|---|---|---|---|"]
    for row in rows():
        with contextlib.suppress(KeyError):  # of a set that was not asked
            lines.append(f"| {' | '.join(row)} |".format_map(figures))
    return "\n".join(lines)


Row = tuple[str, str, str, str]  # what, on how many, the figure, its controls: templates


def rows() -> list[Row]:
    """What the table shows if everything was measured: templates of the figures' names."""
    found: list[Row] = [
        ("captions, Flickr8k validation: CIDEr", "{captions} photos, {references} references",
         "{cider:.1f}", ""),
        ("… BLEU-4, distinct captions", "", "{bleu4:.1f}, {distinct_captions:.0f} %", ""),
        ("captions, COCO validation: CIDEr", "{coco_captions} photos, {coco_references} references",
         "{coco_cider:.1f}", ""),
        ("… BLEU-4, distinct captions", "", "{coco_bleu4:.1f}, {coco_distinct_captions:.0f} %", ""),
        ("objects named that are not there (CHAIR), of mentions",
         "{chair_captions} photos, {chair_mentions} mentions", "{chair_i:.1f} %",
         "people {people_chair_i:.1f}"),
        ("… captions with such objects", "", "{chair_s:.1f} %", "people {people_chair_s:.1f}"),
        ("… objects there that are named", "", "{objects_recall:.1f} %",
         "people {people_objects_recall:.1f}"),
    ]  # fmt: skip
    for name in ("", *ANSWER_TYPES):
        key = _key(name)
        found.append((
            f"questions, COCO val2014: {name or 'all'}", f"{{{key}_questions}} questions",
            f"{{{key}:.1f}} %",
            f"shuffled pictures {{{key}_shuffled_pictures:.1f}}: {{{key}_above_shuffled:+.1f}}",
        ))  # fmt: skip
    found += [
        ("… always the commonest answer", "", "{vqa_majority_answer:.1f} %", ""),
        ("… best answer of each question text", "", "{vqa_best_per_question:.1f} %", ""),
        ("… calibration error", "", "{vqa_calibration_error:.3f}", ""),
    ]
    for title, key in (("presence, POPE", "presence"), ("existence, GVTBench", "existence")):
        found += [
            (f"{title}: mean of yes and no", f"{{{key}_questions}} questions, {{{key}_pictures}} "
             "photos", f"{{{key}_balanced:.1f}} %", "always the same answer 50"),
            (f"{title}: where yes is right, where no is right", "",
             f"{{{key}_yes:.1f}} %, {{{key}_no:.1f}} %", ""),
            (f"{title}: accuracy", "", f"{{{key}:.1f}} %",
             f"always the commonest answer {{{key}_majority_answer:.1f}}"),
        ]  # fmt: skip
    return [
        *found,
        ("counts, GVTBench: accuracy", "{counts_questions} questions, {counts_pictures} photos",
         "{counts:.1f} %", "always 1: {counts_always_one:.1f}"),
        ("… mean absolute error", "", "{counts_error:.2f}",
         "always 1: {counts_error_always_one:.2f}"),
        ("answers a second", "", "{answers_per_second:.1f}", ""),
        ("captions a second", "", "{captions_per_second:.1f}", ""),
        ("guidance scale, and that of polar questions", "",
         "{guidance_scale:.2g}, {polar_guidance_scale:.2g}", ""),
    ]  # fmt: skip


def _key(answer_type: str) -> str:
    return f"vqa_{answer_type.replace('/', '_')}" if answer_type else "vqa"


if __name__ == "__main__":
    sys.exit(one_sentence(main))
