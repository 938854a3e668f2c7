"""A run that stops, for whatever reason, goes on to the same numbers, or says why it cannot."""

import os
import signal
from pathlib import Path

import pytest
import torch
from tiny_data import write_profile
from training import act_at, adapter_bytes, make_trainer

from finetune.errors import TrainingError
from finetune.trainer import Trainer


class CrashError(Exception):
    pass


def crash() -> None:
    raise CrashError


@pytest.fixture(scope="module")
def straight(
    tmp_path_factory: pytest.TempPathFactory, hub: Path, data: Path
) -> tuple[Trainer, dict[str, bytes]]:
    """A run that went through, and its adapter."""
    torch.set_num_threads(1)
    trainer = make_trainer(tmp_path_factory.mktemp("runs") / "straight", hub, data)
    return trainer, adapter_bytes(trainer.train())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_and_resuming_ends_at_the_same_numbers(
    tmp_path: Path,
    hub: Path,
    data: Path,
    straight: tuple[Trainer, dict[str, bytes]],
    number: signal.Signals,
) -> None:
    before = signal.getsignal(number)
    folder = tmp_path / "stopped"
    kill = act_at(4, lambda: os.kill(os.getpid(), number))
    stopped = make_trainer(folder, hub, data, report=kill)
    with pytest.raises(TrainingError, match=r"^Stopped at step 5; go on with --resume\.$"):
        stopped.train()
    assert stopped.stopped_by == number
    assert signal.getsignal(number) is before
    assert not (folder / "run/adapter").exists()
    resumed = make_trainer(folder, hub, data)
    assert adapter_bytes(resumed.train(resume=True)) == straight[1]
    assert resumed.progress.losses == straight[0].progress.losses
    assert resumed.progress.examples == straight[0].progress.examples
    assert resumed.progress.seconds > 0


def test_a_crash_costs_only_the_steps_since_the_last_checkpoint(
    tmp_path: Path, hub: Path, data: Path, straight: tuple[Trainer, dict[str, bytes]]
) -> None:
    folder = tmp_path / "crashed"
    crashed = make_trainer(folder, hub, data)
    step = crashed.mixture.visits

    def visits(number: int, pictures: int, texts: int) -> object:
        return crash() if number == 6 else step(number, pictures, texts)

    crashed.mixture.visits = visits  # type: ignore[method-assign, assignment]
    with pytest.raises(CrashError):
        crashed.train()
    resumed = make_trainer(folder, hub, data)
    resumed.checkpoint.load(
        resumed.progress, resumed.learner, resumed.average, resumed.optimizer.adam
    )
    assert resumed.progress.step == 4
    assert adapter_bytes(resumed.train(resume=True)) == straight[1]


def test_resuming_a_finished_run_changes_nothing(
    hub: Path, data: Path, straight: tuple[Trainer, dict[str, bytes]]
) -> None:
    folder = straight[0].run.parent
    again = make_trainer(folder, hub, data)
    assert adapter_bytes(again.train(resume=True)) == straight[1]


def test_a_loss_that_is_no_number_ends_the_run_and_keeps_the_checkpoint(
    tmp_path: Path, hub: Path, data: Path
) -> None:
    def spoil() -> None:
        with torch.no_grad():
            trainer.vlm.mapper.scale.fill_(float("nan"))

    trainer = make_trainer(tmp_path, hub, data, report=act_at(4, spoil))
    with pytest.raises(TrainingError) as caught:
        trainer.train()
    assert str(caught.value).startswith("The loss at step 4 is not a number, so training ended; ")
    assert "the last checkpoint is kept" in str(caught.value)
    assert "\n" not in str(caught.value)
    saved = torch.load(tmp_path / "run/checkpoint.pt", weights_only=True)
    assert saved["progress"]["step"] == 4
    assert all(value.isfinite().all() for value in saved["weights"].values())


def test_an_infinite_gradient_changes_no_weight(tmp_path: Path, hub: Path, data: Path) -> None:
    trainer = make_trainer(tmp_path, hub, data)
    trainer.vlm.mapper.scale.register_hook(lambda grad: grad * float("inf"))
    before = {key: value.clone() for key, value in trainer.learner.state().items()}
    with pytest.raises(TrainingError, match=r"step 0 is not a number, so training ended; lower"):
        trainer._step()
    for key, value in trainer.learner.state().items():
        assert torch.equal(value, before[key])


def test_nothing_to_resume(tmp_path: Path, hub: Path, data: Path) -> None:
    with pytest.raises(TrainingError, match=r"no checkpoint in .* to resume from"):
        make_trainer(tmp_path, hub, data).train(resume=True)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def scribble(path: Path) -> None:
    path.write_bytes(b"not a checkpoint")


def forget(path: Path) -> None:
    saved = torch.load(path, weights_only=True)
    del saved["weights"]["mapper.scale"]
    torch.save(saved, path)


def strip(path: Path) -> None:
    saved = torch.load(path, weights_only=True)
    del saved["progress"]
    torch.save(saved, path)


def test_a_checkpoint_that_is_damaged_or_of_another_recipe_or_profile_is_refused(
    tmp_path: Path, hub: Path, data: Path
) -> None:
    make_trainer(tmp_path, hub, data, steps=1).train()
    path = tmp_path / "run/checkpoint.pt"
    sound = path.read_bytes()
    for harm in (truncate, scribble, forget, strip):
        harm(path)
        with pytest.raises(TrainingError, match=r"checkpoint in .* is damaged; train anew"):
            make_trainer(tmp_path, hub, data, steps=1).train(resume=True)
        path.write_bytes(sound)
    with pytest.raises(TrainingError, match="is of another recipe or profile; go on with that one"):
        make_trainer(tmp_path, hub, data, steps=2).train(resume=True)
    trainer = make_trainer(tmp_path, hub, data, steps=1)
    write_profile(tmp_path, hub, mapper={"kind": "mlp", "hidden_size": 12, "shuffle": 2})
    other = Trainer(trainer.recipe, data, tmp_path / "run", tmp_path / "features")
    with pytest.raises(TrainingError, match="is of another recipe or profile"):
        other.train(resume=True)


def test_a_full_disk_keeps_the_checkpoint_before(
    tmp_path: Path, hub: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_saved: object, path: Path) -> None:
        path.write_bytes(b"half")
        raise RuntimeError("PytorchStreamWriter failed writing file")

    fill = act_at(4, lambda: monkeypatch.setattr(torch, "save", full))
    trainer = make_trainer(tmp_path, hub, data, report=fill)
    with pytest.raises(TrainingError, match=r"could not be written .* is there room"):
        trainer.train()
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [
        "checkpoint.pt",
        "log.jsonl",
        "tensorboard",
    ]
    assert torch.load(tmp_path / "run/checkpoint.pt", weights_only=True)["progress"]["step"] == 4
