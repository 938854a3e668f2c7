from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data.datasets import feature_cache
from data.datasets.feature_cache import FeatureStore, build_store
from data.datasets.transforms import load_view
from data.errors import DataError

TOWER = "tower/1"
NAMES = [f"images/{number}.png" for number in range(7)]


class Interrupted(BaseException):
    """Stands for Ctrl-C."""


class Encoder:
    """Remembers what it encoded: a picture's state is its red and its green at the left edge."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.pictures, self._stop_after = 0, stop_after

    def __call__(self, pictures: Sequence[Image.Image]) -> np.ndarray[tuple[int, ...], np.dtype]:
        if self._stop_after is not None and self.pictures >= self._stop_after:
            raise Interrupted
        self.pictures += len(pictures)
        pixels = [picture.getpixel((0, picture.height // 2)) for picture in pictures]
        return np.array([[[pixel[0]], [pixel[1]]] for pixel in pixels], np.float16)


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feature_cache, "BATCH", 2)
    monkeypatch.setattr(feature_cache, "SHARD", 4)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Pictures whose left half is green by their number, their right half another green."""
    (tmp_path / "images").mkdir()
    for number, name in enumerate(NAMES):
        picture = Image.new("RGB", (40, 20), (number, 100 + number, 0))
        picture.paste((number, 200 + number, 0), (20, 0, 40, 20))
        picture.save(tmp_path / name)
    return tmp_path


def build(root: Path, encode: Encoder | None = None, views: int = 3) -> FeatureStore:
    return build_store(
        root / "store", root, NAMES, encode or Encoder(), fingerprint=TOWER, views=views
    )


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_every_view_of_every_picture_is_kept(root: Path) -> None:
    told: list[tuple[int, int, int]] = []
    store = build_store(
        root / "store",
        root,
        NAMES,
        Encoder(),
        fingerprint=TOWER,
        views=3,
        progress=lambda *where: told.append(where),
    )
    assert store.rows == {name: row for row, name in enumerate(NAMES)}
    assert store.counts == [3] * 7
    states = store.get([2, 5, 2, 2], [0, 0, 1, 2])
    assert states.shape == (4, 2, 1)
    assert states.dtype == np.float16
    assert states[:, :, 0].tolist() == [[2, 102], [5, 105], [2, 202], [2, 102]]
    assert told[-1] == (21, 21, 21 * 2 * 2)  # two states of one float16 each
    assert [done for done, *_ in told] == sorted(done for done, *_ in told)
    assert {where[1:] for where in told} == {(21, 84)}


def test_a_whole_store_is_used_again(root: Path) -> None:
    build(root)
    again = Encoder()
    assert build(root, again).counts == [3] * 7
    fewer = build_store(root / "store", root, NAMES[2:4], again, fingerprint=TOWER, views=2)
    assert fewer.rows[NAMES[3]] == 3
    assert again.pictures == 0


@pytest.mark.parametrize(("done", "kept"), [(0, 0), (2, 0), (4, 4), (6, 4), (7, 7), (12, 11)])
def test_an_interrupted_run_goes_on_after_its_last_whole_shard(
    root: Path, done: int, kept: int, tmp_path: Path
) -> None:
    whole = build_store(tmp_path / "whole", root, NAMES, Encoder(), fingerprint=TOWER, views=3)
    first, second = Encoder(stop_after=done), Encoder()
    with pytest.raises(Interrupted):
        build(root, first)
    with pytest.raises(DataError, match="missing or damaged"):
        FeatureStore.open(root / "store", TOWER)
    build(root, second)
    assert second.pictures == 21 - kept
    assert content(root / "store") == content(tmp_path / "whole")
    assert len(whole.views) == 3


def test_two_runs_at_once_encode_everything_once(root: Path) -> None:
    encode = Encoder()
    with ThreadPoolExecutor(2) as threads:
        stores = [*threads.map(lambda _: build(root, encode), range(2))]
    assert encode.pictures == 21
    assert [store.counts for store in stores] == [[3] * 7] * 2


