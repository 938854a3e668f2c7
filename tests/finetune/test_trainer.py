from __future__ import annotations

import json
import logging
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tiny_data import COLOURS
from tiny_models import LAYERS
from training import act_at, adapter_bytes, make_trainer

from finetune import lora
from finetune.config import Schedule
from finetune.errors import RecipeError, TrainingError
from finetune.lora import part
from finetune.progress import Progress, StepReport
from finetune.trainer import Trainer
from model.adapter import load_base, load_trained
from model.config import Profile, load_profile
from model.errors import AdapterError


@pytest.mark.parametrize(
    ("speaking", "number"),
    [("gpt-neox", "float32"), ("llama", "bfloat16")],
)
def test_training_teaches_and_tells(
    tmp_path: Path,
    hub: Path,
    data: Path,
    caplog: pytest.LogCaptureFixture,
    speaking: str,
    number: str,
) -> None:
    reports: list[StepReport] = []
    caplog.set_level(logging.INFO)
    trainer = make_trainer(
        tmp_path,
        hub,
        data,
        speaking=speaking,
        report=reports.append,
        changes={"precision": number},
        **{"steps": 25, "checkpoint_steps": 15, "mapper_rate": 0.03, "lora_rate": 0.03},
    )
    folder = trainer.train()
    losses = trainer.progress.losses
    assert len(losses) == 25
    assert sum(losses[-5:]) < 0.7 * sum(losses[:5])
    assert [report.step for report in reports] == [15, 20, 25]
    assert reports[1].samples == ()
    said = reports[2].samples
    assert [sample.question for sample in said] == [None, "What color is it?"] * 2
    assert said[0].wanted.startswith("A ")
    assert said[1].wanted in COLOURS
    assert str(said[1]) in caplog.text
    lines = (tmp_path / "run/log.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [15, 20, 25]
    assert json.loads(lines[2])["samples"][1]["wanted"] == said[1].wanted
    assert reports[2].loss == pytest.approx(sum(losses[-20:]) / 20)
    assert reports[2].share == 1.0
    assert (folder / "adapter.toml").is_file()
    assert trainer.vlm.mapper.training  # looking at samples must not end dropout


def test_the_same_seed_trains_the_same_adapter_and_another_does_not(
    tmp_path: Path, hub: Path, data: Path
) -> None:
    one = make_trainer(tmp_path / "one", hub, data, steps=3).train()
    torch.manual_seed(99)  # what happened before must not matter
    two = make_trainer(tmp_path / "two", hub, data, steps=3).train()
    other = make_trainer(tmp_path / "other", hub, data, steps=3, changes={"seed": 6}).train()
    assert adapter_bytes(one) == adapter_bytes(two)
    assert adapter_bytes(one) != adapter_bytes(other)


def test_the_mapper_learns_alone_at_first(tmp_path: Path, hub: Path, data: Path) -> None:
    trainer = make_trainer(tmp_path, hub, data, mapper_steps=3)
    history = []
    for _ in range(4):
        trainer._step()
        history.append({key: value.clone() for key, value in trainer.learner.state().items()})

    def changes(before: int, after: int, start: str) -> bool:
        return any(
            not torch.equal(history[before][key], history[after][key])
            for key in history[0]
            if key.startswith(start)
        )

    assert not changes(0, 2, "lora.")
    assert changes(0, 2, "mapper.")
    assert changes(2, 3, "lora.")
    assert not any(
        p.requires_grad for n, p in trainer.learner.language.named_parameters() if "lora" not in n
    )


def test_learning_rates_rise_then_fall(tmp_path: Path, hub: Path, data: Path) -> None:
    schedule = {"steps": 100, "mapper_steps": 10, "warmup_steps": 4}
    rates_at_peak = {"mapper_rate": 1.0, "lora_rate": 0.5}
    trainer = make_trainer(tmp_path, hub, data, **schedule, **rates_at_peak)

    def rates(step: int) -> tuple[float, float]:
        trainer.optimizer._set_rates(step, step / 100)
        groups = trainer.optimizer.adam.param_groups
        return groups[0]["lr"], groups[2]["lr"]

    assert rates(0) == (0.25, 0.0)
    assert rates(9)[1] == 0.0
    assert rates(10)[1] == pytest.approx(0.25 * 0.5, rel=0.05)
    assert rates(50) == pytest.approx((0.5, 0.25))
    assert rates(100) == pytest.approx((0.0, 0.0))


def test_a_step_in_parts_is_the_same_step(tmp_path: Path, hub: Path, data: Path) -> None:
    still = {"mapper": {"kind": "mlp", "hidden_size": 24, "shuffle": 2}}
    lora = {"lora": {"rank": 2, "alpha": 4, "dropout": 0.0, "targets": ["query_key_value"]}}
    losses = []
    for parts in (1, 3):
        trainer = make_trainer(
            tmp_path / str(parts), hub, data, changes=lora, profile=still, accumulate=parts
        )
        trainer.train()
        losses.append(trainer.progress.losses)
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)


