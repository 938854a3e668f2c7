"""How an adapter's mapper is stored: big matrices in eight bits, everything else in half."""

from __future__ import annotations

import pytest
import torch

from model.storage import SMALLEST, pack, unpack

BIG = (256, SMALLEST // 256)


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
