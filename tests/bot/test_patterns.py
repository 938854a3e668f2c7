"""Which of several pictures is meant."""

from __future__ import annotations

import pytest

from bot.assistant.patterns import LAST, named_pictures


@pytest.mark.parametrize(
    ("text", "numbers", "question"),
    [
        ("Is it red in picture 2?", (2,), "Is it red in the picture?"),
        ("Is it red in Photo #2?", (2,), "Is it red in the picture?"),
        ("Is it red in image no. 10?", (10,), "Is it red in the picture?"),
        ("Is it red in the second picture?", (2,), "Is it red in the picture?"),
        ("Is it red in the 3rd pic?", (3,), "Is it red in the picture?"),
        ("Is it red in the last photo?", (LAST,), "Is it red in the picture?"),
        ("Is it red in #2?", (2,), "Is it red in the picture?"),
        ("Picture two: is it red?", (2,), "is it red?"),
        ("In picture 2, is it red?", (2,), "is it red?"),
        ("about photo 2 - is it red?", (2,), "is it red?"),
        ("Are pictures 1 and 3 alike?", (1, 3), "Are the picture alike?"),
        ("Is picture 1 like picture 2?", (1, 2), "Is the picture like the picture?"),
        ("number 4", (4,), "the picture"),
        ("2?", (2,), "the picture"),
        ("picture 0", (0,), "the picture"),
        ("Is the player wearing #7?", (), "Is the player wearing #7?"),
        ("How many pictures are on the wall?", (), "How many pictures are on the wall?"),
        ("Is it a picture of two dogs?", (), "Is it a picture of two dogs?"),
        ("Is the first person in the photo tall?", (), "Is the first person in the photo tall?"),
        ("Is the photo one of many?", (), "Is the photo one of many?"),
        ("Are there 2 dogs?", (), "Are there 2 dogs?"),
        ("Is the picture 50% grey?", (), "Is the picture 50% grey?"),
    ],
)
def test_named_pictures(text: str, numbers: tuple[int, ...], question: str) -> None:
    assert named_pictures(text) == (numbers, question)
