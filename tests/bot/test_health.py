"""Health over HTTP, of real parts, while they start, run, fail and stop."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from bot_process import Running, bot_process
from cli_runner import CliRunner, free_port
from engine_stand_in import Clock, StandIn, open_photo
from fake_discord import TOKEN as DISCORD_TOKEN
from fake_discord import FakeDiscord
from fake_telegram import TOKEN, FakeTelegram

from bot.assistant.assistant import Assistant
from bot.cli.serve import all_parts
from bot.errors import ServerError
from bot.health import Check, Connection, Health, keep_beating
from bot.health_server import check_port, serve_health
from bot.metrics import Metrics
from bot.platforms import run_together
from bot.settings import Settings
from bot.telegram import bot as telegram
from bot.version import BuildInfo
from bot.web.server import listen

BUILD = BuildInfo("1.2", "abc1234", "def")


def get(port: int, path: str) -> tuple[int, Any]:
    """Status and body of an answer, as JSON where it is; status 0 while nobody listens."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}")
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            status, body, kind = answer.status, answer.read(), answer.headers["content-type"]
    except urllib.error.HTTPError as error:
        with error:
            status, body, kind = error.code, error.read(), error.headers["content-type"]
    except OSError:
        return 0, None
    return status, json.loads(body) if kind == "application/json" else body.decode()


# --- connections -----------------------------------------------------------------------------


def test_a_connection_is_lost_when_nothing_is_heard_for_too_long() -> None:
    clock = Clock()
    connection = Connection(patience=90, clock=clock)
    assert connection.check() == Check(False, "It is not connected yet.")
    connection.connected()
    clock.advance(90)
    assert connection.check().ok
    clock.advance(1)
    assert connection.check() == Check(False, "Nothing was heard from it for 90 seconds.")
    connection.heard()
    assert connection.check().ok
    assert abs(connection.heard_at - time.time()) < 60


def test_a_reconnect_is_counted_once_and_a_first_connection_never() -> None:
    connection = Connection()
    connection.lost("Away.")  # the network was not there yet at the start
    connection.connected()
    connection.connected()
    assert connection.reconnects == 0
    for _ in range(3):
        connection.lost("Away.")
    assert connection.check() == Check(False, "Away.")
    for _ in range(3):
        connection.connected()
    assert connection.reconnects == 1


def test_of_several_shards_one_that_is_lost_is_enough() -> None:
    connection = Connection()
    connection.connected(0)
    assert not connection.check().ok  # the others are missing yet
    for shard in (1, 2):
        connection.connected(shard)
    connection.connected()
    assert connection.check().ok
    connection.lost("Away.", 1)
    connection.connected(2)
    assert connection.check() == Check(False, "Away.")
    connection.connected(1)
    assert connection.check().ok
    assert connection.reconnects == 1


def test_who_is_stopping_is_alive_but_not_ready() -> None:
    health = Health()
    health.loaded()
    health.without_log("Off.", ok=True)
    assert health.ready
    health.stopping()
    assert (health.alive, health.ready) == (True, False)


@pytest.mark.parametrize(
    ("reason", "written", "told"),
    [
        ("", False, "It was not written yet."),
        ("The disk is full; make room.", True, "The disk is full; make room."),
        ("", True, "It can be written."),
    ],
)
def test_a_log_is_well_once_it_was_written(reason: str, written: bool, told: str) -> None:
    health = Health()
    assert health.checks()["log"] == Check(False, "It is not open yet.")
    health.log = SimpleNamespace(reason=reason, written=written)  # type: ignore[assignment]
    assert health.checks()["log"] == Check(written and not reason, told)


async def test_telegram_tells_when_it_is_away_and_back() -> None:
    stopped, api = asyncio.Event(), FakeTelegram()
    connection = Connection(telegram.POLLING_SILENCE)
    async with api.running():
        application = telegram.build(TOKEN, api.url, connection)
        serving_it = telegram.serve(application, Assistant(StandIn()), stopped)
        task = asyncio.ensure_future(serving_it)
        await api.until(lambda: connection.check().ok)
        api.faults["getUpdates"] += [
            (502, {"description": "Bad Gateway"}, 0),
            (409, {"description": "Conflict: terminated by other getUpdates request"}, 0),
        ]
        api.message("/start")
        await api.until(lambda: connection.check().detail.startswith("Telegram cannot be reached"))
        await api.until(lambda: connection.check().detail.startswith("Another program answers"))
        await api.until(lambda: connection.check().ok)
        assert connection.reconnects == 1
        stopped.set()
        await task


