"""Answers that a browser is shown while they are written: server-sent events before the reply.

The events of one answer are `draft` with `{"text"}`, all that is to be shown so far, or `{"more"}`,
what comes after it; and in the end `reply` with what is answered as JSON else. Where nothing is
shown before the reply, that is answered as JSON alone, with its status.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from bot.web.leaving import unless_gone

EVENTS = "text/event-stream"


def wants_events(request: Request) -> bool:
    """Whether the client shows drafts."""
    return EVENTS in request.headers.get("accept", "")


class Drafts:
    """What is to be shown of an answer; of several texts in a moment, only the last."""

    def __init__(self) -> None:
        self._latest = self._sent = ""
        self._changed = asyncio.Event()

    def show(self, text: str) -> None:
        """Show this from now on, as `bot.assistant.types.Draft`."""
        self._latest = text
        self._changed.set()

    async def until(self, done: asyncio.Future[Any]) -> bool:
        """Wait for the next draft, or for the end; tells whether there is a draft."""
        waiting = asyncio.ensure_future(self._changed.wait())
        try:
            await asyncio.wait({waiting, done}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
        return self._changed.is_set() and not done.done()

    def take(self) -> bytes:
        """The event that shows what is new."""
        self._changed.clear()
        sent, self._sent = self._sent, self._latest
        goes_on = sent and self._sent.startswith(sent)
        content = {"more": self._sent[len(sent) :]} if goes_on else {"text": self._sent}
        return _event("draft", json.dumps(content).encode())


async def answer_or_stream(
    request: Request, answering: asyncio.Future[Response], drafts: Drafts, held: AsyncExitStack
) -> Response:
    """The answer; or a stream of drafts that ends with it, as soon as there is one.

    Args:
        request: Its body was read.
        answering: Makes the answer.
        drafts: Where it shows what it will be.
        held: What is let go of when the client has everything; a stream takes it along.

    Raises:
        starlette.requests.ClientDisconnect: Nobody waits for it any longer.
    """
    first = asyncio.ensure_future(drafts.until(answering))
    try:
        shown = await unless_gone(request, first)
    except BaseException:
        await _give_up(answering)
        raise
    return _Stream(answering, drafts, held.pop_all()) if shown else answering.result()


class _Stream(Response):
    """Drafts, and then the answer."""

    def __init__(
        self, answering: asyncio.Future[Response], drafts: Drafts, held: AsyncExitStack
    ) -> None:
        super().__init__(
            media_type=EVENTS, headers={"cache-control": "no-store", "x-accel-buffering": "no"}
        )
        del self.headers["content-length"]
        self._answering, self._drafts, self._held = answering, drafts, held

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._held:
            try:
                sending = asyncio.ensure_future(self._send(send))
                with suppress(ClientDisconnect):
                    await unless_gone(Request(scope, receive), sending)
            finally:
                await _give_up(self._answering)

    async def _send(self, send: Send) -> None:
        start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        await send(start)
        async for event in self._events():
            await send({"type": "http.response.body", "body": event, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def _events(self) -> AsyncIterator[bytes]:
        while await self._drafts.until(self._answering):
            yield self._drafts.take()
        yield _event("reply", bytes(self._answering.result().body))


def _event(name: str, content: bytes) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + content + b"\n\n"


async def _give_up(answering: asyncio.Future[Response]) -> None:
    answering.cancel()
    await asyncio.gather(answering, return_exceptions=True)
