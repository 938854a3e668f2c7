"""A bot whose chat model computes in process: what people read, `glimpse ask`, check and fetch."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import huggingface_hub
import pytest
import tiny_chat_models as tiny
from cli_runner import CliRunner
from engine_stand_in import open_photo, photo

from bot.assistant.assistant import Assistant
from bot.assistant.types import Ask, Incoming
from bot.cli.models import load_model, profile_settings

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a profile with its model's folder beside it."""
    folder = tmp_path_factory.mktemp("profile")
    tiny.save_idefics3(folder / "weights")
    path = folder / "mine.toml"
    path.write_text('kind = "transformers"\n[chat]\nsource = "weights"\nmost_tokens = 8\n')
    return path


def glimpse(*arguments: str) -> subprocess.CompletedProcess[str]:
    """A command as an operator runs it."""
    return subprocess.run(
        [sys.executable, "-m", "bot.cli", *arguments], cwd=ROOT, capture_output=True, text=True,
        check=False, env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def test_people_get_captions_and_answers(mine: Path) -> None:
    engine = load_model(str(mine), 1, True, device="cpu", runtime="openvino", warm_up=True)
    try:
        assert engine.capabilities().chat
        assistant = Assistant(engine, open_picture=open_photo, profiles=profile_settings(engine))
        for action in (None, Ask("Who is in the picture?")):
            asked = Incoming("telegram", "1", "1", pictures=(photo("red"),), action=action)
            reply = asyncio.run(assistant.handle(asked))
            assert reply
            assert (reply.outcome, reply.error) == ("answered", False)
            (exchange,) = reply.exchanges
            assert exchange.answer in reply.text
            assert exchange.confidence
        told = asyncio.run(assistant.handle(Incoming("telegram", "1", "1", "/privacy")))
        assert told
        assert "nobody else gets them" in told.text
    finally:
        engine.close()


def test_the_command_line_asks_it(mine: Path, cli: CliRunner) -> None:
    done = glimpse("ask", cli.photo("red"), "Is it red?", "--json", "--profile", str(mine))
    assert (done.returncode, done.stderr) == (0, "")
    row = json.loads(done.stdout)
    assert row["answer"]
    assert row["profile"] == "mine"
    assert 0 < row["confidence"] < 1


def test_no_other_profile_imports_what_it_needs() -> None:
    script = (
        "import sys\nfrom bot.cli.context import AppContext\n"
        "from bot.cli.models import load_model\n"
        "AppContext(environment={}).prepare_base('ollama')\n"
        "load_model('ollama', None, True).close()\n"
        "print({'torch', 'transformers', 'huggingface_hub'} & {*sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"


# --- glimpse check and fetch ----------------------------------------------------------------------


def weights(cli: CliRunner, path: Path | str) -> dict[str, str]:
    """What `glimpse check` finds of the weights."""
    cli.environment |= {"GLIMPSE_PORT": "0"}
    rows = json.loads(cli.run("check", "--json", "--profile", str(path)).out)["checks"]
    found: dict[str, dict[str, str]] = {row["name"]: row for row in rows}
    assert not {"adapter", "base weights"} & set(found)
    assert (found["answer"]["state"] == "note") is (found["weights"]["state"] == "problem")
    return found["weights"]


def test_check_looks_at_weights_and_memory(
    cli: CliRunner, mine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli, "load", load_model)  # the real one
    found = weights(cli, mine)
    assert found["state"] == "ok"
    assert "0 M weights as " in found["detail"]
    assert " on cpu: 0.0 GB of " in found["detail"]
    trusting = mine.with_name("trusting.toml")
    trusting.write_text(mine.read_text() + "trust_remote_code = true\n")
    assert weights(cli, trusting)["state"] == "note"
    assert "runs programs that came with the weights" in weights(cli, trusting)["advice"]
    monkeypatch.setattr("model.chat_model.free_memory", lambda: 1000)
    assert weights(cli, mine)["state"] == "problem"
    assert "take a smaller one" in weights(cli, mine)["detail"]


def test_check_asks_no_hub_and_tells_what_to_pin(
    cli: CliRunner, mine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli, "load", load_model)
    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", pytest.fail)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    found = weights(cli, "smolvlm-256m")
    assert found["state"] == "problem"
    assert "is not on this machine" in found["detail"]
    assert "glimpse fetch --profile smolvlm-256m" in found["advice"]
    monkeypatch.undo()
    monkeypatch.setattr(cli, "load", load_model)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    outcome = cli.run("fetch", "--profile", "smolvlm-256m")
    assert outcome.status == 1
    assert "HF_HUB_OFFLINE forbids fetching it" in outcome.err
    commit = "f" * 40
    repository = tmp_path / "models--HuggingFaceTB--SmolVLM-256M-Instruct"
    (repository / "snapshots").mkdir(parents=True)
    (repository / "snapshots" / commit).symlink_to(mine.parent / "weights")
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit)
    found = weights(cli, "smolvlm-256m")
    assert (found["state"], found["advice"]) == (
        "note", f'To keep these very weights, set revision = "{commit}".',
    )  # fmt: skip
    assert cli.run("fetch", "--profile", "smolvlm-256m").out == "The weights are ready.\n"
