"""A stand-in for the assistant, and ways to send messages to the web chat."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import httpx

from bot.assistant.locale import spoken
from bot.assistant.locale.texts import Texts
from bot.assistant.privacy import Recorder
from bot.assistant.types import Button, Conversation, Draft, Incoming, Reply
from bot.settings import WebSettings
from bot.web.app import create_app

FORM = "multipart/form-data"
HERE = "http://127.0.0.1:8000"
SMALL = WebSettings(picture_bytes=1000, pictures=3, text_bytes=200)


class AssistantStandIn:
    """What the page asks of an assistant besides answers."""

    def __init__(self) -> None:
        self.recorder = Recorder()

    def texts(self, platform: str, user: str, language: str = "") -> Texts:
        return spoken(language)

    def sent_to(self, who: Conversation) -> Sequence[str]:
        return ()

    def forget(self, platform: str, chat: str, user: str) -> None:
        pass


class Echo(AssistantStandIn):
    """Answers with what it was given, after a moment; remembers pictures by chat and person."""

    def __init__(self, pause: Callable[[], float] = lambda: 0.0) -> None:
        super().__init__()
        self.heard: list[Incoming] = []
        self.last: dict[tuple[str, str], str] = {}
        self.forgotten: list[tuple[str, str, str]] = []
        self._pause = pause

    async def handle(self, incoming: Incoming, draft: Draft | None = None) -> Reply | None:
        self.heard.append(incoming)
        await asyncio.sleep(self._pause())
        if incoming.text == "silence":
            return None
        if incoming.text == "crash":
            raise RuntimeError("the model fell over")
        whose = (incoming.chat, incoming.user)
        for picture in incoming.pictures:
            self.last[whose] = hashlib.sha256(picture.content).hexdigest()
        return Reply(f"{incoming.text}|{self.last.get(whose, 'none')}", (Button("Describe", "/c"),))

    def forget(self, platform: str, chat: str, user: str) -> None:
        self.forgotten.append((platform, chat, user))


class Yes(AssistantStandIn):
    """Answers everything alike."""

    async def handle(self, incoming: Incoming, draft: Draft | None = None) -> Reply:
        return Reply("Yes.")


def client(assistant: Any, settings: WebSettings | None = None, base: str = HERE) -> Any:
    transport = httpx.ASGITransport(app=create_app(assistant, settings=settings))
    headers = {"sec-fetch-site": "same-origin"}
    return httpx.AsyncClient(transport=transport, base_url=base, headers=headers)


def form(text: str = "", *pictures: bytes) -> dict[str, Any]:
    files = [("pictures", (f"secret-{n}.jpg", content)) for n, content in enumerate(pictures)]
    return {"files": [("text", (None, text)), *files]}


def body(*parts: bytes, end: bytes = b"--B--\r\n") -> dict[str, Any]:
    content = b"".join(b"--B\r\nContent-Disposition: form-data; " + part for part in parts) + end
    return {"content": content, "headers": {"content-type": f"{FORM}; boundary=B"}}


def scope() -> dict[str, Any]:
    return {
        "type": "http", "method": "POST", "path": "/api/messages", "raw_path": b"/api/messages",
        "query_string": b"", "root_path": "", "scheme": "http", "http_version": "1.1",
        "headers": [(b"host", b"localhost"), (b"content-type", b"multipart/form-data; boundary=B")],
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 8000),
    }  # fmt: skip


async def talk(app: Any, *messages: dict[str, Any] | asyncio.Event) -> list[Any]:
    """Call the app as a server would; when the messages run out, the line stays silent.

    At an event among them, the line is silent until it is set.
    """
    queue, sent = list(messages), []

    async def receive() -> dict[str, Any]:
        if not queue:
            await asyncio.Event().wait()
        if isinstance(event := queue[0], asyncio.Event):
            await event.wait()
            queue.pop(0)
        return queue.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    await asyncio.wait_for(app(scope(), receive, send), timeout=5)
    return sent
