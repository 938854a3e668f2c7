"""docs/settings.md against `bot.settings.Settings`, the one source of what can be set."""

from __future__ import annotations

import inspect
import re
from dataclasses import Field, fields
from pathlib import Path
from typing import Any

from bot.settings import CONFIG, PREFIX, Settings

PAGE = Path(__file__).parents[2] / "docs/settings.md"


def meanings() -> dict[str, str]:
    """What the docstring says of each field."""
    told = (inspect.getdoc(Settings) or "").partition("Attributes:\n")[2]
    entries = re.findall(r"^    (\w+): (.*(?:\n {8}.*)*)", told, re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in entries}


def default(field: Field[Any]) -> str:
    value = field.default
    if value in ("", ()):
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def values(field: Field[Any]) -> str:
    """What a setting takes."""
    if "range" in field.metadata:
        return "{} to {}".format(*field.metadata["range"])
    if "shape" in field.metadata:
        kind = field.metadata["shape"][1].replace('"', "`")
    elif "people" in field.metadata:
        kind = "people or chats"
    elif "choices" in field.metadata:
        kind = "`NAME=WHO, WHO; NAME=WHO`, or a table"
    elif isinstance(field.default, bool):
        kind = "true or false"
    else:
        kind = "names" if field.default == () else "a text"
        kind = "a path" if "path" in field.metadata else kind
    return kind if field.repr else f"{kind}; a secret"


def row(field: Field[Any], meaning: str) -> str:
    """The line of the page's tables that tells a setting."""
    names = f"`{PREFIX}{field.name.upper()}` | `{field.name}`"
    cells = (names, default(field), values(field), meaning)
    return re.sub(" +", " ", f"| {' | '.join(cells)} |")


def test_the_page_has_each_setting_once_as_the_code_explains_it() -> None:
    told = meanings()
    expected = [row(field, told[field.name]) for field in fields(Settings)]
    shown = [line for line in PAGE.read_text(encoding="utf-8").splitlines()
             if line.startswith(f"| `{PREFIX}") and CONFIG not in line]  # fmt: skip
    assert sorted(shown) == sorted(expected)
