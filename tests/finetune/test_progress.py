"""What TensorBoard would read, as TensorBoard would read it."""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tensorboardX.proto.event_pb2 import Event
from training import make_trainer

from finetune.progress import StepReport, TensorBoard


def events(run: Path) -> Iterator[Event]:
    """Records of the files: length (8 bytes), its checksum (4), an event, its checksum (4)."""
    for path in sorted((run / "tensorboard").iterdir()):
        data, at = path.read_bytes(), 0
        while at < len(data):
            (length,) = struct.unpack_from("<Q", data, at)
            yield Event.FromString(data[at + 12 : at + 12 + length])
            at += 16 + length


def test_a_run_draws_its_curves(tmp_path: Path, hub: Path, data: Path) -> None:
    trainer = make_trainer(tmp_path, hub, data)
    trainer.train()
    found = [
        (event.step, value) for event in events(tmp_path / "run") for value in event.summary.value
    ]
    losses = {step: value.simple_value for step, value in found if value.tag == "loss"}
    assert list(losses) == [4, 8]
    assert losses[8] == pytest.approx(sum(trainer.progress.losses) / 8)
    tags = {value.tag for _, value in found}
    assert {"examples_per_second", "learning_rate/mapper", "learning_rate/lora"} < tags
    assert any(tag.startswith("samples") for tag in tags)


def test_training_goes_without_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    board = TensorBoard(tmp_path)
    board.add(StepReport(1, 2, 0.5, 1.0, 1.0, 0.5), {})
    board.close()
    assert not [*tmp_path.iterdir()]
