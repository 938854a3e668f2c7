"""Hidden states computed once and kept on disk, so that training never runs the tower twice.

A store is a folder: `index.json` (pictures, number of views, pictures in a shard, fingerprint of
tower and preprocessing) and shards `view{v}-{s}.npy` of float16: (pictures, states, D). Beside each
lies `view{v}-{s}.crc32`, the checksum of its numbers, which is compared whenever training starts.

The index is written last. Until then it lies there as `index.json.part`, which says what the
finished shards are of, so that an interrupted run goes on where it stopped. A shard that is missing
or damaged is made anew, and no other.
"""

from __future__ import annotations

import json
import logging
import shutil
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray
from PIL import Image

from data.datasets.transforms import load_view
from data.errors import DataError

log = logging.getLogger(__name__)
Array = NDArray[np.float16]
Encode = Callable[[Sequence[Image.Image]], Array]
# How many encodings are done, of how many, and the bytes that those of this run take.
EncodingProgress = Callable[[int, int, int], None]
BATCH = 32
SHARD = 1024  # pictures


class View(Protocol):
    """One view of all pictures; an array is one."""

    def __getitem__(self, row: int, /) -> Any:
        """Hidden states (states, D) of one picture."""
        ...


class ShardedView:
    """One view, read from files by memory map.

    Args:
        arrays: Hidden states (pictures, states, D), `size` pictures each but for the last.
        size: How many.
    """

    def __init__(self, arrays: Sequence[Array], size: int) -> None:
        self._arrays, self._size = arrays, size

    def __getitem__(self, row: int) -> Array:
        """Hidden states (states, D) of one picture."""
        shard, place = divmod(row, self._size)
        found: Array = self._arrays[shard][place]
        return found


@dataclass(frozen=True)
class FeatureStore:
    """Cached hidden states.

    Attributes:
        rows: Row of each picture, by its path relative to the data folder.
        counts: How many views each row has.
        views: The views, each with all rows.
    """

    rows: dict[str, int]
    counts: list[int]
    views: Sequence[View]

    @classmethod
    def open(cls, folder: Path, fingerprint: str) -> FeatureStore:
        """Open a finished store.

        Raises:
            DataError: It is missing, unfinished, damaged, or was made with another tower.
        """
        index = _read_index(folder, fingerprint)
        views, shapes = [], set()
        for view in range(index.views):
            shards = [Shard(folder, index, view, start) for start in index.starts]
            arrays = [shard.open() for shard in shards]
            views.append(ShardedView(arrays, index.shard))
            shapes |= {array.shape[1:] for array in arrays}
        if len(shapes) != 1:
            raise _damaged(folder)
        rows = {name: row for row, name in enumerate(index.images)}
        return cls(rows, [index.views] * len(rows), views)

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
    progress: EncodingProgress = lambda done, total, size: None,
) -> FeatureStore:
    """Encode pictures into a store; what is there already, whole or in part, is used.

    If another process is at it, that is waited for.

    Args:
        folder: Where the store goes.
        root: The data folder that `images` are relative to.
        images: Names of the pictures.
        encode: RGB pictures → hidden states (B, states, D) as float16.
        fingerprint: Names the tower and its preprocessing.
        views: How many views of each picture.
        progress: Called after each batch, before anything is written.

    Raises:
        DataError: A picture is missing or unreadable, the store is of another tower, or the disk
            is full.
    """
    if _lacking(folder, images, fingerprint, views):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with FileLock(folder / ".lock"):
                if wanted := _lacking(folder, images, fingerprint, views):
                    _begin(folder, wanted)
                    _encode(folder, root, wanted, encode, progress)
                    (folder / "index.json.part").replace(folder / "index.json")
        except OSError as error:
            raise DataError(
                f"The features could not be written to {folder}: is there room on the disk?"
            ) from error
    return FeatureStore.open(folder, fingerprint)


def _lacking(
    folder: Path, images: Sequence[str], fingerprint: str, views: int
) -> StoreIndex | None:
    """What the store is to hold, or None if all of it is there."""
    wanted = StoreIndex(fingerprint, tuple(images), views, SHARD)
    if (folder / "index.json").is_file():
        found = _read_index(folder, fingerprint)
        if set(images) <= set(found.images):
            wanted = StoreIndex(fingerprint, found.images, max(views, found.views), found.shard)
            if wanted == found and not _missing(folder, wanted):
                return None
    return wanted


def _begin(folder: Path, index: StoreIndex) -> None:
    """Make the folder ready; shards of other pictures or another tower are thrown away."""
    part = folder / "index.json.part"
    if (folder / "index.json").is_file():
        (folder / "index.json").replace(part)
    if not _same_shards(part, index):
        for stale in folder.glob("view*"):
            stale.unlink(missing_ok=True)
    temporary = folder / "index.json.new"
    temporary.write_text(json.dumps(vars(index)), encoding="utf-8")
    temporary.replace(part)


