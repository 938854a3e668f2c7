"""The half of a small Discord that tells the bot what happens: sessions, and how they break."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from contextlib import suppress

from aiohttp import WSMsgType, web

from bot.benchmarks import discord_shapes as shapes
from bot.benchmarks.discord_shapes import GUILD, ME, Json

KEPT = 500  # events that a resumed session can catch up with


class FakeGateway:
    """Tells one bot what happens.

    Attributes:
        url: Where it is served.
        close_code: The bot is refused so, if set.
        with_server: Whether the bot is in a server, too.
        deaf: Heartbeats are not acknowledged.
        resumed: How often a session was resumed.
        shards: How many connections it recommends; only the first one is told anything.
        identified: The shards that began sessions, each as its number and how many there are.
    """

    def __init__(self) -> None:
        self.url = ""
        self.close_code = 0
        self.with_server = False
        self.deaf = False
        self.resumed = 0
        self.shards = 1
        self.identified: list[tuple[int, int]] = []
        self._others: dict[int, web.WebSocketResponse] = {}
        self._socket: web.WebSocketResponse | None = None
        self._ready = asyncio.Event()
        self._sequence, self._session = 0, 0
        self._events: deque[Json] = deque(maxlen=KEPT)

    @property
    def gateway(self) -> str:
        """The address to connect to."""
        return self.url.replace("http", "ws", 1) + "/gateway"

    @property
    def is_on(self) -> bool:
        """Whether the bot has a session."""
        return self._ready.is_set()

    async def tell(self, kind: str, content: Json) -> None:
        """Something happens; a bot that is away hears of it when it resumes its session."""
        self._sequence += 1
        event = {"op": 0, "s": self._sequence, "t": kind, "d": content}
        self._events.append(event)
        await self._send(event)

    async def close(self, code: int) -> None:
        """End the connection; the session can be resumed."""
        if self._socket:
            await self._socket.close(code=code)

    async def ask_to_reconnect(self) -> None:
        """Say that the connection should be made anew."""
        await self._send({"op": 7, "d": None})

    async def invalidate(self) -> None:
        """Say that the session is over; what happens before the next one is never told."""
        self._ready.clear()
        self._session += 1
        await self._send({"op": 9, "d": False})

    async def on_connection(self, request: web.Request) -> web.WebSocketResponse:
        """Serve one connection."""
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_json({"op": 10, "d": {"heartbeat_interval": 40_000}})
        async for message in socket:
            if message.type is not WSMsgType.TEXT:
                continue
            payload = json.loads(message.data)
            if payload["op"] == 1 and not self.deaf:
                await socket.send_json({"op": 11})
            elif payload["op"] == 2 and self.close_code:
                await socket.close(code=self.close_code)
            elif payload["op"] == 2:
                await self._identify(socket, payload["d"])
            elif payload["op"] == 6:
                await self._resume(socket, payload["d"])
        return socket

    async def _identify(self, socket: web.WebSocketResponse, wanted: Json) -> None:
        """Begin a session; direct messages and the one server are the first shard's."""
        number, count = wanted.get("shard") or (0, 1)
        self.identified.append((number, count))
        if number:
            self._others[number] = socket
            ready = self._greeting(f"shard {number}", [], number)
            await socket.send_json({"op": 0, "s": 1, "t": "READY", "d": ready})
        else:
            self._socket = socket
            await self._begin()

    async def close_shard(self, number: int, code: int) -> None:
        """End the connection of another shard than the first; its session cannot be resumed."""
        await self._others.pop(number).close(code=code)

    def _greeting(self, session: str, servers: list[Json], shard: int = 0) -> Json:
        return {
            "v": 10, "user": ME, "guilds": servers, "session_id": session,
            "resume_gateway_url": self.gateway, "application": {"id": ME["id"], "flags": 0},
            "shard": [shard, self.identified[-1][1]],
        }  # fmt: skip

    async def _begin(self) -> None:
        """Begin a session."""
        self._session += 1
        self._events.clear()
        servers = [{"id": GUILD, "unavailable": True}] if self.with_server else []
        await self.tell("READY", self._greeting(str(self._session), servers))
        if self.with_server:
            await self.tell("GUILD_CREATE", shapes.guild())
        self._ready.set()

    async def _resume(self, socket: web.WebSocketResponse, wanted: Json) -> None:
        """Tell what was missed, if the session still is known."""
        if wanted["session_id"] != str(self._session):
            await socket.send_json({"op": 9, "d": False})
            return
        last = wanted["seq"]
        # More may happen while this is told.
        while missed := [event for event in self._events if event["s"] > last]:
            for event in missed:
                await socket.send_json(event)
            last = missed[-1]["s"]
        self._socket = socket
        self.resumed += 1
        await self.tell("RESUMED", {})

    async def _send(self, payload: Json) -> None:
        if self._socket and not self._socket.closed:
            with suppress(ConnectionError):  # the bot will ask for it again
                await self._socket.send_json(payload)
