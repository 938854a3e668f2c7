"""The object head: what its maps tell of boxes, counts and places, and the tags made of them."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
import torch
from tiny_models import PATCH, SIDE, WIDTH, picture
from torch import Tensor

from model.config import MapperConfig, TowerConfig
from model.detections import select_objects
from model.errors import ProfileError
from model.mapper import Mapper
from model.object_head import (
    ObjectFacts,
    ObjectHead,
    ObjectMaps,
    count_boxes,
    find_boxes,
    main_boxes,
)
from model.vision import EfficientNetLiteTower, load_tower

GRID = SIDE // PATCH
CLASSES, BOXED, SIZE = 5, 3, 8
NAMES = ("dog", "cat", "bus", "sky", "grass")


def maps(*objects: tuple[int, int, int, float, float]) -> ObjectMaps:
    """Maps of one picture with objects: class, cell's row and column, half width and height."""
    cells = torch.full((1, CLASSES, SIZE, SIZE), -9.0)
    edges = torch.full((1, 4, SIZE, SIZE), 0.01)
    middles = torch.full((1, SIZE, SIZE), -9.0)
    for kind, row, column, across, down in objects:
        cells[0, kind, row, column], middles[0, row, column] = 4.0, 4.0
        edges[0, :, row, column] = torch.tensor([across, down, across, down])
    return ObjectMaps(cells, edges, middles, cells.flatten(2).amax(-1))


def config(**more: int) -> MapperConfig:
    sizes = {"objects": 3, "object_classes": CLASSES, "object_boxes": BOXED} | more
    return MapperConfig("mlp", hidden_size=12, shuffle=2, **sizes)


def test_a_box_stands_where_its_cell_and_edges_say() -> None:
    boxes = find_boxes(maps((1, 2, 5, 0.2, 0.1)), BOXED)
    assert int(boxes.classes[0, 0]) == 1
    assert float(boxes.scores[0, 0]) == pytest.approx(torch.sigmoid(torch.tensor(4.0)).item())
    middle = torch.tensor([5.5, 2.5]) / SIZE  # x, y
    expected = torch.cat([middle - torch.tensor([0.2, 0.1]), middle + torch.tensor([0.2, 0.1])])
    torch.testing.assert_close(boxes.corners[0, 0], expected)
    torch.testing.assert_close(main_boxes(boxes, CLASSES)[0, 1], expected)
    assert main_boxes(boxes, CLASSES)[0, 0].count_nonzero() == 4  # a faint one; counted it is not
    assert count_boxes(boxes, CLASSES).tolist() == [[0, 1, 0, 0, 0]]


def test_boxes_end_at_the_edge_of_the_picture() -> None:
    boxes = find_boxes(maps((0, 0, 7, 0.5, 0.5)), BOXED)
    left, top, right, bottom = boxes.corners[0, 0].tolist()
    assert (top, right) == (0, 1)
    assert 0 < left < bottom < 1


def test_doubles_count_once_and_neighbours_of_another_class_or_place_twice() -> None:
    doubles = maps((0, 3, 3, 0.3, 0.3), (0, 3, 5, 0.5, 0.3))
    assert count_boxes(find_boxes(doubles, BOXED), CLASSES)[0, 0] == 1
    apart = maps((0, 2, 1, 0.1, 0.3), (0, 2, 6, 0.1, 0.3))
    assert count_boxes(find_boxes(apart, BOXED), CLASSES)[0, 0] == 2
    others = maps((0, 2, 2, 0.3, 0.3), (1, 2, 4, 0.3, 0.3))
    assert count_boxes(find_boxes(others, BOXED), CLASSES).tolist() == [[1, 1, 0, 0, 0]]


def test_stuff_has_no_boxes() -> None:
    boxes = find_boxes(maps((3, 2, 2, 0.3, 0.3), (0, 6, 6, 0.1, 0.1)), BOXED)
    assert int(boxes.classes.max()) < BOXED
    assert count_boxes(boxes, CLASSES).tolist() == [[1, 0, 0, 0, 0]]


def test_only_what_is_surely_there_is_told_the_surest_first() -> None:
    boxes = find_boxes(
        maps((0, 1, 1, 0.1, 0.1), (0, 6, 6, 0.1, 0.1), (1, 1, 6, 0.1, 0.1), (2, 6, 1, 0.1, 0.1)),
        BOXED,
    )
    picture_ = torch.tensor([[0.8, 0.9, 0.4, 1.0, 1.0]])
    [seen] = select_objects(boxes, picture_, NAMES)
    assert [(it.name, round(it.score, 3)) for it in seen] == [
        ("cat", 0.9),
        ("dog", 0.8),
        ("dog", 0.8),
    ]
    assert all(0 <= edge <= 1 for it in seen for edge in it.box)


def test_a_box_inside_another_of_its_class_is_not_told_twice() -> None:
    boxes = find_boxes(maps((0, 4, 4, 0.4, 0.4), (0, 3, 2, 0.1, 0.1), (1, 5, 5, 0.1, 0.1)), BOXED)
    [seen] = select_objects(boxes, torch.full((1, CLASSES), 0.9), NAMES)
    assert sorted(it.name for it in seen if it.name != "bus") == ["cat", "dog"]


# --- from a tower's states to maps -----------------------------------------------------------


