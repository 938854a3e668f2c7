"""Hidden states computed once and kept on disk, so that training never runs the tower twice.

A store is a folder: `index.json` (pictures, number of views, fingerprint) and one `view{n}.npy` of
float16 for each view: (pictures, states, D). View 0 is the picture itself, view 1 its mirror image,
the others random crops, the odd ones mirrored.

The index is written last. Until then it lies there as `index.json.part`, which says what the
finished and half-finished views are of, so that an interrupted run goes on where it stopped.
"""

from __future__ import annotations

import json
import math
import os
import random
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from errno import ENOSPC
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from data.records import DataError

Encode = Callable[[Sequence[Image.Image]], NDArray[np.float16]]
Array = NDArray[np.float16]
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
    views: list[Array]

    @classmethod
    def open(cls, folder: Path, fingerprint: str) -> FeatureStore:
        """Open a finished store.

        Raises:
            DataError: It is missing, unfinished, damaged, or was made with another tower.
        """
        try:
            index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
            images, counts, made_with = index["images"], index["counts"], index["fingerprint"]
            views = [np.load(_view(folder, n), mmap_mode="r") for n in range(index["views"])]
            shapes = {(view.shape, view.dtype.name) for view in views}
            whole = len(shapes) == 1 and len(images) == len(counts) == len(views[0])
        except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
            raise _damaged(folder) from error
        if made_with != fingerprint:
            raise DataError(
                f"The cached features in {folder} were made with another tower or preprocessing; "
                "delete that folder to make them anew."
            )
        if not whole or max(counts) > len(views) or min(counts) < 1:
            raise _damaged(folder)
        return cls({name: row for row, name in enumerate(images)}, counts, views)

    def get(self, rows: Sequence[int], views: Sequence[int]) -> Array:
        """Hidden states (B, states, D) of the given rows in the given views."""
        pairs = zip(rows, views, strict=True)
        return np.stack([self.views[view][row] for row, view in pairs])


