"""Several processes that train together, as `torchrun` would start them, but quieter.

The first one leads: only it talks. Sources: torch.distributed's `env://` variables.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence

from bot.cli.failing import Failure

PATIENCE = 120.0  # seconds for the step at hand and a checkpoint
COMMAND = (sys.executable, "-P", "-m", "bot.cli")
_MEMBER = "TRAINING_TEAM_OF_GLIMPSE"
_GRACE = 3.0  # seconds in which the leader may fail for the same reason, and say it


def is_member() -> bool:
    """Whether this process was started by `run_team`."""
    return _MEMBER in os.environ


def has_team() -> bool:
    """Whether this process is one of several, whoever started it."""
    return "RANK" in os.environ


def leads() -> bool:
    """Whether this process is the one of its team that talks, or alone."""
    return os.environ.get("RANK", "0") == "0"


def run_team(size: int, arguments: Sequence[str]) -> None:
    """Run `glimpse` with these arguments in several processes, and wait for all.

    Raises:
        Failure: One of them failed.
        SystemExit: The leader failed and has said why.
    """
    team = _start(size, arguments)
    try:
        while not any(process.poll() for process in team):  # neither running nor 0
            if all(process.poll() == 0 for process in team):
                return
            time.sleep(0.1)
        _wait(team[:1], _GRACE)
    except KeyboardInterrupt:  # the terminal has told them, too
        _wait(team, PATIENCE)
        raise
    except SystemExit:  # SIGTERM; the leader tells the others
        team[0].send_signal(signal.SIGTERM)
        _wait(team, PATIENCE)
        raise
    finally:
        _end(team)
    if team[0].returncode > 0:
        raise SystemExit(team[0].returncode)
    raise Failure(
        "A training process ended unexpectedly, perhaps for lack of memory; "
        "try --processes 1, which says more."
    )


def _start(size: int, arguments: Sequence[str]) -> list[subprocess.Popen[bytes]]:
    shared = {
        **os.environ,
        _MEMBER: "1",
        "WORLD_SIZE": str(size),
        "LOCAL_WORLD_SIZE": str(size),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(_free_port()),
        "OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // size)),
    }
    return [
        subprocess.Popen(
            [*COMMAND, *arguments],
            env={**shared, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdin=subprocess.DEVNULL,
            stdout=None if rank == 0 else subprocess.DEVNULL,
            stderr=None if rank == 0 else subprocess.DEVNULL,
        )
        for rank in range(size)
    ]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait(team: Sequence[subprocess.Popen[bytes]], seconds: float) -> None:
    """Give processes time to end by themselves."""
    until = time.monotonic() + seconds
    while any(process.poll() is None for process in team) and time.monotonic() < until:
        time.sleep(0.1)


def _end(team: Sequence[subprocess.Popen[bytes]]) -> None:
    """End whoever is left."""
    for process in team:
        if process.poll() is None:
            process.kill()
        process.wait()
