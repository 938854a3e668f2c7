"""Flickr8k (Hodosh et al. 2013) and Flickr30k (Young et al. 2014): five captions a picture.

Captions come as the official token files (`1000092795.jpg#0<tab>Two young guys …`), as the JSON
files with Karpathy and Fei-Fei's split (arXiv 1412.2306), or as Kaggle spreads them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data.datasets.builder import BuildOptions, BuildResult, BuildStatistics, DatasetBuilder
from data.datasets.hub import HubDataset, hub_captions
from data.datasets.kaggle import kaggle_separator, read_kaggle
from data.datasets.records import Row
from data.datasets.sources import (
    ImageFolders,
    load_json,
    looks_like_json,
    read_lines,
    rows_at,
    safe_name,
)
from data.errors import DataError

FILE = "captions.jsonl"
SPLITS = ("train", "val", "test")
CAPTIONS = 5
# Pictures of Karpathy's split, and of the token file where no split is given.
TOTALS: Mapping[str, Mapping[str, int]] = {
    "flickr30k": {"train": 29_000, "val": 1_014, "test": 1_000, "": 31_783},
    "flickr8k": {"train": 6_000, "val": 1_000, "test": 1_000, "": 8_091},
}
HUB = "umaru97/flickr30k_train_val_test"
_TOKEN = re.compile(r"(?P<name>[^\t]+)#(?P<number>\d+)\t(?P<caption>.*)")
_SPLIT_FILE = re.compile(r"train|val|dev|test", re.IGNORECASE)


@dataclass(frozen=True)
class CaptionedImage:
    """A picture's name, its split ("" if unknown) and its captions."""

    name: str
    split: str
    captions: list[str]


def build_flickr(
    name: str,
    options: BuildOptions,
    images: Path | None,
    captions: Path | None,
    *,
    splits: Sequence[Path] = (),
    hub: str = "",
) -> BuildResult:
    """Build Flickr8k or Flickr30k.

    Args:
        name: "flickr8k" or "flickr30k".
        options: Where it goes, and how.
        images: The folder of pictures.
        captions: A token file, Karpathy's JSON, or a file of Kaggle's.
        splits: Which pictures of a file without splits are in which one: Karpathy's JSON, or lists
            of names in files that are called after their splits.
        hub: A dataset on the hub to take instead, pictures included.

    Raises:
        DataError: Something is missing or wrong, or the disk is full.
    """
    if hub:
        source = HubDataset(hub, options.target)

        def fetched(statistics: BuildStatistics) -> Iterator[dict[str, Any]]:
            found = hub_captions(source, statistics, options.progress)
            return _rows((CaptionedImage(*row) for row in found), True, name, statistics)

        return DatasetBuilder(
            name, FILE, "pictures", (), source.folders, fetched, origin=hub
        ).build(options)
    if images is None or captions is None:
        raise DataError("Both a folder of pictures and a file of captions are needed.")

    def rows(statistics: BuildStatistics) -> Iterator[dict[str, Any]]:
        options.progress("Reading the captions", 0, 0)
        found, is_split = _read(captions, splits, statistics)
        for done, row in enumerate(_rows(found, is_split, name, statistics), 1):
            yield row
            if done % 256 == 0:
                options.progress("Looking for the pictures", done, len(found))

    folders = ImageFolders.of([images])
    return DatasetBuilder(name, FILE, "pictures", (captions, *splits), folders, rows).build(options)


def _read(
    captions: Path, splits: Sequence[Path], statistics: BuildStatistics
) -> tuple[list[CaptionedImage], bool]:
    """All pictures of the sources, and whether they have splits."""
    if looks_like_json(captions):
        if splits:
            raise DataError(f"{captions} has its own split; leave --split out.")
        return list(_read_karpathy(captions)), True
    known = {name: split for path in splits for name, split in _read_split(path)}
    if kaggle_separator(captions):
        texts = dict(read_kaggle(captions, statistics))
    else:
        texts = _read_tokens(captions, statistics)
    found = [
        CaptionedImage(name, known.get(name) or known.get(Path(name).stem, ""), told)
        for name, told in texts.items()
    ]
    return found, bool(splits)


def _rows(
    found: Iterable[CaptionedImage], is_split: bool, name: str, statistics: BuildStatistics
) -> Iterator[dict[str, Any]]:
    """Rows as they are written, once for each picture; without any split, all are for training."""
    totals = TOTALS[name]
    statistics.expect({s: totals[s] for s in SPLITS} if is_split else {"train": totals[""]})
    seen = set()
    for picture in found:
        if picture.name in seen:
            statistics.add_problem("Pictures that appear twice", picture.name)
        elif picture.split or not is_split:  # a token file has pictures that are in no split
            seen.add(picture.name)
            captions = [text for text in map(str.strip, picture.captions) if text]
            if len(captions) != CAPTIONS:
                statistics.add_problem(
                    f"Pictures with other than {CAPTIONS} captions", picture.name
                )
            if captions:
                split = picture.split or "train"
                yield {"image": picture.name, "split": split, "captions": captions}


def _read_karpathy(path: Path) -> Iterator[CaptionedImage]:
    for row in rows_at(load_json(path), "images", "Picture"):
        name = safe_name(row.string("filename"), row.where)
        split = row.string("split")
        if split not in SPLITS:
            raise DataError(f"{row.where} is of the split {split[:20]!r}, not train, val or test.")
        sentences = [Row.of(item, row.where) for item in row.items("sentences")]
        yield CaptionedImage(name, split, [sentence.string("raw") for sentence in sentences])


def _read_tokens(path: Path, statistics: BuildStatistics) -> dict[str, list[str]]:
    """The captions of each picture, by its name."""
    captions: dict[str, dict[str, str]] = {}
    for where, line in read_lines(path):
        match = _TOKEN.fullmatch(line)
        if match is None:
            raise DataError(f"{where} is not a file name, #, a number, a tab and a caption.")
        of_picture = captions.setdefault(safe_name(match["name"], where), {})
        if match["number"] in of_picture:
            statistics.add_problem(
                "Captions that appear twice", f"{match['name']}#{match['number']}"
            )
            continue
        of_picture[match["number"]] = match["caption"]
    return {name: list(texts.values()) for name, texts in captions.items()}


def _read_split(path: Path) -> Iterator[tuple[str, str]]:
    """Names with their splits; lists of Flickr30k Entities leave the ".jpg" out."""
    if looks_like_json(path):
        for picture in _read_karpathy(path):
            yield picture.name, picture.split
        return
    said = {word.lower().replace("dev", "val") for word in _SPLIT_FILE.findall(path.stem)}
    if len(said) != 1:
        raise DataError(f"The name of {path} should say one of train, val, dev and test.")
    (split,) = said
    for _, line in read_lines(path):
        yield line.strip(), split
