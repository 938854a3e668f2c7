"""Pictures that show nothing: one colour, two halves, a smooth change or noise; measured.

A covered lens, an empty transparent file and a test picture are far from anything that a model was
trained on, so that it sees cats and kites there. Whatever is not certain is left to it.
"""

from __future__ import annotations

import colorsys
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.float32]  # [rows, columns, 3], 0..255

SMALLEST = 16  # pixels of a side: an icon of fewer may be anything
CELLS = 32  # a side, over which noise of a camera is averaged
FINE = 256  # a side, for what is small
EVEN, EVEN_FINE = 8.0, 32.0  # levels by which a cell, and what is small, may differ
DARK, DARKEST = 40.0, 12.0  # levels below which nothing can be made out, and which are black
FAR = 40.0  # levels between two colours that are two
SMOOTH = 6.0  # levels by which a pixel of a drawn change may be off; a camera's noise is more
ROUGH = 45.0  # levels between neighbours, on average: no surface that was photographed has so many


class Pattern(Enum):
    """What there is instead of anything."""

    ONE = "one colour"
    DARK = "nearly black"
    SIDES = "a left and a right half"
    HALVES = "an upper and a lower half"
    CHANGE = "a smooth change"
    NOISE = "noise"


@dataclass(frozen=True)
class PlainPicture:
    """What a picture without content looks like.

    Attributes:
        pattern: What there is.
        colours: English names, the first from the left or the top; none of noise.
    """

    pattern: Pattern
    colours: tuple[str, ...] = ()


def plain_picture(image: Image.Image) -> PlainPicture | None:
    """What a picture without content looks like; None if there may be something in it.

    Args:
        image: RGB.
    """
    if min(image.size) < SMALLEST:
        return None
    cells = _shrunk(image, CELLS)
    if cells.max() < DARK and cells.mean() < DARK / 2:
        black = cells.max() <= DARKEST
        return PlainPicture(Pattern.ONE if black else Pattern.DARK, ("black",))
    if _is_even(cells):
        small = np.abs(_shrunk(image, FINE) - _middle(cells)).max() <= EVEN_FINE
        return PlainPicture(Pattern.ONE, (colour_name(_middle(cells)),)) if small else None
    return _two_halves(cells) or _smooth_change(image, cells) or _noise(image, cells)


def _two_halves(cells: Pixels) -> PlainPicture | None:
    """Two colours that meet in the middle."""
    end = CELLS // 2 - 1  # the cells in the middle hold both
    for pattern, whole in ((Pattern.SIDES, cells.swapaxes(0, 1)), (Pattern.HALVES, cells)):
        first, second = whole[:end], whole[-end:]
        if not (_is_even(first) and _is_even(second)):
            continue
        names = colour_name(_middle(first)), colour_name(_middle(second))
        apart = np.abs(_middle(first) - _middle(second)).max() >= FAR
        return PlainPicture(pattern, names) if apart and names[0] != names[1] else None
    return None


def _smooth_change(image: Image.Image, cells: Pixels) -> PlainPicture | None:
    """A colour that changes evenly from one side, or one corner, to another."""
    if _misfit(cells)[0] > EVEN:
        return None
    pixels = np.asarray(image, np.float32)
    misfit, plane = _misfit(pixels)
    ends = (plane[0, 0], plane[-1, -1])
    if np.abs(plane[0, -1] - plane[-1, 0]).max() > np.abs(ends[0] - ends[1]).max():
        ends = (plane[-1, 0], plane[0, -1])
    names = colour_name(ends[0]), colour_name(ends[1])
    if misfit > SMOOTH or names[0] == names[1] or np.abs(ends[0] - ends[1]).max() < FAR:
        return None
    return PlainPicture(Pattern.CHANGE, names)


def _noise(image: Image.Image, cells: Pixels) -> PlainPicture | None:
    """Pixels that have nothing to do with their neighbours, however near; checks have."""
    if np.abs(cells - _middle(cells)).max() > DARK:
        return None
    pixels = np.asarray(image, np.float32)
    steps = [
        float(np.abs(whole[lag:] - whole[:-lag]).mean())
        for whole in (pixels, pixels.swapaxes(0, 1))
        for lag in (1, 2, 3, 4)
    ]
    alike = max(steps) < 1.15 * min(steps)
    return PlainPicture(Pattern.NOISE) if alike and min(steps) > ROUGH else None


def _misfit(pixels: Pixels) -> tuple[float, Pixels]:
    """How far the worst pixel is from the best plane through all; and that plane."""
    rows, columns = np.mgrid[-1 : 1 : pixels.shape[0] * 1j, -1 : 1 : pixels.shape[1] * 1j]
    # On a regular grid the two directions are independent of each other.
    down, right = rows[..., None].astype(np.float32), columns[..., None].astype(np.float32)
    plane = (
        pixels.mean((0, 1))
        + right * (pixels * right).mean((0, 1)) / (right**2).mean()
        + down * (pixels * down).mean((0, 1)) / (down**2).mean()
    )
    return float(np.abs(pixels - plane).max()), plane


def _shrunk(image: Image.Image, side: int) -> Pixels:
    size = min(image.width, side), min(image.height, side)
    return np.asarray(image.resize(size, Image.Resampling.BOX), np.float32)


def _middle(pixels: Pixels) -> Pixels:
    return np.median(pixels.reshape(-1, 3), axis=0).astype(np.float32)


def _is_even(pixels: Pixels) -> bool:
    return bool(np.abs(pixels - _middle(pixels)).max() <= EVEN)


# --- names of colours -----------------------------------------------------------------------------

_GREYS = ((0.1, "black"), (0.35, "dark gray"), (0.65, "gray"), (0.93, "light gray"), (1.0, "white"))
_HUES = (  # degrees up to which a name holds
    (14, "red"), (42, "orange"), (70, "yellow"), (160, "green"), (190, "turquoise"),
    (255, "blue"), (315, "purple"), (345, "pink"), (360, "red"),
)  # fmt: skip
# What some hues are called if they are so pale or so dark.
_PALE = {"orange": "beige", "yellow": "beige", "red": "pink"}
_DULL = {"orange": "brown", "yellow": "olive"}
COLOURS = frozenset(
    {"black", "gray", "white", *(name for _, name in _HUES), *_PALE.values(), *_DULL.values()}
)


def colour_name(rgb: Pixels) -> str:
    """Red, green and blue (0..255) as people call it: "red" or "light blue", say."""
    red, green, blue = (float(np.clip(level, 0, 255)) / 255 for level in rgb)
    hue, saturation, value = colorsys.rgb_to_hsv(red, green, blue)
    if value < 0.1 or saturation < 0.1:
        return next(name for most, name in _GREYS if value <= most + 1e-6)
    name = next(name for most, name in _HUES if 360 * hue <= most)
    if name in _PALE and saturation < (0.5 if name == "red" else 0.4) and value > 0.75:
        name = _PALE[name]
    elif name in _DULL and value < (0.75 if name == "orange" else 0.6):
        name = _DULL[name]
    elif name == "red" and saturation < 0.8 and 0.3 < value < 0.7:
        name = "brown"
    elif value < 0.55:
        name = f"dark {name}"
    elif saturation < 0.45 and value > 0.75:
        name = f"light {name}"
    return name
