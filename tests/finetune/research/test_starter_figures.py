"""What `finetune.research.starter_figures` asks, and the figures that it makes of the answers."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from tiny_data import write_rows

from finetune.evaluation import runner
from finetune.evaluation.calibration import Change
from finetune.evaluation.dataset import Item
from finetune.evaluation.runner import Reply
from finetune.evaluation.summary import Scored, score_answers
from finetune.research import starter_figures
from finetune.research.sanity import one_sentence
from finetune.research.starter_figures import rows, table
from model.config import Profile
from model.errors import WeightsError


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
    for image in ("coco/images/a.jpg", "coco/images/b.jpg", "flickr8k/images/f.jpg"):
        (tmp_path / image).parent.mkdir(exist_ok=True)
        (tmp_path / image).touch()
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
            _asked("b.jpg", "How many?", "many", coco_split="val2014", answer_type="number"),
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
def calls(monkeypatch: pytest.MonkeyPatch) -> list[list[Item]]:
    """Answers by the picture and the question; keeps what was asked at once."""
    calls: list[list[Item]] = []
    captions = {"a.jpg": "a dog and a cat", "b.jpg": "a man rides a horse", "c.jpg": "a woman"}

    def answer(item: Item) -> str:
        if item.question is None:
            return captions.get(item.image.name, "a dog runs")
        if item.question.startswith("How many"):
            return "two dogs" if item.image.name == "a.jpg" else "3"
        if item.question.startswith("What"):
            return {"a.jpg": "bed", "b.jpg": "horse"}[item.image.name]
        return "yes" if item.image.name == "a.jpg" else "no"

    def ask(
        profile: str, items: Sequence[Item], on_answer: Callable[[int, int], None]
    ) -> list[Reply]:
        assert profile == "starter"
        calls.append(list(items))
        for number in range(len(items)):
            on_answer(number + 1, len(items))
        return [Reply(answer(item), 0.5) for item in items]

    monkeypatch.setattr(starter_figures, "ask_profile", ask)
    return calls


def test_sets_hold_validation_rows_only_with_all_that_people_said(root: Path) -> None:
    sets = starter_figures.read_sets(root)
    assert [(item.image, item.golds) for item in sets["coco"]] == [
        (root / "coco/images/a.jpg", ("two dogs on a bed", "dogs sleep")),
        (root / "coco/images/b.jpg", ("a man rides a horse",)),
        (root / "coco/images/c.jpg", ()),  # its objects are known
    ]
    assert [item.image.name for item in sets["flickr8k"]] == ["f.jpg"]
    asked = [item.question for item in sets["vqa"]]
    assert asked == ["Is it a dog?", "How many?", "What is he on?"]
    assert [item.image.name for item in sets["vqa shuffled"]] == ["b.jpg", "a.jpg", "a.jpg"]
    assert {name: len(items) for name, items in sets.items() if name[0] in "pec"} == {
        "coco": 3, "presence": 3, "existence": 2, "counts": 2,
    }  # fmt: skip
    assert all(len(items) == 1 for items in starter_figures.read_sets(root, 1).values())


def test_only_some_sets_may_be_measured(root: Path, calls: list[list[Item]]) -> None:
    sets = starter_figures.read_sets(root, only=["presence", "counts"])
    replies, rates = starter_figures.ask_sets(sets, "starter")
    found = starter_figures.score(sets, replies, {}) | rates
    assert [len(call) for call in calls] == [5]
    lines = table(found).splitlines()[2:]
    assert [line.split("|")[1].strip() for line in lines] == [
        "presence, POPE: mean of yes and no",
        "presence, POPE: where yes is right, where no is right",
        "presence, POPE: accuracy",
        "counts, GVTBench: accuracy",
        "… mean absolute error",
        "answers a second",
    ]


def test_figures_are_those_of_the_answers(
    root: Path, calls: list[list[Item]], capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
) -> None:  # fmt: skip
    options = ["--data", root, "--json", tmp_path / "f.json", "--answers", tmp_path / "a.jsonl"]
    monkeypatch.setattr(sys, "argv", ["starter_figures", *map(str, options)])
    assert starter_figures.main() == 0
    found = json.loads((tmp_path / "f.json").read_text(encoding="utf-8"))

    assert [{item.question is None for item in call} for call in calls] == [{True}, {False}]
    # "Is it a dog?" yes, "What is he on?" horse; of the shuffled ones nothing is right.
    assert (found["questions"], found["vqa"]) == (3, pytest.approx(200 / 3))
    assert (found["vqa_yes_no"], found["vqa_number"], found["vqa_other"]) == (100, 0, 100)
    assert found["vqa_above_shuffled"] == pytest.approx(200 / 3)
    # It says yes of a.jpg, whatever the question, and no of b.jpg.
    assert (found["presence_yes"], found["presence_no"]) == (100, 50)
    assert (found["presence_balanced"], found["presence"]) == (75, pytest.approx(200 / 3))
    assert found["presence_majority_answer"] == pytest.approx(200 / 3)
    assert (found["existence_balanced"], found["existence_pictures"]) == (50, 1)
    assert (found["counts"], found["counts_error"]) == (50, 1)
    assert (found["counts_always_one"], found["counts_error_always_one"]) == (50, 0.5)
    assert (found["coco_captions"], found["coco_references"]) == (2, 3)
    # Ours: dog and cat, woman. People's: dogs on a bed.
    assert (found["chair_captions"], found["chair_mentions"]) == (2, 3)
    assert (found["chair_i"], found["chair_s"]) == (pytest.approx(100 / 3), 50)
    assert (found["people_chair_i"], found["people_objects_recall"]) == (0, 100)

    printed = capsys.readouterr().out
    assert len(printed.splitlines()) == 2 + len(rows())  # no row lacks a figure
    assert "| presence, POPE: mean of yes and no | 3 questions, 2 photos | 75.0 % |" in printed
    assert "| questions, COCO val2014: yes/no | 1 questions | 100.0 % |" in printed
    lines = (tmp_path / "a.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(lines) == sum(map(len, calls))
    assert json.loads(lines[0]) == {
        "set": "flickr8k", "image": "f.jpg", "question": None,
        "golds": ["a dog runs", "a brown dog"], "answer": "a dog runs", "confidence": 0.5,
    }  # fmt: skip


def test_ten_answers_are_scored_officially_and_one_by_itself() -> None:
    ten = Item(Path("a.jpg"), "What is it?", ("cat",) * 2 + ("dog",) * 8, "other")
    one = Item(Path("b.jpg"), "How many?", ("two",), "number")
    answered = score_answers([ten, one], [Reply("cat", 1.0), Reply("2", 1.0)])
    found = starter_figures.vqa_scores(answered, [Reply("", 0.0)] * 2)
    assert (found["vqa_other"], found["vqa_number"]) == (pytest.approx(60), 100)
    assert (found["vqa_yes_no_questions"], found["vqa_yes_no"]) == (0, 0)  # nobody asked for one


def test_a_model_that_fails_gives_no_figures(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def load(profile: str) -> None:
        raise WeightsError("There is no such model.")

    monkeypatch.setattr(runner, "load_engine", load)
    monkeypatch.setattr(sys, "argv", ["starter_figures", "--data", str(root)])
    assert one_sentence(starter_figures.main) == 1
    assert capsys.readouterr() == ("", "There is no such model.\n")


def test_the_confidence_is_fitted_to_captions_and_answers_if_asked_for(
    root: Path, calls: list[list[Item]], monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    fitted: list[Scored] = []

    def recalibrate(profile: Profile, replies: Sequence[Scored]) -> dict[str, Change]:
        fitted.extend(replies)
        return {"answer": Change(3, 0.2, 0.1)}

    monkeypatch.setattr(starter_figures, "recalibrate", recalibrate)
    monkeypatch.setattr(starter_figures, "check_adapter", lambda profile: None)
    monkeypatch.setattr(sys, "argv", ["starter_figures", "--data", str(root), "--calibrate"])
    assert starter_figures.main() == 0
    assert [(each.item.image.name, each.score) for each in fitted] == [
        ("f.jpg", 1), ("a.jpg", 1), ("b.jpg", 0), ("b.jpg", 1),
    ]  # fmt: skip
    assert "answers: calibration error 0.200 before, 0.100 now" in capsys.readouterr().out
