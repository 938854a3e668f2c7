"""Photos of every format that people send, each one different, and files that only seem to be."""

from __future__ import annotations

import io
import random
import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageOps

SIZE = (800, 600)  # pixels
_ORIENTATION = 0x0112  # EXIF tag
_TURNED = 6  # by a quarter


@dataclass(frozen=True)
class Photo:
    """A file that somebody sends.

    Attributes:
        name: Of the file.
        kind: Its media type, as the sender's program tells it.
        content: The file.
        format: What it is called in a report: "jpeg", "bomb".
        good: Whether it can be opened.
    """

    name: str
    kind: str
    content: bytes
    format: str
    good: bool


class Photos:
    """Makes them: parts of a few pictures, so that no two are alike.

    Args:
        samples: Pictures to take parts of.
        seed: Of the generator that chooses.
    """

    def __init__(self, samples: Sequence[Path], seed: int = 0) -> None:
        self._pictures = []
        for path in samples:
            with Image.open(path) as picture:
                self._pictures.append(picture.convert("RGB"))
        self._random = random.Random(seed)
        self._bomb = b""

    def good(self, format: str) -> Photo:
        """A photo of one of `GOOD`."""
        suffix, kind, store = _GOOD[format]
        content = store(self._part())
        return Photo(f"photo.{suffix}", f"image/{kind}", content, format, good=True)

    def bad(self, format: str) -> Photo:
        """A file of one of `BAD`."""
        if format == "bomb":  # the same each time: it takes a moment to make
            self._bomb = self._bomb or _bomb()
            return Photo("photo.png", "image/png", self._bomb, format, good=False)
        return Photo("photo.jpg", "image/jpeg", _BAD[format](self._part()), format, good=False)

    def _part(self) -> Image.Image:
        """A part of some picture, as large as messengers make a photo."""
        draw = self._random
        picture = draw.choice(self._pictures)
        share = draw.uniform(0.55, 0.95)
        width, height = int(picture.width * share), int(picture.height * share)
        left = draw.randint(0, picture.width - width)
        top = draw.randint(0, picture.height - height)
        part = picture.crop((left, top, left + width, top + height))
        return ImageOps.fit(part, SIZE)


def _stored(picture: Image.Image, format: str, **options: object) -> bytes:
    held = io.BytesIO()
    picture.save(held, format, **options)
    return held.getvalue()


def _jpeg(picture: Image.Image) -> bytes:
    return _stored(picture, "JPEG", quality=85)


def _rotated(picture: Image.Image) -> bytes:
    exif = Image.Exif()
    exif[_ORIENTATION] = _TURNED
    return _stored(picture.transpose(Image.Transpose.ROTATE_90), "JPEG", exif=exif)


def _transparent(picture: Image.Image) -> bytes:
    veil = Image.linear_gradient("L").resize(picture.size)
    veiled = picture.copy()
    veiled.putalpha(veil)
    return _stored(veiled, "PNG", compress_level=1)


def _animated(picture: Image.Image) -> bytes:
    small = _few_colours(picture.resize((320, 240)))
    others = [ImageOps.mirror(small), ImageOps.flip(small)]
    return _stored(small, "GIF", save_all=True, append_images=others, duration=200)


def _few_colours(picture: Image.Image) -> Image.Image:
    return picture.quantize(64, method=Image.Quantize.FASTOCTREE)


def _heic(picture: Image.Image) -> bytes:
    import pillow_heif  # late: it loads megabytes

    held = io.BytesIO()
    small = picture.resize((400, 300))  # its encoder takes long
    pillow_heif.from_pillow(small).save(held, quality=50)
    return held.getvalue()


def _bomb() -> bytes:
    """A small PNG of 400 million white pixels."""
    side = 20_000
    row = b"\0" + b"\xff" * (side // 8)
    packer = zlib.compressobj(9)
    pixels = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", pixels), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(held)) + kind + held + struct.pack(">I", zlib.crc32(kind + held))
        for kind, held in chunks
    )


def _half(picture: Image.Image) -> bytes:
    whole = _jpeg(picture)
    return whole[: len(whole) // 2]


Store = Callable[[Image.Image], bytes]
_GOOD: dict[str, tuple[str, str, Store]] = {
    "jpeg": ("jpg", "jpeg", _jpeg),
    "jpeg rotated": ("jpg", "jpeg", _rotated),
    "jpeg cmyk": ("jpg", "jpeg", lambda picture: _jpeg(picture.convert("CMYK"))),
    "png": ("png", "png", lambda picture: _stored(picture, "PNG", compress_level=1)),
    "png transparent": ("png", "png", _transparent),
    "webp": ("webp", "webp", lambda picture: _stored(picture, "WEBP", method=2)),
    "gif": ("gif", "gif", lambda picture: _stored(_few_colours(picture), "GIF")),
    "gif animated": ("gif", "gif", _animated),
    "bmp": ("bmp", "bmp", lambda picture: _stored(picture, "BMP")),
    "tiff": ("tiff", "tiff", lambda picture: _stored(picture, "TIFF", compression="tiff_lzw")),
    "heic": ("heic", "heic", _heic),
    "avif": ("avif", "avif", lambda picture: _stored(picture, "AVIF", speed=10)),
    "dot": ("png", "png", lambda picture: _stored(picture.resize((1, 1)), "PNG")),
}
_BAD: dict[str, Store] = {
    "cut short": _half,
    "empty": lambda _: b"",
    "text": lambda _: b"This is not a picture, whatever it is called.\n" * 20,
    "ribbon": lambda picture: _jpeg(picture.resize((10_000, 10))),
    "page": lambda _: b"<!DOCTYPE html><html><title>Not found</title><p>There is none.</html>",
}
GOOD = tuple(_GOOD)
BAD = (*_BAD, "bomb")