async def test_a_webhook_that_is_silent_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telegram, "TOKEN_CHECK_SECONDS", 0.05)
    monkeypatch.setattr(telegram, "TOKEN_RECHECK_SECONDS", 0.05)
    stopped, api, connection = asyncio.Event(), FakeTelegram(), Connection()
    hook = telegram.Webhook("https://b.example/x", "127.0.0.1", free_port(), "secret")
    async with api.running():
        application = telegram.build(TOKEN, api.url, connection)
        serving_it = telegram.serve(application, Assistant(StandIn()), stopped, hook)
        task = asyncio.ensure_future(serving_it)
        await api.until(lambda: connection.check().ok)
        before = connection.heard_at
        await api.until(lambda: connection.heard_at > before)
        api.faults["getMe"] += [(502, {}, 0)] * 50
        await api.until(lambda: not connection.check().ok)
        api.faults["getMe"].clear()
        await api.until(lambda: connection.check().ok)
        assert connection.reconnects == 1
        stopped.set()
        await task


async def test_discord_is_lost_and_back_and_that_counts_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stopped, health = asyncio.Event(), Health()
    async with FakeDiscord().running(monkeypatch) as api:
        settings = Settings(discord_token=DISCORD_TOKEN)
        parts = list(all_parts(settings, Assistant(StandIn()), health, web=False))
        task = asyncio.ensure_future(run_together(parts, stopped))
        await api.until(lambda: health.checks()["discord"].ok)
        connection, heard = health.connections["discord"], time.time()
        await api.close(4000)
        await api.until(lambda: connection.reconnects)
        await api.dm("Hello")
        await api.until(lambda: api.said and connection.heard_at > heard)
        assert connection.check().ok
        assert connection.reconnects == 1
        stopped.set()
        await asyncio.wait_for(task, 20)


# --- the server ------------------------------------------------------------------------------


async def test_it_answers_while_the_event_loop_stands_still(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bot.health.STALL_SECONDS", 0.5)
    monkeypatch.setattr("bot.health.BEAT_SECONDS", 0.01)
    health = Health()
    health.loaded()
    health.without_log("Off.", ok=True)
    with serve_health(health, Metrics(health, BUILD, "starter"), "127.0.0.1", 0) as port:
        beating = asyncio.ensure_future(keep_beating(health))
        await asyncio.sleep(0)
        while get(port, "/healthz")[0] != 503:  # without ever giving way to the loop
            pass
        assert get(port, "/healthz") == (503, {"status": "stuck"})
        status, told = get(port, "/readyz")
        assert (status, told["ready"]) == (503, False)
        assert told["checks"]["model"]["detail"] == "Its event loop stands still."
        await asyncio.sleep(0.02)
        assert await asyncio.to_thread(get, port, "/healthz") == (200, {"status": "ok"})
        beating.cancel()
        await asyncio.gather(beating, return_exceptions=True)
        assert get(port, "/readyz")[0] == 200
    assert get(port, "/healthz") == (0, None)


def test_what_is_no_request_of_ours_does_no_harm() -> None:
    health = Health()
    with serve_health(health, Metrics(health, BUILD, "starter"), "127.0.0.1", 0) as port:
        assert get(port, "/nothing")[0] == 404
        for sent in (
            b"\x16\x03\x01 nonsense\r\n\r\n",
            b"GET /healthz HTTP/1.1\r\nx: " + b"y" * 9000,
        ):
            with socket.create_connection(("127.0.0.1", port)) as rude:
                rude.sendall(sent)
                assert b"400" in rude.recv(100)
        held = [socket.create_connection(("127.0.0.1", port)) for _ in range(100)]
        for each in held:
            with contextlib.suppress(ConnectionError):  # it has made room already
                each.sendall(b"GET /healthz HTTP/1.1\r\nx: ")
        assert get(port, "/healthz")[0] == 200
        for each in held:
            each.close()


def test_a_port_that_is_taken_is_said_before_the_model_is_loaded(cli: CliRunner) -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ServerError, match="set GLIMPSE_HEALTH_PORT"):
            check_port("127.0.0.1", port)
        cli.environment |= {
            "GLIMPSE_HEALTH_PORT": str(port), "GLIMPSE_PORT": str(free_port()),
        }  # fmt: skip
        outcome = cli.run("run")
    assert (outcome.status, cli.loaded) == (1, [])
    assert outcome.err.startswith(f"Health cannot be served on 127.0.0.1, port {port}; set")


