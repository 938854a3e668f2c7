"""What the web chat refuses before it looks, and the pages and headers it answers with."""

from __future__ import annotations

import socket
from typing import Any

import httpx
import pytest
from web_client import Yes

from bot.assistant.privacy import PictureKeeping
from bot.settings import WebSettings
from bot.web.app import StaticPages, create_app
from bot.web.security import HEADERS

OPEN = WebSettings(host="0.0.0.0", allowed_hosts=("Chat.Example.org",))
LOCAL = WebSettings()


def client(settings: WebSettings = LOCAL) -> httpx.AsyncClient:
    app = create_app(Yes(), settings=settings)
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://localhost:8000")


MESSAGE: dict[str, Any] = {"files": {"text": (None, "hi")}}


@pytest.mark.parametrize(
    ("settings", "host", "status"),
    [
        (LOCAL, "localhost", 200),
        (LOCAL, "LOCALHOST:8000", 200),
        (LOCAL, "127.0.0.1:9999", 200),
        (LOCAL, "[::1]:8000", 200),
        (LOCAL, "evil.example", 421),
        (LOCAL, "localhost.evil.example", 421),
        (LOCAL, "192.168.1.5", 421),
        (LOCAL, "[::1", 421),
        (LOCAL, "", 421),
        (OPEN, "192.168.1.5:8000", 200),
        (OPEN, "chat.example.org", 200),
        (OPEN, socket.gethostname() + ".local", 200),
        (OPEN, "evil.example", 421),
        (WebSettings(host="::1"), "evil.example", 421),
        (WebSettings(host="localhost"), "10.0.0.1", 421),
    ],
)
async def test_only_our_own_names_are_answered(
    settings: WebSettings, host: str, status: int
) -> None:
    async with client(settings) as web:
        response = await web.get("/", headers={"host": host, "sec-fetch-site": "none"})
    assert response.status_code == status
    assert ("set-cookie" in response.headers) == (status == 200)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"sec-fetch-site": "same-origin", "origin": "http://localhost:8000"}, 200),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"origin": "http://localhost:8000"}, 200),
        ({"origin": "http://localhost:8001"}, 403),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
    ],
)
async def test_other_sites_can_neither_send_nor_forget(
    headers: dict[str, str], status: int
) -> None:
    async with client() as web:
        sent = await web.post("/api/messages", headers=headers, **MESSAGE)
        forgot = await web.delete("/api/conversation", headers=headers)
        assert (await web.get("/", headers=headers)).status_code == 200
    assert sent.status_code == status
    assert forgot.status_code == (status if status == 403 else 204)
    assert sent.json()["error"] == (status == 403)


async def test_every_answer_carries_the_security_headers(monkeypatch: pytest.MonkeyPatch) -> None:
    async with client() as web:
        answers = [
            await web.get("/"),
            await web.get("/static/app.js"),
            await web.get("/nothing"),
            await web.put("/healthz"),
            await web.get("/", headers={"host": "evil.example"}),
            await web.post("/api/messages", **MESSAGE),
            await web.post("/api/messages", json={}),
        ]
        monkeypatch.setattr("bot.web.app.Asset.response", None)
        answers.append(await web.get("/"))
    statuses = [answer.status_code for answer in answers]
    assert statuses == [200, 200, 404, 405, 421, 200, 415, 500]
    for answer in answers:
        assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS
    policy = answers[0].headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/static/index.html", 404),
        ("GET", "/static/..%2f..%2fapp.py", 404),
        ("POST", "/", 405),
        ("GET", "/api/messages", 405),
        ("GET", "/api/nothing", 404),
    ],
)
async def test_wrong_paths_and_methods_get_a_plain_sentence(
    method: str, path: str, status: int
) -> None:
    async with client() as web:
        response = await web.request(method, path)
    assert response.status_code == status
    if path.startswith("/api/"):
        assert response.json()["error"] is True
    else:
        assert response.headers["content-type"].startswith("text/html")
        assert "Back to the chat" in response.text
    assert ("allow" in response.headers) == (status == 405)


async def test_the_page_and_its_parts() -> None:
    settings = WebSettings(picture_bytes=123, pictures=4)
    async with client(settings) as web:
        assert (await web.get("/healthz")).json() == {"status": "ok"}
        page = await web.get("/")
        assert 'data-picture-bytes="123"' in page.text
        assert 'data-pictures="4"' in page.text
        again = await web.get("/", headers={"if-none-match": page.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        for name, asset in StaticPages.load(settings).assets.items():
            part = await web.get(f"/static/{name}")
            assert part.headers["content-type"] == asset.media_type
            assert part.content


def test_the_page_has_nothing_inline_and_nothing_from_outside() -> None:
    pages = StaticPages.load(LOCAL)
    index = pages.index("en", PictureKeeping.NEVER).content
    texts = {name: each for name, each in pages.assets.items() if each.media_type != "image/jpeg"}
    everything = {"index": index} | {name: asset.content for name, asset in texts.items()}
    for name, content in everything.items():
        text = content.decode().replace("http://www.w3.org/2000/svg", "")
        for forbidden in ("http://", "https://", "innerHTML", "style=", "onclick=", "@import"):
            assert forbidden not in text, (name, forbidden)
    assert b"<script>" not in index
    assert "&lt;b&gt;" in bytes(pages.error_page(404, "<b>", "<b>").body).decode()
