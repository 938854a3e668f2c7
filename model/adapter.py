"""Adapters: what training adds to the base weights, as a folder.

prefix.safetensors   the mapper, float16
lora/                LoRA in peft's own format
adapter.toml         base weights, mapper, prompt version, training data, metrics, calibration
README.md            the model card
"""

from __future__ import annotations

import json
import logging
import math
import shutil
import tomllib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import tomli_w
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from model.prefix import Mapper
from model.profile import STARTER_WHEEL, Profile
from model.prompts import PROMPT_VERSION
from model.vision import load_tower
from model.vlm import PrefixVLM
from model.weights import WeightsError, starter_language_model

log = logging.getLogger(__name__)


class AdapterError(RuntimeError):
    """An adapter that cannot be used; `str(error)` is one plain sentence."""


@dataclass(frozen=True)
class Calibration:
    """Platt scaling: confidence = sigmoid(slope x log-probability + offset).

    Source: Platt 1999. `answer` takes the log-probability of the whole answer, `caption` the mean
    log-probability of a caption's tokens, both in nats.
    """

    answer_slope: float = 1.0
    answer_offset: float = 0.0
    caption_slope: float = 1.0
    caption_offset: float = 0.0

    def confidence(self, logprob: float, *, caption: bool) -> float:
        """A log-probability in nats → a probability in 0..1."""
        slope = self.caption_slope if caption else self.answer_slope
        offset = self.caption_offset if caption else self.answer_offset
        x = slope * logprob + offset
        return 1 / (1 + math.exp(-x)) if x > -700 else 0.0


def load_base(profile: Profile) -> PrefixVLM:
    """The model of a profile with base weights and a fresh mapper, in fp32.

    Raises:
        WeightsError: Base weights cannot be had; one plain sentence.
        ProfileError: The profile asks for what its parts cannot give.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer

    source = profile.language.source
    folder = str(starter_language_model()) if source == STARTER_WHEEL else source
    try:
        language = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
        tokenizer = AutoTokenizer.from_pretrained(folder)
    except (OSError, ValueError) as error:
        raise WeightsError(
            f"The language model {source!r} could not be loaded; "
            "check the name and that the model hub can be reached."
        ) from error
    language.eval().requires_grad_(False)
    tower = load_tower(profile.tower)
    head = tower.classifier()
    mapper = Mapper(
        profile.mapper,
        tower.hidden_size,
        tower.grid,
        int(language.config.hidden_size),
        classes=0 if head is None else len(head[1]),
    )
    if mapper.tags is not None and head is not None:
        mapper.tags.set_classifier(*head)
    mapper.fit_scale(language.get_input_embeddings().weight)
    return PrefixVLM(tower, mapper, language, tokenizer)


def load_trained(profile: Profile) -> tuple[PrefixVLM, Calibration]:
    """The model of a profile with its adapter, LoRA merged into the language model, in fp32.

    Raises:
        AdapterError: The adapter is missing, damaged or made for another base; one plain sentence.
        WeightsError: Base weights cannot be had.
        ProfileError: The profile cannot be used.
    """
    from peft import PeftModel

    folder = profile.adapter_folder
    card = read_card(folder, profile)
    vlm = load_base(profile)
    try:
        state = {k: v.float() for k, v in load_file(folder / "prefix.safetensors").items()}
        vlm.mapper.load_state_dict(state)
        tuned = PeftModel.from_pretrained(vlm.language, folder / "lora")
        vlm.language = tuned.merge_and_unload(safe_merge=True)
    except (OSError, SafetensorError, RuntimeError, ValueError, KeyError, TypeError) as error:
        raise AdapterError(
            f"The adapter in {folder} is damaged or made for another model; "
            "install Glimpse again or train it anew."
        ) from error
    vlm.language.requires_grad_(False)
    vlm.eval()
    return vlm, _calibration(card)


def read_card(folder: Path, profile: Profile) -> dict[str, Any]:
    """Read adapter.toml and check that the adapter fits the profile.

    Raises:
        AdapterError: It is missing, damaged or does not fit; one plain sentence.
    """
    if not (folder / "adapter.toml").is_file():
        raise AdapterError(f"There is no adapter in {folder}; train one with `glimpse train`.")
    try:
        card = tomllib.loads((folder / "adapter.toml").read_text(encoding="utf-8"))
        version, base = card["prompt_version"], card["base"]
        same = base["mapper"] == asdict(profile.mapper) and base["tower_kind"] == profile.tower.kind
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise AdapterError(f"The file adapter.toml in {folder} is damaged.") from error
    if version != PROMPT_VERSION:
        raise AdapterError(
            f"The adapter in {folder} was trained with prompts of version {version}, "
            f"but this Glimpse speaks version {PROMPT_VERSION}."
        )
    if not same:
        raise AdapterError(f"The adapter in {folder} was trained for another tower or mapper.")
    return card


def base_facts(profile: Profile) -> dict[str, Any]:
    """What an adapter must know of its base, for adapter.toml."""
    return {
        "tower": Path(profile.tower.source).name
        if _local(profile.tower.source)
        else profile.tower.source,
        "tower_kind": profile.tower.kind,
        "image_size": profile.tower.image_size,
        "language": Path(profile.language.source).name
        if _local(profile.language.source)
        else profile.language.source,
        "mapper": asdict(profile.mapper),
    }


def save_adapter(
    folder: Path,
    profile: Profile,
    mapper: dict[str, Tensor],
    language: Any,
    facts: dict[str, Any],
    lora: dict[str, Tensor] | None = None,
) -> None:
    """Write an adapter folder; an older one is replaced only when the new one is whole.

    Args:
        folder: Where the adapter goes.
        profile: What it was trained for.
        mapper: The mapper's state.
        language: The peft model that holds LoRA.
        facts: More sections for adapter.toml (training, metrics, calibration).
        lora: LoRA's state, if not the one in `language`.
    """
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    half = {k: v.detach().to(torch.float16).contiguous() for k, v in mapper.items()}
    save_file(half, part / "prefix.safetensors")
    config = language.peft_config["default"]
    config.base_model_name_or_path = base_facts(profile)["language"]
    config.inference_mode = True
    language.save_pretrained(part / "lora", state_dict=lora)
    _halve(part / "lora" / "adapter_model.safetensors")
    (part / "lora" / "README.md").unlink(missing_ok=True)
    _plain_config(part / "lora" / "adapter_config.json")
    card = {"prompt_version": PROMPT_VERSION, "base": base_facts(profile), **facts}
    (part / "adapter.toml").write_text(tomli_w.dumps(card), encoding="utf-8")
    if (folder / "README.md").is_file():
        shutil.copy2(folder / "README.md", part / "README.md")
    old = folder.with_name(folder.name + ".old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.is_dir():
        folder.replace(old)
    part.replace(folder)
    shutil.rmtree(old, ignore_errors=True)


def _halve(path: Path) -> None:
    state = {k: v.to(torch.float16).contiguous() for k, v in load_file(path).items()}
    save_file(state, path, metadata={"format": "pt"})


def _plain_config(path: Path) -> None:
    """Sort sets that peft writes in any order, so that the same run writes the same file."""
    config = json.loads(path.read_text(encoding="utf-8"))
    config["target_modules"] = sorted(config["target_modules"])
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _calibration(card: dict[str, Any]) -> Calibration:
    known = {k: float(v) for k, v in card.get("calibration", {}).items() if k in _CALIBRATED}
    return Calibration(**known)


_CALIBRATED = frozenset(Calibration.__dataclass_fields__)


def _local(source: str) -> bool:
    return Path(source).is_absolute()
