"""Figures of what a model said of photos when several witnesses told it of their objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch

from data.objects import COCO_CLASSES
from finetune import metrics
from finetune.cider import CiderD
from finetune.figures import ANSWER_TYPES, Figures
from finetune.hallucination import hallucination, mentioned
from finetune.measure import Asked
from finetune.witnesses import WITNESSES, Photo
from model.objects import ObjectFacts


def score(  # noqa: PLR0917
    photos: Sequence[Photo],
    sets: Mapping[str, Sequence[Asked]],
    said: Mapping[str, Sequence[str]],
    facts: ObjectFacts | None,
    names: Sequence[str],
    words: Sequence[frozenset[str]],
) -> Figures:
    """Figures of one witness by name, shares and accuracies in 0..100.

    Args:
        photos: What was described.
        sets: What was asked.
        said: As `describe` gives it.
        facts: What the tags said.
        names: Of the classes.
        words: The classes that the word tags named, for each photo.
    """
    captions, present = said["captions"], [photo.present for photo in photos]
    pairs = [(text, it.captions) for text, it in zip(captions, photos, strict=True) if it.captions]
    seen = hallucination(captions, present)
    tagged = _tagged(facts, names, len(photos))
    found: Figures = {
        "photos": len(photos),
        "captions": len(pairs),
        "cider": mean(ciders(photos, captions)),
        "chair_i": seen.of_mentions,
        "chair_s": seen.of_captions,
        "recall": seen.recall,
        "mentions": seen.mentions,
        "tags_wrong": _share([name not in it for it, tags in zip(present, tagged, strict=True)
                              for name in tags]),
        "tags_recall": _share([name in tags for it, tags in zip(present, tagged, strict=True)
                               for name in it]),
    }  # fmt: skip
    found |= _blame(captions, present, tagged, words)
    for name, asked in sets.items():
        found |= _of_set(name, asked, said[name])
    return found


def ciders(photos: Sequence[Photo], captions: Sequence[str]) -> list[float]:
    """CIDEr, 0..100, of each photo that has people's captions."""
    known = [(it, text) for it, text in zip(photos, captions, strict=True) if it.captions]
    golds = {it.image.name: [metrics.words(text) for text in it.captions] for it, _ in known}
    scorer = CiderD(golds)
    return [100 * scorer(metrics.words(text), it.image.name) for it, text in known]


def _blame(
    captions: Sequence[str],
    present: Sequence[frozenset[str]],
    objects: Sequence[frozenset[str]],
    words: Sequence[frozenset[str]],
) -> Figures:
    """Which tags named what a caption names and is not there, in shares of all such mentions."""
    wrong = [(name, o, w) for text, there, o, w in zip(captions, present, objects, words,
                                                       strict=True)
             for name in mentioned(text) - there]  # fmt: skip
    return {
        "wrong_mentions": len(wrong),
        "wrong_by_objects": _share([name in o for name, o, _ in wrong]),
        "wrong_by_words": _share([name in w and name not in o for name, o, w in wrong]),
        "wrong_by_neither": _share([name not in o and name not in w for name, o, w in wrong]),
    }


def _tagged(facts: ObjectFacts | None, names: Sequence[str], count: int) -> list[frozenset[str]]:
    """The classes of COCO that are likelier there than not by their tags."""
    if facts is None:
        return [frozenset()] * count
    return [
        frozenset(name for name, p in zip(names, row, strict=True) if p >= 0.5) & {*COCO_CLASSES}
        for row in facts.probabilities.tolist()
    ]


def _of_set(name: str, asked: Sequence[Asked], said: Sequence[str]) -> Figures:
    golds = [one.golds[0] for one in asked]
    if name == "counts":
        right = metrics.count_accuracy(said, [int(metrics.number_in(gold) or 0) for gold in golds])
    elif name == "vqa":
        right = metrics.accuracy(said, golds)
    else:
        right = metrics.balanced_accuracy(said, golds)
    found: Figures = {f"{name}_questions": len(asked), name: right}
    if name == "vqa":
        kinds = [metrics.answer_type(str(a.question), a.golds[0]) for a in asked]
        for kind in ANSWER_TYPES:
            rows = [row for row, each in enumerate(kinds) if each == kind]
            key = f"vqa_{kind.replace('/', '_')}"
            found[f"{key}_questions"] = len(rows)
            found[key] = metrics.accuracy([said[i] for i in rows], [golds[i] for i in rows])
    return found


