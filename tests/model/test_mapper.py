"""The mapper: what stands where in a prefix, and what a profile may not ask for."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import functional as F

from model.config import MapperConfig
from model.errors import ProfileError
from model.mapper import ClassTags, Mapper, pixel_shuffle

D, C, CLASSES = 10, 6, 7  # widths of hidden states and prefix, classes of the tower


def make(grid: int = 4, classes: int = 0, **config: Any) -> Mapper:
    kind = config.pop("kind", "mlp")
    return Mapper(MapperConfig(kind, hidden_size=12, **config), D, grid, C, classes).eval()


def states(grid: int = 4, batch: int = 3) -> torch.Tensor:
    return torch.randn(batch, 1 + grid**2, D)


# --- shapes ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("grid", "config", "positions"),
    [
        (4, {}, 17),
        (4, {"shuffle": 2}, 5),
        (4, {"shuffle": 4}, 2),
        (6, {"shuffle": 3}, 5),
        (7, {}, 50),
        (4, {"kind": "resampler", "queries": 5}, 5),
        (7, {"kind": "resampler", "queries": 3, "layers": 1}, 3),
        (4, {"classes": CLASSES, "tags": 3}, 20),
        (4, {"classes": CLASSES, "tags": 3, "quarter_tags": 2}, 28),
        (5, {"classes": CLASSES, "tags": 2, "quarter_tags": 1}, 32),
        (4, {"kind": "resampler", "queries": 5, "classes": CLASSES, "tags": 1}, 6),
        (4, {"shuffle": 2, "words": 3, "vocabulary": 9}, 8),
        (4, {"shuffle": 2, "words": 2, "vocabulary": 9, "classes": CLASSES, "tags": 1}, 8),
    ],
)
def test_positions(grid: int, config: dict[str, Any], positions: int) -> None:
    mapper = make(grid, **config)
    assert mapper.positions == positions
    assert mapper(states(grid)).shape == (3, positions, C)


@pytest.mark.parametrize("config", [{}, {"shuffle": 2}, {"kind": "resampler", "queries": 4}])
def test_pictures_of_a_batch_do_not_see_each_other(config: dict[str, Any]) -> None:
    mapper, hidden = make(**config), states()
    torch.testing.assert_close(mapper(hidden)[1:2], mapper(hidden[1:2]))


@pytest.mark.parametrize("kind", ["mlp", "resampler"])
def test_every_weight_learns(kind: str) -> None:
    mapper = make(kind=kind, queries=4, classes=CLASSES, tags=2, quarter_tags=1).train()
    assert mapper.tags is not None
    mapper.tags.set_classifier(torch.randn(CLASSES, D), torch.randn(CLASSES))
    mapper(states()).pow(2).sum().backward()
    silent = [n for n, p in mapper.named_parameters() if p.grad is None or not p.grad.any()]
    assert silent == []


def test_colours_add_to_the_position_of_their_patches_and_at_first_nothing() -> None:
    mapper = make(shuffle=2, colours=1)
    hidden = torch.cat([states(), torch.rand(3, 17, 3)], dim=-1)
    other = hidden.clone()
    other[:, 1 + 6, D:] -= 1  # row 1, column 2: in the second position of the patches
    assert mapper.colours is not None
    with torch.no_grad():
        torch.testing.assert_close(mapper(other), mapper(hidden))
        mapper.colours.layers[2].weight.normal_()
        changed = (mapper(other) - mapper(hidden)).abs().amax(dim=(0, 2)) > 1e-4
        assert changed.tolist() == [False, False, True, False, False]


def test_dropout_only_while_training() -> None:
    mapper, hidden = make(dropout=0.5), states()
    assert torch.equal(mapper(hidden), mapper(hidden))
    mapper.train()
    assert not torch.equal(mapper(hidden), mapper(hidden))


# --- places ----------------------------------------------------------------------------------


def test_pixel_shuffle_puts_every_patch_where_it_belongs() -> None:
    grid, side = 6, 3
    rows, columns = torch.meshgrid(torch.arange(grid), torch.arange(grid), indexing="ij")
    patches = torch.stack([rows, columns], dim=-1).reshape(1, grid**2, 2)  # each names its place
    folded = pixel_shuffle(patches, grid, side)
    assert folded.shape == (1, 4, side**2 * 2)
    for block_row in range(2):
        for block_column in range(2):
            cell = folded[0, 2 * block_row + block_column].view(side, side, 2)
            for row in range(side):
                for column in range(side):
                    place = [side * block_row + row, side * block_column + column]
                    assert cell[row, column].tolist() == place


def test_pixel_shuffle_loses_nothing_and_by_one_changes_nothing() -> None:
    patches = torch.randn(2, 16, D)
    assert torch.equal(pixel_shuffle(patches, 4, 1), patches)
    folded = pixel_shuffle(patches, 4, 2)
    back = folded.view(2, 2, 2, 2, 2, D).permute(0, 1, 3, 2, 4, 5).reshape(2, 16, D)
    assert torch.equal(back, patches)


@pytest.mark.parametrize(
    ("state", "position"),
    [(1 + 4 * 2 + 1, 3), (0, 0)],  # row 2, column 1: the third of the four blocks; the global one
)
def test_a_state_changes_its_own_position_alone(state: int, position: int) -> None:
    mapper, hidden = make(shuffle=2), states(batch=1)
    changed = hidden.clone()
    changed[0, state] += torch.randn(D)
    moved = (mapper(changed) - mapper(hidden)).abs().amax(dim=-1)[0]
    assert (moved > 1e-6).nonzero().flatten().tolist() == [position]


# --- scale -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["mlp", "resampler"])
def test_a_prefix_starts_as_large_as_token_embeddings(kind: str) -> None:
    mapper, embeddings = make(kind=kind, queries=8), torch.randn(100, C) * 0.37
    mapper.fit_scale(embeddings)
    assert mapper.scale.item() == pytest.approx(embeddings.pow(2).mean().sqrt().item())
    with torch.no_grad():
        mapper.places.zero_()
    size = mapper(states(batch=20)).pow(2).mean().sqrt().item()
    assert size == pytest.approx(0.37, rel=0.1)


# --- tags ------------------------------------------------------------------------------------


def tags_of(grid: int, whole: int, quarter: int) -> ClassTags:
    """Tags whose classifier reads the class off the largest of the first states' numbers."""
    config = MapperConfig("mlp", tags=whole, quarter_tags=quarter)
    tags = ClassTags(config, grid, D, CLASSES, C)
    tags.set_classifier(torch.eye(CLASSES, D) * 9, torch.zeros(CLASSES))
    return tags


