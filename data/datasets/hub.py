"""Datasets of the hub, through the `datasets` library where somebody has installed it.

Rows are streamed, so that only the wanted splits are fetched and nothing is kept twice. Pictures
are saved as they come, and a next try keeps what an interrupted one has saved.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from data.datasets.builder import BuildStatistics
from data.datasets.records import Row
from data.datasets.sources import IMAGES, ImageFolders, Progress, coco_name, safe_name
from data.errors import DataError

INSTALL = "Reading from the hub takes the datasets library: pip install datasets."
_SPLITS = {"train": "train", "validation": "val", "val": "val", "test": "test"}
_CAPTIONS = ("caption", "captions", "alt_text")
_COCO = {"train": "train2014", "val": "val2014"}  # nobody knows the answers of the others
_EVERY = 64  # rows between reports


class HubDataset:
    """A dataset on the hub.

    Args:
        name: "owner/dataset".
        target: The folder that is filled.
        given: Folders of pictures that are here already; None to save those of the hub.

    Attributes:
        folders: Where the pictures are, or will be.
    """

    def __init__(self, name: str, target: Path, given: ImageFolders | None = None) -> None:
        self.name = name
        self.folders = given or ImageFolders({"": target.absolute() / IMAGES}, saved=True)
        try:
            self._library: Any = importlib.import_module("datasets")
        except ImportError as error:
            raise DataError(INSTALL) from error

    def splits(self) -> list[str]:
        """The dataset's own names of its splits.

        Raises:
            DataError: The hub does not give it.
        """
        try:
            return [str(name) for name in self._library.get_dataset_split_names(self.name)]
        except Exception as error:  # network, missing, gated, damaged: the library has many
            raise self._unreadable() from error

    def rows(self, split: str) -> Iterator[Row]:
        """The rows of a split, one at a time.

        Raises:
            DataError: The hub does not give them.
        """
        try:
            found = self._library.load_dataset(self.name, split=split, streaming=True)
            if "image" in (found.column_names or ()):  # bytes as they are, not decoded
                found = found.cast_column("image", self._library.Image(decode=False))
            for number, values in enumerate(found, 1):
                yield Row.of(values, f"Row {number} of {split} of {self.name}")
        except DataError:
            raise
        except Exception as error:
            raise self._unreadable() from error

    def save_picture(self, row: Row, name: str) -> None:
        """Save a row's picture, unless pictures are here already.

        Raises:
            DataError: The row has no picture.
            OSError: It cannot be written.
        """
        if not self.folders.saved:
            return
        picture = row.values.get("image")
        content = picture.get("bytes") if isinstance(picture, dict) else None
        if not isinstance(content, bytes) or not content:
            raise DataError(f"{row.where} has no picture; name a folder of pictures with --images.")
        path = self.folders.entries[""] / name
        if path.is_file() and path.stat().st_size == len(content):
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(path.name + ".part")
        try:
            part.write_bytes(content)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)

    def _unreadable(self) -> DataError:
        return DataError(
            f"The dataset {self.name} could not be read from the hub; "
            "check its name and the network."
        )


def hub_captions(
    source: HubDataset, statistics: BuildStatistics, progress: Progress
) -> Iterator[tuple[str, str, list[str]]]:
    """Name, split and captions of each picture, whose file has been saved.

    Raises:
        DataError: The hub gives no such dataset.
        OSError: A picture cannot be written.
    """
    for own in source.splits():
        for done, row in enumerate(source.rows(own), 1):
            split = _SPLITS.get(str(row.values.get("split") or own))
            key = next((key for key in _CAPTIONS if key in row.values), _CAPTIONS[0])
            captions = row.items(key)
            if split is None or not all(isinstance(caption, str) for caption in captions):
                raise DataError(f"{row.where} has no captions or no split that is known.")
            if not statistics.is_full(split):
                name = _file_name(row)
                source.save_picture(row, name)
                yield name, split, captions
            elif split == _SPLITS.get(own):
                break
            if done % _EVERY == 0:
                progress(f"Fetching {own}", done, 0)


def hub_questions(
    source: HubDataset, statistics: BuildStatistics, progress: Progress
) -> Iterator[tuple[Row, str]]:
    """Each row, and COCO's part that it is about; its picture has been saved.

    Raises:
        DataError: The hub gives no such dataset.
        OSError: A picture cannot be written.
    """
    for own in source.splits():
        split = _SPLITS.get(own, "")
        if split not in _COCO:
            continue
        for done, row in enumerate(source.rows(own), 1):
            if statistics.is_full(split):
                break
            source.save_picture(row, coco_name(_COCO[split], row.integer("image_id")))
            yield Row({**row.values, "answers": _answers(row)}, row.where), _COCO[split]
            if done % _EVERY == 0:
                progress(f"Fetching {own}", done, 0)


def _answers(row: Row) -> list[Any]:
    """A list of objects, which older versions of the library turn into an object of lists."""
    found = row.values.get("answers")
    if isinstance(found, dict) and all(isinstance(column, list) for column in found.values()):
        columns = zip(*found.values(), strict=False)
        return [dict(zip(found, values, strict=True)) for values in columns]
    return row.items("answers")


def _file_name(row: Row) -> str:
    named = "filename" in row.values
    return safe_name(row.string("filename") if named else row.string("img_id") + ".jpg", row.where)
