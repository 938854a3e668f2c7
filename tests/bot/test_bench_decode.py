"""`glimpse bench decode`: tokens a second against the limit that memory sets."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli_runner import CliRunner
from PIL import Image
from test_bench_peers import MACHINE, tiny

from bot.benchmarks import decoding
from bot.benchmarks.decoding import (
    PREFILL,
    TOKENS,
    OpenVinoRuntime,
    Runtime,
    Speed,
    TorchRuntime,
    measure_decoding,
)
from model.config import load_profile
from model.openvino_vlm import OpenVinoVLM

FOUND = Speed(
    "openvino", 2, 100_000_000,
    bandwidth=[1e10, 9e9, 50e9], vision=[0.05, 0.04, 9.0], prefill=[0.03, 0.01, 0.02],
    one_row=[0.02, 0.02, 5.0], two_rows=[0.04, 0.025, 0.025],
)  # fmt: skip


class FakeDecoder:
    logprobs = np.zeros((1, 3), np.float32)

    def __init__(self, step: Callable[[], None]) -> None:
        self._step = step

    def step(self, tokens: Sequence[int]) -> Any:
        self._step()
        return self.logprobs


class FakeRuntime:
    """Moves a clock on by what everything takes."""

    def __init__(self, name: str, now: list[float]) -> None:
        self.name, self.threads, self.weight_bytes, self._now = name, 2, 1000, now
        self.turns = 0

    def prepare(self) -> None:
        self.turns += 1

    def see(self, image: Image.Image) -> None:
        self._now[0] += 5

    def prefill(self, positions: int) -> None:
        self._now[0] += positions

    def start(self, scales: Sequence[float]) -> Any:
        self._now[0] += 100  # is not counted
        return FakeDecoder(lambda: self._wait(3 if scales else 2))

    def _wait(self, seconds: float) -> None:
        self._now[0] += seconds


def test_everything_is_timed_apart_after_a_turn_that_does_not_count() -> None:
    now = [0.0]
    runtimes = [FakeRuntime(name, now) for name in ("openvino", "torch")]
    given: list[Runtime] = [*runtimes]
    found = measure_decoding(
        given, 2, clock=lambda: now[0], bandwidth=lambda threads: 500.0 * threads, pause=0
    )
    assert [each.turns for each in runtimes] == [3, 3]
    for each in found:
        assert (each.bandwidth, each.vision, each.prefill) == ([1000] * 2, [5] * 2, [PREFILL] * 2)
        assert (each.one_row, each.two_rows) == ([2] * 2 * TOKENS, [3] * 2 * TOKENS)
        assert (each.limit, each.pace, each.guided_pace) == (1.0, 1 / 2, 1 / 3)


def test_shares_are_of_the_median_limit() -> None:
    other = replace(FOUND, name="torch", threads=1, one_row=[0.05])
    lines = decoding.report_text(MACHINE, [FOUND, other]).splitlines()
    assert lines[0] == "Some <processor>, 4 cores, 2 threads"
    assert [line.split() for line in lines[3:]] == [
        ["OpenVINO", "PyTorch"],
        ["threads", "2", "1"],
        ["tower", "and", "mapper", "50.0", "ms", "50.0", "ms"],
        ["prefill", "of", "52", "20.0", "ms", "20.0", "ms"],
        ["weights", "a", "token", "100", "MB", "100", "MB"],
        ["memory", "10.0", "GB/s", "10.0", "GB/s"],
        ["limit", "100.0", "tokens/s", "100.0", "tokens/s"],
        ["one", "row", "50.0", "tokens/s", "20.0", "tokens/s"],
        ["…", "of", "the", "limit", "50%", "20%"],
        ["two", "guided", "rows", "40.0", "tokens/s", "40.0", "tokens/s"],
        ["…", "of", "the", "limit", "40%", "40%"],
    ]


def test_json_has_all_of_it() -> None:
    found = json.loads(decoding.report_json(MACHINE, [FOUND]))
    assert (found["machine"]["cores"], found["prefill_positions"]) == (4, 52)
    [each] = found["runtimes"]
    assert each["one_row_share"] == pytest.approx(0.5)
    assert each["two_rows_tokens_per_second"] == pytest.approx(40)
    assert each["one_row"] == FOUND.one_row


@pytest.mark.parametrize("kind", [OpenVinoRuntime, TorchRuntime])
def test_runtimes_read_and_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: Callable[..., Runtime]
) -> None:
    monkeypatch.setenv("GLIMPSE_CACHE", str(tmp_path / "cache"))
    runtime = kind(load_profile(str(tiny(tmp_path))), 1, True, lambda *_: None)
    [speed] = measure_decoding([runtime], 1, bandwidth=lambda _: 1e9, pause=0)
    assert (speed.threads, len(speed.one_row), len(speed.two_rows)) == (1, TOKENS, TOKENS)
    # Two layers of width 24: four matrices and the output's, a byte a weight, and their scales.
    inner, output = 2 * (4 * 24 * 24 + 2 * 24 * 48), 24 * vocabulary(tmp_path)
    assert inner + output < speed.weight_bytes < 4 * (inner + output)


def vocabulary(folder: Path) -> int:
    size = json.loads((folder / "gpt-neox/config.json").read_text(encoding="utf-8"))["vocab_size"]
    assert isinstance(size, int)
    return size


def test_positions_that_are_read_at_once_are_as_many_as_wanted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GLIMPSE_CACHE", str(tmp_path / "cache"))
    runtime = OpenVinoRuntime(load_profile(str(tiny(tmp_path))), 1, True, lambda *_: None)
    assert isinstance(runtime._vlm, OpenVinoVLM)
    runtime.see(Image.new("RGB", (40, 30), "red"))
    runtime.prefill(52)
    assert runtime._vlm.language.state(100).shape[3] == 52


def test_the_command_prints_the_table_and_writes_json(
    cli: CliRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli.environment["GLIMPSE_CACHE"] = str(tmp_path / "cache")
    cli.environment["GLIMPSE_THREADS"] = "1"
    monkeypatch.setattr("bot.benchmarks.machine.READ_BYTES", 8000)
    profile = str(tiny(tmp_path))
    outcome = cli.run("bench", "decode", "--rounds", "1", "--profile", profile,
                      "--json", str(tmp_path / "x.json"))  # fmt: skip
    assert outcome.status == 0, outcome.err
    assert "two guided rows" in outcome.out
    found = json.loads((tmp_path / "x.json").read_text(encoding="utf-8"))
    assert [each["name"] for each in found["runtimes"]] == ["openvino", "torch"]
