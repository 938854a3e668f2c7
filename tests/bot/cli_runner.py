"""Commands with a stand-in for the engine, pictures on disk, and everything they print."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from engine_stand_in import StandIn
from PIL import Image

from bot.cli import main
from bot.cli.context import AppContext
from bot.web.server import listen


@dataclass
class FakeEngine(StandIn):
    profile: Any = field(default_factory=lambda: SimpleNamespace(name="fake"))

    def refuse_waiting(self) -> int:
        return 0

    def close(self) -> None:
        self.closed = True


@dataclass(frozen=True)
class Outcome:
    status: int
    out: str
    err: str

    @property
    def rows(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


class CliRunner:
    """Runs commands; `loaded` holds what engines were asked for."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.engine = FakeEngine()
        self.loaded: list[tuple[str, int | None, bool]] = []
        self.environment = {"GLIMPSE_LOG": str(folder / "kept.db"), "GLIMPSE_LOG_KEY": "secret"}
        self.trouble: BaseException | None = None
        self._capsys = capsys

    def load(self, profile: str, threads: int | None, int8: bool, **_options: object) -> FakeEngine:
        self.loaded.append((profile, threads, int8))
        if self.trouble:
            raise self.trouble
        self.engine.closed = False
        return self.engine

    def run(self, *arguments: str, stdin: bytes = b"") -> Outcome:
        with _stdin(stdin):
            status = main(arguments, AppContext(self.load, self.environment))
        captured = self._capsys.readouterr()
        return Outcome(status, captured.out, captured.err)

    def photo(self, colour: str, name: str = "") -> str:
        path = self.folder / (name or f"{colour}.png")
        Image.new("RGB", (8, 6), colour).save(path, "PNG")
        return str(path)


def free_port() -> int:
    with listen("127.0.0.1", 0) as probe:
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def _stdin(content: bytes) -> Iterator[None]:
    before = sys.stdin
    sys.stdin = io.TextIOWrapper(io.BytesIO(content))
    try:
        yield
    finally:
        sys.stdin = before


@contextmanager
def untouched_log() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = [*root.handlers], root.level
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
