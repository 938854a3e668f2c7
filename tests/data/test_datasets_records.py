import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from data.datasets.records import (
    QuestionRecord,
    as_question,
    count_answers,
    read_pictures,
    read_questions,
    read_rows,
)
from data.errors import DataError

ROWS: list[dict[str, Any]] = [
    {"image": "b.jpg", "captions": ["A dog runs .", "A wet dog"]},
    {"image": "a.jpg", "split": "train", "question": "What is it?", "answer": "cat"},
    {"image": "b.jpg", "question": "How many?", "answer": "2", "answers": ["two", "2", "2", "3"]},
    {"image": "b.jpg", "statement": "The dog is wet.", "label": 1},
    {"image": "a.jpg", "statement": "The cat is under the car.", "label": 0},
    {"image": "a.jpg", "hypothesis": "A cat sleeps.", "gold_label": "entailment"},
    {"image": "a.jpg", "hypothesis": "Dogs are barking", "gold_label": "contradiction"},
    {"image": "a.jpg", "hypothesis": "A cat is tired.", "gold_label": "neutral"},
]


def write(path: Path, rows: list[Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_every_shape_of_row_is_read_picture_by_picture(tmp_path: Path) -> None:
    first = write(tmp_path / "first.jsonl", ROWS[:3])
    second = write(tmp_path / "second.jsonl", ROWS[3:])
    a, b = read_pictures([first, second], tmp_path / "images")
    assert (a.image, b.image) == (tmp_path / "images/a.jpg", tmp_path / "images/b.jpg")
    assert (a.captions, b.captions) == ([], ["A dog runs .", "A wet dog"])
    assert a.questions == [
        QuestionRecord("What is it?", (("cat", 1),)),
        QuestionRecord("Is the cat under the car?", (("no", 1),), "statement"),
        QuestionRecord("Is this true: a cat sleeps?", (("yes", 1),), "statement"),
        QuestionRecord("Are dogs barking?", (("no", 1),), "statement"),
    ]
    assert b.questions == [
        QuestionRecord("How many?", (("2", 2), ("two", 1), ("3", 1))),
        QuestionRecord("Is the dog wet?", (("yes", 1),), "statement"),
    ]


def test_only_the_wanted_rows_and_pictures_are_read(tmp_path: Path) -> None:
    file = write(tmp_path / "rows.jsonl", ROWS)
    (train,) = read_pictures([file], tmp_path, {"split": "train"})
    assert [q.question for q in train.questions] == ["What is it?"]
    (b,) = read_pictures([file], tmp_path, prefix="b")
    assert b.image.name == "b.jpg"


def test_questions_without_pictures_from_a_compressed_file(tmp_path: Path) -> None:
    path = tmp_path / "texts.jsonl.gz"
    rows = [{"question": "Is it?", "answer": "yes"}, {"question": "Which?", "answer": "red, blue"}]
    with gzip.open(path, "wt", encoding="utf-8") as lines:
        lines.write("\n".join(map(json.dumps, rows)) + "\n\n")
    assert read_questions(path) == [QuestionRecord("Is it?", (("yes", 1),))]
    assert list(read_rows(path)) == rows


def test_answers_are_counted_in_one_form() -> None:
    assert count_answers(["Couch ", "couch", "dining_table"]) == (("couch", 2), ("dining table", 1))
    assert count_answers(["sofa", "couch"], "Couch") == (("couch", 1), ("sofa", 1))
    assert count_answers([" ", ""]) == ()


def test_lists_are_no_short_answers(tmp_path: Path) -> None:
    rows = [
        {"image": "a", "question": "Most say red?", "answers": ["red", "red", "red, white"]},
        {"image": "a", "question": "Most list?", "answers": ["red, white", "red, white", "red"]},
        {"image": "a", "question": "Nobody?", "answers": [" "]},
    ]
    (record,) = read_pictures([write(tmp_path / "rows.jsonl", rows)], tmp_path)
    assert record.questions == [QuestionRecord("Most say red?", (("red", 2),))]


@pytest.mark.parametrize(
    ("statement", "question"),
    [
        ("A dog is wet.", "Is a dog wet?"),
        ("The two men were on the bus", "Were the two men on the bus?"),
        ("A girl sleeps.", "Is this true: a girl sleeps?"),
    ],
)
def test_statements_become_questions(statement: str, question: str) -> None:
    assert as_question(statement) == question


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"captions": ["A dog"]}, "should hold a text under 'image'"),
        ({"image": 3.5, "captions": "A dog"}, "should hold a list of texts under 'captions'"),
        ({"image": "a", "captions": []}, "should hold a list of texts under 'captions'"),
        ({"image": "a", "captions": [["A dog"]]}, "should hold a text under 'captions'"),
        ({"image": "a"}, "should hold a text under 'question'"),
        ({"image": "a", "question": "What?"}, "should hold a text under 'answer'"),
        ({"image": "a", "statement": "It is red."}, "should hold a text under 'label'"),
        ({"image": "a", "hypothesis": "It is red."}, "should hold a text under 'gold_label'"),
        (["a"], "is not a JSON object"),
    ],
)
def test_a_wrong_row_is_named_in_one_sentence(tmp_path: Path, row: Any, said: str) -> None:
    file = write(tmp_path / "rows.jsonl", [ROWS[0], row])
    with pytest.raises(DataError) as caught:
        read_pictures([file], tmp_path)
    assert str(caught.value) == f"Line 2 of {file} {said}."


def test_numbers_are_answers_too(tmp_path: Path) -> None:
    rows = [{"image": "a", "question": "How many?", "answer": 2}]
    (record,) = read_pictures([write(tmp_path / "rows.jsonl", rows)], tmp_path)
    assert record.questions[0].answers == (("2", 1),)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("gone.jsonl", None, "is missing"),
        ("rows.jsonl", b'{"image": ', "is not valid JSON"),
        ("rows.jsonl", b"\xff\xfe{}", "is damaged or cannot be read"),
        ("rows.jsonl.gz", b"{}\n", "is damaged or cannot be read"),
        (
            "rows.jsonl.gz",
            gzip.compress(b'{"a": 1}\n' * 9, mtime=0)[:-9],
            "is damaged or cannot be read",
        ),
    ],
)
def test_a_file_that_cannot_be_read(
    tmp_path: Path, name: str, content: bytes | None, said: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=said):
        list(read_rows(tmp_path / name))
