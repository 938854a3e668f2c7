"""Pictures with their texts, read from JSON lines in the few shapes that public data come in.

A row holds `captions` (a list), or a `question` with `answers` or `answer`, or a `statement` with
`label` (0 or 1: Visual Spatial Reasoning), or a `hypothesis` with `gold_label` (SNLI-VE); its
picture's file name stands under `image`.
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from data.errors import DataError


@dataclass(frozen=True)
class QuestionRecord:
    """A question with its answers, the most common one first.

    Attributes:
        question: As it was asked.
        answers: Distinct answers with how many people gave each.
        kind: Where it came from, for sampling and reports.
    """

    question: str
    answers: tuple[tuple[str, int], ...]
    kind: str = "human"

    @classmethod
    def single(cls, question: str, answer: str, kind: str) -> QuestionRecord:
        """A question that has one answer, given once."""
        return cls(question, ((answer, 1),), kind)

    @property
    def answer(self) -> str:
        """The most common answer."""
        return self.answers[0][0]


@dataclass
class PictureRecord:
    """Everything that is known about one picture."""

    image: Path
    captions: list[str] = field(default_factory=list)
    questions: list[QuestionRecord] = field(default_factory=list)


@dataclass(frozen=True)
class Row:
    """A JSON object of a dataset file, whose fields are checked as they are read.

    Attributes:
        values: The JSON object.
        where: "Line 3 of /data/vqa.jsonl", to begin a sentence with.
    """

    values: dict[str, Any]
    where: str

    @classmethod
    def of(cls, value: Any, where: str) -> Row:
        """The row that a parsed JSON value is.

        Raises:
            DataError: It is no object.
        """
        if not isinstance(value, dict):
            raise DataError(f"{where} is not a JSON object.")
        return cls(value, where)

    def __contains__(self, key: str) -> bool:
        return self.values.get(key) is not None

    def text(self, key: str) -> str:
        """The text or number under a key, as text.

        Raises:
            DataError: It is neither, or not there.
        """
        return self._as_text(self.values.get(key), key)

    def texts(self, key: str) -> list[str]:
        """The texts listed under a key.

        Raises:
            DataError: It is no list, an empty one, or one of other things.
        """
        value = self.values.get(key)
        if not isinstance(value, list) or not value:
            raise DataError(f"{self.where} should hold a list of texts under {key!r}.")
        return [self._as_text(item, key) for item in value]

    def string(self, key: str) -> str:
        """The text under a key; a number will not do.

        Raises:
            DataError: There is none.
        """
        value = self.values.get(key)
        if not isinstance(value, str):
            raise DataError(f"{self.where} should hold a text under {key!r}.")
        return value

    def integer(self, key: str) -> int:
        """The id under a key: a whole number of at most twelve digits.

        Raises:
            DataError: There is none.
        """
        value = self.values.get(key)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 10**12:
            raise DataError(f"{self.where} should hold a whole number under {key!r}.")
        return value

    def items(self, key: str, *, may_be_empty: bool = False) -> list[Any]:
        """The list under a key.

        Raises:
            DataError: There is none, or it is empty.
        """
        value = self.values.get(key)
        if not isinstance(value, list) or not (value or may_be_empty):
            raise DataError(f"{self.where} should hold a list under {key!r}.")
        return value

    def _as_text(self, value: Any, key: str) -> str:
        if not isinstance(value, str | int | float):
            raise DataError(f"{self.where} should hold a text under {key!r}.")
        return str(value)


def read_pictures(
    files: Iterable[Path],
    images: Path,
    where: Mapping[str, Any] | None = None,
    prefix: str = "",
) -> list[PictureRecord]:
    """Everything that the files say about pictures, picture by picture in the order of their names.

    Args:
        files: JSON lines files.
        images: The folder that pictures are named relative to.
        where: Only rows with these values are taken.
        prefix: Only pictures whose name starts with it are taken.

    Raises:
        DataError: A file is missing, or a row is not what it should be.
    """
    records: dict[Path, PictureRecord] = {}
    for file in files:
        for row in parse_rows(file, where):
            name = row.text("image")
            if not name.startswith(prefix):
                continue
            record = records.setdefault(images / name, PictureRecord(images / name))
            if "captions" in row:
                # A row of statements only has no caption to learn.
                if row.values["captions"] or "statements" not in row:
                    record.captions.extend(row.texts("captions"))
            elif question := question_of(row):
                record.questions.append(question)
    return [record for _, record in sorted(records.items())]


def read_questions(path: Path) -> list[QuestionRecord]:
    """The questions of a file, whatever pictures they are about.

    Raises:
        DataError: The file is missing, or a row is not what it should be.
    """
    return [question for row in parse_rows(path) if (question := question_of(row))]


def read_rows(path: Path, where: Mapping[str, Any] | None = None) -> Iterator[dict[str, Any]]:
    """JSON objects of a JSON lines file (plain or .gz) whose values equal those in `where`.

    Raises:
        DataError: The file is missing or damaged, or a line is no JSON object.
    """
    return (row.values for row in parse_rows(path, where))


def parse_rows(path: Path, where: Mapping[str, Any] | None = None) -> Iterator[Row]:
    """As `read_rows`, but each row knows its line and checks its fields as they are read.

    Raises:
        DataError: The file is missing or damaged, or a line is no JSON object.
    """
    if not path.is_file():
        raise DataError(f"The dataset file {path} is missing.")
    opener: Any = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rt", encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    row = _parse(line, f"Line {number} of {path}")
                    if all(row.values.get(key) == value for key, value in (where or {}).items()):
                        yield row
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        raise DataError(f"The dataset file {path} is damaged or cannot be read.") from error


def _parse(line: str, where: str) -> Row:
    try:
        values = json.loads(line)
    except json.JSONDecodeError as error:
        raise DataError(f"{where} is not valid JSON.") from error
    return Row.of(values, where)


def question_of(row: Row) -> QuestionRecord | None:
    """The question that a row holds, or None if its answer is not to be learnt.

    Neutral hypotheses have no answer, and lists ("red, white") are no short answers.

    Raises:
        DataError: The row holds no question.
    """
    if "statement" in row:
        answer = "no" if row.text("label") in ("0", "False") else "yes"
        return QuestionRecord(as_question(row.text("statement")), ((answer, 1),), "statement")
    if "hypothesis" in row:
        known = {"entailment": "yes", "contradiction": "no"}.get(row.text("gold_label"))
        if known is None:
            return None
        return QuestionRecord(as_question(row.text("hypothesis")), ((known, 1),), "statement")
    question = row.text("question")
    majority = row.text("answer") if "answer" in row else None
    given = row.texts("answers") if "answers" in row else [row.text("answer")]
    counted = count_answers(given, majority)
    if not counted or "," in counted[0][0]:
        return None
    return QuestionRecord(question, tuple(pair for pair in counted if "," not in pair[0]))


def count_answers(
    answers: Sequence[str], majority: str | None = None
) -> tuple[tuple[str, int], ...]:
    """Distinct answers with their counts, the most common first; ties go to `majority`."""
    counts: dict[str, int] = {}
    for answer in map(_clean, answers):
        if answer:
            counts[answer] = counts.get(answer, 0) + 1
    preferred = _clean(majority or "")
    return tuple(sorted(counts.items(), key=lambda item: (-item[1], item[0] != preferred)))


def as_question(statement: str) -> str:
    """A statement → a yes-or-no question: "A dog is wet." → "Is a dog wet?"."""
    text = statement.strip().rstrip(".")
    match = re.match(r"(?P<who>.+?) (?P<verb>is|are|was|were) (?P<rest>.+)", text)
    if match is None:
        return f"Is this true: {text[:1].lower() + text[1:]}?"
    who = match["who"][:1].lower() + match["who"][1:]
    return f"{match['verb'].capitalize()} {who} {match['rest']}?"


def _clean(answer: str) -> str:
    return answer.replace("_", " ").strip().lower()
