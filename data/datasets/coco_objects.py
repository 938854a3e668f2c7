"""COCO's boxes of objects (Lin et al. 2014, arXiv 1405.0312), beside pictures of a prepared folder.

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

from data.datasets.builder import MISSING, Prepared, Wish, all_there, judged, outcome
from data.datasets.objects import BOXES, COCO_CLASSES, PEOPLE
from data.datasets.records import DataError, rows_of
from data.datasets.sources import list_at, load_json, number_at, safe_name, table_of, text_at
from data.datasets.vqa import FILE as QUESTIONS
from data.prepare.pictures import IMAGES, Folders
from data.prepare.tally import Tally
from data.prepare.writing import (
    OBJECTS_MANIFEST,
    Manifest,
    fingerprints,
    locked,
    sentences_for_disk,
    writing,
)

NAME = "coco-objects"
_PLACES = {name: place for place, name in enumerate(COCO_CLASSES)}
_PART = re.compile(r"(train|val|test)\d{4}")
_KEPT = {
    "bbox": ("image_id", "category_id", "bbox", "iscrowd"),
    "file_name": ("id", "file_name", "width", "height"),
}
_DIGITS = 5  # of an edge, in shares of the picture: a hundredth of a pixel

Annotation = tuple[str, dict[str, Any]]  # after "Annotation 3 of PATH"


def prepare_objects(wish: Wish, instances: Sequence[Path]) -> Prepared:
    """Write the objects of the pictures in a folder that another preparation has filled.

    `detections.jsonl` gets boxes and scores, `objects.jsonl` all classes that are there and their
    numbers. A picture's split is the one in `vqa.jsonl`, or else that of its part of COCO.

    Args:
        wish: The folder, and how.
        instances: `instances_train2014.json` and the like.

    Raises:
        DataError: A file is missing or damaged, there are no pictures, something else is in the
            way, or the disk is full. What was there before stays.
    """
    target = wish.target
    if not (target / IMAGES).is_dir():
        raise DataError(f"There are no pictures in {target / IMAGES}; prepare the dataset first.")
    asked = [path for path in (target / QUESTIONS,) if path.is_file()]
    plan = {
        "name": NAME,
        "sources": fingerprints([*instances, *asked], wish.report),
        "images": str((target / IMAGES).resolve()),
        "limit": wish.limit,
    }
    with sentences_for_disk(target), locked(target):
        manifest = Manifest.of(target, NAME, OBJECTS_MANIFEST)
        if manifest.still_true(plan, BOXES, PEOPLE):
            counts, warnings = manifest.values["counts"], tuple(manifest.values["warnings"])
            if all_there(target, BOXES):
                return Prepared(target, counts, warnings, True)
        for file in (BOXES, PEOPLE):
            manifest.check_free(file, instances)
        return _write(wish, plan, manifest, instances)


def _write(
    wish: Wish, plan: dict[str, Any], manifest: Manifest, instances: Sequence[Path]
) -> Prepared:
    target, tally = wish.target, Tally("pictures", wish.limit)
    manifest.begin(plan)
    try:
        with writing(target / BOXES) as boxes, writing(target / PEOPLE) as people:
            for boxed, named in _rows(wish, instances, tally):
                boxes.write(boxed)
                people.write(named)
            warnings = judged(tally, wish)
            manifest.stage(outcome(plan, tally, warnings, (boxes, people)))
    except BaseException:
        manifest.abandon()
        raise
    manifest.open_up()  # from here to `finish`, the objects are not whole
    boxes.publish()
    people.publish()
    manifest.finish()
    return Prepared(target, tally.counts(), tuple(warnings))


def _rows(
    wish: Wish, instances: Sequence[Path], tally: Tally
) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Rows of both files, of each picture that is there."""
    folders, splits = _folders(wish.target), _splits(wish)
    seen: set[str] = set()
    for path in instances:
        wish.report(f"Reading {path.name}", 0, 0)
        document = load_json(path, _slim)
        entries, classes = list_at(document, "images", str(path)), _classes(document, path)
        annotations = _by_picture(document, path)
        for number, entry in enumerate(entries, 1):
            if number % 1024 == 0:
                wish.report(f"Looking for the pictures of {path.name}", number, len(entries))
            where = f"Picture {number} of {path}"
            table = table_of(entry, where)
            name = safe_name(text_at(table, "file_name", where), where)
            size = _size(table, where)
            mine = annotations.pop(number_at(table, "id", where), [])
            found = [(f"Annotation {place} of {path}", it) for place, it in mine]
            part = _PART.search(name) or _PART.search(path.stem)
            image = folders.find(name, part[0] if part else "")
            split = splits.get(image or "") or (part[1] if part else "train")
            if name in seen:
                tally.note("Pictures that appear twice", name)
            elif image is None:
                tally.note(MISSING, name)
            elif not tally.full(split):
                tally.take(split, image)
                row = {"image": image, "split": split}
                yield _objects(row, size, found, classes, tally)
            seen.add(name)
        for image_id in annotations:
            tally.note(f"Annotations without a picture in {path.name}", image_id)


