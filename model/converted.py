"""Models in OpenVINO's format: converted once from PyTorch's, and kept in the cache.

The cache is `openvino/KEY`; the key stands for the profile, every file of the adapter (which names
its base weights by SHA-256), the format and OpenVINO's version.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import tomllib
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any

from model.cache import ModelCache, Progress, is_whole, sha256_of, silent
from model.confidence import Calibration
from model.config import Profile
from model.libraries import needed_for
from model.memory import release_freed
from model.openvino_vlm import OpenVinoVLM, is_compiled

log = logging.getLogger(__name__)
FORMAT = 3  # grows with every change of what is stored, or of how it is converted
CACHE = ModelCache("openvino", most=2)
MIN_PARAMETERS = 10_000_000  # of a language model worth converting unasked
MAKING = "converts the model"
NOT_CONVERTED = (
    "This model was not converted yet, which needs {library}, and that is not installed here; run "
    "`glimpse fetch` where it is, and bring the cache here."
)


def load_converted(
    profile: Profile,
    *,
    threads: int,
    int8: bool = True,
    small: bool = False,
    progress: Progress = silent,
) -> tuple[OpenVinoVLM, Calibration] | None:
    """The model of a profile with its adapter, from the cache or converted now.

    Args:
        profile: The profile.
        threads: CPU cores to use.
        int8: Whether the language model's weights are quantised.
        small: Convert a small language model, too.
        progress: Told what takes time.

    Returns:
        None if the language model is not worth it, or what it was made of is not known.

    Raises:
        AdapterError, WeightsError, ProfileError, MissingLibraryError: One plain sentence each.
        RuntimeError: OpenVINO cannot convert this network, or run it here.
        OSError: It cannot be kept.
    """
    key = cache_key(profile, int8)
    folder = _find(key)
    if folder is None:
        folder = _convert(profile, key, int8, small, progress)
        if folder is None:
            return None
        release_freed()  # a gigabyte
    try:
        vlm = OpenVinoVLM(folder, threads)
    except Exception:  # whatever a parser of files trips over
        log.warning("the converted model in %s is damaged; converting anew", folder, exc_info=True)
        shutil.rmtree(folder, ignore_errors=True)  # it looked whole
        folder = _convert(profile, key, int8, small, progress)
        if folder is None:
            return None
        vlm = OpenVinoVLM(folder, threads)
    CACHE.used(folder)
    return vlm, Calibration(**vlm.calibration)


def is_converted(profile: Profile, int8: bool = True) -> bool:
    """Whether the model of a profile can be loaded without converting it."""
    key = cache_key(profile, int8)
    return _find(key) is not None


def cache_key(profile: Profile, int8: bool) -> str:
    """Names what conversion gives; "" if the base weights are not known by their sums."""
    folder = profile.adapter_folder
    try:
        base = tomllib.loads((folder / "adapter.toml").read_text(encoding="utf-8"))["base"]
        files = sorted(
            path for path in folder.rglob("*") if path.suffix != ".md" and path.is_file()
        )
        sums = [f"{path.relative_to(folder)} {sha256_of(path)}" for path in files]
    except (OSError, ValueError, KeyError):
        return ""  # loading the adapter says what is wrong with it
    if not base.get("language_sha256"):
        return ""
    facts = json.dumps(_facts(profile), sort_keys=True)
    parts = [str(FORMAT), metadata.version("openvino"), str(int8), facts, *sums]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _facts(profile: Profile) -> dict[str, Any]:
    """A profile without where its files lie: the same model on another machine."""
    facts = {**asdict(profile), "adapter": ""}
    for part in ("tower", "language"):
        source = Path(facts[part]["source"])
        facts[part]["source"] = source.name if source.is_absolute() else str(source)
    return facts


def _find(key: str) -> Path | None:
    """The converted model of a key, if there is a whole one.

    What OpenVINO has not compiled yet is compared with its sums, for a network that it cannot read
    does harm: it then tries other formats' readers, which leave the process with a stack for
    signals that is not there any more, so that SIGTERM ends it with a segmentation fault.
    """
    folder = CACHE.find(key)
    if folder is None or is_compiled(folder) or is_whole(folder, key, verify=True):
        return folder
    return None


def _convert(
    profile: Profile, key: str, int8: bool, small: bool, progress: Progress
) -> Path | None:
    """Convert a model into the cache; its folder, or None if it is not worth it."""
    if not key:
        return None
    with needed_for(NOT_CONVERTED):
        from model.adapter import load_trained
        from model.conversion import convert

        vlm, calibration = load_trained(profile, progress)
    if not small and sum(p.numel() for p in vlm.language.parameters()) < MIN_PARAMETERS:
        return None

    def write(out: Path) -> None:
        progress("Converting the model (once)", 0, 1)
        try:
            convert(vlm, calibration, out, int8=int8)
        finally:
            progress("Converting the model (once)", 1, 1)

    try:
        return CACHE.keep(key, write, making=MAKING, verify=True, progress=progress)
    except OSError as error:
        raise RuntimeError("The converted model cannot be kept.") from error
