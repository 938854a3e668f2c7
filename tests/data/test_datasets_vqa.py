from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from official_files import answered, asked, coco_name, pictures, vqa_files, write_json

from data.datasets.builder import BuildOptions, BuildResult
from data.datasets.records import QuestionRecord, read_pictures, read_questions
from data.datasets.vqa import build_vqa
from data.errors import DataError

IDS = {"train2014": [9, 25], "val2014": [42]}
Files = dict[str, tuple[Path, Path]]


@pytest.fixture
def coco(tmp_path: Path) -> Path:
    for subtype, ids in IDS.items():
        pictures(tmp_path / "coco" / subtype, [coco_name(subtype, number) for number in ids])
    return tmp_path / "coco"


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return {subtype: write(tmp_path, subtype, ids) for subtype, ids in IDS.items()}


def write(folder: Path, subtype: str, ids: list[int]) -> tuple[Path, Path]:
    pairs = [(number, k) for number in ids for k in range(2)]
    return vqa_files(folder, subtype, [asked(*p) for p in pairs], [answered(*p) for p in pairs])


def prepare(to: Path, files: Files, *images: Path, **options: Any) -> BuildResult:
    questions, annotations = zip(*files.values(), strict=True)
    return build_vqa(BuildOptions(to, **options), questions, annotations, images)


def test_both_splits_become_what_training_reads(tmp_path: Path, coco: Path, files: Files) -> None:
    to = tmp_path / "data" / "vqav2"
    done = prepare(to, files, coco / "train2014", coco / "val2014")
    assert done.counts == {
        "train": {"rows": 4, "pictures": 2},
        "val": {"rows": 2, "pictures": 1},
    }
    assert done.warnings == (
        "Expected 443,757 questions in the split 'train', found 4.",
        "Expected 214,354 questions in the split 'val', found 2.",
    )
    (record,) = read_pictures([to / "vqa.jsonl"], to / "images", {"split": "val"})
    assert record.image.name == coco_name("val2014", 42)
    assert record.image.is_file()
    assert record.questions[0] == QuestionRecord("What is 0?", (("cat", 7), ("dog", 3)))
    assert len(read_pictures([to / "vqa.jsonl"], to / "images", {"coco_split": "train2014"})) == 2
    row = json.loads((to / "vqa.jsonl").read_text().splitlines()[0])
    assert row["answers"] == ["cat"] * 7 + ["dog"] * 3
    assert row["answer_confidences"] == ["yes"] * 7 + ["maybe"] * 3
    kept = {key: row[key] for key in ("answer", "answer_type", "question_type", "question_id")}
    assert kept == {
        "answer": "cat", "answer_type": "other", "question_type": "what is", "question_id": 9000,
    }  # fmt: skip
    assert prepare(to, files, coco / "train2014", coco / "val2014").unchanged


def test_one_folder_above_both_will_do(tmp_path: Path, coco: Path, files: Files) -> None:
    to = tmp_path / "to"
    assert prepare(to, files, coco).counts["train"]["pictures"] == 2
    assert (to / "images").readlink() == coco
    records = read_pictures([to / "vqa.jsonl"], to / "images")
    assert [record.image.is_file() for record in records] == [True] * 3


def test_a_try_takes_some_of_each_split(tmp_path: Path, coco: Path, files: Files) -> None:
    done = prepare(tmp_path / "to", files, coco, limit=1, strict=True)
    assert [counts["rows"] for counts in done.counts.values()] == [1, 1]


def test_what_does_not_fit_together_is_said(tmp_path: Path, coco: Path) -> None:
    questions = [asked(9, 0), asked(9, 0), asked(9, 1), asked(9, 2), asked(7, 0), asked(25, 0)]
    annotations = [
        answered(9, 0), answered(9, 0), answered(9, 5), answered(7, 0),
        {**answered(25, 0), "answers": answered(25, 0)["answers"][:9]},
    ]  # fmt: skip
    files = {"train2014": vqa_files(tmp_path, "train2014", questions, annotations)}
    done = prepare(tmp_path / "to", files, coco / "train2014")
    assert done.warnings == (
        "Duplicate question ids: 1 (9000).",
        "Duplicate annotation ids: 1 (9000).",
        "Annotations without a question: 1 (9005).",
        "Pictures without a file: 1 (COCO_train2014_000000000007.jpg).",
        "Questions with other than 10 answers: 1 (25000).",
        "Questions without an annotation: 2 (9001, 9002).",
        "Expected 443,757 questions in the split 'train', found 2.",
    )
    assert len(read_questions(tmp_path / "to" / "vqa.jsonl")) == 2


ANSWER = {"answer": "cat", "answer_confidence": "yes", "answer_id": 1}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"image_id": 25}, "Annotation 1 of PATH is about another picture than its question."),
        ({"image_id": "9"}, "Annotation 1 of PATH should hold a whole number under 'image_id'."),
        ({"question_id": -1}, "should hold a whole number under 'question_id'."),
        ({"question_id": True}, "should hold a whole number under 'question_id'."),
        ({"answers": []}, "should hold a list under 'answers'."),
        ({"answers": ["cat"]}, "should hold an answer and its confidence under 'answers'."),
        ({"answers": [{**ANSWER, "answer": 3}]}, "should hold an answer and its confidence"),
        ({"multiple_choice_answer": None}, "hold a text under 'multiple_choice_answer'."),
        ({"answer_type": ["a"]}, "should hold a text under 'answer_type'."),
        ({"answer_confidence": "yes", "answer": "a"}, "Annotation 1 of PATH is not a JSON object."),
    ],
)
def test_corrupt_annotations_are_one_sentence(
    tmp_path: Path, coco: Path, change: dict[str, Any], sentence: str
) -> None:
    pair = vqa_files(tmp_path, "train2014", [asked(9, 0)], [{**answered(9, 0), **change}])
    with pytest.raises(DataError) as caught:
        prepare(tmp_path / "to", {"train2014": pair}, coco)
    assert sentence.replace("PATH", str(pair[1])) in str(caught.value)
    assert not (tmp_path / "to").exists()


def test_files_of_other_things_are_refused(tmp_path: Path, coco: Path, files: Files) -> None:
    (train, train_answers), (_, val_answers) = files.values()
    odd = write_json(tmp_path / "odd.json", {"data_subtype": "../../x", "questions": [1]})
    for questions, answers, sentence in (
        (train, val_answers, "is about val2014, of which there are no questions"),
        (train_answers, train, "should hold a list under 'questions'"),
        (odd, train_answers, "is about '../../x', which is no part of COCO"),
        (tmp_path / "no.json", train_answers, "no.json is missing or cannot be read"),
    ):
        with pytest.raises(DataError, match=sentence):
            build_vqa(BuildOptions(tmp_path / "to"), [questions], [answers], [coco])
    assert not (tmp_path / "to").exists()
