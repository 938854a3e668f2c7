"""Pictures named on a command line: files that are not there, not files, or not to be read."""

from __future__ import annotations

import os
import socket
import stat
import time
from pathlib import Path

import pytest
from image_files import encode, four_corners, plain

from data.images.open import ImageLimits, ImageRefused, read_picture


def refusal(path: str | Path, limits: ImageLimits | None = None) -> ImageRefused:
    before = time.monotonic()
    with pytest.raises(ImageRefused) as caught:
        read_picture(path, limits or ImageLimits())
    assert time.monotonic() - before < 5, "it waited for something"
    plain(str(caught.value))
    return caught.value


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "a photo.jpg"
    path.write_bytes(encode(four_corners(), "JPEG"))
    return path


def test_a_file_by_any_kind_of_path(photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    link = photo.with_name("link")
    link.symlink_to(photo)
    monkeypatch.chdir(photo.parent)
    pictures = [read_picture(path) for path in (photo, str(photo), "a photo.jpg", link)]
    assert {picture.digest for picture in pictures} == {pictures[0].digest}
    assert pictures[0].image.size == (96, 64)


def test_the_name_says_nothing_about_the_kind(photo: Path) -> None:
    text = photo.with_name("cat.jpg")
    text.write_text("meow")
    assert refusal(text).reason == "not-a-picture"
    assert read_picture(photo.rename(photo.with_name("cat.txt"))).format == "JPEG"


@pytest.mark.parametrize("name", ["gone.jpg", "a photo.jpg/more.jpg", "zero\0byte.jpg"])
def test_missing(photo: Path, name: str) -> None:
    error = refusal(photo.parent / name)
    assert error.reason == "missing"
    assert "There is no file" in str(error)


def test_name_too_long(photo: Path) -> None:
    error = refusal(photo.with_name("x" * 3000 + ".jpg"))
    assert error.reason == "unreadable"
    assert "xxx.jpg could not be read: file name too long." in str(error)


def test_name_with_control_characters_cannot_play_tricks(tmp_path: Path) -> None:
    sentence = str(refusal(os.fsdecode(b"\x1b[31mred\n\xff\xe2\x80\xaegpj.exe")))
    assert sentence.startswith("There is no file ?[31mred???gpj.exe.")


def test_folder(tmp_path: Path) -> None:
    error = refusal(tmp_path)
    assert error.reason == "directory"
    assert f"{tmp_path} is a folder" in str(error)


def test_link_that_leads_in_a_circle(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert refusal(tmp_path / "loop").reason == "unreadable"


def test_special_files_are_not_even_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        for path in (tmp_path / "pipe", tmp_path / "s", "/dev/zero", "/dev/tty"):
            assert refusal(path).reason == "special-file", path


def test_file_exchanged_for_a_pipe_at_the_last_moment(
    photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ordinary = photo.stat()
    os.mkfifo(photo.with_name("pipe"))
    with monkeypatch.context() as patch:
        patch.setattr("data.images.open.os.stat", lambda path: ordinary)
        assert refusal(photo.with_name("pipe")).reason == "special-file"


def test_no_permission(photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, flags: int) -> int:
        assert flags & os.O_NONBLOCK
        raise PermissionError(13, "Permission denied", str(path))

    with monkeypatch.context() as patch:  # for root no file is out of reach
        patch.setattr("data.images.open.os.open", refuse)
        error = refusal(photo)
    assert error.reason == "unreadable"
    assert "a photo.jpg could not be read: permission denied." in str(error)


def test_file_that_fails_while_it_is_read() -> None:
    memory = Path("/proc/self/mem")
    if not (memory.exists() and stat.S_ISREG(memory.stat().st_mode)):
        pytest.skip("needs Linux")
    assert refusal(memory).reason == "unreadable"


def test_huge_file_is_refused_without_reading_it(photo: Path) -> None:
    with photo.open("r+b") as file:
        file.truncate(1 << 40)
    error = refusal(photo)
    assert error.reason == "too-large"
    assert "larger than 20 MB" in str(error)
    with pytest.raises(ImageRefused):  # were it read, there would be no room for it
        read_picture(photo, ImageLimits(bytes=1 << 39))


def test_empty_file_and_one_that_does_not_tell_its_size(photo: Path) -> None:
    photo.write_bytes(b"")
    assert refusal(photo).reason == "empty"
    assert refusal("/dev/null").reason == "special-file"
    if Path("/proc/self/status").exists():  # claims no bytes, has some
        limits = ImageLimits(bytes=100)
        assert refusal("/proc/self/status", limits).reason == "too-large"
