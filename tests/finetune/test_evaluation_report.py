"""The report: whole, self-contained, and safe whatever a dataset says."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image
from tiny_data import write_rows

from data.records import DataError
from finetune.evaluation.asking import Replies, Reply
from finetune.evaluation.charts import HEIGHT, WIDTH, curve_chart
from finetune.evaluation.dataset import Dataset, Item
from finetune.evaluation.figures import figures_of
from finetune.evaluation.markup import VOID
from finetune.evaluation.report import Page, read_losses, render

EVIL = "<script>alert(1)</script>\"'&"


class Reader(HTMLParser):
    """Elements, texts, and whether every element is closed in its turn."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@pytest.fixture
def page(tmp_path: Path) -> Page:
    images = [tmp_path / f"{name}.png" for name in ("a", "<img onerror=x>")]
    for image in images:
        Image.new("RGB", (640, 200), "red").save(image)
    captions = tuple(Item(image, None, (EVIL, "a red wall")) for image in images)
    questions = (
        Item(images[0], f"Is it {EVIL}?", ("yes",), "yes/no", EVIL),
        Item(images[1], "What is it?", (EVIL,), EVIL, "what is"),
    )
    said = (Reply(EVIL, 0.95), Reply(EVIL, 0.4))
    replies = Replies((Reply("a red wall", 0.7), Reply("", 0.6)), said, said, said)
    figures, scored = figures_of(Dataset(captions, questions), replies, seed=0)
    return Page(EVIL, EVIL, figures, scored, EVIL, [(20, 2.5), (40, 1.25)])


def test_the_page_is_whole_and_needs_nothing_else(page: Page) -> None:
    text = render(page)
    reader = Reader(text)
    tags = [tag for tag, _ in reader.elements]
    assert not {"script", "link", "iframe", "object", "form", "a"} & {*tags}
    attributes = [pair for _, given in reader.elements for pair in given.items()]
    assert not [name for name, _ in attributes if name.startswith("on") or name == "href"]
    assert "url(" not in text
    assert "@import" not in text
    sources = [value or "" for name, value in attributes if name == "src"]
    assert len(sources) == 2 + 4  # mistakes and all replies
    for source in sources:
        kind, content = source.split(",")
        assert kind == "data:image/jpeg;base64"
        assert Image.open(io.BytesIO(base64.b64decode(content))).size == (160, 50)
    assert tags.count("svg") == 3
    assert "width=device-width, initial-scale=1" in text
    assert "prefers-color-scheme: dark" in text
    shown = " ".join(reader.texts)
    for expected in (EVIL, "95 % sure, 0 % right", "calibration error", "1.250 at the end"):
        assert expected in shown


def test_the_surest_mistake_comes_first(page: Page) -> None:
    text = render(page)
    worst = text[text.index("Worst mistakes") : text.index("What it says")]
    assert re.findall(r"(\d+) % sure", worst) == ["95", "60"]
    right = replace(page, replies=[r for r in page.replies if r.score == 1], losses=())
    assert "Worst mistakes" not in render(right)
    assert "Training loss" not in render(right)


@pytest.mark.parametrize(
    "points", [[(1, 2.0)], [(i, i % 7) for i in range(5001)], [(1, 3), (2, 3)]]
)
def test_curves_stay_in_their_drawing(points: list[tuple[float, float]]) -> None:
    (given,) = [a for tag, a in Reader(curve_chart("t", "x", "y", points)).elements
                if tag == "polyline"]  # fmt: skip
    places = [tuple(map(float, pair.split(","))) for pair in (given["points"] or "").split()]
    assert len(places) <= 401
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in places)


def test_losses_are_read_once_a_step(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    rows = [{"step": 20, "loss": 3.0}, {"step": 40, "loss": 2.0}, {"step": 20, "loss": 1.0}]
    write_rows(path, rows)
    assert read_losses(path) == [(20, 1.0), (40, 2.0)]
    for bad in ([], [{"step": 1}], [{"step": "x", "loss": 1}]):
        write_rows(path, bad)
        with pytest.raises(DataError, match=r"log\.jsonl (is empty|should hold)"):
            read_losses(path)
