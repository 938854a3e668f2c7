"""Adapters: what training adds to the base weights, as a folder.

prefix.safetensors   the mapper, int8 and float16 (`pack`)
tower.safetensors    the vision tower's tuned weights, if it has any, float16
lora/                LoRA in peft's own format, float16
adapter.toml         base weights, mapper, prompt version, training data, metrics, calibration
README.md            the model card
"""

from __future__ import annotations

import json
import logging
import shutil
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomli_w
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from model.cache import Progress, silent
from model.card import base_facts, read_card
from model.confidence import Calibration, calibration_of
from model.config import STARTER_WHEEL, Profile
from model.errors import AdapterError
from model.hub import load_network, load_tokenizer, silence_libraries
from model.mapper import Mapper
from model.pretrained import starter_language_model
from model.prompts import PROMPT_VERSION
from model.vision import load_tower
from model.vlm import PrefixVLM

log = logging.getLogger(__name__)
MAPPER_FILE, TOWER_FILE = "prefix.safetensors", "tower.safetensors"
LORA_FILE = "lora/adapter_model.safetensors"
PACKED_SIZE = 2**15  # weights of a matrix from which eight bits are worth it
_SCALE = ".scale"


# --- loading ----------------------------------------------------------------------------------


def load_base(profile: Profile, progress: Progress = silent) -> PrefixVLM:
    """The model of a profile with base weights and a fresh mapper, in fp32.

    Raises:
        WeightsError: Base weights cannot be had; one plain sentence.
        ProfileError: The profile asks for what its parts cannot give.
    """
    from transformers import AutoModelForCausalLM

    source = profile.language.source
    folder = str(starter_language_model(progress=progress)) if source == STARTER_WHEEL else source
    language = load_network("The language model", folder, AutoModelForCausalLM, progress=progress)
    tokenizer = load_tokenizer(folder, progress)
    language.eval().requires_grad_(False)
    vlm = with_tower(profile, language, tokenizer, progress)
    vlm.mapper.fit_scale(language.get_input_embeddings().weight)
    return vlm


def with_tower(
    profile: Profile, language: Any, tokenizer: Any, progress: Progress = silent
) -> PrefixVLM:
    """A language model behind the base tower of a profile and a fresh mapper.

    Raises:
        WeightsError: The tower's weights cannot be had; one plain sentence.
        ProfileError: The profile asks for what its parts cannot give.
    """
    tower = load_tower(profile.tower, progress)
    tower.colours = profile.mapper.colours
    head = tower.classifier()
    mapper = Mapper(
        profile.mapper,
        tower.hidden_size,
        tower.grid,
        int(language.config.hidden_size),
        classes=0 if head is None else len(head[1]),
        detail=(tower.detail_size, tower.detail_side),
    )
    if mapper.tags is not None and head is not None:
        mapper.tags.set_classifier(*head)
    return PrefixVLM(tower, mapper, language, tokenizer)


def load_trained(profile: Profile, progress: Progress = silent) -> tuple[PrefixVLM, Calibration]:
    """The model of a profile with its adapter, LoRA merged into the language model, in fp32.

    Raises:
        AdapterError: The adapter is missing, damaged or made for another base; one plain sentence.
        WeightsError: Base weights cannot be had.
        ProfileError: The profile cannot be used.
    """
    folder = profile.adapter_folder
    card = read_card(folder, profile)
    calibration = calibration_of(card, folder)
    vlm = load_base(profile, progress)
    try:
        vlm.language = _merge_lora(vlm.language, folder)
    except ModuleNotFoundError:  # not the adapter's fault
        raise
    except Exception as error:  # whatever a parser of files trips over
        raise _damaged(folder) from error
    return load_mapper_and_tower(vlm, profile, card), calibration


def load_mapper_and_tower(vlm: PrefixVLM, profile: Profile, card: dict[str, Any]) -> PrefixVLM:
    """Give a model its adapter's mapper, names of objects and tuned weights of the tower.

    Args:
        vlm: The model.
        profile: What it is.
        card: What `read_card` gave.

    Returns:
        The model, in evaluation mode and frozen.

    Raises:
        AdapterError: The files are damaged or made for another base; one plain sentence.
    """
    folder = profile.adapter_folder
    try:
        vlm.mapper.load_state_dict(_mapper_state(folder))
        vlm.tower.load_tuned_state(_tower_state(folder))
    except Exception as error:  # whatever a parser of files trips over
        raise _damaged(folder) from error
    names = card.get("objects", {}).get("names", [])
    wanted = profile.mapper.object_classes if profile.mapper.objects else 0
    if len(names) != wanted or not all(isinstance(name, str) for name in names):
        raise AdapterError(f"The names of objects in adapter.toml in {folder} are damaged.")
    vlm.object_names = tuple(names)
    return vlm.eval().requires_grad_(False)


def adapter_state(profile: Profile) -> dict[str, Tensor]:
    """An adapter's weights, in fp32: "mapper.…", "tower.…", and "lora.…" as peft names it.

    Raises:
        AdapterError: The adapter is missing, damaged or made for another base; one plain sentence.
    """
    folder = profile.adapter_folder
    read_card(folder, profile)
    try:
        lora = load_file(folder / LORA_FILE)
        parts = {"mapper": _mapper_state(folder), "lora": lora, "tower": _tower_state(folder)}
    except Exception as error:  # whatever a parser of files trips over
        raise _damaged(folder) from error
    return {f"{part}.{k}": v.float() for part, state in parts.items() for k, v in state.items()}


