"""Reading uploads: limits while they come in, bad bodies, silence, and never the disk."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest
from web_client import FORM, SMALL, Echo, body, client, form, talk

from bot.settings import WebSettings
from bot.web.app import create_app

_writes: list[str] | None = None


def _note_writes(event: str, args: tuple[Any, ...]) -> None:
    if event == "open" and _writes is not None:
        path, mode, flags = args
        if (isinstance(mode, str) and set(mode) & set("wax+")) or (
            isinstance(flags, int) and flags & 0b11
        ):
            _writes.append(str(path))


async def test_pictures_never_touch_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    noted: list[str] = []
    sys.addaudithook(_note_writes)
    monkeypatch.setattr(sys.modules[__name__], "_writes", noted)
    async with client(echo := Echo()) as web:
        response = await web.post("/api/messages", **form("hi", b"x" * 5_000_000, b"y" * 100))
    assert response.status_code == 200
    assert [len(picture.content) for picture in echo.heard[0].pictures] == [5_000_000, 100]
    assert noted == []
    open("/dev/null", "w").close()  # noqa: PTH123  (the hook does notice writes)
    assert noted == ["/dev/null"]


async def _chunks(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), 100):
        yield content[start : start + 100]


@pytest.mark.parametrize("length", [None, "10", "100000000"], ids=["absent", "lie", "too-much"])
async def test_a_large_picture_is_refused_whatever_its_length_header_says(
    length: str | None,
) -> None:
    sent = body(b'name="pictures"; filename="a.jpg"\r\n\r\n' + b"x" * 1001 + b"\r\n")
    headers = sent["headers"] | ({"content-length": length} if length else {})
    async with client(echo := Echo(), SMALL) as web:
        response = await web.post(
            "/api/messages", content=_chunks(sent["content"]), headers=headers
        )
        exact = await web.post("/api/messages", **form("", b"x" * 1000))
    assert response.status_code == 413
    assert response.json()["error"] is True
    assert "0.001 MB" in response.json()["reply"]
    assert exact.status_code == 200
    assert len(echo.heard) == 1


async def test_an_endless_upload_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.web.upload._DRAIN_BYTES", 200_000)
    consumed = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal consumed
        yield b'--B\r\nContent-Disposition: form-data; name="text"\r\n\r\nhi\r\n--B--\r\n'
        while True:
            consumed += 10_000
            yield b"x" * 10_000

    async with client(echo := Echo(), SMALL) as web:
        headers = body()["headers"]
        response = await web.post("/api/messages", content=endless(), headers=headers)
    assert response.status_code == 413
    assert consumed < 400_000
    assert echo.heard == []


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (form("", b"1", b"2", b"3", b"4"), 413),
        (form("x" * 201), 413),
        (body(b'name="text"\r\n\r\nhello\r\n', end=b""), 400),
        (body(b'name="text"\r\n\r\nhello'), 400),
        (body(b"no name here\r\n\r\nhello\r\n"), 400),
        (body(b'name="text"\r\nbad header\r\n\r\nhello\r\n'), 400),
        (body(b'name="text"\r\n\r\na\r\n', b'name="text"\r\n\r\nb\r\n'), 400),
        (body(b'name="colour"\r\n\r\nred\r\n'), 400),
        (body(b'name="pictures"\r\n\r\nnot a file\r\n'), 400),
        (body(b'name="text"\r\n\r\na\r\n', end=b"--B--\r\n" + b"x" * 70_000), 413),
        ({"content": b"", "headers": {"content-type": f"{FORM}; boundary=B"}}, 400),
        ({"content": b"a", "headers": {"content-type": FORM}}, 400),
        ({"content": b"a", "headers": {"content-type": f"{FORM}; boundary={'B' * 999}"}}, 400),
        ({"json": {"text": "hi"}}, 415),
        ({"data": {"text": "hi"}}, 415),
        ({"content": b""}, 415),
    ],
)  # fmt: skip
async def test_a_body_that_is_no_message_is_refused(sent: dict[str, Any], status: int) -> None:
    settings = WebSettings(picture_bytes=1000, pictures=3, text_bytes=200)
    async with client(echo := Echo(), settings) as web:
        response = await web.post("/api/messages", **sent)
    assert response.status_code == status
    answer = response.json()
    assert answer["error"] is True
    assert answer["reply"].endswith(".")
    assert echo.heard == []


async def test_an_empty_file_field_is_no_picture_but_an_empty_file_is() -> None:
    nothing = body(b'name="pictures"; filename=""\r\n\r\n\r\n', b'name="text"\r\n\r\nhi\r\n')
    async with client(echo := Echo()) as web:
        await web.post("/api/messages", **nothing)
        await web.post("/api/messages", **form("", b""))
    assert [len(message.pictures) for message in echo.heard] == [0, 1]


async def test_a_refused_upload_that_falls_silent_still_gets_its_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bot.web.upload._DRAIN_SECONDS", 0.05)
    part = {"type": "http.request", "body": b"no boundary", "more_body": True}
    assert (await talk(create_app(Echo()), part))[0]["status"] == 400


async def test_people_who_leave_or_fall_silent_in_mid_upload_free_their_place() -> None:
    app = create_app(
        Echo(), settings=WebSettings(messages_at_once=1, held_bytes=2000, silence_seconds=0.05)
    )
    part = {
        "type": "http.request",
        "body": b'--B\r\nContent-Disposition: form-data; name="pictures"; filename="a"\r\n\r\n'
        + b"x" * 1500,
        "more_body": True,
    }
    for _ in range(3):
        await talk(app, part, {"type": "http.disconnect"})
        stalled = await talk(app, part)
        assert stalled[0]["status"] == 408
