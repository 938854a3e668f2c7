"""Untrusted bytes and files: what is opened, what is refused, and in which words."""

from __future__ import annotations

import gzip
import io
import logging
import os
import re
import socket
import stat
import struct
import time
import zipfile
import zlib
from pathlib import Path

import pytest
from image_files import (
    CORNERS,
    GREYS,
    check,
    check_colours,
    chunk,
    claiming,
    encode,
    four_corners,
    plain,
    png,
)
from PIL import Image

from data.errors import ImageRefused
from data.images.open import ImageLimits, open_picture, read_picture


def refusal(data: bytes, limits: ImageLimits | None = None) -> ImageRefused:
    """The refusal of some bytes, which always reads like one."""
    with pytest.raises(ImageRefused) as caught:
        open_picture(data, limits or ImageLimits())
    plain(str(caught.value))
    return caught.value


def a_zip() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("photo.jpg", encode(four_corners(), "JPEG"))
    return file.getvalue()


def boxes(brand: bytes, *others: bytes) -> bytes:
    body = b"ftyp" + brand + bytes(4) + b"".join(others)
    return struct.pack(">I", len(body) + 4) + body + bytes(500)


OTHER_FILES = {
    "PDF": (b"%PDF-1.7\n%\xe2\xe3\n1 0 obj", "a PDF, not a picture"),
    "PDF around a JPEG": (b"%PDF-1.4\n" + encode(four_corners(), "JPEG"), "a PDF"),
    "web page": (b"\xef\xbb\xbf \n<!DOCTYPE HTML><html><body>404", "a web page"),
    "bare web page": (b"<html><head>", "a web page"),
    "web page with a drawing": (b"<html><svg></svg></html>", "a web page"),
    "SVG": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "an SVG drawing"),
    "SVG with a prolog": (b"<?xml version='1.0'?>\n<!-- x -->\n<svg width='1'>", "an SVG drawing"),
    "SVG in UTF-16": ("\ufeff<svg >".encode("utf-16-le"), "an SVG drawing"),
    "SVG with a title and a script": (
        b"\xef\xbb\xbf<svg><title>A</title><script/></svg>",
        "an SVG drawing",
    ),
    "SVG behind a long comment that names tags": (
        b"<?xml version='1.0'?><!-- " + b"<html> <body> " * 200 + b"--><svg/>",
        "an SVG drawing",
    ),
    "SVG with a doctype and a prefix": (
        b"<!DOCTYPE svg PUBLIC 'a' 'b' [<!ENTITY c 'd'>]><s:svg><s:title/>",
        "an SVG drawing",
    ),
    "SVG that is packed": (gzip.compress(b"<svg><title/></svg>"), "an SVG drawing"),
    "part of a web page": (b"<div><svg/></div>", "a web page"),
    "another XML file": (b"<?xml version='1.0'?><rss><title>a</title></rss>", "an XML file"),
    "PDF behind a byte order mark": (b"\xef\xbb\xbf%PDF-1.7", "a PDF"),
    "text": (b"BMW is a car, GIF a format, II a numeral.", "a text file"),
    "text of another script": ("Ein Käfer, 甲虫 ".encode() * 100, "a text file"),
    "JSON": (b'{"error": "not found"}', "a text file"),
    "ZIP": (a_zip(), "a ZIP archive or an office document"),
    "gzip": (b"\x1f\x8b\x08\0\0\0\0\0", "a compressed file"),
    "MP4": (boxes(b"isom", b"isom", b"mp42"), "a video"),
    "QuickTime": (b"\0\0\0\x08wide\0\0\0\0mdat", "a video"),
    "M4A": (boxes(b"M4A "), "a sound file"),
    "WebM": (b"\x1aE\xdf\xa3" + bytes(40), "a video"),
    "AVI": (b"RIFF\0\0\0\0AVI LIST", "a video"),
    "WAV": (b"RIFF\0\0\0\0WAVEfmt ", "a sound file"),
    "MP3": (b"ID3\x04" + bytes(40), "a sound file"),
    "program": (b"\x7fELF\x02\x01\x01", "a program"),
}
UNSUPPORTED = {
    "SVG": (b"<svg>", "an SVG drawing"),
    "Photoshop": (b"8BPS\0\1" + bytes(40), "a Photoshop file"),
    "EPS": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 1 1", "a PostScript file"),
    "icon": (encode(four_corners(), "ICO"), "an icon file"),
    "JPEG 2000": (encode(four_corners(), "JPEG2000"), "a JPEG 2000 picture"),
    "Canon raw": (boxes(b"crx "), "a raw camera file"),
}


