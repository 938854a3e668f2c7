"""Training on a device that is not the CPU keeps every tensor in its place."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tiny_data import scenes_table, seeing, write_rows, write_scenes
from training import make_trainer


@pytest.mark.timeout(300)
def test_a_run_on_another_device_learns_the_same_and_goes_on(tmp_path: Path, hub: Path) -> None:
    data = tmp_path / "data"
    write_scenes(data / "scenes")
    write_rows(
        data / "scenes/alone.jsonl", [{"question": f"Is it {n}?", "answer": "no"} for n in range(9)]
    )
    script, result = Path(__file__).parent / "pretended_gpu_process.py", tmp_path / "result.json"
    places = [tmp_path / "there", hub, data, result]
    command = [sys.executable, str(script), *map(str, places)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(result.read_text(encoding="utf-8"))
    assert found["devices"] == ["pretend:0"]

    changes = scenes_table(steps=6, critic_from=0.5, checkpoint_steps=3)
    here = make_trainer(tmp_path / "here", hub, data, changes=changes, profile=seeing(hub))
    here.train()
    # Drawn captions and dropout come from the same numbers, for both compute on the CPU.
    assert found["losses"] == pytest.approx(here.progress.losses, rel=1e-3)
    assert torch.device("cpu") == here.learner.vlm.device
