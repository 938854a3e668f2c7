from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest
from official_files import captions_of, karpathy, pictures, tokens, write_json
from PIL import Image

from data.datasets.builder import BuildOptions, BuildResult
from data.datasets.flickr import build_flickr
from data.datasets.manifest import JsonLinesWriter, Manifest
from data.datasets.records import read_pictures
from data.errors import DataError

SPLITS = {"1.jpg": "train", "2.jpg": "train", "3.jpg": "val", "4.jpg": "test"}
TOTALS = tuple(
    f"Expected {wanted:,} pictures in the split '{split}', found {found}."
    for split, wanted, found in (("train", 29000, 2), ("val", 1014, 1), ("test", 1000, 1))
)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    return pictures(tmp_path / "flickr30k-images", [*SPLITS])


@pytest.fixture
def captions(tmp_path: Path) -> Path:
    return karpathy(tmp_path / "dataset_flickr30k.json", SPLITS)


@pytest.fixture
def to(tmp_path: Path) -> Path:
    return tmp_path / "data" / "flickr30k"


def prepare(
    to: Path, images: Path, captions: Path, *splits: Path, **options: object
) -> BuildResult:
    return build_flickr("flickr30k", BuildOptions(to, **options), images, captions, splits=splits)  # type: ignore[arg-type]


def read(to: Path, split: str) -> dict[str, list[str]]:
    records = read_pictures([to / "captions.jsonl"], to / "images", {"split": split})
    for record in records:
        with Image.open(record.image) as image:
            assert image.size == (8, 6)
    return {record.image.name: record.captions for record in records}


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


WHOLE = {"captions.jsonl", "images", "dataset.json"}


def test_karpathys_file_becomes_what_training_reads(to: Path, images: Path, captions: Path) -> None:
    done = prepare(to, images, captions)
    assert read(to, "train") == {name: captions_of(name) for name in ("1.jpg", "2.jpg")}
    assert read(to, "val") == {"3.jpg": captions_of("3.jpg")}
    assert read(to, "test") == {"4.jpg": captions_of("4.jpg")}
    assert (to / "images").readlink() == images  # a link, not a copy
    assert done.warnings == TOTALS
    assert names(to) == WHOLE
    said = json.loads((to / "dataset.json").read_text())
    assert said["counts"]["train"] == {"rows": 2, "pictures": 2}
    assert said["plan"]["sources"][0]["path"] == str(captions)
    assert len(said["plan"]["sources"][0]["sha256"]) == 64
    assert [*said][-1] == "complete"
    assert said["complete"] is True


def test_a_token_file_takes_its_split_from_another_file(
    tmp_path: Path, to: Path, images: Path, captions: Path
) -> None:
    token = tokens(tmp_path / "results_20130124.token", ["0.jpg", *SPLITS])
    prepare(to / "a", images, token, captions)
    train, dev = tmp_path / "Flickr_8k.trainImages.txt", tmp_path / "Flickr_8k.devImages.txt"
    train.write_text("1.jpg\n2.jpg\n")
    dev.write_text("3\n")  # as Flickr30k Entities write names
    done = prepare(to / "b", images, token, train, dev)
    for folder in (to / "a", to / "b"):
        assert read(folder, "train") == {name: captions_of(name) for name in ("1.jpg", "2.jpg")}
        assert [*read(folder, "val")] == ["3.jpg"]
    assert "test" not in done.counts  # 4.jpg is in no split, and neither is 0.jpg
    done = prepare(to / "c", images, token)
    assert done.counts == {"train": {"rows": 4, "pictures": 4}}
    assert done.warnings == (
        "Pictures without a file: 1 (0.jpg).",
        "Expected 31,783 pictures in the split 'train', found 4.",
    )


def test_what_is_missing_or_twice_is_said(tmp_path: Path, to: Path, images: Path) -> None:
    (images / "2.jpg").write_bytes(b"")
    lost = [f"lost{n}.jpg" for n in range(4)]
    token = tokens(tmp_path / "results.token", ["1.jpg", "2.jpg", *lost])
    with token.open("a") as file:
        file.write("1.jpg#0\tAgain.\n\n3.jpg#0\tA dog.\n3.jpg#1\t \n")
    done = prepare(to, images, token)
    assert done.warnings == (
        "Captions that appear twice: 1 (1.jpg#0).",
        "Pictures without a file: 5 (2.jpg, lost0.jpg, lost1.jpg, …).",
        "Pictures with other than 5 captions: 1 (3.jpg).",
        "Expected 31,783 pictures in the split 'train', found 2.",
    )
    assert read(to, "train") == {"1.jpg": captions_of("1.jpg"), "3.jpg": ["A dog."]}


