"""A tiny dataset of drawn shapes with captions and questions: the notebooks run anywhere.

It is written as `glimpse data` writes datasets: a folder `images`, and JSON lines beside it.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from data.datasets.shapes import draw_shape

COLOURS = {
    "red": (205, 40, 40),
    "green": (40, 150, 60),
    "blue": (45, 75, 200),
    "yellow": (235, 200, 40),
    "black": (25, 25, 25),
}
SHAPES = ("circle", "square", "triangle")
SIZES = {"small": 34, "large": 62}  # pixels, half a side
SIDE = 256
Thing = tuple[str, str, str]  # size, colour, shape


def write_drawn(folder: Path, pictures: int, seed: int = 0) -> Path:
    """Draw pictures of one or two shapes, a fifth each for validation and test.

    Args:
        folder: Gets `images`, `captions.jsonl` and `vqa.jsonl`.
        pictures: How many; at least five.
        seed: The same seed draws the same.

    Returns:
        The folder.
    """
    chance = random.Random(seed)
    (folder / "images").mkdir(parents=True, exist_ok=True)
    captions, questions = [], []
    for number in range(pictures):
        split = {3: "val", 4: "test"}.get(number % 5, "train")
        row = {"image": f"{number:05}.png", "split": split}
        kinds = chance.sample([(c, s) for c in COLOURS for s in SHAPES], chance.choice((1, 2, 2)))
        things = [(chance.choice([*SIZES]), colour, shape) for colour, shape in kinds]
        _draw(things, chance).save(folder / "images" / row["image"])
        captions.append({**row, "captions": _captions(things)})
        questions += [{**row, "question": q, "answer": a} for q, a in _questions(things, chance)]
    _write(folder / "captions.jsonl", captions)
    _write(folder / "vqa.jsonl", questions)
    return folder


def _draw(things: list[Thing], chance: random.Random) -> Image.Image:
    """Things side by side, from left to right, each anywhere in its half."""
    background = chance.choice(((240, 240, 235), (200, 205, 215), (225, 210, 190)))
    image = Image.new("RGB", (SIDE, SIDE), background)
    draw = ImageDraw.Draw(image)
    for place, (size, colour, shape) in enumerate(things):
        half = SIZES[size]
        room = SIDE // len(things)
        x = place * room + chance.randint(half, room - half)
        y = chance.randint(half, SIDE - half)
        draw_shape(draw, shape, (x - half, y - half, x + half, y + half), COLOURS[colour])
    return image


def _captions(things: list[Thing]) -> list[str]:
    names = [f"a {size} {colour} {shape}" for size, colour, shape in things]
    if len(things) == 1:
        return [names[0], f"there is {names[0]}", f"a picture of {names[0]}"]
    left, right = names
    return [
        f"{left} to the left of {right}",
        f"{right} to the right of {left}",
        f"{left} and {right}",
    ]


def _questions(things: list[Thing], chance: random.Random) -> list[tuple[str, str]]:
    """One of each type: a colour or a shape, a number, and a yes-or-no question."""
    _, colour, shape = chance.choice(things)
    alike = [other for other in things if other[2] == shape]
    if len(alike) == 1 and chance.random() < 0.5:
        asked = (f"What color is the {shape}?", colour)
    else:
        same = {other[2] for other in things if other[1] == colour}
        asked = ("What shape is on the left?", things[0][2])
        if len(same) == 1:
            asked = (f"What shape is {colour}?", shape)
    wanted = (chance.choice([*COLOURS]), chance.choice(SHAPES))
    wanted = (colour, shape) if chance.random() < 0.5 else wanted
    there = any(other[1:] == wanted for other in things)
    return [
        asked,
        ("How many shapes are there?", str(len(things))),
        (f"Is there a {wanted[0]} {wanted[1]}?", "yes" if there else "no"),
    ]


def _write(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