def _same_shards(path: Path, index: StoreIndex) -> bool:
    """Whether shards that were made by the index in a file serve this one, too."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return bool({**found, "views": index.views} == json.loads(json.dumps(vars(index))))
    except (OSError, ValueError, TypeError):
        return False


def _encode(
    folder: Path,
    root: Path,
    index: StoreIndex,
    encode: Encode,
    progress: EncodingProgress,
) -> None:
    """Make the shards that are missing, telling after each batch how far that is."""
    missing = _missing(folder, index)
    total, left = len(index.images) * index.views, sum(len(shard.images) for shard in missing)
    done, size = total - left, 0
    for shard in missing:
        parts = []
        for first in range(0, len(shard.images), BATCH):
            names = shard.images[first : first + BATCH]
            states = encode([load_view(root / name, name, shard.view) for name in names])
            if not size:
                size = left * states.nbytes // len(states)
                _check_room(folder, size)
            parts.append(states)
            done += len(names)
            progress(done, total, size)
        shard.write(np.concatenate(parts))
    progress(done, total, size)


def _missing(folder: Path, index: StoreIndex) -> list[Shard]:
    shards = [Shard(folder, index, view, at) for view in range(index.views) for at in index.starts]
    return [shard for shard in shards if not shard.whole()]


def _check_room(folder: Path, needed: int) -> None:
    """Say how much goes to the disk, before it is written.

    Raises:
        DataError: There is no room for it.
    """
    log.info("the features will take %.2f GB in %s", needed / 1e9, folder)
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise DataError(
            f"The features take {needed / 1e9:.2f} GB, but {folder} has room for only "
            f"{free / 1e9:.2f} GB; make room on the disk, or name another folder."
        )


@dataclass(frozen=True)
class StoreIndex:
    """What a store holds: all views of the pictures, in shards of so many pictures."""

    fingerprint: str
    images: tuple[str, ...]
    views: int
    shard: int

    @property
    def starts(self) -> range:
        """The first row of each shard."""
        return range(0, len(self.images), self.shard)


@dataclass(frozen=True)
class Shard:
    """Some pictures of one view, in one file."""

    folder: Path
    index: StoreIndex
    view: int
    start: int

    @property
    def path(self) -> Path:
        """The file of its hidden states."""
        return self.folder / f"view{self.view}-{self.start // self.index.shard:05d}.npy"

    @property
    def images(self) -> Sequence[str]:
        """The pictures in it, in their order."""
        return self.index.images[self.start : self.start + self.index.shard]

    def open(self) -> Array:
        """Hidden states (pictures, states, D), by memory map.

        Raises:
            DataError: The file is missing, or is of another form.
        """
        try:
            array: Array = np.load(self.path, mmap_mode="r")
            if array.dtype != np.float16 or array.ndim != 3 or len(array) != len(self.images):
                raise ValueError("This is no shard of this store.")
        except (OSError, ValueError, EOFError) as error:
            raise _damaged(self.path) from error
        return array

    def whole(self) -> bool:
        """Whether it is there, and every number in it as it was written."""
        try:
            if self._checksum_file.read_text(encoding="ascii") != _checksum(self.open()):
                raise _damaged(self.path)
        except (DataError, OSError, UnicodeDecodeError):
            if self.path.exists():
                log.warning("%s is damaged and made anew", self.path)
            return False
        return True

    def write(self, states: Array) -> None:
        """Write it, whole or not at all.

        Raises:
            OSError: It cannot be written.
        """
        part = self.path.with_name(self.path.name + ".part")
        try:
            with part.open("wb") as file:
                np.save(file, states)
            self._checksum_file.write_text(_checksum(states), encoding="ascii")
            part.replace(self.path)
        finally:
            part.unlink(missing_ok=True)

    @property
    def _checksum_file(self) -> Path:
        return self.path.with_suffix(".crc32")


def _checksum(states: Array) -> str:
    return f"{zlib.crc32(np.ascontiguousarray(states).data):08x}"


def _read_index(folder: Path, fingerprint: str) -> StoreIndex:
    """The index of a finished store; DataError if it is missing, damaged or of another tower."""
    try:
        table = json.loads((folder / "index.json").read_text(encoding="utf-8"))
        index = StoreIndex(
            table["fingerprint"], tuple(table["images"]), table["views"], table["shard"]
        )
        if not index.images or index.views < 1 or index.shard < 1:
            raise ValueError("The index is of nothing.")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _damaged(folder) from error
    if index.fingerprint != fingerprint:
        raise DataError(
            f"The cached features in {folder} were made with another tower or preprocessing; "
            "delete that folder to make them anew."
        )
    return index


def _damaged(path: Path) -> DataError:
    """The error for a file or folder that is to be made anew."""
    return DataError(
        f"The cached features in {path} are missing or damaged; delete that to make them anew."
    )
