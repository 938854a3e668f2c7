"""Calibration of an adapter's confidence by Platt scaling, on the replies of an evaluation.

Platt scaling (Platt 1999) of the log-probability: for answers against VQA accuracy, for captions
against the share of content words that people also used.
"""

from __future__ import annotations

import math
import os
import shutil
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w
import torch
from torch import Tensor
from torch.nn import functional as F

from data.errors import DataError
from finetune.evaluation.dataset import Dataset
from finetune.evaluation.metrics import calibration_error
from finetune.evaluation.summary import Scored
from model.card import read_card
from model.confidence import Calibration, calibration_of
from model.config import Profile
from model.errors import AdapterError

FEWEST = 100  # answers, or captions, that a curve is fitted to
LEAST = math.log(1e-9)  # nats: what is less likely still would pull at the curve for nothing
_NEAREST = 1e-16  # to a confidence of 1, where a float's digits end


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
        before = calibration_error(confidences, scores)
        changes[kind] = Change(len(part), before, fitted[kind].error)
    save_calibration(folder, fitted)
    return changes


# --- Platt scaling ------------------------------------------------------------------------------


@dataclass(frozen=True)
class PlattScaling:
    """A curve fitted to answers, or to captions.

    Attributes:
        slope: Of the log-probability in nats.
        offset: Added to it.
        error: Calibration error of two-fold cross-validation, 0..1.
        count: How many answers or captions it was fitted on.
    """

    slope: float
    offset: float
    error: float
    count: int


def logprob(confidence: float, slope: float = 1.0, offset: float = 0.0) -> float:
    """The log-probability in nats, from `LEAST` to 0, that a calibration made a confidence of.

    Args:
        confidence: sigmoid(slope x log-probability + offset), 0..1.
        slope: Of the calibration; not 0.
        offset: Likewise.
    """
    inside = min(max(confidence, math.ulp(0.0)), 1 - _NEAREST)
    value = (math.log(inside) - math.log1p(-inside) - offset) / slope
    return min(max(value, LEAST), 0.0)


def calibrate(logprobs: Sequence[float], targets: Sequence[float]) -> PlattScaling:
    """Platt scaling of log-probabilities (nats) against targets (0..1), with its error."""
    slope, offset = fit_platt(logprobs, targets)
    return PlattScaling(slope, offset, cross_validated_error(logprobs, targets), len(logprobs))


def fit_platt(logprobs: Sequence[float], targets: Sequence[float]) -> tuple[float, float]:
    """Slope and offset that make sigmoid(slope x log-probability + offset) match the targets."""
    inputs = torch.tensor(logprobs, dtype=torch.float64)
    wanted = torch.tensor(targets, dtype=torch.float64)
    weights = torch.tensor([1.0, 0.0], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([weights], max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        value = F.binary_cross_entropy_with_logits(weights[0] * inputs + weights[1], wanted)
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    slope, offset = weights.tolist()
    return slope, offset


def cross_validated_error(logprobs: Sequence[float], targets: Sequence[float]) -> float:
    """Calibration error (0..1) of each half under a fit on the other half."""
    halves = [range(0, len(logprobs), 2), range(1, len(logprobs), 2)]
    confidences = [0.0] * len(logprobs)
    for mine, other in (halves, halves[::-1]):
        found = Calibration(*fit_platt([logprobs[i] for i in other], [targets[i] for i in other]))
        for i in mine:
            confidences[i] = found.confidence(logprobs[i], caption=False)
    return calibration_error(confidences, targets)


def save_calibration(folder: Path, fitted: Mapping[str, PlattScaling]) -> dict[str, Any]:
    """Write what was fitted into adapter.toml, whole or not at all; everything else stays.

    Args:
        folder: The adapter's.
        fitted: By "answer" and "caption", or one of them; the other one stays as it is.

    Returns:
        The section [calibration] as it is now.
    """
    path = folder / "adapter.toml"
    card = tomllib.loads(path.read_text(encoding="utf-8"))
    section: dict[str, Any] = card.setdefault("calibration", {})
    for kind, found in fitted.items():
        section |= {
            f"{kind}_slope": round(found.slope, 4),
            f"{kind}_offset": round(found.offset, 4),
            f"{kind}_error": round(found.error, 4),
            f"{kind}s": found.count,
        }
    part = path.with_name(path.name + ".part")
    try:
        part.write_text(tomli_w.dumps(card), encoding="utf-8")
        shutil.copymode(path, part)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return section
