from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from official_files import pictures

from data.datasets.builder import BuildOptions
from data.datasets.jsonl import build_jsonl
from data.datasets.records import read_pictures
from data.errors import DataError

ASKED = {"image": "a.jpg", "question": "What is it?"}
ROWS: list[dict[str, Any]] = [
    {"image": "a.jpg", "captions": ["A dog runs."], "split": "val"},
    {**ASKED, "answers": ["cat", "cat", "dog"], "question_id": 1},
    {**ASKED, "answer": "cat", "question_id": 1},
    {"image": "sub/b.jpg", "question": "How many?", "answer": 2, "coco_split": "../.."},
    {"image": "b.jpg", "statement": "The dog is wet.", "label": 1},
    {"image": "lost.jpg", "captions": ["Nothing."]},
]


@pytest.fixture
def images(tmp_path: Path) -> list[Path]:
    folders = [tmp_path / "one" / "photos", tmp_path / "two" / "photos"]
    pictures(folders[0], ["a.jpg"])
    pictures(folders[0] / "sub", ["b.jpg"])
    pictures(folders[1], ["b.jpg"])
    return folders


def test_rows_of_any_shape_find_their_pictures_in_any_folder(
    tmp_path: Path, images: list[Path]
) -> None:
    with gzip.open(tmp_path / "rows.jsonl.gz", "wt") as file:
        file.write("".join(json.dumps(row) + "\n" for row in ROWS))
    to = tmp_path / "to"
    done = build_jsonl(BuildOptions(to), [tmp_path / "rows.jsonl.gz"], images)
    assert done.counts["val"] == {"rows": 1, "pictures": 1}
    assert done.counts["train"] == {"rows": 3, "pictures": 3}
    assert done.warnings == (
        "Duplicate question ids: 1 (1).",
        "Pictures without a file: 1 (lost.jpg).",
    )
    records = read_pictures([to / "rows.jsonl"], to / "images")
    assert [record.image.relative_to(to).as_posix() for record in records] == [
        "images/photos/a.jpg", "images/photos/sub/b.jpg", "images/photos-2/b.jpg",
    ]  # fmt: skip
    assert all(record.image.is_file() for record in records)
    assert records[0].questions[0].answers == (("cat", 2), ("dog", 1))
    one = build_jsonl(BuildOptions(to), [tmp_path / "rows.jsonl.gz"], images[:1])
    assert one.counts["train"] == {"rows": 2, "pictures": 2}
    assert (to / "images").is_symlink()  # one folder instead of two


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ("[1]", "Line 2 of PATH is not a JSON object."),
        ("[" * 100_000, "PATH holds a line that is no JSON object."),
        ('{"image": ' + "1" * 5000 + "}", "PATH holds a line that is no JSON object."),
        ({"captions": ["A dog."]}, "Row 2 of PATH should hold a text under 'image'."),
        ({"image": "../a.jpg", "captions": ["A dog."]}, "Row 2 of PATH names the picture"),
        ({"image": "a.jpg"}, "Row 2 of PATH has neither captions nor a question."),
        ({"image": "a.jpg", "captions": "A dog."}, "should hold a list of texts under 'captions'."),
        ({"image": "a.jpg", "captions": ["A", " "]}, "Row 2 of PATH has an empty text."),
        ({**ASKED, "answers": [{"answer": "cat"}]}, "should hold a text under 'answers'."),
        (ASKED, "Row 2 of PATH should hold a text under 'answer'."),
        ({**ASKED, "answer": "cat", "split": "\x1b[2J"}, "hold a short text under 'split'."),
    ],
)
def test_a_bad_row_is_one_sentence(
    tmp_path: Path, images: list[Path], row: Any, sentence: str
) -> None:
    path = tmp_path / "rows.jsonl"
    text = row if isinstance(row, str) else json.dumps(row)
    path.write_text(json.dumps(ROWS[0]) + "\n" + text + "\n")
    with pytest.raises(DataError) as caught:
        build_jsonl(BuildOptions(tmp_path / "to"), [path], images)
    assert sentence.replace("PATH", str(path)) in str(caught.value)
    assert not (tmp_path / "to").exists()


def test_the_rows_themselves_are_never_written_over(tmp_path: Path, images: list[Path]) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(ROWS[0]) + "\n")
    with pytest.raises(DataError, match=r"rows\.jsonl is there already"):
        build_jsonl(BuildOptions(tmp_path), [path], images)
    assert json.loads(path.read_text()) == ROWS[0]
