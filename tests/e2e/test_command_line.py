"""The flagship path with nothing replaced: tiny CLIP and GPT-NeoX in the hub's format → trained by
`glimpse train` → asked by every door, which all give the same answer."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from cli_runner import untouched_log
from tiny_data import recipe_table, write_data, write_profile, write_recipe
from tiny_models import save_hub

from bot.assistant.assistant import Assistant
from bot.assistant.types import Attachment, Incoming
from bot.cli import main
from bot.cli.context import AppContext
from data.images.open import read_picture
from model.engine import load_engine

QUESTION = "What color is it?"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data and a profile whose adapter `glimpse train` made."""
    folder = tmp_path_factory.mktemp("flagship")
    torch.set_num_threads(1)
    save_hub(folder / "hub")
    write_data(folder / "data")
    write_profile(folder, folder / "hub")
    recipe = write_recipe(folder, recipe_table(steps=20))
    data, run = str(folder / "data"), str(folder / "run")
    with untouched_log():
        assert main(["train", str(recipe), "--data", data, "--run", run], AppContext()) == 0
    write_profile(folder, folder / "hub", adapter="run/adapter")
    return folder


def glimpse(*arguments: str, stdin: str = "") -> str:
    """Run a command in a process of its own, as a person does."""
    command = [sys.executable, "-W", "error", "-m", "bot.cli", *arguments]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, env=environment, input=stdin, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parity("a caption of a photo", "command line")
@pytest.mark.parity("an answer to a question about it", "command line")
def test_every_door_gives_the_same_answer(trained: Path) -> None:
    profile, photo = str(trained / "tiny.toml"), str(trained / "data/images/val_10.png")
    asked = json.loads(glimpse("ask", photo, QUESTION, "--json", "--profile", profile))
    lines = [{"id": q, "image": photo, "question": q} for q in (QUESTION, None)] * 2
    stdin = "".join(json.dumps(line) + "\n" for line in lines)
    answers = [
        json.loads(line)
        for line in glimpse("batch", "--profile", profile, stdin=stdin).split("\n")[:-1]
    ]
    engine = load_engine(profile)
    try:
        message = Incoming("web", "a", "a", QUESTION, (Attachment(Path(photo).read_bytes()),))
        reply = asyncio.run(Assistant(engine).handle(message))
        picture = read_picture(photo)
        library = engine.answer(picture, QUESTION)
        caption = engine.caption(picture)
    finally:
        engine.close()
    assert reply is not None
    assert set(asked) == {"answer", "confidence", "profile", "seconds", "objects"}
    assert asked["profile"] == "tiny"
    assert 0 <= asked["confidence"] <= 1
    assert asked["answer"] == library.text == reply.exchanges[0].answer
    assert asked["confidence"] == pytest.approx(library.confidence, abs=1e-4)
    assert [row["id"] for row in answers] == [QUESTION, None] * 2
    assert [row["answer"] for row in answers] == [library.text, caption.text] * 2
    assert answers[1]["confidence"] == pytest.approx(caption.confidence, abs=1e-4)


def test_check_finds_a_trained_profile_in_order(
    trained: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    environment = {"GLIMPSE_PROFILE": str(trained / "tiny.toml"), "GLIMPSE_PORT": "0"}
    environment["GLIMPSE_LOG"] = "off"  # not that of who runs this
    assert main(["check", "--json"], AppContext(environment=environment)) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["ok"]
    assert found["checks"][-1]["name"] == "answer"
    assert found["checks"][-1]["state"] == "ok"


def test_a_damaged_adapter_is_one_sentence_everywhere(
    trained: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    profile = trained / "damaged.toml"
    adapter = trained / "damaged"
    adapter.mkdir()
    for name in ("adapter.toml", "prefix.safetensors"):
        (adapter / name).write_bytes((trained / "run/adapter" / name).read_bytes()[:-9])
    profile.write_text((trained / "tiny.toml").read_text().replace("run/adapter", "damaged"))
    photo = str(trained / "data/images/val_10.png")
    for command in (["caption", photo], ["batch"], ["web", "--port", "0"], ["check"]):
        with untouched_log():
            assert main([*command, "--profile", str(profile)], AppContext()) == 1
        said = capfd.readouterr().err.replace(
            "Loading the model, which takes a few seconds...\n", ""
        )
        assert said.count("\n") == 1
        assert "Traceback" not in said
