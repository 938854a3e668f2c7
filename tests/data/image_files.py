"""Small image files of every kind, made when a test asks for them.

All show the same thing, so that a wrong turn, a wrong channel or a wrong scale is seen in the
colours of its corners: red, green / blue, yellow.
"""

from __future__ import annotations

import functools
import hashlib
import io
import re
import shutil
import struct
import subprocess
import zlib
from collections.abc import Sequence
from typing import Any

import pytest
from PIL import Image, ImageCms, features

from data.images.open import Picture, open_picture

Colour = tuple[int, int, int]

WIDTH, HEIGHT = 96, 64
CORNERS: tuple[Colour, ...] = ((220, 30, 40), (30, 180, 60), (40, 50, 210), (230, 220, 40))
WHITE: Colour = (255, 255, 255)

# What to do to an upright picture so that a viewer's turn for this EXIF orientation undoes it.
_UNDONE_BY = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def four_corners(width: int = WIDTH, height: int = HEIGHT) -> Image.Image:
    """RGB, a flat colour in each quarter."""
    image = Image.new("RGB", (width, height))
    half = (width // 2, height // 2)
    for place, colour in zip(((0, 0), (half[0], 0), (0, half[1]), half), CORNERS, strict=True):
        image.paste(colour, (*place, place[0] + half[0] + 1, place[1] + half[1] + 1))
    return image


def corners(image: Image.Image) -> tuple[Any, ...]:
    """The colours in the middle of the four quarters."""
    width, height = image.size
    across, down = (width // 4, width * 3 // 4), (height // 4, height * 3 // 4)
    return tuple(image.getpixel((x, y)) for y in down for x in across)


def grey(colour: Colour) -> Colour:
    """The same brightness without colour, as Pillow sees it."""
    level = Image.new("RGB", (1, 1), colour).convert("L").getpixel((0, 0))
    assert isinstance(level, int)
    return level, level, level


GREYS = tuple(grey(colour) for colour in CORNERS)
OVER_WHITE = (*CORNERS[:2], WHITE, WHITE)


def check_colours(image: Image.Image, wanted: Sequence[Colour], tolerance: int = 4) -> None:
    """The quarters have these colours, but for what a lossy encoder changes."""
    assert image.mode == "RGB"
    for found, colour in zip(corners(image), wanted, strict=True):
        away = max(abs(a - b) for a, b in zip(found, colour, strict=True))
        assert away <= tolerance, f"{corners(image)} instead of {wanted}"


def check(data: bytes, wanted: Sequence[Colour] = CORNERS, tolerance: int = 4) -> Picture:
    """The file opens as this picture, upright and in its own size, and nothing else is kept."""
    picture = open_picture(data)
    assert (picture.width, picture.height) == picture.image.size == (WIDTH, HEIGHT)
    assert picture.image.info == {}
    assert dict(picture.image.getexif()) == {}
    assert picture.digest == hashlib.sha256(data).hexdigest()
    check_colours(picture.image, wanted, tolerance)
    return picture


def plain(sentence: str) -> None:
    """Short, printable, tells what to do, and shows nothing of the program's inside."""
    assert re.fullmatch(r"[A-Z…/'].*\. (Please .*)\.", sentence), sentence
    assert sentence.isprintable()
    assert len(sentence) < 200
    assert not re.search(r"Error|Traceback|0x|Pillow|PIL|worker|decoder", sentence)


def encode(image: Image.Image, name: str, **options: Any) -> bytes:
    """A picture as a file."""
    file = io.BytesIO()
    if name == "AVIF" and not features.check("avif"):
        pytest.skip("this Pillow has no AVIF")
    if name == "HEIF":
        import pillow_heif

        pillow_heif.register_heif_opener()
    image.copy().save(file, name, **options)  # a copy: saving leaves options behind in a picture
    return file.getvalue()


def turned(name: str, orientation: int, **options: Any) -> bytes:
    """The picture lying as a camera saves it, with the EXIF orientation that sets it upright."""
    image = four_corners()
    if orientation in _UNDONE_BY:
        image = image.transpose(_UNDONE_BY[orientation])
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encode(image, name, exif=exif.tobytes(), **options)


def half_transparent(mode: str = "RGBA") -> Image.Image:
    """The picture with its lower half see-through, black underneath."""
    image = four_corners().convert("RGBA")
    image.paste((0, 0, 0, 0), (0, HEIGHT // 2, WIDTH, HEIGHT))
    return image.convert(mode)


@functools.cache
def _imagemagick() -> str | None:
    names = ("magick", "convert-im6.q16", "convert")
    for path in filter(None, map(shutil.which, names)):
        version = subprocess.run([path, "-version"], capture_output=True, check=False).stdout
        if b"ImageMagick" in version:
            return path
    return None


def magick(image: Image.Image, *arguments: str) -> bytes:
    """A picture written by ImageMagick; the last argument is "KIND:-".

    Skips the test where ImageMagick, or its part for the kind, is missing.
    """
    tool = _imagemagick()
    if tool is None:
        pytest.skip("ImageMagick is not installed")
    run = subprocess.run(
        [tool, "png:-", *arguments], input=encode(image, "PNG"), capture_output=True, check=False
    )
    if run.returncode or not run.stdout:
        pytest.skip(f"this ImageMagick cannot write {arguments[-1]}")
    return run.stdout


def chunk(kind: bytes, body: bytes) -> bytes:
    """One chunk of a PNG."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, depth: int, colour: int, rows: bytes, *extra: bytes) -> bytes:
    """A PNG put together by hand: `rows` with their filter bytes, `extra` chunks before them."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    body = chunk(b"IDAT", zlib.compress(rows, 9))
    signature = b"\x89PNG\r\n\x1a\n"
    return b"".join((signature, chunk(b"IHDR", header), *extra, body, chunk(b"IEND", b"")))


def srgb_profile() -> bytes:
    """The usual colour profile."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def swapped_profile() -> bytes:
    """An RGB colour profile in which red means green and green means blue, to see it at work."""
    data = bytearray(srgb_profile())
    count = struct.unpack_from(">I", data, 128)[0]
    places = {bytes(data[at : at + 4]): at for at in range(132, 132 + 12 * count, 12)}
    names = (b"rXYZ", b"gXYZ", b"bXYZ")
    entries = [bytes(data[places[name] + 4 : places[name] + 12]) for name in names]
    for name, entry in zip(names, entries[1:] + entries[:1], strict=True):
        data[places[name] + 4 : places[name] + 12] = entry
    where, length = struct.unpack_from(">II", data, places[b"desc"] + 4)
    body = bytes(data[where : where + length])
    for text in ("sRGB", "sRGB".encode("utf-16-be").decode("latin-1")):
        body = body.replace(text.encode("latin-1"), text.replace("s", "x").encode("latin-1"))
    data[where : where + length] = body
    return bytes(data)


# Where each format keeps its sizes: what stands before them, and how each pair is written.
_SIZES = {
    "JPEG": ((b"\xff\xc0\0\x11\x08", ">HH"),),  # height comes first
    "PNG": ((b"IHDR", ">II"),),
    "GIF": ((b"GIF87a", "<HH"),),
    "BMP": ((b"\x28\0\0\0", "<ii"),),
    "TIFF": ((b"\0\1\4\0\1\0\0\0", "<I"), (b"\1\1\4\0\1\0\0\0", "<I")),
    "AVIF": ((b"ispe\0\0\0\0", ">II"),),
    "HEIF": ((b"ispe\0\0\0\0", ">II"),),
}


def claiming(name: str, side: int) -> bytes:
    """A small file whose header claims a square of `side` pixels."""
    if name == "WEBP":
        size = struct.pack("<I", side - 1)[:3]
        body = b"WEBPVP8X\x0a\0\0\0" + bytes(4) + size + size + b"VP8L" + bytes(300)
        return b"RIFF" + struct.pack("<I", len(body)) + body
    data = bytearray(encode(four_corners(), name))
    for before, layout in _SIZES[name]:
        at = data.index(before) + len(before)
        numbers = struct.unpack_from(layout, data, at)
        assert set(numbers) <= {WIDTH, HEIGHT}, numbers
        struct.pack_into(layout, data, at, *[side] * len(numbers))
    if name == "PNG":
        data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    return bytes(data)
