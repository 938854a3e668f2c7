"""Telegram brings updates by itself, and nobody else can."""

from __future__ import annotations

import asyncio
import logging
import re

import httpx
import pytest
from cli_runner import free_port
from engine_stand_in import StandIn
from fake_telegram import TOKEN, FakeTelegram, telegram

from bot.assistant.assistant import Assistant
from bot.assistant.locale.texts import ENGLISH
from bot.cli.serve import _webhook
from bot.errors import PlatformError
from bot.settings import Settings
from bot.telegram import bot
from bot.telegram.bot import build, serve
from bot.telegram.webhook import Webhook, secret_from
from bot.web.server import listen

HEADER = "X-Telegram-Bot-Api-Secret-Token"
SECRET = "s3cret_-"


def webhook(path: str = "/glimpse.bot") -> Webhook:
    return Webhook(f"https://bot.example{path}", "127.0.0.1", free_port(), SECRET)


@pytest.mark.parametrize("path", ["", "/glimpse.bot"])
async def test_updates_are_taken_from_who_knows_the_secret_only(
    path: str, capsys: pytest.CaptureFixture[str]
) -> None:
    hook = webhook(path)
    async with telegram(webhook=hook) as api, httpx.AsyncClient() as client:
        api.faults["setWebhook"].append(
            (429, {"description": "x", "parameters": {"retry_after": 0.01}}, 0)
        )
        api.message("/start")
        (update,) = api._updates
        await api.until(lambda: "Glimpse is on Telegram" in capsys.readouterr().out)
        ((_, told), *_) = api.of("setWebhook")
        assert told["url"] == hook.url
        assert told["secret_token"] == SECRET
        assert told["allowed_updates"] == bot.ALLOWED_UPDATES
        local = f"http://127.0.0.1:{hook.port}"
        for headers in ({}, {HEADER: "wrong"}, {HEADER: ""}):
            refused = await client.post(local + path, json=update, headers=headers)
            assert refused.status_code == 403
            assert SECRET not in refused.text
        known = {HEADER: SECRET}
        elsewhere = await client.post(f"{local}/glimpsexbot", json=update, headers=known)
        assert elsewhere.status_code == 404
        assert await api.settle(0.1) == []
        for _ in range(2):  # Telegram brings it again when it is not sure
            taken = await client.post(local + path, json=update, headers=known)
            assert taken.status_code == 200
        assert await api.answers(1) == [ENGLISH.start]
        assert len(await api.settle(0.1)) == 1
        assert not api.of("deleteWebhook")


async def test_an_update_that_cannot_be_read_is_told_without_its_words(
    caplog: pytest.LogCaptureFixture,
) -> None:
    hook, odd = webhook(""), {"message_id": 1, "text": "my wombat"}
    async with telegram(webhook=hook) as api, httpx.AsyncClient() as client:
        await api.until(lambda: api.of("setWebhook"))
        taken = await _posted(client, hook, {"update_id": 1, "message": odd})
        assert taken.status_code == 200  # else Telegram would bring it for ever, and nothing else
    (said,) = [each for each in caplog.records if "cannot be read" in each.getMessage()]
    assert said.getMessage() == "An update that cannot be read is left out (KeyError)"
    assert "wombat" not in caplog.text


async def _posted(client: httpx.AsyncClient, hook: Webhook, update: object) -> httpx.Response:
    """What the webhook answers, once it listens."""
    async with asyncio.timeout(10):
        while True:
            try:
                return await client.post(
                    f"http://127.0.0.1:{hook.port}", json=update, headers={HEADER: SECRET}
                )
            except httpx.ConnectError:
                await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    "sent", [b"", b"POST / HT", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{"]
)
async def test_what_stops_half_way_does_not_hold_the_webhook(
    monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    for name in ("IDLE_SECONDS", "BODY_SECONDS"):
        monkeypatch.setattr(f"bot.telegram.webhook.{name}", 0.1)

    async def take(_update: object) -> None:
        raise AssertionError

    hook = webhook("")
    server = hook.listen(take)
    async with asyncio.timeout(10):
        reader, writer = await asyncio.open_connection(hook.host, hook.port)
        writer.write(sent)
        assert await reader.read() == b""
        writer.close()
    server.stop()
    await server.close_all_connections()


async def test_polling_takes_the_webhook_back() -> None:
    async with telegram() as api:
        await api.until(lambda: api.of("deleteWebhook"))
        assert not api.of("setWebhook")


async def test_a_webhook_that_cannot_be_had_is_said_so() -> None:
    refused = {"description": "Bad Request: bad webhook: failed to resolve host"}
    async with FakeTelegram().running() as api:
        api.faults["setWebhook"].append((400, refused, 0))
        with pytest.raises(PlatformError, match=r"look after GLIMPSE_TELEGRAM_WEBHOOK_URL\."):
            await serve(build(TOKEN, api.url), Assistant(StandIn()), asyncio.Event(), webhook())
        hook = webhook()
        with (
            listen("127.0.0.1", hook.port),
            pytest.raises(PlatformError, match="GLIMPSE_TELEGRAM_WEBHOOK_PORT to one that is free"),
        ):
            await serve(build(TOKEN, api.url), Assistant(StandIn()), asyncio.Event(), hook)
        assert not api.of("setWebhook")  # nobody would take what it brings


async def test_a_webhook_is_told_as_soon_as_there_is_a_network(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bot, "RETRY", 0.05)
    api = FakeTelegram()
    api.faults["setWebhook"] += [(502, {"description": "Bad Gateway"}, 0)] * 2
    async with telegram(api=api, webhook=webhook()):
        await api.until(lambda: len(api.of("setWebhook")) == 1)


def test_a_secret_is_made_from_the_token_and_does_not_tell_it() -> None:
    assert secret_from(TOKEN) == secret_from(TOKEN) != secret_from(TOKEN + "x")
    assert re.fullmatch(r"[0-9a-f]{64}", secret_from(TOKEN))
    settings = Settings(telegram_token=TOKEN, telegram_webhook_url="https://b.example/x")
    hook = _webhook(settings)
    assert hook == Webhook("https://b.example/x", "127.0.0.1", 8443, secret_from(TOKEN))
    assert secret_from(TOKEN) not in repr(hook)
    assert _webhook(Settings(telegram_token=TOKEN)) is None


@pytest.mark.parametrize(
    ("status", "said"), [(401, "Unauthorized"), (403, "Forbidden: bot was deleted")]
)
async def test_a_token_that_is_taken_back_ends_it(
    status: int, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with FakeTelegram().running() as api:
        task = asyncio.ensure_future(
            serve(build(TOKEN, api.url), Assistant(StandIn()), asyncio.Event())
        )
        api.message("/start")
        await api.answers(1)
        api.faults["getUpdates"] += [(status, {"description": said}, 0)] * 9
        api.message("/start")  # ends the request that waits
        async with asyncio.timeout(10):
            with pytest.raises(PlatformError, match="does not know this token"):
                await task
    assert not [each for each in caplog.records if each.levelno >= logging.ERROR]


async def test_a_token_that_is_taken_back_ends_a_webhook(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bot, "TOKEN_CHECK_SECONDS", 0.05)
    async with FakeTelegram().running() as api:
        task = asyncio.ensure_future(
            serve(build(TOKEN, api.url), Assistant(StandIn()), asyncio.Event(), webhook())
        )
        await api.until(lambda: len(api.of("getMe")) >= 3)
        api.faults["getMe"] += [(401, {"description": "Unauthorized"}, 0)]
        async with asyncio.timeout(10):
            with pytest.raises(PlatformError, match="does not know this token"):
                await task
