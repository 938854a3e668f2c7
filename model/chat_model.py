"""Chat models from the model hub, by transformers: fetched, weighed against memory, loaded."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model.cache import Progress, silent
from model.chat_config import ChatConfig
from model.chat_template import ChatTemplate
from model.errors import MissingLibraryError, ModelError, WeightsError
from model.hub import from_hub, is_folder, load_whole, silence_libraries
from model.libraries import missing_library
from model.memory import free_memory
from model.runtime import find_device

if TYPE_CHECKING:
    import torch

log = logging.getLogger(__name__)
TITLE = "The chat model"
MANY_TOKENS = 8192  # for models that do not say what they were made for
# What processors and models of some kinds import beside what Glimpse needs.
_OPTIONAL = (
    "torchvision", "num2words", "sentencepiece", "tiktoken", "protobuf", "mistral_common", "timm",
    "einops", "accelerate", "bitsandbytes", "compressed_tensors", "flash_attn", "open_clip",
)  # fmt: skip
_FILES = ("*.json", "*.safetensors", "*.jinja", "*.txt", "*.model")
_WEIGHTS = "model.safetensors"
_NOT_FILES = ("*/*", "consolidated*")  # the latter are the same weights for other programs


@dataclass(frozen=True)
class ChatModel:
    """A chat model ready to write.

    Attributes:
        network: The model, without gradients.
        template: Makes its inputs.
        tokenizer: Reads what it writes.
        ends: The tokens that end a text; there is one at least.
        positions: Most tokens that it was made for, those of the picture and the answer included.
        device: Where it computes.
        dtype: What in.
    """

    network: Any
    template: ChatTemplate
    tokenizer: Any
    ends: tuple[int, ...]
    positions: int
    device: torch.device
    dtype: torch.dtype


def load_chat_model(
    config: ChatConfig, device: str = "cpu", progress: Progress = silent
) -> ChatModel:
    """Load a chat model, fetching it if it is not on this machine.

    Args:
        config: Which one.
        device: Where to compute, if it is another place than "cpu"; else the profile says it.
        progress: Told if it is fetched.

    Raises:
        WeightsError, DeviceError, MissingLibraryError: One plain sentence each.
    """
    place, dtype = placement(config, device)
    from transformers import AutoModelForImageTextToText
    from transformers.utils import logging as library

    folder = chat_files(config, progress)
    check_memory(config, parameters(config, folder), place, dtype)
    with _explaining(config), silence_libraries():
        processor = _load_processor(folder, config.trust_remote_code)
        template = ChatTemplate(processor, config.processor, f"{TITLE} {config.source!r}")
        network = load_whole(
            TITLE, config.source, AutoModelForImageTextToText, folder,
            dtype=dtype, device_map={"": place}, use_safetensors=True,
            trust_remote_code=config.trust_remote_code, local_files_only=True,
        )  # fmt: skip
        ends = _settle_generation(network, processor.tokenizer, config)
    library.set_verbosity_error()  # for good: answers are written on a thread of their own
    network.eval().requires_grad_(False)
    positions = getattr(network.config.get_text_config(), "max_position_embeddings", MANY_TOKENS)
    return ChatModel(network, template, processor.tokenizer, ends, positions, place, dtype)


def chat_files(config: ChatConfig, progress: Progress = silent, *, fetch: bool = True) -> Path:
    """The folder of a chat model's files.

    Args:
        config: Which model.
        progress: Told if it is fetched.
        fetch: Whether it may be, if it would fit into the memory.

    Raises:
        WeightsError: It is not there, and cannot or must not be fetched; one plain sentence.
    """
    if is_folder(config.source):
        if not is_whole(Path(config.source)):
            raise WeightsError(
                f"{TITLE} {config.source!r} has no whole weights in the format safetensors, or the "
                "folder is missing."
            )
        return Path(config.source)
    from huggingface_hub import snapshot_download

    def read(local_files_only: bool) -> Path:
        if not local_files_only:
            _check_before_fetching(config)
        files = [*_FILES, "*.py"] if config.trust_remote_code else [*_FILES]
        found = snapshot_download(
            config.source, revision=config.revision or None, allow_patterns=files,
            ignore_patterns=[*_NOT_FILES], local_files_only=local_files_only,
        )  # fmt: skip
        if not is_whole(Path(found)):
            raise FileNotFoundError("not all of its files are there")
        return Path(found)

    if fetch:
        return from_hub(TITLE, config.source, read, progress, config.revision)
    try:
        return read(local_files_only=True)
    except Exception as error:
        raise WeightsError(
            f"{TITLE} {config.source!r} is not on this machine, or only in part."
        ) from error


def is_whole(folder: Path) -> bool:
    """Whether a folder has a model's settings, its tokenizer's, and all of its weights."""
    names = {"config.json", "tokenizer_config.json"}
    index = folder / f"{_WEIGHTS}.index.json"
    if not index.exists():
        names.add(_WEIGHTS)
    else:
        try:
            names |= {*json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()}
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            return False
    return all((folder / name).is_file() for name in names)


def _check_before_fetching(config: ChatConfig) -> None:
    """See that a model would fit into the memory, as far as the hub tells how large it is."""
    from huggingface_hub import HfApi

    told = HfApi().model_info(config.source, revision=config.revision or None).safetensors
    if told is not None:
        check_memory(config, told.total, *placement(config))


def _settle_generation(network: Any, tokenizer: Any, config: ChatConfig) -> tuple[int, ...]:
    """Drop a model's own settings of what the profile has its say in; gives its end tokens."""
    from transformers import GenerationConfig

    own = network.generation_config
    told = own.eos_token_id if isinstance(own.eos_token_id, list) else [own.eos_token_id]
    ends = [each for each in dict.fromkeys([*told, tokenizer.eos_token_id]) if each is not None]
    if not ends:
        raise WeightsError(f"{TITLE} {config.source!r} has no end token, so it would never stop.")
    network.generation_config = GenerationConfig(
        eos_token_id=ends,
        pad_token_id=ends[0],
        bos_token_id=own.bos_token_id,
        repetition_penalty=own.repetition_penalty,
    )
    return tuple(ends)


