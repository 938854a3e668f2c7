"""The flagship path on tiny models: profile → recipe → `glimpse train` → `glimpse ask`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_data import recipe_table, write_profile, write_recipe

from bot.cli.main import main


@pytest.mark.timeout(300)
def test_a_hub_model_is_trained_and_then_answers(
    tmp_path: Path, hub: Path, data: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    profile = write_profile(tmp_path, hub, adapter="run/adapter")
    schedule = {"steps": 20, "checkpoint_steps": 10, "mapper_rate": 0.03, "lora_rate": 0.03}
    recipe = write_recipe(tmp_path, recipe_table(**schedule))
    picture = str(data / "images/val_9.png")
    ask = ["ask", picture, "What color is it?", "--json", "--profile", str(profile)]

    assert main(ask) == 1
    assert "no adapter" in capfd.readouterr().err

    folders = ["--data", str(data), "--run", str(tmp_path / "run")]
    assert main(["train", str(recipe), *folders]) == 0
    said = capfd.readouterr()
    assert "step 20 of 20, loss " in said.err
    assert "What color is it? → " in said.err
    assert "run/adapter" in said.out

    assert main(["train", str(recipe), *folders, "--resume"]) == 0  # finished already
    capfd.readouterr()

    command = [sys.executable, "-m", "bot.cli", *ask]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    answer = json.loads(done.stdout)
    assert answer.keys() == {"answer", "confidence", "profile", "seconds"}
    assert answer["profile"] == "tiny"
    assert isinstance(answer["answer"], str)
    assert 0 <= answer["confidence"] <= 1