def test_a_whole_store_need_not_be_writable(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build(root)
    monkeypatch.setattr(feature_cache, "FileLock", None)
    assert build(root).counts == [3] * 7


def test_more_views_are_added_to_those_there_are(root: Path) -> None:
    build(root, views=1)
    encode = Encoder()
    assert build(root, encode, views=2).counts == [2] * 7
    assert encode.pictures == 7


def test_what_was_begun_for_other_pictures_is_not_used(root: Path) -> None:
    with pytest.raises(Interrupted):
        build(root, Encoder(stop_after=9))
    encode = Encoder()
    store = build_store(root / "store", root, NAMES[::-1], encode, fingerprint=TOWER, views=3)
    assert encode.pictures == 21
    assert store.get([0], [0])[0, 0, 0] == 6
    assert build_store(
        root / "store", root, [*NAMES[:3]], encode, fingerprint=TOWER, views=3
    ).rows == {name: row for row, name in enumerate(NAMES[::-1])}
    (root / "images/new.png").write_bytes((root / NAMES[0]).read_bytes())
    grown = build_store(
        root / "store", root, [*NAMES, "images/new.png"], encode, fingerprint=TOWER, views=3
    )
    assert encode.pictures == 21 + 24
    assert len(grown.rows) == 8


def test_what_was_begun_with_another_tower_is_not_used(root: Path) -> None:
    with pytest.raises(Interrupted):
        build(root, Encoder(stop_after=9))
    encode = Encoder()
    build_store(root / "store", root, NAMES, encode, fingerprint="tower/2", views=3)
    assert encode.pictures == 21


def test_a_store_of_another_tower_is_refused_and_kept(root: Path) -> None:
    build(root)
    before = content(root / "store")
    with pytest.raises(DataError, match="another tower or preprocessing; delete that folder"):
        build_store(root / "store", root, NAMES, Encoder(), fingerprint="tower/2")
    assert content(root / "store") == before


SECOND = "view1-00001.npy"  # three pictures


def cut(folder: Path) -> None:
    (folder / SECOND).write_bytes((folder / SECOND).read_bytes()[:-8])


def empty(folder: Path) -> None:
    (folder / SECOND).write_bytes(b"")


def shorten(folder: Path) -> None:
    np.save(folder / SECOND, np.zeros((2, 2, 1), np.float16))


def widen(folder: Path) -> None:
    np.save(folder / SECOND, np.zeros((3, 2, 1), np.float32))


def lose(folder: Path) -> None:
    (folder / SECOND).unlink()


@pytest.mark.parametrize("harm", [cut, empty, shorten, widen, lose])
def test_a_damaged_shard_is_refused_and_only_that_is_made_anew(
    root: Path, harm: Callable[[Path], None]
) -> None:
    build(root)
    before = content(root / "store")
    harm(root / "store")
    with pytest.raises(DataError, match=rf"{SECOND} are missing or damaged; delete that to make"):
        FeatureStore.open(root / "store", TOWER)
    encode = Encoder()
    build(root, encode)
    assert encode.pictures == 3
    assert content(root / "store") == before


@pytest.mark.parametrize("file", [SECOND, SECOND.replace("npy", "crc32")])
def test_a_shard_with_other_numbers_is_noticed_when_training_starts(root: Path, file: str) -> None:
    build(root)
    before = content(root / "store")
    with (root / "store" / file).open("r+b") as shard:
        shard.seek(-2, 2)
        shard.write(b"\xff\xff")
    encode = Encoder()
    build(root, encode)
    assert encode.pictures == 3
    assert content(root / "store") == before
    build(root, encode)
    assert encode.pictures == 3


def garble(folder: Path) -> None:
    (folder / "index.json").write_text("{")


def replace_index(**values: object) -> Callable[[Path], None]:
    def harm(folder: Path) -> None:
        index = json.loads((folder / "index.json").read_text())
        (folder / "index.json").write_text(json.dumps(index | values))

    return harm


@pytest.mark.parametrize(
    "harm",
    [
        garble,
        replace_index(images=None),
        replace_index(images=[]),
        replace_index(views=0),
        replace_index(shard=0),
        replace_index(shard="many"),
    ],
)
def test_a_damaged_index_is_refused(root: Path, harm: Callable[[Path], None]) -> None:
    build(root)
    harm(root / "store")
    with pytest.raises(DataError, match=r"store are missing or damaged; delete that to make them"):
        build(root)


def test_a_full_disk_is_said_before_the_process_dies_of_it(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = feature_cache.shutil.disk_usage(root)._replace(free=20)
    monkeypatch.setattr(feature_cache.shutil, "disk_usage", lambda _folder: usage)
    with pytest.raises(DataError, match=r"take 0\.00 GB, but .* has room for only 0\.00 GB"):
        build(root)
    assert not list((root / "store").glob("view*"))


def test_a_disk_that_becomes_full_keeps_whole_shards(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved: list[int] = []

    def save(file: object, states: object) -> None:
        if len(saved) == 2:
            raise OSError(28, "No space left on device")
        saved.append(1)
        really(file, states)

    really = np.save
    monkeypatch.setattr(feature_cache.np, "save", save)
    with pytest.raises(DataError, match=r"could not be written to .* is there room on the disk"):
        build(root)
    names = sorted(path.name for path in (root / "store").glob("[!.]*"))
    shards = [f"view0-0000{n}.{end}" for n in range(2) for end in ("crc32", "npy")]
    assert names == ["index.json.part", *shards]


def test_a_missing_picture_is_named(root: Path) -> None:
    (root / NAMES[3]).unlink()
    with pytest.raises(DataError, match=r"training picture .*3\.png is missing or cannot be read"):
        build(root)


def test_views_are_the_picture_its_mirror_image_and_crops(root: Path) -> None:
    def halves(view: int) -> tuple[int, int]:
        picture = load_view(root / NAMES[0], NAMES[0], view)
        left, right = (picture.getpixel((x, 5))[1] for x in (0, picture.width - 1))
        return left, right

    assert [halves(view) for view in range(4)] == [(100, 200), (200, 100), (100, 200), (200, 100)]
    sizes = [load_view(root / NAMES[0], NAMES[0], view).size for view in range(4)]
    assert sizes[:2] == [(40, 20)] * 2
    for width, height in sizes[2:]:
        assert 0.77 * 40 <= width <= 40
        assert width == pytest.approx(2 * height, abs=2)
    assert (
        load_view(root / NAMES[0], NAMES[0], 2).tobytes()
        == load_view(root / NAMES[0], NAMES[0], 2).tobytes()
    )
    assert len({load_view(root / NAMES[0], name, 2).size for name in NAMES}) > 1


def test_a_picture_is_turned_as_its_camera_said(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise
    Image.new("RGB", (30, 20)).save(tmp_path / "turned.jpg", exif=exif)
    assert load_view(tmp_path / "turned.jpg", "turned.jpg", 0).size == (20, 30)
