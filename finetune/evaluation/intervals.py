"""Bootstrap confidence intervals of means."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

RESAMPLES = 1000
LEVEL = 95.0  # percent
FEWEST = 10  # scores: of fewer, the bootstrap says hardly anything
DASH = "–"  # noqa: RUF001


@dataclass(frozen=True)
class Estimate:
    """A figure with the ends of its 95 % interval, in the figure's own unit."""

    value: float
    low: float
    high: float

    def times(self, factor: float) -> Estimate:
        """The same figure in another unit."""
        return Estimate(self.value * factor, self.low * factor, self.high * factor)


def written(estimate: Estimate | None, count: int) -> tuple[str, str]:
    """A figure and its interval as tables show them: ("31.4", "28.0–35.1").

    Args:
        estimate: None, where nothing was measured, is a dash.
        count: Of how many scores it is the mean; the interval of fewer than `FEWEST` is a dash.
    """  # noqa: RUF002
    if estimate is None:
        return DASH, DASH
    ends = f"{estimate.low:.1f}{DASH}{estimate.high:.1f}" if count >= FEWEST else DASH
    return f"{estimate.value:.1f}", ends


def bootstrap(scores: Sequence[float], groups: Sequence[Hashable], seed: int) -> Estimate:
    """Mean of scores with the percentile interval of the bootstrap (Efron 1979), over groups.

    Pictures are drawn with all their questions, because those are not independent.

    Args:
        scores: At least one.
        groups: The picture that each score is about.
        seed: The same seed draws the same.
    """
    places: dict[Hashable, int] = {}
    index = np.array([places.setdefault(group, len(places)) for group in groups])
    sums = np.bincount(index, weights=np.asarray(scores, dtype=np.float64))
    counts = np.bincount(index).astype(np.float64)
    chance = np.random.default_rng(seed)
    means = np.empty(RESAMPLES)
    for number in range(RESAMPLES):
        drawn = chance.integers(0, len(sums), len(sums))
        means[number] = sums[drawn].sum() / counts[drawn].sum()
    low, high = np.percentile(means, [(100 - LEVEL) / 2, (100 + LEVEL) / 2])
    return Estimate(float(sums.sum() / counts.sum()), float(low), float(high))
