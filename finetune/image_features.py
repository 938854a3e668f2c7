"""Hidden states of the training pictures: cached once, or computed anew of a random crop.

Few pictures are soon known by heart; crops make each visit another picture.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from data.datasets.feature_cache import EncodingProgress, FeatureStore, build_store
from data.datasets.transforms import load_crop, load_view
from finetune.config import Recipe
from finetune.distributed import ProcessGroup
from finetune.sampler import Visit
from model.config import TowerConfig
from model.vision import VisionTower

BATCH = 16
ENCODED = 16  # pictures that stand for all in a rehearsal
# Visits of pictures → hidden states (visits, states, D), as `VisionTower.compact` made them.
FeatureSource = Callable[[Sequence[Visit]], Tensor]
OpenFeatures = Callable[[Sequence[str], "Encoder"], FeatureStore]


class Encoder:
    """Turns pictures into hidden states as the cache keeps them.

    Args:
        tower: The frozen vision tower.
        config: Names it.
        bfloat16: Whether to compute in bfloat16.
    """

    def __init__(self, tower: VisionTower, config: TowerConfig, bfloat16: bool) -> None:
        self.tower, self.bfloat16 = tower, bfloat16
        self.fingerprint = f"{config.kind}/{config.source}/{config.image_size}/{config.layer}"
        self.fingerprint += f"/colours-{tower.colours}" if tower.colours else ""
        self.fingerprint += f"/detail-{config.detail_layer}" if config.detail_layer else ""

    @torch.inference_mode()
    def __call__(self, pictures: Sequence[Image.Image]) -> NDArray[np.float16]:
        """RGB pictures → hidden states (B, states, D), without what the tower can complete."""
        pixels = self.tower.preprocess(pictures)
        device = next(self.tower.buffers()).device
        with torch.autocast(device.type, torch.bfloat16, enabled=self.bfloat16):
            states = self.tower(pixels)
        return self.tower.compact(states).float().cpu().numpy().astype(np.float16)


def open_features(
    folder: Path,
    root: Path,
    images: Sequence[str],
    encoder: Encoder,
    *,
    views: int,
    processes: ProcessGroup,
    progress: EncodingProgress,
) -> FeatureStore:
    """Cached hidden states of the pictures; the main process encodes those that are missing.

    Args:
        folder: Where the cache is, or goes.
        root: The data folder that `images` are relative to.
        images: Names of the pictures.
        encoder: Computes hidden states.
        views: How many views of each picture.
        processes: Who trains together.
        progress: Called after each batch.

    Raises:
        DataError: A picture is missing or unreadable, or the cache is of another tower.
    """
    if processes.is_main:
        with all_threads(processes):
            build_store(
                folder, root, images, encoder,
                fingerprint=encoder.fingerprint, views=views, progress=progress,
            )  # fmt: skip
    processes.barrier()
    return FeatureStore.open(folder, encoder.fingerprint)


@contextmanager
def all_threads(processes: ProcessGroup) -> Iterator[None]:
    """Compute with the threads of all processes: the others' cores are idle while they wait."""
    before = torch.get_num_threads()
    torch.set_num_threads(processes.size * before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


# --- what a visit sees of its picture -----------------------------------------------------------


class CachedFeatures:
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


class CropFeatures:
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


class TrainableCropFeatures:
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


def open_feature_source(
    recipe: Recipe, root: Path, encoder: Encoder, store: FeatureStore | None
) -> FeatureSource:
    """What visits see in a run; `store` holds the cached views, if there are some to see."""
    if recipe.tower_blocks:
        return TrainableCropFeatures(root, encoder.tower)
    return CachedFeatures(store) if store and not recipe.crops else CropFeatures(root, encoder)


def _crop(root: Path, visit: Visit) -> Image.Image:
    rng = random.Random(f"{visit.image}:{visit.draw}")
    mirrored = rng.random() < 0.5 and not visit.sided
    if visit.whole:
        return load_view(root / str(visit.image), str(visit.image), view=int(mirrored))
    return load_crop(root / str(visit.image), rng, mirrored)


# --- for rehearsals -----------------------------------------------------------------------------


class SampledFeatures:
    """Encodes a few pictures that then stand for all, to see how long things take.

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
        seen = [load_view(self._root / name, name, view=0) for name in names]
        encoder(seen)  # warms up
        start = time.monotonic()
        states = encoder([load_view(self._root / name, name, view=0) for name in names])
        self.seconds = (time.monotonic() - start) / len(names)
        self.bytes = states.nbytes // len(names)
        rows = {image: number % len(names) for number, image in enumerate(images)}
        views = self._recipe.views
        return FeatureStore(rows, [views] * len(names), [states] * views)
