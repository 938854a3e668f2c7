"""Untrusted files: whatever they hold that they should not is one plain sentence."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from data.datasets.records import DataError

Hook = Callable[[dict[str, Any]], Any]


def load_json(path: Path, hook: Hook | None = None) -> dict[str, Any]:
    """The JSON object that a file holds.

    Args:
        path: The file.
        hook: Replaces each object inside as soon as it is read, to keep memory small.

    Raises:
        DataError: It is missing, damaged, or holds something else.
    """
    try:
        with path.open(encoding="utf-8-sig") as file:
            found = json.load(file, object_hook=hook)
    except OSError as error:
        raise unreadable(path) from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is not valid JSON.") from error
    return table_of(found, str(path))


def read_lines(path: Path) -> Iterator[tuple[str, str]]:
    """The lines of a text file that are not blank, each after "Line 3 of PATH".

    Raises:
        DataError: It is missing or no text.
    """
    try:
        with path.open(encoding="utf-8-sig") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield f"Line {number} of {path}", line.rstrip("\r\n")
    except OSError as error:
        raise unreadable(path) from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not a text file in UTF-8.") from error


def looks_like_json(path: Path) -> bool:
    """Whether a file begins as a JSON object does.

    Raises:
        DataError: It cannot be read.
    """
    try:
        with path.open("rb") as file:
            return file.read(64).removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{")
    except OSError as error:
        raise unreadable(path) from error


def unreadable(path: Path) -> DataError:
    """What is said of a file that cannot be opened."""
    return DataError(f"The file {path} is missing or cannot be read.")


def table_of(value: Any, where: str) -> dict[str, Any]:
    """The value, if it is a JSON object.

    Raises:
        DataError: It is not.
    """
    if not isinstance(value, dict):
        raise DataError(f"{where} is not a JSON object.")
    return value


def text_at(table: dict[str, Any], key: str, where: str) -> str:
    """The text under a key.

    Raises:
        DataError: There is none.
    """
    value = table.get(key)
    if not isinstance(value, str):
        raise DataError(f"{where} should hold a text under {key!r}.")
    return value


def number_at(table: dict[str, Any], key: str, where: str) -> int:
    """The id under a key: a whole number of at most twelve digits.

    Raises:
        DataError: There is none.
    """
    value = table.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 10**12:
        raise DataError(f"{where} should hold a whole number under {key!r}.")
    return value


def list_at(table: dict[str, Any], key: str, where: str) -> list[Any]:
    """The list under a key, which is not empty.

    Raises:
        DataError: There is none.
    """
    value = table.get(key)
    if not isinstance(value, list) or not value:
        raise DataError(f"{where} should hold a list under {key!r}.")
    return value


def safe_name(name: str, where: str) -> str:
    """A picture's name, if it stays inside the folder of pictures.

    Raises:
        DataError: It is absolute, has "..", or cannot be a file's name.
    """
    parts = name.replace("\\", "/").split("/")
    if not name.isprintable() or ":" in parts[0] or {"", ".", ".."} & set(parts):
        raise DataError(
            f"{where} names the picture {name[:80]!r}, which is no name inside a folder."
        )
    return name
