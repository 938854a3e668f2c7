"""Every platform in one process: `glimpse run`."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import httpx
import pytest
from cli_runner import CliRunner, free_port
from engine_stand_in import Clock, StandIn, open_photo, photo
from fake_discord import TOKEN as DISCORD_TOKEN
from fake_discord import FakeDiscord
from fake_telegram import TOKEN as TELEGRAM_TOKEN
from fake_telegram import FakeTelegram

from bot.assistant.assistant import Assistant
from bot.assistant.conversations import Conversations
from bot.assistant.types import Incoming
from bot.cli.check import _discord, _telegram
from bot.cli.serve import all_parts
from bot.errors import PlatformError
from bot.health import Health
from bot.platforms import purge_until, run_together
from bot.settings import Settings


async def test_one_engine_answers_on_all_platforms_until_told_to_stop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stopped, port = asyncio.Event(), free_port()
    assistant = Assistant(StandIn(), open_picture=open_photo)
    async with FakeTelegram().running() as telegram, FakeDiscord().running(monkeypatch) as api:
        settings = Settings(
            port=port, telegram_token=TELEGRAM_TOKEN, telegram_base_url=telegram.url,
            discord_token=DISCORD_TOKEN, log="off",
        )  # fmt: skip
        parts = list(all_parts(settings, assistant, Health(), web=True))
        assert len(parts) == 3
        task = asyncio.ensure_future(run_together(parts, stopped))
        telegram.photo(b"red", "What colour is it?")
        await api.dm("What colour is it?", b"blue")
        assert await telegram.answers(1) == ["Red."]
        await api.until(lambda: api.said == ["Blue."])
        async with httpx.AsyncClient() as client:
            page = await client.get(f"http://127.0.0.1:{port}/healthz")
        assert page.status_code == 200
        stopped.set()
        async with asyncio.timeout(20):
            await task


async def test_a_bad_token_is_said_once_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stopped, health, port = asyncio.Event(), Health(), free_port()
    assistant = Assistant(StandIn(), open_picture=open_photo)
    async with FakeTelegram().running() as telegram, FakeDiscord().running(monkeypatch):
        settings = Settings(
            port=port, telegram_token=TELEGRAM_TOKEN, telegram_base_url=telegram.url,
            discord_token="wrong", log="off",
        )  # fmt: skip
        parts = list(all_parts(settings, assistant, health, web=True))
        task = asyncio.ensure_future(run_together(parts, stopped))
        await telegram.until(lambda: "does not know" in health.checks()["discord"].detail)
        telegram.photo(b"red", "What colour is it?")
        assert await telegram.answers(1) == ["Red."]
        async with httpx.AsyncClient() as client:
            assert (await client.get(f"http://127.0.0.1:{port}/healthz")).status_code == 200
        checks = health.checks()
        assert {name: checks[name].ok for name in ("telegram", "discord", "web")} == {
            "telegram": True, "discord": False, "web": True,
        }  # fmt: skip
        assert not task.done()
        stopped.set()
        async with asyncio.timeout(20):
            await task
    said = [each.getMessage() for each in caplog.records if each.name == "bot.platforms"]
    assert len(said) == 1
    assert said[0].startswith("Discord does not know this token; copy GLIMPSE_DISCORD_TOKEN")


@pytest.mark.parametrize("stays", [False, True])
async def test_if_all_are_refused_it_ends_or_waits_to_be_stopped(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, stays: bool
) -> None:
    stopped, health = asyncio.Event(), Health()
    async with FakeTelegram().running() as telegram, FakeDiscord().running(monkeypatch):
        settings = Settings(
            telegram_token="1:wrong", telegram_base_url=telegram.url, discord_token="wrong",
            log="off",
        )  # fmt: skip
        parts = list(all_parts(settings, Assistant(StandIn()), health, web=False))
        task = asyncio.ensure_future(run_together(parts, stopped, stays=stays))
        async with asyncio.timeout(20):
            if stays:
                await telegram.until(lambda: len(refused(health)) == 2)
                asked = len(telegram.calls)
                await telegram.settle(0.1)
                assert (task.done(), len(telegram.calls)) == (False, asked)
                stopped.set()
                await task
            else:
                with pytest.raises(PlatformError, match="does not know this token"):
                    await task
    said = [each for each in caplog.records if each.name == "bot.platforms"]
    assert len(said) == (2 if stays else 1)  # the other one is the process's last sentence
    assert len(refused(health)) == 2


def refused(health: Health) -> list[str]:
    return [name for name, check in health.checks().items() if "does not know" in check.detail]


@pytest.mark.parametrize("error", [PlatformError("No."), ZeroDivisionError()])
async def test_one_part_that_fails_stops_no_other(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    stopped, goes_on = asyncio.Event(), []

    async def waits(stopped: asyncio.Event) -> None:
        goes_on.append(not stopped.is_set())
        await stopped.wait()

    async def fails(_stopped: asyncio.Event) -> None:
        raise error

    task = asyncio.ensure_future(run_together([fails, waits], stopped))
    while not caplog.records:
        await asyncio.sleep(0.005)
    await asyncio.sleep(0.02)
    assert (task.done(), goes_on) == (False, [True])
    stopped.set()
    await task
    assert len(caplog.records) == 1


async def test_what_nobody_foresaw_of_the_last_part_ends_everything() -> None:
    ended = []

    async def waits(stopped: asyncio.Event) -> None:
        await stopped.wait()
        ended.append(True)

    async def fails(_stopped: asyncio.Event) -> None:
        raise ZeroDivisionError

    async def is_refused(_stopped: asyncio.Event) -> None:
        raise PlatformError("No.")

    with pytest.raises(ZeroDivisionError):
        await run_together([is_refused, fails], asyncio.Event(), beside=[waits], stays=True)
    assert ended == [True]


async def test_cancelling_ends_every_part() -> None:
    ended = []

    async def part(stopped: asyncio.Event) -> None:
        try:
            await stopped.wait()
        finally:
            ended.append(stopped.is_set())

    task = asyncio.ensure_future(run_together([part, part], asyncio.Event()))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == [False, False]


def test_without_anything_to_serve_it_says_what_to_set(cli: CliRunner) -> None:
    outcome = cli.run("run", "--no-web")
    assert outcome.status == 2
    assert "set GLIMPSE_TELEGRAM_TOKEN" in outcome.err


async def test_check_tells_which_bots_the_tokens_are_of(monkeypatch: pytest.MonkeyPatch) -> None:
    async with FakeTelegram().running() as telegram, FakeDiscord().running(monkeypatch):
        settings = Settings(
            telegram_token=TELEGRAM_TOKEN, telegram_base_url=telegram.url,
            discord_token=DISCORD_TOKEN, log="off",
        )  # fmt: skip
        found = await asyncio.to_thread(_telegram, settings)
        assert found == ("ok", "@glimpse_bot, to be found at https://t.me/glimpse_bot", "")
        state, detail, _ = await asyncio.to_thread(_discord, settings)
        assert state == "ok"
        assert detail.startswith("glimpse, to be invited at https://discord.com/")
        assert "client_id=100" in detail
        assert "scope=bot+applications.commands" in detail
        wrong = replace(settings, telegram_token="1:wrong", discord_token="wrong")
        with pytest.raises(PlatformError, match="Telegram does not know this token"):
            await asyncio.to_thread(_telegram, wrong)
        with pytest.raises(PlatformError, match="Discord does not know this token"):
            await asyncio.to_thread(_discord, wrong)
    with pytest.raises(PlatformError, match="cannot be reached"):
        await asyncio.to_thread(_telegram, settings)


async def test_what_is_too_old_goes_though_nobody_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.platforms.PURGE_SECONDS", 0.01)
    clock, stopped = Clock(), asyncio.Event()
    conversations = Conversations(clock=clock)
    assistant = Assistant(StandIn(), open_picture=open_photo, conversations=conversations)
    await assistant.handle(Incoming("telegram", "1", "1", pictures=(photo("red"),)))
    task = asyncio.ensure_future(run_together([lambda e: purge_until(assistant.purge, e)], stopped))
    await asyncio.sleep(0.05)
    assert len(conversations) == 1
    clock.advance(3601)
    async with asyncio.timeout(5):
        while len(conversations):
            await asyncio.sleep(0.01)
    stopped.set()
    await task
