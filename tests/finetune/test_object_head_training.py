"""The object head's training: what it learns of boxes, from whom, and who is told what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tiny_data import THINGS, scene, scene_name, write_rows
from tiny_models import SIDE, tiny_vlm
from torch.nn import functional as F

from data.datasets.feature_cache import FeatureStore
from data.datasets.objects import COCO_CLASSES, Box, ImageObjects
from finetune import object_head as fitting
from finetune.config import ObjectSources, Recipe, Schedule
from finetune.errors import TrainingError
from finetune.image_features import Encoder
from finetune.object_head import (
    CrossFittedObjects,
    ObjectLabels,
    fit_objects,
    fold_of,
    init_object_names,
    open_objects,
)
from finetune.packing import Group
from finetune.sampler import Visit
from model.config import MapperConfig, TowerConfig
from model.mapper import Mapper
from model.object_head import ObjectMaps
from model.vlm import PrefixVLM

TRAINED, NEW = 80, 48
NAMES = [f"scenes/images/{scene_name(number)}" for number in range(TRAINED + NEW)]
PLACES = [COCO_CLASSES.index(name) for name in THINGS]


def looking(hub: Path, kind: str = "clip", detail: int = 1, **mapper: Any) -> PrefixVLM:
    """A tiny model with an object head behind a tower of this kind."""
    config = MapperConfig("mlp", hidden_size=24, shuffle=2, objects=3, object_classes=80)
    tower = TowerConfig(kind, str(hub / kind), SIDE, detail_layer=detail)
    return tiny_vlm(hub, seeing=kind, tower=tower, mapper=replace(config, **mapper))


def encoded(vlm: PrefixVLM, numbers: Sequence[int]) -> FeatureStore:
    """Hidden states of scenes."""
    config = TowerConfig("clip", "", SIDE)  # only names the store
    states = Encoder(vlm.tower, config, False)([scene(number)[0] for number in numbers])
    rows = {NAMES[number]: row for row, number in enumerate(numbers)}
    return FeatureStore(rows, [1] * len(numbers), [states])


def labelled(numbers: Sequence[int]) -> ObjectLabels:
    return ObjectLabels(COCO_CLASSES, {NAMES[number]: scene(number)[1] for number in numbers})


def recipe(epochs: int) -> Recipe:
    objects = ObjectSources(("scenes",), epochs=epochs)
    return Recipe("tiny", "tiny", Schedule(1), (), objects=objects, precision="float32", seed=1)


@dataclass(frozen=True)
class Fitted:
    """A head that was fitted to scenes, and everything about it."""

    vlm: PrefixVLM
    store: FeatureStore
    objects: CrossFittedObjects

    def look(self, numbers: Sequence[int]) -> tuple[torch.Tensor, torch.Tensor]:
        """States and detail states of scenes."""
        return fitting._inputs(self.vlm, self.store, [NAMES[n] for n in numbers], mirrored=False)


@pytest.fixture(scope="module", params=["clip", "vit"])
def fitted(
    request: pytest.FixtureRequest, hub: Path, tmp_path_factory: pytest.TempPathFactory
) -> Fitted:
    vlm, path = looking(hub, request.param), tmp_path_factory.mktemp("run") / fitting.FILE
    store, labels = encoded(vlm, range(TRAINED + NEW)), labelled(range(TRAINED))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fitting, "WARM_UP", 10)
        fit_objects(vlm, store, labels, recipe(12), path)
    return Fitted(vlm, store, open_objects(vlm, path, list(labels.seen)))


# --- what a head learns ------------------------------------------------------------------------


def test_a_head_finds_objects_in_pictures_that_are_new_to_it(fitted: Fitted) -> None:
    tags, numbers = fitted.vlm.mapper.objects, range(TRAINED, TRAINED + NEW)
    assert tags is not None
    with torch.inference_mode():
        maps = tags.head(*fitted.look(numbers))
        facts = tags.head.facts(maps)
    seen = [scene(number)[1] for number in numbers]
    there = torch.tensor([[name in (it.present or ()) for name in THINGS] for it in seen])
    presence = facts.probabilities[:, PLACES]
    above = presence[there][:, None] > presence[~there][None]
    assert above.float().mean() > 0.93  # the area under the curve
    others = [place for place in range(80) if place not in PLACES]
    assert facts.probabilities[:, others].mean() < 0.1 < 0.6 < presence[there].mean()
    middles, inside = [], []
    side = maps.cells.shape[-1]
    for row, it in enumerate(seen):
        for box in it.boxes:
            place = COCO_CLASSES.index(box.name)
            left, top, right, bottom = facts.corners[row, place].tolist()
            x, y = box.centre
            middles.append(max(abs((left + right) / 2 - x), abs((top + bottom) / 2 - y)))
            down, across = divmod(int(maps.cells[row, place].argmax()), side)
            best = ((across + 0.5) / side, (down + 0.5) / side)
            inside.append(box.left <= best[0] <= box.right and box.top <= best[1] <= box.bottom)
    assert float(np.median(middles)) < 0.12
    assert sum(inside) > 0.75 * len(inside)


def test_probabilities_are_calibrated_by_pictures_that_a_head_has_not_seen(fitted: Fitted) -> None:
    tags = fitted.vlm.mapper.objects
    assert tags is not None
    scale = tags.head.calibration
    assert all(torch.equal(head.calibration, scale) for head in fitted.objects._heads)
    seen = [scene(number)[1] for number in range(TRAINED)]
    there = torch.tensor([[name in (it.present or ()) for name in COCO_CLASSES] for it in seen])
    told = fitted.objects.of(NAMES[:TRAINED], *fitted.look(range(TRAINED))).probabilities
    raw = (torch.logit(told.double()) - scale[1]) / scale[0]
    losses = [
        float(F.binary_cross_entropy(each, there.double()))
        for each in (told.double(), raw.sigmoid())
    ]
    assert losses[0] < 0.99 * losses[1]


def test_a_mapper_that_learns_reads_its_head_without_dropout(fitted: Fitted) -> None:
    mapper = fitted.vlm.mapper
    assert mapper.objects is not None
    states, detail = fitted.look([0, 1])
    mapper.train()
    try:
        assert mapper.objects.training
        one, two = (mapper.objects.head(states, detail).picture for _ in range(2))
    finally:
        mapper.eval()
    assert torch.equal(one, two)


@pytest.mark.parametrize("detail", [0, 1])
def test_towers_without_a_detail_layer_will_do(hub: Path, tmp_path: Path, detail: int) -> None:
    vlm, numbers = looking(hub, detail=detail), range(8)
    store, path = encoded(vlm, numbers), tmp_path / fitting.FILE
    before = fitting._inputs(vlm, store, NAMES[:8], mirrored=False)
    assert before[1].shape[-1] == (32 if detail else 0)
    fit_objects(vlm, store, labelled(numbers), recipe(1), path)
    assert open_objects(vlm, path, NAMES[:8]).of(NAMES[:8], *before).counts.shape == (8, 80)


# --- what it is taught -------------------------------------------------------------------------


def test_a_mirrored_batch_has_the_targets_of_the_mirrored_pictures() -> None:
    numbers, cpu = range(10), torch.device("cpu")
    labels = labelled(numbers)
    mirrored = ObjectLabels(
        COCO_CLASSES, {image: it.mirrored() for image, it in labels.seen.items()}
    )
    images = NAMES[:10]
    plain = fitting._targets(labels, images, 8, 80, False, cpu)
    one = fitting._targets(labels, images, 8, 80, True, cpu)
    two = fitting._targets(mirrored, images, 8, 80, False, cpu)
    for name in ("picture", "known", "cells", "edges", "weights"):
        torch.testing.assert_close(getattr(one, name), getattr(two, name))
    # The maps are those of the plain pictures from right to left; left and right edges swap.
    torch.testing.assert_close(one.cells, plain.cells.flip(-1))
    torch.testing.assert_close(one.weights, plain.weights.flip(-1))
    torch.testing.assert_close(one.edges, plain.edges.flip(-1)[:, [2, 1, 0, 3]])
    assert not torch.equal(one.cells, plain.cells)


def test_a_mirrored_picture_has_its_cells_from_right_to_left() -> None:
    grid, side, size = 2, 2, 3
    config = MapperConfig("mlp", hidden_size=8, objects=1, object_classes=80)
    mapper = Mapper(config, 5, grid, 8, detail=(size, side))
    tower = SimpleNamespace(complete=lambda states: states, grid=grid, detail_side=side)
    vlm: Any = SimpleNamespace(mapper=mapper, tower=tower, device=torch.device("cpu"))
    states = np.random.default_rng(0).normal(size=(2, 1 + grid**2, 5 + size * side**2))
    store = FeatureStore({"a": 0, "b": 1}, [1, 1], [states])
    plain, fine = fitting._inputs(vlm, store, ["a", "b"], mirrored=False)
    mirrored, fine_mirrored = fitting._inputs(vlm, store, ["a", "b"], mirrored=True)

    def unfolded(patches: torch.Tensor, by: int) -> torch.Tensor:
        cells = patches[:, 1:].transpose(1, 2).reshape(2, -1, grid, grid)
        return F.pixel_shuffle(cells, by)

    assert torch.equal(unfolded(mirrored, 1), unfolded(plain, 1).flip(-1))
    assert torch.equal(unfolded(fine_mirrored, side), unfolded(fine, side).flip(-1))
    assert torch.equal(mirrored[:, 0], plain[:, 0])


def test_what_nobody_knows_teaches_nothing() -> None:
    stuff = ("sky", "grass")
    seen = {image: scene(number)[1] for number, image in enumerate("ab")}
    labels = ObjectLabels((*COCO_CLASSES, *stuff), seen, {"b": {"sky": 0.4, "grass": 0.001}})
    target = fitting._targets(labels, ["a", "b"], 4, 80, False, torch.device("cpu"))
    assert target.known[:, :80].all()
    assert target.known[:, 80:].tolist() == [[0, 0], [1, 1]]  # only where there are masks
    assert target.picture[1, 80:].tolist() == [1, 0]  # a speck of grass is none
    maps = ObjectMaps(
        torch.randn(2, 82, 4, 4), torch.rand(2, 4, 4, 4), torch.randn(2, 4, 4), torch.randn(2, 82)
    )
    loss = fitting._losses(maps, target)
    for row, changes in ((0, False), (1, True)):
        picture = target.picture.clone()
        picture[row, 80] = 1 - picture[row, 80]
        other = fitting._losses(maps, replace(target, picture=picture))
        assert torch.equal(other, loss) is not changes


def test_what_people_say_counts_more_than_the_teacher() -> None:
    trust = fitting.TRUST
    scores = {"dog": 0.8, "cat": 0.4}
    people = ImageObjects((), scores, frozenset({"cat", "bus"}))
    labels = ObjectLabels(COCO_CLASSES, {"asked": people, "alone": ImageObjects((), scores)})
    (asked, known), (alone, _) = labels.picture("asked"), labels.picture("alone")
    dog, cat, bus = (COCO_CLASSES.index(name) for name in ("dog", "cat", "bus"))
    assert known.all()
    assert alone[[dog, cat, bus]] == pytest.approx([0.8, 0.4, 0])
    rest = 1 - trust
    assert asked[[dog, cat, bus]] == pytest.approx([0.8 * rest, trust + 0.4 * rest, trust])


def test_labels_are_read_of_pictures_that_may_be_learnt_from(tmp_path: Path) -> None:
    box = ["dog", 0.9, 0.1, 0.2, 0.3, 0.4]
    for folder in ("asked", "masked"):
        (tmp_path / folder).mkdir()
        rows = [{"image": f"{n}.jpg", "boxes": [box], "scores": {"dog": 0.9}} for n in range(3)]
        write_rows(tmp_path / folder / "detections.jsonl", rows)
    write_rows(tmp_path / "asked/objects.jsonl", [{"image": "0.jpg", "objects": ["dog", "cat"]}])
    masks = [
        {"image": "0.jpg", "objects": {"sky": 0.5, "grass": 0.2, "sofa": 0.1, "dog": 0.1}},
        {"image": "1.jpg", "objects": {"sky": 0.3, "rare": 0.1}},
        {"image": "2.jpg", "objects": {"grass": 0.3, "kept back": 0.9}},
    ]
    write_rows(tmp_path / "masked/objects.jsonl", masks)
    sources = ObjectSources(("asked", "masked"), ("masked",))
    images = ["asked/images/0.jpg", "asked/images/1.jpg"]
    images += ["masked/images/0.jpg", "masked/images/1.jpg"]
    labels = ObjectLabels.read(sources, tmp_path, images, 82)
    assert labels.names == (*COCO_CLASSES, "sky", "grass")  # the most frequent stuff, no sofa
    assert sorted(labels.seen) == images
    assert sorted(labels.areas) == images[2:]
    assert labels.seen[images[0]].present == {"dog", "cat"}
    assert labels.seen[images[1]].present is None
    assert labels.seen[images[2]].boxes == (Box("dog", 0.9, 0.1, 0.2, 0.3, 0.4),)
    with pytest.raises(TrainingError, match=r"name only 83 classes of objects, but .* is 90\.$"):
        ObjectLabels.read(sources, tmp_path, images, 90)


# --- who is told what --------------------------------------------------------------------------


def test_the_objects_of_a_training_picture_come_from_a_head_that_has_not_seen_it(
    hub: Path, tmp_path: Path
) -> None:
    numbers = range(14)
    vlm, images = looking(hub), NAMES[:14]
    store = encoded(vlm, [*numbers, TRAINED])
    inputs = fitting._inputs(vlm, store, images, mirrored=False)

    def told(labels: ObjectLabels, file: str) -> torch.Tensor:
        fit_objects(vlm, store, labels, recipe(2), tmp_path / file)
        return open_objects(vlm, tmp_path / file, images).of(images, *inputs).probabilities

    labels = labelled(numbers)
    first = torch.tensor([fold_of(image) == 0 for image in images])
    assert 3 < first.sum() < 11
    toaster = ImageObjects((Box("toaster", 0.9, 0.0, 0.0, 1.0, 1.0),), {"toaster": 1.0})
    changed = {i: toaster if fold_of(i) == 0 else it for i, it in labels.seen.items()}
    before, after = told(labels, "one"), told(ObjectLabels(COCO_CLASSES, changed), "two")
    assert torch.equal(after[first], before[first])
    assert (after[~first] - before[~first]).abs().amax(dim=1).min() > 1e-3
    # A picture without boxes has nothing to hide: the mapper's own head sees it.
    objects = open_objects(vlm, tmp_path / "two", images)
    tags, visit = vlm.mapper.objects, Visit(NAMES[TRAINED], Group((), has_picture=True))
    assert tags is not None
    hidden = torch.from_numpy(store.get([14], [0])).float()
    with torch.inference_mode():
        states, _, detail = vlm.mapper.split(hidden)
        own = tags.head.facts(tags.head(states, detail))
        facts = objects([visit], hidden)
    for name in ("probabilities", "counts", "corners"):
        assert torch.equal(getattr(facts, name), getattr(own, name))
    kept = load_file(tmp_path / "two")
    assert torch.equal(tags.head.whole.weight, kept["-1.whole.weight"])
    assert torch.equal(objects._heads[1].whole.weight, kept["1.whole.weight"])


def test_names_start_as_the_mean_of_their_tokens(hub: Path) -> None:
    vlm = looking(hub)
    init_object_names(vlm, COCO_CLASSES)
    assert vlm.object_names == COCO_CLASSES
    assert vlm.mapper.objects is not None
    light = vlm.embed(torch.tensor(vlm.tokens(" traffic light"))).float()
    assert len(light) > 1
    row = COCO_CLASSES.index("traffic light")
    torch.testing.assert_close(vlm.mapper.objects.names.weight[row], light.mean(dim=0))


def test_files_of_other_heads_are_refused(hub: Path, tmp_path: Path) -> None:
    vlm, path = looking(hub), tmp_path / fitting.FILE
    fit_objects(vlm, encoded(vlm, range(4)), labelled(range(4)), recipe(1), path)
    said = r"is damaged or of another object head; remove it\.$"
    for other in (looking(hub, detail=0), looking(hub, object_classes=81)):
        with pytest.raises(TrainingError, match=said):
            open_objects(other, path, NAMES[:4])
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(TrainingError, match=said):
        open_objects(vlm, path, NAMES[:4])
    assert [each.name for each in tmp_path.iterdir()] == [fitting.FILE]  # nothing half-written


def test_a_head_needs_tags_pictures_and_boxes_of_all_classes(hub: Path, tmp_path: Path) -> None:
    vlm, labels = looking(hub), labelled(range(4))
    store, path = encoded(vlm, range(4)), tmp_path / fitting.FILE
    few: Mapping[str, ImageObjects] = {NAMES[0]: scene(0)[1], NAMES[1]: scene(1)[1]}
    cases = [
        (vlm, ObjectLabels(COCO_CLASSES, few), "pictures with detections"),
        (looking(hub, objects=0), labels, "profile with objects in"),
        (looking(hub, object_boxes=79), labels, "object_boxes = 80"),
    ]
    for model, learnt, said in cases:
        with pytest.raises(TrainingError, match=said) as caught:
            fit_objects(model, store, learnt, recipe(1), path)
        assert "\n" not in str(caught.value)
    assert not path.exists()