def test_a_profile_beside_the_adapter_answers_with_it(
    tmp_path: Path, hub: Path, data: Path
) -> None:
    trainer = make_trainer(tmp_path, hub, data)
    folder = trainer.train()
    profile = load_profile(tmp_path / "run/profile.toml")
    assert profile.adapter_folder == folder
    assert replace(profile, name="", adapter="") == replace(trainer.profile, name="", adapter="")


@pytest.mark.parametrize("texts", [2, 0])
def test_guidance_is_for_who_learnt_to_answer_without_a_picture(
    tmp_path: Path, hub: Path, data: Path, texts: int
) -> None:
    guided = {"decoding": {"answer_tokens": 4, "guidance_scale": 0.5, "polar_guidance_scale": 0.5}}
    make_trainer(tmp_path, hub, data, profile=guided, steps=1, texts=texts).train()
    profile = load_profile(tmp_path / "run/profile.toml")
    assert profile.decoding.guidance_scale == (0.5 if texts else 1.0)
    assert profile.decoding.polar_guidance_scale == (0.5 if texts else 1.0)


def test_learning_rates_may_start_full_and_end_above_zero(
    tmp_path: Path, hub: Path, data: Path
) -> None:
    trainer = make_trainer(tmp_path, hub, data, warmup_steps=0, mapper_rate=0.5, last_rate=0.2)
    for step, share, rate in ((0, 0.0, 0.5), (100, 1.0, 0.1)):
        trainer.optimizer._set_rates(step, share)
        assert trainer.optimizer.adam.param_groups[0]["lr"] == pytest.approx(rate)


def test_the_adapter_is_the_mean_of_the_last_weights(
    tmp_path: Path, hub: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("finetune.trainer.AVERAGE_EVERY", 1)
    trainer = make_trainer(tmp_path, hub, data, steps=4, average_from=0.7)
    seen = []

    def remember(state: dict[str, torch.Tensor]) -> None:
        seen.append({key: value.clone() for key, value in state.items()})
        add(state)

    add, trainer.average.add = trainer.average.add, remember  # type: ignore[method-assign]
    trainer.train()
    assert len(seen) == 2  # after steps 3 and 4 of 4
    for key, mean in trainer.average.state.items():
        torch.testing.assert_close(mean, (seen[0][key] + seen[1][key]) / 2)
    assert trainer.average.count == 2


def test_time_ends_a_run_too() -> None:
    schedule = Schedule(steps=100, minutes=2.0)
    assert Progress(step=10, seconds=60).share(schedule) == 0.5
    assert Progress(step=80, seconds=60).share(schedule) == 0.8
    assert Progress(step=10, seconds=600).share(schedule) == 1.0
    assert Progress(step=10, seconds=600).share(Schedule(steps=100)) == 0.1


def test_bfloat16_is_used_only_where_it_is_known_to_be_fast(
    tmp_path: Path, hub: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = make_trainer(tmp_path, hub, data, changes={"precision": "auto"}).recipe
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True, raising=False)
    assert lora.computes_bfloat16(recipe, torch.device("cpu"))
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    assert not lora.computes_bfloat16(recipe, torch.device("cpu"))
    monkeypatch.delattr(torch.cpu, "_is_avx512_bf16_supported")
    assert not lora.computes_bfloat16(recipe, torch.device("cpu"))


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
    kill = act_at(4, lambda: os.kill(os.getpid(), signal.SIGTERM))
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