def test_nothing_heavy_is_imported_before_health_is_served() -> None:
    program = (
        "import sys, bot.cli, bot.health, bot.metrics, bot.version; "
        "bot.version.build_info('starter'); "
        "print({'torch', 'transformers', 'telegram', 'discord'} & {*sys.modules})"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout == "set()\n", done.stderr


# --- the process -----------------------------------------------------------------------------


async def test_it_is_alive_at_once_and_ready_once_everything_is(
    tmp_path: Path, cli: CliRunner
) -> None:
    port, api, loaded = free_port(), FakeTelegram(), tmp_path / "loaded"
    cli.environment["GLIMPSE_HEALTH_PORT"] = str(port)
    async with (
        api.running(),
        bot_process(
            "run", GLIMPSE_HEALTH_PORT=str(port), GLIMPSE_LOG=str(tmp_path / "log.db"),
            GLIMPSE_LOG_KEY="a key of the hashes", GLIMPSE_PORT=str(free_port()),
            GLIMPSE_TELEGRAM_TOKEN=TOKEN, GLIMPSE_TELEGRAM_BASE_URL=api.url,
            TEST_LOADED=str(loaded),
        ) as bot,
    ):  # fmt: skip
        await answers(bot, port, "/healthz", 200)
        told = await answers(bot, port, "/readyz", 503)
        assert told["checks"]["model"] == {"ok": False, "detail": "It is loading."}
        assert told["checks"]["telegram"] == {"ok": False, "detail": "It is not connected yet."}
        assert (await asyncio.to_thread(cli.run, "health", "--live")).status == 0
        waiting = await asyncio.to_thread(cli.run, "health")
        assert waiting.status == 1
        assert waiting.out.startswith("Glimpse is not ready: model: It is loading.")
        loaded.touch()
        told = await answers(bot, port, "/readyz", 200)
        assert list(told["checks"]) == ["model", "telegram", "web", "log"]
        assert all(check["ok"] for check in told["checks"].values())
        ready = await asyncio.to_thread(cli.run, "health")
        assert (ready.status, ready.out) == (0, "Glimpse is ready.\n")
    assert bot.process.returncode == 0
    gone = await asyncio.to_thread(cli.run, "health")
    assert (gone.status, gone.out) == (1, "")
    assert gone.err.startswith("Nothing answers there")


async def test_a_refused_token_stays_up_not_ready_and_asks_no_more(
    tmp_path: Path, cli: CliRunner
) -> None:
    port = free_port()
    async with (
        FakeTelegram().running() as api,
        bot_process(
            "telegram", GLIMPSE_HEALTH_PORT=str(port), GLIMPSE_LOG="off",
            GLIMPSE_TELEGRAM_TOKEN="1:wrong", GLIMPSE_TELEGRAM_BASE_URL=api.url,
        ) as bot,
    ):  # fmt: skip
        await bot.until(lambda: any("does not know this token" in line for line in bot.err))
        url = f"http://127.0.0.1:{port}"
        outcome = await asyncio.to_thread(cli.run, "health", "--url", url)
        assert outcome.status == 1
        assert outcome.out.startswith(
            "Glimpse is not ready: telegram: Telegram does not know this token; copy "
        )
        assert get(port, "/healthz")[0] == 200
    assert bot.process.returncode == 0
    assert sum("does not know this token" in line for line in bot.err) == 1


async def answers(bot: Running, port: int, path: str, status: int) -> Any:
    """Wait until an address answers with a status, and return what it tells."""
    while True:
        found, told = await asyncio.to_thread(get, port, path)
        if found == status:
            return told
        await bot.until(lambda: True)
        await asyncio.sleep(0.02)


def test_asking_without_a_health_server_is_bad_usage(cli: CliRunner) -> None:
    outcome = cli.run("health")
    assert outcome.status == 2
    assert "set GLIMPSE_HEALTH_PORT" in outcome.err
    assert cli.run("health", "--url", "ftp://x").status == 2


async def test_what_is_not_glimpse_is_not_ready(cli: CliRunner) -> None:
    async with FakeTelegram().running() as api:
        outcome = await asyncio.to_thread(cli.run, "health", "--url", api.url)
    assert (outcome.status, outcome.out) == (1, "")
    assert outcome.err == "What answers there is not Glimpse; look after the address.\n"


async def test_the_page_tells_that_it_listens() -> None:
    stopped, health = asyncio.Event(), Health()
    settings = Settings(port=free_port())
    parts = list(
        all_parts(settings, Assistant(StandIn(), open_picture=open_photo), health, web=True)
    )
    assert not health.checks()["web"].ok
    task = asyncio.ensure_future(run_together(parts, stopped))
    async with asyncio.timeout(10):
        while not health.checks()["web"].ok:
            await asyncio.sleep(0.01)
    stopped.set()
    await task
    assert health.checks()["web"] == Check(False, "It has ended.")
