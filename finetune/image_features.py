"""Hidden states of the training pictures: opened if they are cached, else computed once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from data.datasets.feature_cache import FeatureStore, Progress, build_store
from finetune.distributed import Team
from model.config import TowerConfig
from model.vision import VisionTower

Opens = Callable[[Sequence[str], "Encoder"], FeatureStore]


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
    team: Team,
    progress: Progress,
) -> FeatureStore:
    """Cached hidden states of the pictures; the leader encodes those that are missing.

    Args:
        folder: Where the cache is, or goes.
        root: The data folder that `images` are relative to.
        images: Names of the pictures.
        encoder: Computes hidden states.
        views: How many views of each picture.
        team: Who trains together.
        progress: Called after each batch.

    Raises:
        DataError: A picture is missing or unreadable, or the cache is of another tower.
    """
    if team.leads:
        with all_threads(team):
            build_store(
                folder, root, images, encoder,
                fingerprint=encoder.fingerprint, views=views, progress=progress,
            )  # fmt: skip
    team.wait()
    return FeatureStore.open(folder, encoder.fingerprint)


@contextmanager
def all_threads(team: Team) -> Iterator[None]:
    """Compute with the threads of the whole team: the others' cores are idle while they wait."""
    before = torch.get_num_threads()
    torch.set_num_threads(team.size * before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
