"""Bounds on what all uploads together hold in memory, whoever sends them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from bot.web.refusal import Refusal

BUSY = "Glimpse is very busy right now. Please try again in a moment."


class Gate:
    """Counts the messages in flight and the bytes that they hold.

    It lives on one event loop, so plain integers are enough.

    Args:
        messages: Most messages in flight.
        held_bytes: Most bytes that they hold together.
    """

    def __init__(self, messages: int, held_bytes: int) -> None:
        self._messages_left = messages
        self._bytes_left = held_bytes

    @contextmanager
    def admit(self) -> Iterator[Share]:
        """Let one message in; all that it took is given back at the end.

        Raises:
            Refusal: 503 if too many are in flight.
        """
        if self._messages_left <= 0:
            raise Refusal(503, BUSY)
        self._messages_left -= 1
        share = Share(self)
        try:
            yield share
        finally:
            self._messages_left += 1
            self._bytes_left += share.held

    def _take(self, count: int) -> None:
        if count > self._bytes_left:
            raise Refusal(503, BUSY)
        self._bytes_left -= count


class Share:
    """What one message holds of a gate's memory."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self.held = 0

    def take(self, count: int) -> None:
        """Account for `count` more bytes.

        Raises:
            Refusal: 503 if all uploads together would hold too much.
        """
        self._gate._take(count)
        self.held += count
