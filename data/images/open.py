"""Opens untrusted images: `open_picture` for bytes, `read_picture` for files.

Bytes are judged by their content (`data.images.sniff`), then decoded in a process of their own
(`data.images.sandbox`) that has little memory and a time limit and may crash. What comes back is
nothing but pixels: no EXIF, no colour profile, no comment.
"""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import stat
from dataclasses import dataclass
from typing import NoReturn

from PIL import Image

from data.errors import ImageRefused
from data.images.sandbox import POOL, DecodeReply, DecodeRequest, DecoderProcessError
from data.images.sniff import sniff

_log = logging.getLogger(__name__)
_MAX_NAME = 100  # characters of a file name in a sentence

_SENTENCES = {
    "damaged": "This {format} picture could not be read: it is damaged or of a rare kind. "
    "Please send another copy, best as an ordinary JPEG or PNG.",
    "truncated": "This {format} picture is cut short, as if the upload stopped halfway. "
    "Please send it again.",
    "crashed": "This {format} picture could not be read. "
    "Please send it as an ordinary JPEG or PNG.",
    "too-slow": "This {format} picture took too long to open. "
    "Please send a smaller copy, best as a JPEG.",
    "too-hungry": "This {format} picture needs too much memory to open. "
    "Please send a smaller copy, best as a JPEG.",
    "too-many-pixels": "This picture has more than {megapixels:g} million pixels, "
    "which is too large. Please send a smaller copy.",
    "too-narrow": "This picture is too long and narrow ({width} by {height} pixels). "
    "Please crop it and send it again.",
    "unsupported": "{format} pictures cannot be opened here. Please send a JPEG or PNG.",
    "unavailable": "Pictures cannot be opened at the moment. Please try again later.",
}
_FILE_SENTENCES = {
    "missing": "There is no file {name}. Please check its name.",
    "directory": "{name} is a folder. Please name a picture file.",
    "special-file": "{name} is not an ordinary file. Please name a picture file.",
    "unreadable": "{name} could not be read: {cause}. Please choose another file.",
}
_FAMILIAR_NAMES = {"HEIF": "HEIC", "WEBP": "WebP"}


@dataclass(frozen=True)
class ImageLimits:
    """What a picture may cost.

    Attributes:
        bytes: Size of the file.
        pixels: Width times height, before anything is decoded.
        side_ratio: Long side over short side.
        seconds: Time to decode it, after which the decoder is killed.
    """

    bytes: int = 20_000_000
    pixels: int = 64_000_000
    side_ratio: float = 20.0
    seconds: float = 10.0


@dataclass(frozen=True)
class Picture:
    """A decoded picture.

    Attributes:
        image: RGB in sRGB, upright, over white where it was transparent, longest side at most
            1024 pixels, no metadata.
        digest: SHA-256 of the source bytes, in hexadecimal.
        width: Pixels when upright, before shrinking.
        height: Pixels when upright, before shrinking.
        format: What the source was: "JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "AVIF", "HEIF".
    """

    image: Image.Image
    digest: str
    width: int
    height: int
    format: str


_DEFAULT = ImageLimits()


def _refuse_large(limits: ImageLimits) -> NoReturn:
    megabytes = f"{max(limits.bytes / 1e6, 0.1):.3g} MB"
    raise ImageRefused(
        "too-large", f"This file is larger than {megabytes}. Please send a smaller picture."
    )


def _refuse(reply: DecodeReply, format_name: str, limits: ImageLimits) -> NoReturn:
    # A decoder process that was taken over could say anything: only known reasons are repeated.
    reason = reply.reason if reply.reason in _SENTENCES else "damaged"
    width, height = reply.size
    sentence = _SENTENCES[reason].format(
        format=_FAMILIAR_NAMES.get(format_name, format_name),
        width=width,
        height=height,
        megapixels=limits.pixels / 1e6,
    )
    raise ImageRefused(reason, sentence)


