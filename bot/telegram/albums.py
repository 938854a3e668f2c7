"""Gathering what belongs together but arrives one by one: the parts of an album, say."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class _Gathering(Generic[T]):
    def __init__(self, first: float) -> None:
        self.first = first
        self.parts: list[T] = []
        self.timer: asyncio.TimerHandle | None = None


class AlbumCollector(Generic[T]):
    """Hands on what arrived under one key, once it has been quiet for a while.

    What counts is when parts arrive, not how long it takes to fetch them. For one event loop.

    Args:
        hand_on: Takes the parts, in the order of arrival.
        pause: Seconds without another part.
        longest: Seconds from the first part on.
    """

    def __init__(
        self,
        hand_on: Callable[[list[T]], Awaitable[None]],
        pause: float,
        longest: float,
    ) -> None:
        self._hand_on, self._pause, self._longest = hand_on, pause, longest
        self._gathering: dict[Hashable, _Gathering[T]] = {}
        self._handing: set[asyncio.Task[None]] = set()

    def add(self, key: Hashable, part: T, pause: float | None = None) -> None:
        """Take a part; the first one starts an album. The pause may be another one than usual."""
        loop = asyncio.get_running_loop()
        album = self._gathering.setdefault(key, _Gathering(loop.time()))
        album.parts.append(part)
        if album.timer:
            album.timer.cancel()
        at = min(
            loop.time() + (self._pause if pause is None else pause), album.first + self._longest
        )
        album.timer = loop.call_at(at, self.flush, key)

    def take(self, key: Hashable) -> list[T]:
        """What was gathered under a key, which is not handed on then."""
        album = self._gathering.pop(key, None)
        if album and album.timer:
            album.timer.cancel()
        return album.parts if album else []

    def flush(self, key: Hashable) -> None:
        """Hand on what is there under a key, if anything is."""
        parts = self.take(key)
        if not parts:
            return
        task = asyncio.ensure_future(self._hand_on(parts))
        self._handing.add(task)
        task.add_done_callback(self._handing.discard)

    async def close(self) -> None:
        """Hand on everything, and wait until it is dealt with."""
        for key in list(self._gathering):
            self.flush(key)
        await asyncio.gather(*self._handing, return_exceptions=True)
