"""A server of OpenAI's chat protocol that thinks for a fixed time, and takes hardly any itself."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

ANSWER = "There is a brown dog in the tall grass, and nobody is near it."
_NUMBER = re.compile(rb"case (\d+)")
_LENGTH = re.compile(rb"^content-length: *(\d+)", re.IGNORECASE | re.MULTILINE)
_QUESTION = 20_000  # bytes at the end of a request that hold its last question


@dataclass
class ThinkingServer:
    """Answers every question alike.

    Attributes:
        seconds: That it thinks.
        came: When the question about each case was there.
        left: When its answer went out.
    """

    seconds: float
    came: dict[int, float] = field(default_factory=dict)
    left: dict[int, float] = field(default_factory=dict)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[str]:
        """Serve on loopback; gives the address with the protocol's path."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=2**20, backlog=1024)
        async with server:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = _LENGTH.search(head)
                body = await reader.readexactly(int(length[1]) if length else 0)
                await self._answer(body, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def _answer(self, body: bytes, writer: asyncio.StreamWriter) -> None:
        cases = _NUMBER.findall(body, max(0, len(body) - _QUESTION))
        case = int(cases[-1]) if cases else -1
        self.came[case] = time.perf_counter()
        await asyncio.sleep(self.seconds)
        choice = {"index": 0, "message": {"role": "assistant", "content": ANSWER},
                  "finish_reason": "stop"}  # fmt: skip
        told = json.dumps({"object": "chat.completion", "choices": [choice]}).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(told)}"
        writer.write(head.encode() + b"\r\n\r\n" + told)
        self.left[case] = time.perf_counter()
        await writer.drain()
