"""A small Bot API server on loopback: hands out updates, takes what the bot says, serves files."""

from __future__ import annotations

import asyncio
import itertools
import json
import socket
import struct
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from bot.web.server import listen

TOKEN = "123456:a-secret-that-nobody-should-read"
ME = {"id": 42, "is_bot": True, "first_name": "Glimpse", "username": "glimpse_bot"}
GROUP = -100
Json = dict[str, Any]
DROP, RESET = 0, -1  # instead of a status: the connection ends without an answer
TAKEN = -2  # the same, but what was asked for is done


class LoopbackServer(uvicorn.Server):
    """Ends at once, instead of at the next tenth of a second; can end a connection as well."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ending = asyncio.Event()

    async def main_loop(self) -> None:
        """Wait for the end."""
        await self.ending.wait()

    def cut_off(self, client: tuple[str, int], *, reset: bool) -> None:
        """End a connection in the middle of a request, as a network does it."""
        for connection in list(self.server_state.connections):
            if getattr(connection, "client", None) != client:
                continue
            if reset:  # what lingers for no time is reset
                held = connection.transport.get_extra_info("socket")
                held.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.transport.abort()


@dataclass
class FakeTelegram:
    """What a Bot API server knows.

    Attributes:
        files: Contents by file id.
        calls: What the bot asked for: method and parameters.
        numbers: Of the messages that it said or changed.
        newest: Number of the last update.
        handed_out: Number of the last update that the bot was given.
        faults: Answers that a method gives instead, one at each call: (status, body, seconds).
            The status may be `DROP`, `RESET` or `TAKEN`; a body with "html" is sent as a page.
        on_call: Told of each call that was taken: method, parameters and result.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    calls: list[tuple[str, Json]] = field(default_factory=list)
    faults: defaultdict[str, list[tuple[int, Json, float]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    numbers: list[int] = field(default_factory=list)
    newest: int = 0
    handed_out: int = 0
    url: str = ""
    on_call: Callable[[str, Json, Any], None] = lambda *_: None
    _server: LoopbackServer | None = None
    _updates: list[Json] = field(default_factory=list)
    _ids: Any = field(default_factory=lambda: itertools.count(1))
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def said(self) -> list[str]:
        """The texts of all answers so far, edits among them."""
        return [call["text"] for _, call in self.of("sendMessage", "editMessageText")]

    @property
    def pending(self) -> list[Json]:
        """Updates that the bot has not confirmed: it would get them again after a restart."""
        return list(self._updates)

    def of(self, *methods: str) -> list[tuple[str, Json]]:
        """Calls of these methods."""
        return [call for call in self.calls if call[0] in methods]

    def update(self, number: int | None = None, **content: Any) -> int:
        """Something happens; returns the update's id."""
        number = number or next(self._ids)
        self._updates.append({"update_id": number, **content})
        self.newest = max(self.newest, number)
        self._news.set()
        return number

    def message(
        self,
        text: str = "",
        *,
        user: int = 7,
        chat: int | None = None,
        edit: bool = False,
        **more: Any,
    ) -> Json:
        """A person writes, in private unless a (negative) chat is given; returns the message."""
        where = {"id": chat or user, "type": "supergroup" if chat else "private", "title": "Group"}
        who = {"id": user, "is_bot": False, "first_name": "Ann"}
        message = {
            "message_id": more.pop("message_id", None) or next(self._ids), "date": int(time.time()),
            "chat": where, "from": who | _device(more.pop("language", "")), **more,
        }  # fmt: skip
        if text:
            shown = "caption" if any(kind in more for kind in _SHOWN) else "text"
            entities = f"{shown}_entities" if shown == "caption" else "entities"
            message |= {shown: text, entities: _entities(text)}
        self.update(None, **{"edited_message" if edit else "message": message})
        return message

    def photo(self, content: bytes, text: str = "", **more: Any) -> Json:
        """A person sends a photo, which Telegram keeps in three sizes."""
        name = f"photo-{next(self._ids)}"
        sizes = [(90, b"too small"), (800, content), (1280, b"needlessly big")]
        self.files |= {f"{name}-{size}": held for size, held in sizes}
        shown = [
            {
                "file_id": f"{name}-{size}", "file_unique_id": f"u{name}-{size}",
                "width": size, "height": size * 3 // 4, "file_size": len(held),
            }
            for size, held in sizes
        ]  # fmt: skip
        return self.message(text, photo=shown, **more)

    def document(self, content: bytes, name: str, kind: str, text: str = "", **more: Any) -> Json:
        """A person sends a file."""
        self.files[name] = content
        file = {
            "file_id": name, "file_unique_id": f"u{name}", "file_name": name, "mime_type": kind,
            "file_size": more.pop("file_size", len(content)),
        }  # fmt: skip
        return self.message(text, document=file, **more)

    def album(self, contents: Sequence[bytes], text: str = "", **more: Any) -> Json:
        """A person sends photos together; returns the first message, which has the words."""
        group = f"album-{next(self._ids)}"
        parts = [
            self.photo(content, "" if number else text, media_group_id=group, **more)
            for number, content in enumerate(contents)
        ]
        return parts[0]

    def said_to(self, asked: Json, number: int = -1) -> Json:
        """An answer that the bot gave, as the server shows it: the last one, or another."""
        return {
            "message_id": self.numbers[number], "date": int(time.time()), "chat": asked["chat"],
            "from": ME, "text": self.said[number], "reply_to_message": asked,
        }  # fmt: skip

    def press(self, data: str, answer: Json, user: int = 7, language: str = "") -> str:
        """A person presses a button under an answer; returns the id of that."""
        who = {"id": user, "is_bot": False, "first_name": "Ann", **_device(language)}
        number = str(next(self._ids))
        query = {"id": number, "from": who, "chat_instance": "1", "data": data}
        self.update(callback_query={**query, "message": answer})
        return number

    async def until(self, condition: Callable[[], Any], seconds: float = 10.0) -> Any:
        """Wait until a condition holds, and return what it gave."""
        async with asyncio.timeout(seconds):
            while not (found := condition()):
                await asyncio.sleep(0.005)
        return found

    async def answers(self, count: int) -> list[str]:
        """Wait until there are so many answers, and return their texts."""
        await self.until(lambda: len(self.said) >= count)
        return self.said

    async def settle(self, seconds: float = 0.3) -> list[str]:
        """Give the bot time for what it should not say."""
        await asyncio.sleep(seconds)
        return self.said

    @property
    def buttons(self) -> list[Json]:
        """Those under the answer that was given last, row after row."""
        rows = self.of("sendMessage", "editMessageText")[-1][1].get("reply_markup", {})
        return [button for row in rows.get("inline_keyboard", []) for button in row]

    @asynccontextmanager
    async def running(self, port: int = 0) -> AsyncIterator[FakeTelegram]:
        """Serve on loopback, on a free port if none is given."""
        routes = [
            Route("/bot{token}/{method}", self._method, methods=["GET", "POST"]),
            Route("/file/bot{token}/{path:path}", self._file),
        ]
        config = uvicorn.Config(
            Starlette(routes=routes), log_config=None, access_log=False, lifespan="off",
            timeout_keep_alive=75,
        )  # fmt: skip
        self._server = server = LoopbackServer(config)
        with listen("127.0.0.1", port) as listener:
            self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
            task = asyncio.ensure_future(server._serve([listener]))
            try:
                yield self
            finally:
                server.force_exit = True
                server.ending.set()
                self._news.set()
                await task

    async def _method(self, request: Request) -> Response:
        name = request.path_params["method"]
        sent = {key: _decoded(str(value)) for key, value in (await request.form()).items()}
        if request.path_params["token"] != TOKEN:
            return JSONResponse(
                {"ok": False, "error_code": 401, "description": "Unauthorized"}, 401
            )
        taken = bool(self.faults[name]) and self.faults[name][0][0] == TAKEN
        if self.faults[name] and not taken and (trouble := await self._trouble(name, request)):
            return trouble
        if name == "getUpdates":
            return await self._get_updates(sent)
        self.calls.append((name, sent))
        result = self._result(name, sent)
        self.on_call(name, sent, result)
        if taken and (trouble := await self._trouble(name, request)):
            return trouble
        return JSONResponse({"ok": True, "result": result})

    async def _trouble(self, name: str, request: Request) -> Response | None:
        """The next fault of a method; None if it is that the answer is late."""
        status, body, seconds = self.faults[name].pop(0)
        await asyncio.sleep(seconds)
        if status == 200:
            return None
        if status in {DROP, RESET, TAKEN}:
            assert self._server is not None
            self._server.cut_off(request.scope["client"], reset=status == RESET)
            return Response()  # nobody gets it
        if "html" in body:
            return HTMLResponse(body["html"], status)
        return JSONResponse({"ok": False, "error_code": status, **body}, status)

    async def _get_updates(self, sent: Json) -> Response:
        first = sent.get("offset", 0)
        self._updates = [each for each in self._updates if each["update_id"] >= first]
        if not self._updates:
            self._news.clear()
            try:
                async with asyncio.timeout(min(sent.get("timeout", 0), 5)):
                    await self._news.wait()
            except TimeoutError:
                pass
        self.handed_out = max([self.handed_out, *(each["update_id"] for each in self._updates)])
        return JSONResponse({"ok": True, "result": self._updates})

    def _result(self, name: str, sent: Json) -> Any:
        if name == "getMe":
            return {**ME, "can_join_groups": True, "can_read_all_group_messages": False,
                    "supports_inline_queries": False}  # fmt: skip
        if name == "getFile":
            held = self.files[sent["file_id"]]
            return {"file_id": sent["file_id"], "file_unique_id": "u", "file_size": len(held),
                    "file_path": f"photos/{sent['file_id']}"}  # fmt: skip
        if name in {"sendMessage", "editMessageText"}:
            number = sent.get("message_id") or next(self._ids)
            self.numbers.append(number)
            return {"message_id": number, "date": int(time.time()), "text": sent["text"],
                    "chat": {"id": sent["chat_id"], "type": "private"}, "from": ME}  # fmt: skip
        return True

    async def _file(self, request: Request) -> Response:
        if self.faults["file"] and (trouble := await self._trouble("file", request)):
            return trouble
        return Response(self.files[request.path_params["path"].removeprefix("photos/")])


_SHOWN = ("photo", "document", "video", "animation", "sticker")


def _device(language: str) -> Json:
    return {"language_code": language} if language else {}


def _decoded(value: str) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        return value


def _entities(text: str) -> list[Json]:
    """Mentions and commands, as Telegram marks them."""
    found, at = [], 0
    for word in text.split(" "):
        kind = {"@": "mention", "/": "bot_command"}.get(word[:1])
        if kind:
            found.append({"type": kind, "offset": at, "length": len(word)})
        at += len(word) + 1
    return found