def test_whoever_is_strict_gets_all_or_nothing(to: Path, images: Path, captions: Path) -> None:
    with pytest.raises(DataError, match=r"^Expected 29,000 pictures .* found 2\.$"):
        prepare(to, images, captions, strict=True)
    assert not to.exists()
    done = prepare(to, images, captions, strict=True, limit=1)
    assert [counts["rows"] for counts in done.counts.values()] == [1, 1, 1]
    (images / "1.jpg").unlink()
    with pytest.raises(DataError, match="Pictures without a file"):
        prepare(to, images, captions, strict=True)
    assert read(to, "val")  # what was there before stays
    again = prepare(to, images, captions, limit=1)  # and a lost picture is noticed
    assert not again.unchanged
    assert "Pictures without a file: 1 (1.jpg)." in again.warnings


def test_nothing_happens_again_unless_something_changed(
    to: Path, images: Path, captions: Path
) -> None:
    first = prepare(to, images, captions)
    before = (to / "dataset.json").stat().st_mtime_ns
    again = prepare(to, images, captions)
    assert again.unchanged
    assert (again.counts, again.warnings) == (first.counts, first.warnings)
    with pytest.raises(DataError, match="Expected"):
        prepare(to, images, captions, strict=True)
    assert (to / "dataset.json").stat().st_mtime_ns == before
    (to / "captions.jsonl").write_text("{}")
    assert not prepare(to, images, captions).unchanged
    (to / "images").unlink()
    assert not prepare(to, images, captions).unchanged
    assert not prepare(to, images, captions, limit=1).unchanged
    karpathy(captions, {**SPLITS, "2.jpg": "val"})
    assert prepare(to, images, captions).counts["val"]["rows"] == 2


def test_missing_pictures_are_looked_for_anew(to: Path, images: Path, captions: Path) -> None:
    (images / "4.jpg").rename(images / "away.jpg")
    assert "test" not in prepare(to, images, captions).counts
    (images / "away.jpg").rename(images / "4.jpg")
    assert prepare(to, images, captions).counts["test"]["rows"] == 1


