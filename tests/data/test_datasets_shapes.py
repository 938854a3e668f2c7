from __future__ import annotations

from collections import Counter
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data.datasets.builder import BuildOptions
from data.datasets.records import read_pictures
from data.datasets.shapes import COLOURS, build_shapes, random_shapes
from data.errors import DataError


def test_what_is_said_of_a_picture_is_true(tmp_path: Path) -> None:
    to = tmp_path / "shapes"
    done = build_shapes(BuildOptions(to), 40)
    assert done.warnings == ()
    assert {split: n["pictures"] for split, n in done.counts.items()} == {"train": 32, "val": 8}
    records = read_pictures([to / "rows.jsonl"], to / "images")
    for record, shapes in zip(records, islice(random_shapes(0), 40), strict=True):
        pixels = np.asarray(Image.open(record.image).convert("RGB")).reshape(-1, 3)
        seen = {tuple(map(int, p)) for p in np.unique(pixels, axis=0)}
        there = {name for name, colour in COLOURS.items() if colour in seen}
        assert there == {shape.colour for shape in shapes}
        answers = {q.question: q.answers[0][0] for q in record.questions}
        assert answers["How many shapes are there?"] == str(len(there))
        for question, answer in answers.items():
            if question.startswith("Is anything "):
                assert (question[12:-1] in there) == (answer == "yes")
        assert all(name in record.captions[0] for name in there)


def test_yes_and_no_come_equally_often(tmp_path: Path) -> None:
    build_shapes(BuildOptions(tmp_path / "shapes"), 60)
    records = read_pictures([tmp_path / "shapes/rows.jsonl"], tmp_path / "shapes/images")
    answers = Counter(q.answers[0][0] for r in records for q in r.questions)
    assert 0.4 < answers["yes"] / (answers["yes"] + answers["no"]) < 0.6


def test_the_same_seed_draws_the_same_and_nothing_is_done_twice(tmp_path: Path) -> None:
    for name in ("one", "two"):
        build_shapes(BuildOptions(tmp_path / name), 12, seed=3)
    assert (tmp_path / "one/rows.jsonl").read_bytes() == (tmp_path / "two/rows.jsonl").read_bytes()
    assert build_shapes(BuildOptions(tmp_path / "one"), 12, seed=3).unchanged
    assert not build_shapes(BuildOptions(tmp_path / "one"), 10, seed=3).unchanged
    assert len([*(tmp_path / "one/images").iterdir()]) == 10
    other = build_shapes(BuildOptions(tmp_path / "three"), 12, seed=4)
    assert (other.folder / "rows.jsonl").read_bytes() != (tmp_path / "one/rows.jsonl").read_bytes()


def test_somebody_elses_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text("mine")
    with pytest.raises(DataError, match="is there already"):
        build_shapes(BuildOptions(tmp_path), 12)
    assert [path.name for path in tmp_path.iterdir()] == ["rows.jsonl"]
    assert (tmp_path / "rows.jsonl").read_text() == "mine"
