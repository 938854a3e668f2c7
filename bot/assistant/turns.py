"""One message at a time in each conversation, different conversations side by side."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager


class TooManyWaitingError(RuntimeError):
    """This conversation already has as many messages waiting as are allowed."""


class _Queue:
    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.inside = 0


class Turns:
    """Hands out turns in the order of asking; keeps nothing for conversations at rest.

    Args:
        waiting: Messages of one conversation that may wait or be in work at once.
    """

    def __init__(self, waiting: int = 20) -> None:
        self._waiting = waiting
        self._queues: dict[Hashable, _Queue] = {}

    def __len__(self) -> int:
        """Number of conversations that someone is in or waits for."""
        return len(self._queues)

    @asynccontextmanager
    async def of(self, conversation: Hashable) -> AsyncIterator[None]:
        """Wait for this conversation's turn and hold it.

        Raises:
            TooManyWaitingError: At once, if too many wait already.
        """
        queue = self._queues.setdefault(conversation, _Queue())
        if queue.inside >= self._waiting:
            raise TooManyWaitingError
        queue.inside += 1
        try:
            async with queue.lock:
                yield
        finally:
            queue.inside -= 1
            if not queue.inside:
                del self._queues[conversation]
