"""A small Discord over loopback: enough of its gateway and its API to run the bot for real."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import yarl
from aiohttp import WSMsgType, web

TOKEN = "secret-token"
ME = {"id": "100", "username": "glimpse", "discriminator": "0", "avatar": None, "bot": True}
ANN = {"id": "200", "username": "ann", "discriminator": "0", "avatar": None}
APPLICATION = {
    "id": "100", "name": "glimpse", "description": "", "icon": None, "rpc_origins": [],
    "bot_public": True, "bot_require_code_grant": False, "verify_key": "", "flags": 0,
    "owner": ANN, "team": None, "summary": "",
}  # fmt: skip


class FakeDiscord:
    """Keeps what the bot says, and tells it what people do.

    Attributes:
        said: Texts of the bot's messages.
        told: The commands it told.
        close_code: The gateway refuses the bot so, if set.
        troubles: Statuses with which messages are not taken, one after the other.
    """

    def __init__(self) -> None:
        self.said: list[str] = []
        self.told: list[dict[str, Any]] = []
        self.close_code = 0
        self.troubles: list[int] = []
        self.url = ""
        self._files: dict[str, bytes] = {}
        self._number = 1000
        self._gateway: web.WebSocketResponse | None = None
        self._ready = asyncio.Event()

    @asynccontextmanager
    async def running(self, patch: pytest.MonkeyPatch) -> AsyncIterator[FakeDiscord]:
        """Be what discord.py takes for Discord."""
        app = web.Application()
        app.router.add_get("/gateway", self._on_gateway)
        app.router.add_get("/files/{name}", self._on_file)
        app.router.add_route("*", "/api/{path:.*}", self._on_request)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{port}"
        patch.setattr("discord.http.Route.BASE", f"{self.url}/api")
        gateway = yarl.URL(f"ws://127.0.0.1:{port}/gateway")
        patch.setattr("discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY", gateway)
        try:
            yield self
        finally:
            await runner.cleanup()

    @property
    def is_on(self) -> bool:
        """Whether the bot is connected."""
        return self._ready.is_set()

    async def dm(self, text: str, picture: bytes = b"") -> None:
        """Write to the bot in private."""
        await asyncio.wait_for(self._ready.wait(), 10)
        assert self._gateway is not None
        message = self._message(text, ANN)
        if picture:
            name = f"{message['id']}.png"
            self._files[name] = picture
            message["attachments"] = [
                {"id": "1", "filename": name, "size": len(picture), "content_type": "image/png",
                 "url": f"{self.url}/files/{name}", "proxy_url": f"{self.url}/files/{name}"}
            ]  # fmt: skip
        event = {"op": 0, "s": self._number, "t": "MESSAGE_CREATE", "d": message}
        await self._gateway.send_json(event)

    async def until(self, condition: Callable[[], Any], seconds: float = 10) -> None:
        async with asyncio.timeout(seconds):
            while not condition():
                await asyncio.sleep(0.01)

    def _message(self, text: str, author: dict[str, Any]) -> dict[str, Any]:
        self._number += 1
        return {
            "id": str(self._number), "channel_id": "300", "author": author, "content": text,
            "timestamp": "2026-01-01T00:00:00+00:00", "edited_timestamp": None, "tts": False,
            "mention_everyone": False, "mentions": [], "mention_roles": [], "attachments": [],
            "embeds": [], "pinned": False, "type": 0, "components": [],
        }  # fmt: skip

    async def _on_gateway(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_json({"op": 10, "d": {"heartbeat_interval": 40_000}})
        async for message in socket:
            if message.type is not WSMsgType.TEXT:
                continue
            payload = json.loads(message.data)
            if payload["op"] == 1:
                await socket.send_json({"op": 11})
            if payload["op"] == 2 and self.close_code:
                await socket.close(code=self.close_code)
            elif payload["op"] == 2:
                ready = {
                    "v": 10, "user": ME, "guilds": [], "session_id": "1",
                    "resume_gateway_url": self.url, "application": {"id": "100", "flags": 0},
                }  # fmt: skip
                await socket.send_json({"op": 0, "s": 1, "t": "READY", "d": ready})
                self._gateway = socket
                self._ready.set()
        return socket

    async def _on_file(self, request: web.Request) -> web.Response:
        return web.Response(body=self._files[request.match_info["name"]])

    async def _on_request(self, request: web.Request) -> web.Response:
        path = request.match_info["path"]
        if request.headers.get("Authorization") != f"Bot {TOKEN}":
            return _json({"message": "401: Unauthorized", "code": 0}, status=401)
        if path == "users/@me":
            return _json(ME)
        if path == "oauth2/applications/@me":
            return _json(APPLICATION)
        if path == "applications/100/commands":
            self.told = await request.json()
            known = [
                {
                    "description": "",
                    **each,
                    "id": str(number),
                    "application_id": "100",
                    "version": "1",
                }
                for number, each in enumerate(self.told)
            ]
            return _json(known)
        if path == "channels/300":
            return _json({"id": "300", "type": 1, "recipients": [ANN]})
        if path == "channels/300/messages" and self.troubles:
            trouble = {"message": "no", "retry_after": 0.05, "global": False}
            headers = {"Via": "1.1 google"}  # only then discord.py believes it
            return _json(trouble, self.troubles.pop(0), headers)
        if path == "channels/300/messages":
            self.said.append((await request.json())["content"])
            return _json(self._message(self.said[-1], ME))
        assert path == "channels/300/typing", path
        return web.Response(status=204)


def _json(payload: Any, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    # With a charset, discord.py would not take it for JSON.
    body = json.dumps(payload).encode()
    kind = "application/json"
    return web.Response(body=body, status=status, content_type=kind, headers=headers)
