"""People on the chat page: a browser's requests, and connections that are none too good."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import httpx

from bot.benchmarks.clients import Mouth
from bot.benchmarks.ledger import Expect, Sent
from bot.benchmarks.photos import Photo

TIMEOUT = 150.0  # seconds
SLOW = 6.0  # seconds that a slow upload takes
_PIECES = 12


class PageMouth(Mouth):
    """Speaks on the page.

    Args:
        address: Of the page.
        more: As every mouth takes it.

    Attributes:
        slow: The next upload takes its time.
    """

    platform = "page"
    can_edit = False
    _numbers = itertools.count()

    def __init__(self, address: str, **more: Any) -> None:
        super().__init__(**more)
        self._address = address
        self.slow = False
        self._client = httpx.AsyncClient(
            base_url=address, timeout=TIMEOUT, trust_env=False,
            headers={"sec-fetch-site": "same-origin"},
        )  # fmt: skip
        self._buttons: list[str] = []
        self._asking: set[asyncio.Task[None]] = set()

    async def say(
        self, kind: str, words: str, photos: Sequence[Photo] = (), expect: Expect = Expect.ANSWER
    ) -> Sent:
        """Send a message; "/forget" begins a new chat now and then."""
        sent = self.ledger.send(self.platform, kind, number := next(self._numbers), expect)
        if words == "/forget" and self.draw.random() < 0.5:
            request = self._client.build_request("DELETE", "/api/conversation")
        else:
            files = [("pictures", (photo.name, photo.content, photo.kind)) for photo in photos]
            request = self._client.build_request(
                "POST", "/api/messages", files=[("text", (None, words)), *files]
            )
        self.slow, slow = False, self.slow
        task = asyncio.ensure_future(self._ask(request, number, slow=slow))
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)
        return sent

    async def press(self, action: str) -> Sent | None:
        """Press a button under the last answer."""
        found = next((each for each in self._buttons if each.startswith(action)), None)
        return await self.say(f"button {action}", found) if found else None

    async def cut_off(self, photo: Photo) -> None:
        """Begin an upload, and go away in the middle of it; nobody waits for an answer."""
        request = self._client.build_request(
            "POST", "/api/messages", files=[("pictures", (photo.name, photo.content, photo.kind))]
        )
        place = urlsplit(self._address)
        head = [f"POST /api/messages HTTP/1.1\r\nHost: {place.netloc}"]
        head += [f"{name}: {request.headers[name]}" for name in ("content-type", "content-length")]
        body = request.read()
        with suppress(OSError):
            _, writer = await asyncio.open_connection(place.hostname, place.port)
            writer.write(("\r\n".join(head) + "\r\n\r\n").encode() + body[: len(body) // 2])
            await writer.drain()
            writer.transport.abort()

    async def close(self) -> None:
        """Wait for the answers that are still to come, and close the browser."""
        await asyncio.gather(*self._asking)
        await self._client.aclose()

    async def _ask(self, request: httpx.Request, number: int, *, slow: bool) -> None:
        try:
            if slow:
                request = _slowly(request)
            response = await self._client.send(request)
        except httpx.ConnectError:  # nobody listens there any more: nothing was taken
            self.ledger.leave(self.platform, [number])
            return
        except httpx.HTTPError:
            return  # it counts as lost
        if response.status_code == 204:
            self.ledger.hear(self.platform, number, "Begun anew.")
            return
        said = response.json()
        self._buttons = [button["action"] for button in said["buttons"]]
        self.ledger.hear(self.platform, number, said["reply"])


def _slowly(request: httpx.Request) -> httpx.Request:
    """The same request, whose body arrives in pieces."""
    body = request.read()
    size = max(1, len(body) // _PIECES)

    async def pieces() -> AsyncIterator[bytes]:
        for first in range(0, len(body), size):
            yield body[first : first + size]
            await asyncio.sleep(SLOW / _PIECES)

    return httpx.Request(request.method, request.url, headers=request.headers, content=pieces())
