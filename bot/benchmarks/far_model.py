"""How many chats one bot process carries while the model is elsewhere, and what it adds to a wait.

The bot is `glimpse telegram` in a process of its own, on one core where there are several.
Telegram, the people and the model's server are in this process. Photos are decoded and sent on as
they always are; the model does nothing but think for a fixed time.
"""

from __future__ import annotations

import asyncio
import io
import itertools
import math
import os
import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
from PIL import Image

from bot.benchmarks.chat_latency import distinct_photos
from bot.benchmarks.fake_telegram import TOKEN, FakeTelegram
from bot.benchmarks.process import BotProcess
from bot.benchmarks.thinking_server import ThinkingServer

PHOTOS = 24  # different ones
QUESTIONS = 3  # about each photo, after the one with it
PATIENCE = 30.0  # seconds for the last answers
GREETINGS = 100.0  # small photos a second, by which everybody has one before it is measured
FIRST = 1000  # number of a person
KEPT_FILES = 6000  # at Telegram
# Telegram lets a bot say 30 messages a second; the library keeps to that by default.
_START = """
import inspect, sys
from telegram.ext import AIORateLimiter
wrapped = AIORateLimiter.__init__
wrapped.__defaults__ = (float(sys.argv[1]), *wrapped.__defaults__[1:])
from bot.cli import main
main(["telegram", "--profile", sys.argv[2]])
"""
_PROFILE = """
kind = "openai"
[server]
url = "{url}"
model = "thinking"
parallel = {parallel}
queue = 4096
"""


@dataclass(frozen=True)
class FarModelPlan:
    """What people do.

    Attributes:
        samples: Photos to take parts of.
        people: How many.
        rate: Messages a second, of all together.
        seconds: For how long.
        thinking: Seconds that the model takes for each.
    """

    samples: Sequence[Path]
    people: int = 2000
    rate: float = 100.0
    seconds: float = 60.0
    thinking: float = 2.0

    @property
    def parallel(self) -> int:
        """Questions that the model answers at once, with some to spare."""
        return min(1024, math.ceil(1.5 * self.rate * self.thinking) + 8)


@dataclass
class FarModelLoad:
    """What was measured.

    Attributes:
        sent: Messages.
        lost: Messages without an answer.
        own: Seconds of each answer that were the bot's, Telegram's stand-in included: all but the
            model's.
        before: Of those, until the model had the question.
        busy: Cores that the bot's own process kept busy.
        decoding: Likewise the processes that decode pictures.
        memory: Bytes that all of them held in the end.
    """

    sent: int = 0
    lost: int = 0
    own: list[float] = field(default_factory=list)
    before: list[float] = field(default_factory=list)
    busy: float = 0.0
    decoding: float = 0.0
    memory: int = 0


