"""What users need not see: chatter of libraries, and causes nobody asked for."""

from __future__ import annotations

import logging
import os
import sys
import warnings

_CALM = {
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "TORCH_CPP_LOG_LEVEL": "ERROR",
    "TRANSFORMERS_NO_ADVISORY_WARNINGS": "1",
    "TRANSFORMERS_VERBOSITY": "error",
}
_LINE = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def silence() -> None:
    """Keep libraries from talking; what they were told to do otherwise stays."""
    for name, value in _CALM.items():
        os.environ.setdefault(name, value)
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    logging.getLogger().addHandler(logging.NullHandler())  # or Python prints warnings by itself


def speak(level: int) -> None:
    """Write the log to stderr from this level on."""
    root = logging.getLogger()
    root.setLevel(min(level, root.level))
    if not any(type(handler) is logging.StreamHandler for handler in root.handlers):
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter(_LINE))
        root.addHandler(handler)
