"""Fits the object head of a mapper to boxes, before the mapper and LoRA start to learn.

Boxes and soft scores come from a detector (the teacher: Hinton et al. 2015, arXiv 1503.02531), and
from people where they looked. As with words, the head knows its own training pictures better than
new ones, so that the language model learns from heads that have not seen its pictures
(cross-fitting, as in stacked generalisation: Wolpert 1992).
"""

from __future__ import annotations

import copy
import logging
import math
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional as F

from data.datasets.feature_cache import FeatureStore
from data.datasets.objects import (
    COCO_CLASSES,
    LABELS_FILE,
    ImageObjects,
    read_areas,
    read_objects_folder,
)
from finetune.config import ObjectSources, Recipe
from finetune.errors import TrainingError
from finetune.evaluation.calibration import fit_platt
from finetune.lora import computes_bfloat16, part
from finetune.sampler import Visit
from finetune.word_tags import CrossFittedWords
from model.object_head import ObjectFacts, ObjectHead, ObjectMaps
from model.vlm import PrefixVLM

log = logging.getLogger(__name__)
FILE = "objects.safetensors"
FOLDS = 2
BATCH = 32
RATE, WARM_UP, WEIGHT_DECAY = 2e-3, 100, 0.05
TRUST = 0.75  # in what people say is there, beside the teacher's score
FEWEST_ASKED = 20  # pictures that people looked at, for calibration
COVERED = 0.004  # share of a picture from which stuff is there
LIFT = 1.3  # of a teacher's score inside its box, where it is sure of the place
# What ADE20K calls the things that are COCO's too, or that nobody asks about.
NOT_STUFF = frozenset({
    "person", "car", "chair", "bed", "sofa", "armchair", "sink", "bottle", "book", "clock", "vase",
    "bench", "toilet", "television", "truck", "refrigerator", "microwave", "bicycle", "boat",
    "airplane", "bus", "oven", "plant", "table", "motorbike", "van", "minibike", "computer",
    "monitor", "screen", "seat", "base", "step", "glass", "light", "animal", "traffic light",
    "trade name", "swivel chair", "coffee table", "dining table",
})  # fmt: skip
NO_HEAD = "[objects] needs a profile with objects in [mapper], and pictures with detections."
OTHER_BOXES = (
    f"[objects] needs object_boxes = {len(COCO_CLASSES)} in [mapper], as many as COCO has classes."
)