# --- memory -------------------------------------------------------------------------------------


def parameters(config: ChatConfig, folder: Path) -> int:
    """How many weights there are; only the headers of their files are read.

    Raises:
        WeightsError: They cannot be read.
    """
    from safetensors import safe_open

    count = 0
    with _explaining(config):
        for path in folder.glob("model*.safetensors"):
            with safe_open(path, framework="pt") as file:
                for name in file.keys():  # noqa: SIM118 - it is no dict
                    count += math.prod(file.get_slice(name).get_shape())
    return count


def check_memory(
    config: ChatConfig, weights: int, place: torch.device, dtype: torch.dtype
) -> tuple[int, int]:
    """What so many weights take and what is free, in bytes, where they are to go.

    Raises:
        WeightsError: They do not fit; one plain sentence.
    """
    on_gpu = place.type == "cuda"
    needed, free = weights * dtype.itemsize, _free_on_gpu(place) if on_gpu else free_memory()
    if needed > free:
        raise WeightsError(
            f"{TITLE} {config.source!r} needs {needed / 1e9:.1f} GB of memory for its weights, and "
            f"{free / 1e9:.1f} GB are free{' on the GPU' if on_gpu else ''}; take a smaller one."
        )
    return needed, free


def placement(config: ChatConfig, device: str = "cpu") -> tuple[torch.device, torch.dtype]:
    """Where a model computes, and what in; see `load_chat_model`.

    Raises:
        DeviceError: There is no such device; one plain sentence.
    """
    import torch

    name = config.device if device == "cpu" else device
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    place = find_device(name)
    return place, _dtype(config.dtype, place)


