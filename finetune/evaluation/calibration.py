"""A new calibration of an adapter, fitted on the replies of an evaluation."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from data.datasets.records import DataError
from finetune.calibrate import calibrate, logprob, save_calibration
from finetune.evaluation import metrics
from finetune.evaluation.dataset import Dataset
from finetune.evaluation.summary import Scored
from model.adapter import calibration_of, read_card
from model.config import Profile
from model.errors import AdapterError

FEWEST = 100  # answers, or captions, that a curve is fitted to


@dataclass(frozen=True)
class Change:
    """What a new calibration does for answers, or for captions.

    Attributes:
        count: How many it was fitted on.
        before: Calibration error of the old one on them, 0..1.
        after: Of the new one, two-fold cross-validated, 0..1.
    """

    count: int
    before: float
    after: float


def check_dataset(dataset: Dataset) -> None:
    """Refuse a dataset that is too small to calibrate on.

    Raises:
        DataError: One plain sentence.
    """
    questions, captions = len(dataset.questions), len(dataset.captions)
    if max(questions, captions) < FEWEST:
        raise DataError(
            f"A calibration needs at least {FEWEST} questions or {FEWEST} captions; "
            f"here there are {questions} and {captions}."
        )


def check_adapter(profile: Profile) -> None:
    """Refuse an adapter that could not be changed afterwards.

    Raises:
        AdapterError: One plain sentence.
        ProfileError: The profile has no adapter.
    """
    folder = profile.adapter_folder
    if folder.is_dir() and not os.access(folder, os.W_OK):  # loading tells of a missing one
        raise AdapterError(
            f"The adapter cannot be calibrated, as its folder {folder} cannot be written to; "
            "copy it to a folder of yours, and name that in a profile of yours."
        )


def recalibrate(profile: Profile, replies: Sequence[Scored]) -> dict[str, Change]:
    """Fit the confidences of the adapter that gave the replies to their scores, and keep that.

    Args:
        profile: Whose adapter.toml is written.
        replies: As the adapter's present calibration made them.

    Returns:
        What changed, by "answer" and "caption"; not the one with fewer than `FEWEST` replies.

    Raises:
        AdapterError: The adapter is not what it was, or its calibration cannot be undone.
        OSError: adapter.toml cannot be written.
    """
    folder = profile.adapter_folder
    present = calibration_of(read_card(folder, profile), folder)
    curves = {
        "answer": (present.answer_slope, present.answer_offset),
        "caption": (present.caption_slope, present.caption_offset),
    }
    fitted, changes = {}, {}
    for kind, (slope, offset) in curves.items():
        part = [r for r in replies if (r.item.question is None) == (kind == "caption")]
        if len(part) < FEWEST:
            continue
        if not slope:
            raise AdapterError(
                f"The present calibration makes all {kind}s equally sure; remove the section "
                f"[calibration] from {folder / 'adapter.toml'} first."
            )
        confidences, scores = [r.reply.confidence for r in part], [r.score for r in part]
        fitted[kind] = calibrate([logprob(c, slope, offset) for c in confidences], scores)
        before = metrics.calibration_error(confidences, scores)
        changes[kind] = Change(len(part), before, fitted[kind].error)
    save_calibration(folder, fitted)
    return changes
