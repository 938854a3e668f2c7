"""Checkpoints, by which a run that stops goes on to the same numbers, and the final adapter."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from finetune.config import Recipe, trained_profile
from finetune.errors import TrainingError
from finetune.lora import Learner, State, WeightAverage, part
from finetune.progress import Progress
from model.adapter import adapter_state, save_adapter
from model.card import read_card
from model.config import Profile, save_profile

log = logging.getLogger(__name__)
_NAMES = "mapper.words.names.weight"
_FITTED = ("mapper.words.detector.", "mapper.objects.head.")  # apart from what the run learns


class Checkpoint:
    """A run's state on the disk, one file that is replaced as a whole.

    No random state is in it: every draw depends on the seed and the step alone.

    Args:
        run: Folder of the run.
        recipe: What the run does; a checkpoint of another recipe is refused, but not one of the
            same recipe in another folder.
        profile: What model the run trains; likewise, but for how that decodes.
    """

    def __init__(self, run: Path, recipe: Recipe, profile: Profile) -> None:
        self.path = run / "checkpoint.pt"
        parts = (profile.tower, profile.mapper, profile.language)
        self._of = {"recipe": asdict(recipe), "model": [asdict(part) for part in parts]}

    def save(
        self,
        progress: Progress,
        learner: Learner,
        average: WeightAverage,
        optimizer: torch.optim.Optimizer,
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
            "optimiser": optimizer.state_dict(),
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
        self,
        progress: Progress,
        learner: Learner,
        average: WeightAverage,
        optimizer: torch.optim.Optimizer,
    ) -> None:
        """Put everything back as `save` found it.

        Raises:
            TrainingError: There is no checkpoint, it is damaged, or of another recipe.
        """
        saved = self._read()
        try:
            if _names_only({key: saved[key] for key in self._of}) != _names_only(self._of):
                raise TrainingError(
                    f"The checkpoint in {self.path.parent} is of another recipe or profile; "
                    "go on with that one, or choose another folder."
                )
            learner.load(saved["weights"])
            optimizer.load_state_dict(saved["optimiser"])
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


def _names_only(value: Any) -> Any:
    """What a run is of, without the folders: it may go on where its files lie elsewhere."""
    if isinstance(value, dict):
        return {key: _names_only(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_names_only(each) for each in value]
    return Path(value).name if isinstance(value, str) and Path(value).is_absolute() else value


# --- the result ---------------------------------------------------------------------------------


def export_adapter(
    folder: Path,
    recipe: Recipe,
    profile: Profile,
    *,
    learner: Learner,
    progress: Progress,
    average: WeightAverage,
) -> None:
    """Write the adapter (averaged, if there is an average), and `profile.toml` beside it.

    Who continues keeps the calibration of before until another one is fitted.
    """
    state = {key: value.cpu() for key, value in (average.state or learner.state()).items()}
    training: dict[str, Any] = {
        "recipe": recipe.name,
        "sources": [source.name for source in recipe.sources],
        "steps": progress.step,
        "examples": progress.examples,
        "minutes": round(progress.seconds / 60, 1),
        "averaged_snapshots": average.count,
    }
    facts: dict[str, Any] = {"training": training}
    if learner.vlm.mapper.words:
        facts["words"] = {"vocabulary": progress.vocabulary}
    if learner.vlm.mapper.objects:
        facts["objects"] = {"names": list(learner.vlm.object_names)}
    if recipe.continues:
        before = read_card(profile.adapter_folder, profile)
        training["after"] = before.get("training", {})
        facts |= {"calibration": before["calibration"]} if "calibration" in before else {}
        share = recipe.schedule.start_share
        if share:
            training["start_share"] = share
            words = before.get("words", {}).get("vocabulary", [])
            state = interpolate_weights(
                state, adapter_state(profile), share, progress.vocabulary, words
            )
    save_adapter(
        folder, profile, part("mapper", state), learner.language,
        facts, part("lora", state), part("tower", state),
    )  # fmt: skip
    save_profile(trained_profile(recipe, profile), folder.parent / "profile.toml")


def interpolate_weights(
    state: State, start: State, share: float, words: Sequence[str], before: Sequence[str]
) -> State:
    """The mean of a run's weights and those it started at, which forgets less.

    WiSE-FT (Wortsman et al. 2022, arXiv 2109.01903); matrices of LoRA are averaged one by one.

    Args:
        state: The run's weights.
        start: Those it started at.
        share: How much these count, 0..1.
        words: What the run's word detector names.
        before: What it named at the start; the names of words are averaged word by word, and the
            detectors of words and objects are the run's own.
    """
    mixed = {
        key: value if key.startswith(_FITTED) or key == _NAMES
        else torch.lerp(value.float(), start[key].to(value.device).float(), share).to(value.dtype)
        for key, value in state.items()
    }  # fmt: skip
    if _NAMES in state:
        names, old = state[_NAMES].clone(), start[_NAMES].to(state[_NAMES])
        places = {word: place for place, word in enumerate(before)}
        for row, word in enumerate(words):
            if word in places:
                names[row] = torch.lerp(names[row], old[places[word]], share)
        mixed[_NAMES] = names
    return mixed
