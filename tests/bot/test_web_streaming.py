"""Answers that a page shows while they are written."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from web_client import AssistantStandIn, client, form, scope, talk

from bot.assistant.types import Draft, Incoming, Reply
from bot.settings import WebSettings
from bot.web.app import create_app

EVENTS = {"accept": "text/event-stream, application/json"}


class Writer(AssistantStandIn):
    """Shows drafts one by one, and then answers with the last."""

    def __init__(self, *drafts: str) -> None:
        super().__init__()
        self.drafts = drafts
        self.cancelled = asyncio.Event()
        self.wait: Callable[[], Any] = lambda: asyncio.sleep(0.01)

    async def handle(self, incoming: Incoming, draft: Draft | None = None) -> Reply:
        try:
            for text in self.drafts:
                if draft:
                    draft(text)
                await self.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        if incoming.text == "crash":
            raise RuntimeError("the model fell over")
        return Reply(self.drafts[-1] if self.drafts else "Yes.", outcome="answered")


def events(text: str) -> list[tuple[str, Any]]:
    found = []
    for block in text.split("\n\n")[:-1]:
        fields = dict(line.split(": ", 1) for line in block.split("\n"))
        found.append((fields["event"], json.loads(fields["data"])))
    return found


async def test_drafts_come_before_the_reply() -> None:
    async with client(Writer("A dog", "A dog 🐕 runs", "A cat")) as web:
        answer = await web.post("/api/messages", **form("what?"), headers=EVENTS)
        whole = (await web.post("/api/messages", **form("what?"))).json()
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert "glimpse" in " ".join(answer.cookies)
    *drafts, (name, reply) = events(answer.text)
    assert drafts == [
        ("draft", {"text": "A dog"}), ("draft", {"more": " 🐕 runs"}), ("draft", {"text": "A cat"}),
    ]  # fmt: skip
    assert (name, reply) == ("reply", whole)


@pytest.mark.parametrize("text", ["what?", "crash"])
async def test_without_drafts_the_reply_is_what_it_was(text: str) -> None:
    async with client(Writer()) as web:
        streaming = await web.post("/api/messages", **form(text), headers=EVENTS)
        plain = await web.post("/api/messages", **form(text))
    assert streaming.status_code == plain.status_code == (200 if text == "what?" else 500)
    assert streaming.json()["outcome"] == plain.json()["outcome"]


async def test_a_crash_after_a_draft_is_told_as_the_reply() -> None:
    async with client(Writer("A dog runs")) as web:
        answer = await web.post("/api/messages", **form("crash"), headers=EVENTS)
    (_, (name, reply)) = events(answer.text)
    assert (name, reply["error"], reply["retry"]) == ("reply", True, True)


async def test_who_goes_away_between_drafts_is_not_written_for_and_makes_room() -> None:
    writer, gone = Writer("A dog", "A dog runs"), asyncio.Event()
    app = create_app(writer, settings=WebSettings(messages_at_once=1))  # type: ignore[arg-type]
    asked = scope()
    asked["headers"] += [(b"accept", b"text/event-stream"), (b"sec-fetch-site", b"same-origin")]
    part = b'--B\r\nContent-Disposition: form-data; name="text"\r\n\r\nwhat?\r\n--B--\r\n'

    writer.wait = asyncio.Event().wait
    begun, left = {"type": "http.request", "body": part}, {"type": "http.disconnect"}

    async def shown(_scope: Any, receive: Any, send: Any) -> None:
        async def watched(message: Any) -> None:
            await send(message)
            if message.get("body"):
                gone.set()

        await app(asked, receive, watched)

    for _ in range(2):  # the second finds room
        gone.clear()
        writer.cancelled.clear()
        sent = await talk(shown, begun, gone, left)
        assert writer.cancelled.is_set()
        assert sent[0]["status"] == 200
        assert b"A dog" in sent[1]["body"]
