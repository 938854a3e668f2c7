"""Pictures with their texts, read from JSON lines in the few shapes that public data come in."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


class DataError(ValueError):
    """A dataset that cannot be used; `str(error)` is one plain sentence."""


@dataclass(frozen=True)
class QuestionRecord:
    """A question with its human answers, the most common one first.

    Attributes:
        question: As it was asked.
        answers: Distinct answers with how many people gave each.
        kind: Where it came from, for sampling and reports.
    """

    question: str
    answers: tuple[tuple[str, int], ...]
    kind: str = "human"


@dataclass
class PictureRecord:
    """Everything that is known about one picture."""

    image: Path
    captions: list[str] = field(default_factory=list)
    questions: list[QuestionRecord] = field(default_factory=list)


def read_rows(path: Path, where: Mapping[str, Any] | None = None) -> Iterator[dict[str, Any]]:
    """Rows of a JSON lines file (plain or .gz) whose values equal those in `where`.

    Raises:
        DataError: The file is missing or a line is no JSON object.
    """
    if not path.is_file():
        raise DataError(f"The dataset file {path} is missing.")
    opener: Any = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                raise DataError(f"Line {number} of {path} is not valid JSON.") from error
            if not isinstance(row, dict):
                raise DataError(f"Line {number} of {path} is not a JSON object.")
            if all(row.get(key) == value for key, value in (where or {}).items()):
                yield row


def add_rows(
    records: dict[Path, PictureRecord],
    rows: Iterator[dict[str, Any]],
    images: Path,
    prefix: str = "",
) -> None:
    """Add rows to the records of their pictures; what a row holds is told by its keys.

    Known are `captions` (a list), `question` with `answers` or `answer`, `statement` with
    `label` (0 or 1), and `hypothesis` with `gold_label` (neutral ones are left out).

    Args:
        records: Grows, by the path of the picture.
        rows: From `read_rows`.
        images: The folder that pictures are named relative to.
        prefix: Only pictures whose name starts with it are taken.
    """
    for row in rows:
        if not row["image"].startswith(prefix):
            continue
        record = records.setdefault(images / row["image"], PictureRecord(images / row["image"]))
        if "captions" in row:
            record.captions.extend(row["captions"])
            continue
        question = question_of(row)
        if question is not None:
            record.questions.append(question)


def question_of(row: Mapping[str, Any]) -> QuestionRecord | None:
    """The question that a row holds, or None if its answer is not to be learnt."""
    if "statement" in row:
        answer = "yes" if row["label"] else "no"
        return QuestionRecord(as_question(row["statement"]), ((answer, 1),), "statement")
    if "hypothesis" in row:
        known = {"entailment": "yes", "contradiction": "no"}.get(row["gold_label"])
        if known is None:
            return None
        return QuestionRecord(as_question(row["hypothesis"]), ((known, 1),), "statement")
    answers = row.get("answers") or [row["answer"]]
    counted = count_answers(answers, row.get("answer"))
    if any("," in answer for answer, _ in counted):
        return None
    return QuestionRecord(row["question"], counted)


def count_answers(
    answers: Sequence[str], majority: str | None = None
) -> tuple[tuple[str, int], ...]:
    """Distinct answers with their counts, the most common first; ties go to `majority`."""
    counts: dict[str, int] = {}
    for answer in answers:
        cleaned = answer.replace("_", " ").strip().lower()
        counts[cleaned] = counts.get(cleaned, 0) + 1
    return tuple(sorted(counts.items(), key=lambda item: (-item[1], item[0] != majority)))


def as_question(statement: str) -> str:
    """A statement → a yes-or-no question: "A dog is wet." → "Is a dog wet?"."""
    text = statement.strip().rstrip(".")
    match = re.match(r"(?P<who>.+?) (?P<verb>is|are|was|were) (?P<rest>.+)", text)
    if match is None:
        return f"Is this true: {text[:1].lower() + text[1:]}?"
    who = match["who"][:1].lower() + match["who"][1:]
    return f"{match['verb'].capitalize()} {who} {match['rest']}?"
