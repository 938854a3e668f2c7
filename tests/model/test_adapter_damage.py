"""Adapters that cannot be used: one plain sentence each, whatever is wrong with them."""

from __future__ import annotations

import json
import shutil
import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tomli_w
import torch
from safetensors.torch import load_file, save_file
from tiny_models import LAYERS, make_languages, save_tiny_adapter, seeded, tiny_profile

from model.adapter import load_trained
from model.config import LanguageConfig, MapperConfig, Profile, TowerConfig
from model.errors import AdapterError
from model.hub import silence_libraries

DAMAGED = "is damaged or made for another model; install Glimpse again or train it anew."


@pytest.fixture(scope="module")
def saved(hub: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saved") / "adapter"
    save_tiny_adapter(folder, tiny_profile(hub), calibration={"answer_slope": 1.5})
    return folder


@pytest.fixture
def profile(saved: Path, hub: Path, tmp_path: Path) -> Profile:
    shutil.copytree(saved, tmp_path / "adapter")
    return replace(tiny_profile(hub), adapter=str(tmp_path / "adapter"))


def refusal(profile: Profile) -> str:
    """The sentence that refuses a profile's adapter."""
    with pytest.raises(AdapterError) as caught:
        load_trained(profile)
    sentence = str(caught.value)
    assert sentence.endswith(".")
    assert "\n" not in sentence
    assert len(sentence) < 300
    return sentence


def change_card(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    card = tomllib.loads((folder / "adapter.toml").read_text())
    change(card)
    (folder / "adapter.toml").write_text(tomli_w.dumps(card))


def change_tensors(path: Path, change: Callable[[dict[str, torch.Tensor]], Any]) -> None:
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path)


def test_the_undamaged_adapter_loads(profile: Profile) -> None:
    _, calibration = load_trained(profile)
    assert calibration.answer_slope == 1.5


# --- files -----------------------------------------------------------------------------------


def test_no_adapter_at_all(profile: Profile, tmp_path: Path) -> None:
    missing = replace(profile, adapter=str(tmp_path / "elsewhere"))
    assert "There is no adapter in" in refusal(missing)
    assert "train one with `glimpse train`" in refusal(missing)


FILES = ["prefix.safetensors", "lora/adapter_model.safetensors", "lora/adapter_config.json"]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("how", ["missing", "truncated", "empty", "garbage", "directory"])
def test_a_damaged_file(profile: Profile, name: str, how: str) -> None:
    path = profile.adapter_folder / name
    content = path.read_bytes()
    path.unlink()
    if how == "directory":
        path.mkdir()
    elif how != "missing":
        half = content[: len(content) // 2]
        left = {"truncated": half, "empty": b"", "garbage": b"\x80\x04" * 99}
        path.write_bytes(left[how])
    assert DAMAGED in refusal(profile)


@pytest.mark.parametrize(
    "content",
    [
        b"prompt_version = ",
        b"\xff\xfe",
        b"",
        b"prompt_version = 1",
        b"prompt_version = 1\nbase = 3",
        b'prompt_version = 1\nbase = "clip"',
        b"prompt_version = 1\n[base]",
        b"prompt_version = 1\n[base]\nmapper = 3",
        b"prompt_version = 1\n[base.mapper]\nkid = 'mlp'",
    ],
)
def test_a_damaged_card(profile: Profile, content: bytes) -> None:
    (profile.adapter_folder / "adapter.toml").write_bytes(content)
    assert "The file adapter.toml in" in refusal(profile)


@pytest.mark.parametrize("calibration", [3, "steep", {"answer_slope": "x"}, {"answer_slope": []}])
def test_a_damaged_calibration(profile: Profile, calibration: object) -> None:
    folder = profile.adapter_folder
    change_card(folder, lambda card: card.update(calibration=calibration))
    assert "The calibration in adapter.toml in" in refusal(profile)


# --- weights ---------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["shape", "missing", "needless"])
@pytest.mark.parametrize("name", ["prefix.safetensors", "lora/adapter_model.safetensors"])
def test_weights_that_do_not_fit(profile: Profile, name: str, how: str) -> None:
    def change(tensors: dict[str, torch.Tensor]) -> None:
        first = sorted(tensors)[0]
        value = tensors.pop(first)
        if how == "shape":
            tensors[first] = torch.zeros(*value.shape, 2)
        elif how == "needless":
            tensors |= {first: value, first.replace("0", "7") + ".weight": value.clone()}

    change_tensors(profile.adapter_folder / name, change)
    assert DAMAGED in refusal(profile)


@pytest.mark.parametrize("name", ["prefix.safetensors", "lora/adapter_model.safetensors"])
def test_weights_that_are_no_numbers(profile: Profile, name: str) -> None:
    path = profile.adapter_folder / name
    change_tensors(path, lambda tensors: [value.fill_(torch.nan) for value in tensors.values()])
    assert DAMAGED in refusal(profile)


def test_a_lora_of_modules_that_are_not_there(profile: Profile) -> None:
    path = profile.adapter_folder / "lora/adapter_config.json"
    config = json.loads(path.read_text()) | {"target_modules": ["q_proj"]}
    path.write_text(json.dumps(config))
    assert DAMAGED in refusal(profile)


# --- another base ----------------------------------------------------------------------------


def without_sums(profile: Profile) -> Profile:
    """An adapter as older versions wrote them, which knows no SHA-256 of its base."""

    def forget(card: dict[str, Any]) -> None:
        del card["base"]["tower_sha256"], card["base"]["language_sha256"], card["base"]["layer"]

    change_card(profile.adapter_folder, forget)
    return profile


def test_an_older_card_without_sums_still_loads(profile: Profile) -> None:
    load_trained(without_sums(profile))


def test_an_unknown_sum_is_no_refusal(profile: Profile) -> None:
    folder = profile.adapter_folder
    change_card(folder, lambda card: card["base"].update(tower_sha256=""))
    load_trained(profile)


def test_prompts_of_another_version(profile: Profile) -> None:
    change_card(profile.adapter_folder, lambda card: card.update(prompt_version=0))
    assert "trained with prompts of version 0, but this Glimpse speaks version 1" in refusal(
        profile
    )


@pytest.mark.parametrize(
    "mapper", [MapperConfig("mlp", 24, shuffle=1), MapperConfig("resampler", 24, shuffle=2)]
)
def test_another_mapper(profile: Profile, mapper: MapperConfig) -> None:
    assert "for another tower or mapper" in refusal(replace(profile, mapper=mapper))


def test_another_layer_kind_or_weights_of_the_tower(profile: Profile, hub: Path) -> None:
    clip, whole = profile.tower, str(hub / "clip-full")
    for tower in (
        replace(clip, layer=LAYERS - 1),
        replace(clip, source=whole),
        TowerConfig("vit", str(hub / "vit"), clip.image_size),
    ):
        assert "for another tower or mapper" in refusal(replace(profile, tower=tower))


def test_another_size_of_picture(profile: Profile) -> None:
    larger = replace(profile.tower, image_size=2 * profile.tower.image_size)
    assert DAMAGED in refusal(replace(profile, tower=larger))


def test_another_language_model(profile: Profile, hub: Path) -> None:
    other = replace(profile, language=LanguageConfig(str(hub / "llama")))
    assert "for another language model" in refusal(other)
    without_sums(other)
    assert DAMAGED in refusal(other)


def test_a_language_model_of_more_layers(profile: Profile, hub: Path, tmp_path: Path) -> None:
    """The LoRA would fit into a part of it: peft itself only warns."""
    shutil.copytree(hub / "gpt-neox", tmp_path / "deep")
    with seeded(1), silence_libraries():
        config = make_languages(320)["gpt-neox"].config
        config.num_hidden_layers += 1
        config.name_or_path = "deep"
        type(make_languages(320)["gpt-neox"])(config).save_pretrained(tmp_path / "deep")
    deep = replace(profile, language=LanguageConfig(str(tmp_path / "deep")))
    assert DAMAGED in refusal(without_sums(deep))
