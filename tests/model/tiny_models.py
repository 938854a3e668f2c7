"""Tiny random models saved as the model hub saves them, and what else tests of `model` share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w
import torch
from PIL import Image
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    CLIPConfig,
    CLIPModel,
    CLIPVisionConfig,
    CLIPVisionModel,
    Dinov2Config,
    Dinov2Model,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    ViTConfig,
    ViTModel,
)

from model.adapter import load_base, save_adapter
from model.config import LanguageConfig, MapperConfig, Profile, TowerConfig, load_profile
from model.hub import silence_libraries
from model.vlm import PrefixVLM

END = "<|endoftext|>"
SIDE, PATCH, WIDTH = 32, 8, 32  # of the tiny towers: a grid of 4 x 4 patches
LAYERS = 3
TEXTS = [
    "Caption: a brown dog runs through green grass near a wooden fence",
    "Question: What color is the dog? Answer: brown",
    "Question: How many people are there in the picture? Answer: two",
    "Question: Is the man wearing a red hat? Answer: no",
]
QUESTIONS = [f"Is there {'a very ' * (i % 5)}big dog {i}?" for i in range(16)]
TINY_LORA = {"gpt-neox": ["query_key_value", "dense"], "llama": ["q_proj", "v_proj", "down_proj"]}
_VISION = {
    "hidden_size": WIDTH,
    "intermediate_size": 48,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 2,
    "image_size": SIDE,
    "patch_size": PATCH,
}


def save_hub(folder: Path) -> None:
    """Save every tiny model under its kind's name."""
    with seeded(1), silence_libraries():
        for kind, tower in make_towers().items():
            spread(tower).save_pretrained(folder / kind)
        tokenizer = make_tokenizer()
        for kind, language in make_languages(len(tokenizer)).items():
            spread(language).save_pretrained(folder / kind)
            tokenizer.save_pretrained(folder / kind)


def make_towers() -> dict[str, Any]:
    """Random towers by kind; "clip-full" is a whole CLIP with its text half."""
    text = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1}
    text |= {"num_attention_heads": 2, "vocab_size": 40, "projection_dim": 8}
    text |= {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1}
    dino = {"hidden_size": WIDTH, "num_hidden_layers": LAYERS, "num_attention_heads": 2}
    return {
        "clip": CLIPVisionModel(CLIPVisionConfig(**_VISION)),
        "clip-full": CLIPModel(
            CLIPConfig(text_config=text, vision_config=dict(_VISION), projection_dim=8)
        ),
        "vit": ViTModel(ViTConfig(**_VISION), add_pooling_layer=False),
        "dinov2": Dinov2Model(Dinov2Config(image_size=SIDE, patch_size=PATCH, mlp_ratio=2, **dino)),
    }


def make_languages(vocabulary: int) -> dict[str, Any]:
    """Random language models by kind."""
    shape = {"vocab_size": vocabulary, "hidden_size": 24, "num_hidden_layers": 2}
    shape |= {"num_attention_heads": 4, "max_position_embeddings": 128}
    shape |= {"bos_token_id": 0, "eos_token_id": 0}
    return {
        "gpt-neox": GPTNeoXForCausalLM(GPTNeoXConfig(intermediate_size=48, **shape)),
        "llama": LlamaForCausalLM(
            LlamaConfig(
                intermediate_size=48, num_key_value_heads=2, tie_word_embeddings=True, **shape
            )
        ),
    }


def make_tokenizer() -> PreTrainedTokenizerFast:
    """A byte-level BPE of a few sentences, like GPT-2's; its end token has id 0."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=320, special_tokens=[END], initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=END, bos_token=END)


def spread(network: Any, size: float = 0.3) -> Any:
    """Random weights large enough that a tiny network's answers depend on what it sees."""
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim > 1:
                parameter.normal_(0, size)
    return network.eval()


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Random draws inside do not depend on those outside, nor change them."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield


def tiny_profile(
    hub: Path, seeing: str = "clip", speaking: str = "gpt-neox", **changes: Any
) -> Profile:
    """A profile of tiny models of these kinds; `changes` are fields of `Profile`."""
    parts: dict[str, Any] = {
        "name": "tiny",
        "tower": TowerConfig(seeing.removesuffix("-full"), str(hub / seeing), SIDE),
        "mapper": MapperConfig("mlp", hidden_size=24, shuffle=2),
        "language": LanguageConfig(str(hub / speaking)),
    }
    return Profile(**parts | changes)


def tiny_vlm(
    hub: Path, speaking: str = "gpt-neox", seeing: str = "clip", **changes: Any
) -> PrefixVLM:
    """A tiny model whose mapper is random, with a prefix large enough to matter."""
    with seeded(2):
        vlm = load_base(tiny_profile(hub, seeing, speaking, **changes))
        with torch.no_grad():
            vlm.mapper.scale.fill_(1.0)
        return vlm.eval().requires_grad_(False)


def with_lora(vlm: PrefixVLM, speaking: str = "gpt-neox", size: float = 0.05) -> Any:
    """The language model in peft's hands, with LoRA that changes its answers."""
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(
        r=4, lora_alpha=8, target_modules=TINY_LORA[speaking], task_type="CAUSAL_LM"
    )
    with seeded(3), silence_libraries():
        tuned = get_peft_model(vlm.language, config)
        with torch.no_grad():
            for name, parameter in tuned.named_parameters():
                if "lora_" in name:
                    parameter.normal_(0, size)
    return tuned.eval()


def save_tiny_adapter(folder: Path, profile: Profile, **facts: Any) -> PrefixVLM:
    """Save an adapter for a tiny profile; returns the model it was taken from, not merged."""
    with seeded(4):
        vlm = load_base(profile)
    tuned = with_lora(vlm, Path(profile.language.source).name)
    save_adapter(folder, profile, vlm.mapper.state_dict(), tuned, facts)
    vlm.language = tuned
    return vlm.eval().requires_grad_(False)


def write_profile(path: Path, **table: Any) -> Path:
    """Write a profile's TOML file."""
    path.write_text(tomli_w.dumps(table), encoding="utf-8")
    return path


def trained_profile(folder: Path, hub: Path) -> Path:
    """A profile's file with a trained adapter beside it, as somebody would write it."""
    for kind in ("clip", "gpt-neox"):
        (folder / kind).symlink_to(hub / kind)
    path = write_profile(
        folder / "mine.toml",
        adapter="adapter",
        tower={"kind": "clip", "source": "clip", "image_size": SIDE},
        mapper={"kind": "mlp", "hidden_size": 24, "shuffle": 2},
        language={"source": "gpt-neox"},
        decoding={"answer_tokens": 5, "caption_tokens": 8},
    )
    save_tiny_adapter(folder / "adapter", load_profile(path), calibration={"answer_slope": 0.25})
    return path


def picture(seed: int, width: int = 48, height: int = 36) -> Image.Image:
    """A random picture, its own for each seed, smooth enough to survive a resize."""
    chance = np.random.default_rng(seed)
    blocks = chance.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(blocks).resize((width, height), Image.Resampling.BILINEAR)


@dataclass(frozen=True)
class Photo:
    """What the engine is asked about."""

    image: Image.Image
    digest: str


def photo(seed: int) -> Photo:
    """A random picture under the name of its seed."""
    return Photo(picture(seed), f"photo-{seed}")
