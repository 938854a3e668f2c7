"""`glimpse train`: what it passes on, what it says, and several processes that end together."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from cli_bench import Bench

from bot.cli import team
from bot.cli.training_talk import talk
from bot.errors import CommandError
from finetune.trainer import Said, StepReport, TrainingError

SAMPLES = (Said(None, "a [dog]", "a cat"), Said("How many?", "2", "3"))
REPORT = StepReport(20, 400, 1.23456, 31.25, 90.0, 0.05, SAMPLES)


@dataclass
class FakeTrainer:
    recipe: Any
    root: Path
    run: Path
    features: Path | None
    report: Any
    encoding: Any

    made: ClassVar[list[FakeTrainer]] = []
    error: ClassVar[Exception | None] = None
    leads: ClassVar[bool] = True
    stopped_by: ClassVar[int | None] = None
    warnings: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        self.team = SimpleNamespace(leads=self.leads)
        self.made.append(self)

    def train(self, resume: bool = False) -> Path:
        self.resumed = resume
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
    monkeypatch.setattr("bot.cli.train.prepare_base", lambda _profile: None)
    return fresh


def command(bench: Bench, *more: str) -> tuple[str, ...]:
    return ("train", "starter", "--data", str(bench.folder), "--run", str(bench.folder), *more)


def test_everything_is_passed_on_and_progress_is_plain_without_a_terminal(
    bench: Bench, trainer: type[FakeTrainer]
) -> None:
    outcome = bench.run(*command(bench, "--features", "f", "--resume"))
    (made,) = trainer.made
    assert made.recipe.name == "starter"
    assert (made.root, made.run, made.features) == (bench.folder, bench.folder, Path("f"))
    assert made.resumed
    assert outcome.status == 0
    profile = bench.folder / "profile.toml"
    assert outcome.out.splitlines() == [
        f"The adapter is in {bench.folder / 'adapter'}.",
        f"Try it: glimpse ask PHOTO QUESTION --profile {profile}",
    ]
    encoding = [f"Encoding the pictures (1.54 GB): {percent} %" for percent in range(0, 101, 10)]
    step = "step 20 of 400, loss 1.235, 31.2 examples/s, 2 min"
    said = [f"  {sample}" for sample in SAMPLES]
    assert outcome.err.splitlines() == [*encoding, step, *said]


@pytest.mark.parametrize(
    ("sentence", "number", "status"),
    [
        ("The loss is not a number.", None, 1),
        ("Stopped at step 3; go on with --resume.", signal.SIGINT, 130),
        ("Stopped at step 3; go on with --resume.", signal.SIGTERM, 143),
    ],
)
def test_an_end_before_the_end_is_a_sentence_and_a_status(
    bench: Bench,
    trainer: type[FakeTrainer],
    monkeypatch: pytest.MonkeyPatch,
    sentence: str,
    number: int | None,
    status: int,
) -> None:
    monkeypatch.setattr(trainer, "error", TrainingError(sentence))
    monkeypatch.setattr(trainer, "stopped_by", number)
    outcome = bench.run(*command(bench))
    assert (outcome.status, outcome.out) == (status, "")
    assert outcome.err.endswith(f"\n{sentence}\n")
    assert "Traceback" not in outcome.err


def test_a_run_that_is_there_is_not_overwritten(bench: Bench, trainer: type[FakeTrainer]) -> None:
    (bench.folder / "checkpoint.pt").touch()
    outcome = bench.run(*command(bench))
    assert outcome.status == 1
    assert "holds a run already; --resume it, or name another folder." in outcome.err
    assert trainer.made == []


def test_bad_recipes_and_folders_are_refused(bench: Bench, trainer: type[FakeTrainer]) -> None:
    outcome = bench.run("train", "nowhere", "--data", str(bench.folder), "--run", "x")
    assert outcome.status == 1
    assert outcome.err.startswith("There is no recipe 'nowhere'")
    assert bench.run("train", "starter", "--data", "/nowhere", "--run", "x").status == 2
    assert trainer.made == []


def test_only_the_leader_says_where_the_adapter_is(
    bench: Bench, trainer: type[FakeTrainer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainer, "leads", False)
    monkeypatch.setenv("RANK", "1")
    outcome = bench.run(*command(bench, "--processes", "2"))
    assert (outcome.status, outcome.out) == (0, "")
    assert len(trainer.made) == 1


def test_several_processes_get_the_same_command(
    bench: Bench, trainer: type[FakeTrainer], monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[tuple[int, list[str]]] = []
    monkeypatch.setattr(
        "bot.cli.train.run_team", lambda size, arguments: started.append((size, arguments))
    )
    assert bench.run(*command(bench, "--processes", "3")).status == 0
    more = ["--processes", "2", "--resume", "--features", "f"]
    assert bench.run(*command(bench, *more)).status == 0
    base = ["train", "starter", f"--data={bench.folder}", f"--run={bench.folder}"]
    assert started == [(3, base), (2, [*base, "--features=f", "--resume"])]
    assert trainer.made == []


def test_a_terminal_gets_a_bar(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("rich.console.Console.is_terminal", True)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "120")
    with talk() as (report, encoding):
        encoding(1, 4, 1_540_000_000)
        encoding(4, 4, 1_540_000_000)
        report(REPORT)
        report(replace(REPORT, step=40, share=0.5))
    shown = capsys.readouterr().err
    assert "step 40 of 400, loss 1.235, 31.2 examples/s" in shown
    assert "50%" in shown
    assert "Caption → 'a [dog]' (a person: 'a cat')" in shown


# --- several processes -----------------------------------------------------------------------

MEMBER = """
import os, signal, sys, time
rank = int(os.environ["RANK"])
names = ("WORLD_SIZE", "MASTER_ADDR", "OMP_NUM_THREADS")
with open(f"{sys.argv[1]}/{rank}", "w") as file:
    file.write(" ".join(os.environ[name] for name in names))
