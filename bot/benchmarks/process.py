"""The bot as an operator starts it: a process of its own, whose platforms are fakes."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from bot.benchmarks import fake_discord, fake_telegram

STARTING = 300.0  # seconds; a busy machine may have to fetch and convert weights
STOPPING = 25.0
# discord.py has no setting for where Discord is.
_START = """
import sys
import bot.discord
import discord.gateway, discord.http, yarl
from bot.cli import main
discord.http.Route.BASE = sys.argv[1] + "/api"
discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(sys.argv[2])
main(["run", *sys.argv[3:]])
"""
_KEPT = {"CACHE", "SHIPPED_CACHE", "WHEELS", "THREADS", "INT8"}
_SAID = ("is on Telegram", "is on Discord", "Glimpse is ready")
_RECORD = re.compile(r"^\S+ \S+ (?P<level>[A-Z]+) (?P<name>[\w.]+): (?P<words>.*)")
# discord.py shows where it was when a connection was broken off.
_USUAL = ("Attempting a reconnect",)
_LONGEST = 1500  # characters of an error that are shown


class CannotStart(RuntimeError):  # noqa: N818
    """The bot ended, or was not ready in time; `str(error)` ends with what it said last."""


@dataclass
class Bot:
    """A running bot.

    Attributes:
        process: The process.
        page: Address of the chat page.
        health: Address of its health.
        folder: Where its log and what it prints are.
    """

    process: asyncio.subprocess.Process
    page: str
    health: str
    folder: Path

    @property
    def pid(self) -> int:
        """Of its first process."""
        return self.process.pid

    @property
    def printed(self) -> str:
        """What it wrote for its operator."""
        return (self.folder / "stderr").read_text(encoding="utf-8", errors="replace")

    async def ready(self, seconds: float = STARTING) -> None:
        """Wait until it answers everywhere.

        Raises:
            CannotStart: It does not.
        """
        end = time.monotonic() + seconds
        async with httpx.AsyncClient(timeout=5, trust_env=False) as client:
            while time.monotonic() < end and self.process.returncode is None:
                if await self._is_ready(client):
                    return
                await asyncio.sleep(0.2)
        raise CannotStart(f"The bot does not start. It said: {self.printed[-2000:]}")

    async def stop(self) -> tuple[int | None, float]:
        """Ask it to stop; returns its exit status (None if it was killed), and the seconds."""
        start = time.monotonic()
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            status = await asyncio.wait_for(self.process.wait(), STOPPING)
        except TimeoutError:
            self.process.kill()
            await self.process.wait()
            status = None
        return status, time.monotonic() - start

    async def _is_ready(self, client: httpx.AsyncClient) -> bool:
        try:
            return (await client.get(f"{self.health}/readyz")).status_code == 200
        except httpx.HTTPError:  # it may have none
            printed = (self.folder / "stdout").read_text(encoding="utf-8")
            return all(line in printed for line in _SAID)


@asynccontextmanager
async def running(
    telegram: fake_telegram.FakeTelegram,
    discord: fake_discord.FakeDiscord,
    folder: Path,
    profile: str | None = None,
) -> AsyncIterator[Bot]:
    """Start `glimpse run`, and end it in any case.

    Args:
        telegram: Serving already.
        discord: Likewise.
        folder: For all that it writes.
        profile: Which model; the settings' one if None.
    """
    page, health = _free_port(), _free_port()
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("GLIMPSE_") or name.removeprefix("GLIMPSE_") in _KEPT
    }
    environment = {
        **kept,
        "XDG_CONFIG_HOME": str(folder / "config"), "XDG_STATE_HOME": str(folder / "state"),
        "GLIMPSE_TELEGRAM_TOKEN": fake_telegram.TOKEN, "GLIMPSE_TELEGRAM_BASE_URL": telegram.url,
        "GLIMPSE_DISCORD_TOKEN": fake_discord.TOKEN, "GLIMPSE_LOG": str(folder / "log.db"),
        "GLIMPSE_PORT": str(page), "GLIMPSE_HEALTH_PORT": str(health),
        "GLIMPSE_PER_MINUTE": "10000", "GLIMPSE_PER_DAY": "1000000",
    }  # fmt: skip
    chosen = ["--profile", profile] if profile else []
    with (folder / "stdout").open("wb") as out, (folder / "stderr").open("wb") as err:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", _START, discord.url, discord.gateway, *chosen,
            env=environment, stdin=asyncio.subprocess.DEVNULL, stdout=out, stderr=err,
        )  # fmt: skip
    try:
        here = "http://127.0.0.1"
        yield Bot(process, f"{here}:{page}", f"{here}:{health}", folder)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def records(printed: str) -> tuple[Counter[str], list[str]]:
    """What a bot printed, by level and logger with the first words; and errors that nobody
    expected, with where they came from.
    """
    counted: Counter[str] = Counter()
    errors = []
    for record in re.split(r"^(?=\d{4}-)", printed, flags=re.MULTILINE):
        if not (found := _RECORD.match(record)):
            continue
        words = re.sub(r"[0-9]+", "#", found["words"])
        counted[f"{found['level']} {found['name']}: {words[:72]}"] += 1
        if "\nTraceback" in record and not words.startswith(_USUAL):
            errors.append(record.strip()[-_LONGEST:])
    return counted, errors


def _free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port: int = held.getsockname()[1]
        return port
