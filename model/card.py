"""adapter.toml: what an adapter was made for, read and checked without loading anything."""

from __future__ import annotations

import logging
import tomllib
from dataclasses import asdict
from pathlib import Path
from typing import Any

from model.config import STARTER_WHEEL, MapperConfig, Profile
from model.errors import AdapterError
from model.hub import weights_sha256
from model.pretrained import LANGUAGE_MODEL, TOWER
from model.prompts import PROMPT_VERSION

log = logging.getLogger(__name__)
# Facts of the base that an adapter does not work without; older adapters lack some of them.
_DECISIVE = frozenset({"tower_kind", "layer", "detail_layer", "tower_sha256", "language_sha256"})


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
    for name, part in (("tower", TOWER), ("language", LANGUAGE_MODEL)):
        source = getattr(profile, name).source
        starter = source == STARTER_WHEEL
        shown = Path(source).name if Path(source).is_absolute() else source
        facts[name] = str(part) if starter else shown
        facts[f"{name}_sha256"] = part.sha256 if starter else weights_sha256(source)
    return facts