def test_an_interrupted_run_leaves_no_trace(
    to: Path, images: Path, captions: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(JsonLinesWriter, "digest", stop)
        with pytest.raises(KeyboardInterrupt):
            prepare(to, images, captions)
        assert not to.exists()
    prepare(to, images, captions)
    karpathy(captions, {"1.jpg": "train"})
    with monkeypatch.context() as patch:
        patch.setattr(JsonLinesWriter, "digest", stop)
        with pytest.raises(KeyboardInterrupt):
            prepare(to, images, captions)
    assert names(to) == WHOLE
    assert len(read(to, "train")) == 2  # still the old one


def test_a_run_killed_at_any_step_never_looks_whole(
    to: Path, images: Path, captions: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def die(*_: object, **__: object) -> None:
        raise Killed

    whole: list[bool] = []
    for owner, step in (
        (JsonLinesWriter, "publish"),
        (type(to), "symlink_to"),
        (Manifest, "commit"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(owner, step, die)
            with pytest.raises(Killed):
                prepare(to, images, captions)
        whole.append((to / "dataset.json").exists())
        (to / "captions.jsonl.part").write_text('{"half a')  # as if killed while writing
    assert whole == [False] * 3
    prepare(to, images, captions)
    assert names(to) == WHOLE
    assert len(read(to, "train")) == 2


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_a_sentence(
    to: Path, images: Path, captions: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def full(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(JsonLinesWriter, "write", full)
    with pytest.raises(DataError, match=rf"^The disk of {to} is full; make room and try again\.$"):
        prepare(to, images, captions)
    assert not to.exists()


def test_nobody_elses_files_are_touched(
    tmp_path: Path, to: Path, images: Path, captions: Path
) -> None:
    to.mkdir(parents=True)
    for name in ("captions.jsonl", "dataset.json"):
        (to / name).write_text("precious")
        with pytest.raises(DataError, match=f"{name} is there already; please name another"):
            prepare(to, images, captions)
        assert (to / name).read_text() == "precious"
        (to / name).unlink()
    pictures(to / "images", ["holiday.jpg"])
    with pytest.raises(DataError, match="images is there already"):
        prepare(to, images, captions)
    assert names(to) == {"images"}
    prepare(to / "other", images, captions)
    (to / "other/images.part").mkdir()
    (to / "other/images.part/holiday.jpg").write_text("precious")
    (to / "other/images").unlink()
    with pytest.raises(DataError, match="directory not empty"):
        prepare(to / "other", images, captions)
    with pytest.raises(DataError, match="is there already"):  # another dataset
        build_flickr("flickr8k", BuildOptions(to / "other"), images, captions)
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"cannot be written to .*: file exists\.$"):
        prepare(tmp_path / "file", images, captions)


def test_pictures_that_lie_in_the_folder_already_are_used_there(to: Path, captions: Path) -> None:
    images = pictures(to / "images", [*SPLITS])
    prepare(to, images, captions)
    assert not images.is_symlink()
    assert len(read(to, "train")) == 2
    assert prepare(to, images, captions).unchanged


def test_pictures_may_move(tmp_path: Path, to: Path, images: Path, captions: Path) -> None:
    prepare(to, images, captions)
    moved = images.rename(tmp_path / "moved")
    prepare(to, moved, captions)
    assert (to / "images").readlink() == moved
    with pytest.raises(DataError, match=r"The folder of pictures .* is missing\."):
        prepare(to, images, captions)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "No pictures could be prepared."),
        ("{", " is not valid JSON."),
        ('{"images": ' + "[" * 100_000, " is not valid JSON."),
        ('{"a": 1}', " should hold a list under 'images'."),
        ('{"images": [3]}', "Picture 1 of PATH is not a JSON object."),
        ('{"images": [{"filename": 3}]}', "should hold a text under 'filename'."),
        ("1.jpg\tA dog.\n", "Line 1 of PATH is not a file name, #, a number, a tab and a caption."),
        ("../1.jpg#0\tA dog.\n", "Line 1 of PATH names the picture '../1.jpg', which is no name"),
        ("/etc/1.jpg#0\tA dog.\n", "'/etc/1.jpg', which is no name inside a folder."),
        ("a\\..\\1.jpg#0\tA dog.\n", "which is no name inside a folder."),
        ("C:1.jpg#0\tA dog.\n", "which is no name inside a folder."),
        ("\x1b[2J1.jpg#0\tA dog.\n", "which is no name inside a folder."),
        (b"\xff\xfe1.jpg#0\tA dog.\n", " is not a text file in UTF-8."),
        ("lost.jpg#0\tA dog.\n", "; pictures without a file: 1 (lost.jpg)."),
    ],
)
def test_corrupt_captions_are_one_sentence(
    tmp_path: Path, to: Path, images: Path, content: str | bytes, sentence: str
) -> None:
    path = tmp_path / "captions"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError) as caught:
        prepare(to, images, path)
    assert sentence.replace("PATH", str(path)) in str(caught.value)
    assert str(caught.value).isprintable()
    assert not to.exists()


def test_corrupt_splits_are_one_sentence(
    tmp_path: Path, to: Path, images: Path, captions: Path
) -> None:
    token = tokens(tmp_path / "results.token", [*SPLITS])
    (tmp_path / "some.txt").write_text("1.jpg\n")
    for path, split, sentence in (
        (token, tmp_path / "some.txt", "should say one of train, val, dev and test"),
        (token, tmp_path / "nowhere.txt", "nowhere.txt is missing or cannot be read"),
        (captions, captions, "has its own split; leave --split out"),
        (write_json(tmp_path / "odd.json", {"images": [{"filename": "1.jpg", "split": "dev"}]}),
         None, "is of the split 'dev', not train, val or test"),
    ):  # fmt: skip
        with pytest.raises(DataError, match=sentence):
            prepare(to, images, path, *([split] if split else []))
        assert not to.exists()