def _free_on_gpu(place: torch.device) -> int:
    import torch

    free: int = torch.cuda.mem_get_info(place)[0]
    return free


def _dtype(name: str, place: torch.device) -> torch.dtype:
    """The type of a name; "auto" is bfloat16 where there are instructions for it, else float32."""
    import torch

    if name != "auto":
        dtype: torch.dtype = getattr(torch, name)
        return dtype
    if place.type == "cuda":
        has = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        able = torch.cpu.get_capabilities()
        has = bool(able.get("avx512_bf16") or able.get("amx_bf16"))
    return torch.bfloat16 if has else torch.float32


# --- loading ------------------------------------------------------------------------------------


def _load_processor(folder: Path, trust_remote_code: bool) -> Any:
    """A model's processor; without its part for videos, if that lacks torchvision."""
    from transformers import AutoProcessor

    how = {"trust_remote_code": trust_remote_code, "local_files_only": True}
    try:
        return AutoProcessor.from_pretrained(folder, **how)
    except ImportError as error:
        if "torchvision" not in _absent_packages(error):
            raise
        return _load_without_videos(folder, how)


def _load_without_videos(folder: Path, how: dict[str, Any]) -> Any:
    """Put a processor together as its class does, with nothing in the place of videos."""
    from transformers import AutoConfig, AutoImageProcessor, AutoTokenizer
    from transformers.models.auto.processing_auto import PROCESSOR_MAPPING

    kind: Any = PROCESSOR_MAPPING[type(AutoConfig.from_pretrained(folder, **how))]
    loaders: dict[str, Any] = {
        "image_processor": lambda: AutoImageProcessor.from_pretrained(folder, **how),
        "tokenizer": lambda: AutoTokenizer.from_pretrained(folder, **how),
        "video_processor": lambda: None,
    }
    parts: list[Any] = [loaders[name]() for name in kind.get_attributes()]

    def check(self: Any, name: str, part: Any) -> Any:
        return None if part is None else kind.check_argument_for_proper_class(self, name, part)

    blind: Any = type(kind.__name__, (kind,), {"check_argument_for_proper_class": check})
    return blind.from_args_and_dict(parts, kind.get_processor_dict(folder)[0])


@contextmanager
def _explaining(config: ChatConfig) -> Iterator[None]:
    """Turn what transformers raises into one plain sentence, with the cause in the log."""
    what = f"{TITLE} {config.source!r}"
    try:
        yield
    except ModelError:
        raise
    except ImportError as error:
        names = _absent_packages(error) or [missing_library(error) or error.name or "a library"]
        raise MissingLibraryError(
            f"{what} needs {' and '.join(names)}, which is not installed here; install it beside "
            "Glimpse."
        ) from error
    except Exception as error:  # whatever a parser of files trips over
        log.exception("cannot load %s", config.source)
        raise WeightsError(_reason(error, what)) from error


def _reason(error: Exception, what: str) -> str:
    """Why a model could not be loaded; one plain sentence."""
    said = str(error)
    if "torchvision" in said:
        return f"{what} cannot be loaded, for torchvision and PyTorch are not of one kind here."
    if "trust_remote_code" in said:
        return f"{what} brings code of its own, which is run only if trust_remote_code = true."
    if "does not recognize this architecture" in said or "model type" in said:
        return f"{what} is of a kind that the installed transformers does not know."
    if "Unrecognized configuration class" in said:
        return f"{what} is no model that writes about pictures."
    if isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and "memory" in said):
        return f"{what} does not fit into the memory; take a smaller one."
    return f"{what} could not be loaded; its files are damaged or of another kind."


def _absent_packages(error: ImportError) -> list[str]:
    """The optional packages that an error names and that are not installed."""
    said = str(error).lower()
    return [name for name in _OPTIONAL if name in said and find_spec(name) is None]
