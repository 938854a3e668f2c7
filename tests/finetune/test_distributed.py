import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import training_process
from training import adapter_bytes

from finetune import distributed
from finetune.distributed import ProcessGroup
from finetune.errors import TrainingError


def test_items_are_shared_out_fairly() -> None:
    costs = [50, 10, 30, 20, 40, 30]
    shares = [ProcessGroup(rank, 2).assign(costs) for rank in range(2)]
    assert sorted(shares[0] + shares[1]) == list(range(6))
    assert [sum(costs[i] for i in share) for share in shares] == [90, 90]
    assert ProcessGroup().assign(costs) == [0, 4, 2, 5, 3, 1]


def test_alone_nothing_is_exchanged() -> None:
    alone = ProcessGroup.join()
    assert (alone.rank, alone.size, alone.is_main) == (0, 1, True)
    alone.barrier()
    parameter = torch.nn.Parameter(torch.ones(2))
    alone.all_reduce_gradients([parameter])
    assert parameter.grad is None
    assert alone.agree(1.5, 15) == (1.5, 15)


@pytest.mark.timeout(300)
def test_two_processes_learn_what_one_does(tmp_path: Path, hub: Path, data: Path) -> None:
    result = tmp_path / "result.json"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    shared = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    command = [sys.executable, training_process.__file__, *map(str, (tmp_path, hub, data, result))]
    processes = [
        subprocess.Popen(command, env={**os.environ, **shared, "RANK": str(rank)})
        for rank in range(2)
    ]
    assert [process.wait() for process in processes] == [0, 0]
    main, other = (json.loads(result.with_suffix(f".{rank}").read_text()) for rank in range(2))
    assert main == other
    alone = training_process.trainer(tmp_path / "alone", hub, data)
    folder = alone.train()
    assert main["losses"] == pytest.approx(alone.progress.losses, rel=1e-4)
    assert adapter_bytes(folder).keys() == adapter_bytes(tmp_path / "together/run/adapter").keys()
    # A process without any picture goes along, and one that is told to stop stops all.
    few = training_process.trainer(tmp_path / "few-alone", hub, data, pictures=1, texts=0)
    few.train()
    assert main["few"] == pytest.approx(few.progress.losses[:3], rel=1e-4)
    assert main["said"] == "Stopped at step 3; go on with --resume."
    assert (tmp_path / "few/run/checkpoint.pt").is_file()


def test_more_processes_than_gpus_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distributed.torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(distributed.torch.cuda, "device_count", lambda: 1)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    with pytest.raises(TrainingError, match="2 processes, but only 1 GPUs here"):
        ProcessGroup.join()
