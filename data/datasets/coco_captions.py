"""COCO's captions (Chen et al. 2015, arXiv 1504.00325): five a picture or more, of 2014 or 2017."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from data.datasets.builder import BuildOptions, BuildResult, BuildStatistics, DatasetBuilder
from data.datasets.official import coco_captions
from data.datasets.sources import ImageFolders, load_json
from data.errors import DataError

FILE = "captions.jsonl"
_PART = re.compile(r"(train|val|test)\d{4}")


def build_coco_captions(
    options: BuildOptions, files: Sequence[Path], images: Sequence[Path]
) -> BuildResult:
    """Build a dataset of COCO's captions.

    Args:
        options: Where it goes, and how.
        files: `captions_train2014.json`, `captions_val2017.json` and the like.
        images: `train2014`, `val2017` and the like, or the folder that these are in.

    Raises:
        DataError: Something is missing or wrong, or the disk is full.
    """

    def rows(statistics: BuildStatistics) -> Iterator[dict[str, Any]]:
        for path in files:
            options.progress("Reading the captions", 0, 0)
            part = _PART.search(path.stem)
            if part is None:
                raise DataError(
                    f"The name of {path} should say its part, as captions_val2014 does."
                )
            for name, image_id, captions in coco_captions(load_json(path)):
                told = [text for text in map(str.strip, captions) if text]
                if told:
                    yield {
                        "image": name, "split": part[1], "captions": told, "image_id": image_id,
                        "coco_split": part[0],
                    }  # fmt: skip
                else:
                    statistics.add_problem("Pictures without a caption", name)

    folders = ImageFolders.of(images)
    return DatasetBuilder(
        "coco-captions", FILE, "pictures", tuple(files), folders, rows, "", "coco_split"
    ).build(options)
