from __future__ import annotations

import random
from pathlib import Path

import pytest
import torch
from PIL import Image, ImageOps
from tiny_models import tiny_profile

from data.datasets.transforms import load_crop
from data.errors import DataError
from finetune.image_features import CropFeatures, Encoder
from finetune.packing import Group
from finetune.sampler import Visit
from model.adapter import load_base

NOTHING = Group((), has_picture=True)


@pytest.fixture
def crops(hub: Path, data: Path) -> CropFeatures:
    profile = tiny_profile(hub)
    return CropFeatures(data, Encoder(load_base(profile).tower, profile.tower, False))


def visit(
    draw: float, sided: bool = False, image: str = "images/train_1.png", whole: bool = False
) -> Visit:
    return Visit(image, NOTHING, draw, sided, whole=whole)


def test_each_draw_is_another_crop_and_the_same_draw_the_same(crops: CropFeatures) -> None:
    one, two = crops([visit(0.1), visit(0.7)]), crops([visit(0.7)])
    assert one.shape[1:] == (17, 32)
    torch.testing.assert_close(one[1], two[0])


def test_what_is_drawn_and_then_learnt_is_encoded_once(
    crops: CropFeatures, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded = []
    monkeypatch.setattr(
        "finetune.image_features.load_crop", lambda *args: encoded.append(args) or load_crop(*args)
    )
    first = crops([visit(0.7)])
    both = crops([visit(0.1), visit(0.7)])
    assert len(encoded) == 2
    assert torch.equal(both[1], first[0])
    crops([visit(0.2)])
    assert len(crops._seen) == 1


def test_crops_keep_most_of_a_picture_and_mirror_some(tmp_path: Path) -> None:
    gradient = Image.linear_gradient("L").rotate(90).convert("RGB")  # darker on one side
    gradient.save(tmp_path / "a.png")
    left, right = [], []
    for seed in range(30):
        for mirrored, found in ((False, left), (True, right)):
            crop = load_crop(tmp_path / "a.png", random.Random(seed), mirrored)
            assert min(crop.size) >= 0.75 * 256
            found.append(crop.getpixel((0, 0))[0] - crop.getpixel((crop.width - 1, 0))[0])
    assert len({*left}) > 5
    assert left == [-difference for difference in right]


def test_sided_visits_are_never_mirrored(
    crops: CropFeatures, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def watch(path: Path, rng: random.Random, mirrored: bool) -> object:
        seen.append(mirrored)
        return load_crop(path, rng, mirrored)

    monkeypatch.setattr("finetune.image_features.load_crop", watch)
    crops([visit(draw / 20, sided=True) for draw in range(20)])
    assert not any(seen)
    crops([visit(draw / 20) for draw in range(20)])
    assert any(seen)


def test_whole_visits_see_all_of_the_picture_or_its_mirror_image(tmp_path: Path, hub: Path) -> None:
    gradient = Image.linear_gradient("L").rotate(90).convert("RGB")  # darker on one side
    gradient.save(tmp_path / "a.png")
    profile = tiny_profile(hub)
    encoder = Encoder(load_base(profile).tower, profile.tower, False)
    crops = CropFeatures(tmp_path, encoder)
    plain, mirrored = torch.from_numpy(encoder([gradient, ImageOps.mirror(gradient)])).float()
    draws = [draw / 20 for draw in range(20)]
    seen = crops([visit(draw, image="a.png", whole=True) for draw in draws])
    found = [torch.equal(states, plain) for states in seen]
    assert 3 < sum(found) < 17
    assert all(
        torch.equal(states, mirrored) for states, it in zip(seen, found, strict=True) if not it
    )
    sided = crops([visit(draw, sided=True, image="a.png", whole=True) for draw in draws])
    assert all(torch.equal(states, plain) for states in sided)
    cropped = crops([visit(draw, image="a.png") for draw in draws])  # of the same draws
    assert not any(torch.equal(a, b) for a, b in zip(cropped, seen, strict=True))


def test_a_missing_picture_is_one_sentence(crops: CropFeatures) -> None:
    with pytest.raises(DataError, match=r"gone\.png is missing or cannot be read"):
        crops([visit(0.1, image="images/gone.png")])
