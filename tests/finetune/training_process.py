"""One of several processes that train together: `training_process.py FOLDER HUB DATA RESULT`."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
sys.path.append(str(Path(__file__).parents[1] / "model"))  # tiny_models

import torch
from training import make_trainer

from finetune.errors import TrainingError
from finetune.trainer import Trainer

STILL = {"mapper": {"kind": "mlp", "hidden_size": 24, "shuffle": 2}}
LORA = {"rank": 2, "alpha": 4, "dropout": 0.0, "targets": ["query_key_value"]}


def trainer(folder: Path, hub: Path, data: Path, **schedule: object) -> Trainer:
    """Without dropout, whose draws differ between processes."""
    changes = {"lora": LORA}
    return make_trainer(folder, hub, data, changes=changes, profile=STILL, **schedule)


def main(folder: Path, hub: Path, data: Path, result: Path) -> None:
    """Train, then train on too few pictures for everyone until one of them is told to stop."""
    torch.set_num_threads(1)
    together = trainer(folder / "together", hub, data)
    together.train()
    few = trainer(folder / "few", hub, data, pictures=1, texts=0)
    if not few.processes.is_main:  # the main one must hear of it, too
        visits = few.mixture.visits

        def stopping(step: int, pictures: int, texts: int) -> list[object]:
            if step == 2:
                os.kill(os.getpid(), signal.SIGTERM)
            return list(visits(step, pictures, texts))

        few.mixture.visits = stopping  # type: ignore[method-assign, assignment]
    try:
        few.train()
        said = "finished"
    except TrainingError as error:
        said = str(error)
    found = {"losses": together.progress.losses, "few": few.progress.losses, "said": said}
    result.with_suffix(f".{together.processes.rank}").write_text(json.dumps(found))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
