"""Training pictures: loaded as they are, mirrored, or cropped at random."""

from __future__ import annotations

import random
from pathlib import Path

from PIL import Image, ImageOps

from data.errors import DataError

SMALLEST_CROP = 0.78


def load_view(path: Path, name: str, view: int) -> Image.Image:
    """Load a training picture in one of its views.

    View 0 is the picture itself, 1 its mirror image, the others crops, the odd ones mirrored,
    which depend on its name and the view alone.

    Raises:
        DataError: It is missing or cannot be decoded.
    """
    if view >= 2:
        return load_crop(path, random.Random(f"{name}{view}"), mirrored=bool(view % 2))
    image = _open(path)
    return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if view else image


def load_crop(path: Path, rng: random.Random, mirrored: bool) -> Image.Image:
    """Load a training picture, cropped at random and perhaps mirrored.

    Raises:
        DataError: It is missing or cannot be decoded.
    """
    image = _open(path)
    side = rng.uniform(SMALLEST_CROP, 1.0)
    width, height = image.width * side, image.height * side
    left, top = rng.uniform(0, image.width - width), rng.uniform(0, image.height - height)
    size = (max(1, round(width)), max(1, round(height)))
    box = (left, top, left + width, top + height)
    image = image.resize(size, Image.Resampling.BICUBIC, box=box)
    return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if mirrored else image


def _open(path: Path) -> Image.Image:
    try:
        with Image.open(path) as opened:
            return ImageOps.exif_transpose(opened).convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataError(f"The training picture {path} is missing or cannot be read.") from error
