from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_runner import CliRunner, untouched_log


@pytest.fixture
def cli(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[CliRunner]:
    with untouched_log():
        yield CliRunner(tmp_path, capsys)
