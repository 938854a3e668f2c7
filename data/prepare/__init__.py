"""Datasets as people have them on disk, or on the hub, made into what training reads.

Each `prepare_…` fills a folder: JSON lines as data/records.py reads them, `images` (links to the
folders that were given), and `dataset.json`, written last, with counts and where all came from.
"""

from data.prepare.coco_objects import prepare_objects
from data.prepare.flickr import prepare_flickr
from data.prepare.job import Prepared, Wish
from data.prepare.rows import prepare_rows
from data.prepare.shapes import prepare_shapes
from data.prepare.vqa import prepare_vqa

__all__ = [
    "Prepared",
    "Wish",
    "prepare_flickr",
    "prepare_objects",
    "prepare_rows",
    "prepare_shapes",
    "prepare_vqa",
]
