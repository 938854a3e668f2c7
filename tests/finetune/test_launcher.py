"""Several processes that train together: they talk with one voice, and end together."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from finetune import launcher
from finetune.errors import TrainingError

CHILD = """
import os, signal, sys, time
rank = int(os.environ["RANK"])
names = ("WORLD_SIZE", "MASTER_ADDR", "OMP_NUM_THREADS")
with open(f"{sys.argv[1]}/{rank}", "w") as file:
    file.write(" ".join(os.environ[name] for name in names))
"""


@pytest.fixture
def launch(tmp_path: Path) -> Any:
    def let(program: str, size: int = 2) -> None:
        launcher.run_processes(size, [sys.executable, "-c", CHILD + program, str(tmp_path)])

    return let


def test_children_know_how_many_they_are_and_end_together(launch: Any, tmp_path: Path) -> None:
    launch("time.sleep(0.2 * rank)", size=3)
    threads = max(1, (os.cpu_count() or 1) // 3)
    assert {path.name for path in tmp_path.iterdir()} == {"0", "1", "2"}
    assert (tmp_path / "2").read_text() == f"3 127.0.0.1 {threads}"


def test_only_the_main_process_talks(launch: Any, capfd: pytest.CaptureFixture[str]) -> None:
    launch("print('out', rank); print('err', rank, file=sys.stderr)")
    assert capfd.readouterr() == ("out 0\n", "err 0\n")


def test_when_the_main_process_fails_it_has_said_why(launch: Any) -> None:
    start = time.monotonic()
    with pytest.raises(SystemExit) as end:
        launch("sys.exit(5) if rank == 0 else time.sleep(60)")
    assert end.value.code == 5
    assert time.monotonic() - start < 30


def test_a_failure_that_all_share_is_told_once(launch: Any) -> None:
    with pytest.raises(SystemExit) as end:
        launch("time.sleep(0 if rank else 1); sys.exit(1)")
    assert end.value.code == 1


@pytest.mark.parametrize("end", ["sys.exit(1)", "os.kill(os.getpid(), signal.SIGKILL)"])
def test_a_failing_child_ends_all_with_a_sentence(
    launch: Any, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    monkeypatch.setattr(launcher, "_GRACE", 0.2)
    with pytest.raises(TrainingError, match="ended unexpectedly"):
        launch(f"time.sleep(60) if rank == 0 else {end}")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_children_may_finish_their_step(
    launch: Any, tmp_path: Path, number: signal.Signals
) -> None:
    """On SIGTERM the main process is told; on Ctrl-C the terminal tells all, played here."""
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
            launch(STEP)
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
    if rank and os.path.exists(f"{sys.argv[1]}/0.done"):  # as the main process tells it
        stop(0, None)
"""
