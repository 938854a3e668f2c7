"""A small Discord over loopback: enough of its gateway and its API to run the bot for real."""

from __future__ import annotations

import asyncio
import json
import re
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import PurePath
from typing import Any, NamedTuple

from aiohttp import WSMsgType, web
from cachetools import FIFOCache

from bot.benchmarks import discord_payloads as payloads
from bot.benchmarks.discord_payloads import ANN, APPLICATION, GUILD, ME, Json

TOKEN = "secret-token"
DROP, TAKE_AND_DROP = 0, -1  # instead of a status: the connection ends without an answer
KEPT = 500  # messages, files and events, the oldest of which are forgotten


class File(NamedTuple):
    """What somebody attaches: its name, its kind as Discord tells it, and what is in it."""

    name: str
    kind: str
    content: bytes


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
            await self.tell("GUILD_CREATE", payloads.guild())
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


class FakeDiscord(FakeGateway):
    """Keeps what the bot says, and tells it what people do.

    Attributes:
        said: Texts of the bot's messages.
        told: The commands it told.
        troubles: Statuses with which messages are not taken, one after the other; or
            `DROP`, or `TAKE_AND_DROP` of one that is taken. Answers to interactions know neither.
        wait: Seconds that a 429 tells the bot to wait.
        file_troubles: Statuses with which files are handed out, and after how many seconds.
        on_said: Told of each message that the bot said or changed: what it answers (the id of a
            message or the token of an interaction), and the message as it is then.
        on_withdrawn: Told of each answer to an interaction that was taken back.
        deleted: Numbers of the bot's messages that are gone.
    """

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []
        self.told: list[Json] = []
        self.troubles: list[int] = []
        self.wait = 0.05
        self.file_troubles: list[tuple[int, float]] = []
        self.on_said: Callable[[str, Json], None] = lambda *_: None
        self.deleted: list[str] = []
        self.on_withdrawn: Callable[[str], None] = lambda _: None
        self._files: FIFOCache[str, File] = FIFOCache(KEPT)
        self._number = 1000
        self._messages: FIFOCache[str, tuple[str, Json]] = FIFOCache(KEPT)
        self._by_nonce: FIFOCache[str, Json] = FIFOCache(KEPT)
        self._interactions: FIFOCache[str, Json] = FIFOCache(KEPT)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Serve on loopback, on a free port."""
        app = web.Application()
        app.router.add_get("/gateway", self.on_connection)
        app.router.add_get("/files/{name}", self._on_file)
        app.router.add_route("*", "/api/{path:.*}", self._on_request)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield
        finally:
            await runner.cleanup()

    # --- people ------------------------------------------------------------------------------

    async def dm(self, text: str, picture: bytes = b"") -> None:
        """ANN writes to the bot in private."""
        await self.write(ANN, text, [File("photo.png", "image/png", picture)] if picture else [])

    async def write(
        self, person: Json, text: str, files: Sequence[File] = (), where: str = "", *,
        replaces: Json | None = None, replies_to: Json | None = None,
    ) -> Json:  # fmt: skip
        """A person writes or edits a message, in private if no channel is named; returns it."""
        await asyncio.wait_for(self._ready.wait(), 90)
        where = where or payloads.private_channel(person)
        number = replaces["id"] if replaces else self._next()
        shown = [self._attach(each) for each in files]
        message = payloads.message(number, where, person, text, attachments=shown)
        if replies_to:
            reference = {"message_id": replies_to["id"], "channel_id": where, "type": 0}
            message |= {"type": 19, "message_reference": reference}
            message["referenced_message"] = replies_to
        if replaces:
            message["edited_timestamp"] = message["timestamp"]
            message["timestamp"] = replaces["timestamp"]
        self._messages[number] = ("", message)
        await self.tell("MESSAGE_UPDATE" if replaces else "MESSAGE_CREATE", message)
        return message

    async def command(
        self, person: Json, name: str, where: str = "", file: File | None = None,
        question: str = "",
    ) -> str:  # fmt: skip
        """A person uses a slash command; returns the token that the answer will carry."""
        where = where or payloads.private_channel(person)
        options = [{"name": "question", "type": 3, "value": question}] if question else []
        shown = self._attach(file) if file else None
        return await self._interact(
            payloads.command(self._next(), person, where, name, options=options, file=shown)
        )

    async def press(self, person: Json, answer: Json, custom_id: str) -> str:
        """A person presses a button; returns the token that the answer will carry."""
        return await self._interact(payloads.press(self._next(), person, answer, custom_id))

    async def until(self, condition: Callable[[], Any], seconds: float = 10) -> None:
        """Wait until a condition holds."""
        async with asyncio.timeout(seconds):
            while not condition():
                await asyncio.sleep(0.01)

    async def _interact(self, interaction: Json) -> str:
        await asyncio.wait_for(self._ready.wait(), 90)
        token: str = interaction["token"]
        self._interactions[token] = interaction
        await self.tell("INTERACTION_CREATE", interaction)
        return token

    def _next(self) -> str:
        self._number += 1
        return str(self._number)

    def _attach(self, file: File) -> Json:
        number = self._next()
        name = number + PurePath(file.name).suffix
        self._files[name] = file
        size, url = len(file.content), f"{self.url}/files/{name}"
        return payloads.attachment(number, file.name, size, file.kind, url)

    # --- the bot -----------------------------------------------------------------------------

    async def _on_file(self, request: web.Request) -> web.StreamResponse:
        file = self._files[request.match_info["name"]]
        if self.file_troubles:
            status, seconds = self.file_troubles.pop(0)
            await asyncio.sleep(seconds)
            if status != 200:
                return web.Response(status=status)
        return web.Response(body=file.content)

    async def _on_request(self, request: web.Request) -> web.StreamResponse:
        path = request.match_info["path"]
        # Who knows the token of an interaction or a webhook needs no other.
        if path.startswith(("interactions/", "webhooks/")):
            return await self._on_interaction(request, path)
        if request.headers.get("Authorization") != f"Bot {TOKEN}":
            return _json({"message": "401: Unauthorized", "code": 0}, status=401)
        if path in (known := self._about_the_bot()):
            return _json(known[path])
        if path == f"applications/{ME['id']}/commands":
            return await self._on_commands(request)
        found = re.fullmatch(r"channels/(\d+)(?:/(messages|typing)(?:/(\d+))?)?", path)
        assert found, path
        where, what, number = found.groups()
        if what == "messages":
            return await self._on_message(request, where, number)
        return web.Response(status=204) if what else _json(payloads.channel(where))

    def _about_the_bot(self) -> dict[str, Json]:
        limit = {"total": 1000, "remaining": 999, "reset_after": 0, "max_concurrency": 16}
        return {
            "users/@me": ME,
            "oauth2/applications/@me": APPLICATION,
            "gateway/bot": {
                "url": self.gateway,
                "shards": self.shards,
                "session_start_limit": limit,
            },
        }

    async def _on_commands(self, request: web.Request) -> web.StreamResponse:
        self.told = await request.json()
        ours = {"application_id": ME["id"], "version": "1"}
        return _json([{"description": "", **each, "id": str(number), **ours}
                      for number, each in enumerate(self.told)])  # fmt: skip

    async def _on_message(
        self, request: web.Request, where: str, number: str | None
    ) -> web.StreamResponse:
        if request.method == "GET" and number:
            known = self._messages.get(number)
            return _json(known[1]) if known else _json({"message": "gone", "code": 10008}, 404)
        if request.method == "DELETE":
            self.deleted.append(number or "")
            return web.Response(status=204)
        if number in self.deleted:
            return _json({"message": "Unknown Message", "code": 10008}, 404)
        if self.troubles and (number or self.troubles[0] != TAKE_AND_DROP):
            return self._trouble(request)
        sent = await request.json()
        made = self._change(number, sent) if number else self._say_once(where, sent)
        return self._trouble(request) if self.troubles else _json(made)

    async def _on_interaction(self, request: web.Request, path: str) -> web.StreamResponse:
        kind, _, token, *rest = path.split("/")
        interaction = self._interactions.get(token)
        if interaction is None:
            return _json({"message": "Unknown Webhook", "code": 10015}, 404)
        if kind == "interactions":
            return _json(payloads.answer_to_callback(interaction))
        if request.method == "DELETE":
            self.deleted.append(self._named(interaction, rest))
            self.on_withdrawn(token)
            return web.Response(status=204)
        if self.troubles and self.troubles[0] > DROP:
            return self._trouble(request)
        return _json(self._answer(interaction, token, await request.json(), rest))

    def _answer(self, interaction: Json, token: str, sent: Json, rest: list[str]) -> Json:
        """Take an answer to an interaction, or a change of one: then the `rest` names it."""
        if number := self._named(interaction, rest):
            return self._change(number, sent)
        if sent.get("content") == "…":  # there for a moment, so nobody reads it
            return payloads.message(self._next(), interaction["channel_id"], ME, "…")
        said = self._say(interaction["channel_id"], token, sent)
        interaction.setdefault("original", said["id"])
        return said

    def _named(self, interaction: Json, rest: list[str]) -> str:
        """Which answer to an interaction the end of an address names; "" if none."""
        if not rest:
            return ""
        return rest[1] if rest[1] != "@original" else self._original(interaction)

    def _original(self, interaction: Json) -> str:
        """The first message that answers a command, or the one with the button; "" if none does."""
        shown = interaction.get("message", {}).get("id", "")
        return str(shown or interaction.get("original", ""))

    def _say_once(self, where: str, sent: Json) -> Json:
        """Take a message that has no nonce, or a new one."""
        nonce = str(sent.get("nonce"))
        if not (sent.get("enforce_nonce") and nonce in self._by_nonce):
            about = (sent.get("message_reference") or {}).get("message_id", "")
            self._by_nonce[nonce] = self._say(where, str(about), sent)
        return self._by_nonce[nonce]

    def _say(self, where: str, about: str, sent: Json) -> Json:
        shown = {"components": sent.get("components") or [], "flags": sent.get("flags") or 0}
        message = payloads.message(self._next(), where, ME, sent.get("content") or "", **shown)
        self._messages[message["id"]] = (about, message)
        self.said.append(message["content"])
        self.on_said(about, message)
        return message

    def _change(self, number: str, sent: Json) -> Json:
        about, message = self._messages[number]
        message |= {key: sent[key] or [] for key in ("content", "components") if key in sent}
        self.on_said(about, message)
        return message

    def _trouble(self, request: web.Request) -> web.StreamResponse:
        status = self.troubles.pop(0)
        if status <= DROP:
            assert request.transport is not None
            request.transport.abort()
        trouble = {"message": "no", "retry_after": self.wait, "global": False}
        headers = {"Via": "1.1 google"}  # only then discord.py believes it
        return _json(trouble, max(status, 400), headers)


def _json(payload: Any, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    # With a charset, discord.py would not take it for JSON.
    body = json.dumps(payload).encode()
    kind = "application/json"
    return web.Response(body=body, status=status, content_type=kind, headers=headers)