@pytest.mark.parametrize("name", OTHER_FILES)
def test_what_is_no_picture_is_told_so(name: str) -> None:
    data, what = OTHER_FILES[name]
    error = refusal(data)
    assert what in str(error)
    assert error.reason == ("unsupported" if "SVG" in name else "not-a-picture")


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_pictures_of_other_kinds_are_named(name: str) -> None:
    data, what = UNSUPPORTED[name]
    error = refusal(data)
    assert (error.reason, what in str(error)) == ("unsupported", True)


@pytest.mark.parametrize("data", [bytes(100), b"\x93\x11\xf5" * 50, b"RIFF1234CDXA", b"\xff\xfe\0"])
def test_unknown_bytes(data: bytes) -> None:
    assert refusal(data).reason == "not-a-picture"


def test_nothing_at_all() -> None:
    error = refusal(b"")
    assert (error.reason, "empty" in str(error)) == ("empty", True)


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xd8\xff",
        b"\x89PNG\r\n\x1a\n",
        b"GIF89a",
        b"GIF89a=1;/*" + b"alert(1)" * 9,
        b"II*\0\x08\0\0\0",
        b"BM" + bytes(12) + b"\x28\0\0\0" + bytes(40),
        b"RIFF\x10\0\0\0WEBPVP8 " + bytes(20),
        boxes(b"heic"),
        boxes(b"avif"),
        boxes(b"mif1", b"mif1", b"avif"),
        boxes(b"mif1", b"mif1", b"heic"),
        boxes(b"msf1"),
    ],
    ids=lambda data: repr(data[:12]),
)
def test_a_signature_and_nothing_sound_behind_it(data: bytes) -> None:
    assert refusal(data).reason in ("damaged", "truncated")


