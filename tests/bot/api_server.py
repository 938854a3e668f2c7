"""The API on a port of this computer, and the official client to talk to it."""

from __future__ import annotations

import base64
import contextlib
import io
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import openai
from engine_stand_in import StandIn
from PIL import Image

from bot.api.answering import Answering
from bot.api.app import create_api
from bot.api.keys import Gate
from bot.health import Health
from bot.metrics import Metrics
from bot.settings import WebSettings
from bot.version import BuildInfo
from bot.web.server import WebServer, listen

KEY = "sk-test-0123456789abcdef"


def api(
    engine: Any,
    *keys: str,
    per_minute: int = 1000,
    settings: WebSettings | None = None,
    **more: Any,
) -> Any:
    """The app around a stand-in for the engine."""
    metrics = Metrics(Health(), BuildInfo("1", "", ""), "starter")
    answering = Answering(engine, "starter", fingerprint="f00", **more)
    return create_api(answering, Gate(keys, per_minute), metrics, settings or WebSettings())


@dataclass(frozen=True)
class Running:
    """A server that answers."""

    address: str
    server: WebServer
    thread: threading.Thread

    def client(self, key: str = KEY, **options: Any) -> openai.OpenAI:
        given = {"max_retries": 0, "timeout": 10, **options}
        web = openai.DefaultHttpxClient(trust_env=False, verify=False)
        return openai.OpenAI(base_url=f"{self.address}/v1", api_key=key, http_client=web, **given)

    def ask(self, *messages: dict[str, Any], **options: Any) -> Any:
        """A chat completion, or all chunks of a stream."""
        with self.client() as client:
            found = client.chat.completions.create(
                model=options.pop("model", "starter"),
                messages=list(messages),  # type: ignore[arg-type]
                **options,
            )
            return list(found) if options.get("stream") else found


@contextlib.contextmanager
def serving(app: Any, settings: WebSettings | None = None, grace: int = 5) -> Iterator[Running]:
    settings = replace(settings or WebSettings(), shutdown_seconds=grace)
    with listen("127.0.0.1", 0) as listener:
        server = WebServer(app, "ready", settings)
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            yield Running(f"http://127.0.0.1:{listener.getsockname()[1]}", server, thread)
        finally:
            server.should_exit = True
            thread.join()


@contextlib.contextmanager
def serving_stand_in(engine: StandIn | None = None, *keys: str, **more: Any) -> Iterator[Running]:
    with serving(api(engine or StandIn(), *keys, **more)) as running:
        yield running


def png(colour: str = "red", size: tuple[int, int] = (8, 6)) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, "PNG")
    return file.getvalue()


def data_url(content: bytes, kind: str = "image/png") -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def user(text: str = "", *pictures: bytes | str) -> dict[str, Any]:
    """A user's message, with pictures as files or as addresses."""
    parts: list[dict[str, Any]] = [{"type": "text", "text": text}] if text else []
    for each in pictures:
        address = each if isinstance(each, str) else data_url(each)
        parts.append({"type": "image_url", "image_url": {"url": address}})
    return {"role": "user", "content": parts if pictures else text}


def wait_until(happened: Callable[[], bool], seconds: float = 5) -> None:
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.01)
