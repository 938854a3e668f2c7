"""What a visit sees of its picture: a cached view, or a random crop that is encoded at that moment.

Few pictures are soon known by heart; crops make each visit another picture.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from data.datasets.feature_cache import FeatureStore
from data.datasets.transforms import see, see_crop
from finetune.config import Recipe
from finetune.image_features import Encoder
from finetune.sampler import Visit
from model.vision import VisionTower

BATCH = 16


class Sight(Protocol):
    """Gives hidden states, as `VisionTower.compact` made them, of visits that have a picture."""

    def __call__(self, visits: Sequence[Visit]) -> Tensor:
        """Visits → hidden states (visits, states, D)."""
        ...


class CachedViews:
    """Reads one of the cached views of each picture.

    Args:
        store: Cached hidden states.
    """

    def __init__(self, store: FeatureStore) -> None:
        self.store = store

    def __call__(self, visits: Sequence[Visit]) -> Tensor:
        """Visits → hidden states (visits, states, D)."""
        rows = [self.store.rows[str(visit.image)] for visit in visits]
        counts = (self.store.counts[row] for row in rows)
        views = [visit.view(count) for visit, count in zip(visits, counts, strict=True)]
        return torch.from_numpy(self.store.get(rows, views))


def open_sight(recipe: Recipe, root: Path, encoder: Encoder, store: FeatureStore | None) -> Sight:
    """What visits see in a run; `store` holds the cached views, if there are some to see."""
    if recipe.tower_blocks:
        return LearningCrops(root, encoder.tower)
    return CachedViews(store) if store and not recipe.crops else RandomCrops(root, encoder)


class RandomCrops:
    """Encodes a random crop of each picture, mirrored or not; the same for the same draw.

    Args:
        root: The data folder.
        encoder: The tower.
    """

    def __init__(self, root: Path, encoder: Encoder) -> None:
        self._root, self._encoder = root, encoder
        self._seen: dict[tuple[str | None, float, bool, bool], Tensor] = {}

    def __call__(self, visits: Sequence[Visit]) -> Tensor:
        """Visits → hidden states (visits, states, D).

        Raises:
            DataError: A picture is missing or cannot be decoded.
        """
        keys = [(visit.image, visit.draw, visit.sided, visit.whole) for visit in visits]
        if not any(key in self._seen for key in keys):  # a new step; else captions are judged
            self._seen.clear()
        new = {key: v for key, v in zip(keys, visits, strict=True) if key not in self._seen}
        crops = [_crop(self._root, visit) for visit in new.values()]
        parts = [self._encoder(crops[at : at + BATCH]) for at in range(0, len(crops), BATCH)]
        if parts:
            states = torch.from_numpy(np.concatenate(parts)).float()  # autocast stacks no float16
            self._seen |= zip(new, states, strict=True)
        return torch.stack([self._seen[key] for key in keys])


class LearningCrops:
    """The same crops through a tower that learns, with gradients; nothing can be kept.

    Args:
        root: The data folder.
        tower: What learns.
    """

    def __init__(self, root: Path, tower: VisionTower) -> None:
        self._root, self._tower = root, tower

    def __call__(self, visits: Sequence[Visit]) -> Tensor:
        """Visits → hidden states (visits, states, D).

        Raises:
            DataError: A picture is missing or cannot be decoded.
        """
        pixels = self._tower.preprocess([_crop(self._root, visit) for visit in visits])
        device = next(self._tower.buffers()).device
        return self._tower.compact(self._tower(pixels.to(device)))


def _crop(root: Path, visit: Visit) -> Image.Image:
    chance = random.Random(f"{visit.image}:{visit.draw}")
    mirrored = chance.random() < 0.5 and not visit.sided
    if visit.whole:
        return see(root / str(visit.image), str(visit.image), view=int(mirrored))
    return see_crop(root / str(visit.image), chance, mirrored)
