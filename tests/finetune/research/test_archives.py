"""Archives: small enough, the same bytes each time, and nothing is lost without a word."""

from __future__ import annotations

import json
import random
import tarfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finetune.errors import TrainingError
from finetune.research import archives
from finetune.research.archives import CLOSING, HEADERS, SMALLEST, Entry, Manifest, pack, unpack

LIMIT = CLOSING + HEADERS + SMALLEST + 20_000
FILES = {
    "a.txt": b"few",
    "data/empty": b"",
    "data/large.bin": random.Random(1).randbytes(150_000),
    f"data/{'long' * 40}.bin": random.Random(2).randbytes(30_000),
    "data/last": random.Random(3).randbytes(700),
}


def entries(files: dict[str, bytes]) -> list[Entry]:
    return [Entry(name, lambda content=content: content) for name, content in files.items()]


def content(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != archives.UNPACKED
    }


def pieces(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.glob("piece-*"))}


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    pack(entries(FILES), tmp_path / "packed", LIMIT)
    return tmp_path / "packed"


def test_what_was_packed_is_unpacked_and_no_piece_is_over_the_limit(
    packed: Path, tmp_path: Path
) -> None:
    found = Manifest.read(packed)
    assert found.complete
    assert len(found.pieces) == len(pieces(packed)) > 3
    assert all(len(content) <= LIMIT for content in pieces(packed).values())
    assert [piece.size for piece in found.pieces] == [len(it) for it in pieces(packed).values()]
    assert unpack(packed, tmp_path / "target").missing == ()
    assert content(tmp_path / "target") == FILES


@settings(deadline=None, max_examples=25)
@given(
    sizes=st.lists(st.integers(0, 130_000), max_size=6),
    limit=st.integers(CLOSING + HEADERS + SMALLEST, 90_000),
)
def test_files_of_any_sizes_survive(
    sizes: list[int], limit: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("any")
    files = {f"file {n}": random.Random(n).randbytes(size) for n, size in enumerate(sizes)}
    pack(entries(files), folder / "packed", limit)
    assert all(len(it) <= limit for it in pieces(folder / "packed").values())
    unpack(folder / "packed", folder / "target")
    assert content(folder / "target") == files


def test_other_programs_can_read_the_pieces(packed: Path) -> None:
    with tarfile.open(packed / "piece-0001.tar") as archive:
        assert archive.getnames()[:2] == ["a.txt", "data/empty"]


def test_the_same_files_give_the_same_bytes(packed: Path, tmp_path: Path) -> None:
    pack(entries(FILES), tmp_path / "again", LIMIT)
    assert content(packed) == content(tmp_path / "again")


def test_packing_that_was_interrupted_goes_on_behind_the_last_whole_piece(
    packed: Path, tmp_path: Path
) -> None:
    def stop(piece: archives.Piece) -> None:
        if piece.file == "piece-0002.tar":
            raise KeyboardInterrupt

    again = tmp_path / "again"
    with pytest.raises(KeyboardInterrupt):
        pack(entries(FILES), again, LIMIT, done=stop)
    with pytest.raises(TrainingError, match="was interrupted; pack again"):
        unpack(again, tmp_path / "target")
    new: list[str] = []
    pack(entries(FILES), again, LIMIT, done=lambda piece: new.append(piece.file))
    assert new[0] == "piece-0003.tar"
    assert content(again) == content(packed)


def test_other_files_are_packed_anew(packed: Path, tmp_path: Path) -> None:
    few = {"a.txt": b"other"}
    pack(entries(few), packed, LIMIT)
    assert list(pieces(packed)) == ["piece-0001.tar"]
    unpack(packed, tmp_path / "target")
    assert content(tmp_path / "target") == few


def test_pieces_may_come_one_by_one_in_any_order(packed: Path, tmp_path: Path) -> None:
    (tmp_path / "came").mkdir()
    names = sorted(pieces(packed))
    (tmp_path / "came/pieces.json").write_bytes((packed / "pieces.json").read_bytes())
    for name in reversed(names):
        (packed / name).replace(tmp_path / "came" / name)
        found = unpack(tmp_path / "came", tmp_path / "target")
        assert found.missing == tuple(sorted(pieces(packed)))
        (tmp_path / "came" / name).unlink()
        if found.missing:
            with pytest.raises(TrainingError, match=rf"not whole: {names[0]}.* still to come"):
                archives.check_whole(tmp_path / "target")
    archives.check_whole(tmp_path / "target")
    assert content(tmp_path / "target") == FILES


@pytest.mark.parametrize("harm", ["flip", "cut"])
def test_a_damaged_piece_is_named(packed: Path, tmp_path: Path, harm: str) -> None:
    path = packed / "piece-0002.tar"
    whole = path.read_bytes()
    path.write_bytes(whole[:-9] if harm == "cut" else whole[:999] + b"?" + whole[1000:])
    with pytest.raises(TrainingError) as caught:
        unpack(packed, tmp_path / "target")
    assert str(caught.value) == f"The piece {path} is damaged; bring it once more."
    path.write_bytes(whole)
    assert unpack(packed, tmp_path / "target").missing == ()
    assert content(tmp_path / "target") == FILES


def test_a_damaged_manifest_is_named(packed: Path, tmp_path: Path) -> None:
    (packed / "pieces.json").write_text("{")
    with pytest.raises(TrainingError, match=r"pieces\.json is missing or damaged"):
        unpack(packed, tmp_path / "target")


def test_a_target_of_other_pieces_is_left_alone(packed: Path, tmp_path: Path) -> None:
    unpack(packed, tmp_path / "target")
    pack(entries({"a.txt": b"other"}), tmp_path / "others", LIMIT)
    with pytest.raises(TrainingError, match="holds the files of other pieces"):
        unpack(tmp_path / "others", tmp_path / "target")
    assert content(tmp_path / "target") == FILES


@pytest.mark.parametrize("name", ["../out.txt", "/etc/out.txt"])
def test_nothing_is_unpacked_outside(packed: Path, tmp_path: Path, name: str) -> None:
    path = packed / "pieces.json"
    table = json.loads(path.read_text(encoding="utf-8"))
    table["pieces"][0]["members"][0]["name"] = name
    path.write_text(json.dumps(table), encoding="utf-8")
    with pytest.raises(TrainingError, match="outside its folder"):
        unpack(packed, tmp_path / "target")


def test_a_limit_that_is_too_small(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="A piece of 1,000 bytes is too small"):
        pack(entries(FILES), tmp_path / "packed", 1000)
