"""What users need not see: chatter of libraries, and causes nobody asked for.

What is shown goes to stderr, as text or one JSON object a line (`GLIMPSE_LOG_FORMAT`), without
the secrets of the settings.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from bot.cli.log_format import JSON, TEXT, Redactor, formatter

_CALM = {
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "TORCH_CPP_LOG_LEVEL": "ERROR",
    "TRANSFORMERS_NO_ADVISORY_WARNINGS": "1",
    "TRANSFORMERS_VERBOSITY": "error",
}


@dataclass
class _Shown:
    """How things are shown; there is one stderr, so there is one of these."""

    kind: str = TEXT
    redact: Redactor = field(default_factory=Redactor)
    hooks: tuple[Any, Any, Any] | None = None  # Python's, while ours are in place


_shown = _Shown()
_log = logging.getLogger("bot.cli")


def silence() -> None:
    """Keep libraries from talking; what they were told to do otherwise stays."""
    for name, value in _CALM.items():
        os.environ.setdefault(name, value)
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    logging.getLogger().addHandler(logging.NullHandler())  # or Python prints warnings by itself


def choose(kind: str, secrets: Iterable[str] = ()) -> None:
    """Show things in this way from now on.

    Args:
        kind: "text" or "json".
        secrets: What is never shown.
    """
    _shown.kind, _shown.redact = kind, Redactor(secrets)
    _dress()
    if kind == JSON:
        _hook()
    else:
        unhook()


def hide(secret: str) -> None:
    """Never show this either."""
    _shown.redact = _shown.redact.with_secrets([secret])
    _dress()


def is_json() -> bool:
    """Whether stderr is for machines."""
    return _shown.kind == JSON


def speak(level: int) -> None:
    """Write the log to stderr from this level on."""
    root = logging.getLogger()
    root.setLevel(min(level, root.level))
    if not any(type(handler) is logging.StreamHandler for handler in root.handlers):
        root.addHandler(logging.StreamHandler())
    _dress()


def say(sentence: str, level: int = logging.INFO) -> None:
    """Say a sentence on stderr, whatever the log's level: as it is, or as a line of JSON."""
    if is_json():
        record = _log.makeRecord(_log.name, level, "", 0, sentence, (), None)
        sentence = formatter(_shown.kind, _shown.redact).format(record)
    print(sentence, file=sys.stderr, flush=True)


def unhook() -> None:
    """Give back what Python does with warnings and with errors that nobody handles."""
    if _shown.hooks:
        sys.excepthook, sys.unraisablehook, threading.excepthook = _shown.hooks
        logging.captureWarnings(False)
        _shown.hooks = None


def _dress() -> None:
    for handler in logging.getLogger().handlers:
        if type(handler) is logging.StreamHandler:
            handler.setFormatter(formatter(_shown.kind, _shown.redact))


def _hook() -> None:
    """Log what Python itself would print to stderr in many lines, texts of exceptions included."""
    if _shown.hooks:
        return
    _shown.hooks = (sys.excepthook, sys.unraisablehook, threading.excepthook)
    logging.captureWarnings(True)
    sys.excepthook = _unhandled
    sys.unraisablehook = lambda ignored: _unhandled(
        ignored.exc_type, ignored.exc_value, ignored.exc_traceback
    )
    threading.excepthook = lambda failed: _unhandled(
        failed.exc_type, failed.exc_value, failed.exc_traceback
    )


def _unhandled(
    kind: type[BaseException], error: BaseException | None, trace: TracebackType | None
) -> None:
    _log.error("Nobody handled an error", exc_info=(kind, error or kind(), trace))
