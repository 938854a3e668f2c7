"""Towers in the hub's format: CLIP, ViT and DINOv2 behind one interface."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_models import LAYERS, PATCH, SIDE, WIDTH, picture, tiny_profile
from torch.nn import functional as F
from transformers import (
    CLIPImageProcessorPil,
    CLIPModel,
    CLIPVisionModel,
    Dinov2Model,
    ViTImageProcessorPil,
    ViTModel,
)

from model.config import ProfileError, TowerConfig
from model.vision import VisionTower, load_tower

GRID = SIDE // PATCH
NETWORKS = {"clip": CLIPVisionModel, "vit": ViTModel, "dinov2": Dinov2Model}
KINDS = [*NETWORKS, "clip-full"]


def load(hub: Path, kind: str, **changes: Any) -> VisionTower:
    return load_tower(replace(tiny_profile(hub, kind).tower, **changes))


def see(tower: VisionTower, *images: Image.Image) -> torch.Tensor:
    with torch.inference_mode():
        return tower(tower.preprocess(images))


@pytest.mark.parametrize("kind", KINDS)
def test_one_interface_for_all(hub: Path, kind: str) -> None:
    tower = load(hub, kind)
    assert (tower.image_size, tower.hidden_size, tower.grid) == (SIDE, WIDTH, GRID)
    hidden = see(tower, picture(1), picture(2, width=20, height=90))
    assert hidden.shape == (2, 1 + GRID**2, WIDTH)
    assert hidden.dtype == torch.float32
    assert not hidden[0].allclose(hidden[1], atol=0.1)
    torch.testing.assert_close(hidden[1:], see(tower, picture(2, width=20, height=90)))
    assert torch.equal(tower.complete(tower.compact(hidden)), hidden)
    assert tower.classifier() is None
    assert not tower.training
    assert not any(parameter.requires_grad for parameter in tower.parameters())


@pytest.mark.parametrize("kind", NETWORKS)
def test_the_colours_of_patches_stand_behind_their_hidden_states(hub: Path, kind: str) -> None:
    tower = load(hub, kind)
    image = Image.new("RGB", (SIDE, SIDE), "white")
    half = PATCH // 2
    image.paste(
        "red", (2 * PATCH + half, PATCH, 3 * PATCH, PATCH + half)
    )  # patch (1, 2), top right
    plain = see(tower, image)
    tower.colours = 2
    hidden = see(tower, image)
    assert hidden.shape == (1, 1 + GRID**2, WIDTH + 12)
    assert torch.equal(hidden[..., :WIDTH], plain)
    colours = hidden[0, :, WIDTH:].unflatten(1, (4, 3))
    torch.testing.assert_close(colours[0], colours[1:].mean(dim=0))
    expected = torch.ones(GRID**2, 4, 3)
    expected[GRID + 2, 1, 1:] = -1
    torch.testing.assert_close(colours[1:], expected)
    tower.colours = 1
    average = see(tower, image)[0, 1 + GRID + 2, WIDTH:]
    torch.testing.assert_close(average, torch.tensor([1, 0.5, 0.5]))
    assert torch.equal(tower.complete(tower.compact(hidden)), hidden)


def test_a_whole_clip_gives_its_vision_half(hub: Path) -> None:
    whole = CLIPModel.from_pretrained(hub / "clip-full", local_files_only=True)
    pixels = torch.randn(1, 3, SIDE, SIDE)
    with torch.inference_mode():
        expected = whole.vision_model(pixels, output_hidden_states=True).hidden_states[-1]
        torch.testing.assert_close(load(hub, "clip-full").hidden_states(pixels)[0], expected)


@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize("layer", [-1, -2, 0, LAYERS, -LAYERS - 1])
def test_the_layer_that_was_asked_for(hub: Path, kind: str, layer: int) -> None:
    network = NETWORKS[kind].from_pretrained(hub / kind, local_files_only=True)
    pixels = torch.randn(1, 3, SIDE, SIDE)
    with torch.inference_mode():
        states = network(pixels, output_hidden_states=True).hidden_states
        hidden, _ = load(hub, kind, layer=layer).hidden_states(pixels)
    assert len(states) == LAYERS + 1
    torch.testing.assert_close(hidden, states[layer])


@pytest.mark.parametrize("layer", [LAYERS + 1, -LAYERS - 2])
def test_a_layer_that_is_not_there(hub: Path, layer: int) -> None:
    with pytest.raises(ProfileError, match=rf"layer = {layer} in \[tower\].* only 3 layers\.$"):
        load(hub, "clip", layer=layer)


@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize("side", [SIDE // 2, 3 * SIDE // 2, 44])
def test_a_picture_of_another_size_than_the_tower_was_trained_on(
    hub: Path, kind: str, side: int
) -> None:
    tower = load(hub, kind, image_size=side)
    hidden = see(tower, picture(1))
    assert tower.grid == side // PATCH
    assert hidden.shape == (1, 1 + tower.grid**2, WIDTH)
    assert hidden.isfinite().all()


def test_an_unlikely_kind_is_refused_with_what_it_needs(hub: Path) -> None:
    with pytest.raises(ProfileError, match=r'needs source = "starter-wheel"\.$'):
        load_tower(TowerConfig("efficientnet-lite", str(hub / "clip"), SIDE))
    with pytest.raises(ProfileError, match=r"holds a tower of kind 'efficientnet-lite' only\.$"):
        load_tower(TowerConfig("clip", "starter-wheel", 224))


# --- pixels ----------------------------------------------------------------------------------


def test_pixels_are_the_whole_picture_resized_and_never_cropped(hub: Path) -> None:
    wide = Image.new("RGB", (120, 30), "black")
    wide.paste("white", (0, 0, 30, 30))  # the leftmost quarter: a centre crop would miss it
    pixels = load(hub, "clip").preprocess([wide])
    assert pixels.shape == (1, 3, SIDE, SIDE)
    assert pixels.dtype == torch.uint8
    assert (pixels[0, :, :, : SIDE // 4 - 2] > 250).all()
    assert (pixels[0, :, :, SIDE // 4 + 2 :] < 5).all()


@pytest.mark.parametrize(
    ("kind", "processor"), [("clip", CLIPImageProcessorPil), ("vit", ViTImageProcessorPil)]
)
def test_pixels_are_normalised_as_the_library_does(hub: Path, kind: str, processor: Any) -> None:
    size = {"height": SIDE, "width": SIDE}
    resample = Image.Resampling.BICUBIC
    theirs = processor(size=size, resample=resample, do_center_crop=False)
    images = [picture(1), picture(2, width=90)]
    expected = torch.from_numpy(np.stack(theirs(images)["pixel_values"]))
    tower = load(hub, kind)
    tower.hidden_states = lambda pixels: (pixels, None)  # type: ignore[method-assign]
    torch.testing.assert_close(see(tower, *images), expected.float(), atol=1e-5, rtol=1e-5)


def test_dinov2_pixels_have_the_mean_and_spread_of_imagenet(hub: Path) -> None:
    tower = load(hub, "dinov2")
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    tower.hidden_states = lambda pixels: (pixels, None)  # type: ignore[method-assign]
    grey = see(tower, Image.new("RGB", (5, 5), (51, 102, 204)))
    expected = (torch.tensor([0.2, 0.4, 0.8]) - mean) / std
    torch.testing.assert_close(grey[0, :, 7, 7], expected)


def test_patches_come_row_by_row_after_the_global_state(hub: Path) -> None:
    """A picture that changes in one patch changes that patch's state most."""
    tower = load(hub, "clip", layer=0)  # before any attention: only that patch may change
    plain, marked = Image.new("RGB", (SIDE, SIDE)), Image.new("RGB", (SIDE, SIDE))
    row, column = 1, 3
    marked.paste("red", (column * PATCH, row * PATCH, (column + 1) * PATCH, (row + 1) * PATCH))
    with torch.inference_mode():
        change = F.pairwise_distance(see(tower, plain), see(tower, marked))[0]
    assert change.argmax() == 1 + row * GRID + column
