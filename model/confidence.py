"""How sure an answer is: calibrated confidence from log-probabilities, by Platt scaling."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from model.errors import AdapterError


@dataclass(frozen=True)
class Calibration:
    """Platt scaling: confidence = sigmoid(slope x log-probability + offset).

    Source: Platt 1999. `answer` takes the log-probability of the whole answer, `caption` the mean
    log-probability of a caption's tokens, both in nats.
    """

    answer_slope: float = 1.0
    answer_offset: float = 0.0
    caption_slope: float = 1.0
    caption_offset: float = 0.0

    def confidence(self, logprob: float, *, caption: bool) -> float:
        """A log-probability in nats → a probability in 0..1."""
        slope = self.caption_slope if caption else self.answer_slope
        offset = self.caption_offset if caption else self.answer_offset
        x = slope * logprob + offset
        return 1 / (1 + math.exp(-x)) if x > -700 else 0.0


def calibration_of(card: dict[str, Any], folder: Path) -> Calibration:
    """The calibration in what `read_card` gave; raises AdapterError if it is damaged."""
    try:
        stored = dict(card.get("calibration", {}))
        values = {f.name: float(stored[f.name]) for f in fields(Calibration) if f.name in stored}
    except (TypeError, ValueError) as error:
        raise AdapterError(f"The calibration in adapter.toml in {folder} is damaged.") from error
    return Calibration(**values)
