import json
import logging
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny_data import COLOURS
from training import adapter_bytes, make_trainer

from finetune import precision
from finetune.config import Schedule
from finetune.progress import Progress
from finetune.trainer import StepReport
from model.config import load_profile


@pytest.mark.parametrize(
    ("speaking", "number"),
    [("gpt-neox", "float32"), ("gpt-neox", "bfloat16"), ("llama", "bfloat16")],
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
    one = make_trainer(tmp_path / "one", hub, data).train()
    torch.manual_seed(99)  # what happened before must not matter
    two = make_trainer(tmp_path / "two", hub, data).train()
    other = make_trainer(tmp_path / "other", hub, data, changes={"seed": 6}).train()
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
        trainer.optimiser._set_rates(step, step / 100)
        groups = trainer.optimiser.adam.param_groups
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


def test_learning_rates_may_end_above_zero(tmp_path: Path, hub: Path, data: Path) -> None:
    trainer = make_trainer(tmp_path, hub, data, warmup_steps=0, mapper_rate=0.5, last_rate=0.2)
    trainer.optimiser._set_rates(100, 1.0)
    assert trainer.optimiser.adam.param_groups[0]["lr"] == pytest.approx(0.1)


def test_a_run_without_warm_up_starts_at_full_rate(tmp_path: Path, hub: Path, data: Path) -> None:
    trainer = make_trainer(tmp_path, hub, data, warmup_steps=0, mapper_rate=0.5)
    trainer.optimiser._set_rates(0, 0.0)
    assert trainer.optimiser.adam.param_groups[0]["lr"] == 0.5


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
    assert precision.computes_bfloat16(recipe, torch.device("cpu"))
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    assert not precision.computes_bfloat16(recipe, torch.device("cpu"))
    monkeypatch.delattr(torch.cpu, "_is_avx512_bf16_supported")
    assert not precision.computes_bfloat16(recipe, torch.device("cpu"))
