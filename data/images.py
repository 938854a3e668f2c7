"""The one door for untrusted image bytes (contract; being filled in)."""

from __future__ import annotations

import os
from dataclasses import dataclass

from PIL import Image


class ImageRefused(ValueError):
    """A picture that cannot be used; `str(error)` is one plain sentence fit for the user."""

    def __init__(self, reason: str, sentence: str) -> None:
        super().__init__(sentence)
        self.reason = reason


@dataclass(frozen=True)
class ImageLimits:
    """What a picture may cost."""

    bytes: int = 20_000_000
    pixels: int = 64_000_000
    side_ratio: float = 20.0
    seconds: float = 10.0


@dataclass(frozen=True)
class Picture:
    """A decoded picture."""

    image: Image.Image
    digest: str
    width: int
    height: int
    format: str


def open_picture(data: bytes, limits: ImageLimits = ImageLimits()) -> Picture:  # noqa: B008
    """Decode untrusted bytes."""
    raise NotImplementedError


def read_picture(
    path: str | os.PathLike[str],
    limits: ImageLimits = ImageLimits(),  # noqa: B008
) -> Picture:
    """Decode a file."""
    raise NotImplementedError
