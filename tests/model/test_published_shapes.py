"""The flagship's published shapes, from their published configurations, with random weights."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from tiny_models import picture
from torch import nn
from transformers import CLIPVisionConfig, CLIPVisionModel, GPTNeoXConfig, GPTNeoXForCausalLM
from transformers.initialization import no_init_weights

from model.config import load_profile
from model.mapper import Mapper
from model.vision import CLIP_MEAN, CLIP_STD, TransformerTower

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


@pytest.fixture(scope="module")
def pythia() -> Any:
    """Pythia-160m with random weights."""
    with no_init_weights():
        network = GPTNeoXForCausalLM(GPTNeoXConfig(**PYTHIA_160M))
    return filled(network)


def tower(patch: int) -> TransformerTower:
    with no_init_weights():
        network = CLIPVisionModel(CLIPVisionConfig(**CLIP_B, patch_size=patch))
    config = load_profile("clip-pythia").tower
    source = config.source.replace("patch32", f"patch{patch}")
    return TransformerTower(filled(network), replace(config, source=source), CLIP_MEAN, CLIP_STD)


@pytest.mark.parametrize(("patch", "states", "millions"), [(32, 50, 87.5), (16, 197, 85.8)])
def test_clip_gives_pythia_a_prefix_of_the_right_size(
    pythia: Any, patch: int, states: int, millions: float
) -> None:
    profile, clip = load_profile("clip-pythia"), tower(patch)
    assert sum(p.numel() for p in clip.parameters()) / 1e6 == pytest.approx(millions, abs=0.1)
    detail = (clip.detail_size, clip.detail_side)
    width = pythia.config.hidden_size
    mapper = Mapper(profile.mapper, clip.hidden_size, clip.grid, width, detail=detail).eval()
    mapper.fit_scale(pythia.get_input_embeddings().weight)
    with torch.inference_mode():
        hidden = clip(clip.preprocess([picture(1)]))
        prefix = mapper(hidden)
        logits = pythia(inputs_embeds=prefix[:, :8], logits_to_keep=1).logits
    assert hidden.shape == (1, states, 768 + 768)  # of the last layer, and of the eighth
    assert mapper.positions == states + 8  # objects
    assert prefix.shape == (1, mapper.positions, 768)
    assert mapper.objects is not None
    assert mapper.objects.head.grid**2 == states - 1
    assert prefix.isfinite().all()
    assert prefix.std() > 0.005
    assert logits.shape == (1, 1, 50304)
    assert logits.isfinite().all()


def test_pythia_has_as_many_parameters_as_published(pythia: Any) -> None:
    assert sum(p.numel() for p in pythia.parameters()) == 162_322_944
