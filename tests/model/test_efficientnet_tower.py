"""The starter's tower, with random weights."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from tiny_models import picture, seeded
from torch import Tensor, nn

from model import vision
from model.config import TowerConfig
from model.tuning import set_tuned, tune, tuned_state
from model.vision import EfficientNetLiteTower, load_tower

SIDE = 64


@pytest.fixture(scope="module")
def tower() -> EfficientNetLiteTower:
    """A random network whose batch norms do something."""
    with seeded(0):
        made = EfficientNetLiteTower("efficientnet-lite0", SIDE)
        for module in made.modules():
            if isinstance(module, nn.BatchNorm2d):
                nn.init.normal_(module.running_mean, 0, 0.2)
                nn.init.uniform_(module.running_var, 0.5, 2)
                nn.init.uniform_(module.weight, 0.5, 1.5)
                nn.init.normal_(module.bias, 0, 0.2)
    return made.eval().requires_grad_(False)


def see(tower: EfficientNetLiteTower, side: int = SIDE) -> Tensor:
    tower.image_size = side
    with torch.inference_mode():
        return tower(tower.preprocess([picture(1), picture(2)]))


@pytest.mark.parametrize("variant", ["efficientnet-lite0", "efficientnet-lite2"])
@pytest.mark.parametrize("side", [32, 64, 97, 100, 257])
def test_the_grid_is_as_large_as_the_feature_map(variant: str, side: int) -> None:
    tower = EfficientNetLiteTower(variant, side).eval()
    with torch.inference_mode():
        assert tower(torch.zeros(1, 3, side, side)).shape == (1, 1 + tower.grid**2, 1280)


def test_the_starters_grid() -> None:
    assert EfficientNetLiteTower("efficientnet-lite2", 256).grid == 8
    assert EfficientNetLiteTower("efficientnet-lite2", 260).grid == 9


def test_position_zero_is_the_mean_of_the_patches(tower: EfficientNetLiteTower) -> None:
    hidden = see(tower)
    assert hidden.shape == (2, 5, 1280)
    torch.testing.assert_close(hidden[:, 0], hidden[:, 1:].mean(dim=1))


def test_patches_come_row_by_row(tower: EfficientNetLiteTower) -> None:
    with torch.inference_mode():
        pixels = tower.preprocess([picture(1)])
        features = tower.net.extract_features((pixels.float() - 127) / 128)  # (1, D, 2, 2)
    torch.testing.assert_close(see(tower)[0, 2], features[0, :, 0, 1], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(see(tower)[0, 3], features[0, :, 1, 0], atol=1e-4, rtol=1e-4)


def test_stored_states_leave_out_the_mean_and_get_it_back(tower: EfficientNetLiteTower) -> None:
    hidden = see(tower)
    stored = tower.compact(hidden)
    assert stored.shape == (2, 4, 1280)
    torch.testing.assert_close(tower.complete(stored), hidden)


def test_folded_batch_norms_give_the_same_numbers(tower: EfficientNetLiteTower) -> None:
    folded = copy.deepcopy(tower)
    folded.fold_batch_norm()
    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded.modules())
    before, after = see(tower), see(folded)
    assert before.std() > 0.01
    torch.testing.assert_close(after, before, atol=1e-3, rtol=1e-3)
    folded.fold_batch_norm()  # a second time changes nothing
    assert torch.equal(see(folded), after)


def test_the_classifier_reads_the_global_state(tower: EfficientNetLiteTower) -> None:
    weight, bias = tower.classifier()
    assert (weight.shape, bias.shape) == ((1000, 1280), (1000,))
    with torch.inference_mode():
        theirs = tower.net((tower.preprocess([picture(1), picture(2)]).float() - 127) / 128)
    ours = see(tower)[:, 0] @ weight.T + bias
    torch.testing.assert_close(ours, theirs, atol=1e-3, rtol=1e-3)


def test_the_starters_weights_are_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved = EfficientNetLiteTower("efficientnet-lite2", SIDE)
    file = tmp_path / "efficientnet-lite2.safetensors"
    save_file({k: v.contiguous() for k, v in saved.net.state_dict().items()}, file)
    monkeypatch.setattr(vision, "starter_tower", lambda: file)
    loaded = load_tower(TowerConfig("efficientnet-lite", "starter-wheel", SIDE))
    assert isinstance(loaded, EfficientNetLiteTower)
    assert not loaded.training
    torch.testing.assert_close(see(loaded), see(saved.eval()))


def test_its_last_blocks_can_learn(tower: EfficientNetLiteTower) -> None:
    tuned, pixels = copy.deepcopy(tower), torch.randint(0, 255, (2, 3, SIDE, SIDE))
    tune(tuned, 2)
    names = {name.split(".")[1] for name in tuned_state(tuned)}
    assert names == {"_blocks", "_conv_head", "_bn1"}
    last = f"net._blocks.{len(tuned.net._blocks) - 1}."
    assert all(n.startswith(last) for n in tuned_state(tuned) if "_blocks" in n)
    hidden = tuned(pixels)
    torch.testing.assert_close(hidden, tower(pixels))  # and batch norms keep their statistics
    hidden.pow(2).sum().backward()
    learning = [p for p in tuned.parameters() if p.requires_grad]
    assert all(p.grad is not None and p.grad.any() for p in learning)
    with torch.no_grad():
        for parameter in learning:
            parameter.add_(0.01)
    fresh = copy.deepcopy(tower)
    set_tuned(fresh, tuned_state(tuned))
    torch.testing.assert_close(fresh(pixels), tuned(pixels))
    with pytest.raises(ValueError, match="has only"):
        tune(tuned, 99)
