"""Trains on a device that is not the CPU: `pretended_gpu_process.py FOLDER HUB DATA RESULT`."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
sys.path.append(str(Path(__file__).parents[1] / "model"))  # tiny_models

import pretended_gpu  # first, for it changes PyTorch
import torch
from tiny_data import scenes_table, seeing
from training import make_trainer

from finetune.distributed import ProcessGroup


def main(folder: Path, hub: Path, data: Path, result: Path) -> None:
    """Train a while, go on from the checkpoint, and write down where the run stands."""
    torch.set_num_threads(1)
    device = pretended_gpu.install()
    ProcessGroup.join = classmethod(lambda cls: cls(device=device))  # type: ignore[method-assign, assignment]
    found = []
    for seconds in (0, 600):
        changes = scenes_table(steps=6, critic_from=0.5, checkpoint_steps=3)
        changes["samples"] = [{"files": ["scenes/captions.jsonl"], "images": "scenes/images"}]
        trainer = make_trainer(folder, hub, data, changes=changes, profile=seeing(hub))
        try:
            trainer.train(resume=bool(found), seconds=seconds)
        except Exception as error:
            if trainer.stopped_by is None:
                raise
            print(error)
        found.append(trainer.progress.losses)
    devices = {str(weight.device) for weight in trainer.learner.vlm.parameters()}
    result.write_text(json.dumps({"losses": found[-1], "devices": sorted(devices)}))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
