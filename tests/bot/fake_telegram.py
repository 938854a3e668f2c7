"""A small Bot API server on loopback: hands out updates, takes what the bot says, serves files."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from engine_stand_in import StandIn, open_photo
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bot.access import Access
from bot.assistant import Assistant
from bot.limits import UNLIMITED, Limits, LimitSettings
from bot.telegram.client import build
from bot.telegram.serving import serve
from bot.telegram.webhook import Webhook
from bot.web.server import listen

TOKEN = "123456:a-secret-that-nobody-should-read"
ME = {"id": 42, "is_bot": True, "first_name": "Glimpse", "username": "glimpse_bot"}
GROUP = -100
Json = dict[str, Any]


@dataclass
class FakeTelegram:
    """What a Bot API server knows.

    Attributes:
        files: Contents by file id.
        calls: What the bot asked for: method and parameters.
        numbers: Of the messages that it said or changed.
        faults: Answers that a method gives instead, one at each call: (status, body, seconds).
    """

    files: dict[str, bytes] = field(default_factory=dict)
    calls: list[tuple[str, Json]] = field(default_factory=list)
    faults: defaultdict[str, list[tuple[int, Json, float]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    numbers: list[int] = field(default_factory=list)
    url: str = ""
    _updates: list[Json] = field(default_factory=list)
    _ids: Any = field(default_factory=lambda: itertools.count(1))
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def said(self) -> list[str]:
        """The texts of all answers so far, edits among them."""
        return [call["text"] for _, call in self.of("sendMessage", "editMessageText")]

    def of(self, *methods: str) -> list[tuple[str, Json]]:
        """Calls of these methods."""
        return [call for call in self.calls if call[0] in methods]

    def update(self, number: int | None = None, **content: Any) -> int:
        """Something happens; returns the update's id."""
        number = number or next(self._ids)
        self._updates.append({"update_id": number, **content})
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
        self.update(**{"edited_message" if edit else "message": message})
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

    def said_to(self, asked: Json, number: int = -1) -> Json:
        """An answer that the bot gave, as the server shows it: the last one, or another."""
        return {
            "message_id": self.numbers[number], "date": int(time.time()), "chat": asked["chat"],
            "from": ME, "text": self.said[number], "reply_to_message": asked,
        }  # fmt: skip

    def press(self, data: str, answer: Json, user: int = 7, language: str = "") -> None:
        """A person presses a button under an answer."""
        who = {"id": user, "is_bot": False, "first_name": "Ann", **_device(language)}
        query = {"id": str(next(self._ids)), "from": who, "chat_instance": "1", "data": data}
        self.update(callback_query={**query, "message": answer})

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
            Starlette(routes=routes), log_config=None, access_log=False, lifespan="off"
        )
        server = _Server(config)
        with listen("127.0.0.1", port) as socket:
            self.url = f"http://127.0.0.1:{socket.getsockname()[1]}"
            server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
            task = asyncio.ensure_future(server._serve([socket]))
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
        if self.faults[name]:
            status, body, seconds = self.faults[name].pop(0)
            await asyncio.sleep(seconds)
            if status != 200:
                return JSONResponse({"ok": False, "error_code": status, **body}, status)
        if name == "getUpdates":
            return await self._get_updates(sent)
        self.calls.append((name, sent))
        return JSONResponse({"ok": True, "result": self._result(name, sent)})

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
        if self.faults["file"]:
            status, _, seconds = self.faults["file"].pop(0)
            await asyncio.sleep(seconds)
            if status != 200:
                return Response(status_code=status)
        return Response(self.files[request.path_params["path"].removeprefix("photos/")])


class _Server(uvicorn.Server):
    """Ends at once, instead of at the next tenth of a second."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ending = asyncio.Event()

    async def main_loop(self) -> None:
        await self.ending.wait()


@asynccontextmanager
async def telegram(
    engine: StandIn | None = None,
    limits: LimitSettings | None = None,
    access: Access = Access(),  # noqa: B008 (frozen)
    *,
    api: FakeTelegram | None = None,
    webhook: Webhook | None = None,
    **options: Any,
) -> AsyncIterator[FakeTelegram]:
    """The bot, started and stopped as `glimpse telegram` does it; `options` of the assistant."""
    free = LimitSettings(default=UNLIMITED)
    held = Limits(limits or free)
    options = {"limits": held, "access": access, "open_picture": open_photo, **options}
    assistant = Assistant(engine or StandIn(), **options)
    stopped = asyncio.Event()
    async with (api or FakeTelegram()).running() as api:
        task = asyncio.ensure_future(serve(build(TOKEN, api.url), assistant, stopped, webhook))
        try:
            yield api
        finally:
            stopped.set()
            async with asyncio.timeout(20):
                await task


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
