"""VQA v2 (Goyal et al. 2017, arXiv 1612.00837): questions about COCO pictures, ten answers each."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from data.datasets.builder import (
    BuildOptions,
    BuildResult,
    BuildStatistics,
    DatasetBuilder,
    Rows,
)
from data.datasets.hub import HubDataset, hub_questions
from data.datasets.records import Row
from data.datasets.sources import ImageFolders, coco_name, load_json, rows_at
from data.errors import DataError

FILE = "vqa.jsonl"
ANSWERS = 10
TOTALS: Mapping[str, int] = {"train": 443_757, "val": 214_354}
HUB = "pminervini/VQAv2"  # both splits, without pictures; sets with pictures lack one or the other
_SUBTYPE = re.compile(r"(?P<split>train|val|test)(-dev)?\d{4}")


def build_vqa(
    options: BuildOptions,
    questions: Sequence[Path] = (),
    annotations: Sequence[Path] = (),
    images: Sequence[Path] = (),
    hub: str = "",
) -> BuildResult:
    """Build VQA v2.

    Args:
        options: Where it goes, and how.
        questions: `v2_OpenEnded_mscoco_train2014_questions.json` and the like.
        annotations: `v2_mscoco_train2014_annotations.json` and the like.
        images: `train2014` and the like, or the folder that these are in.
        hub: A dataset on the hub to take the questions from, and the pictures if no folder is
            given.

    Raises:
        DataError: Something is missing or wrong, or the disk is full.
    """
    if hub:
        source = HubDataset(hub, options.target, ImageFolders.of(images) if images else None)

        def fetched(statistics: BuildStatistics) -> Iterator[dict[str, Any]]:
            statistics.expect(TOTALS)
            for row, subtype in hub_questions(source, statistics, options.progress):
                row.values["answers"] = [_slim(answer) for answer in row.values["answers"]]
                yield _output(row, row.string("question"), subtype, statistics)

        return _builder((), source.folders, fetched, hub).build(options)
    if not (questions and annotations and images):
        raise DataError("Files of questions, files of annotations and folders of pictures are "
                        "all needed.")  # fmt: skip

    def rows(statistics: BuildStatistics) -> Iterator[dict[str, Any]]:
        options.progress("Reading the questions", 0, 0)
        asked = _read_questions(questions, statistics)
        for path in annotations:
            options.progress("Reading the annotations", 0, 0)
            yield from _join(path, asked, statistics, options)
        for subtype, left in asked.items():
            if not statistics.is_full(split_of(subtype)):
                for number in left:
                    statistics.add_problem("Questions without an annotation", number)

    return _builder((*questions, *annotations), ImageFolders.of(images), rows).build(options)


Questions = dict[str, dict[int, tuple[int, str]]]  # COCO's part → question id → picture, question


def _builder(
    sources: tuple[Path, ...], folders: ImageFolders, rows: Rows, hub: str = ""
) -> DatasetBuilder:
    return DatasetBuilder("vqav2", FILE, "questions", sources, folders, rows, hub, "coco_split")


def split_of(subtype: str) -> str:
    """The split of a part of COCO: "train2014" → "train"."""
    match = _SUBTYPE.fullmatch(subtype)
    return match["split"] if match else subtype


def _read_questions(paths: Sequence[Path], statistics: BuildStatistics) -> Questions:
    asked: Questions = {}
    for path in paths:
        document = load_json(path)
        found = asked.setdefault(_subtype(document), {})
        for row in rows_at(document, "questions", "Question"):
            question_id = row.integer("question_id")
            if question_id in found:
                statistics.add_problem("Duplicate question ids", question_id)
                continue
            text = row.string("question")
            found[question_id] = row.integer("image_id"), text
    return asked


def _join(
    path: Path, asked: Questions, statistics: BuildStatistics, options: BuildOptions
) -> Iterator[dict[str, Any]]:
    """Rows of the annotations of a file; takes their questions out of `asked`."""
    document = load_json(path, _slim)
    subtype = _subtype(document)
    if subtype not in asked:
        raise DataError(f"{path} is about {subtype}, of which there are no questions.")
    split, seen = split_of(subtype), set()
    statistics.expect({split: TOTALS[split]} if split in TOTALS else {})
    total = len(document.items("annotations"))
    for number, row in enumerate(rows_at(document, "annotations", "Annotation"), 1):
        if statistics.is_full(split):
            return
        if number % 1024 == 0:
            options.progress(f"Looking for the pictures of {subtype}", number, total)
        question_id = row.integer("question_id")
        if question_id in seen:
            statistics.add_problem("Duplicate annotation ids", question_id)
            continue
        seen.add(question_id)
        image_id, question = asked[subtype].pop(question_id, (-1, ""))
        if image_id < 0:
            statistics.add_problem("Annotations without a question", question_id)
        elif image_id != row.integer("image_id"):
            raise DataError(f"{row.where} is about another picture than its question.")
        else:
            yield _output(row, question, subtype, statistics)


def _output(row: Row, question: str, subtype: str, statistics: BuildStatistics) -> dict[str, Any]:
    """The row that is written, from an annotation and its question."""
    answers = row.items("answers")
    if not all(isinstance(answer, tuple) for answer in answers):
        raise DataError(f"{row.where} should hold an answer and its confidence under 'answers'.")
    question_id = row.integer("question_id")
    if len(answers) != ANSWERS:
        statistics.add_problem(f"Questions with other than {ANSWERS} answers", question_id)
    image_id = row.integer("image_id")
    return {
        "image": coco_name(subtype, image_id),
        "split": split_of(subtype),
        "question": question,
        "answer": row.string("multiple_choice_answer"),
        "answers": [answer for answer, _ in answers],
        "answer_confidences": [confidence for _, confidence in answers],
        "answer_type": row.string("answer_type"),
        "question_type": row.string("question_type"),
        "question_id": question_id,
        "image_id": image_id,
        "coco_split": subtype,
    }


def _subtype(document: Row) -> str:
    found = document.string("data_subtype")
    if not _SUBTYPE.fullmatch(found):
        raise DataError(f"{document.where} is about {found[:40]!r}, which is no part of COCO.")
    return found


def _slim(table: Any) -> Any:
    """An answer as a pair of shared texts: a file has millions, and as objects they fill memory."""
    if isinstance(table, dict) and "answer_confidence" in table:
        answer, confidence = table.get("answer"), table["answer_confidence"]
        if isinstance(answer, str) and isinstance(confidence, str):
            return sys.intern(answer), sys.intern(confidence)
    return table
