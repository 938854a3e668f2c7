"""What an operator reads on stderr, as text or one JSON object a line, without secrets or ids.

JSON never holds the text of an exception, except what the system or SQLite says: others may hold
somebody's words, an id or a token. It names the kinds and the places instead.
"""

from __future__ import annotations

import json
import logging
import re
import sqlite3
import traceback
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import quote

TEXT = "text"
JSON = "json"
SHORTEST = 8  # characters of a secret that is looked for; shorter ones would hide half the log
LONGEST = 4000  # characters of a message
HIDDEN = "…"

_LINE = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_ROOT = Path(__file__).resolve().parents[2]
_OURS = ("bot", "data", "finetune", "model")
_URL = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*://)(?P<rest>[^\s'\"<>()\[\]]+|\[[^\s'\"<>]+)", re.I
)
_TOKEN = re.compile(r"(?=[^/]*\d)[\w.~%-]{20,}|[\w%-]*\d[\w-]*(?::|%3A)[\w-]+", re.I)
_BOT_TOKEN = re.compile(r"\b(?:bot)?\d{5,}(?::|%3A)[\w-]{10,}", re.I)
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


class Redactor:
    """Takes out secrets, tokens in addresses, and long numbers, which may be somebody's id.

    Args:
        secrets: Texts that nobody may read; very short ones are left, for they are everywhere.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        kept = {text for text in secrets if len(text) >= SHORTEST}
        self._secrets = sorted(kept | {quote(text, safe="") for text in kept}, key=len)[::-1]

    def with_secrets(self, secrets: Iterable[str]) -> Redactor:
        """One that takes out these as well."""
        return Redactor([*self._secrets, *secrets])

    def __call__(self, text: str, keep: str = "") -> str:
        """The text without them; `keep` stays: a reference that consists of digits, say."""
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        text = _BOT_TOKEN.sub(HIDDEN, _URL.sub(_plain_address, text))
        kept = rf"\b{re.escape(keep)}\b|" if keep else ""
        return re.sub(rf"{kept}\d{{6,}}", lambda found: keep if found[0] == keep else HIDDEN, text)


class TextFormatter(logging.Formatter):
    """A line for people, and a traceback where there is one."""

    def __init__(self, redact: Redactor) -> None:
        super().__init__(_LINE)
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        """The lines of a record."""
        return self._redact(super().format(record), getattr(record, "reference", ""))


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def __init__(self, redact: Redactor) -> None:
        super().__init__()
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record."""
        reference = str(getattr(record, "reference", ""))
        at = datetime.fromtimestamp(record.created, UTC)
        line: dict[str, Any] = {
            "time": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "message": self._redact(_message(record), reference)[:LONGEST],
        }
        if reference:
            line["reference"] = reference
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            line |= self._told(error)
        return json.dumps(line, ensure_ascii=False)

    def _told(self, error: BaseException) -> dict[str, Any]:
        """What is told of an exception: kinds and places, and few texts."""
        told: dict[str, Any] = {"error": _kind(error), "where": _places(error.__traceback__)}
        causes = [*_causes(error)]
        if causes:
            told["cause"] = [_kind(each) for each in causes]
            told["cause_where"] = _places(causes[-1].__traceback__)
        texts = [text for each in (error, *causes) if (text := safe_text(each))]
        if texts:
            told["text"] = self._redact("; ".join(texts))[:LONGEST]
        return told


def formatter(kind: str, redact: Redactor) -> logging.Formatter:
    """The formatter of a kind of log: "text" or "json"."""
    return JsonFormatter(redact) if kind == JSON else TextFormatter(redact)


def safe_text(error: BaseException) -> str:
    """What the system or SQLite says of an error; "" for any other."""
    if isinstance(error, sqlite3.Error):
        return str(error)
    return str(error.strerror or "") if isinstance(error, OSError) else ""


def _message(record: logging.LogRecord) -> str:
    """The message in one line, in which no exception tells more than its kind."""
    args, ours = record.args, record.name.split(".")[0] in _OURS
    if isinstance(args, tuple):
        args = tuple(_mute(each, ours) for each in args)
    elif isinstance(args, dict):
        args = {key: _mute(value, ours) for key, value in args.items()}
    try:
        said = str(record.msg) if not isinstance(record.msg, BaseException) else _kind(record.msg)
        message = said % args if args else said
    except (TypeError, ValueError):  # a library's mistake must not cost the line
        message = str(record.msg)
    error = record.exc_info[1] if record.exc_info else None
    if error is not None:  # asyncio shows it again, in a second line
        message = message.split("\n", 1)[0]
        for each in (error, *_causes(error)):
            if len(text := str(each)) > 2 and not safe_text(each):
                message = message.replace(text, HIDDEN)
    return _CONTROLS.sub(" ", message).strip()


class _Kind:
    """Stands for an object by its kind."""

    def __init__(self, value: object) -> None:
        self._name = type(value).__name__

    def __repr__(self) -> str:
        return self._name


def _mute(value: object, ours: bool) -> object:
    """What may be told of an argument: of a library's objects, which may be people, the kind."""
    if not isinstance(value, BaseException):
        return value if ours or isinstance(value, str | int | float) else _Kind(value)
    return ": ".join(filter(None, (_kind(value), safe_text(value))))


def _kind(error: BaseException) -> str:
    kind = type(error)
    return (
        kind.__qualname__
        if kind.__module__ == "builtins"
        else f"{kind.__module__}.{kind.__qualname__}"
    )


def _causes(error: BaseException) -> Iterable[BaseException]:
    """What led to an error, nearest first."""
    seen = {id(error)}
    while True:
        nearest = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        if nearest is None or id(nearest) in seen:
            return
        seen.add(id(nearest))
        yield nearest
        error = nearest


def _places(trace: TracebackType | None) -> list[str]:
    """Frames of our own, outermost first, as "bot/assistant/inference.py:42 look"."""
    found = []
    for frame, line in traceback.walk_tb(trace):
        path = Path(frame.f_code.co_filename)
        if path.is_relative_to(_ROOT) and path.relative_to(_ROOT).parts[0] in _OURS:
            found.append(f"{path.relative_to(_ROOT).as_posix()}:{line} {frame.f_code.co_name}")
    return found


def _plain_address(found: re.Match[str]) -> str:
    """An address without who asks, tokens in its path, and what is asked."""
    host, slash, path = found["rest"].partition("/")
    path, mark, _ = path.partition("?")
    parts = [HIDDEN if _TOKEN.fullmatch(part) else part for part in path.split("/")]
    host = host.rpartition("@")[2]
    return found["scheme"] + host + slash + "/".join(parts) + (f"?{HIDDEN}" if mark else "")
