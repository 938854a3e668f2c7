"""A whole evaluation of a tiny model by a real engine with little room."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_models import tiny_profile, tiny_vlm

from data.errors import DataError
from data.images.open import read_picture
from finetune.evaluation.dataset import read_dataset, rows_of
from finetune.evaluation.runner import ask, ask_dataset, blank_picture
from finetune.evaluation.summary import figures_of
from model.engine import Engine
from model.errors import EngineBusy
from model.requests import EngineLimits


def test_everything_is_asked_about_the_right_picture_though_the_engine_is_busy(
    hub: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = read_dataset(data / "vqa.jsonl", data / "images", limit=12)
    told = read_dataset(data / "captions.jsonl", data / "images", limit=2)
    dataset = type(dataset)(told.captions, dataset.questions)
    refused = 0
    counts: list[tuple[int, int]] = []
    engine = Engine(tiny_profile(hub), tiny_vlm(hub), limits=EngineLimits(queue=2, batch=2))
    submit = engine.submit

    def counted(*arguments):  # type: ignore[no-untyped-def]
        nonlocal refused
        try:
            return submit(*arguments)
        except EngineBusy:
            refused += 1
            raise

    monkeypatch.setattr(engine, "submit", counted)
    replies = ask_dataset(engine, dataset, lambda *count: counts.append(count))
    total = 2 + 12 + 12 + 2  # two different questions are asked about the grey picture
    assert refused > 0
    assert counts == [(done, total) for done in range(1, total + 1)]
    for item, reply, blind in zip(
        (*dataset.captions, *dataset.questions),
        (*replies.captions, *replies.questions),
        (*replies.captions, *replies.blank),
        strict=True,
    ):
        assert reply.text == submit(read_picture(item.image), item.question).result().text
        if item.question:
            assert blind.text == submit(blank_picture(), item.question).result().text
    assert replies.shuffled is not None
    assert [r.text for r in replies.shuffled] != [r.text for r in replies.questions]
    figures, scored = figures_of(dataset, replies, seed=0)
    assert figures.captions is not None
    assert figures.questions is not None
    assert (figures.captions.count, figures.questions.overall.count, len(scored)) == (2, 12, 14)
    engine.close()


def test_a_folder_stands_for_its_only_file(data: Path, tmp_path: Path) -> None:
    assert rows_of(data / "vqa.jsonl") == data / "vqa.jsonl"
    with pytest.raises(
        DataError, match=r"holds captions\.jsonl, texts\.jsonl, vqa\.jsonl; name one"
    ):
        rows_of(data)
    with pytest.raises(DataError, match="holds none; name one"):
        rows_of(tmp_path)
    (tmp_path / "rows.jsonl").touch()
    assert rows_of(tmp_path) == tmp_path / "rows.jsonl"


def test_a_picture_that_is_none_is_named(hub: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"no picture")
    engine = Engine(tiny_profile(hub), tiny_vlm(hub))
    with pytest.raises(DataError, match=r"The picture .*bad\.png cannot be used: "):
        ask(engine, [(tmp_path / "bad.png", None)], lambda *_: None)
    engine.close()
