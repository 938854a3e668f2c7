"""The files of a feature store: its index, and shards with the checksums that hold them whole.

Beside each shard `view{v}-{s}.npy` lies `view{v}-{s}.crc32`, the checksum of its numbers.
"""

from __future__ import annotations

import json
import logging
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data.datasets.records import DataError

log = logging.getLogger(__name__)
Array = NDArray[np.float16]


@dataclass(frozen=True)
class Index:
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
    index: Index
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
            raise damaged(self.path) from error
        return array

    def whole(self) -> bool:
        """Whether it is there, and every number in it as it was written."""
        try:
            if self._sum.read_text(encoding="ascii") != _checksum(self.open()):
                raise damaged(self.path)
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
            self._sum.write_text(_checksum(states), encoding="ascii")
            part.replace(self.path)
        finally:
            part.unlink(missing_ok=True)

    @property
    def _sum(self) -> Path:
        return self.path.with_suffix(".crc32")


def _checksum(states: Array) -> str:
    return f"{zlib.crc32(np.ascontiguousarray(states).data):08x}"


def read_index(folder: Path, fingerprint: str) -> Index:
    """The index of a finished store.

    Raises:
        DataError: It is missing or damaged, or of another tower.
    """
    try:
        table = json.loads((folder / "index.json").read_text(encoding="utf-8"))
        index = Index(table["fingerprint"], tuple(table["images"]), table["views"], table["shard"])
        if not index.images or index.views < 1 or index.shard < 1:
            raise ValueError("The index is of nothing.")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise damaged(folder) from error
    if index.fingerprint != fingerprint:
        raise DataError(
            f"The cached features in {folder} were made with another tower or preprocessing; "
            "delete that folder to make them anew."
        )
    return index


def damaged(path: Path) -> DataError:
    """The sentence for a file or folder that is to be made anew."""
    return DataError(
        f"The cached features in {path} are missing or damaged; delete that to make them anew."
    )
