"""A dataset that needs no download: drawn shapes of one colour each, with captions and questions.

It proves that training works, in a minute, and says nothing about photos. After CLEVR's idea of
questions whose answers are known by construction (Johnson et al. 2017, arXiv 1612.06890).
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from PIL import Image, ImageDraw

from data.datasets.builder import BuildOptions, BuildResult, BuildStatistics, DatasetBuilder
from data.datasets.jsonl import FILE
from data.datasets.manifest import Manifest, disk_errors_as_sentences
from data.datasets.sources import ImageFolders

SIDE = 96  # pixels
NAME, PICTURES = "shapes", "pictures"
COLOURS = {
    "red": (214, 40, 40), "green": (38, 142, 60), "blue": (38, 70, 190), "yellow": (240, 200, 20),
    "black": (25, 25, 25), "purple": (130, 50, 160),
}  # fmt: skip
KINDS = ("circle", "square", "triangle")
_VALIDATION = 5  # one picture in so many


@dataclass(frozen=True)
class Shape:
    """One shape of a picture: what it is, its colour, and the third of the picture it stands in."""

    kind: str
    colour: str
    place: int


def build_shapes(options: BuildOptions, pictures: int, seed: int = 0) -> BuildResult:
    """Draw pictures, write what there is to say about them, and build a dataset of both.

    Args:
        options: Where it goes, and how.
        pictures: How many; every fifth is for validation.
        seed: Of what is drawn.

    Raises:
        DataError: There is something else in the folder, or the disk is full.
    """
    folder = options.target / PICTURES
    manifest = Manifest.read(options.target, NAME)
    ImageFolders({"": folder}).check_free(options.target, manifest.is_ours)
    manifest.check_free(FILE, ())
    with disk_errors_as_sentences(options.target):
        folder.mkdir(parents=True, exist_ok=True)
        names = {_name(number, seed) for number in range(pictures)}
        for stale in folder.glob("shapes_*.png"):
            if stale.name not in names:
                stale.unlink()
        for number, shapes in enumerate(islice(random_shapes(seed), pictures)):
            part = folder / "being-drawn.png"  # so that none is ever half there
            _draw(shapes).save(part)
            part.replace(folder / _name(number, seed))
            options.progress("Drawing", number + 1, pictures)

    def rows(statistics: BuildStatistics) -> Iterator[dict[str, Any]]:
        for number, shapes in enumerate(islice(random_shapes(seed), pictures)):
            split = "val" if number % _VALIDATION == _VALIDATION - 1 else "train"
            for row in describe(shapes, random.Random(f"{seed}:{number}:said")):
                yield {"image": _name(number, seed), "split": split, **row}

    origin = f"{pictures} pictures drawn with seed {seed}"
    folders = ImageFolders.of([folder])
    return DatasetBuilder(NAME, FILE, "rows", (), folders, rows, origin).build(options)


def random_shapes(seed: int) -> Iterator[tuple[Shape, ...]]:
    """Endless pictures, each as its shapes; colours and kinds are different within a picture."""
    number = 0
    while True:
        rng = random.Random(f"{seed}:{number}")
        count = rng.randint(1, 3)
        kinds, colours = rng.sample(KINDS, count), rng.sample(list(COLOURS), count)
        places = rng.sample(range(3), count)
        yield tuple(Shape(*each) for each in zip(kinds, colours, places, strict=True))
        number += 1


def describe(shapes: tuple[Shape, ...], rng: random.Random) -> Iterator[dict[str, Any]]:
    """Rows of captions and questions; yes and no come equally often."""
    named = [f"a {shape.colour} {shape.kind}" for shape in shapes]
    listed = " and ".join([", ".join(named[:-1]), named[-1]] if len(named) > 1 else named)
    yield {"captions": [listed, f"a picture of {listed}"]}
    for shape in shapes:
        yield {"question": f"What color is the {shape.kind}?", "answer": shape.colour}
        yield {"question": f"What shape is {shape.colour}?", "answer": shape.kind}
    yield {"question": "How many shapes are there?", "answer": str(len(shapes))}
    there = {shape.kind for shape in shapes}
    asked = rng.choice(sorted(there))
    if len(there) < len(KINDS):
        yield {"question": f"Is there a {asked}?", "answer": "yes"}
        other = rng.choice(sorted(set(KINDS) - there))
        yield {"question": f"Is there a {other}?", "answer": "no"}
    colours = {shape.colour for shape in shapes}
    yield {"question": f"Is anything {rng.choice(sorted(colours))}?", "answer": "yes"}
    absent = rng.choice(sorted(set(COLOURS) - colours))
    yield {"question": f"Is anything {absent}?", "answer": "no"}


def _draw(shapes: tuple[Shape, ...]) -> Image.Image:
    image = Image.new("RGB", (SIDE, SIDE), (236, 234, 228))
    pen = ImageDraw.Draw(image)
    size = SIDE // 3 - 8
    for shape in shapes:
        left, top = shape.place * SIDE // 3 + 4, (SIDE - size) // 2
        box = (left, top, left + size, top + size)
        draw_shape(pen, shape.kind, box, COLOURS[shape.colour])
    return image


def draw_shape(
    pen: ImageDraw.ImageDraw,
    kind: str,
    box: tuple[int, int, int, int],
    colour: tuple[int, int, int],
) -> None:
    """Fill a circle, a square or an upright triangle; `box` is left, top, right, bottom."""
    left, top, right, bottom = box
    if kind == "circle":
        pen.ellipse(box, colour)
    elif kind == "square":
        pen.rectangle(box, colour)
    else:
        pen.polygon([(left, bottom), (right, bottom), ((left + right) / 2, top)], colour)


def _name(number: int, seed: int) -> str:
    return f"shapes_{seed}_{number:05d}.png"
