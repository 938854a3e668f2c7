"""The decoder process from inside: its protocol, its limits and its refusals."""

from __future__ import annotations

import io
import os
import signal
import sys
import warnings
from typing import Any

import pytest
from image_files import CORNERS, check_colours, claiming, encode, four_corners
from PIL import AvifImagePlugin, Image, ImageFile, PngImagePlugin, WebPImagePlugin

from data.images import decode as decoding
from data.images import worker
from data.images.worker import MAX_DETAIL, READY, REPLY, REQUEST, serve

PHOTO = encode(four_corners(), "JPEG")


@pytest.fixture(autouse=True)
def undisturbed(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Keep Pillow's settings and this process's clock; gives the alarms that were set."""
    alarms: list[float] = []
    set_alarm = "data.images.worker.signal.setitimer"
    monkeypatch.setattr(set_alarm, lambda _, seconds: alarms.append(seconds))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", Image.MAX_IMAGE_PIXELS)
    monkeypatch.setattr(PngImagePlugin, "MAX_TEXT_CHUNK", PngImagePlugin.MAX_TEXT_CHUNK)
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", False)
    monkeypatch.setattr(AvifImagePlugin, "DEFAULT_MAX_THREADS", 0)
    return alarms


def ask(data: bytes, name: bytes = b"JPEG", seconds: float = 5.0) -> bytes:
    return REQUEST.pack(name, len(data), 64_000_000, 20.0, seconds) + data


def talk(requests: bytes, decode: worker.Decode = decoding.decode) -> io.BytesIO:
    replies = io.BytesIO()
    serve(io.BytesIO(requests), replies, decode)
    replies.seek(0)
    assert replies.read(1) == READY
    return replies


def photo_from(replies: io.BytesIO) -> Image.Image:
    assert REPLY.unpack(replies.read(REPLY.size)) == (bytes(16), 96, 64, 96, 64, 0)
    return Image.frombytes("RGB", (96, 64), replies.read(96 * 64 * 3))


def test_answers_one_picture_after_the_other(undisturbed: list[float]) -> None:
    replies = talk(ask(PHOTO) + ask(PHOTO[:-100], seconds=2.0) + ask(PHOTO))
    check_colours(photo_from(replies), CORNERS)
    reason, *numbers, length = REPLY.unpack(replies.read(REPLY.size))
    assert (reason.rstrip(b"\0"), numbers) == (b"truncated", [0, 0, 0, 0])
    assert b"image file is truncated" in replies.read(length)
    check_colours(photo_from(replies), CORNERS)
    assert replies.read() == b""
    assert undisturbed == [6.0, 0, 3.0, 0, 6.0, 0], "each picture has an alarm, called off after it"


def test_refusal_fits_the_protocol() -> None:
    def refuse(data: bytes, name: str, pixels: int, ratio: float) -> decoding.Decoded:
        raise decoding.DecodeError("too-many-pixels", "\udcff" + "é" * 1000, (2**40, 7))

    replies = talk(ask(PHOTO), refuse)
    _, width, height, _, _, length = REPLY.unpack(replies.read(REPLY.size))
    assert (width, height, length) == (2**32 - 1, 7, MAX_DETAIL)
    assert len(replies.read()) == MAX_DETAIL


@pytest.mark.parametrize("cut", [1, 10, len(PHOTO) + 1])
def test_half_a_request_ends_it_quietly(cut: int) -> None:
    assert talk(ask(PHOTO)[:-cut]).read() == b""


def test_unknown_format_is_not_opened() -> None:
    eps = encode(four_corners(), "EPS")
    replies = talk(ask(eps, b"EPS"))
    assert REPLY.unpack(replies.read(REPLY.size))[0].rstrip(b"\0") == b"unsupported"


def test_every_format_has_its_own_decoder_only() -> None:
    with pytest.raises(decoding.DecodeError) as caught:
        decoding.decode(encode(four_corners(), "PNG"), "JPEG", 64_000_000, 20.0)
    assert caught.value.reason == "damaged"


def test_missing_codec_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(WebPImagePlugin, "SUPPORTED", False)
    with pytest.raises(decoding.DecodeError) as caught:
        decoding.decode(encode(four_corners(), "PNG"), "WEBP", 64_000_000, 20.0)
    assert caught.value.reason == "unsupported"


def test_out_of_memory_is_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_memory(*arguments: Any, **options: Any) -> Image.Image:
        raise MemoryError

    monkeypatch.setattr(Image.Image, "resize", no_memory)
    with pytest.raises(decoding.DecodeError) as caught:
        decoding.decode(encode(four_corners(2000, 1000), "PNG"), "PNG", 64_000_000, 20.0)
    assert caught.value.reason == "too-hungry"


def test_large_jpeg_is_decoded_small(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[tuple[int, int]] = []
    monkeypatch.setattr(ImageFile.ImageFile, "load_end", lambda image: loaded.append(image.size))
    decoding.decode(encode(four_corners(4100, 3000), "JPEG"), "JPEG", 64_000_000, 20.0)
    assert loaded == [(1025, 750)]


@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_values_that_are_no_numbers(value: float) -> None:
    with pytest.raises(decoding.DecodeError) as caught:
        decoding.decode(encode(Image.new("F", (9, 9), value), "TIFF"), "TIFF", 100, 20.0)
    assert caught.value.detail == "values that are not finite"


REFUSED = {
    "header cut": (PHOTO[:30], "JPEG", "truncated"),
    "end cut": (PHOTO[:-100], "JPEG", "truncated"),
    "WebP cut": (encode(four_corners(), "WEBP")[:-9], "WEBP", "truncated"),
    "not what it claims": (b"GIF89a" + bytes(99), "GIF", "damaged"),
    "twice too large": (claiming("PNG", 16_000), "PNG", "too-many-pixels"),
    "a little too large": (claiming("BMP", 8_001), "BMP", "too-many-pixels"),
    "too narrow": (encode(Image.new("L", (500, 9)), "PNG"), "PNG", "too-narrow"),
    "no size": (claiming("TIFF", 0), "TIFF", "damaged"),
}


def test_sizes_are_checked_even_where_pillow_would_not() -> None:
    for size in ((0, 5), (5, 0), (8001, 8000), (2001, 100), (100, 2001)):
        with pytest.raises(decoding.DecodeError):
            decoding._check_size(size, 64_000_000, 20.0)
    for size in ((8000, 8000), (2000, 100), (1, 1)):
        decoding._check_size(size, 64_000_000, 20.0)


@pytest.mark.parametrize("name", REFUSED)
def test_refusals_of_the_decoder(name: str) -> None:
    data, kind, reason = REFUSED[name]
    with pytest.raises(decoding.DecodeError) as caught:
        decoding.decode(data, kind, 64_000_000, 20.0)
    assert (caught.value.reason, bool(caught.value.detail)) == (reason, True)


def test_unsigned_values_that_do_not_fit() -> None:
    signed = encode(Image.new("I", (9, 9), -5), "TIFF")
    data = signed.replace(b"\x53\1\3\0\1\0\0\0\2\0", b"\x53\1\3\0\1\0\0\0\1\0")
    assert decoding.decode(signed, "TIFF", 100, 20.0).image.getpixel((4, 4)) == (0, 0, 0)
    with pytest.raises(decoding.DecodeError) as caught:
        decoding.decode(data, "TIFF", 100, 20.0)
    assert "unsigned" in caught.value.detail


def test_limits_never_exceed_what_the_system_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    resource = pytest.importorskip("resource")
    hard = {resource.RLIMIT_AS: resource.RLIM_INFINITY, resource.RLIMIT_NOFILE: 30}
    found: dict[int, tuple[int, int]] = {}

    def keep(kind: int, pair: tuple[int, int]) -> None:
        if kind == resource.RLIMIT_CORE:
            raise ValueError("not here")
        found[kind] = pair

    monkeypatch.setattr(resource, "getrlimit", lambda kind: (0, hard.get(kind, 10**9)))
    monkeypatch.setattr(resource, "setrlimit", keep)
    worker.limit_resources()
    assert found[resource.RLIMIT_NOFILE] == (30, 30)
    assert found[resource.RLIMIT_AS] == (2 << 30, 2 << 30)
    assert found[resource.RLIMIT_FSIZE] == (0, 0)
    assert resource.RLIMIT_CORE not in found


def test_whole_process_from_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    class Input:
        buffer = io.BytesIO(ask(PHOTO))

    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    read_end, write_end = os.pipe()
    ignored: list[tuple[int, Any]] = []
    with monkeypatch.context() as patch, warnings.catch_warnings():
        patch.setattr(sys, "stdin", Input)
        patch.setattr("data.images.worker.os.dup", lambda fd: write_end)
        patch.setattr("data.images.worker.os.dup2", lambda *fds: None)
        patch.setattr("data.images.worker.signal.signal", lambda *pair: ignored.append(pair))
        patch.setattr(worker, "limit_resources", lambda: None)
        patch.setattr(worker, "die_first", lambda: None)
        worker.main()
    assert ignored == [(signal.SIGINT, signal.SIG_IGN)]
    assert ImageFile.LOAD_TRUNCATED_IMAGES is False
    with os.fdopen(read_end, "rb") as replies:
        assert len(replies.read()) == 1 + REPLY.size + 96 * 64 * 3
