"""Networks in the model hub's format, from a folder or from the hub: whole, quiet, and in fp32."""

from __future__ import annotations

import errno
import logging
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from model.cache import Progress, sha256_of, silent
from model.errors import ModelError, WeightsError

log = logging.getLogger(__name__)
T = TypeVar("T")
REACH_SECONDS = 10.0  # how long an unreachable hub is waited for


def load_network(
    title: str, source: str, kind: Any, *, progress: Progress = silent, **options: Any
) -> Any:
    """Load a pretrained network, every weight of it.

    Args:
        title: What people call it: "The vision tower".
        source: A hub id, or a folder in the hub's format.
        kind: The class whose `from_pretrained` loads it.
        progress: Told if it is fetched.
        options: More arguments for it.

    Raises:
        WeightsError: It cannot be had, is damaged or holds another kind of network.
    """
    import torch

    def read(**how: Any) -> Any:
        # transformers asks for somebody's adapter first, by its own settings.
        return load_whole(
            title, source, kind, source,
            dtype=torch.float32, adapter_kwargs=how, **options, **how,
        )  # fmt: skip

    return from_hub(title, source, read, progress)


def load_whole(title: str, source: str, kind: Any, where: str | Path, **options: Any) -> Any:
    """Load a network by its class's `from_pretrained`, and see that no weight is missing.

    Args:
        title: What people call it.
        source: As the profile names it.
        kind: The class.
        where: What it loads: a hub id or a folder.
        options: More arguments.

    Raises:
        WeightsError: It holds another kind of network.
    """
    network, info = kind.from_pretrained(where, output_loading_info=True, **options)
    # What a checkpoint lacks would silently be random.
    if info["missing_keys"] or info["mismatched_keys"]:
        missing, mismatched = (
            sorted(info["missing_keys"]),
            sorted(map(str, info["mismatched_keys"])),
        )
        log.error("%s: missing %s, mismatched %s", source, missing[:5], mismatched[:5])
        raise WeightsError(f"{title} {source!r} is of another kind than the profile says.")
    return network


def load_tokenizer(source: str, progress: Progress = silent) -> Any:
    """Load a language model's tokenizer.

    Raises:
        WeightsError: It cannot be had, is damaged or has no end token.
    """
    from transformers import AutoTokenizer

    def read(**how: Any) -> Any:
        return AutoTokenizer.from_pretrained(source, **how)

    tokenizer = from_hub("The tokenizer of", source, read, progress)
    if tokenizer.eos_token_id is None:
        raise WeightsError(f"The tokenizer of {source!r} has no end token, so it cannot be used.")
    return tokenizer


def from_hub(
    title: str, source: str, read: Callable[..., T], progress: Progress = silent, revision: str = ""
) -> T:
    """Call `read(local_files_only=...)`: on this machine first, then with the hub's help.

    Args:
        title: What people call it.
        source: A hub id, or a folder in the hub's format.
        read: What is called.
        progress: Told if something is fetched.
        revision: Which one on the hub is meant; "" for the newest.

    Raises:
        WeightsError: Neither worked; one plain sentence, with the cause in the log.
    """
    try:
        with silence_libraries():
            return read(local_files_only=True)
    except (ModelError, ModuleNotFoundError):  # the files are there
        raise
    except Exception as error:  # whatever a parser of files trips over
        if is_folder(source):
            log.exception("cannot load %s", source)
            raise WeightsError(
                f"{title} {source!r} could not be loaded; "
                "the folder is missing, damaged or of another kind."
            ) from error
    _reach(title, source, revision)
    # Else transformers asks a service on the hub to convert old checkpoints, in a thread.
    os.environ.setdefault("DISABLE_SAFETENSORS_CONVERSION", "1")
    progress(f"Fetching {source} from the model hub", 0, 0)
    try:
        with silence_libraries(bars=True):
            return read(local_files_only=False)
    except ModelError:
        raise
    except Exception as error:
        log.exception("cannot load %s", source)
        if said := _refusal(error, f"{title} {source!r}", revision):
            raise WeightsError(said) from error
        raise WeightsError(
            f"{title} {source!r} could not be loaded from the model hub; "
            "check that it is of the kind that the profile says, and try again."
        ) from error


def weights_sha256(source: str) -> str:
    """SHA-256 of a network's weights, hex; "" if they are not on this machine or in many files."""
    for name in ("model.safetensors", "pytorch_model.bin"):
        found = Path(source) / name if is_folder(source) else _from_cache(source, name)
        if isinstance(found, str | Path) and Path(found).is_file():
            return sha256_of(Path(found))
    return ""


def _from_cache(source: str, name: str) -> object:
    """The path of a file in the hub's cache; anything else means that it is not there."""
    try:
        from huggingface_hub import try_to_load_from_cache
    except ModuleNotFoundError:  # then it has no cache here
        return None
    return try_to_load_from_cache(source, name)


def is_folder(source: str) -> bool:
    """Whether a source can only mean a folder; others are ids on the hub."""
    return Path(source).is_absolute() or source.startswith((".", "~")) or Path(source).is_dir()


@contextmanager
def silence_libraries(bars: bool = False) -> Iterator[None]:
    """Keep the libraries' bars, reports and warnings that say nothing to users off stderr."""
    from transformers.utils import logging as library

    verbosity, shown = library.get_verbosity(), library.is_progress_bar_enabled()
    library.set_verbosity_error()
    if not bars:
        library.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            # peft asks transformers in an old way.
            warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
            yield
    finally:
        library.set_verbosity(verbosity)
        if shown:
            library.enable_progress_bar()


def _reach(title: str, source: str, revision: str) -> None:
    """Ask the hub for a model, so that a typo or a missing network is told apart, and soon."""
    from huggingface_hub import HfApi

    try:
        HfApi().model_info(source, revision=revision or None, timeout=REACH_SECONDS)
    except Exception as error:
        what = f"{title} {source!r}"
        said = _refusal(error, what, revision)
        if not said:
            log.exception("cannot reach the hub for %s", source)
            said = f"{what} is not on this machine, and the model hub cannot be reached."
        raise WeightsError(said) from error


def _refusal(error: Exception, what: str, revision: str) -> str:
    """A sentence on why the hub does not give us what; "" if it is something else."""
    from huggingface_hub import errors

    match error:
        case errors.GatedRepoError():  # which is a RepositoryNotFoundError, too
            return (
                f"{what} is only for those who accepted its terms: do so on its page on the hub, "
                "and put a token of yours into HF_TOKEN."
            )
        case errors.HFValidationError() | errors.RepositoryNotFoundError():
            return f"{what} is neither a folder nor a model on the hub; check the name."
        case errors.RevisionNotFoundError():
            return f"{what} has no revision {revision!r} on the hub; check it."
        case errors.OfflineModeIsEnabled():
            return f"{what} is not on this machine, and HF_HUB_OFFLINE forbids fetching it."
        case OSError(errno=errno.ENOSPC):
            return f"{what} does not fit on the disk; make room and try again."
    return ""
