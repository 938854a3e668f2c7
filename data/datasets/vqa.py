"""VQA v2 (Goyal et al. 2017, arXiv 1612.00837): questions about COCO pictures, ten answers each."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from data.datasets.builder import Job, Prepared, Rows, Wish
from data.datasets.hub import HubSet, hub_questions
from data.datasets.records import DataError
from data.datasets.sources import list_at, load_json, number_at, table_of, text_at
from data.prepare.pictures import Folders, coco_name
from data.prepare.tally import Tally

FILE = "vqa.jsonl"
ANSWERS = 10
TOTALS: Mapping[str, int] = {"train": 443_757, "val": 214_354}
HUB = "pminervini/VQAv2"  # both splits, without pictures; sets with pictures lack one or the other
_SUBTYPE = re.compile(r"(?P<split>train|val|test)(-dev)?\d{4}")


def prepare_vqa(
    wish: Wish,
    questions: Sequence[Path] = (),
    annotations: Sequence[Path] = (),
    images: Sequence[Path] = (),
    hub: str = "",
) -> Prepared:
    """Prepare VQA v2.

    Args:
        wish: Where it goes, and how.
        questions: `v2_OpenEnded_mscoco_train2014_questions.json` and the like.
        annotations: `v2_mscoco_train2014_annotations.json` and the like.
        images: `train2014` and the like, or the folder that these are in.
        hub: A dataset on the hub to take the questions from, and the pictures if no folder is
            given.

    Raises:
        DataError: Something is missing or wrong, or the disk is full.
    """
    if hub:
        source = HubSet(hub, wish.target, Folders.of(images) if images else None)

        def fetched(tally: Tally) -> Iterator[dict[str, Any]]:
            tally.expect(TOTALS)
            for table, subtype, where in hub_questions(source, tally, wish.report):
                table["answers"] = [_slim(answer) for answer in table["answers"]]
                yield _row(table, text_at(table, "question", where), subtype, where, tally)

        return _job((), source.folders, fetched, hub).prepare(wish)
    if not (questions and annotations and images):
        raise DataError("Files of questions, files of annotations and folders of pictures are "
                        "all needed.")  # fmt: skip

    def rows(tally: Tally) -> Iterator[dict[str, Any]]:
        wish.report("Reading the questions", 0, 0)
        asked = _read_questions(questions, tally)
        for path in annotations:
            wish.report("Reading the annotations", 0, 0)
            yield from _join(path, asked, tally, wish)
        for subtype, left in asked.items():
            if not tally.full(split_of(subtype)):
                for number in left:
                    tally.note("Questions without an annotation", number)

    return _job((*questions, *annotations), Folders.of(images), rows).prepare(wish)


Asked = dict[str, dict[int, tuple[int, str]]]  # COCO's part → question id → picture, question


def _job(sources: tuple[Path, ...], folders: Folders, rows: Rows, hub: str = "") -> Job:
    return Job("vqav2", FILE, "questions", sources, folders, rows, hub, "coco_split")


def split_of(subtype: str) -> str:
    """The split of a part of COCO: "train2014" → "train"."""
    match = _SUBTYPE.fullmatch(subtype)
    return match["split"] if match else subtype


def _read_questions(paths: Sequence[Path], tally: Tally) -> Asked:
    asked: Asked = {}
    for path in paths:
        document = load_json(path)
        subtype = _subtype(document, path)
        found = asked.setdefault(subtype, {})
        for number, entry in enumerate(list_at(document, "questions", str(path)), 1):
            where = f"Question {number} of {path}"
            table = table_of(entry, where)
            question_id = number_at(table, "question_id", where)
            if question_id in found:
                tally.note("Duplicate question ids", question_id)
                continue
            text = text_at(table, "question", where)
            found[question_id] = number_at(table, "image_id", where), text
    return asked


def _join(path: Path, asked: Asked, tally: Tally, wish: Wish) -> Iterator[dict[str, Any]]:
    """Rows of the annotations of a file; takes their questions out of `asked`."""
    document = load_json(path, _slim)
    subtype = _subtype(document, path)
    if subtype not in asked:
        raise DataError(f"{path} is about {subtype}, of which there are no questions.")
    split, seen = split_of(subtype), set()
    tally.expect({split: TOTALS[split]} if split in TOTALS else {})
    entries = list_at(document, "annotations", str(path))
    for number, entry in enumerate(entries, 1):
        if tally.full(split):
            return
        if number % 1024 == 0:
            wish.report(f"Looking for the pictures of {subtype}", number, len(entries))
        where = f"Annotation {number} of {path}"
        table = table_of(entry, where)
        question_id = number_at(table, "question_id", where)
        if question_id in seen:
            tally.note("Duplicate annotation ids", question_id)
            continue
        seen.add(question_id)
        image_id, question = asked[subtype].pop(question_id, (-1, ""))
        if image_id < 0:
            tally.note("Annotations without a question", question_id)
        elif image_id != number_at(table, "image_id", where):
            raise DataError(f"{where} is about another picture than its question.")
        else:
            yield _row(table, question, subtype, where, tally)


def _row(
    table: dict[str, Any], question: str, subtype: str, where: str, tally: Tally
) -> dict[str, Any]:
    """A row as it is written, from an annotation and its question."""
    answers = list_at(table, "answers", where)
    if not all(isinstance(answer, tuple) for answer in answers):
        raise DataError(f"{where} should hold an answer and its confidence under 'answers'.")
    question_id = number_at(table, "question_id", where)
    if len(answers) != ANSWERS:
        tally.note(f"Questions with other than {ANSWERS} answers", question_id)
    image_id = number_at(table, "image_id", where)
    return {
        "image": coco_name(subtype, image_id),
        "split": split_of(subtype),
        "question": question,
        "answer": text_at(table, "multiple_choice_answer", where),
        "answers": [answer for answer, _ in answers],
        "answer_confidences": [confidence for _, confidence in answers],
        "answer_type": text_at(table, "answer_type", where),
        "question_type": text_at(table, "question_type", where),
        "question_id": question_id,
        "image_id": image_id,
        "coco_split": subtype,
    }


def _subtype(document: dict[str, Any], path: Path) -> str:
    found = text_at(document, "data_subtype", str(path))
    if not _SUBTYPE.fullmatch(found):
        raise DataError(f"{path} is about {found[:40]!r}, which is no part of COCO.")
    return found


def _slim(table: Any) -> Any:
    """An answer as a pair of shared texts: a file has millions, and as objects they fill memory."""
    if isinstance(table, dict) and "answer_confidence" in table:
        answer, confidence = table.get("answer"), table["answer_confidence"]
        if isinstance(answer, str) and isinstance(confidence, str):
            return sys.intern(answer), sys.intern(confidence)
    return table
