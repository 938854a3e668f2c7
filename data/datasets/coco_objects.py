"""COCO's boxes of objects (Lin et al. 2014, arXiv 1405.0312), beside pictures of a built dataset.

A box that people drew is as sure as can be: its score is 1, and so is that of each class that is in
the picture. Of a crowd, COCO gives one box around all of it: it is left out, and nobody counts the
class, but it is there.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from data.datasets.builder import (
    MISSING,
    BuildOptions,
    BuildResult,
    BuildStatistics,
    unchanged_result,
    write_dataset,
)
from data.datasets.manifest import (
    OBJECTS_MANIFEST,
    Manifest,
    disk_errors_as_sentences,
    lock_folder,
)
from data.datasets.objects import COCO_CLASSES, DETECTIONS_FILE, LABELS_FILE
from data.datasets.records import Row, parse_rows
from data.datasets.sources import (
    IMAGES,
    ImageFolders,
    fingerprints,
    load_json,
    rows_at,
    safe_name,
)
from data.datasets.vqa import FILE as QUESTIONS_FILE
from data.errors import DataError

NAME = "coco-objects"
_CLASS_INDEX = {name: index for index, name in enumerate(COCO_CLASSES)}
_PART = re.compile(r"(train|val|test)\d{4}")
_KEPT = {
    "bbox": ("image_id", "category_id", "bbox", "iscrowd"),
    "file_name": ("id", "file_name", "width", "height"),
}
_DIGITS = 5  # of an edge, in shares of the picture: a hundredth of a pixel


def build_coco_objects(options: BuildOptions, instances: Sequence[Path]) -> BuildResult:
    """Write the objects of the pictures in a folder that holds another dataset.

    `detections.jsonl` gets boxes and scores, `objects.jsonl` all classes that are there and their
    numbers. A picture's split is the one in `vqa.jsonl`, or else that of its part of COCO.

    Args:
        options: The folder, and how.
        instances: `instances_train2014.json` and the like.

    Raises:
        DataError: A file is missing or damaged, there are no pictures, something else is in the
            way, or the disk is full. What was there before stays.
    """
    target, files = options.target, (DETECTIONS_FILE, LABELS_FILE)
    if not (target / IMAGES).is_dir():
        raise DataError(f"There are no pictures in {target / IMAGES}; prepare the dataset first.")
    asked = [path for path in (target / QUESTIONS_FILE,) if path.is_file()]
    plan = {
        "name": NAME,
        "sources": fingerprints([*instances, *asked], options.progress),
        "images": str((target / IMAGES).resolve()),
        "limit": options.limit,
    }
    with disk_errors_as_sentences(target), lock_folder(target):
        manifest = Manifest.read(target, NAME, OBJECTS_MANIFEST)
        if manifest.is_current(plan, *files) and (result := unchanged_result(manifest, files[0])):
            return result
        for file in files:
            manifest.check_free(file, instances)
        statistics = BuildStatistics("pictures", options.limit)
        rows = _rows(options, instances, statistics)
        return write_dataset(options, manifest, rows, plan=plan, statistics=statistics, files=files)


def _rows(
    options: BuildOptions, instances: Sequence[Path], statistics: BuildStatistics
) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Rows of both files, of each picture that is there."""
    folders, splits = _folders(options.target), _splits(options)
    seen: set[str] = set()
    for path in instances:
        options.progress(f"Reading {path.name}", 0, 0)
        document = load_json(path, _slim)
        total, classes = len(document.items("images")), _classes(document)
        annotations = _annotations_by_picture(document)
        for number, picture in enumerate(rows_at(document, "images", "Picture"), 1):
            if number % 1024 == 0:
                options.progress(f"Looking for the pictures of {path.name}", number, total)
            name = safe_name(picture.string("file_name"), picture.where)
            size = _size(picture)
            mine = annotations.pop(picture.integer("id"), [])
            part = _PART.search(name) or _PART.search(path.stem)
            image = folders.find(name, part[0] if part else "")
            split = splits.get(image or "") or (part[1] if part else "train")
            if name in seen:
                statistics.add_problem("Pictures that appear twice", name)
            elif image is None:
                statistics.add_problem(MISSING, name)
            elif not statistics.is_full(split):
                statistics.add_row(split, image)
                objects = [Row(values, f"Annotation {n} of {path}") for n, values in mine]
                yield _output({"image": image, "split": split}, size, objects, classes, statistics)
            seen.add(name)
        for image_id in annotations:
            statistics.add_problem(f"Annotations without a picture in {path.name}", image_id)


