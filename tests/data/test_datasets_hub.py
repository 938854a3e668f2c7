"""The hub through a stand-in for the `datasets` library, with its names and shapes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from official_files import answered, asked, captions_of, coco_name, pictures

from data.datasets.builder import BuildOptions
from data.datasets.flickr import build_flickr
from data.datasets.records import read_pictures
from data.datasets.vqa import build_vqa
from data.errors import DataError


class Stream:
    """An IterableDataset."""

    def __init__(self, rows: list[Any], decode: bool = True) -> None:
        self.rows, self.decode = rows, decode
        self.column_names = [*rows[0]]
        self.given = 0

    def cast_column(self, column: str, kind: SimpleNamespace) -> Stream:
        assert column == "image"
        return Stream(self.rows, kind.decode)

    def __iter__(self) -> Iterator[Any]:
        for row in self.rows:
            if isinstance(row, Exception):
                raise row
            assert "image" not in row or not self.decode
            yield row


class Hub:
    def __init__(self) -> None:
        self.sets: dict[str, dict[str, list[Any]]] = {}

    def get_dataset_split_names(self, name: str) -> list[str]:
        return [*self.sets[name]]

    def load_dataset(self, name: str, *, split: str, streaming: bool) -> Stream:
        assert streaming
        return Stream(self.sets[name][split])

    def Image(self, decode: bool) -> SimpleNamespace:  # noqa: N802
        return SimpleNamespace(decode=decode)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Hub:
    hub = Hub()
    monkeypatch.setitem(sys.modules, "datasets", hub)  # type: ignore[arg-type]
    return hub


@pytest.fixture
def jpeg(tmp_path: Path) -> bytes:
    return (pictures(tmp_path / "source", ["x.jpg"]) / "x.jpg").read_bytes()


def captioned(name: str, jpeg: bytes) -> dict[str, Any]:
    return {"image": {"bytes": jpeg, "path": None}, "caption": captions_of(name), "filename": name}


def flickr(to: Path, **options: Any) -> Any:
    return build_flickr("flickr30k", BuildOptions(to, **options), None, None, hub="some/flickr30k")


def test_captioned_pictures_are_saved_as_they_are(hub: Hub, tmp_path: Path, jpeg: bytes) -> None:
    names = {"train": ["1.jpg", "2.jpg"], "validation": ["3.jpg"], "test": ["4.jpg"]}
    hub.sets["some/flickr30k"] = {
        split: [captioned(name, jpeg) for name in some] for split, some in names.items()
    }
    done = flickr(tmp_path / "to")
    assert {split: n["rows"] for split, n in done.counts.items()} == {
        "train": 2, "val": 1, "test": 1,
    }  # fmt: skip
    (record,) = read_pictures(
        [tmp_path / "to/captions.jsonl"], tmp_path / "to/images", {"split": "val"}
    )
    assert record.captions == captions_of("3.jpg")
    assert record.image.read_bytes() == jpeg
    hub.sets.clear()
    assert flickr(tmp_path / "to").unchanged


def test_an_interrupted_fetch_keeps_its_pictures(hub: Hub, tmp_path: Path, jpeg: bytes) -> None:
    rows: list[Any] = [captioned("1.jpg", jpeg), ConnectionError("reset"), captioned("2.jpg", jpeg)]
    hub.sets["some/flickr30k"] = {"train": rows}
    sentence = r"^The dataset some/flickr30k\S* could not be read from the hub; check its name and"
    with pytest.raises(DataError, match=sentence):
        flickr(tmp_path / "to")
    saved = tmp_path / "to/images/1.jpg"
    before = saved.stat().st_mtime_ns
    assert not (tmp_path / "to/captions.jsonl").exists()
    assert not (tmp_path / "to/dataset.json").exists()
    del rows[1]
    assert flickr(tmp_path / "to").counts["train"]["rows"] == 2
    assert saved.stat().st_mtime_ns == before
    with pytest.raises(DataError, match=sentence):
        build_flickr(
            "flickr30k", BuildOptions(tmp_path / "else"), None, None, hub="some/flickr30k-0"
        )
    assert not (tmp_path / "else").exists()


def test_a_try_stops_early(hub: Hub, tmp_path: Path, jpeg: bytes) -> None:
    hub.sets["some/flickr30k"] = {
        "train": [captioned("1.jpg", jpeg), captioned("2.jpg", jpeg), ValueError("too far")]
    }
    assert flickr(tmp_path / "to", limit=1).counts == {"train": {"rows": 1, "pictures": 1}}
    assert [path.name for path in (tmp_path / "to/images").iterdir()] == ["1.jpg"]


def test_pictures_of_the_hub_go_nowhere_else(hub: Hub, tmp_path: Path, jpeg: bytes) -> None:
    hub.sets["some/flickr30k"] = {"train": [captioned("../1.jpg", jpeg)]}
    with pytest.raises(DataError, match=r"names the picture '\.\./1\.jpg', which is no name"):
        flickr(tmp_path / "to")
    hub.sets["some/flickr30k"] = {"train": [captioned("x.jpg", b"evil")]}
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked/images").symlink_to(tmp_path / "source")
    with pytest.raises(DataError, match="images is there already"):
        flickr(tmp_path / "linked")
    assert (tmp_path / "source/x.jpg").read_bytes() == jpeg


def question(image_id: int, jpeg: bytes | None) -> dict[str, Any]:
    picture = {"image": {"bytes": jpeg, "path": None}} if jpeg else {}
    return {**asked(image_id, 0), **answered(image_id, 0), **picture}


def test_questions_come_with_pictures_or_to_them(hub: Hub, tmp_path: Path, jpeg: bytes) -> None:
    hub.sets["some/vqa"] = {"validation": [question(42, jpeg)], "testdev": [ValueError("unread")]}
    done = build_vqa(BuildOptions(tmp_path / "to"), hub="some/vqa")
    assert done.warnings == (
        "Expected 443,757 questions in the split 'train', found 0.",
        "Expected 214,354 questions in the split 'val', found 1.",
    )
    (record,) = read_pictures([tmp_path / "to/vqa.jsonl"], tmp_path / "to/images")
    assert record.image.name == coco_name("val2014", 42)
    assert record.image.read_bytes() == jpeg
    columns = {
        key: [a[key] for a in answered(9, 0)["answers"]] for key in ("answer_confidence", "answer")
    }
    hub.sets["some/texts"] = {"train": [{**question(9, None), "answers": columns}]}
    here = pictures(tmp_path / "coco/train2014", [coco_name("train2014", 9)])
    build_vqa(BuildOptions(tmp_path / "texts"), images=[here.parent], hub="some/texts")
    (record,) = read_pictures([tmp_path / "texts/vqa.jsonl"], tmp_path / "texts/images")
    assert record.questions[0].answers == (("cat", 7), ("dog", 3))
    with pytest.raises(DataError, match="has no picture; name a folder of pictures with --images"):
        build_vqa(BuildOptions(tmp_path / "none"), hub="some/texts")


def test_without_the_library_one_sentence_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(DataError, match=r"^Reading from the hub .*: pip install datasets\.$"):
        flickr(tmp_path / "to")
    assert not (tmp_path / "to").exists()
