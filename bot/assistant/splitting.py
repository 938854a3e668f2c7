"""Cutting an answer that is longer than a platform's messages may be."""

from __future__ import annotations


def split(text: str, limit: int) -> list[str]:
    """Cut a long text at line ends or spaces, where there are some."""
    parts = []
    while len(text) > limit:
        cut = max(text.rfind("\n", 1, limit), 0) or max(text.rfind(" ", 1, limit), 0) or limit
        parts.append(text[:cut])
        text = text[cut:].lstrip()
    return [*parts, text]
