"""Result files for evaluation servers, official files of test splits, and few people's answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from data.errors import DataError
from finetune.evaluation.dataset import read_dataset
from finetune.evaluation.results import caption_results, check_ids, pairs, vqa_results
from finetune.evaluation.runner import Replies, Reply

NAMES = ["COCO_test2015_000000000007.jpg", "COCO_test2015_000000000042.jpg"]


def pictures(folder: Path, names: list[str]) -> Path:
    folder.mkdir()
    for name in names:
        Image.new("RGB", (8, 6)).save(folder / name)
    return folder


def write(path: Path, value: Any) -> Path:
    path.write_text(json.dumps(value))
    return path


def write_lines(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_the_official_questions_of_a_test_split_become_the_official_results(tmp_path: Path) -> None:
    images = pictures(tmp_path / "images", NAMES)
    rows = [
        {"image_id": 42, "question": "Is it wet?", "question_id": 420},
        {"image_id": 7, "question": "What is it?", "question_id": 70},
    ]
    document = {"data_subtype": "test-dev2015", "questions": rows}
    dataset = read_dataset(write(tmp_path / "v2_questions.json", document), images)
    assert (dataset.captions, dataset.questions) == ((), ())
    assert [item.image.name for item in dataset.unanswered] == NAMES[::-1]
    check_ids(dataset, questions=True, captions=False)
    said = (Reply("yes", 0.5), Reply("a dog", 0.5))
    written = vqa_results(pairs(dataset, Replies((), (), None, (), said)))
    assert written == [
        {"question_id": 420, "answer": "yes"}, {"question_id": 70, "answer": "a dog"},
    ]  # fmt: skip
    with pytest.raises(DataError, match="no pictures to describe"):
        check_ids(dataset, questions=False, captions=True)


@pytest.mark.parametrize("annotated", [True, False])
def test_cocos_pictures_with_and_without_captions_become_caption_results(
    tmp_path: Path, annotated: bool
) -> None:
    images = pictures(tmp_path / "images", NAMES)
    document: dict[str, Any] = {
        "images": [{"id": int(name[-8:-4]), "file_name": name} for name in NAMES]
    }
    if annotated:
        document["annotations"] = [
            {"image_id": 7, "id": 1, "caption": "a dog"},
            {"image_id": 42, "id": 2, "caption": "x"},
            {"image_id": 7, "id": 3, "caption": "a wet dog"},
        ]
    dataset = read_dataset(write(tmp_path / "captions_val2014.json", document), images)
    assert [item.golds for item in dataset.captions] == (
        [("a dog", "a wet dog"), ("x",)] if annotated else []
    )
    said = (Reply("a cat", 0.5), Reply("a bus", 0.5))
    replies = Replies(said, (), None, ()) if annotated else Replies((), (), None, (), said)
    assert caption_results(pairs(dataset, replies)) == [
        {"image_id": 7, "caption": "a cat"}, {"image_id": 42, "caption": "a bus"},
    ]  # fmt: skip


def test_rows_without_answers_are_asked_and_a_missing_id_is_said(tmp_path: Path) -> None:
    images = pictures(tmp_path / "images", ["a.jpg"])
    rows: list[dict[str, Any]] = [
        {"image": "a.jpg", "question": "What?", "question_id": "q1", "answers": []},
        {"image": "a.jpg"},
    ]
    dataset = read_dataset(write_lines(tmp_path / "rows.jsonl", rows), images)
    assert [(item.question, item.question_id) for item in dataset.unanswered] == [
        (None, ""), ("What?", "q1"),
    ]  # fmt: skip
    check_ids(dataset, questions=True, captions=False)
    with pytest.raises(DataError, match=r"needs image_id in every row; that of a\.jpg has none"):
        check_ids(dataset, questions=False, captions=True)


@pytest.mark.parametrize("document", [{"x": []}, {"questions": [{}], "data_subtype": "val2014"}])
def test_other_json_is_one_sentence(tmp_path: Path, document: dict[str, Any]) -> None:
    with pytest.raises(DataError):
        read_dataset(write(tmp_path / "x.json", document), tmp_path)


def test_questions_with_few_answers_are_counted(tmp_path: Path) -> None:
    images = pictures(tmp_path / "images", ["a.jpg"])
    rows = [{"image": "a.jpg", "question": f"{n}?", "answers": ["yes"] * n} for n in (1, 3, 4, 10)]
    assert read_dataset(write_lines(tmp_path / "rows.jsonl", rows), images).few == 2
