"""The scripts that prove that training works, on tiny models and few steps."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from PIL import Image
from tiny_data import write_profile, write_rows

from data.errors import DataError
from finetune.evaluation.dataset import Item
from finetune.evaluation.runner import Reply
from finetune.research import sanity
from model.config import load_profile


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[list[Item]]:
    """Answers every question rightly the first time, and with "no" the second."""
    calls: list[list[Item]] = []

    def ask(profile: str, items: Sequence[Item]) -> list[Reply]:
        assert load_profile(profile).adapter_folder.is_dir()
        calls.append(list(items))
        return [Reply(item.golds[0] if len(calls) == 1 else "no", 1.0) for item in items]

    monkeypatch.setattr(sanity, "ask_profile", ask)
    return calls


def test_easy_vqa_is_learnt_and_then_asked_with_and_without_its_pictures(
    tmp_path: Path, hub: Path, seen: list[list[Item]]
) -> None:
    base = str(write_profile(tmp_path, hub, "llama"))
    figures = sanity.easy_vqa(tmp_path / "run", 2, 6, 4, base)
    assert figures["with pictures"] == 100
    assert 0 < figures["shuffled pictures"] < 100
    assert 0 < figures["always yes"] < 60
    assert 30 < figures["question only"] < 90
    assert figures["questions"] == len(seen[0]) == len(seen[1])
    written = (tmp_path / "run/questions.jsonl").read_text(encoding="utf-8")
    learnt = [json.loads(line) for line in written.splitlines()]
    assert {Path(row["image"]).parent.name for row in learnt} == {"train"}
    assert {asked.image.parent.name for asked in seen[0]} == {"test"}
    assert all(one.image != two.image for one, two in zip(*seen, strict=True))
    assert [one.question for one in seen[0]] == [two.question for two in seen[1]]
    assert {asked.image.is_file() for call in seen for asked in call} == {True}


@pytest.mark.parametrize(
    ("pictures", "shuffled", "status"), [(90, 70, 0), (89.9, 60, 1), (95, 70.1, 1)]
)
def test_the_status_tells_whether_the_figures_are_good(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    pictures: float,
    shuffled: float,
    status: int,
) -> None:
    figures = {"with pictures": pictures, "shuffled pictures": shuffled}
    monkeypatch.setattr(sanity, "easy_vqa", lambda *_: figures)
    monkeypatch.setattr("sys.argv", ["sanity", "easy-vqa"])
    assert sanity.main() == status
    said = capsys.readouterr().out
    assert f"| with pictures | {pictures} |" in said
    assert ("Good." in said) == (status == 0)


def test_blind_answers_are_the_most_common_ones_of_training() -> None:
    def asked(question: str, answer: str) -> Item:
        return Item(Path("a.png"), question, (answer,))

    train = [asked("A?", "red"), asked("A?", "blue"), asked("A?", "blue"), asked("B?", "no")]
    test = [asked("B?", "yes"), asked("A?", "red"), asked("C?", "yes")]
    assert sanity.blind_answers(train, test) == ["no", "blue", "yes"]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A data folder in the shape that `overfit` wants."""
    root = tmp_path / "photos"
    for folder, names in {
        "flickr8k/images": [f"{n}.jpg" for n in range(8)],
        "coco/images": [f"COCO_{s}2014_{n}.jpg" for s in ("train", "val") for n in range(4)],
    }.items():
        (root / folder).mkdir(parents=True)
        for name in names:
            Image.new("RGB", (20, 20)).save(root / folder / name)
    colours = ["brown", "white", "black", "red"]
    captions = [
        {
            "image": f"{n}.jpg",
            "split": "train",
            "captions": [
                f"A {colours[n % 4]} {'dog' if n % 2 else 'cat'} in the grass .",
                f"Two men look at a {colours[n % 4]} {'dog' if n % 2 else 'cat'} .",
            ],
        }
        for n in range(8)
    ]
    write_rows(root / "flickr8k/captions.jsonl", captions)
    questions = [
        {"image": f"COCO_{s}2014_{n}.jpg", "question": f"What is {q}?", "answers": [s, s, "else"]}
        for s in ("train", "val")
        for n in range(4)
        for q in range(3)
    ]
    write_rows(root / "coco/vqa.jsonl", questions)
    return root


def test_two_questions_are_chosen_about_each_picture(photos: Path) -> None:
    asked = sanity.choose_questions(photos, 6)
    told, human = asked[:-6], asked[-6:]
    assert len({a.image for a in human}) == 3
    assert {a.golds for a in human} == {("train",)}
    assert told
    assert len(told) == 2 * len({a.image for a in told})
    assert all(a.image.is_file() for a in asked)
    polar = [a.golds[0] in ("yes", "no") for a in told]
    assert polar == [True, False] * (len(told) // 2)


@pytest.mark.parametrize("right", [True, False])
def test_overfitting_tells_how_much_was_learnt(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    photos: Path,
    tmp_path: Path,
    right: bool,
) -> None:
    monkeypatch.setattr(sanity, "learn", lambda *_: "profile.toml")
    monkeypatch.setattr(
        sanity, "ask_profile",
        lambda _, items: [Reply(it.golds[0] if right else "?", 1.0) for it in items],
    )  # fmt: skip
    monkeypatch.setattr("sys.argv", ["sanity", "overfit", "--data", str(photos), "--pictures", "4"])
    assert sanity.main() == (0 if right else 1)
    said = capsys.readouterr().out
    assert ("100.0 % right" if right else "0.0 % right; with shuffled pictures 0.0 %.") in said


def failing(error: Exception) -> Callable[[], int]:
    def main() -> int:
        raise error

    return main


def test_what_goes_wrong_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert sanity.one_sentence(failing(DataError("The file is missing."))) == 1
    assert capsys.readouterr().err == "The file is missing.\n"
    assert sanity.one_sentence(lambda: 0) == 0
    with pytest.raises(ZeroDivisionError):
        sanity.one_sentence(failing(ZeroDivisionError()))