def _mapper_state(folder: Path) -> dict[str, Tensor]:
    state = unpack(load_file(folder / MAPPER_FILE))
    if not all(value.isfinite().all() for value in state.values()):
        raise ValueError("The mapper's weights are not all numbers.")
    return state


def _tower_state(folder: Path) -> dict[str, Tensor]:
    """The tuned weights of the tower; none if it stayed as it was."""
    return load_file(folder / TOWER_FILE) if (folder / TOWER_FILE).is_file() else {}


def _damaged(folder: Path) -> AdapterError:
    """What to say of an adapter whose files cannot be read; the cause goes into the log."""
    log.exception("cannot load the adapter in %s", folder)
    return AdapterError(
        f"The adapter in {folder} is damaged or made for another model; "
        "install Glimpse again or train it anew."
    )


def _merge_lora(language: Any, folder: Path) -> Any:
    """The language model with an adapter's LoRA merged into its weights."""
    from peft import PeftModel, get_peft_model_state_dict

    stored, config = load_file(folder / LORA_FILE), folder / "lora/adapter_config.json"
    if not config.is_file():  # peft would ask the hub for it
        raise FileNotFoundError(config)
    with silence_libraries():
        # Said more strictly below: peft warns of missing weights and ignores needless ones.
        warnings.filterwarnings("ignore", "Found missing adapter keys")
        tuned = PeftModel.from_pretrained(language, str(folder / "lora"), local_files_only=True)
    known = get_peft_model_state_dict(tuned, save_embedding_layers=False)
    if stored.keys() != known.keys():
        raise ValueError("LoRA's weights are not those of this language model.")
    return tuned.merge_and_unload(safe_merge=True)


# --- saving -----------------------------------------------------------------------------------


def save_adapter(  # noqa: PLR0917
    folder: Path,
    profile: Profile,
    mapper: dict[str, Tensor],
    language: Any,
    facts: dict[str, Any],
    lora: dict[str, Tensor] | None = None,
    tower: dict[str, Tensor] | None = None,
) -> None:
    """Write an adapter folder; an older one is replaced only when the new one is whole.

    Args:
        folder: Where the adapter goes.
        profile: What it was trained for.
        mapper: The mapper's state.
        language: The peft model that holds LoRA.
        facts: More sections for adapter.toml (training, metrics, calibration).
        lora: LoRA's state, if not the one in `language`.
        tower: Tuned weights of the tower, if there are any.
    """
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        save_file(pack(mapper), part / MAPPER_FILE)
        if tower:
            save_file(_halved(tower), part / TOWER_FILE)
        base = base_facts(profile)
        _save_lora(part / "lora", language, lora, base["language"])
        card = {"prompt_version": PROMPT_VERSION, "base": base, **facts}
        (part / "adapter.toml").write_text(tomli_w.dumps(card), encoding="utf-8")
        if (folder / "README.md").is_file():
            shutil.copy2(folder / "README.md", part / "README.md")
        for path in part.rglob("*.safetensors"):
            path.chmod(0o644)  # safetensors writes 0600, which breaks an installation for all users
        _exchange(part, folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _save_lora(folder: Path, language: Any, lora: dict[str, Tensor] | None, base: str) -> None:
    """Write LoRA in peft's format: float16, the same bytes for the same run, no machine's paths."""
    # "auto" would look for the base model on the hub.
    language.save_pretrained(str(folder), state_dict=lora, save_embedding_layers=False)
    weights = folder / "adapter_model.safetensors"
    save_file(_halved(load_file(weights)), weights, metadata={"format": "pt"})
    (folder / "README.md").unlink(missing_ok=True)
    path = folder / "adapter_config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    config |= {"base_model_name_or_path": base, "inference_mode": True}
    config["target_modules"] = sorted(config["target_modules"])
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _exchange(new: Path, folder: Path) -> None:
    """Put a folder in another's place, and the other back if that fails."""
    old = folder.with_name(folder.name + ".old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.is_dir():
        folder.replace(old)
    try:
        new.replace(folder)
    except OSError:
        if old.is_dir():
            old.replace(folder)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _halved(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {k: v.detach().to(torch.float16).contiguous() for k, v in state.items()}


def pack(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights by name → what is stored: big matrices as int8 with a scale a row, others as float16.

    A row of a matrix is its largest magnitude over 127, times whole numbers (symmetric
    quantisation, Jacob et al. 2017, arXiv 1712.05877): .3 % of a row's deviation is lost, at half
    the size.
    """
    packed = {}
    for name, value in state.items():
        weights = value.detach().float().cpu()
        if weights.ndim == 2 and weights.numel() >= PACKED_SIZE:
            scale = weights.abs().amax(dim=1).clamp(min=1e-12) / 127
            packed[name] = (weights / scale[:, None]).round().to(torch.int8)
            packed[name + _SCALE] = scale
        else:
            packed[name] = weights.to(torch.float16).contiguous()
    return packed


def unpack(stored: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What `pack` gave → weights in fp32.

    Raises:
        ValueError: A matrix lacks its scale, or they do not fit.
    """
    state = {}
    for name, value in stored.items():
        if value.dtype == torch.int8:
            scale = stored.get(name + _SCALE)
            if scale is None or scale.shape != value.shape[:1]:
                raise ValueError(f"The scale of {name} is missing or of another size.")
            state[name] = value.float() * scale.float()[:, None]
        elif not name.endswith(_SCALE):
            state[name] = value.float()
    return state