class _People:
    """They write at random times, whether they were answered or not."""

    def __init__(self, plan: FarModelPlan, telegram: FakeTelegram) -> None:
        self._plan, self._telegram = plan, telegram
        photos = distinct_photos(plan.samples, PHOTOS)
        self._photos, self._small = itertools.cycle(photos), _small(photos[0])
        self.written: dict[int, float] = {}  # when, by case
        self.answered: dict[int, float] = {}
        self._cases: dict[tuple[int, int], int] = {}  # by chat and message
        telegram.on_call = self._on_call

    async def greet(self) -> None:
        """Everybody sends a small photo, once."""
        for person in range(self._plan.people):
            self._sent(-1 - person, self._telegram.photo(self._small, user=FIRST + person))
            await asyncio.sleep(1 / GREETINGS)
        await self.answers()

    async def write(self) -> None:
        """Everybody in turn, one message of four with a photo, at random times.

        Questions are asked with /ask, for the bot waits a moment for the photo that words may be
        about.
        """
        rng, start = random.Random(0), time.perf_counter()
        at, people = 0.0, self._plan.people
        for case in range(round(self._plan.rate * self._plan.seconds)):
            at += rng.expovariate(self._plan.rate)
            await asyncio.sleep(start + at - time.perf_counter())
            words, user = f"What is behind the bench, case {case}?", FIRST + case % people
            self.written[case] = time.perf_counter()
            if (case + case // people) % (1 + QUESTIONS):
                self._sent(case, self._telegram.message(f"/ask {words}", user=user))
            else:
                self._sent(case, self._telegram.photo(next(self._photos), words, user=user))

    def _sent(self, case: int, message: Any) -> None:
        self._cases[message["chat"]["id"], message["message_id"]] = case
        for name in list(self._telegram.files)[:-KEPT_FILES]:
            del self._telegram.files[name]

    def _on_call(self, method: str, sent: Any, _result: Any) -> None:
        del self._telegram.calls[:-100]
        if method in {"sendMessage", "editMessageText"}:
            asked = sent.get("reply_parameters", {}).get("message_id")
            case = self._cases.pop((sent["chat_id"], asked), None)
            if case is not None:
                self.answered[case] = time.perf_counter()

    async def answers(self) -> None:
        """Wait for the last of them."""
        end = time.perf_counter() + self._plan.thinking + PATIENCE
        while self._cases and time.perf_counter() < end:
            await asyncio.sleep(0.1)


async def measure_far_model(plan: FarModelPlan) -> FarModelLoad:
    """Let people talk with a bot whose model thinks elsewhere.

    Raises:
        bot.benchmarks.process.BotNotStarted: The bot does not start.
    """
    telegram, server = FakeTelegram(), ThinkingServer(plan.thinking)
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="glimpse-bench-")))
        url = await stack.enter_async_context(server.running())
        await stack.enter_async_context(telegram.running())
        people = _People(plan, telegram)
        bot = await stack.enter_async_context(_bot(plan, telegram.url, url, folder))
        await bot.ready()
        await people.greet()
        before, start = _usage(bot.pid), time.perf_counter()
        await people.write()
        took = [now - then for now, then in zip(_usage(bot.pid), before, strict=True)]
        writing = time.perf_counter() - start
        await people.answers()
        found = _judge(people, server)
        found.busy, found.decoding = (each / writing for each in took)
        every = [psutil.Process(bot.pid), *psutil.Process(bot.pid).children(recursive=True)]
        found.memory = sum(each.memory_info().rss for each in every)
        await bot.stop()
    return found


def _small(photo: bytes) -> bytes:
    stored = io.BytesIO()
    with Image.open(io.BytesIO(photo)) as picture:
        picture.resize((64, 48)).save(stored, "JPEG")
    return stored.getvalue()


def _judge(people: _People, server: ThinkingServer) -> FarModelLoad:
    found = FarModelLoad(sent=len(people.written))
    for case, written in people.written.items():
        if case not in people.answered:
            found.lost += 1
        else:
            before = server.came[case] - written
            found.before.append(before)
            found.own.append(before + people.answered[case] - server.left[case])
    return found


def _usage(pid: int) -> tuple[float, float]:
    """Seconds of a processor that a process took, and its children."""
    process = psutil.Process(pid)
    each = [process, *process.children(recursive=True)]
    own, *others = [sum(one.cpu_times()[:2]) for one in each]
    return own, sum(others)


@asynccontextmanager
async def _bot(
    plan: FarModelPlan, telegram: str, server: str, folder: Path
) -> AsyncIterator[BotProcess]:
    """The bot, on the first core; this process keeps to the others."""
    (folder / "far.toml").write_text(_PROFILE.format(url=server, parallel=plan.parallel))
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("GLIMPSE_")},
        "GLIMPSE_TELEGRAM_TOKEN": TOKEN, "GLIMPSE_TELEGRAM_BASE_URL": telegram,
        "GLIMPSE_LOG": str(folder / "log.db"), "XDG_CONFIG_HOME": str(folder),
        "GLIMPSE_PER_MINUTE": "10000", "GLIMPSE_PER_DAY": "1000000",
    }  # fmt: skip
    cores = sorted(os.sched_getaffinity(0))
    arguments = [sys.executable, "-c", _START, str(10 * plan.rate), str(folder / "far.toml")]
    with (folder / "stdout").open("wb") as out, (folder / "stderr").open("wb") as err:
        process = await asyncio.create_subprocess_exec(
            *arguments, env=environment, stdin=asyncio.subprocess.DEVNULL, stdout=out, stderr=err
        )
    try:
        if len(cores) > 1:
            os.sched_setaffinity(process.pid, cores[:1])  # its children's, too
            os.sched_setaffinity(0, cores[1:])
        yield BotProcess(process, "", "", folder, ("is on Telegram",))
    finally:
        os.sched_setaffinity(0, cores)
        if process.returncode is None:
            process.kill()
            await process.wait()
