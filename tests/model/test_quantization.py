"""Int8 on CPUs: nearly the same numbers, and exactly the same for a batch as one by one."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_models import QUESTIONS, picture, save_tiny_adapter, tiny_profile, tiny_vlm
from torch import Tensor, nn

from model import quantization
from model.adapter import load_trained
from model.config import Profile
from model.generation import Decoded, greedy, score
from model.prompts import prompt_for
from model.quantization import (
    BlockEmbedding,
    Int8Linear,
    is_cached,
    load_quantized,
    quantize,
    quantize_embeddings,
)
from model.vlm import PrefixVLM


def error(found: Tensor, exact: Tensor) -> float:
    return float((found - exact).norm() / exact.norm())


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("inputs", "outputs"), [(576, 192), (64, 320), (24, 1)])
def test_nearly_the_same_numbers(inputs: int, outputs: int, bias: bool) -> None:
    linear = nn.Linear(inputs, outputs, bias=bias)
    if bias:
        nn.init.constant_(linear.bias, 3.0)
    states = torch.randn(7, 3, inputs)
    with torch.inference_mode():
        found, exact = Int8Linear(linear)(states), linear(states)
    assert found.shape == (7, 3, outputs)
    assert found.dtype == torch.float32
    assert error(found, exact) < 0.02


def test_rows_and_outputs_of_very_different_sizes_each_keep_their_precision() -> None:
    linear = nn.Linear(128, 6, bias=False)
    sizes = torch.tensor([1e-4, 1e-2, 1.0, 10.0, 1e3, 1e4])
    with torch.inference_mode():
        linear.weight *= sizes[:, None]
        states = torch.randn(6, 128) * sizes.flip(0)[:, None]
        found, exact = Int8Linear(linear)(states), linear(states)
    for row in range(6):
        for column in range(6):
            scale = states[row].norm() * linear.weight[column].norm()
            assert (found[row, column] - exact[row, column]).abs() < 0.02 * scale


def test_a_row_does_not_depend_on_its_neighbours() -> None:
    layer = Int8Linear(nn.Linear(96, 50))
    states = torch.randn(16, 96)
    states[3] *= 1000  # a neighbour that one scale for all would make coarse
    with torch.inference_mode():
        together = layer(states)
        for row in range(16):
            assert torch.equal(together[row], layer(states[row : row + 1])[0])
            assert torch.equal(together[row], layer(states[row]))


def test_zeros_stay_zeros() -> None:
    linear = nn.Linear(32, 4)
    with torch.inference_mode():
        linear.weight[1] = 0.0
        assert torch.equal(Int8Linear(linear)(torch.zeros(2, 32)), linear.bias.expand(2, -1))
        assert Int8Linear(linear)(torch.randn(2, 32))[:, 1].tolist() == [linear.bias[1].item()] * 2


def test_whole_steps_are_exact() -> None:
    linear = nn.Linear(4, 2, bias=False)
    with torch.inference_mode():
        linear.weight.copy_(torch.tensor([[127.0, -1, 0, 5], [2, 4, 127, -127]]))
        states = torch.tensor([[127.0, 3, -8, 1]])
        assert Int8Linear(linear)(states).tolist() == linear(states).tolist()


def test_weights_take_a_byte_each() -> None:
    layer = Int8Linear(nn.Linear(100, 30))
    assert layer.weight.dtype == torch.int8
    assert sum(b.nbytes for b in layer.buffers()) == 100 * 30 + 2 * 30 * 4
    assert list(layer.parameters()) == []


# --- whole networks --------------------------------------------------------------------------


def linears(module: nn.Module, kind: type[nn.Module]) -> set[str]:
    return {name for name, child in module.named_modules() if isinstance(child, kind)}


def test_all_linears_are_replaced(hub: Path) -> None:
    language = tiny_vlm(hub, "llama").language
    before = linears(language, nn.Linear)
    quantize(language)
    assert linears(language, nn.Linear) == set()
    assert linears(language, Int8Linear) == before


def test_a_tied_output_layer_leaves_the_embeddings_alone(hub: Path) -> None:
    language = tiny_vlm(hub, "llama").language
    embeddings = language.get_input_embeddings().weight.clone()
    quantize(language)
    assert isinstance(language.lm_head, Int8Linear)
    assert torch.equal(language.get_input_embeddings().weight, embeddings)


@pytest.mark.parametrize("speaking", ["gpt-neox", "llama"])
def test_a_whole_model_answers_a_batch_as_one_by_one(hub: Path, speaking: str) -> None:
    vlm = tiny_vlm(hub, speaking)
    exact = score(vlm, caches(vlm), prompts(), ["a dog"] * 16)
    quantize(vlm.language)
    assert [d.tokens for d in decode(vlm, 16)] == [d.tokens for d in decode(vlm, 1)]
    assert score(vlm, caches(vlm), prompts(), ["a dog"] * 16) == pytest.approx(exact, rel=0.05)


def prompts() -> list[str]:
    return [prompt_for(question) for question in QUESTIONS]


def caches(vlm: PrefixVLM) -> list[object]:
    with torch.inference_mode():
        return list(vlm.prefill(vlm.encode([picture(seed) for seed in range(16)])))


def decode(vlm: PrefixVLM, together: int) -> list[Decoded]:
    """Answers to sixteen questions, so many computed together."""
    found: list[Decoded] = []
    for start in range(0, 16, together):
        part = slice(start, start + together)
        found += greedy(vlm, caches(vlm)[part], prompts()[part], 8)
    return found


# --- the merged model in the cache: the same numbers, made once, mended if damaged ------------


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own, for which even tiny models are worth keeping."""
    monkeypatch.setenv("GLIMPSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("GLIMPSE_SHIPPED_CACHE", raising=False)
    monkeypatch.setattr(quantization, "MIN_PARAMETERS", 0)
    return tmp_path / "cache/quantised"


def trained(hub: Path, tmp_path: Path, speaking: str = "llama", name: str = "a") -> Profile:
    profile = tiny_profile(hub, speaking=speaking, adapter=str(tmp_path / name))
    save_tiny_adapter(tmp_path / name, profile, calibration={"answer_slope": 0.5})
    return profile


def scores(vlm: PrefixVLM) -> list[float]:
    with torch.inference_mode():
        caches = vlm.prefill(vlm.encode([picture(seed) for seed in range(4)]))
    prompts = [prompt_for(question) for question in QUESTIONS[:4]]
    return score(vlm, caches, prompts, ["a dog", "two", "no", "red"])


def forbid(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(quantization, name, lambda *_: pytest.fail(name))


def folders(cache: Path) -> list[Path]:
    return [path for path in cache.iterdir() if path.is_dir()]


@pytest.mark.parametrize("speaking", ["llama", "gpt-neox"])
def test_what_is_kept_gives_the_very_numbers_of_merging(
    hub: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, speaking: str
) -> None:
    profile = trained(hub, tmp_path, speaking)
    exact, _ = load_trained(profile)
    quantize(exact.language)
    assert not is_cached(profile)
    first, _ = load_quantized(profile)
    assert is_cached(profile)
    forbid(monkeypatch, "load_trained")
    again, calibration = load_quantized(profile)
    assert calibration.answer_slope == 0.5
    assert scores(first) == scores(exact) == scores(again)
    assert not any(each.is_meta for each in again.language.state_dict().values())
    assert not any(each.requires_grad for each in again.parameters())


def test_other_lora_or_another_base_is_another_model(
    hub: Path, tmp_path: Path, cache: Path
) -> None:
    one = trained(hub, tmp_path, name="a")
    load_quantized(one)
    config = tmp_path / "a/lora/adapter_config.json"
    config.write_text(config.read_text().replace('"lora_alpha": 8', '"lora_alpha": 16'))
    assert not is_cached(one)
    assert scores(load_quantized(one)[0]) != scores(load_quantized(trained(hub, tmp_path))[0])
    assert len(folders(cache)) == 2


@pytest.mark.parametrize("damage", ["cut", "manifest", "other", "garbage", "tokenizer"])
def test_a_damaged_one_is_made_anew(
    hub: Path, tmp_path: Path, cache: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    profile = trained(hub, tmp_path)
    right = scores(load_quantized(profile)[0])
    (folder,) = folders(cache)
    weights = folder / quantization.WEIGHTS
    if damage == "cut":
        weights.write_bytes(weights.read_bytes()[:-10])
    elif damage == "manifest":
        (folder / "manifest.json").write_text("{}")
    elif damage == "tokenizer":
        tokenizer = folder / "tokenizer.json"
        tokenizer.write_bytes(b"{" * tokenizer.stat().st_size)
    elif damage == "other":  # whole, but of another network
        other, _ = load_quantized(trained(hub, tmp_path, "gpt-neox", "b"))
        size = weights.stat().st_size
        (tmp_path / "other").mkdir()
        quantization._write(other, tmp_path / "other")
        weights.write_bytes((tmp_path / "other" / quantization.WEIGHTS).read_bytes())
        _set_size(folder / "manifest.json", size, weights.stat().st_size)
    else:
        weights.write_bytes(b"\xff" * weights.stat().st_size)
    assert scores(load_quantized(profile)[0]) == right
    assert scores(load_quantized(profile)[0]) == right


def _set_size(manifest: Path, before: int, now: int) -> None:
    manifest.write_text(manifest.read_text().replace(f'"size": {before}', f'"size": {now}'))


def test_a_cache_that_cannot_be_written_costs_only_time(
    hub: Path, tmp_path: Path, cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    profile = trained(hub, tmp_path)
    cache.parent.write_text("a file where the folder should be")
    exact, _ = load_trained(profile)
    quantize(exact.language)
    assert scores(load_quantized(profile)[0]) == scores(exact)
    assert "cannot be kept" in caplog.text
    assert not is_cached(profile)


def test_a_shipped_cache_is_read_and_never_written(
    hub: Path, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    profile = trained(hub, tmp_path)
    load_quantized(profile)
    shipped = tmp_path / "shipped"
    cache.parent.rename(shipped)
    before = {path: path.stat().st_mtime_ns for path in shipped.rglob("*.safetensors")}
    monkeypatch.setenv("GLIMPSE_SHIPPED_CACHE", str(shipped))
    forbid(monkeypatch, "load_trained")
    load_quantized(profile)
    assert before == {path: path.stat().st_mtime_ns for path in shipped.rglob("*.safetensors")}
    assert not cache.parent.exists()


def test_only_the_last_few_are_kept(hub: Path, tmp_path: Path, cache: Path) -> None:
    profile = trained(hub, tmp_path)
    config = tmp_path / "a/lora/adapter_config.json"
    text = config.read_text()
    for alpha in range(10, 15):
        config.write_text(text.replace('"lora_alpha": 8', f'"lora_alpha": {alpha}'))
        load_quantized(profile)
        assert is_cached(profile)
    assert len(folders(cache)) == quantization.MAX_CACHED
    assert is_cached(profile)


def test_small_models_and_unknown_bases_are_not_kept(
    hub: Path, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    profile = trained(hub, tmp_path)
    monkeypatch.setattr(quantization, "MIN_PARAMETERS", 10**9)
    load_quantized(profile)
    assert not cache.exists()
    monkeypatch.setattr(quantization, "MIN_PARAMETERS", 0)
    card = tmp_path / "a/adapter.toml"
    lines = [line for line in card.read_text().splitlines() if "language_sha256" not in line]
    card.write_text("\n".join(lines))
    load_quantized(profile)
    assert not cache.exists()


# --- embeddings in blocks --------------------------------------------------------------------


def q8_0(rows: int, width: int) -> torch.Tensor:
    """Numbers as a GGUF file of the type Q8_0 gives them."""
    scale = (torch.rand(rows, width // quantization.BLOCK) + 0.01).to(torch.float16).float()
    whole = torch.randint(
        -127, 128, (rows, width // quantization.BLOCK, quantization.BLOCK)
    ).float()
    whole[:, :, 3] = 127.0
    whole[0] = 0.0
    return (whole * scale[:, :, None]).flatten(1)


def test_embeddings_that_were_in_blocks_are_kept_exactly_in_a_quarter() -> None:
    full = q8_0(50, 96)
    packed = quantize_embeddings(full)
    assert packed is not None
    tokens = torch.tensor([[0, 49], [7, 7]])
    assert torch.equal(packed(tokens), full[tokens])
    assert sum(each.nbytes for each in packed.buffers()) == 50 * 96 + 50 * 3 * 2


@pytest.mark.parametrize("spoil", ["noise", "width"])
def test_other_embeddings_stay_as_they_are(spoil: str) -> None:
    full = torch.randn(50, 96) if spoil == "noise" else q8_0(50, 96)[:, :90]
    assert quantize_embeddings(full) is None


def test_a_model_with_such_embeddings_comes_back_the_same(
    hub: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    profile = trained(hub, tmp_path)

    monkeypatch.setattr(quantization, "BLOCK", 8)  # the tiny model's embeddings are 24 numbers wide

    def in_q8(chosen: Profile, *_: object) -> Any:
        vlm, calibration = load_trained(chosen)
        table = vlm.language.get_input_embeddings().weight
        table.copy_(q8_0(len(table), table.shape[1]))
        return vlm, calibration

    monkeypatch.setattr(quantization, "load_trained", in_q8)
    first, _ = load_quantized(profile)
    forbid(monkeypatch, "load_trained")
    again, _ = load_quantized(profile)
    assert isinstance(again.language.get_input_embeddings(), BlockEmbedding)
    assert scores(first) == scores(again)
