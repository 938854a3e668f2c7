"""Int8 language models for CPUs, made once from a profile and its adapter, and kept in the cache.

Weights are quantised once for each output, activations for each row: LLM.int8()'s vector-wise
scheme (Dettmers et al. 2022, arXiv 2208.07339). Where that keeps outlying activations in floating
point, each activation here is two int8 digits, a coarse and a fine one, multiplied in one pass:
decoding waits for weights from memory, so that the second digit is almost free, and it leaves the
rounding of the weights as the only error worth naming.
The products are exact integers and every row has a scale of its own, so that a row's result does
not depend on its neighbours: a batch answers exactly as its members one by one, which PyTorch's
dynamic quantisation with one scale for the whole batch does not.

Merging LoRA takes the language model in fp32 twice, and seconds; what comes out of it is a fifth of
that, and the same at every start. So it is kept as `quantised/KEY`, where the key stands for the
base weights, the adapter's LoRA and the format, and mapped into memory from there: nothing is
merged, and the base weights of the language model are not even needed.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from model.adapter import (
    LORA_FILE,
    load_mapper_and_tower,
    load_trained,
    with_tower,
)
from model.cache import ModelCache, Progress, sha256_of, silent
from model.card import read_card
from model.confidence import Calibration, calibration_of
from model.config import Profile
from model.errors import AdapterError
from model.hub import load_tokenizer, silence_libraries
from model.vlm import PrefixVLM

log = logging.getLogger(__name__)
LARGEST = 127
BLOCK = 32  # numbers that share a scale in GGUF's Q8_0
FINER = 2 * LARGEST  # what rounding leaves is at most half a step
FORMAT = 1  # grows with every change of what is stored, or of how it is quantised
WEIGHTS = "language.safetensors"
MAX_CACHED = 3  # models in the cache
CACHE = ModelCache("quantised", MAX_CACHED)
MIN_PARAMETERS = 10_000_000  # of a model worth caching; fewer are merged in no time


class Int8Linear(nn.Module):
    """A linear layer with int8 weights (out, in) and a float32 scale for each output."""

    weight: Tensor
    scale: Tensor
    bias: Tensor | None

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        full = linear.weight.detach().float()
        scale = full.abs().amax(dim=1).clamp(min=1e-12) / LARGEST  # (out)
        whole = (full / scale[:, None]).round().to(torch.int8)
        self.register_buffer("weight", whole.contiguous(), persistent=False)
        self.register_buffer("scale", scale, persistent=False)
        self.register_buffer("bias", None if linear.bias is None else linear.bias.detach())

    def forward(self, states: Tensor) -> Tensor:
        """States (..., in) → (..., out)."""
        flat = states.reshape(-1, states.shape[-1])
        row_scale = flat.abs().amax(dim=1, keepdim=True).clamp(min=1e-12) / LARGEST
        scaled = flat / row_scale
        coarse = scaled.round()
        fine = ((scaled - coarse) * FINER).round()
        both = torch.cat([coarse, fine]).to(torch.int8)  # (2 x rows, in)
        product = torch._int_mm(both, self.weight.t()).float()  # (2 x rows, out)
        high, low = product.chunk(2)
        result = (high + low / FINER) * row_scale * self.scale
        if self.bias is not None:
            result = result + self.bias
        return result.view(*states.shape[:-1], -1)


class BlockEmbedding(nn.Module):
    """Token embeddings as int8 (V, C) with a float16 scale for each block (V, C / 32): GGUF's Q8_0.

    It stands in for embeddings that were in that format before, whose numbers it gives exactly, in
    a quarter of the memory.
    """

    weight: Tensor
    scale: Tensor

    def __init__(self, tokens: int, width: int) -> None:
        super().__init__()
        self.register_buffer("weight", torch.zeros(tokens, width, dtype=torch.int8))
        self.register_buffer("scale", torch.zeros(tokens, width // BLOCK, dtype=torch.float16))

    def forward(self, tokens: Tensor) -> Tensor:
        """Token ids (...) → embeddings (..., C), float32."""
        blocks = self.weight[tokens].view(*tokens.shape, -1, BLOCK).float()
        embedded: Tensor = blocks * self.scale[tokens].float().unsqueeze(-1)
        return embedded.flatten(-2)


def quantize_embeddings(embeddings: Tensor) -> BlockEmbedding | None:
    """Embeddings (V, C) as blocks, if that loses nothing at all; else None."""
    if embeddings.shape[1] % BLOCK:
        return None
    blocks = embeddings.detach().float().view(len(embeddings), -1, BLOCK)  # (V, C / 32, 32)
    # Q8_0 scales every block by its largest magnitude, which therefore is 127 steps.
    scale = (blocks.abs().amax(dim=2) / LARGEST).to(torch.float16)
    steps = blocks / scale.float().clamp(min=1e-12).unsqueeze(2)
    packed = BlockEmbedding(*embeddings.shape)
    packed.scale = scale
    packed.weight = steps.round().clamp(-LARGEST, LARGEST).to(torch.int8).flatten(1)
    chunks = torch.split(torch.arange(len(embeddings)), 4096)  # all at once takes as much again
    exact = all(torch.equal(packed(ids), embeddings[ids].float()) for ids in chunks)
    return packed if exact else None


def quantize(module: nn.Module) -> None:
    """Replace every `nn.Linear` inside a module by its int8 form."""
    for name, child in list(module.named_children()):
        if isinstance(child, nn.Linear):
            setattr(module, name, Int8Linear(child))
        else:
            quantize(child)


# --- the cache --------------------------------------------------------------------------------


def load_quantized(profile: Profile, progress: Progress = silent) -> tuple[PrefixVLM, Calibration]:
    """The model of a profile with its adapter, LoRA merged, and an int8 language model.

    The same numbers as `load_trained` and `quantize` give.

    Raises:
        AdapterError: The adapter is missing, damaged or made for another base; one plain sentence.
        WeightsError: Base weights cannot be had.
        ProfileError: The profile cannot be used.
    """
    folder = profile.adapter_folder
    card = read_card(folder, profile)
    key = _key(card, folder)
    if vlm := _from_cache(key, profile, card, progress):
        return vlm, calibration_of(card, folder)
    vlm, calibration = load_trained(profile, progress)
    large = sum(p.numel() for p in vlm.language.parameters()) >= MIN_PARAMETERS
    quantize(vlm.language)
    blocks = quantize_embeddings(vlm.language.get_input_embeddings().weight)
    if blocks is not None:
        vlm.language.set_input_embeddings(blocks)
    if key and large and _to_cache(key, vlm, progress):
        vlm = _from_cache(key, profile, card, progress) or vlm  # mapped, and so shared with others
    return vlm, calibration


def is_cached(profile: Profile) -> bool:
    """Whether the model of a profile can be loaded without merging; an unusable one cannot."""
    folder = profile.adapter_folder
    try:
        key = _key(read_card(folder, profile), folder)
    except AdapterError:
        return False
    return CACHE.find(key) is not None


def _key(card: dict[str, Any], folder: Path) -> str:
    """Names what merging gives; "" if the base weights are not known by their sum."""
    base = card["base"].get("language_sha256", "")
    try:
        parts = [sha256_of(folder / name) for name in (LORA_FILE, "lora/adapter_config.json")]
    except OSError:
        return ""  # loading the adapter says what is wrong with it
    text = " ".join([str(FORMAT), base, *parts])
    return hashlib.sha256(text.encode()).hexdigest() if base else ""


def _from_cache(
    key: str, profile: Profile, card: dict[str, Any], progress: Progress
) -> PrefixVLM | None:
    """The model that is cached under a key; None if there is none, or it cannot be read."""
    place = CACHE.find(key)
    if place is None:
        return None
    try:
        language, tokenizer = _read(place)
    except Exception:  # whatever a parser of files trips over
        log.warning("the quantised model in %s is damaged; merging anew", place, exc_info=True)
        shutil.rmtree(place, ignore_errors=True)  # it looked whole
        return None
    vlm = with_tower(profile, language, tokenizer, progress)
    vlm = load_mapper_and_tower(vlm, profile, card)
    CACHE.used(place)
    return vlm


def _to_cache(key: str, vlm: PrefixVLM, progress: Progress) -> bool:
    """Write a model into the cache; false if that cannot be done, which costs only time."""
    making = "prepares the language model"
    try:
        CACHE.keep(key, lambda out: _write(vlm, out), making=making, progress=progress)
    except (OSError, RuntimeError, SafetensorError) as error:  # the last for a full disk, too
        log.warning("the quantised model cannot be kept: %s", error)
        return False
    return True


def _tensors(language: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers, those that a state dict leaves out as well."""
    return {**dict(language.named_parameters()), **dict(language.named_buffers())}


