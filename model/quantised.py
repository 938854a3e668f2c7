"""A profile's model with LoRA merged and int8 weights, made once and kept in the cache.

Merging takes the language model in fp32 twice, and seconds; what comes out of it is a fifth of
that, and the same at every start. So it is kept as `quantised/KEY`, where the key stands for the
base weights, the adapter's LoRA and the format, and mapped into memory from there: nothing is
merged, and the base weights of the language model are not even needed.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import shutil
import uuid
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from model.adapter import (
    AdapterError,
    Calibration,
    calibration_of,
    load_trained,
    object_names_of,
    read_card,
    set_mapper_and_tower,
    unusable,
    with_tower,
)  # fmt: skip
from model.cache import TEMPORARY, cache_folder, cache_folders, is_whole, only_one, seal
from model.config import Profile
from model.hub import load_tokenizer, quiet
from model.quantization import BlockEmbedding, in_blocks, quantise
from model.vlm import PrefixVLM
from model.wheels import sha256_of

log = logging.getLogger(__name__)
FORMAT = 1  # grows with every change of what is stored, or of how it is quantised
WEIGHTS = "language.safetensors"
KEPT = 3  # models in the cache; the one that was not used for longest goes first
WORTH_KEEPING = 10_000_000  # parameters; fewer are merged in no time


def load_quantised(profile: Profile) -> tuple[PrefixVLM, Calibration]:
    """The model of a profile with its adapter, LoRA merged, and an int8 language model.

    The same numbers as `load_trained` and `quantise` give.

    Raises:
        AdapterError: The adapter is missing, damaged or made for another base; one plain sentence.
        WeightsError: Base weights cannot be had.
        ProfileError: The profile cannot be used.
    """
    folder = profile.adapter_folder
    card = read_card(folder, profile)
    key = _key(card, folder / "lora")
    if vlm := _from_cache(key, profile, card):
        return vlm, calibration_of(card, folder)
    vlm, calibration = load_trained(profile)
    large = sum(p.numel() for p in vlm.language.parameters()) >= WORTH_KEEPING
    _pack(vlm.language)
    if key and large and _keep(key, vlm):
        vlm = _from_cache(key, profile, card) or vlm  # mapped, and so shared with others
    return vlm, calibration


def is_kept(profile: Profile) -> bool:
    """Whether the model of a profile can be loaded without merging; an unusable one cannot."""
    folder = profile.adapter_folder
    try:
        key = _key(read_card(folder, profile), folder / "lora")
    except AdapterError:
        return False
    return bool(key) and _kept(key) is not None


# --- the cache --------------------------------------------------------------------------------


def _key(card: dict[str, Any], lora: Path) -> str:
    """Names what merging gives; "" if the base weights are not known by their sum."""
    base = card["base"].get("language_sha256", "")
    try:
        parts = [sha256_of(lora / name) for name in ("adapter_model.safetensors",
                                                     "adapter_config.json")]  # fmt: skip
    except OSError:
        return ""  # loading the adapter says what is wrong with it
    text = " ".join([str(FORMAT), base, *parts])
    return hashlib.sha256(text.encode()).hexdigest() if base else ""


def _place(cache: Path, key: str) -> Path:
    return cache / "quantised" / key[:16]


def _kept(key: str) -> Path | None:
    places = (_place(folder, key) for folder in cache_folders())
    return next((place for place in places if is_whole(place, key)), None)


def _from_cache(key: str, profile: Profile, card: dict[str, Any]) -> PrefixVLM | None:
    """The model that is kept under a key; None if there is none, or it cannot be read."""
    place = _kept(key) if key else None
    if place is None:
        return None
    try:
        language, tokenizer = _load(place)
    except Exception:  # whatever a parser of files trips over
        log.warning("the quantised model in %s is damaged; merging anew", place, exc_info=True)
        shutil.rmtree(place, ignore_errors=True)  # it looked whole
        return None
    vlm = with_tower(profile, language, tokenizer)
    folder = profile.adapter_folder
    try:
        set_mapper_and_tower(vlm, folder)
    except Exception as error:  # likewise
        raise unusable(folder) from error
    vlm.object_names = object_names_of(card, profile, folder)
    with contextlib.suppress(OSError):  # of a shipped cache
        os.utime(place)
    return vlm.eval().requires_grad_(False)


def _keep(key: str, vlm: PrefixVLM) -> bool:
    """Write a model into the cache; false if that cannot be done, which costs only time."""
    place = _place(cache_folder(), key)
    scratch = place.parent / f"{TEMPORARY}{uuid.uuid4().hex}"
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with only_one(place.parent / "lock", "prepares the language model"):
            for stale in place.parent.glob(f"{TEMPORARY}*"):
                shutil.rmtree(stale, ignore_errors=True)
            if not is_whole(place, key):  # nobody made it meanwhile
                _write(vlm, scratch)
                seal(scratch, {"sha256": key})
                shutil.rmtree(place, ignore_errors=True)  # damaged
                scratch.replace(place)
            with contextlib.suppress(OSError):
                _make_room(place)
    except (OSError, RuntimeError, SafetensorError) as error:  # the last for a full disk, too
        log.warning("the quantised model cannot be kept: %s", error)
        shutil.rmtree(scratch, ignore_errors=True)
        return False
    return True


def _make_room(place: Path) -> None:
    """Remove models that were not used for longest."""
    others = [folder for folder in place.parent.iterdir() if folder.is_dir() and folder != place]
    others.sort(key=lambda folder: folder.stat().st_mtime, reverse=True)
    for folder in others[KEPT - 1 :]:
        shutil.rmtree(folder, ignore_errors=True)


# --- the files --------------------------------------------------------------------------------


def _pack(language: Any) -> None:
    """Quantise in place; embeddings only where that loses nothing."""
    quantise(language)
    blocks = in_blocks(language.get_input_embeddings().weight)
    if blocks is not None:
        language.set_input_embeddings(blocks)


def _tensors(language: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers, those that a state dict leaves out as well."""
    return {**dict(language.named_parameters()), **dict(language.named_buffers())}


