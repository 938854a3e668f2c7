"""The tower's last blocks learn with LoRA, and their weights go where the adapter goes."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from test_checkpoint import at
from tiny_models import LAYERS
from training import adapter_bytes, make_trainer

from finetune.errors import RecipeError
from finetune.errors import TrainingError
from finetune.lora import part
from finetune.trainer import Trainer
from model.adapter import load_base, load_trained
from model.config import Profile, load_profile
from model.errors import AdapterError

TUNED = {"tower_blocks": 1, "crops": True}
FILE = "tower.safetensors"


def make(folder: Path, hub: Path, data: Path, **more: Any) -> Trainer:
    changes = TUNED | more.pop("changes", {})
    return make_trainer(folder, hub, data, changes=changes, tower_rate=0.01, **more)


def answering(trainer: Trainer) -> Profile:
    return load_profile(trainer.run / "profile.toml")


def test_the_last_block_learns_and_is_loaded_with_the_adapter(
    tmp_path: Path, hub: Path, data: Path
) -> None:
    trainer = make(tmp_path, hub, data)
    folder = trainer.train()
    base = dict(load_base(trainer.profile).tower.named_parameters())
    learnt = {n: p for n, p in trainer.vlm.tower.named_parameters() if not torch.equal(p, base[n])}
    stored = load_file(folder / FILE)
    assert learnt.keys() == stored.keys()
    assert stored
    assert all(f".layers.{LAYERS - 1}." in name for name in stored)
    trained = part("tower", trainer.learner.state())
    answers, _ = load_trained(answering(trainer))
    loaded = dict(answers.tower.named_parameters())
    for name, value in stored.items():
        torch.testing.assert_close(value.float(), trained[name], atol=1e-3, rtol=1e-3)
        assert torch.equal(loaded[name], value.float())
    assert all(torch.equal(loaded[name], base[name]) for name in base.keys() - stored.keys())
    assert not any(p.requires_grad for p in answers.parameters())


def test_a_tuned_run_that_stops_goes_on_to_the_same_numbers(
    tmp_path: Path, hub: Path, data: Path
) -> None:
    straight = make(tmp_path / "straight", hub, data).train()
    kill = at(4, lambda: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(TrainingError, match="Stopped at step 5"):
        make(tmp_path / "stopped", hub, data, report=kill).train()
    resumed = make(tmp_path / "stopped", hub, data).train(resume=True)
    assert adapter_bytes(resumed) == adapter_bytes(straight)
    assert (resumed / FILE).read_bytes() == (straight / FILE).read_bytes()


def test_who_goes_on_keeps_tuning(tmp_path: Path, hub: Path, data: Path) -> None:
    first = make(tmp_path / "first", hub, data).train()
    on = {"profile": {"adapter": str(first)}, "mapper_rate": 0.0, "lora_rate": 0.0}
    changes = {"continues": True}
    other = make_trainer(tmp_path / "other", hub, data, changes=changes, **on)
    with pytest.raises(TrainingError, match="write the adapter's own tower_blocks"):
        other.train()
    more = make(tmp_path / "more", hub, data, changes=changes, steps=1, **on)
    more.begin()
    stored = load_file(first / FILE)
    found = dict(more.vlm.tower.named_parameters())
    assert all(torch.equal(found[name], value.float()) for name, value in stored.items())


def test_what_cannot_be_tuned_is_said(tmp_path: Path, hub: Path, data: Path) -> None:
    with pytest.raises(RecipeError, match="tower_blocks needs crops"):
        make(tmp_path / "kept", hub, data, changes={"crops": False})
    with pytest.raises(RecipeError, match=f"too many: the tower has only {LAYERS} blocks"):
        make(tmp_path / "many", hub, data, changes={"tower_blocks": LAYERS + 1})


def test_weights_of_another_tower_are_refused(tmp_path: Path, hub: Path, data: Path) -> None:
    from safetensors.torch import save_file

    trainer = make(tmp_path, hub, data, steps=1)
    folder = trainer.train()
    stored = load_file(folder / FILE)
    name = next(iter(stored))
    for broken in ({"other": stored[name]}, {name: stored[name] * float("nan")}):
        save_file(broken, folder / FILE)
        with pytest.raises(AdapterError, match="is damaged or made for another model"):
            load_trained(answering(trainer))
