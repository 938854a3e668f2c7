"""The official files of test sets as rows: questions of VQA v2, pictures and captions of COCO."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from data.datasets.records import Row
from data.datasets.sources import coco_name, load_json, rows_at, safe_name
from data.errors import DataError


def official_rows(path: Path) -> Iterator[dict[str, Any]]:
    """Rows of a JSON file of VQA v2's questions, or of COCO's pictures with or without captions.

    Raises:
        DataError: It is missing, or of another shape; one plain sentence.
    """
    document = load_json(path)
    if "questions" in document:
        yield from _questions(document)
    elif "images" in document:
        for name, image_id, captions in coco_captions(document):
            row = {"image": name, "image_id": image_id}
            yield {**row, "captions": captions} if captions else row
    else:
        raise DataError(f"{path} holds neither questions of VQA v2 nor pictures of COCO.")


def coco_captions(document: Row) -> Iterator[tuple[str, int, list[str]]]:
    """Name, id and captions of each picture of COCO's JSON files; those of tests have no captions.

    Raises:
        DataError: A row is not what it should be.
    """
    told: dict[int, list[str]] = {}
    if document.values.get("annotations"):
        for row in rows_at(document, "annotations", "Annotation"):
            told.setdefault(row.integer("image_id"), []).append(row.string("caption"))
    for row in rows_at(document, "images", "Picture"):
        image_id = row.integer("id")
        yield safe_name(row.string("file_name"), row.where), image_id, told.get(image_id, [])


def _questions(document: Row) -> Iterator[dict[str, Any]]:
    # Those of "test-dev2015" are about the pictures of "test2015".
    part = document.string("data_subtype").replace("-dev", "")
    for row in rows_at(document, "questions", "Question"):
        yield {
            "image": coco_name(part, row.integer("image_id")),
            "question": row.string("question"),
            "question_id": row.integer("question_id"),
            "image_id": row.integer("image_id"),
        }