@pytest.mark.parametrize("kind", ["clip", "vit", "dinov2"])
def test_a_lower_layer_stands_behind_the_states_of_a_transformer(hub: Path, kind: str) -> None:
    source = str(hub / kind)
    plain = load_tower(TowerConfig(kind, source, 32))
    tower = load_tower(TowerConfig(kind, source, 32, detail_layer=1))
    lower = load_tower(TowerConfig(kind, source, 32, layer=1))
    pixels = tower.preprocess([picture(1), picture(2)])
    with torch.inference_mode():
        both = tower(pixels)
        assert torch.equal(both, torch.cat([plain(pixels), lower(pixels)], dim=-1))
    assert (tower.detail_size, tower.detail_side) == (WIDTH, 1)
    assert torch.equal(tower.complete(tower.compact(both)), both)


def test_a_finer_grid_folds_into_the_patches_and_out_again() -> None:
    tower = EfficientNetLiteTower("efficientnet-lite0", 64, detail_layer=10).eval()
    side, size = tower.detail_side, tower.detail_size
    assert side == 2
    fine: list[Tensor] = []
    tower.net._blocks[10].register_forward_hook(lambda *call: fine.append(call[2]))
    mapper = Mapper(config(), tower.hidden_size, tower.grid, 16, detail=(size, side)).eval()
    with torch.inference_mode():
        hidden = tower(tower.preprocess([picture(1)]))
        _, _, detail = mapper.split(hidden)
        assert mapper.objects is not None
        head = mapper.objects.head
        seen: list[Tensor] = []
        assert head.details is not None
        head.details.register_forward_hook(lambda *call: seen.append(call[1][0]))
        found = head(hidden[..., : tower.hidden_size], detail)
    cells = tower.grid * side
    assert found.cells.shape == (1, CLASSES, cells, cells)
    torch.testing.assert_close(seen[0], fine[0].permute(0, 2, 3, 1))


@pytest.mark.parametrize("layer", [99, -99])
def test_a_detail_layer_that_is_not_there(hub: Path, layer: int) -> None:
    with pytest.raises(ProfileError, match=rf"^detail_layer = {layer} in \[tower\], but .* only"):
        load_tower(TowerConfig("clip", str(hub / "clip"), 32, detail_layer=layer))
    with pytest.raises(ProfileError, match=rf"^detail_layer = {layer} in \[tower\], but .* only"):
        EfficientNetLiteTower("efficientnet-lite0", 64, layer)


def test_a_head_reads_the_states_it_has(hub: Path) -> None:
    head = ObjectHead(config(), WIDTH, GRID).eval()
    states, none = torch.randn(2, 1 + GRID**2, WIDTH), torch.zeros(2, 1 + GRID**2, 0)
    assert head(states, none).picture.shape == (2, CLASSES)
    alone = head(states[1:], none[1:])
    torch.testing.assert_close(head(states, none).cells[1:], alone.cells)


# --- tags ------------------------------------------------------------------------------------


def tags_of(mapper: Mapper, facts: ObjectFacts) -> Tensor:
    assert mapper.objects is not None
    with torch.inference_mode():
        return mapper.objects(facts)


def test_a_tag_names_an_object_and_adds_what_is_known_of_its_place_and_count() -> None:
    mapper = Mapper(config(objects=1), WIDTH, GRID, 16).eval()
    tags = mapper.objects
    assert tags is not None
    torch.nn.init.normal_(tags.counts)
    torch.nn.init.normal_(tags.place[2].weight)
    there = torch.tensor([[0.1, 0.9, 0.2, 0.3, 0.4]])
    unknown = ObjectFacts(there, torch.zeros(1, CLASSES), torch.zeros(1, CLASSES, 4))
    with torch.no_grad():
        torch.testing.assert_close(tags_of(mapper, unknown)[0, 0], tags.names.weight[1])
    two = ObjectFacts(there, torch.full((1, CLASSES), 2.0), unknown.corners)
    many = ObjectFacts(there, torch.full((1, CLASSES), 60.0), unknown.corners)
    torch.testing.assert_close(
        tags_of(mapper, two) - tags_of(mapper, unknown), tags.counts[1].expand(1, 1, 16)
    )
    torch.testing.assert_close(
        tags_of(mapper, many) - tags_of(mapper, unknown), tags.counts[-1].expand(1, 1, 16)
    )
    places = [(0.0, 0.0, 0.2, 0.2), (0.8, 0.0, 1.0, 0.2), (0.0, 0.0, 1.0, 1.0)]
    placed = [
        tags_of(mapper, ObjectFacts(there, unknown.counts, torch.tensor(p).expand(1, CLASSES, 4)))
        for p in places
    ]
    assert all((a - b).abs().max() > 1e-3 for a, b in itertools.pairwise(placed))


def test_tags_alone_leave_only_the_places_of_other_positions() -> None:
    mapper = Mapper(config(words=2, vocabulary=9), WIDTH, GRID, 16).eval()
    facts = ObjectFacts(torch.rand(2, CLASSES), torch.zeros(2, CLASSES), torch.zeros(2, CLASSES, 4))
    words = torch.randn(2, 9)
    with torch.inference_mode():
        alone = mapper.tag_prefix(words, facts)
        whole = mapper(torch.randn(2, 1 + GRID**2, WIDTH), words, facts)
    assert alone.shape == whole.shape == (2, mapper.positions, 16)
    rest = mapper.positions - 2 - 3
    assert torch.equal(alone[:, :rest], mapper.places[:rest].expand(2, -1, -1))
    torch.testing.assert_close(alone[:, rest:], whole[:, rest:])


@pytest.mark.parametrize("more", [{"objects": CLASSES + 1}, {"object_boxes": CLASSES + 1}])
def test_more_objects_than_classes_are_refused(more: dict[str, int]) -> None:
    with pytest.raises(ProfileError, match="more than its object_classes"):
        Mapper(config(**more), WIDTH, GRID, 16)