def _write(vlm: PrefixVLM, out: Path) -> None:
    tensors = {name: each.detach().contiguous() for name, each in _tensors(vlm.language).items()}
    save_file(tensors, out / WEIGHTS, metadata={"format": "pt"})
    facts = vlm.language.config.to_diff_dict()
    facts.pop("_name_or_path", None)  # this machine's
    (out / "config.json").write_text(json.dumps(facts, indent=2, sort_keys=True) + "\n")
    vlm.tokenizer.save_pretrained(out)


def _read(place: Path) -> tuple[Any, Any]:
    """The language model and tokenizer that `_write` wrote.

    Raises:
        Exception: The files are damaged, or of another network.
    """
    from transformers import AutoConfig, AutoModelForCausalLM

    stored = load_file(place / WEIGHTS)  # mapped: pages come when they are read
    with silence_libraries(), torch.device("meta"):
        config = AutoConfig.from_pretrained(place, local_files_only=True)
        language = AutoModelForCausalLM.from_config(config)
        quantize(language)
        embedding = language.get_input_embeddings()
        (path,) = (name for name, each in language.named_modules() if each is embedding)
        if f"{path}.scale" in stored:
            language.set_input_embeddings(BlockEmbedding(*embedding.weight.shape))
    if _tensors(language).keys() != stored.keys():
        raise ValueError("The stored weights are not those of this network.")
    for name, tensor in stored.items():  # in the places of tensors without memory
        path, _, last = name.rpartition(".")
        module = language.get_submodule(path)
        if last in module._parameters:
            module._parameters[last] = nn.Parameter(tensor, requires_grad=False)
        else:
            module._buffers[last] = tensor
    return language.eval().requires_grad_(False), load_tokenizer(str(place))
