"""Contract of the engine; being filled in."""

from __future__ import annotations


class EngineBusy(RuntimeError):
    """The queue is full; ask again in a moment."""


class EngineClosed(RuntimeError):
    """The engine was shut down."""
