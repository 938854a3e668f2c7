"""Adapters: what is saved is what is loaded, and a new one never harms the old one by half."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from peft import PeftModel, get_peft_model_state_dict
from safetensors.torch import load_file
from tiny_models import picture, save_tiny_adapter, seeded, tiny_profile, with_lora
from torch import Tensor

from model import adapter
from model.adapter import (
    PACKED_SIZE,
    Calibration,
    load_base,
    load_trained,
    pack,
    read_card,
    save_adapter,
    unpack,
)
from model.config import MapperConfig, Profile
from model.hub import silence_libraries
from model.vlm import PrefixVLM

LANGUAGES = ["gpt-neox", "llama"]
PROMPT = "Question: Is it red? Answer:"


def logits(vlm: PrefixVLM) -> Tensor:
    """Logits (B, T, V) after two pictures and a prompt."""
    with torch.inference_mode():
        prefix = vlm.encode([picture(1), picture(2)])
        words = vlm.embed(torch.tensor([vlm.tokens(PROMPT)] * 2))
        found: Tensor = vlm.language(inputs_embeds=torch.cat([prefix, words], dim=1)).logits
    return found


def contents(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.fixture
def profile(hub: Path, tmp_path: Path) -> Profile:
    return replace(tiny_profile(hub), adapter=str(tmp_path / "adapter"))


# --- the same numbers ------------------------------------------------------------------------


@pytest.mark.parametrize("speaking", LANGUAGES)
def test_merged_lora_answers_as_unmerged(hub: Path, tmp_path: Path, speaking: str) -> None:
    profile = replace(tiny_profile(hub, "clip", speaking), adapter=str(tmp_path))
    save_tiny_adapter(tmp_path, profile)
    merged, _ = load_trained(profile)
    unmerged = load_base(profile)
    unmerged.mapper = merged.mapper
    plain = logits(unmerged)
    with silence_libraries():
        unmerged.language = PeftModel.from_pretrained(unmerged.language, tmp_path / "lora").eval()
    torch.testing.assert_close(logits(merged), logits(unmerged), atol=1e-4, rtol=0)
    assert (logits(merged) - plain).abs().max() > 0.1  # LoRA does something


@pytest.mark.parametrize("speaking", LANGUAGES)
@pytest.mark.parametrize("mapper", ["mlp", "resampler"])
def test_saved_and_loaded_is_the_same_but_for_half_precision(
    hub: Path, tmp_path: Path, speaking: str, mapper: str
) -> None:
    profile = tiny_profile(hub, "vit", speaking, mapper=MapperConfig(mapper, 24, queries=4))
    profile = replace(profile, adapter=str(tmp_path / "a"))
    trained = save_tiny_adapter(tmp_path / "a", profile)
    loaded, _ = load_trained(profile)
    torch.testing.assert_close(logits(loaded), logits(trained), atol=2e-2, rtol=1e-2)
    for name, value in trained.mapper.state_dict().items():
        assert torch.equal(loaded.mapper.state_dict()[name], value.half().float())
    assert not any(p.requires_grad for p in loaded.parameters())
    assert not loaded.training
    assert {p.dtype for p in loaded.parameters()} == {torch.float32}


def test_an_averaged_state_is_saved_instead_of_the_last_one(profile: Profile) -> None:
    with seeded(1):
        vlm = load_base(profile)
    tuned = with_lora(vlm)
    state = {k: v * 0.5 for k, v in get_peft_model_state_dict(tuned).items()}
    save_adapter(profile.adapter_folder, profile, vlm.mapper.state_dict(), tuned, {}, state)
    stored = load_file(profile.adapter_folder / "lora/adapter_model.safetensors")
    assert stored.keys() == state.keys()
    for name, value in state.items():
        assert torch.equal(stored[name], value.half())


# --- the folder ------------------------------------------------------------------------------


def test_what_lies_in_an_adapter_folder(profile: Profile) -> None:
    facts = {"metrics": {"cider": 55.5}, "calibration": {"answer_slope": 2.0, "answers": 300}}
    save_tiny_adapter(profile.adapter_folder, profile, **facts)
    files = contents(profile.adapter_folder)
    assert set(files) == {
        "adapter.toml",
        "prefix.safetensors",
        "lora/adapter_config.json",
        "lora/adapter_model.safetensors",
    }
    card = tomllib.loads(files["adapter.toml"].decode())
    assert card["base"]["tower"] == "clip"
    assert card["base"]["language"] == "gpt-neox"
    assert card["metrics"] == facts["metrics"]
    for name in ("prefix.safetensors", "lora/adapter_model.safetensors"):
        path = profile.adapter_folder / name
        assert {value.dtype for value in load_file(path).values()} == {torch.float16}
        assert path.stat().st_mode & 0o044 == 0o044  # others may read it


def test_no_path_of_this_machine_is_written(profile: Profile, hub: Path, tmp_path: Path) -> None:
    save_tiny_adapter(profile.adapter_folder, profile)
    for name, content in contents(profile.adapter_folder).items():
        for place in (hub, tmp_path, Path.home()):
            assert str(place).encode() + b"/" not in content, name
    config = json.loads((profile.adapter_folder / "lora/adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "gpt-neox"


def test_the_same_weights_make_the_same_files(profile: Profile, tmp_path: Path) -> None:
    save_tiny_adapter(tmp_path / "a", profile)
    save_tiny_adapter(tmp_path / "b", profile)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_saving_does_not_change_what_is_trained(profile: Profile) -> None:
    vlm = load_base(profile)
    tuned = with_lora(vlm)
    before = vars(tuned.peft_config["default"]).copy()
    save_adapter(profile.adapter_folder, profile, vlm.mapper.state_dict(), tuned, {})
    assert vars(tuned.peft_config["default"]) == before
    assert not before["inference_mode"]


# --- replacing -------------------------------------------------------------------------------


def test_a_new_adapter_replaces_the_old_one_and_keeps_its_model_card(profile: Profile) -> None:
    folder = profile.adapter_folder
    save_tiny_adapter(folder, profile, training={"steps": 1})
    (folder / "README.md").write_text("the card")
    (folder / "stray").write_text("of the old one")
    save_tiny_adapter(folder, profile, training={"steps": 2})
    assert read_card(folder, profile)["training"] == {"steps": 2}
    assert (folder / "README.md").read_text() == "the card"
    assert not (folder / "stray").exists()
    assert [path.name for path in folder.parent.iterdir()] == ["adapter"]


@pytest.mark.parametrize("broken", ["save_file", "_save_lora", "base_facts", "_exchange"])
def test_a_failure_midway_leaves_the_old_adapter_and_nothing_else(
    profile: Profile, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    folder = profile.adapter_folder
    save_tiny_adapter(folder, profile)
    before = contents(folder)

    def fail(*args: object, **kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(adapter, broken, fail)
        with pytest.raises(OSError, match="No space"):
            save_tiny_adapter(folder, profile)
    assert contents(folder) == before
    assert [path.name for path in folder.parent.iterdir()] == ["adapter"]
    load_trained(profile)


def test_the_old_adapter_comes_back_if_the_new_one_cannot_take_its_place(
    profile: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = profile.adapter_folder
    save_tiny_adapter(folder, profile)
    before = contents(folder)
    move: Callable[[Path, Path], Path] = Path.replace

    def refuse(path: Path, target: Path) -> Path:
        if path.suffix == ".part":
            raise PermissionError(13, "Permission denied")
        return move(path, target)

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(PermissionError):
        save_tiny_adapter(folder, profile)
    assert contents(folder) == before
    assert [path.name for path in folder.parent.iterdir()] == ["adapter"]


def test_what_a_killed_process_left_is_cleared_away(profile: Profile) -> None:
    folder = profile.adapter_folder
    for stale in ("adapter.part", "adapter.old"):
        (folder.parent / stale).mkdir()
        (folder.parent / stale / "half").write_text("written")
    save_tiny_adapter(folder, profile)
    assert [path.name for path in folder.parent.iterdir()] == ["adapter"]
    assert "half" not in contents(folder)


# --- confidence ------------------------------------------------------------------------------


def test_calibration_is_a_logistic_curve_each_for_answers_and_captions() -> None:
    calibration = Calibration(2.0, 1.0, 0.5, -1.0)
    expected = torch.sigmoid(torch.tensor([2.0 * -0.7 + 1.0, 0.5 * -0.7 - 1.0], dtype=torch.double))
    assert calibration.confidence(-0.7, caption=False) == pytest.approx(expected[0].item())
    assert calibration.confidence(-0.7, caption=True) == pytest.approx(expected[1].item())
    assert Calibration().confidence(0.0, caption=False) == 0.5


@pytest.mark.parametrize("logprob", [0.0, -1e-9, -3.0, -1e3, -1e30, float("-inf")])
@pytest.mark.parametrize("slope", [1.0, 1e3, -1e3])
def test_confidence_is_a_probability_whatever_comes(logprob: float, slope: float) -> None:
    for caption in (False, True):
        confidence = Calibration(slope, 0.0, slope, 0.0).confidence(logprob, caption=caption)
        assert 0.0 <= confidence <= 1.0


def test_calibration_is_read_from_the_card_and_the_identity_without(profile: Profile) -> None:
    folder = profile.adapter_folder
    save_tiny_adapter(folder, profile)
    assert load_trained(profile)[1] == Calibration()
    stored = {"answer_slope": 2, "caption_offset": -0.5, "answers": 300, "note": "text"}
    save_tiny_adapter(folder, profile, calibration=stored)
    assert load_trained(profile)[1] == Calibration(answer_slope=2.0, caption_offset=-0.5)


# --- how the mapper is stored: big matrices in eight bits, everything else in half -------------


BIG = (256, PACKED_SIZE // 256)


def test_a_big_matrix_takes_a_byte_a_weight_and_keeps_what_it_says() -> None:
    weights = torch.randn(BIG) * torch.logspace(-4, 2, BIG[0])[:, None]  # rows of all sizes
    state = {"body.weight": weights, "bias": torch.randn(7), "scale": torch.tensor(0.1)}
    stored = pack(state)
    assert sum(value.nbytes for value in stored.values()) < weights.numel() * 1.05
    back = unpack(stored)
    assert back.keys() == state.keys()
    error = (back["body.weight"] - weights).abs().amax(1)
    assert bool((error <= weights.abs().amax(1) / 127 / 2 * 1.001).all())
    torch.testing.assert_close(back["bias"], state["bias"], atol=1e-3, rtol=1e-3)
    assert all(value.dtype == torch.float32 for value in back.values())


def test_what_was_packed_once_packs_to_the_same_bytes() -> None:
    once = pack({"weight": torch.randn(BIG)})
    again = pack(unpack(once))
    assert all(torch.equal(once[name], again[name]) for name in once)


def test_a_row_of_zeros_stays_one() -> None:
    weights = torch.randn(BIG)
    weights[3] = 0
    assert not unpack(pack({"weight": weights}))["weight"][3].any()


def test_halves_of_older_adapters_are_read() -> None:
    weights = torch.randn(BIG).half()
    assert torch.equal(unpack({"weight": weights})["weight"], weights.float())


@pytest.mark.parametrize("scale", [None, torch.ones(3)])
def test_a_matrix_without_its_scale_is_refused(scale: torch.Tensor | None) -> None:
    stored = pack({"weight": torch.randn(BIG)})
    if scale is None:
        del stored["weight.scale"]
    else:
        stored["weight.scale"] = scale
    with pytest.raises(ValueError, match=r"scale of weight is missing or of another size"):
        unpack(stored)
