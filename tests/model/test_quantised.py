"""The merged, quantised model in the cache: the same numbers, made once, mended if damaged."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_models import QUESTIONS, picture, save_tiny_adapter, tiny_profile

from model import quantised, quantization
from model.adapter import load_trained
from model.config import Profile
from model.prompts import prompt_for
from model.quantised import is_kept, load_quantised
from model.quantization import BlockEmbedding, in_blocks, quantise
from model.vlm import PrefixVLM


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own, for which even tiny models are worth keeping."""
    monkeypatch.setenv("GLIMPSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("GLIMPSE_SHIPPED_CACHE", raising=False)
    monkeypatch.setattr(quantised, "WORTH_KEEPING", 0)
    return tmp_path / "cache/quantised"


def trained(hub: Path, tmp_path: Path, speaking: str = "llama", name: str = "a") -> Profile:
    profile = tiny_profile(hub, speaking=speaking, adapter=str(tmp_path / name))
    save_tiny_adapter(tmp_path / name, profile, calibration={"answer_slope": 0.5})
    return profile


def scores(vlm: PrefixVLM) -> list[float]:
    with torch.inference_mode():
        caches = vlm.prefill(vlm.encode([picture(seed) for seed in range(4)]))
    prompts = [prompt_for(question) for question in QUESTIONS[:4]]
    return vlm.score(caches, prompts, ["a dog", "two", "no", "red"])


def forbid(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(quantised, name, lambda *_: pytest.fail(name))


def folders(cache: Path) -> list[Path]:
    return [path for path in cache.iterdir() if path.is_dir()]


@pytest.mark.parametrize("speaking", ["llama", "gpt-neox"])
def test_what_is_kept_gives_the_very_numbers_of_merging(
    hub: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, speaking: str
) -> None:
    profile = trained(hub, tmp_path, speaking)
    exact, _ = load_trained(profile)
    quantise(exact.language)
    assert not is_kept(profile)
    first, _ = load_quantised(profile)
    assert is_kept(profile)
    forbid(monkeypatch, "load_trained")
    again, calibration = load_quantised(profile)
    assert calibration.answer_slope == 0.5
    assert scores(first) == scores(exact) == scores(again)
    assert not any(each.is_meta for each in again.language.state_dict().values())
    assert not any(each.requires_grad for each in again.parameters())


def test_other_lora_or_another_base_is_another_model(
    hub: Path, tmp_path: Path, cache: Path
) -> None:
    one = trained(hub, tmp_path, name="a")
    load_quantised(one)
    config = tmp_path / "a/lora/adapter_config.json"
    config.write_text(config.read_text().replace('"lora_alpha": 8', '"lora_alpha": 16'))
    assert not is_kept(one)
    assert scores(load_quantised(one)[0]) != scores(load_quantised(trained(hub, tmp_path))[0])
    assert len(folders(cache)) == 2


@pytest.mark.parametrize("damage", ["cut", "manifest", "other", "garbage", "tokenizer"])
def test_a_damaged_one_is_made_anew(
    hub: Path, tmp_path: Path, cache: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    profile = trained(hub, tmp_path)
    right = scores(load_quantised(profile)[0])
    (folder,) = folders(cache)
    weights = folder / quantised.WEIGHTS
    if damage == "cut":
        weights.write_bytes(weights.read_bytes()[:-10])
    elif damage == "manifest":
        (folder / "manifest.json").write_text("{}")
    elif damage == "tokenizer":
        tokenizer = folder / "tokenizer.json"
        tokenizer.write_bytes(b"{" * tokenizer.stat().st_size)
    elif damage == "other":  # whole, but of another network
        other, _ = load_quantised(trained(hub, tmp_path, "gpt-neox", "b"))
        size = weights.stat().st_size
        quantised._write(other, tmp_path / "other")
        weights.write_bytes((tmp_path / "other" / quantised.WEIGHTS).read_bytes())
        _set_size(folder / "manifest.json", size, weights.stat().st_size)
    else:
        weights.write_bytes(b"\xff" * weights.stat().st_size)
    assert scores(load_quantised(profile)[0]) == right
    assert scores(load_quantised(profile)[0]) == right


def _set_size(manifest: Path, before: int, now: int) -> None:
    manifest.write_text(manifest.read_text().replace(f'"size": {before}', f'"size": {now}'))


def test_a_cache_that_cannot_be_written_costs_only_time(
    hub: Path, tmp_path: Path, cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    profile = trained(hub, tmp_path)
    cache.parent.write_text("a file where the folder should be")
    exact, _ = load_trained(profile)
    quantise(exact.language)
    assert scores(load_quantised(profile)[0]) == scores(exact)
    assert "cannot be kept" in caplog.text
    assert not is_kept(profile)


def test_a_shipped_cache_is_read_and_never_written(
    hub: Path, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    profile = trained(hub, tmp_path)
    load_quantised(profile)
    shipped = tmp_path / "shipped"
    cache.parent.rename(shipped)
    before = {path: path.stat().st_mtime_ns for path in shipped.rglob("*.safetensors")}
    monkeypatch.setenv("GLIMPSE_SHIPPED_CACHE", str(shipped))
    forbid(monkeypatch, "load_trained")
    load_quantised(profile)
    assert before == {path: path.stat().st_mtime_ns for path in shipped.rglob("*.safetensors")}
    assert not cache.parent.exists()


def test_only_the_last_few_are_kept(hub: Path, tmp_path: Path, cache: Path) -> None:
    profile = trained(hub, tmp_path)
    config = tmp_path / "a/lora/adapter_config.json"
    text = config.read_text()
    for alpha in range(10, 15):
        config.write_text(text.replace('"lora_alpha": 8', f'"lora_alpha": {alpha}'))
        load_quantised(profile)
        assert is_kept(profile)
    assert len(folders(cache)) == quantised.KEPT
    assert is_kept(profile)


def test_small_models_and_unknown_bases_are_not_kept(
    hub: Path, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    profile = trained(hub, tmp_path)
    monkeypatch.setattr(quantised, "WORTH_KEEPING", 10**9)
    load_quantised(profile)
    assert not cache.exists()
    monkeypatch.setattr(quantised, "WORTH_KEEPING", 0)
    card = tmp_path / "a/adapter.toml"
    lines = [line for line in card.read_text().splitlines() if "language_sha256" not in line]
    card.write_text("\n".join(lines))
    load_quantised(profile)
    assert not cache.exists()


# --- embeddings in blocks --------------------------------------------------------------------


def q8_0(rows: int, width: int) -> torch.Tensor:
    """Numbers as a GGUF file of the type Q8_0 gives them."""
    scale = (torch.rand(rows, width // quantization.BLOCK) + 0.01).to(torch.float16).float()
    whole = torch.randint(-127, 128, (rows, width // quantization.BLOCK, quantization.BLOCK)).float()
    whole[:, :, 3] = 127.0
    whole[0] = 0.0
    return (whole * scale[:, :, None]).flatten(1)


def test_embeddings_that_were_in_blocks_are_kept_exactly_in_a_quarter() -> None:
    full = q8_0(50, 96)
    packed = in_blocks(full)
    assert packed is not None
    tokens = torch.tensor([[0, 49], [7, 7]])
    assert torch.equal(packed(tokens), full[tokens])
    assert sum(each.nbytes for each in packed.buffers()) == 50 * 96 + 50 * 3 * 2


@pytest.mark.parametrize("spoil", ["noise", "width"])
def test_other_embeddings_stay_as_they_are(spoil: str) -> None:
    full = torch.randn(50, 96) if spoil == "noise" else q8_0(50, 96)[:, :90]
    assert in_blocks(full) is None


def test_a_model_with_such_embeddings_comes_back_the_same(
    hub: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    profile = trained(hub, tmp_path)

    monkeypatch.setattr(quantization, "BLOCK", 8)  # the tiny model's embeddings are 24 numbers wide

    def in_q8(chosen: Profile) -> Any:
        vlm, calibration = load_trained(chosen)
        table = vlm.language.get_input_embeddings().weight
        table.copy_(q8_0(len(table), table.shape[1]))
        return vlm, calibration

    monkeypatch.setattr(quantised, "load_trained", in_q8)
    first, _ = load_quantised(profile)
    forbid(monkeypatch, "load_trained")
    again, _ = load_quantised(profile)
    assert isinstance(again.language.get_input_embeddings(), BlockEmbedding)
    assert scores(first) == scores(again)
