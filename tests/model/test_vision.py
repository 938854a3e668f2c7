"""Towers behind one interface: CLIP, ViT and DINOv2 in the hub's format, and EfficientNet-Lite."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from tiny_models import LAYERS, PATCH, SIDE, WIDTH, picture, seeded, tiny_profile
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import (
    CLIPImageProcessorPil,
    CLIPModel,
    CLIPVisionConfig,
    CLIPVisionModel,
    Dinov2Model,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    ViTImageProcessorPil,
    ViTModel,
)
from transformers.initialization import no_init_weights

from model import vision
from model.config import TowerConfig, load_profile
from model.errors import ProfileError
from model.mapper import Mapper
from model.vision import (
    CLIP_MEAN,
    CLIP_STD,
    EfficientNetLiteTower,
    TransformerTower,
    VisionTower,
    load_tower,
)

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


# --- EfficientNet-Lite, with random weights ---------------------------------------------------


LITE_SIDE = 64


@pytest.fixture(scope="module")
def tower() -> EfficientNetLiteTower:
    """A random network whose batch norms do something."""
    with seeded(0):
        made = EfficientNetLiteTower("efficientnet-lite0", LITE_SIDE)
        for module in made.modules():
            if isinstance(module, nn.BatchNorm2d):
                nn.init.normal_(module.running_mean, 0, 0.2)
                nn.init.uniform_(module.running_var, 0.5, 2)
                nn.init.uniform_(module.weight, 0.5, 1.5)
                nn.init.normal_(module.bias, 0, 0.2)
    return made.eval().requires_grad_(False)


def lite_states(tower: EfficientNetLiteTower, side: int = LITE_SIDE) -> Tensor:
    tower.image_size = side
    with torch.inference_mode():
        return tower(tower.preprocess([picture(1), picture(2)]))


@pytest.mark.parametrize(
    ("variant", "grids"), [("efficientnet-lite0", [8, 8]), ("efficientnet-lite2", [8, 9])]
)
def test_the_grid_is_as_large_as_the_feature_map(
    variant: str, grids: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    network = EfficientNetLiteTower(variant, 32).net  # drawing random weights takes long
    monkeypatch.setattr("efficientnet_lite_pytorch.EfficientNet.from_name", lambda _: network)
    for side in (32, 64, 97, 100, 257):
        tower = EfficientNetLiteTower(variant, side).eval()
        with torch.inference_mode():
            assert tower(torch.zeros(1, 3, side, side)).shape == (1, 1 + tower.grid**2, 1280)
    assert [EfficientNetLiteTower(variant, side).grid for side in (256, 260)] == grids


def test_position_zero_is_the_mean_of_the_patches(tower: EfficientNetLiteTower) -> None:
    hidden = lite_states(tower)
    assert hidden.shape == (2, 5, 1280)
    torch.testing.assert_close(hidden[:, 0], hidden[:, 1:].mean(dim=1))


def test_patches_come_row_by_row(tower: EfficientNetLiteTower) -> None:
    with torch.inference_mode():
        pixels = tower.preprocess([picture(1)])
        features = tower.net.extract_features((pixels.float() - 127) / 128)  # (1, D, 2, 2)
    torch.testing.assert_close(lite_states(tower)[0, 2], features[0, :, 0, 1], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(lite_states(tower)[0, 3], features[0, :, 1, 0], atol=1e-4, rtol=1e-4)


def test_stored_states_leave_out_the_mean_and_get_it_back(tower: EfficientNetLiteTower) -> None:
    hidden = lite_states(tower)
    stored = tower.compact(hidden)
    assert stored.shape == (2, 4, 1280)
    torch.testing.assert_close(tower.complete(stored), hidden)


def test_folded_batch_norms_give_the_same_numbers(tower: EfficientNetLiteTower) -> None:
    folded = copy.deepcopy(tower)
    folded.fold_batch_norm()
    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded.modules())
    before, after = lite_states(tower), lite_states(folded)
    assert before.std() > 0.01
    torch.testing.assert_close(after, before, atol=1e-3, rtol=1e-3)
    folded.fold_batch_norm()  # a second time changes nothing
    assert torch.equal(lite_states(folded), after)


def test_the_classifier_reads_the_global_state(tower: EfficientNetLiteTower) -> None:
    weight, bias = tower.classifier()
    assert (weight.shape, bias.shape) == ((1000, 1280), (1000,))
    with torch.inference_mode():
        theirs = tower.net((tower.preprocess([picture(1), picture(2)]).float() - 127) / 128)
    ours = lite_states(tower)[:, 0] @ weight.T + bias
    torch.testing.assert_close(ours, theirs, atol=1e-3, rtol=1e-3)


def test_the_starters_weights_are_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved = EfficientNetLiteTower("efficientnet-lite2", LITE_SIDE)
    file = tmp_path / "efficientnet-lite2.safetensors"
    save_file({k: v.contiguous() for k, v in saved.net.state_dict().items()}, file)
    monkeypatch.setattr(vision, "starter_tower", lambda **_: file)
    loaded = load_tower(TowerConfig("efficientnet-lite", "starter-wheel", LITE_SIDE))
    assert isinstance(loaded, EfficientNetLiteTower)
    assert not loaded.training
    torch.testing.assert_close(lite_states(loaded), lite_states(saved.eval()))


def test_its_last_blocks_can_learn(tower: EfficientNetLiteTower) -> None:
    tuned, pixels = copy.deepcopy(tower), torch.randint(0, 255, (2, 3, LITE_SIDE, LITE_SIDE))
    tuned.unfreeze_blocks(2)
    names = {name.split(".")[1] for name in tuned.tuned_state()}
    assert names == {"_blocks", "_conv_head", "_bn1"}
    last = f"net._blocks.{len(tuned.net._blocks) - 1}."
    assert all(n.startswith(last) for n in tuned.tuned_state() if "_blocks" in n)
    hidden = tuned(pixels)
    torch.testing.assert_close(hidden, tower(pixels))  # and batch norms keep their statistics
    hidden.pow(2).sum().backward()
    learning = [p for p in tuned.parameters() if p.requires_grad]
    assert all(p.grad is not None and p.grad.any() for p in learning)
    with torch.no_grad():
        for parameter in learning:
            parameter.add_(0.01)
    fresh = copy.deepcopy(tower)
    fresh.load_tuned_state(tuned.tuned_state())
    torch.testing.assert_close(fresh(pixels), tuned(pixels))
    with pytest.raises(ValueError, match="has only"):
        tuned.unfreeze_blocks(99)


# --- the flagship's published configurations, with random weights -----------------------------


CLIP_B: dict[str, Any] = {  # openai/clip-vit-base-patch32 and -patch16
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "image_size": 224,
    "projection_dim": 512,
    "hidden_act": "quick_gelu",
    "layer_norm_eps": 1e-5,
}
PYTHIA_160M: dict[str, Any] = {  # EleutherAI/pythia-160m
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "vocab_size": 50304,
    "max_position_embeddings": 2048,
    "rotary_pct": 0.25,
    "rotary_emb_base": 10000,
    "use_parallel_residual": True,
    "tie_word_embeddings": False,
    "bos_token_id": 0,
    "eos_token_id": 0,
}


def filled(network: nn.Module) -> Any:
    """Random weights, each tensor one small draw over and over: real draws of 10⁸ take seconds."""
    draw = torch.randn(65_521) * 0.02  # a prime: rows do not repeat
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if parameter.ndim == 1:
                parameter.fill_(1.0 if "norm" in name and name.endswith("weight") else 0.0)
                continue
            for part in parameter.view(-1).split(len(draw)):
                part.copy_(draw[: len(part)])
    return network.eval().requires_grad_(False)


def clip_b(patch: int) -> TransformerTower:
    with no_init_weights():
        network = CLIPVisionModel(CLIPVisionConfig(**CLIP_B, patch_size=patch))
    config = load_profile("clip-pythia").tower
    source = config.source.replace("patch32", f"patch{patch}")
    return TransformerTower(filled(network), replace(config, source=source), CLIP_MEAN, CLIP_STD)


@pytest.mark.parametrize(("patch", "states", "millions"), [(32, 50, 87.5), (16, 197, 85.8)])
def test_clip_gives_pythia_a_prefix_of_the_right_size(
    patch: int, states: int, millions: float
) -> None:
    profile, clip = load_profile("clip-pythia"), clip_b(patch)
    assert sum(p.numel() for p in clip.parameters()) / 1e6 == pytest.approx(millions, abs=0.1)
    detail = (clip.detail_size, clip.detail_side)
    width = PYTHIA_160M["hidden_size"]
    mapper = Mapper(profile.mapper, clip.hidden_size, clip.grid, width, detail=detail).eval()
    mapper.fit_scale(torch.randn(500, width) * 0.02)
    with torch.inference_mode():
        hidden = clip(clip.preprocess([picture(1)]))
        prefix = mapper(hidden)
    assert hidden.shape == (1, states, 768 + 768)  # of the last layer, and of the eighth
    assert mapper.positions == states + 8  # objects
    assert prefix.shape == (1, mapper.positions, 768)
    assert mapper.objects is not None
    assert mapper.objects.head.grid**2 == states - 1
    assert prefix.isfinite().all()
    assert prefix.std() > 0.005


def test_pythia_takes_such_a_prefix_and_has_as_many_parameters_as_published() -> None:
    with torch.device("meta"):  # shapes without numbers
        pythia = GPTNeoXForCausalLM(GPTNeoXConfig(**PYTHIA_160M))
        logits = pythia(inputs_embeds=torch.zeros(1, 58, 768), logits_to_keep=1).logits
    assert logits.shape == (1, 1, 50304)
    assert sum(p.numel() for p in pythia.parameters()) == 162_322_944
