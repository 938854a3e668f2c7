"""An answer shown while it is written: its newest words, in turns, and never after its end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Hashable

from cachetools import LRUCache

from bot.platforms import RECENT

_log = logging.getLogger(__name__)


class LiveDraft:
    """Shows the last of the texts that it is offered; those in between are left out.

    Nobody waits for it, and no failure of it reaches anybody. What has begun to be shown is
    finished, so that it cannot arrive behind the answer.

    Args:
        turn: Waits until something may be shown.
        show: Shows a text; returns whether that may be done again.
        repeat: Seconds after which the same is shown again; None if it stays by itself.
    """

    def __init__(
        self,
        turn: Callable[[], Awaitable[None]],
        show: Callable[[str], Awaitable[bool]],
        repeat: float | None = None,
    ) -> None:
        self._turn, self._show, self._repeat = turn, show, repeat
        self._text = ""
        self._newer = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._showing = self._closed = False

    def offer(self, text: str) -> None:
        """Show a text when it is time for that, unless a newer one comes before."""
        self._newer.set()
        self.keep(text)

    def keep(self, text: str) -> None:
        """Go on showing a text that is shown already."""
        self._text = text
        if self._task is None and not self._closed:
            self._task = asyncio.ensure_future(self._run())

    async def close(self) -> None:
        """Show nothing any more; returns when nothing is on its way."""
        self._closed = True
        if self._task:
            if not self._showing:
                self._task.cancel()
            await asyncio.wait({self._task})

    async def _run(self) -> None:
        try:
            while not self._closed:
                await self._until_newer()
                await self._turn()
                self._newer.clear()
                self._showing = True
                if not await self._show(self._text):
                    return
                self._showing = False
        except Exception as error:  # a nicety; the answer itself reports troubles
            _log.debug("Could not show a draft: %s", type(error).__name__)

    async def _until_newer(self) -> None:
        try:
            async with asyncio.timeout(self._repeat):
                await self._newer.wait()
        except TimeoutError:
            pass


class Pace:
    """Turns: at most one in so many seconds for each key, in the order of asking.

    Args:
        seconds: Between two turns.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._next: LRUCache[Hashable, float] = LRUCache(RECENT)  # when there is one again

    async def turn(self, key: Hashable) -> None:
        """Wait for a turn."""
        now = asyncio.get_running_loop().time()
        at = max(now, self._next.get(key, now))
        self._next[key] = at + self._seconds
        await asyncio.sleep(at - now)