@pytest.mark.parametrize("name", ["JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "AVIF", "HEIF"])
@pytest.mark.parametrize("part", [0.05, 0.5, 0.97])
def test_a_file_that_is_cut_short(name: str, part: float) -> None:
    noise = Image.effect_noise((120, 80), 80).convert("RGB")
    data = encode(noise, name)
    error = refusal(data[: int(len(data) * part)])
    shown = {"HEIF": "HEIC", "WEBP": "WebP"}.get(name, name)
    assert f"This {shown} picture" in str(error)
    # A header that is cut itself does not say that something is missing behind it.
    vague = part == 0.05 or name == "AVIF"
    assert error.reason == "truncated" or (vague and error.reason == "damaged")


def test_progressive_jpeg_that_is_cut_short_is_not_shown_in_part() -> None:
    data = encode(Image.effect_noise((200, 200), 80), "JPEG", progressive=True)
    assert refusal(data[: len(data) // 2]).reason == "truncated"


@pytest.mark.parametrize("name", ["JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "AVIF", "HEIF"])
def test_a_header_that_claims_too_much_is_refused_before_decoding(name: str) -> None:
    error = refusal(claiming(name, 16_000), ImageLimits(seconds=3))
    assert (error.reason, "64 million pixels" in str(error)) == ("too-many-pixels", True)


def test_a_real_bomb_of_few_bytes() -> None:
    bomb = png(20_000, 20_000, 1, 0, bytes(2501) * 20_000)
    assert len(bomb) < 50_000
    assert refusal(bomb).reason == "too-many-pixels"


def test_text_that_unpacks_to_very_much() -> None:
    text = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(60_000_000), 9))
    assert refusal(png(8, 8, 8, 0, bytes(72), text)).reason == "damaged"


def test_limits_are_met_exactly() -> None:
    data = encode(four_corners(), "PNG")
    exact = ImageLimits(bytes=len(data), pixels=96 * 64, side_ratio=1.5)
    assert open_picture(data, exact).format == "PNG"
    assert refusal(data, ImageLimits(bytes=len(data) - 1)).reason == "too-large"
    assert refusal(data, ImageLimits(pixels=96 * 64 - 1)).reason == "too-many-pixels"
    assert refusal(data, ImageLimits(side_ratio=1.49)).reason == "too-narrow"


def test_sentences_tell_the_limits() -> None:
    assert "larger than 20 MB" in str(refusal(bytes(20_000_001)))
    line = encode(Image.new("L", (2001, 100)), "PNG")
    assert "2001 by 100 pixels" in str(refusal(line))


def test_a_picture_with_something_else_behind_it_is_only_a_picture() -> None:
    for name in ("JPEG", "PNG"):
        data = encode(four_corners(), name) + b"<script>alert(1)</script>" + a_zip()
        assert b"script" not in check(data).image.tobytes()


def test_operator_learns_the_cause(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "data.images.open")
    refusal(encode(four_corners(), "JPEG")[:-300])
    assert re.search(r"JPEG of \d+ bytes \([0-9a-f]{12}\): truncated 'OSError", caplog.text)


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA"])
def test_large_photo_is_shrunk(name: str, mode: str) -> None:
    if (name, mode) == ("JPEG", "RGBA"):
        mode = "CMYK"
    picture = open_picture(encode(four_corners(2000, 1500).convert(mode), name))
    assert (picture.width, picture.height) == (2000, 1500)
    assert picture.image.size == (1024, 768)
    check_colours(picture.image, GREYS if mode == "L" else CORNERS)


def test_large_photo_of_16_bits_is_shrunk() -> None:
    wide = four_corners(2000, 1500).convert("L").convert("I").point(lambda value: value * 257)
    picture = open_picture(encode(wide.convert("I;16"), "PNG"))
    assert picture.image.size == (1024, 768)
    check_colours(picture.image, GREYS)


def test_upright_photo_from_a_phone() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    lying = four_corners(1500, 2000).transpose(Image.Transpose.ROTATE_90)
    picture = open_picture(encode(lying, "JPEG", exif=exif.tobytes()))
    assert (picture.width, picture.height) == (1500, 2000)
    assert picture.image.size == (768, 1024)
    check_colours(picture.image, CORNERS)


def test_thin_and_tiny_pictures_keep_at_least_a_pixel() -> None:
    limits = ImageLimits(side_ratio=3000)
    assert open_picture(encode(Image.new("L", (3000, 1)), "PNG"), limits).image.size == (1024, 1)
    assert open_picture(encode(Image.new("L", (1, 1)), "PNG")).image.size == (1, 1)


# --- files on a command line --------------------------------------------------------------------


def file_refusal(path: str | Path, limits: ImageLimits | None = None) -> ImageRefused:
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
    assert file_refusal(text).reason == "not-a-picture"
    assert read_picture(photo.rename(photo.with_name("cat.txt"))).format == "JPEG"


@pytest.mark.parametrize("name", ["gone.jpg", "a photo.jpg/more.jpg", "zero\0byte.jpg"])
def test_missing(photo: Path, name: str) -> None:
    error = file_refusal(photo.parent / name)
    assert error.reason == "missing"
    assert "There is no file" in str(error)


def test_name_too_long(photo: Path) -> None:
    error = file_refusal(photo.with_name("x" * 3000 + ".jpg"))
    assert error.reason == "unreadable"
    assert "xxx.jpg could not be read: file name too long." in str(error)


def test_name_with_control_characters_cannot_play_tricks(tmp_path: Path) -> None:
    sentence = str(file_refusal(os.fsdecode(b"\x1b[31mred\n\xff\xe2\x80\xaegpj.exe")))
    assert sentence.startswith("There is no file ?[31mred???gpj.exe.")


def test_folder(tmp_path: Path) -> None:
    error = file_refusal(tmp_path)
    assert error.reason == "directory"
    assert f"{tmp_path} is a folder" in str(error)


def test_link_that_leads_in_a_circle(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert file_refusal(tmp_path / "loop").reason == "unreadable"


def test_special_files_are_not_even_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        for path in (tmp_path / "pipe", tmp_path / "s", "/dev/zero", "/dev/tty"):
            assert file_refusal(path).reason == "special-file", path


def test_file_exchanged_for_a_pipe_at_the_last_moment(
    photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ordinary = photo.stat()
    os.mkfifo(photo.with_name("pipe"))
    with monkeypatch.context() as patch:
        patch.setattr("data.images.open.os.stat", lambda path: ordinary)
        assert file_refusal(photo.with_name("pipe")).reason == "special-file"


def test_no_permission(photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, flags: int) -> int:
        assert flags & os.O_NONBLOCK
        raise PermissionError(13, "Permission denied", str(path))

    with monkeypatch.context() as patch:  # for root no file is out of reach
        patch.setattr("data.images.open.os.open", refuse)
        error = file_refusal(photo)
    assert error.reason == "unreadable"
    assert "a photo.jpg could not be read: permission denied." in str(error)


def test_file_that_fails_while_it_is_read() -> None:
    memory = Path("/proc/self/mem")
    if not (memory.exists() and stat.S_ISREG(memory.stat().st_mode)):
        pytest.skip("needs Linux")
    assert file_refusal(memory).reason == "unreadable"


def test_huge_file_is_refused_without_reading_it(photo: Path) -> None:
    with photo.open("r+b") as file:
        file.truncate(1 << 40)
    error = file_refusal(photo)
    assert error.reason == "too-large"
    assert "larger than 20 MB" in str(error)
    with pytest.raises(ImageRefused):  # were it read, there would be no room for it
        read_picture(photo, ImageLimits(bytes=1 << 39))


def test_empty_file_and_one_that_does_not_tell_its_size(photo: Path) -> None:
    photo.write_bytes(b"")
    assert file_refusal(photo).reason == "empty"
    assert file_refusal("/dev/null").reason == "special-file"
    if Path("/proc/self/status").exists():  # claims no bytes, has some
        limits = ImageLimits(bytes=100)
        assert file_refusal("/proc/self/status", limits).reason == "too-large"
