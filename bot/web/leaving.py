"""Clients that go away before they are answered: what was begun for them is given up."""

from __future__ import annotations

import asyncio
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect, Request

T = TypeVar("T")


async def unless_gone(request: Request, answering: asyncio.Future[T]) -> T:
    """The answer, given up once nobody waits for it any longer.

    Args:
        request: Its body was read.
        answering: Makes the answer.

    Raises:
        starlette.requests.ClientDisconnect: They stopped it, or went away.
    """
    leaving = asyncio.ensure_future(_gone(request))
    try:
        tasks: set[asyncio.Future[Any]] = {answering, leaving}
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if not answering.done():
            raise ClientDisconnect
        return answering.result()
    finally:
        for task in (answering, leaving):
            task.cancel()
        await asyncio.gather(answering, leaving, return_exceptions=True)


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
