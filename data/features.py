"""Hidden states computed once and kept on disk, so that training never runs the tower twice.

A store is a folder: `index.json` (pictures, number of views, shape, fingerprint) and one
`view{n}.npy` of float16 for each view: (pictures, states, D). View 0 is the picture itself, view 1
its mirror image, the others random crops, the odd ones mirrored.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from data.records import DataError

Encode = Callable[[Sequence[Image.Image]], NDArray[np.float16]]
SMALLEST_CROP = 0.78
BATCH = 32


@dataclass(frozen=True)
class FeatureStore:
    """Cached hidden states, read by memory map.

    Attributes:
        rows: Row of each picture, by its path relative to the data folder.
        counts: How many views each row has.
        views: One array (pictures, states, D) for each view.
    """

    rows: dict[str, int]
    counts: list[int]
    views: list[NDArray[np.float16]]

    @classmethod
    def open(cls, folder: Path, fingerprint: str) -> FeatureStore:
        """Open a finished store.

        Raises:
            DataError: It is missing, unfinished, or was made with another tower.
        """
        try:
            index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
            views = [np.load(folder / f"view{n}.npy", mmap_mode="r") for n in range(index["views"])]
        except (OSError, ValueError, KeyError) as error:
            raise DataError(f"The cached features in {folder} are missing or damaged.") from error
        if index["fingerprint"] != fingerprint:
            raise DataError(
                f"The cached features in {folder} were made with another tower or preprocessing; "
                "delete that folder to make them anew."
            )
        rows = {name: row for row, name in enumerate(index["images"])}
        return cls(rows, index["counts"], views)

    def get(self, rows: Sequence[int], views: Sequence[int]) -> NDArray[np.float16]:
        """Hidden states (B, states, D) of the given rows in the given views."""
        pairs = zip(rows, views, strict=True)
        return np.stack([self.views[view][row] for row, view in pairs])


def build_store(  # noqa: PLR0913
    folder: Path,
    root: Path,
    images: Sequence[str],
    encode: Encode,
    fingerprint: str,
    views: int = 1,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> FeatureStore:
    """Encode pictures into a store; a store that is already there and whole is reused.

    Args:
        folder: Where the store goes.
        root: The data folder that `images` are relative to.
        images: Names of the pictures.
        encode: RGB pictures → hidden states (B, states, D) as float16.
        fingerprint: Names the tower and its preprocessing.
        views: How many views of each picture.
        progress: Called with how many encodings are done, and of how many.

    Raises:
        DataError: A picture is missing or unreadable, or the store is of another tower.
    """
    if (folder / "index.json").is_file():
        store = FeatureStore.open(folder, fingerprint)
        if set(images) <= set(store.rows):
            return store
    folder.mkdir(parents=True, exist_ok=True)
    total = len(images) * views
    for view in range(views):
        _encode_view(
            folder,
            root,
            images,
            encode,
            view,
            lambda n, v=view: progress(  # type: ignore[misc]
                v * len(images) + n, total
            ),
        )
    index: dict[str, Any] = {
        "fingerprint": fingerprint,
        "images": list(images),
        "views": views,
        "counts": [views] * len(images),
    }
    temporary = folder / "index.json.part"
    temporary.write_text(json.dumps(index), encoding="utf-8")
    os.replace(temporary, folder / "index.json")
    return FeatureStore.open(folder, fingerprint)


def _encode_view(
    folder: Path,
    root: Path,
    images: Sequence[str],
    encode: Encode,
    view: int,
    progress: Callable[[int], None],
) -> None:
    final = folder / f"view{view}.npy"
    if final.is_file() and len(np.load(final, mmap_mode="r")) == len(images):
        return
    part = folder / f"view{view}.npy.part"
    array: NDArray[np.float16] | None = None
    for start in range(0, len(images), BATCH):
        names = images[start : start + BATCH]
        states = encode([see(root / name, name, view) for name in names])
        if array is None:
            shape = (len(images), *states.shape[1:])
            array = np.lib.format.open_memmap(part, "w+", np.float16, shape)
        array[start : start + len(names)] = states
        progress(start + len(names))
    if array is not None:
        array.flush()
    os.replace(part, final)


def see(path: Path, name: str, view: int) -> Image.Image:
    """Open a training picture in one of its views; crops depend on its name and the view alone.

    Raises:
        DataError: It is missing or cannot be decoded.
    """
    try:
        with Image.open(path) as opened:
            image = opened.convert("RGB")
    except OSError as error:
        raise DataError(f"The training picture {path} is missing or cannot be read.") from error
    if view >= 2:
        chance = random.Random(f"{name}{view}")
        side = chance.uniform(SMALLEST_CROP, 1.0)
        width, height = image.width * side, image.height * side
        left, top = chance.uniform(0, image.width - width), chance.uniform(0, image.height - height)
        size = (round(width), round(height))
        box = (left, top, left + width, top + height)
        image = image.resize(size, Image.Resampling.BICUBIC, box=box)
    return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if view % 2 else image