def _size(picture: Row) -> tuple[int, int]:
    """Width and height in pixels."""
    size = picture.integer("width"), picture.integer("height")
    if not all(size):
        raise DataError(f"{picture.where} should be at least one pixel wide and high.")
    return size


def _output(
    row: dict[str, Any],
    size: tuple[int, int],
    annotations: Sequence[Row],
    classes: Mapping[int, str],
    statistics: BuildStatistics,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What is in a picture, as rows of both files."""
    boxes: list[list[Any]] = []
    counts: Counter[str] = Counter()
    crowds: set[str] = set()
    for annotation in annotations:
        name = classes.get(annotation.integer("category_id"))
        if name is None:
            raise DataError(f"{annotation.where} is of a category that the file does not name.")
        edges, is_empty = _edges(annotation, size)
        is_crowd = annotation.values.get("iscrowd", 0)
        if is_crowd not in (0, 1):
            raise DataError(f"{annotation.where} should hold 0 or 1 under 'iscrowd'.")
        if is_crowd:
            crowds.add(name)
            continue
        counts[name] += 1
        if edges[0] < edges[2] and edges[1] < edges[3]:
            boxes.append([name, 1.0, *edges])
        elif not is_empty:  # the official files themselves have boxes without height
            statistics.add_problem("Boxes outside of their pictures", row["image"])
    present = sorted(counts.keys() | crowds, key=_CLASS_INDEX.__getitem__)
    counted = {name: counts[name] for name in present if name not in crowds}
    return (
        {**row, "boxes": boxes, "scores": dict.fromkeys(present, 1.0)},
        {**row, "objects": present, "counts": counted},
    )


def _edges(annotation: Row, size: tuple[int, int]) -> tuple[list[float], bool]:
    """Left, top, right, bottom in shares of the picture, 0..1; whether the box has no area."""
    box = annotation.values.get("bbox")
    if not isinstance(box, list) or len(box) != 4 or not all(map(_is_length, box)):
        raise DataError(
            f"{annotation.where} should hold [x, y, width, height] in pixels under 'bbox'."
        )
    x, y, width, height = box
    if width < 0 or height < 0:
        raise DataError(f"{annotation.where} holds a box of a negative size.")
    pixels = zip((x, y, x + width, y + height), (*size, *size), strict=True)
    edges = [round(min(max(edge / side, 0.0), 1.0), _DIGITS) for edge, side in pixels]
    return edges, not (width and height)


def _is_length(value: Any) -> bool:
    """Whether this is a number of pixels; neither infinity nor NaN is less than anything here."""
    return type(value) in (int, float) and abs(value) < 1e6


def _folders(target: Path) -> ImageFolders:
    """The pictures' folder and those in it, as `glimpse data vqav2` links them."""
    images = target / IMAGES
    inside = {path.name: path for path in sorted(images.iterdir()) if path.is_dir()}
    return ImageFolders({"": images, **inside})


def _splits(options: BuildOptions) -> dict[str, str]:
    """The split of each picture that questions are about, by its name."""
    path = options.target / QUESTIONS_FILE
    if not path.is_file():
        return {}
    options.progress(f"Reading {path.name}", 0, 0)
    return {row.text("image"): row.text("split") for row in parse_rows(path) if "split" in row}


def _classes(document: Row) -> dict[int, str]:
    """The file's own numbers of COCO's classes."""
    classes = {}
    for category in rows_at(document, "categories", "Category"):
        name = category.string("name")
        if name not in _CLASS_INDEX:
            raise DataError(
                f"{category.where} is {name[:40]!r}, which is none of COCO's 80 classes."
            )
        classes[category.integer("id")] = name
    return classes


def _annotations_by_picture(document: Row) -> dict[int, list[tuple[int, dict[str, Any]]]]:
    """Annotations of each picture, by its id; each after its own place in the file."""
    found: dict[int, list[tuple[int, dict[str, Any]]]] = {}
    for number, row in enumerate(rows_at(document, "annotations", "Annotation"), 1):
        found.setdefault(row.integer("image_id"), []).append((number, row.values))
    return found


def _slim(table: dict[str, Any]) -> Any:
    """A picture or an annotation without what is not needed: outlines are most of the file."""
    for key, kept in _KEPT.items():
        if key in table:
            return {name: table[name] for name in kept if name in table}
    return None if "counts" in table else table  # the outline of a crowd
