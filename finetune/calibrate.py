"""Fit an adapter's confidence on pictures never trained on, and write it into adapter.toml.

    python -m finetune.calibrate --data FOLDER [--profile starter]

Platt scaling (Platt 1999) of the log-probability: for answers against being right, for captions
against the share of content words that people also used. The error printed is cross-validated.
`glimpse eval --calibrate` does the same on any dataset.
"""

from __future__ import annotations

import argparse
import math
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

from data.images.open import read_picture
from finetune.evaluation import metrics
from finetune.research.starter_figures import Asked, flickr_captions, vqa_questions
from model.adapter import Calibration, load_trained
from model.config import load_profile
from model.engine import Engine
from model.quantization import quantize
from model.requests import Answer

IDENTITY = Calibration()
LEAST = math.log(1e-9)  # nats: what is less likely still would pull at the curve for nothing
_NEAREST = 1e-16  # to a confidence of 1, where a float's digits end


@dataclass(frozen=True)
class Fitted:
    """Platt scaling of answers, or of captions.

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


def main() -> None:
    """Calibrate the profile that the command line names."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="the data folder")
    parser.add_argument("--profile", default="starter")
    options = parser.parse_args()
    profile = load_profile(options.profile)
    vlm, _ = load_trained(profile)
    quantize(vlm.language)
    engine = Engine(profile, vlm, IDENTITY)
    questions, captions = vqa_questions(options.data), flickr_captions(options.data)
    answered, described = run(engine, questions), run(engine, captions)
    engine.close()
    right = [
        float(metrics.exact(a.text, q.golds[0])) for a, q in zip(answered, questions, strict=True)
    ]
    shares = [
        metrics.grounded_share(a.text, q.golds) for a, q in zip(described, captions, strict=True)
    ]
    fitted = {
        "answer": calibrate([logprob(a.confidence) for a in answered], right),
        "caption": calibrate([logprob(a.confidence) for a in described], shares),
    }
    print(tomli_w.dumps(save_calibration(profile.adapter_folder, fitted)))


def run(engine: Engine, asked: Sequence[Asked]) -> list[Answer]:
    """Ask everything, a batch at a time."""
    answers: list[Answer] = []
    for start in range(0, len(asked), 16):
        part = asked[start : start + 16]
        futures = [engine.submit(read_picture(a.image), a.question) for a in part]
        answers.extend(future.result() for future in futures)
    return answers


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


def calibrate(logprobs: Sequence[float], targets: Sequence[float]) -> Fitted:
    """Platt scaling of log-probabilities (nats) against targets (0..1), with its error."""
    slope, offset = fit(logprobs, targets)
    return Fitted(slope, offset, cross_validated_error(logprobs, targets), len(logprobs))


def fit(logprobs: Sequence[float], targets: Sequence[float]) -> tuple[float, float]:
    """Slope and offset that make sigmoid(slope x log-probability + offset) match the targets."""
    inputs = torch.tensor(logprobs, dtype=torch.float64)
    wanted = torch.tensor(targets, dtype=torch.float64)
    weights = torch.tensor([1.0, 0.0], dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([weights], max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        value = F.binary_cross_entropy_with_logits(weights[0] * inputs + weights[1], wanted)
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimiser.step(loss)  # type: ignore[no-untyped-call]
    slope, offset = weights.tolist()
    return slope, offset


def cross_validated_error(logprobs: Sequence[float], targets: Sequence[float]) -> float:
    """Calibration error (0..1) of each half under a fit on the other half."""
    halves = [range(0, len(logprobs), 2), range(1, len(logprobs), 2)]
    confidences = [0.0] * len(logprobs)
    for mine, other in (halves, halves[::-1]):
        found = Calibration(*fit([logprobs[i] for i in other], [targets[i] for i in other]))
        for i in mine:
            confidences[i] = found.confidence(logprobs[i], caption=False)
    return metrics.calibration_error(confidences, targets)


def save_calibration(folder: Path, fitted: Mapping[str, Fitted]) -> dict[str, Any]:
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


if __name__ == "__main__":
    main()
