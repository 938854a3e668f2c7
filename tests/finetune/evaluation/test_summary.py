"""The dataset as it is asked, and figures that can be worked out by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_data import write_rows

from data.errors import DataError
from finetune.evaluation.dataset import Dataset, Item, read_dataset
from finetune.evaluation.metrics import Estimate, bootstrap, words
from finetune.evaluation.runner import Replies, Reply
from finetune.evaluation.summary import caption_figures, figures_of
from finetune.scst import CiderD

CAT, DOG, COW = Path("cat.jpg"), Path("dog.jpg"), Path("cow.jpg")


def test_bootstrap_is_the_normal_interval_of_many_independent_scores() -> None:
    scores = np.random.default_rng(1).normal(5, 2, 2000).tolist()
    found = bootstrap(scores, range(2000), seed=3)
    error = 1.96 * np.std(scores) / np.sqrt(2000)
    assert found.value == pytest.approx(np.mean(scores))
    assert found.low == pytest.approx(found.value - error, abs=0.01)
    assert found.high == pytest.approx(found.value + error, abs=0.01)
    assert bootstrap(scores, range(2000), seed=3) == found
    assert bootstrap(scores, range(2000), seed=4) != found


def test_bootstrap_draws_whole_pictures() -> None:
    scores = [float(i % 2) for i in range(40)]
    alone = bootstrap([*scores] * 10, range(400), 0)
    together = bootstrap([*scores] * 10, [i % 40 for i in range(400)], 0)  # ten questions each
    assert together.high - together.low > 2.5 * (alone.high - alone.low)
    assert bootstrap([0.25], ["a"], 0) == Estimate(0.25, 0.25, 0.25)


def question(image: Path, text: str, gold: str, kind: str = "other") -> Item:
    return Item(image, text, (gold,), kind, text.split(maxsplit=1)[0])


def replies_of(*texts: str, confidence: float = 0.9) -> tuple[Reply, ...]:
    return tuple(Reply(text, confidence) for text in texts)


def test_accuracy_stands_beside_its_controls() -> None:
    items = (
        question(CAT, "What is it?", "cat"),
        question(DOG, "What is it?", "dog"),
        question(COW, "What is it?", "cat"),
        question(CAT, "Is it big?", "no", "yes/no"),
    )
    replies = Replies(
        (),
        replies_of("Cat.", "dog", "cow", "no"),
        replies_of("dog", "dog", "dog", "no"),
        replies_of("sky", "sky", "sky", "yes"),
    )
    figures, scored = figures_of(Dataset((), items), replies, seed=0)
    assert figures.captions is None
    assert figures.questions is not None
    whole = figures.questions.overall
    assert whole.shuffled is not None
    values = [whole.model, whole.shuffled, whole.blank, whole.majority, whole.per_question]
    assert [v.value for v in values] == [75, 50, 0, 50, 75]
    assert all(0 <= v.low <= v.value <= v.high <= 100 for v in values)
    assert [*figures.questions.answer_types] == ["other", "yes/no"]
    assert figures.questions.answer_types["yes/no"].majority.value == 100
    assert [*figures.questions.question_types] == ["What", "Is"]
    (full,) = figures.questions.reliability.bins
    assert (full.low, full.count, full.accuracy) == (0.9, 4, 0.75)
    assert figures.questions.reliability.error == pytest.approx(0.15)
    assert [s.score for s in scored] == [1, 1, 0, 1]


def test_captions_are_scored_as_elsewhere_in_the_project() -> None:
    golds = [("A red cat sleeps on a mat", "a cat lies"), ("Two dogs run over the green grass",)]
    items = [Item(CAT, None, golds[0]), Item(DOG, None, golds[1])]
    made = ["a red cat sleeps on a sofa", "two dogs run over the grass"]
    scorer = CiderD({str(i): [words(text) for text in texts] for i, texts in enumerate(golds)})
    ciders = [100 * scorer(words(text), str(i)) for i, text in enumerate(made)]
    found, scored = caption_figures(items, replies_of(*made), 0, [0.5, 0.7])
    assert [each.cider for each in scored] == pytest.approx(ciders)
    assert [each.score for each in scored] == [0.75, 1]
    assert found.cider.value == pytest.approx(sum(ciders) / 2)
    assert (found.count, found.distinct) == (2, 100)
    assert 0 < found.bleu4 < 100
    assert found.shuffled_cider is not None
    assert found.shuffled_cider.value < 1 < found.cider.value
    # ROUGE-L by hand: 6 of 7 words in order; 6 of 6 and of 7.
    first, second = 6 / 7, (1 + 1.2**2) * 1 * (6 / 7) / (6 / 7 + 1.2**2 * 1)
    assert found.rouge_l.value == pytest.approx(50 * (first + second))
    assert found.clip_score is not None
    assert found.clip_score.value == pytest.approx(60)
    (alone,) = caption_figures(items[:1], replies_of(made[0]), 0, None)[1]
    assert alone.cider is None  # of one picture every word is as common as can be


def test_rows_of_every_shape_are_read(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        Image.new("RGB", (4, 4)).save(tmp_path / name)
    rows = [
        {"image": "a.png", "captions": ["A cat", "!"], "split": "val"},
        {"image": "a.png", "captions": ["A pet"], "split": "val"},
        {"image": "b.png", "question": "How many?", "answers": ["2", "2", "3, 4"], "x_split": "val",
         "question_type": "how many"},
        {"image": "b.png", "question": "Is it red?", "answer": "Yes.", "split": "val"},
        {"image": "b.png", "statement": "The cat is red.", "label": 0, "split": "val"},
        {"image": "b.png", "hypothesis": "A cat.", "gold_label": "neutral", "split": "val"},
        {"image": "gone.png", "question": "Why?", "answer": "so", "split": "train"},
    ]  # fmt: skip
    path = tmp_path / "rows.jsonl"
    write_rows(path, rows)
    found = read_dataset(path, tmp_path, "val")
    assert found.captions == (Item(tmp_path / "a.png", None, ("A cat", "A pet")),)
    kinds = [(q.question, q.golds, q.answer_type, q.question_type) for q in found.questions]
    assert kinds == [
        ("How many?", ("2", "2", "3, 4"), "number", "how many"),
        ("Is it red?", ("Yes.",), "yes/no", "is it"),
        ("Is the cat red?", ("no",), "yes/no", "is the"),
    ]
    assert len(read_dataset(path, tmp_path, "val", limit=1).questions) == 1
    assert found.repeated == 0
    for wrong, sentence in [
        ({"split": None}, "1 of 3 pictures are missing in .*, such as gone.png"),
        ({"split": "test"}, "no rows of the split 'test' to evaluate"),
        ({"images": tmp_path / "no"}, "There is no folder .* of pictures; name it with --images"),
        ({"path": tmp_path / "no"}, "The dataset file .* is missing"),
    ]:
        with pytest.raises(DataError, match=sentence):
            read_dataset(**{"path": path, "images": tmp_path, "split": "val"} | wrong)


def test_a_question_counts_once_however_often_its_id_comes(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        Image.new("RGB", (4, 4)).save(tmp_path / name)
    ids = [("a.png", 7), ("a.png", 8), ("a.png", "7"), ("b.png", 7), ("a.png", 7), ("a.png", None)]
    rows = [
        {"image": image, "question": f"Is it {n}?", "answer": "no", "question_id": number}
        for n, (image, number) in enumerate([*ids, ("a.png", None)])
    ]
    path = tmp_path / "rows.jsonl"
    write_rows(path, rows)
    found = read_dataset(path, tmp_path, limit=4)
    asked = [f"Is it {n}?" for n in (0, 1, 3, 5)]
    assert ([q.question for q in found.questions], found.repeated) == (asked, 2)
    assert len(read_dataset(path, tmp_path).questions) == 5
