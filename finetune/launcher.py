"""Starts several processes that train together, as `torchrun` would, but quieter.

The main one, of rank 0, alone talks, and its exit status is the run's; on SIGTERM it hears first
and tells the others between two steps. torch's own launcher passes on no status, kills after 30 s,
and loads PyTorch in the parent, too. Source: the `env://` variables of torch.distributed.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Sequence

from finetune.errors import TrainingError

PATIENCE = 120.0  # seconds for the step at hand and a checkpoint
_CHILD = "TRAINING_PROCESS_OF_GLIMPSE"
_GRACE = 3.0  # seconds in which the main process may fail for the same reason, and say it


def is_child() -> bool:
    """Whether this process was started by `run_processes`."""
    return _CHILD in os.environ


def is_distributed() -> bool:
    """Whether this process is one of several, whoever started it."""
    return "RANK" in os.environ


def is_main_process() -> bool:
    """Whether this process is the one of several that talks, or alone."""
    return os.environ.get("RANK", "0") == "0"


def run_processes(size: int, command: Sequence[str]) -> None:
    """Run a command in several processes, and wait for all.

    Raises:
        TrainingError: One of them failed.
        SystemExit: The main process failed and has said why.
    """
    processes = _start(size, command)
    main = processes[0]
    try:
        while not any(process.poll() for process in processes):  # neither running nor 0
            if all(process.poll() == 0 for process in processes):
                return
            time.sleep(0.1)
        _wait([main], _GRACE)
    except KeyboardInterrupt:  # the terminal has told them, too
        _wait(processes, PATIENCE)
        raise
    except SystemExit:  # SIGTERM; the main process tells the others
        main.send_signal(signal.SIGTERM)
        _wait(processes, PATIENCE)
        raise
    finally:
        for process in processes:
            if process.poll() is None:
                process.kill()
            process.wait()
    if main.returncode > 0:
        raise SystemExit(main.returncode)
    raise TrainingError(
        "A training process ended unexpectedly, perhaps for lack of memory; "
        "try --processes 1, which says more."
    )


def _start(size: int, command: Sequence[str]) -> list[subprocess.Popen[bytes]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]  # free
    shared = {
        **os.environ,
        _CHILD: "1",
        "WORLD_SIZE": str(size),
        "LOCAL_WORLD_SIZE": str(size),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // size)),
    }
    return [
        subprocess.Popen(
            command,
            env={**shared, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdin=subprocess.DEVNULL,
            stdout=None if rank == 0 else subprocess.DEVNULL,
            stderr=None if rank == 0 else subprocess.DEVNULL,
        )
        for rank in range(size)
    ]


def _wait(processes: Sequence[subprocess.Popen[bytes]], seconds: float) -> None:
    """Give processes time to end by themselves."""
    until = time.monotonic() + seconds
    while any(process.poll() is None for process in processes) and time.monotonic() < until:
        time.sleep(0.1)
