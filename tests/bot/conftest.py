from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_bench import Bench, untouched_log


@pytest.fixture
def bench(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Bench]:
    with untouched_log():
        yield Bench(tmp_path, capsys)