@pytest.mark.parametrize("grid", [4, 5])
def test_tags_name_the_classes_of_the_whole_and_of_each_quarter(grid: int) -> None:
    tags = tags_of(grid, whole=2, quarter=1)
    hidden = torch.zeros(1, 1 + grid**2, D)
    hidden[0, 0, 5], hidden[0, 0, 2] = 2.0, 1.0
    cells = hidden[0, 1:].view(grid, grid, D)
    half = grid // 2
    cells[:half, :half, 0] = cells[:half, -half:, 1] = 3.0
    cells[-half:, :half, 3] = cells[-half:, -half:, 4] = 3.0
    expected = tags.names(torch.tensor([5, 2, 0, 1, 3, 4]))
    torch.testing.assert_close(tags(hidden)[0], expected)


def test_tags_tell_how_certain_they_are() -> None:
    tags, hidden = tags_of(4, whole=1, quarter=0), torch.randn(2, 17, D)
    with torch.no_grad():
        tags.certainty.fill_(1.0)
    logits = F.linear(hidden[:, 0], tags.head_weight, tags.head_bias)
    probability, best = logits.softmax(dim=-1).max(dim=-1)
    torch.testing.assert_close(tags(hidden)[:, 0], tags.names(best) + probability[:, None])


def test_words_name_what_the_detector_finds_most_probable_first() -> None:
    words = make(words=3, vocabulary=9).words
    assert words is not None
    logits = torch.tensor([-3.0, 2, -1, 0, 5, -2, 1, 4, -4])
    with torch.no_grad():
        words.detector[-1].weight.zero_()
        words.detector[-1].bias.copy_(logits)
        words.certainty.fill_(1.0)
    best = torch.tensor([4, 7, 1])
    expected = words.names(best) + logits[best].sigmoid()[:, None]
    torch.testing.assert_close(words(states())[1], expected)


def test_words_come_last_and_look_at_the_global_state_alone() -> None:
    mapper, hidden = make(shuffle=2, words=2, vocabulary=9), states(batch=1)
    with torch.no_grad():
        mapper.words.certainty.fill_(1.0)  # type: ignore[union-attr]
    changed = hidden.clone()
    changed[0, 1:] += torch.randn(16, D)
    moved = (mapper(changed) - mapper(hidden)).abs().amax(dim=-1)[0]
    assert [bool(change > 1e-6) for change in moved] == [False] + [True] * 4 + [False] * 2
    changed[0, 0] += torch.randn(D)
    moved = (mapper(changed) - mapper(hidden)).abs().amax(dim=-1)[0]
    assert (moved > 1e-6).all()


def test_the_word_detector_does_not_learn_but_its_names_do() -> None:
    mapper = make(words=2, vocabulary=9).train()
    mapper(states()).pow(2).sum().backward()
    still = {name for name, p in mapper.named_parameters() if not p.requires_grad}
    assert still == {name for name, _ in mapper.named_parameters() if "detector" in name}
    assert mapper.words is not None
    assert mapper.words.names.weight.grad is not None
    assert mapper.words.names.weight.grad.any()


def test_the_towers_classifier_is_not_saved_with_the_adapter() -> None:
    state = make(classes=CLASSES, tags=1).state_dict()
    assert not [name for name in state if "head" in name]
    assert "tags.names.weight" in state


# --- refusals --------------------------------------------------------------------------------


@pytest.mark.parametrize("shuffle", [3, 5, 0])
def test_a_shuffle_that_does_not_divide_the_grid(shuffle: int) -> None:
    with pytest.raises(ProfileError, match=rf"^shuffle = {shuffle} in \[mapper\] .* grid of 4\.$"):
        make(shuffle=shuffle)


def test_tags_of_a_tower_without_a_classifier() -> None:
    with pytest.raises(ProfileError, match=r"^tags in \[mapper\] need a tower with a classifier"):
        make(tags=3)


def test_more_words_than_are_known() -> None:
    with pytest.raises(ProfileError, match=r"^words in \[mapper\] are more than its vocabulary"):
        make(words=9, vocabulary=8)


@pytest.mark.parametrize("config", [{"tags": CLASSES + 1}, {"tags": 1, "quarter_tags": 99}])
def test_more_tags_than_classes(config: dict[str, int]) -> None:
    with pytest.raises(ProfileError, match=r"tower's classifier knows only 7 classes"):
        make(classes=CLASSES, **config)


def test_quarters_of_a_grid_of_one() -> None:
    with pytest.raises(ProfileError, match="quarter_tags"):
        make(grid=1, classes=CLASSES, tags=1, quarter_tags=1)