def _write(vlm: PrefixVLM, out: Path) -> None:
    out.mkdir()
    tensors = {name: each.detach().contiguous() for name, each in _tensors(vlm.language).items()}
    save_file(tensors, out / WEIGHTS, metadata={"format": "pt"})
    facts = vlm.language.config.to_diff_dict()
    facts.pop("_name_or_path", None)  # this machine's
    (out / "config.json").write_text(json.dumps(facts, indent=2, sort_keys=True) + "\n")
    vlm.tokenizer.save_pretrained(out)


def _load(place: Path) -> tuple[Any, Any]:
    """The language model and tokenizer that `_write` wrote.

    Raises:
        Exception: The files are damaged, or of another network.
    """
    from transformers import AutoConfig, AutoModelForCausalLM

    stored = load_file(place / WEIGHTS)  # mapped: pages come when they are read
    with quiet(), torch.device("meta"):
        config = AutoConfig.from_pretrained(place, local_files_only=True)
        language = AutoModelForCausalLM.from_config(config)
        quantise(language)
        embedding = language.get_input_embeddings()
        (path,) = (name for name, each in language.named_modules() if each is embedding)
        if f"{path}.scale" in stored:
            language.set_input_embeddings(BlockEmbedding(*embedding.weight.shape))
    if _tensors(language).keys() != stored.keys():
        raise ValueError("The stored weights are not those of this network.")
    for name, tensor in stored.items():
        _set(language, name, tensor)
    return language.eval().requires_grad_(False), load_tokenizer(str(place))


def _set(network: nn.Module, name: str, tensor: Tensor) -> None:
    """Put a tensor in the place of one without memory."""
    path, _, last = name.rpartition(".")
    module = network.get_submodule(path)
    if last in module._parameters:
        module._parameters[last] = nn.Parameter(tensor, requires_grad=False)
    else:
        module._buffers[last] = tensor
