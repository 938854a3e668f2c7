"""`glimpse train`: what it passes on, and what it says."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from cli_runner import CliRunner

from bot.cli.context import AppContext
from bot.cli.train import COMMAND
from finetune.errors import TrainingError
from finetune.progress import SampleOutput, StepReport
from model.errors import WeightsError

SAMPLES = (SampleOutput(None, "a [dog]", "a cat"), SampleOutput("How many?", "2", "3"))
REPORT = StepReport(20, 400, 1.23456, 31.25, 90.0, 0.05, SAMPLES)


@dataclass
class FakeTrainer:
    recipe: Any
    root: Path
    run: Path
    features: Path | None
    report: Any
    encoding: Any
    fetching: Any

    made: ClassVar[list[FakeTrainer]] = []
    error: ClassVar[Exception | None] = None
    leads: ClassVar[bool] = True
    stopped_by: ClassVar[int | None] = None
    warnings: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        self.processes = SimpleNamespace(is_main=self.leads)
        self.made.append(self)

    def train(self, resume: bool = False) -> Path:
        self.resumed = resume
        self.fetching("Fetching a base", 0, 0)
        for done in range(0, 401):
            self.encoding(done, 400, 1_540_000_000)
        self.report(REPORT)
        if self.error:
            raise self.error
        return self.run / "adapter"


@pytest.fixture
def trainer(monkeypatch: pytest.MonkeyPatch) -> type[FakeTrainer]:
    fresh = type("Fresh", (FakeTrainer,), {"made": []})
    monkeypatch.setattr("finetune.trainer.Trainer", fresh)
    monkeypatch.setattr(AppContext, "prepare_base", lambda _app, _profile: None)
    return fresh


def command(cli: CliRunner, *more: str) -> tuple[str, ...]:
    return ("train", "starter", "--data", str(cli.folder), "--run", str(cli.folder), *more)


def test_everything_is_passed_on_and_progress_is_plain_without_a_terminal(
    cli: CliRunner, trainer: type[FakeTrainer]
) -> None:
    outcome = cli.run(*command(cli, "--features", "f", "--resume"))
    (made,) = trainer.made
    assert made.recipe.name == "starter"
    assert (made.root, made.run, made.features) == (cli.folder, cli.folder, Path("f"))
    assert made.resumed
    assert outcome.status == 0
    profile = cli.folder / "profile.toml"
    assert outcome.out.splitlines() == [
        f"The adapter is in {cli.folder / 'adapter'}.",
        f"Try it: glimpse ask PHOTO QUESTION --profile {profile}",
    ]
    encoding = [f"Encoding the pictures (1.54 GB): {percent} %" for percent in range(0, 101, 10)]
    step = "step 20 of 400, loss 1.235, 31.2 examples/s, 2 min"
    said = [f"  {sample}" for sample in SAMPLES]
    assert outcome.err.splitlines() == ["Fetching a base...", *encoding, step, *said]


@pytest.mark.parametrize(
    ("sentence", "number", "status"),
    [
        ("The loss is not a number.", None, 1),
        ("Stopped at step 3; go on with --resume.", signal.SIGINT, 130),
        ("Stopped at step 3; go on with --resume.", signal.SIGTERM, 143),
    ],
)
def test_an_end_before_the_end_is_a_sentence_and_a_status(
    cli: CliRunner,
    trainer: type[FakeTrainer],
    monkeypatch: pytest.MonkeyPatch,
    sentence: str,
    number: int | None,
    status: int,
) -> None:
    monkeypatch.setattr(trainer, "error", TrainingError(sentence))
    monkeypatch.setattr(trainer, "stopped_by", number)
    outcome = cli.run(*command(cli))
    assert (outcome.status, outcome.out) == (status, "")
    assert outcome.err.endswith(f"\n{sentence}\n")
    assert "Traceback" not in outcome.err


def test_a_run_that_is_there_is_not_overwritten(cli: CliRunner, trainer: type[FakeTrainer]) -> None:
    (cli.folder / "checkpoint.pt").touch()
    outcome = cli.run(*command(cli))
    assert outcome.status == 1
    assert "holds a run already; --resume it, or name another folder." in outcome.err
    assert trainer.made == []


def test_bad_recipes_and_folders_are_refused(cli: CliRunner, trainer: type[FakeTrainer]) -> None:
    outcome = cli.run("train", "nowhere", "--data", str(cli.folder), "--run", "x")
    assert outcome.status == 1
    assert outcome.err.startswith("There is no recipe 'nowhere'")
    assert cli.run("train", "starter", "--data", "/nowhere", "--run", "x").status == 2
    assert trainer.made == []


def test_only_the_leader_says_where_the_adapter_is(
    cli: CliRunner, trainer: type[FakeTrainer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainer, "leads", False)
    monkeypatch.setenv("RANK", "1")
    outcome = cli.run(*command(cli, "--processes", "2"))
    assert (outcome.status, outcome.out) == (0, "")
    assert len(trainer.made) == 1


def test_several_processes_get_the_same_command(
    cli: CliRunner, trainer: type[FakeTrainer], monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[tuple[int, list[str]]] = []
    monkeypatch.setattr(
        "bot.cli.train.run_processes", lambda size, command: started.append((size, command))
    )
    assert cli.run(*command(cli, "--processes", "3")).status == 0
    more = ["--processes", "2", "--resume", "--features", "f"]
    assert cli.run(*command(cli, *more)).status == 0
    base = [*COMMAND, "train", "starter", f"--data={cli.folder}", f"--run={cli.folder}"]
    assert started == [(3, base), (2, [*base, "--features=f", "--resume"])]
    assert trainer.made == []


@pytest.mark.parametrize("whole", [True, False])
def test_a_dry_run_without_the_base_weights_tells_what_it_can(
    cli: CliRunner, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, whole: bool
) -> None:
    def away(_app: AppContext, _profile: str) -> None:
        raise WeightsError("The model hub cannot be reached.")

    monkeypatch.setattr(AppContext, "prepare_base", away)
    if whole:
        cli.run("data", "shapes", "--to", str(tmp_path / "shapes"), "--pictures", "20")
    run = tmp_path / "run"
    outcome = cli.run("train", "tiny", "--data", str(tmp_path), "--run", str(run), "--dry-run")
    assert outcome.status == 1
    assert outcome.err.splitlines()[-1] == "The model hub cannot be reached."
    heads = [line.split()[0] for line in outcome.out.splitlines()]
    assert (heads[0], heads[-1]) == (("source", "steps") if whole else ("problem", "problem"))
    assert not run.exists()


def test_ctrl_c_while_encoding_says_what_is_kept(
    cli: CliRunner, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def interrupted(*_arguments: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr("finetune.trainer.Trainer", interrupted)
    monkeypatch.setattr(AppContext, "prepare_base", lambda _app, _profile: None)
    run = str(tmp_path / "run")
    outcome = cli.run("train", "tiny", "--data", str(tmp_path), "--run", run)
    assert outcome.status == 130
    assert outcome.err.endswith("Stopped; what was encoded, and each checkpoint, is kept.\n")
