"""Datasets of the hub, through the `datasets` library where somebody has installed it.

Rows are streamed, so that only the wanted splits are fetched and nothing is kept twice. Pictures
are saved as they come, and a next try keeps what an interrupted one has saved.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data.datasets.records import DataError
from data.datasets.sources import list_at, number_at, safe_name, table_of, text_at
from data.prepare.pictures import IMAGES, Folders, coco_name
from data.prepare.tally import Tally
from data.prepare.writing import Report

INSTALL = "Reading from the hub takes the datasets library: pip install datasets."
_SPLITS = {"train": "train", "validation": "val", "val": "val", "test": "test"}
_CAPTIONS = ("caption", "captions", "alt_text")
_COCO = {"train": "train2014", "val": "val2014"}  # nobody knows the answers of the others
_EVERY = 64  # rows between reports


class HubSet:
    """A dataset on the hub.

    Args:
        name: "owner/dataset".
        target: The folder that is filled.
        given: Folders of pictures that are here already; None to save those of the hub.

    Attributes:
        folders: Where the pictures are, or will be.
    """

    def __init__(self, name: str, target: Path, given: Folders | None = None) -> None:
        self.name = name
        self.folders = given or Folders({"": target.absolute() / IMAGES}, saved=True)
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
            raise self._refused() from error

    def rows(self, split: str) -> Iterator[HubRow]:
        """The rows of a split, one at a time.

        Raises:
            DataError: The hub does not give them.
        """
        try:
            found = self._library.load_dataset(self.name, split=split, streaming=True)
            if "image" in (found.column_names or ()):  # bytes as they are, not decoded
                found = found.cast_column("image", self._library.Image(decode=False))
            rows = iter(found)
        except Exception as error:
            raise self._refused() from error
        number = 0
        while True:
            try:
                values = next(rows, None)
            except Exception as error:
                raise self._refused() from error
            if values is None:
                return
            number += 1
            where = f"Row {number} of {split} of {self.name}"
            yield HubRow(table_of(values, where), where)

    def keep(self, row: HubRow, name: str) -> None:
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

    def _refused(self) -> DataError:
        return DataError(
            f"The dataset {self.name} could not be read from the hub; "
            "check its name and the network."
        )


@dataclass(frozen=True)
class HubRow:
    """A row, and where it stands for sentences."""

    values: dict[str, Any]
    where: str


def hub_captions(
    source: HubSet, tally: Tally, report: Report
) -> Iterator[tuple[str, str, list[str]]]:
    """Name, split and captions of each picture, whose file has been kept.

    Raises:
        DataError: The hub gives no such dataset.
        OSError: A picture cannot be written.
    """
    for own in source.splits():
        for done, row in enumerate(source.rows(own), 1):
            split = _SPLITS.get(str(row.values.get("split") or own))
            key = next((key for key in _CAPTIONS if key in row.values), _CAPTIONS[0])
            captions = list_at(row.values, key, row.where)
            if split is None or not all(isinstance(caption, str) for caption in captions):
                raise DataError(f"{row.where} has no captions or no split that is known.")
            if not tally.full(split):
                name = _file_name(row)
                source.keep(row, name)
                yield name, split, captions
            elif split == _SPLITS.get(own):
                break
            if done % _EVERY == 0:
                report(f"Fetching {own}", done, 0)


def hub_questions(
    source: HubSet, tally: Tally, report: Report
) -> Iterator[tuple[dict[str, Any], str, str]]:
    """Each row, COCO's part that it is about, and where it stands; its picture has been kept.

    Raises:
        DataError: The hub gives no such dataset.
        OSError: A picture cannot be written.
    """
    for own in source.splits():
        split = _SPLITS.get(own, "")
        if split not in _COCO:
            continue
        for done, row in enumerate(source.rows(own), 1):
            if tally.full(split):
                break
            image_id = number_at(row.values, "image_id", row.where)
            source.keep(row, coco_name(_COCO[split], image_id))
            yield {**row.values, "answers": _answers(row)}, _COCO[split], row.where
            if done % _EVERY == 0:
                report(f"Fetching {own}", done, 0)


def _answers(row: HubRow) -> list[Any]:
    """A list of objects, which older versions of the library turn into an object of lists."""
    found = row.values.get("answers")
    if isinstance(found, dict) and all(isinstance(column, list) for column in found.values()):
        columns = zip(*found.values(), strict=False)
        return [dict(zip(found, values, strict=True)) for values in columns]
    return list_at(row.values, "answers", row.where)


def _file_name(row: HubRow) -> str:
    if "filename" in row.values:
        name = text_at(row.values, "filename", row.where)
    else:
        name = text_at(row.values, "img_id", row.where) + ".jpg"
    return safe_name(name, row.where)
