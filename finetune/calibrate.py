"""Fit an adapter's confidence on pictures never trained on, and write it into adapter.toml.

    python -m finetune.calibrate --data FOLDER [--profile starter]

Platt scaling (Platt 1999) of the log-probability: for answers against being right, for captions
against the share of content words that people also used. The error printed is cross-validated.
"""

from __future__ import annotations

import argparse
import tomllib
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import tomli_w
import torch
from torch import Tensor
from torch.nn import functional as F

from data.images import read_picture
from finetune import metrics
from finetune.measure import Asked, flickr_captions, vqa_questions
from model.adapter import Calibration, load_trained
from model.engine import Answer, Engine
from model.int8 import quantise
from model.profile import load_profile

IDENTITY = Calibration()


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
    quantise(vlm.language)
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
    answer = fit(answered, right)
    caption = fit(described, shares)
    calibration = Calibration(*answer, *caption)
    path = profile.adapter_folder / "adapter.toml"
    card = tomllib.loads(path.read_text(encoding="utf-8"))
    card["calibration"] = {
        **{key: round(value, 4) for key, value in asdict(calibration).items()},
        "answer_error": round(cross_validated_error(answered, right), 4),
        "caption_error": round(cross_validated_error(described, shares), 4),
        "answers": len(answered),
        "captions": len(described),
    }
    path.write_text(tomli_w.dumps(card), encoding="utf-8")
    print(tomli_w.dumps(card["calibration"]))


def run(engine: Engine, asked: Sequence[Asked]) -> list[Answer]:
    """Ask everything, a batch at a time."""
    answers: list[Answer] = []
    for start in range(0, len(asked), 16):
        part = asked[start : start + 16]
        futures = [engine.submit(read_picture(a.image), a.question) for a in part]
        answers.extend(future.result() for future in futures)
    return answers


def fit(answers: Sequence[Answer], targets: Sequence[float]) -> tuple[float, float]:
    """Slope and offset that make sigmoid(slope x log-probability + offset) match the targets."""
    inputs, wanted = _logprobs(answers), torch.tensor(targets, dtype=torch.float64)
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


def cross_validated_error(answers: Sequence[Answer], targets: Sequence[float]) -> float:
    """Calibration error (0..1) of each half under a fit on the other half."""
    halves = [range(0, len(answers), 2), range(1, len(answers), 2)]
    confidences = [0.0] * len(answers)
    for mine, other in (halves, halves[::-1]):
        slope, offset = fit([answers[i] for i in other], [targets[i] for i in other])
        logprobs = _logprobs([answers[i] for i in mine])
        for i, confidence in zip(
            mine, torch.sigmoid(slope * logprobs + offset).tolist(), strict=True
        ):
            confidences[i] = confidence
    return metrics.calibration_error(confidences, targets)


def _logprobs(answers: Sequence[Answer]) -> Tensor:
    """Undo the identity calibration: confidence = sigmoid(log-probability)."""
    return torch.logit(torch.tensor([a.confidence for a in answers], dtype=torch.float64), eps=1e-9)


if __name__ == "__main__":
    main()
