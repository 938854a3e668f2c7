"""What `finetune.research.starter_figures` asks, and the figures that it makes of the answers."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from tiny_data import write_rows

from finetune.evaluation import figures
from finetune.research import starter_figures
from finetune.research.starter_figures import Answered, Asked


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A data folder with a row or two of each kind that counts, and of those that do not."""
    (tmp_path / "coco").mkdir()
    (tmp_path / "flickr8k").mkdir()
    write_rows(
        tmp_path / "flickr8k/captions.jsonl",
        [
            {"image": "f.jpg", "split": "val", "captions": ["a dog runs", "a brown dog"]},
            {"image": "g.jpg", "split": "train", "captions": ["a cat"]},
        ],
    )
    rows = {
        "captions": [
            {"image": "a.jpg", "captions": ["two dogs on a bed"]},
            {"image": "b.jpg", "captions": ["a man rides a horse"]},
        ],
        "captions_more": [{"image": "z.jpg", "split": "val", "captions": ["a kite"]}],
        "derived_captions": [
            {"image": "a.jpg", "split": "val", "captions": ["dogs sleep"]},
            {"image": "b.jpg", "split": "train", "captions": ["a pony"]},
        ],
        "objects": [
            {"image": "a.jpg", "split": "val", "objects": ["dog", "bed"]},
            {"image": "c.jpg", "split": "val", "objects": ["person"]},
            {"image": "b.jpg", "split": "train", "objects": ["horse"]},
        ],
        "vqa": [
            _asked("a.jpg", "Is it a dog?", "yes", coco_split="val2014"),
            _asked("b.jpg", "How many horses?", "many", coco_split="val2014"),
            _asked("b.jpg", "What is he on?", "horse", coco_split="val2014"),
            _asked("b.jpg", "Is it night?", "no", coco_split="train2014"),
        ],
        "pope_yesno": [
            _asked("a.jpg", "Is there a dog?", "yes"),
            _asked("a.jpg", "Is there a cat?", "no"),
            _asked("b.jpg", "Is there a cat?", "no"),
        ],
        "gvt_coco_objects": [
            _asked("a.jpg", "Does dog exist in the image?", "Yes.", source="gvt_coco_mci"),
            _asked("a.jpg", "Does bus exist in the image?", "No.", source="gvt_coco_mci"),
            _asked("a.jpg", "How many dogs are there?", "2", source="gvt_coco_oc"),
            _asked("b.jpg", "How many horses are there?", "1", source="gvt_coco_oc"),
        ],
    }
    for name, listed in rows.items():
        write_rows(tmp_path / f"coco/{name}.jsonl", listed)
    return tmp_path


def _asked(image: str, question: str, answer: str, **more: str) -> dict[str, str]:
    return {"image": image, "question": question, "answer": answer, **more}


@pytest.fixture
def batch(monkeypatch: pytest.MonkeyPatch) -> list[list[Asked]]:
    """Answers by the picture and the question; keeps what was asked at once."""
    calls: list[list[Asked]] = []
    captions = {"a.jpg": "a dog and a cat", "b.jpg": "a man rides a horse", "c.jpg": "a woman"}

    def answer(asked: Asked) -> str:
        if asked.question is None:
            return captions.get(asked.image.name, "a dog runs")
        if asked.question.startswith("How many"):
            return "two dogs" if asked.image.name == "a.jpg" else "3"
        if asked.question.startswith("What"):
            return {"a.jpg": "bed", "b.jpg": "horse"}[asked.image.name]
        return "yes" if asked.image.name == "a.jpg" else "no"

    def ask(asked: Sequence[Asked], profile: str) -> Answered:
        assert profile == "starter"
        calls.append(list(asked))
        return Answered([answer(one) for one in asked], [0.5] * len(asked), 4.0)

    monkeypatch.setattr(starter_figures, "ask", ask)
    return calls


