"""Witnesses of the objects in photos: the object head, a detector, and people; for the oracle.

What each tells takes the form of what the head tells (`ObjectFacts`), so that the same model can be
told by any of them. People and detector know COCO's 80 classes; what else the head knows (sky,
grass) is the head's word in any case.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from data.objects import COCO_CLASSES, SeenObjects, read_folder
from data.records import DataError, read_rows
from finetune.calibrate import fit
from finetune.measure import coco_captions
from finetune.objects import LIFT
from model.objects import COUNTED, ObjectFacts

UNSEEN = 0.02  # a detector's score of a class that it tells nothing of
PRESENT = 0.97  # probability of what people say is there
ABSENT = 1e-3  # what remains of the head's probability of all else
FOLDER = "coco"
NOTHING = "no objects"
WITNESSES = ("head", "detector", "people", NOTHING)


@dataclass(frozen=True)
class Photo:
    """A photo whose objects people listed.

    Attributes:
        image: Where it lies.
        seen: What the detector and people see in it.
        captions: People's; some photos have none.
    """

    image: Path
    seen: SeenObjects
    captions: tuple[str, ...]

    @property
    def present(self) -> frozenset[str]:
        """All of COCO's classes that are in it."""
        return self.seen.present or frozenset()


def read_photos(root: Path) -> list[Photo]:
    """COCO's validation photos whose objects people listed.

    Raises:
        DataError: A file is missing or damaged, or there is no such photo.
    """
    folder = root / FOLDER
    seen = read_folder(folder)
    captions = {asked.image.name: asked.golds for asked in coco_captions(root)}
    names = [row["image"] for row in read_rows(folder / "objects.jsonl", {"split": "val"})]
    photos = [
        Photo(folder / "images" / name, seen[name], captions[name])
        for name in names
        if name in seen
    ]
    if not photos:
        raise DataError(f"No validation photo in {folder} has both detections and people's list.")
    return photos


def detector_scale(root: Path) -> tuple[float, float]:
    """Slope and offset that make probabilities of the detector's scores, from training photos.

    Raises:
        DataError: A file is missing or damaged.
    """
    folder = root / FOLDER
    train = {row["image"] for row in read_rows(folder / "objects.jsonl", {"split": "train"})}
    logits: list[float] = []
    truths: list[float] = []
    for name, it in read_folder(folder).items():
        if name in train and it.present is not None:
            logits += _logits(it).tolist()
            truths += [float(thing in it.present) for thing in COCO_CLASSES]
    if not logits:
        raise DataError(f"No training photo in {folder} has both detections and people's list.")
    return fit(logits, truths)


def _logits(seen: SeenObjects) -> Tensor:
    """Logits of the detector's scores of COCO's classes (80)."""
    scores = [seen.scores.get(name, UNSEEN) for name in COCO_CLASSES]
    return torch.logit(torch.tensor(scores), eps=1e-3)


def told_by(
    names: Sequence[str], head: ObjectFacts, photos: Sequence[Photo], scale: tuple[float, float]
) -> dict[str, ObjectFacts | None]:
    """What each witness tells of the photos; None of nothing.

    Args:
        names: Of the classes.
        head: What the head tells.
        photos: The same, with what the others know.
        scale: Of the detector's scores, as `detector_scale` gives it.
    """
    places = torch.tensor([list(names).index(name) for name in COCO_CLASSES])
    detector, people = ([t.clone() for t in vars(head).values()] for _ in range(2))
    for row, photo in enumerate(photos):
        probabilities = torch.sigmoid(_logits(photo.seen) * scale[0] + scale[1])
        counts, corners = _boxes(photo.seen)
        for part, values in zip(detector, (probabilities, counts, corners), strict=True):
            part[row, places] = values
        there = torch.tensor([name in photo.present for name in COCO_CLASSES])
        lowered = head.probabilities[row, places] * ABSENT
        people[0][row, places] = torch.where(there, PRESENT, lowered)
        told = [photo.seen.counts.get(name, 0) for name in COCO_CLASSES]
        counted = torch.where(torch.tensor(told) > 0, torch.tensor(told).float(), counts)
        people[1][row, places] = counted * there
        known = (corners[:, 2:] > corners[:, :2]).all(-1, keepdim=True)
        people[2][row, places] = torch.where(known, corners, head.corners[row, places])
    return {
        "head": head,
        "detector": ObjectFacts(*detector),
        "people": ObjectFacts(*people),
        NOTHING: None,
    }


def _boxes(seen: SeenObjects) -> tuple[Tensor, Tensor]:
    """How many boxes of COCO's classes count (80), and the corners of the surest one (80, 4)."""
    counts, corners = torch.zeros(len(COCO_CLASSES)), torch.zeros(len(COCO_CLASSES), 4)
    for box in sorted(seen.boxes, key=lambda it: it.score):  # the surest one comes last, and stays
        place = COCO_CLASSES.index(box.name)
        counts[place] += box.score * LIFT >= COUNTED
        corners[place] = torch.tensor([box.left, box.top, box.right, box.bottom])
    return counts, corners