def build_store(
    folder: Path,
    root: Path,
    images: Sequence[str],
    encode: Encode,
    *,
    fingerprint: str,
    views: int = 1,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> FeatureStore:
    """Encode pictures into a store; what is there already, whole or in part, is used.

    Args:
        folder: Where the store goes.
        root: The data folder that `images` are relative to.
        images: Names of the pictures.
        encode: RGB pictures → hidden states (B, states, D) as float16.
        fingerprint: Names the tower and its preprocessing.
        views: How many views of each picture.
        progress: Called with how many encodings are done, and of how many.

    Raises:
        DataError: A picture is missing or unreadable, the store is of another tower, or the disk
            is full.
    """
    if (folder / "index.json").is_file():
        store = FeatureStore.open(folder, fingerprint)
        if set(images) <= set(store.rows) and len(store.views) >= views:
            return store
    try:
        _begin(folder, {"fingerprint": fingerprint, "images": list(images)})
        _encode([_View(folder, root, images, view) for view in range(views)], encode, progress)
        _finish(folder, views)
    except OSError as error:
        raise DataError(
            f"The features could not be written to {folder}: is there room on the disk?"
        ) from error
    return FeatureStore.open(folder, fingerprint)


def see(path: Path, name: str, view: int) -> Image.Image:
    """Open a training picture in one of its views; crops depend on its name and the view alone.

    Raises:
        DataError: It is missing or cannot be decoded.
    """
    if view >= 2:
        return see_crop(path, random.Random(f"{name}{view}"), mirrored=bool(view % 2))
    image = _open(path)
    return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if view else image


def see_crop(path: Path, chance: random.Random, mirrored: bool) -> Image.Image:
    """Open a training picture, cropped at random and perhaps mirrored.

    Raises:
        DataError: It is missing or cannot be decoded.
    """
    image = _open(path)
    side = chance.uniform(SMALLEST_CROP, 1.0)
    width, height = image.width * side, image.height * side
    left, top = chance.uniform(0, image.width - width), chance.uniform(0, image.height - height)
    size = (max(1, round(width)), max(1, round(height)))
    box = (left, top, left + width, top + height)
    image = image.resize(size, Image.Resampling.BICUBIC, box=box)
    return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if mirrored else image


def _open(path: Path) -> Image.Image:
    try:
        with Image.open(path) as opened:
            return ImageOps.exif_transpose(opened).convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataError(f"The training picture {path} is missing or cannot be read.") from error


def _begin(folder: Path, plan: dict[str, Any]) -> None:
    """Make the folder ready for the views of a plan; those of another plan are thrown away."""
    folder.mkdir(parents=True, exist_ok=True)
    if _same_plan(folder / "index.json", plan):  # more views are wanted than there are
        (folder / "index.json").replace(folder / "index.json.part")
    if not _same_plan(folder / "index.json.part", plan):
        for stale in [folder / "index.json", *folder.glob("view*.npy*")]:
            stale.unlink(missing_ok=True)
        _write_json(folder / "index.json.part", plan)


def _same_plan(path: Path, plan: dict[str, Any]) -> bool:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return all(found[key] == value for key, value in plan.items())
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _finish(folder: Path, views: int) -> None:
    part = folder / "index.json.part"
    plan = json.loads(part.read_text(encoding="utf-8"))
    _write_json(part, {**plan, "views": views, "counts": [views] * len(plan["images"])})
    part.replace(folder / "index.json")


def _write_json(path: Path, value: dict[str, Any]) -> None:
    temporary = path.with_name(path.name + ".new")
    temporary.write_text(json.dumps(value), encoding="utf-8")
    temporary.replace(path)


@dataclass(frozen=True)
class _View:
    """One view in the making, which goes on where an interrupted run stopped."""

    folder: Path
    root: Path
    images: Sequence[str]
    number: int

    def encode(self, encode: Encode, progress: Callable[[int], None]) -> None:
        """Encode what is missing, telling after each batch how many pictures were added."""
        final = _view(self.folder, self.number)
        if final.is_file():
            progress(len(self.images))
            return
        part = final.with_name(final.name + ".part")
        counter = final.with_name(final.name + ".count")
        array, start = _reopen(part, counter)
        progress(start)
        for first in range(start, len(self.images), BATCH):
            names = self.images[first : first + BATCH]
            states = encode([see(self.root / name, name, self.number) for name in names])
            if array is None:
                array = _allocate(part, (len(self.images), *states.shape[1:]))
            array[first : first + len(names)] = states
            array.flush()
            counter.write_text(str(first + len(names)), encoding="utf-8")
            progress(len(names))
        part.replace(final)
        counter.unlink(missing_ok=True)


def _encode(views: Sequence[_View], encode: Encode, progress: Callable[[int, int], None]) -> None:
    total = sum(len(view.images) for view in views)
    done = 0

    def count(encoded: int) -> None:
        nonlocal done
        done += encoded
        progress(done, total)

    for view in views:
        view.encode(encode, count)


def _allocate(part: Path, shape: tuple[int, ...]) -> np.memmap[Any, np.dtype[np.float16]]:
    """A file for one view. Filling it on a full disk would kill the process, so we look first."""
    if shutil.disk_usage(part.parent).free < 2 * math.prod(shape):
        raise OSError(ENOSPC, os.strerror(ENOSPC))
    return np.lib.format.open_memmap(part, "w+", np.float16, shape)


def _reopen(part: Path, counter: Path) -> tuple[np.memmap[Any, np.dtype[np.float16]] | None, int]:
    """A half-finished view and how many of its pictures are whole; (None, 0) to begin anew."""
    try:
        done = int(counter.read_text(encoding="utf-8"))
        return np.lib.format.open_memmap(part, "r+"), done
    except (OSError, ValueError):
        return None, 0


def _view(folder: Path, view: int) -> Path:
    return folder / f"view{view}.npy"


def _damaged(folder: Path) -> DataError:
    return DataError(
        f"The cached features in {folder} are missing or damaged; "
        "delete that folder to make them anew."
    )
