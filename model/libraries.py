"""What training and converting import, and serving a converted model does not: it may be absent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from model.errors import MissingLibraryError

# By module: what people call it.
TITLES = {
    "torch": "PyTorch",
    "transformers": "transformers",
    "peft": "peft",
    "safetensors": "safetensors",
    "gguf": "gguf",
    "efficientnet_lite_pytorch": "efficientnet-lite-pytorch",
    "huggingface_hub": "huggingface-hub",
    "accelerate": "accelerate",
}


def missing_library(error: BaseException) -> str:
    """What people call the library that an error says is not there; "" for any other error."""
    if not isinstance(error, ModuleNotFoundError):
        return ""
    return TITLES.get((error.name or "").partition(".")[0], "")


def absent_libraries(*modules: str) -> list[str]:
    """Those of some modules that are not installed, as people call them; nothing is imported."""
    return [TITLES[module] for module in modules if find_spec(module) is None]


@contextmanager
def needed_for(sentence: str) -> Iterator[None]:
    """Turn the lack of such a library into an error for people.

    Args:
        sentence: What to say, with {library} for what is missing.

    Raises:
        MissingLibraryError: One of them is not there.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if library := missing_library(error):
            raise MissingLibraryError(sentence.format(library=library)) from error
        raise
