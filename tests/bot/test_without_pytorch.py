"""Where PyTorch, transformers or peft are not installed, as in the container: plain sentences."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from model.libraries import TITLES

ROOT = Path(__file__).parents[2]
RUN = """
import sys
for name in {hidden!r}:
    sys.modules[name] = None
from bot.cli import main
sys.exit(main({arguments!r}))
"""


def glimpse(
    folder: Path, *arguments: str, hidden: tuple[str, ...] = tuple(TITLES), **environment: str
) -> subprocess.CompletedProcess[str]:
    """A command in a process that cannot import some libraries, with an empty cache."""
    script = RUN.format(hidden=hidden, arguments=list(arguments))
    given = {
        **{name: value for name, value in os.environ.items() if not name.startswith("GLIMPSE_")},
        "GLIMPSE_LOG": "off", "GLIMPSE_CACHE": str(folder / "cache"), "GLIMPSE_PORT": "0",
        "HOME": str(folder), "PYTHONPATH": str(ROOT), **environment,
    }  # fmt: skip
    return subprocess.run(
        [sys.executable, "-c", script], cwd=folder, env=given, capture_output=True, text=True,
        check=False,
    )  # fmt: skip


@pytest.fixture
def photo(tmp_path: Path) -> str:
    Image.new("RGB", (40, 40), "red").save(tmp_path / "red.png")
    return "red.png"


@pytest.mark.parametrize(
    ("hidden", "arguments"),
    [
        ("torch", "fetch"),
        ("torch", "eval starter rows.jsonl --images ."),
        ("torch", "train starter --data . --run run"),
        ("torch", "train starter --data . --run run --dry-run"),
        ("torch", "bench train starter --data ."),
        ("transformers", "ask red.png what?"),
        ("transformers", "fetch"),
        ("gguf", "fetch"),
        ("torch", "ask red.png what? --profile smolvlm-256m"),
        ("transformers", "ask red.png what? --profile smolvlm-256m"),
    ],
)
@pytest.mark.usefixtures("photo")
def test_a_command_that_needs_what_is_missing_says_so(
    hidden: str, arguments: str, tmp_path: Path
) -> None:
    row = {"image": "red.png", "question": "Is it red?", "answer": "yes", "question_id": 1}
    (tmp_path / "rows.jsonl").write_text(json.dumps(row) + "\n")
    # Nothing may be fetched on the way there.
    offline = {"GLIMPSE_WHEELS": str(tmp_path), "HF_HUB_OFFLINE": "1", "PIP_NO_INDEX": "1"}
    done = glimpse(tmp_path, *arguments.split(), hidden=(hidden,), **offline)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    (said,) = (line for line in done.stderr.splitlines() if TITLES[hidden] in line)
    assert "not installed here" in said


@pytest.mark.parametrize(
    ("environment", "advice"),
    [
        ({"GLIMPSE_RUNTIME": "torch"}, "take the runtime openvino"),
        ({"GLIMPSE_INT8": "false"}, "take the runtime openvino"),
        ({}, "glimpse fetch"),
        ({"GLIMPSE_RUNTIME": "openvino"}, "glimpse fetch"),
    ],
)
def test_the_way_out_is_told(
    environment: dict[str, str], advice: str, tmp_path: Path, photo: str
) -> None:
    done = glimpse(tmp_path, "ask", photo, "Is it red?", **environment)
    assert done.returncode == 1
    assert "PyTorch" in done.stderr
    assert advice in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_everything_else_works_without(tmp_path: Path) -> None:
    for arguments in (("--help",), ("--version",), ("train", "--help"), ("log", "stats")):
        done = glimpse(tmp_path, *arguments)
        assert "Traceback" not in done.stderr
        assert (done.returncode, done.stderr) == (0, "") or arguments[0] == "log"
    done = glimpse(tmp_path, "check", "--json")
    states = {row["name"]: row["state"] for row in json.loads(done.stdout)["checks"]}
    assert states["adapter"] == "ok"


def test_bots_page_and_data_import_nothing_of_it() -> None:
    """Not even late, so that no first use in a container finds out."""
    sources = [path for part in ("bot", "data") for path in (ROOT / part).rglob("*.py")]
    for path in sources:
        if path.parent.name == "benchmarks":  # which compare with others' models
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            named = []
            if isinstance(node, ast.Import):
                named = [each.name for each in node.names]
            elif isinstance(node, ast.ImportFrom):
                named = [node.module or ""]
            assert not {name.partition(".")[0] for name in named} & TITLES.keys(), path
