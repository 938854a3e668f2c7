"""Hidden states of a few pictures that stand for all, to see how long things take."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from data.datasets.feature_cache import FeatureStore
from data.datasets.transforms import see
from finetune.config import Recipe
from finetune.image_features import Encoder

ENCODED = 16


class FewFeatures:
    """Encodes a few pictures that then stand for all.

    Attributes:
        images: How many there are.
        bytes: Size of one picture's hidden states.
        seconds: How long one takes.
    """

    def __init__(self, recipe: Recipe, root: Path) -> None:
        self._recipe, self._root = recipe, root
        self.images, self.bytes, self.seconds = 0, 0, 0.0

    def __call__(self, images: Sequence[str], encoder: Encoder) -> FeatureStore:
        """The store of all these pictures, in which each is one of the few."""
        self.images = len(images)
        names = images[:: max(1, len(images) // ENCODED)][:ENCODED]
        seen = [see(self._root / name, name, view=0) for name in names]
        encoder(seen)  # warms up
        start = time.monotonic()
        states = encoder([see(self._root / name, name, view=0) for name in names])
        self.seconds = (time.monotonic() - start) / len(names)
        self.bytes = states.nbytes // len(names)
        rows = {image: number % len(names) for number, image in enumerate(images)}
        views = self._recipe.views
        return FeatureStore(rows, [views] * len(names), [states] * views)
