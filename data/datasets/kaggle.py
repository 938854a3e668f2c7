"""Captions as Kaggle spreads Flickr8k (`captions.txt`) and Flickr30k (`results.csv`).

`image,caption` with commas and quotes, or `image_name| comment_number| comment`; both with a head.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path

from data.datasets.builder import BuildStatistics
from data.datasets.sources import read_lines, safe_name
from data.errors import DataError

_HEADS = {"image,caption": ",", "image_name|comment_number|comment": "|"}
# A known line of results.csv lacks its second bar: "2199200615.jpg| 4   A dog runs …".
_BARS = re.compile(r"(?P<name>[^|]+)\|\s*(?P<number>\d+)\s*(?:\||\s)\s*(?P<caption>.*)")


def kaggle_separator(path: Path) -> str:
    """What separates the columns of a file of Kaggle's; "" if it is none.

    Raises:
        DataError: It cannot be read.
    """
    head = next((line for _, line in read_lines(path)), "")
    return _HEADS.get(head.replace(" ", "").lower(), "")


def read_kaggle(path: Path, statistics: BuildStatistics) -> Iterator[tuple[str, list[str]]]:
    """Name and captions of each picture, in the file's order.

    Args:
        path: The file.
        statistics: Is told of lines without a caption.

    Raises:
        DataError: A line is not what it should be.
    """
    separator, captions = kaggle_separator(path), dict[str, list[str]]()
    lines = read_lines(path)
    next(lines)
    for where, line in lines:
        name, caption = _cut(line, separator, where)
        of_picture = captions.setdefault(safe_name(name, where), [])
        if caption:
            of_picture.append(caption)
        else:
            statistics.add_problem("Lines without a caption", where)
    yield from captions.items()


def _cut(line: str, separator: str, where: str) -> tuple[str, str]:
    """The picture's name and the caption of a line."""
    if separator == "|":
        if match := _BARS.fullmatch(line):
            return match["name"].strip(), match["caption"].strip()
        raise DataError(f"{where} is not a file name, a number and a caption with bars between.")
    cells = next(csv.reader([line]))
    if len(cells) < 2:
        raise DataError(f"{where} is not a file name, a comma and a caption.")
    return cells[0].strip(), ",".join(cells[1:]).strip()
