"""What a run leaves: the adapter, and a profile that answers with it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from finetune.config import Recipe, answering
from finetune.lora import Average, Learner, State, part
from finetune.progress import Progress
from model.adapter import adapter_state, read_card, save_adapter
from model.config import Profile, save_profile

_NAMES = "mapper.words.names.weight"
_FITTED = ("mapper.words.detector.", "mapper.objects.head.")  # apart from what the run learns


def save_result(
    folder: Path,
    recipe: Recipe,
    profile: Profile,
    *,
    learner: Learner,
    progress: Progress,
    average: Average,
) -> None:
    """Write the adapter (averaged, if there is an average), and `profile.toml` beside it.

    Who continues keeps the calibration of before until another one is fitted.
    """
    state = average.state or learner.state()
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
            state = with_start(state, adapter_state(profile), share, progress.vocabulary, words)
    save_adapter(
        folder, profile, part("mapper", state), learner.language,
        facts, part("lora", state), part("tower", state),
    )  # fmt: skip
    save_profile(answering(recipe, profile), folder.parent / "profile.toml")


def with_start(
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
