"""Pictures as the pixels that vision towers read."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def pixels_of(images: Sequence[Image.Image], size: int) -> NDArray[np.uint8]:
    """RGB pictures of any shape → uint8 pixels (B, 3, S, S).

    A plain bicubic resize, not a crop: a question may be about the edge of a picture.

    Args:
        images: The pictures.
        size: S, the side of the square, in pixels.
    """
    side = (size, size)
    arrays = [np.asarray(image.resize(side, Image.Resampling.BICUBIC)) for image in images]
    return np.stack(arrays).transpose(0, 3, 1, 2)
