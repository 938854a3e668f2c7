"""What people put right is learnt, and little else is lost."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import tomli_w
import torch
from PIL import Image
from safetensors.torch import load_file
from tiny_data import COLOURS, write_rows
from training import adapter_bytes, make_trainer

from data.images.open import open_picture
from finetune.checkpoint import interpolate_weights
from finetune.config import RECIPES_FOLDER, load_recipe
from finetune.errors import RecipeError
from model.card import read_card
from model.engine import load_engine
from model.requests import EngineLimits

PLAIN = {
    "mapper": {"kind": "mlp", "hidden_size": 24, "shuffle": 2, "words": 0},
    "decoding": {"answer_tokens": 8},
}
RATES = {"mapper_rate": 0.006, "lora_rate": 0.006, "texts": 0, "mapper_steps": 0}
LORA = {"rank": 8, "alpha": 16, "dropout": 0.0, "targets": ["query_key_value", "dense"]}
Asked = tuple[Path, str, str]


def walls(folder: Path, count: int, seed: int) -> list[Asked]:
    """Questions about pictures of one colour each, none quite like another."""
    rng = random.Random(seed)
    (folder / "images").mkdir(parents=True, exist_ok=True)
    asked, rows = [], []
    for number in range(count):
        colour = list(COLOURS)[number % len(COLOURS)]
        shade = tuple(min(255, max(0, value + rng.randint(-12, 12))) for value in COLOURS[colour])
        path = folder / "images" / f"{number}.png"
        Image.new("RGB", (32, 32), shade).save(path)
        for question, answer in (
            ("What color is it?", colour),
            ("Is it red?", "yes" if colour == "red" else "no"),
        ):
            asked.append((path, question, answer))
            rows.append({"image": path.name, "question": question, "answer": answer})
    write_rows(folder / "feedback.jsonl", rows)
    return asked


def right(asked: Sequence[Asked], profile: Path) -> float:
    """Share of questions that are answered as wanted, 0..100."""
    engine = load_engine(str(profile), limits=EngineLimits(queue=len(asked)))
    try:
        waiting = [
            engine.submit(open_picture(path.read_bytes()), question) for path, question, _ in asked
        ]
        said = [future.result(60).text for future in waiting]
    finally:
        engine.close()
    return 100 * sum(s == a for s, (_, _, a) in zip(said, asked, strict=True)) / len(asked)


def source(questions: int) -> dict[str, Any]:
    rows = {"name": "feedback", "files": ["feedback.jsonl"], "images": "images"}
    return {
        "lora": LORA,
        "sources": [rows | {"questions": questions}],
        "samples": [],
        "text_only": "",
    }


def test_corrections_are_learnt_without_losing_what_was_right(tmp_path: Path, hub: Path) -> None:
    walls(tmp_path / "data", 40, 1)
    held_out = walls(tmp_path / "val", 60, 2)
    first = make_trainer(
        tmp_path / "first", hub, tmp_path / "data", profile=PLAIN, changes=source(2),
        **RATES | {"steps": 150, "pictures": 8},
    )  # fmt: skip
    folder = first.train()
    before = tmp_path / "first/run/profile.toml"
    known = right(held_out, before)
    assert known > 90
    # People ask what nobody taught it, put the answer right, and share their pictures, about which
    # other answers were right.
    shared = walls(tmp_path / "shared", 16, 3)
    wanted = [
        (path, "Who made it?", "red")
        for path, question, _ in shared
        if question == "What color is it?"
    ]
    assert right(wanted, before) < 75
    rows = [{"image": p.name, "question": q, "answer": a} for p, q, a in [*shared, *wanted]]
    write_rows(tmp_path / "shared/feedback.jsonl", rows)
    second = make_trainer(
        tmp_path / "second", hub, tmp_path / "shared",
        profile=PLAIN | {"adapter": str(folder)}, changes=source(3) | {"continues": True},
        **RATES | {"steps": 120, "pictures": 8, "start_share": 0.3, "average_from": 1.0},
    )  # fmt: skip
    second.train()
    after = tmp_path / "second/run/profile.toml"
    assert right(wanted, after) == 100
    assert right(held_out, after) >= known - 1


def test_the_start_counts_as_much_as_the_recipe_says(tmp_path: Path, hub: Path, data: Path) -> None:
    first = make_trainer(tmp_path / "first", hub, data, steps=2)
    folder = first.train()
    card = folder / "adapter.toml"
    table = read_card(folder, first.profile) | {"calibration": {"answer_slope": 2.0}}
    card.write_text(tomli_w.dumps(table), encoding="utf-8")
    results = []
    for share in (0.0, 0.25, 1.0):
        name = tmp_path / f"second{share}"
        second = make_trainer(
            name, hub, data, profile={"adapter": str(folder)}, changes={"continues": True},
            start_share=share, steps=4,
        )  # fmt: skip
        results.append(second.train())
        made = read_card(results[-1], second.profile)
        assert made["calibration"] == {"answer_slope": 2.0}  # until another one is fitted
        assert made["training"].get("start_share", 0.0) == share
    assert adapter_bytes(results[2]) == adapter_bytes(folder)
    for file in ("prefix.safetensors", "lora/adapter_model.safetensors"):
        start, moved, mixed = (load_file(f / file) for f in (folder, results[0], results[1]))
        assert any(not torch.equal(start[key], moved[key]) for key in start)
        for key, value in mixed.items():
            wanted = 0.75 * moved[key].float() + 0.25 * start[key].float()
            torch.testing.assert_close(value.float(), wanted, atol=2e-3, rtol=2e-3)


def test_names_of_words_are_mixed_word_by_word() -> None:
    names, detector = "mapper.words.names.weight", "mapper.words.detector.0.weight"
    state = {names: torch.tensor([[1.0], [2.0], [3.0]]), detector: torch.ones(3)}
    start = {names: torch.tensor([[20.0], [10.0]]), detector: torch.zeros(2)}
    mixed = interpolate_weights(state, start, 0.5, ["a", "b", "c"], ["b", "a"])
    assert mixed[names].flatten().tolist() == [5.5, 11.0, 3.0]
    assert mixed[detector].tolist() == [1.0] * 3
    assert state[names].flatten().tolist() == [1.0, 2.0, 3.0]


def test_the_recipe_goes_on_from_an_adapter_and_needs_one(tmp_path: Path) -> None:
    recipe = load_recipe("feedback")
    assert recipe.continues
    assert recipe.schedule.start_share
    text = (RECIPES_FOLDER / "feedback.toml").read_text(encoding="utf-8")
    other = tmp_path / "other.toml"
    other.write_text(text.replace("continues = true", ""), encoding="utf-8")
    with pytest.raises(RecipeError, match="start_share is for a run that continues"):
        load_recipe(other)