"""


@pytest.fixture
def members(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    def let(program: str, size: int = 2) -> None:
        monkeypatch.setattr(team, "COMMAND", (sys.executable, "-c", MEMBER + program))
        team.run_team(size, [str(tmp_path)])

    return let


def test_a_team_knows_its_size_and_ends_together(members: Any, tmp_path: Path) -> None:
    members("time.sleep(0.2 * rank)", size=3)
    threads = max(1, (os.cpu_count() or 1) // 3)
    assert {path.name for path in tmp_path.iterdir()} == {"0", "1", "2"}
    assert (tmp_path / "2").read_text() == f"3 127.0.0.1 {threads}"


def test_only_the_leader_talks(members: Any, capfd: pytest.CaptureFixture[str]) -> None:
    members("print('out', rank); print('err', rank, file=sys.stderr)")
    assert capfd.readouterr() == ("out 0\n", "err 0\n")


def test_when_the_leader_fails_it_has_said_why(members: Any) -> None:
    start = time.monotonic()
    with pytest.raises(SystemExit) as end:
        members("sys.exit(5) if rank == 0 else time.sleep(60)")
    assert end.value.code == 5
    assert time.monotonic() - start < 30


def test_a_failure_that_all_share_is_told_once(members: Any) -> None:
    with pytest.raises(SystemExit) as end:
        members("time.sleep(0 if rank else 1); sys.exit(1)")
    assert end.value.code == 1


@pytest.mark.parametrize("end", ["sys.exit(1)", "os.kill(os.getpid(), signal.SIGKILL)"])
def test_a_failing_member_ends_the_team_with_a_sentence(
    members: Any, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    monkeypatch.setattr(team, "_GRACE", 0.2)
    with pytest.raises(CommandError, match="ended unexpectedly"):
        members(f"time.sleep(60) if rank == 0 else {end}")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_team_may_finish_its_step(
    members: Any, tmp_path: Path, number: signal.Signals
) -> None:
    """On SIGTERM the leader is told; on Ctrl-C the terminal tells all, which is played here."""
    children: list[int] = []

    def stop() -> None:
        until = time.monotonic() + 20
        while len([*tmp_path.glob("*.up")]) < 2 and time.monotonic() < until:
            time.sleep(0.05)
        children.extend(int(path.read_text()) for path in tmp_path.glob("*.up"))
        if number == signal.SIGINT:
            for child in children:
                os.kill(child, number)
        os.kill(os.getpid(), number)

    def terminated(_number: int, _frame: object) -> None:
        raise SystemExit(143)

    before = signal.signal(signal.SIGTERM, terminated)
    stopper = threading.Thread(target=stop)
    stopper.start()
    try:
        with pytest.raises((KeyboardInterrupt, SystemExit)):
            members(STEP)
    finally:
        signal.signal(signal.SIGTERM, before)
        stopper.join()
    assert len([*tmp_path.glob("*.done")]) == 2
    for child in children:
        with pytest.raises(ProcessLookupError):
            os.kill(child, 0)


STEP = """
def stop(number, frame):
    time.sleep(0.5)
    open(f"{sys.argv[1]}/{rank}.done", "w").close()
    sys.exit(0)

signal.signal(signal.SIGINT, stop)
signal.signal(signal.SIGTERM, stop)
with open(f"{sys.argv[1]}/{rank}.part", "w") as file:
    file.write(str(os.getpid()))
os.rename(f"{sys.argv[1]}/{rank}.part", f"{sys.argv[1]}/{rank}.up")
until = time.monotonic() + 30
while time.monotonic() < until:
    time.sleep(0.05)
    if rank and os.path.exists(f"{sys.argv[1]}/0.done"):  # as the leader tells it
        stop(0, None)
"""
