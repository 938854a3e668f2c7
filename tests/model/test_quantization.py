"""Int8 on CPUs: nearly the same numbers, and exactly the same for a batch as one by one."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tiny_models import QUESTIONS, picture, tiny_vlm
from torch import Tensor, nn

from model.generation import Decoded, greedy
from model.prompts import prompt_for
from model.quantization import Int8Linear, quantise
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


def test_all_linears_are_replaced_but_those_to_keep(hub: Path) -> None:
    language = tiny_vlm(hub, "llama").language
    before = linears(language, nn.Linear)
    quantise(language, keep=lambda name: name == "lm_head" or name.endswith("down_proj"))
    kept = linears(language, nn.Linear)
    assert kept == {n for n in before if n == "lm_head" or n.endswith("down_proj")}
    assert linears(language, Int8Linear) == before - kept
    quantise(language)
    assert linears(language, Int8Linear) == before


def test_a_tied_output_layer_leaves_the_embeddings_alone(hub: Path) -> None:
    language = tiny_vlm(hub, "llama").language
    embeddings = language.get_input_embeddings().weight.clone()
    quantise(language)
    assert isinstance(language.lm_head, Int8Linear)
    assert torch.equal(language.get_input_embeddings().weight, embeddings)


@pytest.mark.parametrize("speaking", ["gpt-neox", "llama"])
def test_a_whole_model_answers_a_batch_as_one_by_one(hub: Path, speaking: str) -> None:
    vlm = tiny_vlm(hub, speaking)
    exact = vlm.score(caches(vlm), prompts(), ["a dog"] * 16)
    quantise(vlm.language)
    assert [d.tokens for d in decode(vlm, 16)] == [d.tokens for d in decode(vlm, 1)]
    assert vlm.score(caches(vlm), prompts(), ["a dog"] * 16) == pytest.approx(exact, rel=0.05)


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
