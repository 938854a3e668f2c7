"""Flickr8k (Hodosh et al. 2013) and Flickr30k (Young et al. 2014): five captions a picture.

Captions come as the official token files (`1000092795.jpg#0<tab>Two young guys …`) or as the JSON
files with Karpathy and Fei-Fei's split (arXiv 1412.2306).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data.datasets.builder import Job, Prepared, Wish
from data.datasets.hub import HubSet, hub_captions
from data.datasets.records import DataError
from data.datasets.sources import (
    list_at,
    load_json,
    looks_like_json,
    read_lines,
    safe_name,
    table_of,
    text_at,
)
from data.prepare.pictures import Folders
from data.prepare.tally import Tally

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
class Captioned:
    """A picture's name, its split ("" if unknown) and its captions."""

    name: str
    split: str
    captions: list[str]


def prepare_flickr(
    name: str,
    wish: Wish,
    images: Path | None,
    captions: Path | None,
    *,
    splits: Sequence[Path] = (),
    hub: str = "",
) -> Prepared:
    """Prepare Flickr8k or Flickr30k.

    Args:
        name: "flickr8k" or "flickr30k".
        wish: Where it goes, and how.
        images: The folder of pictures.
        captions: A token file, or Karpathy's JSON.
        splits: Which pictures of a token file are in which split: Karpathy's JSON, or lists of
            names in files that are called after their splits.
        hub: A dataset on the hub to take instead, pictures included.

    Raises:
        DataError: Something is missing or wrong, or the disk is full.
    """
    if hub:
        source = HubSet(hub, wish.target)
        job = Job(
            name, FILE, "pictures", (), source.folders,
            lambda tally: _rows(_fetched(source, tally, wish), True, name, tally),
            hub,
        )  # fmt: skip
        return job.prepare(wish)
    if images is None or captions is None:
        raise DataError("Both a folder of pictures and a file of captions are needed.")

    def rows(tally: Tally) -> Iterator[dict[str, Any]]:
        wish.report("Reading the captions", 0, 0)
        found, is_split = _read(captions, splits, tally)
        for done, row in enumerate(_rows(found, is_split, name, tally), 1):
            yield row
            if done % 256 == 0:
                wish.report("Looking for the pictures", done, len(found))

    folders = Folders.of([images])
    return Job(name, FILE, "pictures", (captions, *splits), folders, rows).prepare(wish)


def _fetched(source: HubSet, tally: Tally, wish: Wish) -> Iterator[Captioned]:
    for name, split, captions in hub_captions(source, tally, wish.report):
        yield Captioned(name, split, captions)


def _read(captions: Path, splits: Sequence[Path], tally: Tally) -> tuple[list[Captioned], bool]:
    """All pictures of the sources, and whether they have splits."""
    if looks_like_json(captions):
        if splits:
            raise DataError(f"{captions} has its own split; leave --split out.")
        return list(_read_karpathy(captions)), True
    known = {name: split for path in splits for name, split in _read_split(path)}
    found = list(_read_tokens(captions, known, tally))
    return found, bool(splits)


def _rows(
    found: Iterable[Captioned], is_split: bool, name: str, tally: Tally
) -> Iterator[dict[str, Any]]:
    """Rows as they are written, once for each picture; without any split, all are for training."""
    totals = TOTALS[name]
    tally.expect({s: totals[s] for s in SPLITS} if is_split else {"train": totals[""]})
    seen = set()
    for picture in found:
        if picture.name in seen:
            tally.note("Pictures that appear twice", picture.name)
        elif picture.split or not is_split:  # a token file has pictures that are in no split
            seen.add(picture.name)
            captions = [text for text in map(str.strip, picture.captions) if text]
            if len(captions) != CAPTIONS:
                tally.note(f"Pictures with other than {CAPTIONS} captions", picture.name)
            if captions:
                split = picture.split or "train"
                yield {"image": picture.name, "split": split, "captions": captions}


def _read_karpathy(path: Path) -> Iterator[Captioned]:
    for number, entry in enumerate(list_at(load_json(path), "images", str(path)), 1):
        where = f"Picture {number} of {path}"
        table = table_of(entry, where)
        name = safe_name(text_at(table, "filename", where), where)
        split = text_at(table, "split", where)
        if split not in SPLITS:
            raise DataError(f"{where} is of the split {split[:20]!r}, not train, val or test.")
        sentences = [table_of(item, where) for item in list_at(table, "sentences", where)]
        yield Captioned(name, split, [text_at(item, "raw", where) for item in sentences])


def _read_tokens(path: Path, splits: Mapping[str, str], tally: Tally) -> Iterator[Captioned]:
    captions: dict[str, dict[str, str]] = {}
    for where, line in read_lines(path):
        match = _TOKEN.fullmatch(line)
        if match is None:
            raise DataError(f"{where} is not a file name, #, a number, a tab and a caption.")
        of_picture = captions.setdefault(safe_name(match["name"], where), {})
        if match["number"] in of_picture:
            tally.note("Captions that appear twice", f"{match['name']}#{match['number']}")
            continue
        of_picture[match["number"]] = match["caption"]
    for name, texts in captions.items():
        split = splits.get(name) or splits.get(Path(name).stem, "")
        yield Captioned(name, split, list(texts.values()))


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