@dataclass(frozen=True)
class ObjectLabels:
    """What heads are fitted to.

    Attributes:
        names: Of the classes, those with boxes first.
        seen: Boxes and scores, by the name of the picture.
        areas: Which stuff covers how much of a picture, for pictures where all of it is known.
    """

    names: tuple[str, ...]
    seen: Mapping[str, ImageObjects]
    areas: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    @classmethod
    def read(
        cls, sources: ObjectSources, root: Path, images: Sequence[str], count: int
    ) -> ObjectLabels:
        """What the files of a recipe say of these pictures.

        Args:
            sources: Names the files.
            root: The data folder.
            images: The pictures that may be learnt from.
            count: How many classes are wanted: COCO's 80, then the stuff that is most frequent.

        Raises:
            DataError: A file is missing or damaged.
            TrainingError: There are too few classes.
        """
        known = set(images)
        seen: dict[str, ImageObjects] = {}
        areas: dict[str, Mapping[str, float]] = {}
        for folder in sources.folders:
            masks = folder in sources.masks
            found = read_objects_folder(root / folder, masks=masks)
            seen |= {f"{folder}/images/{name}": it for name, it in found.items()}
            if masks:
                covered = read_areas(root / folder / LABELS_FILE)
                areas |= {f"{folder}/images/{name}": it for name, it in covered.items()}
        seen = {name: it for name, it in seen.items() if name in known}
        areas = {name: it for name, it in areas.items() if name in known}
        stuff = Counter(thing for it in areas.values() for thing in it if thing not in NOT_STUFF)
        wanted = [thing for thing, _ in stuff.most_common() if thing not in COCO_CLASSES]
        names = (*COCO_CLASSES, *wanted)[:count]
        if len(names) < count:
            raise TrainingError(
                f"The data name only {len(names)} classes of objects, but the mapper's "
                f"object_classes is {count}."
            )
        return cls(names, seen, areas)

    @cached_property
    def places(self) -> dict[str, int]:
        """The number of each class."""
        return {name: place for place, name in enumerate(self.names)}

    def picture(self, image: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Whether each class is in a picture, 0..1 (K), and whether that is known (K)."""
        target, known = np.zeros((2, len(self.names)), np.float32)
        it = self.seen[image]
        known[: len(COCO_CLASSES)] = 1
        for name, score in it.scores.items():
            target[self.places[name]] = score
        if it.present is not None:
            target[: len(COCO_CLASSES)] *= 1 - TRUST
            for name in it.present:
                target[self.places[name]] += TRUST
        if image in self.areas:
            known[:] = 1
            for name, share in self.areas[image].items():
                place = self.places.get(name, 0)
                if place >= len(COCO_CLASSES):
                    target[place] = float(share >= COVERED)
        return target, known


class CrossFittedObjects:
    """Objects in training pictures from heads that have not seen them.

    Args:
        vlm: Its mapper's own head serves pictures that no head learnt from.
        heads: One for each fold, fitted on the pictures of the others.
        images: What was learnt from.
    """

    def __init__(self, vlm: PrefixVLM, heads: Sequence[ObjectHead], images: Sequence[str]) -> None:
        self._vlm, self._heads = vlm, heads
        self._fold = {image: fold_of(image) for image in images}

    @torch.no_grad()
    def __call__(self, visits: Sequence[Visit], hidden: Tensor) -> ObjectFacts:
        """What the tower gives of visits, (visits, 1 + G², …) → facts."""
        states, _, detail = self._vlm.mapper.split(hidden)
        return self.of([str(visit.image) for visit in visits], states, detail)

    @torch.no_grad()
    def of(self, images: Sequence[str], states: Tensor, detail: Tensor) -> ObjectFacts:
        """Facts of pictures, by their names and states."""
        assert self._vlm.mapper.objects is not None
        own = self._vlm.mapper.objects.head
        order: list[int] = []
        parts = []
        folds = [self._fold.get(image, -1) for image in images]
        for fold in set(folds):
            rows = [row for row, each in enumerate(folds) if each == fold]
            head = self._heads[fold] if fold >= 0 else own
            parts.append(head.facts(head(states[rows], detail[rows])))
            order += rows
        return ObjectFacts.concatenate(parts)[[order.index(row) for row in range(len(images))]]


def fold_of(image: str) -> int:
    """Which fold a picture is in."""
    return zlib.crc32(image.encode()) % FOLDS


def fit_objects(
    vlm: PrefixVLM, store: FeatureStore, labels: ObjectLabels, recipe: Recipe, path: Path
) -> None:
    """Fit the mapper's head and those of the folds, and write them to a file.

    Raises:
        TrainingError: The mapper has no object tags, or others, or there are too few pictures.
    """
    tags = vlm.mapper.objects
    images = [image for image in sorted(labels.seen) if image in store.rows]
    if tags is None or len({fold_of(image) for image in images}) < FOLDS:
        raise TrainingError(NO_HEAD)
    if tags.head.boxed != len(COCO_CLASSES):
        raise TrainingError(OTHER_BOXES)
    bfloat16 = computes_bfloat16(recipe, vlm.device)
    heads = [tags.head, *(copy.deepcopy(tags.head) for _ in range(FOLDS))]
    for fold, head in enumerate(heads, -1):
        mine = [image for image in images if fold_of(image) != fold]
        with torch.random.fork_rng(devices=()):
            torch.manual_seed(recipe.seed + fold + 1)
            _fit(vlm, head, store, labels, mine, recipe.objects.epochs, bfloat16)
    _calibrate(vlm, heads, store, labels, images)
    state = {
        f"{fold}.{key}": value
        for fold, head in enumerate(heads, -1)
        for key, value in head.state_dict().items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    save_file({key: value.cpu().contiguous() for key, value in state.items()}, unfinished)
    unfinished.replace(path)


def open_objects(vlm: PrefixVLM, path: Path, images: Sequence[str]) -> CrossFittedObjects:
    """Give the mapper its head from a file that `fit_objects` wrote, and return the others.

    Raises:
        TrainingError: The file is of other heads, or damaged.
    """
    tags = vlm.mapper.objects
    assert tags is not None
    heads = [copy.deepcopy(tags.head) for _ in range(FOLDS)]
    try:
        state = load_file(path)
        for fold, head in enumerate([tags.head, *heads], -1):
            head.load_state_dict(part(str(fold), state))
    except (RuntimeError, SafetensorError) as error:
        raise TrainingError(
            f"The file {path} is damaged or of another object head; remove it."
        ) from error
    for head in heads:
        head.eval().requires_grad_(False).to(vlm.device)
    return CrossFittedObjects(vlm, heads, images)


def init_object_names(vlm: PrefixVLM, names: Sequence[str]) -> None:
    """Start each object tag at the mean token embedding of the object's name."""
    tags = vlm.mapper.objects
    assert tags is not None
    vlm.object_names = tuple(names)
    with torch.no_grad():
        for row, name in enumerate(names):
            ids = torch.tensor(vlm.tokens(" " + name), device=vlm.device)
            tags.names.weight[row] = vlm.embed(ids).float().mean(dim=0)


def _fit(  # noqa: PLR0917
    vlm: PrefixVLM,
    head: ObjectHead,
    store: FeatureStore,
    labels: ObjectLabels,
    images: Sequence[str],
    epochs: int,
    bfloat16: bool,
) -> None:
    """AdamW on batches of pictures, every second batch mirrored."""
    _reset(vlm, head, store, labels, images)
    head.requires_grad_(True).train()
    head.calibration.requires_grad_(False)
    optimizer = torch.optim.AdamW(
        [p for p in head.parameters() if p.requires_grad], lr=RATE, weight_decay=WEIGHT_DECAY
    )
    steps = epochs * math.ceil(len(images) / BATCH)
    step = 0
    for epoch in range(epochs):
        order = torch.randperm(len(images)).tolist()
        total = torch.zeros(4)
        for start in range(0, len(order), BATCH):
            chosen = [images[place] for place in order[start : start + BATCH]]
            mirrored = bool(torch.rand(()) < 0.5)
            states, detail = _inputs(vlm, store, chosen, mirrored)
            with torch.autocast(vlm.device.type, torch.bfloat16, enabled=bfloat16):
                maps = head(states, detail)
            size = maps.cells.shape[-1]
            losses = _losses(maps, _targets(labels, chosen, size, head.boxed, mirrored, vlm.device))
            decayed = 0.5 * (1 + math.cos(math.pi * step / steps)) + 0.01
            for group in optimizer.param_groups:
                group["lr"] = RATE * min(1.0, (step + 1) / WARM_UP) * decayed
            optimizer.zero_grad()
            losses.sum().backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(head.parameters(), 20.0)
            optimizer.step()
            step += 1
            total += losses.detach().cpu()
        means = [round(each, 3) for each in (total * BATCH / len(images)).tolist()]
        log.info("object head, epoch %d of %d, losses %s", epoch + 1, epochs, means)
    head.eval().requires_grad_(False)


def _reset(
    vlm: PrefixVLM,
    head: ObjectHead,
    store: FeatureStore,
    labels: ObjectLabels,
    images: Sequence[str],
) -> None:
    """Fresh weights, with each input channel normalised and each class at its frequency."""
    fresh = ObjectHead(
        vlm.mapper.config, vlm.mapper.hidden_size, head.grid,
        head.details.in_features if head.details else 0, head.side,
    )  # fmt: skip
    head.load_state_dict(fresh.state_dict())
    some = images[:: max(1, len(images) // 400)]
    states, detail = _inputs(vlm, store, some, mirrored=False)
    size = head.grid * head.side
    # One row for each state of the detail layer.
    shape = (len(detail), head.grid**2, vlm.tower.detail_size, head.side**2)
    fine = detail[:, 1:].reshape(shape).transpose(-1, -2).flatten(0, 2)
    with torch.no_grad():
        for layer, inputs in ((head.states, states[:, 1:].flatten(0, 1)), (head.details, fine)):
            if layer is not None:
                spread = inputs.std(0) + 1e-2
                layer.weight.div_(spread)
                layer.bias.sub_(layer.weight @ inputs.mean(0))
        targets = [labels.picture(image) for image in images]
        known = np.sum([k for _, k in targets], 0) + 1e-6
        share = torch.from_numpy(np.sum([t * k for t, k in targets], 0) / known)
        prior = torch.logit(share.clamp(1e-4, 0.9))
        lowest = head.cells.bias.cpu() + math.log(size**2)
        head.whole.bias.copy_(prior - lowest)


def _inputs(
    vlm: PrefixVLM, store: FeatureStore, images: Sequence[str], mirrored: bool
) -> tuple[Tensor, Tensor]:
    """States (B, 1 + G², D) and detail states of pictures; the mirror image is near enough."""
    rows = [store.rows[image] for image in images]
    stored = torch.from_numpy(store.get(rows, [0] * len(rows))).float().to(vlm.device)
    states, _, detail = vlm.mapper.split(vlm.tower.complete(stored))
    if mirrored:
        side = vlm.tower.detail_side
        states = _flipped(states, vlm.tower.grid)
        detail = _flipped(detail, vlm.tower.grid)
        folded = detail.reshape(*detail.shape[:2], -1, side, side)
        detail = folded.flip(-1).flatten(2)
    return states, detail


def _flipped(states: Tensor, grid: int) -> Tensor:
    """The patches (B, 1 + G², C) from right to left."""
    patches = states[:, 1:].reshape(len(states), grid, grid, -1).flip(2).flatten(1, 2)
    return torch.cat([states[:, :1], patches], dim=1)


@dataclass(frozen=True)
class _Targets:
    """Of a batch: picture (B, K), known (B, K), cells, edges, weights as in `ObjectMaps`."""

    picture: Tensor
    known: Tensor
    cells: Tensor
    edges: Tensor
    weights: Tensor


def _targets(  # noqa: PLR0917
    labels: ObjectLabels,
    images: Sequence[str],
    size: int,
    boxed: int,
    mirrored: bool,
    device: torch.device,
) -> _Targets:
    cells = np.zeros((len(images), boxed, size, size), np.float32)
    edges = np.full((len(images), 4, size, size), 1e-3, np.float32)
    weights = np.zeros((len(images), size, size), np.float32)
    middle = (np.arange(size, dtype=np.float32) + 0.5) / size
    for row, image in enumerate(images):
        it = labels.seen[image].mirrored() if mirrored else labels.seen[image]
        for box in sorted(it.boxes, key=lambda b: -b.area):  # the smallest one wins a cell
            across = (middle >= box.left) & (middle <= box.right)
            down = (middle >= box.top) & (middle <= box.bottom)
            x, y = box.centre
            inside = down[:, None] & across[None]
            inside[min(int(y * size), size - 1), min(int(x * size), size - 1)] = True
            score = min(1.0, box.score * LIFT)
            cell = cells[row, labels.places[box.name]]
            cell[inside] = np.maximum(cell[inside], score)
            ys, xs = np.nonzero(inside)
            away = (
                middle[xs] - box.left, middle[ys] - box.top,
                box.right - middle[xs], box.bottom - middle[ys],
            )  # fmt: skip
            edges[row][:, ys, xs] = np.maximum(np.stack(away), 1e-3)
            weights[row, ys, xs] = box.score
    pictures = [labels.picture(image) for image in images]
    parts = (
        np.stack([p for p, _ in pictures]), np.stack([k for _, k in pictures]),
        cells, edges, weights,
    )  # fmt: skip
    return _Targets(*(torch.from_numpy(part).to(device) for part in parts))


def _losses(maps: ObjectMaps, target: _Targets) -> Tensor:
    """Losses of the picture's classes, the cells', the boxes' and of how near a middle is: (4)."""
    bce = F.binary_cross_entropy_with_logits
    batch, boxed, size, _ = target.cells.shape
    whole = (bce(maps.picture, target.picture, reduction="none") * target.known).sum() / batch
    cells = bce(maps.cells[:, :boxed], target.cells, reduction="sum") * 8 / (batch * size**2)
    weight = target.weights.sum().clamp(min=1.0)
    low = torch.minimum(maps.edges, target.edges)
    both = (low[:, 0] + low[:, 2]) * (low[:, 1] + low[:, 3])
    mine, wanted = ((e[:, 0] + e[:, 2]) * (e[:, 1] + e[:, 3]) for e in (maps.edges, target.edges))
    overlap = both / (mine + wanted - both).clamp(min=1e-4)
    boxes = ((1 - overlap) * target.weights).sum() / weight
    across, down = target.edges[:, 0::2], target.edges[:, 1::2]
    nearness = (across.amin(1) / across.amax(1) * down.amin(1) / down.amax(1)).sqrt()
    middles = (bce(maps.middles, nearness, reduction="none") * target.weights).sum() / weight
    return torch.stack([whole, cells, boxes, middles])


def _calibrate(
    vlm: PrefixVLM,
    heads: Sequence[ObjectHead],
    store: FeatureStore,
    labels: ObjectLabels,
    images: Sequence[str],
) -> None:
    """Platt scaling of all heads to what people say is there, by those that have not seen it."""
    asked = [image for image in images if labels.seen[image].present is not None]
    if len(asked) < FEWEST_ASKED:
        return
    logits, truths = [], []
    for fold, head in enumerate(heads[1:]):
        mine = [image for image in asked if fold_of(image) == fold]
        for at in range(0, len(mine), BATCH):
            some = mine[at : at + BATCH]
            with torch.inference_mode():
                maps = head(*_inputs(vlm, store, some, mirrored=False))
            logits.append(maps.picture[:, : len(COCO_CLASSES)])
            there = [labels.seen[image].present or () for image in some]
            truths.extend([float(name in it) for it in there for name in COCO_CLASSES])
    scale = fit_platt(torch.cat(logits).flatten().tolist(), truths)
    for head in heads:
        head.calibration.data.copy_(torch.tensor(scale))


@torch.no_grad()
def cross_fitted_tags(
    vlm: PrefixVLM,
    store: FeatureStore,
    images: Sequence[str],
    words: CrossFittedWords,
    objects: CrossFittedObjects,
) -> tuple[Tensor, ObjectFacts]:
    """What cross-fitted detectors tell of pictures: logits of words (N, V), facts of objects."""
    logits, facts = [], []
    for at in range(0, len(images), BATCH):
        some = images[at : at + BATCH]
        states, detail = _inputs(vlm, store, some, mirrored=False)
        logits.append(words.of(some, states[:, 0]))
        facts.append(objects.of(some, states, detail))
    return torch.cat(logits), ObjectFacts.concatenate(facts)
