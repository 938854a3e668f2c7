"""The bot as an operator starts it, in a process of its own whose platforms are fakes; and what
that process and its children take: memory, open files, threads, and whether that grows.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import statistics
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil  # type: ignore[import-untyped]

from bot.benchmarks import fake_discord, fake_telegram

START_TIMEOUT = 300.0  # seconds; a busy machine may have to fetch and convert weights
STOP_TIMEOUT = 25.0
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
_READY_LINES = ("is on Telegram", "is on Discord", "Glimpse is ready")
_RECORD = re.compile(r"^\S+ \S+ (?P<level>[A-Z]+) (?P<name>[\w.]+): (?P<words>.*)")
# discord.py shows where it was when a connection was broken off.
_USUAL = ("Attempting a reconnect",)
_LONGEST = 1500  # characters of an error that are shown
SHORT = 20 * 60.0  # seconds; in a shorter run caches still fill, so that nothing can be said
MOST_GROWTH = 0.03  # of memory, from one half to the next
# A connection for each person, some for the platforms, and a decoder that is replaced by another:
# what is forgotten once for each message or fault comes to hundreds in an hour.
MORE_FILES = 24
# The threads that are started on demand and then kept: asyncio's on two cores, and one of
# Discord's heartbeats that ends.
MORE_THREADS = 8


class BotNotStarted(RuntimeError):  # noqa: N818
    """The bot ended, or was not ready in time; `str(error)` ends with what it said last."""


@dataclass
class BotProcess:
    """A run_bot bot.

    Attributes:
        process: The process.
        page: Address of the chat page.
        health: Address of its health.
        folder: Where its log and what it prints are.
        ready_lines: What it prints once it answers, if its health is not served.
    """

    process: asyncio.subprocess.Process
    page: str
    health: str
    folder: Path
    ready_lines: tuple[str, ...] = _READY_LINES

    @property
    def pid(self) -> int:
        """Of its first process."""
        return self.process.pid

    @property
    def printed(self) -> str:
        """What it wrote for its operator."""
        return (self.folder / "stderr").read_text(encoding="utf-8", errors="replace")

    async def ready(self, seconds: float = START_TIMEOUT) -> None:
        """Wait until it answers everywhere.

        Raises:
            BotNotStarted: It does not.
        """
        end = time.monotonic() + seconds
        async with httpx.AsyncClient(timeout=5, trust_env=False) as client:
            while time.monotonic() < end and self.process.returncode is None:
                if await self._is_ready(client):
                    return
                await asyncio.sleep(0.2)
        raise BotNotStarted(f"The bot does not start. It said: {self.printed[-2000:]}")

    async def stop(self) -> tuple[int | None, float]:
        """Ask it to stop; returns its exit status (None if it was killed), and the seconds."""
        start = time.monotonic()
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            status = await asyncio.wait_for(self.process.wait(), STOP_TIMEOUT)
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
            return all(line in printed for line in self.ready_lines)


@asynccontextmanager
async def run_bot(
    telegram: fake_telegram.FakeTelegram,
    discord: fake_discord.FakeDiscord,
    folder: Path,
    profile: str | None = None,
) -> AsyncIterator[BotProcess]:
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
        yield BotProcess(process, f"{here}:{page}", f"{here}:{health}", folder)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def read_records(printed: str) -> tuple[Counter[str], list[str]]:
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


# --- what it takes ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Sample:
    """What the processes take together at one moment.

    Attributes:
        at: Monotonic seconds.
        resident: Bytes of resident memory; what processes share counts for each.
        files: Open files and connections.
        threads: Threads.
        processes: Processes.
        own: Bytes of resident memory of the first process, without those that open pictures.
        busy: Seconds of processor time that it has used.
    """

    at: float
    resident: int
    files: int
    threads: int
    processes: int
    own: int = 0
    busy: float = 0.0


@dataclass(frozen=True)
class Verdict:
    """One thing that was judged: whether it is as it should be, None if that cannot be told."""

    name: str
    ok: bool | None
    detail: str


def take_sample(pid: int, clock: Callable[[], float] = time.monotonic) -> Sample | None:
    """What a process and all that it started take now; None if it has ended."""
    try:
        root = psutil.Process(pid)
        processes = [root, *root.children(recursive=True)]
        own, busy = root.memory_info().rss, sum(root.cpu_times()[:2])
    except psutil.NoSuchProcess:
        return None
    resident = files = threads = 0
    for process in processes:
        try:
            with process.oneshot():
                resident += process.memory_info().rss
                files += process.num_fds()
                threads += process.num_threads()
        except (psutil.NoSuchProcess, psutil.AccessDenied):  # it ended just now
            continue
    return Sample(clock(), resident, files, threads, len(processes), own, busy)


async def watch(pid: int, samples: list[Sample], seconds: float = 1.0) -> None:
    """Look every so many seconds, until the process ends or this is cancelled."""
    while sample := take_sample(pid):
        samples.append(sample)
        await asyncio.sleep(seconds)


def judge_growth(
    samples: Sequence[Sample], start: float, end: float, *, short: bool = False
) -> list[Verdict]:
    """Tell whether anything grew, between the end of the warm-up and the end of the run.

    Args:
        samples: In order.
        start: When the caches were warm.
        end: When the run was over, before the bot was stopped.
        short: Caches may still have been filling: memory is not judged.
    """
    kept = [sample for sample in samples if start <= sample.at <= end]
    if len(kept) < 8:
        return [Verdict("resources", None, "too short to tell")]
    middle = (start + end) / 2
    before = statistics.median(each.resident for each in kept if each.at < middle)
    after = statistics.median(each.resident for each in kept if each.at >= middle)
    growth = after / before - 1
    said = (
        f"{before / 1e6:.0f} MB in the first half, {after / 1e6:.0f} MB in the second "
        f"({growth:+.1%}), {max(each.resident for each in kept) / 1e6:.0f} MB at most"
    )
    own = max(each.own for each in kept)
    said += f", of which {own / 1e6:.0f} MB are its first process's at most" if own else ""
    if short:
        said += "; too short to tell"
    memory = Verdict("resident memory", None if short else growth <= MOST_GROWTH, said)
    quarter = len(kept) // 4
    first, last = kept[:quarter], kept[-quarter:]
    load = (kept[-1].busy - kept[0].busy) / (kept[-1].at - kept[0].at)
    return [
        Verdict("processor", True, f"{load:.2f} cores on average"),
        Verdict("processes", True, f"{max(each.processes for each in kept)} at most"),
        memory,
        _growth("open files", [each.files for each in first], [each.files for each in last],
                MORE_FILES),
        _growth("threads", [each.threads for each in first], [each.threads for each in last],
                MORE_THREADS),
    ]  # fmt: skip


def _growth(name: str, first: Sequence[int], last: Sequence[int], tolerance: int) -> Verdict:
    said = (
        f"{max(first)} at most in the first quarter, {max(last)} in the last "
        f"({tolerance} more are allowed)"
    )
    return Verdict(name, max(last) <= max(first) + tolerance, said)
