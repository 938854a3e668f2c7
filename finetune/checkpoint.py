"""Checkpoints: a run that stops, for whatever reason, goes on to the same numbers."""

from __future__ import annotations

import logging
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from finetune.config import Recipe
from finetune.errors import TrainingError
from finetune.lora import Average, Learner
from finetune.optimiser import Optimiser
from finetune.progress import Progress
from model.config import Profile

log = logging.getLogger(__name__)


class Checkpoint:
    """A run's state on the disk, one file that is replaced as a whole.

    No random state is in it: every draw depends on the seed and the step alone.

    Args:
        run: Folder of the run.
        recipe: What the run does; a checkpoint of another recipe is refused.
        profile: What model the run trains; likewise, but for how that decodes.
    """

    def __init__(self, run: Path, recipe: Recipe, profile: Profile) -> None:
        self.path = run / "checkpoint.pt"
        parts = (profile.tower, profile.mapper, profile.language)
        self._of = {"recipe": asdict(recipe), "model": [asdict(part) for part in parts]}

    def save(
        self, progress: Progress, learner: Learner, average: Average, optimiser: Optimiser
    ) -> None:
        """Write a checkpoint; the one before is replaced only when the new one is whole.

        Raises:
            TrainingError: It cannot be written.
        """
        part = self.path.with_suffix(".pt.part")
        saved = {
            **self._of,
            "progress": asdict(progress),
            "weights": learner.state(),
            "average": average.state,
            "averaged": average.count,
            "optimiser": optimiser.adam.state_dict(),
        }
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            torch.save(saved, part)
            part.replace(self.path)
        except (OSError, RuntimeError) as error:  # PyTorch says RuntimeError when the disk is full
            part.unlink(missing_ok=True)
            raise TrainingError(
                f"The checkpoint could not be written to {self.path.parent}; "
                "is there room on the disk?"
            ) from error

    def load(
        self, progress: Progress, learner: Learner, average: Average, optimiser: Optimiser
    ) -> None:
        """Put everything back as `save` found it.

        Raises:
            TrainingError: There is no checkpoint, it is damaged, or of another recipe.
        """
        saved = self._read()
        try:
            if {key: saved[key] for key in self._of} != self._of:
                raise TrainingError(
                    f"The checkpoint in {self.path.parent} is of another recipe or profile; "
                    "go on with that one, or choose another folder."
                )
            learner.load(saved["weights"])
            optimiser.adam.load_state_dict(saved["optimiser"])
            average.state = {k: v.to(learner.device) for k, v in saved["average"].items()}
            average.count = saved["averaged"]
            found = Progress(**saved["progress"])
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            if isinstance(error, TrainingError):
                raise
            raise self._damaged() from error
        vars(progress).update(vars(found))

    def _read(self) -> dict[str, Any]:
        if not self.path.is_file():
            raise TrainingError(f"There is no checkpoint in {self.path.parent} to resume from.")
        try:
            saved: dict[str, Any] = torch.load(self.path, "cpu", weights_only=True)
        except Exception as error:  # whatever unpickling trips over
            log.warning("cannot read %s", self.path, exc_info=True)
            raise self._damaged() from error
        return saved

    def _damaged(self) -> TrainingError:
        return TrainingError(
            f"The checkpoint in {self.path.parent} is damaged; train anew in another folder."
        )
