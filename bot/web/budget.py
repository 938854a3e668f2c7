"""What all uploads together may hold, each client's share of it, and how slow they may be."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bot.settings import WebSettings
from bot.web.security import RequestRefused
from bot.web.shares import Shares

TOO_BUSY = "Glimpse is very busy right now. Please try again in a moment."
STALLED = "The upload was too slow or stopped half-way. Please try again."
_WAITING_SECONDS = 2.0  # how long a message waits for a place while others are coming in
_LOOKING_SECONDS = 0.05
_SETTLING_SECONDS = 1.0  # how long an upload may be slow before it can lose its place to another


class UploadBudget:
    """Counts the messages in flight and the bytes that they hold.

    It lives on one event loop, so plain integers are enough.

    Args:
        settings: How much there is, and how slow an upload may be.
    """

    def __init__(self, settings: WebSettings) -> None:
        self.settings = settings
        self.messages = Shares(settings.messages_at_once)
        self.bytes = Shares(settings.held_bytes)
        self._uploads: set[UploadShare] = set()

    @asynccontextmanager
    async def admit(self, client: str) -> AsyncIterator[UploadShare]:
        """Let one message in; all that it took is given back at the end.

        Where there is no room, an upload that hardly moves makes room; that shows within moments.

        Args:
            client: Who sends it, as `client_of` names them.

        Raises:
            RequestRefused: 503 if too many are in flight, of all or of this client.
        """
        end = _now() + _WAITING_SECONDS
        while not self.messages.has_room(client):
            rivals = self._rivals(client)
            slow = [upload for upload in rivals if upload.is_slow()]
            if slow:
                taken = self.messages.taken
                min(slow, key=lambda upload: (-taken[upload.client], upload.rate())).end()
            elif rivals and _now() < end:
                await asyncio.sleep(_LOOKING_SECONDS)
            else:
                raise RequestRefused(503, TOO_BUSY)
        share = UploadShare(self, client)
        self._uploads.add(share)
        try:
            yield share
        finally:
            share.leave()
            self._uploads.discard(share)
            self.bytes.give_back(client, share.held)

    def _rivals(self, client: str) -> list[UploadShare]:
        """Uploads coming in whose end would make room: this client's, else anybody's."""
        coming = [upload for upload in self._uploads if upload.is_coming_in()]
        own = [upload for upload in coming if upload.client == client]
        return own if own or self.messages.free else coming


class UploadShare:
    """What one message holds of the budget, and how fast it comes in.

    Args:
        budget: What it takes its place from.
        client: Who sends it.
    """

    def __init__(self, budget: UploadBudget, client: str) -> None:
        self.client = client
        self.held = 0
        self._budget = budget
        self._has_place = True
        self._timer: asyncio.Timeout | None = None  # while it waits for more
        self._since, self._received = _now(), 0  # the pace is measured anew all the time
        budget.messages.take(client)

    async def timed(self, stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Pass an upload on as it comes in, and account for it.

        Args:
            stream: Its pieces.

        Yields:
            The same pieces.

        Raises:
            RequestRefused: 408 if it is too slow, takes too long or must make room; 503 if all
                uploads together, or this client's, would hold too much.
        """
        settings = self._budget.settings
        end = _now() + settings.upload_seconds
        while True:
            patience = min(self._since + settings.silence_seconds, end)
            try:
                async with asyncio.timeout_at(patience) as self._timer:
                    chunk = await anext(stream)
            except StopAsyncIteration:
                return
            except TimeoutError as error:
                raise RequestRefused(408, STALLED) from error
            finally:
                self._timer = None
            self._take(len(chunk))
            yield chunk

    def _take(self, count: int) -> None:
        if not self._budget.bytes.has_room(self.client, count):
            raise RequestRefused(503, TOO_BUSY)
        self._budget.bytes.take(self.client, count)
        self.held += count
        self._received += count
        settings = self._budget.settings
        if self._received >= settings.least_rate * settings.silence_seconds:
            self._since, self._received = _now(), 0

    def rate(self) -> float:
        """Bytes a second, of late."""
        return self._received / max(_now() - self._since, 1e-9)

    def is_coming_in(self) -> bool:
        """Tell whether it waits for more of itself, and holds a place."""
        return self._has_place and self._timer is not None and not self._timer.expired()

    def is_slow(self) -> bool:
        """Tell whether it hardly moves."""
        settled = _now() - self._since > _SETTLING_SECONDS
        return settled and self.rate() < self._budget.settings.least_rate

    def end(self) -> None:
        """Cut a slow upload off, and free its place at once."""
        assert self._timer is not None
        self._timer.reschedule(_now())
        self.leave()

    def leave(self) -> None:
        """Free its place."""
        if self._has_place:
            self._has_place = False
            self._budget.messages.give_back(self.client)


def _now() -> float:
    return asyncio.get_running_loop().time()
