"""The plain loop that training is compared with must learn the very same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from test_packing import TEXTS, objective
from tiny_data import TARGETS, recipe_table, write_profile, write_recipe
from tiny_models import tiny_vlm

from bot.cli.main import main
from finetune.benchmark import BaselineModel, collate, compare, median
from finetune.config import Lora, load_recipe
from finetune.image_features import TrainableCropFeatures
from finetune.packing import Group, Segment
from finetune.sampler import Visit


@pytest.mark.parametrize("speaking", ["gpt-neox", "llama"])
def test_the_plain_loop_has_the_same_loss_and_gradients(hub: Path, speaking: str) -> None:
    ours = objective(hub, speaking)
    plain = BaselineModel(tiny_vlm(hub, speaking), Lora(4, 8, 0.0, tuple(TARGETS[speaking])))
    plain.mapper.load_state_dict(ours.learner.vlm.mapper.state_dict())
    plain.language.load_state_dict(ours.learner.language.state_dict())
    plain.mapper.requires_grad_(True)
    texts = [Segment(text.prompt, text.target) for text in TEXTS]
    visits = [
        Visit("a", Group(tuple(texts[:2]), has_picture=True)),
        Visit("b", Group(tuple(texts[2:]), has_picture=True)),
    ]
    tokens = sum(len(text.target) for text in texts)
    expected = ours(visits) / tokens
    expected.backward()
    rows = [(visit, segment) for visit in visits for segment in visit.group.segments]
    loss = plain(**collate(plain.vlm, ours.features, rows))["loss"]
    loss.backward()
    torch.testing.assert_close(loss, expected)
    wanted = dict(ours.learner.vlm.mapper.named_parameters())
    for name, parameter in plain.mapper.named_parameters():
        torch.testing.assert_close(parameter.grad, wanted[name].grad, rtol=1e-3, atol=1e-6)
    learnt = [p for p in plain.language.parameters() if p.requires_grad]
    for parameter, other in zip(learnt, ours.learner.lora_parameters, strict=True):
        torch.testing.assert_close(parameter.grad, other.grad, rtol=1e-3, atol=1e-6)
    longest = max(len(text.prompt) + len(text.target) for text in texts)
    assert plain.computed == len(texts) * (plain.mapper.positions + longest)


def test_both_learn_the_same_texts_in_turns(
    tmp_path: Path, hub: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_profile(tmp_path, hub)
    table = recipe_table(pictures=6, critic_from=0.5) | {"crops": True, "tower_blocks": 1}
    recipe = load_recipe(write_recipe(tmp_path, table))
    told: list[int] = []
    encoded: list[object] = []
    monkeypatch.setattr(TrainableCropFeatures, "__call__", lambda _, visits: encoded.append(visits))
    rounds = compare(recipe, data, 3, told.append)
    assert told == [1, 2, 3]
    assert encoded == []  # the tower learns in neither
    for each in rounds:
        assert each.ours.texts == each.plain.texts > 0
        assert each.ours.positions < each.plain.positions
    assert [each.times for each in rounds].count(median(rounds).times) >= 1
    slowest, fastest = (choose(each.times for each in rounds) for choose in (min, max))
    assert slowest <= median(rounds).times <= fastest


def test_the_comparison_is_told_in_numbers(
    tmp_path: Path, hub: Path, data: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write_profile(tmp_path, hub)
    recipe = write_recipe(tmp_path, recipe_table())
    assert main(["bench", "train", str(recipe), "--data", str(data), "--rounds", "2"]) == 0
    said = capfd.readouterr().out.splitlines()
    assert said[0].split() == ["texts/s", "positions/text", "positions/s"]
    plain, ours = (line.split()[-3:] for line in said[1:3])
    match = re.match(r"([\d.]+) times as fast \(rounds: ([\d.]+), ([\d.]+)\)", said[3])
    assert match
    assert float(match[1]) == min(float(match[2]), float(match[3]))
    assert float(match[1]) == pytest.approx(float(ours[0]) / float(plain[0]), rel=0.05)
