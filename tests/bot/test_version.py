"""`glimpse --version` and what the log and the metrics call the build."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest

from bot import version
from bot.cli.context import AppContext
from bot.cli.main import main
from bot.version import BuildInfo, adapter_version, build_info

ROOT = Path(__file__).parents[2]
ADAPTER = hashlib.sha256(
    (ROOT / "model/adapters/starter/prefix.safetensors").read_bytes()
).hexdigest()[:12]


def test_a_checkout_names_its_version_its_commit_and_the_starters_adapter(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--version"], AppContext(environment={})) == 0
    said = capsys.readouterr().out
    assert said.startswith("glimpse 0.")
    assert f"adapter {ADAPTER}" in said
    if (ROOT / ".git").exists() and shutil.which("git"):
        command = ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"]
        head = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
        assert f"commit {head}" in said


def test_a_container_names_the_commit_that_it_was_built_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(version, "HERE", tmp_path / "bot")
    (tmp_path / "bot").mkdir()
    assert build_info("starter").commit == ""  # neither a container's nor a checkout
    (tmp_path / "bot/COMMIT").write_text("abc1234\n")
    assert build_info("starter").commit == "abc1234"
    assert str(build_info("starter")).endswith(f"commit abc1234, adapter {ADAPTER}")


def test_bad_settings_and_missing_adapters_do_not_hide_the_version(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--version"], AppContext(environment={"GLIMPSE_PORT": "no"})) == 0
    assert "glimpse 0." in capsys.readouterr().out
    assert build_info("clip-pythia").adapter == ""
    assert build_info("no such profile").adapter == ""
    assert adapter_version(tmp_path) == ""
    assert str(BuildInfo("1.2", "", "")) == "1.2"