def test_sets_hold_validation_rows_only_with_all_that_people_said(root: Path) -> None:
    sets = starter_figures.read_sets(root)
    assert [(a.image, a.golds) for a in sets["coco"]] == [
        (root / "coco/images/a.jpg", ("two dogs on a bed", "dogs sleep")),
        (root / "coco/images/b.jpg", ("a man rides a horse",)),
        (root / "coco/images/c.jpg", ()),  # its objects are known
    ]
    assert [a.image.name for a in sets["flickr8k"]] == ["f.jpg"]
    assert [a.question for a in sets["vqa"]] == [
        "Is it a dog?",
        "How many horses?",
        "What is he on?",
    ]
    assert [a.image.name for a in sets["vqa shuffled"]] == ["b.jpg", "a.jpg", "a.jpg"]
    assert {name: len(asked) for name, asked in sets.items() if name[0] in "pec"} == {
        "coco": 3, "presence": 3, "existence": 2, "counts": 2,
    }  # fmt: skip
    assert all(len(asked) == 1 for asked in starter_figures.read_sets(root, 1).values())


def test_only_some_sets_may_be_measured(root: Path, batch: list[list[Asked]]) -> None:
    sets = starter_figures.read_sets(root, only=["presence", "counts"])
    found = starter_figures.score(sets, starter_figures.ask_all(sets, "starter"), {})
    assert [len(call) for call in batch] == [5]
    lines = figures.table(found).splitlines()[2:]
    assert [line.split("|")[1].strip() for line in lines] == [
        "presence, POPE: mean of yes and no",
        "presence, POPE: where yes is right, where no is right",
        "presence, POPE: accuracy",
        "counts, GVTBench: accuracy",
        "… mean absolute error",
        "answers a second",
    ]


def test_figures_are_those_of_the_answers(
    root: Path, batch: list[list[Asked]], capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
) -> None:  # fmt: skip
    options = ["--data", root, "--json", tmp_path / "f.json", "--answers", tmp_path / "a.jsonl"]
    monkeypatch.setattr(sys, "argv", ["measure", *map(str, options)])
    starter_figures.main()
    found = json.loads((tmp_path / "f.json").read_text(encoding="utf-8"))

    assert [{a.question is None for a in call} for call in batch] == [{True}, {False}]
    # "Is it a dog?" yes, "What is he on?" horse; of the shuffled ones nothing is right.
    assert (found["questions"], found["vqa"]) == (3, pytest.approx(200 / 3))
    assert (found["vqa_yes_no"], found["vqa_number"], found["vqa_other"]) == (100, 0, 100)
    assert found["vqa_above_shuffled"] == pytest.approx(200 / 3)
    # It says yes of a.jpg, whatever the question, and no of b.jpg.
    assert (found["presence_yes"], found["presence_no"]) == (100, 50)
    assert (found["presence_balanced"], found["presence"]) == (75, pytest.approx(200 / 3))
    assert (found["existence_balanced"], found["existence_pictures"]) == (50, 1)
    assert (found["counts"], found["counts_error"]) == (50, 1)
    assert (found["counts_always_one"], found["counts_error_always_one"]) == (50, 0.5)
    assert (found["coco_captions"], found["coco_references"]) == (2, 3)
    # Ours: dog and cat, woman. People's: dogs on a bed.
    assert (found["chair_captions"], found["chair_mentions"]) == (2, 3)
    assert (found["chair_i"], found["chair_s"]) == (pytest.approx(100 / 3), 50)
    assert (found["people_chair_i"], found["people_objects_recall"]) == (0, 100)

    printed = capsys.readouterr().out
    assert len(printed.splitlines()) == 2 + len(figures.rows())  # no row lacks a figure
    assert "| presence, POPE: mean of yes and no | 3 questions, 2 photos | 75.0 % |" in printed
    assert "| questions, COCO val2014: yes/no | 1 questions | 100.0 % |" in printed
    lines = (tmp_path / "a.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(lines) == sum(map(len, batch))
    assert json.loads(lines[0]) == {
        "set": "flickr8k", "image": "f.jpg", "question": None,
        "golds": ["a dog runs", "a brown dog"], "answer": "a dog runs", "confidence": 0.5,
    }  # fmt: skip


def test_a_type_that_was_not_asked_about_does_not_break_the_figures() -> None:
    found = figures.of_questions(["What?"], ["dog"], ["dog"], ["cat"], [1.0])
    assert (found["vqa_number_questions"], found["vqa_number"]) == (0, 0)
    assert (found["vqa_other"], found["vqa_calibration_error"]) == (100, 0)