def _decode(request: DecodeRequest) -> DecodeReply:
    """What the decoder process answers; a refusal if it cannot answer any more."""
    try:
        return POOL.decode(request)
    except RuntimeError as error:  # of the pool, or no more threads
        reason = error.reason if isinstance(error, DecoderProcessError) else "unavailable"
        if reason == "unavailable":
            _log.exception("No decoder process")
        return DecodeReply(reason, str(error))


def open_picture(data: bytes, limits: ImageLimits = _DEFAULT) -> Picture:
    """Decode untrusted bytes. Blocks: call it off the event loop. Thread-safe.

    Args:
        data: A whole image file: JPEG, PNG, WebP, GIF or APNG (first frame), BMP, TIFF (first
            page), HEIC or AVIF.
        limits: What it may cost.

    Returns:
        The picture.

    Raises:
        ImageRefused: It is no picture, is damaged, or exceeds a limit.
    """
    if not data:
        raise ImageRefused("empty", "This file is empty. Please send the picture again.")
    if len(data) > limits.bytes:
        _refuse_large(limits)
    found = sniff(data)
    if not found.format:
        raise ImageRefused(found.reason, found.sentence)
    digest = hashlib.sha256(data).hexdigest()
    reply = _decode(
        DecodeRequest(found.format, data, limits.pixels, limits.side_ratio, limits.seconds)
    )
    if reply.reason:
        level = logging.WARNING if reply.reason in ("crashed", "too-slow") else logging.INFO
        cause = (reply.reason, reply.detail)
        _log.log(level, "%s of %d bytes (%.12s): %s %r", found.format, len(data), digest, *cause)
        _refuse(reply, found.format, limits)
    image = Image.frombytes("RGB", reply.shrunk, reply.pixels)
    return Picture(image, digest, *reply.size, found.format)


def _printable_name(path: str | os.PathLike[str]) -> str:
    """A file name fit for a sentence: printable and of bearable length."""
    name = "".join(c if c.isprintable() else "?" for c in os.fspath(path))
    return name if len(name) <= _MAX_NAME else "…" + name[-_MAX_NAME:]


def _refuse_file(reason: str, name: str, cause: str = "", error: OSError | None = None) -> NoReturn:
    """Say what is wrong with a file, once with its name and once without."""
    told = (_FILE_SENTENCES[reason].format(name=each, cause=cause) for each in (name, "This"))
    named, nameless = told
    raise ImageRefused(reason, named, nameless.replace("no file This", "no such file")) from error


def _check_regular(mode: int, name: str) -> None:
    if stat.S_ISDIR(mode):
        _refuse_file("directory", name)
    if not stat.S_ISREG(mode):
        _refuse_file("special-file", name)


def _read_file(path: str | os.PathLike[str], name: str, limits: ImageLimits) -> bytes:
    """The file's bytes, one more than allowed at most."""
    _check_regular(os.stat(path).st_mode, name)  # noqa: PTH116  first: opening may block or act
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(path, flags), "rb") as file:
        found = os.fstat(file.fileno())
        _check_regular(found.st_mode, name)  # it may have been exchanged
        if found.st_size > limits.bytes:
            _refuse_large(limits)
        return file.read(limits.bytes + 1)


def read_picture(path: str | os.PathLike[str], limits: ImageLimits = _DEFAULT) -> Picture:
    """Decode a file. The sentence of a refusal may name it, as the user did.

    Args:
        path: An ordinary file; links are followed.
        limits: What it may cost.

    Returns:
        The picture.

    Raises:
        ImageRefused: As `open_picture`, or the file is missing, a folder, not an ordinary file,
            or not readable.
    """
    name = _printable_name(path)
    try:
        data = _read_file(path, name, limits)
    except ImageRefused:
        raise
    except (FileNotFoundError, NotADirectoryError, ValueError):  # the last: a zero byte in it
        _refuse_file("missing", name)
    except OSError as error:
        cause = os.strerror(error.errno or errno.EIO).lower()
        _refuse_file("unreadable", name, cause, error)
    return open_picture(data, limits)
