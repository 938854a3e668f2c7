"""Anybody's JSON lines: validated, and given a split where they have none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from data.datasets.builder import BuildOptions, BuildResult, BuildStatistics, DatasetBuilder
from data.datasets.records import Row, question_of, read_rows
from data.datasets.sources import ImageFolders, safe_name
from data.errors import DataError

FILE = "rows.jsonl"


def build_jsonl(
    options: BuildOptions, files: Sequence[Path], images: Sequence[Path]
) -> BuildResult:
    """Build a dataset of JSON lines in the shapes that `data.datasets.records` reads.

    Args:
        options: Where it goes, and how.
        files: JSON lines, plain or .gz.
        images: The folders of their pictures.

    Raises:
        DataError: A row is not what it should be, something is missing, or the disk is full.
    """

    def rows(statistics: BuildStatistics) -> Iterator[dict[str, Any]]:
        seen: set[str] = set()
        for path in files:
            for row in _read(path):
                number = row.text("question_id") if "question_id" in row else ""
                if number and number in seen:
                    statistics.add_problem("Duplicate question ids", number)
                    continue
                seen.add(number)
                yield _validated(row)

    folders = ImageFolders.of(images)
    return DatasetBuilder("jsonl", FILE, "rows", tuple(files), folders, rows).build(options)


def _validated(row: Row) -> dict[str, Any]:
    """The values of a row that training can use, with a split.

    Raises:
        DataError: It has no safe name of a picture, or neither captions nor a question.
    """
    name = safe_name(row.text("image"), row.where)
    split = row.text("split") if "split" in row else "train"
    if not split.isprintable() or len(split) > 40:
        raise DataError(f"{row.where} should hold a short text under 'split'.")
    if "captions" in row:
        texts = row.texts("captions")
    elif {"statement", "hypothesis"} & row.values.keys():
        question_of(row)
        texts = [row.text("statement" if "statement" in row else "hypothesis")]
    elif "question" in row:
        question_of(row)
        texts = [row.text("question")]
    else:
        raise DataError(f"{row.where} has neither captions nor a question.")
    if not all(text.strip() for text in texts):
        raise DataError(f"{row.where} has an empty text.")
    return {**row.values, "image": name, "split": split}


def _read(path: Path) -> Iterator[Row]:
    try:
        for number, values in enumerate(read_rows(path), 1):
            yield Row(values, f"Row {number} of {path}")
    except DataError:
        raise
    except (ValueError, RecursionError) as error:  # numbers and nesting beyond all measure
        raise DataError(f"{path} holds a line that is no JSON object.") from error
