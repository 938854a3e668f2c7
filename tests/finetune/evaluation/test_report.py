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

from data.errors import DataError
from finetune.evaluation.dataset import Dataset, Item
from finetune.evaluation.report import HEIGHT, WIDTH, Page, loss_chart, read_losses, render
from finetune.evaluation.runner import Replies, Reply
from finetune.evaluation.summary import figures_of

VOID = ("img", "meta")
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
    captions = (
        Item(images[0], None, (EVIL, "a red wall")),
        Item(images[1], None, ("a dog runs on the grass", "the brown dog is on a lawn")),
    )
    questions = (
        Item(images[0], f"Is it {EVIL}?", ("yes",), "yes/no", EVIL),
        Item(images[1], "What is it?", (EVIL,), EVIL, "what is"),
    )
    said = (Reply(EVIL, 0.95), Reply(EVIL, 0.4))
    told = (Reply("a red wall", 0.7), Reply("on the lawn is a", 0.6))
    replies = Replies(told, said, said, said)
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
    assert len(sources) == 1 + 4  # a mistake and all replies
    for source in sources:
        kind, content = source.split(",")
        assert kind == "data:image/jpeg;base64"
        assert Image.open(io.BytesIO(base64.b64decode(content))).size == (160, 50)
    assert tags.count("svg") == 3
    assert "width=device-width, initial-scale=1" in text
    assert "prefers-color-scheme: dark" in text
    shown = " ".join(reader.texts)
    for expected in (
        EVIL,
        "95 % sure, 0 % right",
        "calibration error",
        "Stanford's PTB tokenizer",
        "1.250 at the end",
    ):
        assert expected in shown


def test_the_surest_mistake_comes_first(page: Page) -> None:
    text = render(page)
    worst = text[text.index("Worst mistakes") : text.index("What it says")]
    assert re.findall(r"(\d+) % sure", worst) == ["95"]
    surer = [replace(r, score=0, reply=Reply("x", 0.99)) for r in page.replies[-1:]]
    worst = render(replace(page, replies=[*page.replies, *surer]))
    assert re.findall(r"(\d+) % sure", worst[worst.index("Worst mistakes") :])[:2] == ["99", "95"]
    right = replace(page, replies=[r for r in page.replies if r.score == 1], losses=())
    assert "Worst mistakes" not in render(right)
    assert "Training loss" not in render(right)


def test_a_caption_is_judged_by_its_own_cider(page: Page) -> None:
    good, fluent = [r for r in page.replies if r.item.question is None]
    assert (fluent.score, fluent.item.golds[0]) == (1, "a dog runs on the grass")  # words in common
    assert good.cider is not None
    assert good.cider > 100
    poor = replace(fluent, cider=9.4)
    surer = replace(poor, reply=Reply("a big cat", 0.8))
    text = render(replace(page, replies=[good, poor, surer]))
    worst, sample = text[text.index("Worst mistakes") :].split("What it says")
    assert re.findall(r"(\d+) % sure, CIDEr-D (\d+)", worst) == [("80", "9"), ("60", "9")]
    assert f"70 % sure, CIDEr-D {good.cider:.0f}" in sample
    assert "words in common" not in text
    classes = [given.get("class") for tag, given in Reader(text).elements if tag == "div"]
    assert classes.count("answer") == 2 + 3  # and no colour
    assert not {"answer right", "answer partly", "answer wrong"} & {*classes}
    lone = [replace(poor, cider=None)]  # of a dataset's only caption
    assert "Worst mistakes" not in render(replace(page, replies=lone))


def test_rare_question_types_share_a_row_and_few_questions_get_no_interval(page: Page) -> None:
    image = page.replies[0].item.image
    kinds = ["what is"] * 10 + ["other types"] * 2 + [f"type {n:02}" for n in range(25)]
    items = tuple(Item(image, f"{n}?", ("yes",), "all", kind) for n, kind in enumerate(kinds))
    said = tuple(Reply("yes" if n % 2 else "no", 0.5) for n in range(len(items)))
    figures, scored = figures_of(Dataset((), items), Replies((), said, None, said), seed=0)
    assert figures.questions is not None
    assert len(figures.questions.question_types) == 27  # the JSON file tells all
    text = render(replace(page, figures=figures, replies=scored))
    cells = [re.sub("<[^>]*>", "", cell) for cell in re.findall(r"<td>(.*?)</td>", text)]
    rows = {cells[i]: cells[i + 1 : i + 3] for i in range(0, len(cells), 7)}
    assert [*rows][:3] == ["all", "what is", "other types"]  # here a type of answer is called all
    assert [*rows][-2:] == ["type 17", "7 other types"]
    assert len(cells) == 7 * (2 + 20 + 1)
    assert rows["what is"][1].startswith("50.0 ")
    assert re.fullmatch(r"50\.0 \d+\.\d–\d+\.\d", rows["what is"][1])  # noqa: RUF001
    assert rows["other types"] == ["2", "50.0 –"]  # noqa: RUF001
    assert rows["7 other types"][0] == "7"


@pytest.mark.parametrize(
    "points", [[(1, 2.0)], [(i, i % 7) for i in range(5001)], [(1, 3), (2, 3)]]
)
def test_curves_stay_in_their_drawing(points: list[tuple[float, float]]) -> None:
    places = [tuple(map(float, pair.split(","))) for pair in loss_chart(points)["curve"].split()]
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
