"""What TensorBoard, which is installed apart, shows of a run: `tensorboard --logdir RUN`."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from finetune.progress import StepReport

log = logging.getLogger(__name__)


class Board:
    """Writes curves and samples to `RUN/tensorboard`, if tensorboardX is installed.

    A resumed run goes on in the same folder: what an interrupted one wrote beyond its last
    checkpoint is hidden behind what is written now.

    Args:
        run: Folder of the run.
        step: Steps done so far.
    """

    def __init__(self, run: Path, step: int = 0) -> None:
        self._writer: Any = None
        try:
            from tensorboardX import SummaryWriter
        except ImportError:
            log.info("tensorboardX is not installed, so that nothing is written for TensorBoard")
            return
        self._writer = SummaryWriter(str(run / "tensorboard"), purge_step=step + 1 if step else 0)

    def add(self, report: StepReport, rates: dict[str, float]) -> None:
        """Add a point to each curve, and what the model said.

        Args:
            report: Where the run stands.
            rates: Learning rates by name.
        """
        if self._writer is None:
            return
        curves = {"loss": report.loss, "examples_per_second": report.examples_per_second}
        if report.reward:
            curves["reward"] = report.reward
        curves |= {f"learning_rate/{name}": rate for name, rate in rates.items()}
        for name, value in curves.items():
            self._writer.add_scalar(name, value, report.step)
        if report.samples:
            said = "\n".join(f"- {sample}" for sample in report.samples)
            self._writer.add_text("samples", said, report.step)
        self._writer.flush()

    def close(self) -> None:
        """Finish the file."""
        if self._writer is not None:
            self._writer.close()