def gain(mine: Sequence[float], base: Sequence[float]) -> tuple[float, float]:
    """Mean difference of paired values, and its standard error."""
    differences = torch.tensor(mine, dtype=torch.float64) - torch.tensor(base, dtype=torch.float64)
    if len(differences) < 2:
        return float(differences.sum()), 0.0
    return float(differences.mean()), float(differences.std()) / len(differences) ** 0.5


def gains(
    photos: Sequence[Photo],
    sets: Mapping[str, Sequence[Asked]],
    said: Mapping[str, Mapping[str, Sequence[str]]],
) -> dict[str, Figures]:
    """How much better than with the head's tags captions and answers are, with standard errors."""
    found = {}
    for witness, texts in said.items():
        values: Figures = {}
        first = said[WITNESSES[0]]
        pairs = {"cider": (ciders(photos, texts["captions"]), ciders(photos, first["captions"]))}
        for name in ("vqa", "made"):
            golds = [one.golds[0] for one in sets[name]]
            mine, base = (
                [100.0 * metrics.exact(*pair) for pair in zip(each[name], golds, strict=True)]
                for each in (texts, first)
            )
            pairs[name] = (mine, base)
        for name, pair in pairs.items():
            values[f"{name}_gain"], values[f"{name}_gain_error"] = gain(*pair)
        found[witness] = values
    return found


def table(found: Mapping[str, Figures]) -> str:
    """The figures as a Markdown table: a row a figure, a column a witness."""
    first = found[WITNESSES[0]]
    lines = [f"| figure | on | {' | '.join(found)} |", "|---" * (len(found) + 2) + "|"]
    for title, about, value in ROWS:
        cells = [value.format_map(figures) for figures in found.values()]
        lines.append(f"| {title} | {about.format_map(first)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def mean(values: Sequence[float]) -> float:
    """Of nothing, 0."""
    return sum(values) / max(1, len(values))


def _share(values: Sequence[bool]) -> float:
    return 100 * mean(values)


# What, on how many, the figure: templates of the figures' names.
ROWS = (
    ("tags of COCO's classes, p from .5: wrong", "{photos} photos", "{tags_wrong:.1f} %"),
    ("… objects there that have such a tag", "", "{tags_recall:.1f} %"),
    ("captions: CIDEr", "{captions} photos", "{cider:.1f}"),
    ("… more than with the head's tags", "", "{cider_gain:+.1f} ± {cider_gain_error:.1f}"),
    ("objects named that are not there, of mentions", "{photos} photos", "{chair_i:.1f} %"),
    ("… captions with such objects", "", "{chair_s:.1f} %"),
    ("… objects there that are named", "", "{recall:.1f} %"),
    ("… objects named", "", "{mentions:.0f}"),
    ("… wrong ones", "", "{wrong_mentions:.0f}"),
    ("… of those, an object tag names", "", "{wrong_by_objects:.0f} %"),
    ("… only a word tag names", "", "{wrong_by_words:.0f} %"),
    ("… no tag names", "", "{wrong_by_neither:.0f} %"),
    ("questions, VQA: all", "{vqa_questions} questions", "{vqa:.1f} %"),
    ("… more than with the head's tags", "", "{vqa_gain:+.1f} ± {vqa_gain_error:.1f}"),
    ("… yes/no", "{vqa_yes_no_questions} questions", "{vqa_yes_no:.1f} %"),
    ("… number", "{vqa_number_questions} questions", "{vqa_number:.1f} %"),
    ("… other", "{vqa_other_questions} questions", "{vqa_other:.1f} %"),
    ("presence, POPE and GVTBench: mean of yes and no", "{presence_questions} questions",
     "{presence:.1f} %"),
    ("presence, made of people's lists: mean of yes and no", "{made_questions} questions",
     "{made:.1f} %"),
    ("… more than with the head's tags", "", "{made_gain:+.1f} ± {made_gain_error:.1f}"),
    ("counts, GVTBench", "{counts_questions} questions", "{counts:.1f} %"),
)  # fmt: skip