def _size(picture: dict[str, Any], where: str) -> tuple[int, int]:
    """Width and height in pixels."""
    size = number_at(picture, "width", where), number_at(picture, "height", where)
    if not all(size):
        raise DataError(f"{where} should be at least one pixel wide and high.")
    return size


def _objects(
    row: dict[str, Any],
    size: tuple[int, int],
    annotations: Sequence[Annotation],
    classes: Mapping[int, str],
    tally: Tally,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What is in a picture, as rows of both files."""
    boxes: list[list[Any]] = []
    counts: Counter[str] = Counter()
    crowds: set[str] = set()
    for place, table in annotations:
        name = classes.get(number_at(table, "category_id", place))
        if name is None:
            raise DataError(f"{place} is of a category that the file does not name.")
        edges, is_empty = _edges(table, size, place)
        if table.get("iscrowd", 0) not in (0, 1):
            raise DataError(f"{place} should hold 0 or 1 under 'iscrowd'.")
        if table.get("iscrowd"):
            crowds.add(name)
            continue
        counts[name] += 1
        if edges[0] < edges[2] and edges[1] < edges[3]:
            boxes.append([name, 1.0, *edges])
        elif not is_empty:  # the official files themselves have boxes without height
            tally.note("Boxes outside of their pictures", row["image"])
    there = sorted(counts.keys() | crowds, key=_PLACES.__getitem__)
    counted = {name: counts[name] for name in there if name not in crowds}
    return (
        {**row, "boxes": boxes, "scores": dict.fromkeys(there, 1.0)},
        {**row, "objects": there, "counts": counted},
    )


def _edges(table: dict[str, Any], size: tuple[int, int], where: str) -> tuple[list[float], bool]:
    """Left, top, right, bottom in shares of the picture, 0..1; whether the box has no area."""
    box = table.get("bbox")
    if not isinstance(box, list) or len(box) != 4 or not all(map(_is_length, box)):
        raise DataError(f"{where} should hold [x, y, width, height] in pixels under 'bbox'.")
    x, y, width, height = box
    if width < 0 or height < 0:
        raise DataError(f"{where} holds a box of a negative size.")
    pixels = zip((x, y, x + width, y + height), (*size, *size), strict=True)
    edges = [round(min(max(edge / side, 0.0), 1.0), _DIGITS) for edge, side in pixels]
    return edges, not (width and height)


def _is_length(value: Any) -> bool:
    """Whether this is a number of pixels; neither infinity nor NaN is less than anything here."""
    return type(value) in (int, float) and abs(value) < 1e6


def _folders(target: Path) -> Folders:
    """The pictures' folder and those in it, as `glimpse data vqav2` links them."""
    images = target / IMAGES
    inside = {path.name: path for path in sorted(images.iterdir()) if path.is_dir()}
    return Folders({"": images, **inside})


def _splits(wish: Wish) -> dict[str, str]:
    """The split of each picture that questions are about, by its name."""
    path = wish.target / QUESTIONS
    if not path.is_file():
        return {}
    wish.report(f"Reading {path.name}", 0, 0)
    return {row.text("image"): row.text("split") for row in rows_of(path) if "split" in row}


def _classes(document: dict[str, Any], path: Path) -> dict[int, str]:
    """The file's own numbers of COCO's classes."""
    classes = {}
    for number, entry in enumerate(list_at(document, "categories", str(path)), 1):
        where = f"Category {number} of {path}"
        table = table_of(entry, where)
        name = text_at(table, "name", where)
        if name not in _PLACES:
            raise DataError(f"{where} is {name[:40]!r}, which is none of COCO's 80 classes.")
        classes[number_at(table, "id", where)] = name
    return classes


def _by_picture(document: dict[str, Any], path: Path) -> dict[int, list[tuple[int, Any]]]:
    """Annotations of each picture, by its id; each after its own place in the file."""
    found: dict[int, list[tuple[int, Any]]] = {}
    for number, entry in enumerate(list_at(document, "annotations", str(path)), 1):
        where = f"Annotation {number} of {path}"
        table = table_of(entry, where)
        found.setdefault(number_at(table, "image_id", where), []).append((number, table))
    return found


def _slim(table: dict[str, Any]) -> Any:
    """A picture or an annotation without what is not needed: outlines are most of the file."""
    for key, kept in _KEPT.items():
        if key in table:
            return {name: table[name] for name in kept if name in table}
    return None if "counts" in table else table  # the outline of a crowd
