"""Pictures that show nothing are told from all others, by measuring."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from image_files import encode
from PIL import Image, ImageDraw

from data.images.open import open_picture, read_picture
from data.images.plain import Pattern, PlainPicture, colour_name, plain_picture

SIZE = (320, 240)
SAMPLES = Path("data/samples")


def drawn(first: str, second: str, *, box: tuple[int, int, int, int]) -> Image.Image:
    image = Image.new("RGB", SIZE, first)
    ImageDraw.Draw(image).rectangle(box, second)
    return image


def noisy(level: int, spread: float) -> Image.Image:
    pixels = np.random.default_rng(0).normal(level, spread, (SIZE[1], SIZE[0], 3))
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def changing(first: int, second: int) -> Image.Image:
    row = np.linspace(first, second, SIZE[0]).round().astype(np.uint8)
    return Image.fromarray(np.tile(row, (SIZE[1], 1))).convert("RGB")


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
@pytest.mark.parametrize(
    ("image", "pattern", "colours"),
    [
        (Image.new("RGB", SIZE, "red"), Pattern.ONE, "red"),
        (Image.new("RGB", SIZE, "white"), Pattern.ONE, "white"),
        (Image.new("RGB", SIZE, "black"), Pattern.ONE, "black"),
        (noisy(4, 2), Pattern.ONE, "black"),
        (noisy(12, 6), Pattern.DARK, "black"),
        (noisy(128, 5), Pattern.ONE, "gray"),
        (drawn("blue", "yellow", box=(160, 0, 320, 240)), Pattern.SIDES, "blue yellow"),
        (drawn("black", "white", box=(0, 120, 320, 240)), Pattern.HALVES, "black white"),
        (changing(0, 255), Pattern.CHANGE, "black white"),
        (noisy(128, 90), Pattern.NOISE, ""),
    ],
)
def test_what_shows_nothing(image: Image.Image, pattern: Pattern, colours: str, kind: str) -> None:
    found = plain_picture(open_picture(encode(image, kind)).image)
    assert found == PlainPicture(pattern, tuple(colours.split()))


def test_what_shows_something_is_left_to_the_model() -> None:
    dot = drawn("white", "black", box=(150, 100, 160, 110))
    flag = drawn("red", "white", box=(107, 0, 213, 240))
    checks = Image.fromarray((np.indices((240, 320)).sum(0) % 2 * 255).astype(np.uint8))
    icon = Image.new("RGB", (8, 8), "red")
    for image in (dot, flag, checks.convert("RGB"), icon):
        assert plain_picture(image) is None
    photos = [*SAMPLES.glob("*.jpg")]
    assert photos
    assert not any(plain_picture(read_picture(str(photo)).image) for photo in photos)


def test_a_transparent_picture_is_white() -> None:
    empty = encode(Image.new("RGBA", SIZE, (0, 0, 0, 0)), "PNG")
    assert plain_picture(open_picture(empty).image) == PlainPicture(Pattern.ONE, ("white",))


def test_colours_have_the_names_that_people_use() -> None:
    for name, rgb in {
        "red": (255, 0, 0), "dark red": (128, 0, 0), "orange": (255, 165, 0),
        "yellow": (255, 255, 0), "green": (0, 200, 0), "turquoise": (0, 255, 255),
        "blue": (0, 0, 255), "dark blue": (0, 0, 128), "light blue": (135, 206, 235),
        "purple": (160, 32, 240), "pink": (255, 192, 203), "brown": (139, 69, 19),
        "beige": (245, 225, 190), "olive": (128, 128, 0), "gray": (128, 128, 128),
        "light gray": (211, 211, 211), "dark gray": (60, 60, 60), "white": (250, 250, 250),
    }.items():  # fmt: skip
        assert colour_name(np.array(rgb, np.float32)) == name
