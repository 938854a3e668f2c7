"""Gathers the messages of an album, which Telegram sends one by one, and hands them on together."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")
QUIET = 1.0  # seconds without another part after which an album counts as whole
LONGEST = 8.0  # seconds after its first part; later parts are an album of their own


class _Gathering(Generic[T]):
    def __init__(self, first: float) -> None:
        self.first = first
        self.parts: list[T] = []
        self.timer: asyncio.TimerHandle | None = None


class Albums(Generic[T]):
    """Hands on what arrived under one key, once it has been quiet for a while.

    What counts is when parts arrive, not how long it takes to fetch them. For one event loop.

    Args:
        hand_on: Takes the parts, in the order of arrival.
        quiet: Seconds without another part.
        longest: Seconds from the first part on.
    """

    def __init__(
        self,
        hand_on: Callable[[list[T]], Awaitable[None]],
        quiet: float = QUIET,
        longest: float = LONGEST,
    ) -> None:
        self._hand_on, self._quiet, self._longest = hand_on, quiet, longest
        self._gathering: dict[Hashable, _Gathering[T]] = {}
        self._handing: set[asyncio.Task[None]] = set()

    def add(self, key: Hashable, part: T) -> None:
        """Take a part; the first one starts an album."""
        loop = asyncio.get_running_loop()
        album = self._gathering.setdefault(key, _Gathering(loop.time()))
        album.parts.append(part)
        if album.timer:
            album.timer.cancel()
        at = min(loop.time() + self._quiet, album.first + self._longest)
        album.timer = loop.call_at(at, self.flush, key)

    def flush(self, key: Hashable) -> None:
        """Hand on what is there under a key, if anything is."""
        album = self._gathering.pop(key, None)
        if album is None:
            return
        if album.timer:
            album.timer.cancel()
        task = asyncio.ensure_future(self._hand_on(album.parts))
        self._handing.add(task)
        task.add_done_callback(self._handing.discard)

    async def close(self) -> None:
        """Hand on everything, and wait until it is dealt with."""
        for key in list(self._gathering):
            self.flush(key)
        await asyncio.gather(*self._handing, return_exceptions=True)
