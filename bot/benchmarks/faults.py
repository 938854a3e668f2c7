"""What goes wrong with the platforms in an hour: answers refused, connections lost, files gone.

Left out is what a bot cannot get right: whether Telegram took an answer before the connection broke
cannot be seen from outside. Glimpse does not send it again, so that nobody is answered twice; one
that was not taken then gives none. Answers to Discord's commands and buttons are sent again if the
connection was closed, and not if it was reset; for messages, Discord tells.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from bot.benchmarks.clients import WebClient
from bot.benchmarks.fake_discord import DROP, TAKE_AND_DROP, FakeDiscord
from bot.benchmarks.fake_telegram import RESET, TAKEN, FakeTelegram, Json
from bot.benchmarks.ledger import Ledger
from bot.benchmarks.photos import Photos
from bot.platforms import ATTEMPTS

A_MINUTE = 6.0
SLOW_FILE = 8.0  # seconds
WAIT = 3  # seconds that Telegram's 429 asks for
DEAF = 75.0  # seconds without an acknowledged heartbeat
_ERROR: Json = {"description": "Internal Server Error"}
_PAGE: Json = {"html": "<html><head><title>502 Bad Gateway</title></head></html>"}
_CONFLICT: Json = {"description": "Conflict: terminated by other getUpdates request"}


@dataclass(frozen=True)
class Fault:
    """Something that can go wrong.

    Attributes:
        platform: Where.
        name: For a report.
        begin: Makes it happen.
        seconds: How long it may disturb.
        excuse: It may cost a message its answer, which then gets an apology.
    """

    platform: str
    name: str
    begin: Callable[[], Coroutine[Any, Any, None]]
    seconds: float = 15.0
    excuse: bool = False


class Faults:
    """Lets things go wrong, each kind as often as any other.

    Args:
        kinds: All that can.
        ledger: Told of what is out of order.
        rng: Chooses.

    Attributes:
        happened: How often which kind did.
    """

    def __init__(self, kinds: Sequence[Fault], ledger: Ledger, rng: random.Random) -> None:
        self._kinds, self._ledger, self._rng = kinds, ledger, rng
        self.happened: Counter[str] = Counter()

    async def go_on(self, a_minute: float = A_MINUTE) -> None:
        """Go wrong so often, until this is cancelled."""
        deck: list[Fault] = []
        while True:
            await asyncio.sleep(60 / a_minute * self._rng.uniform(0.5, 1.5))
            deck = deck or self._rng.sample(self._kinds, len(self._kinds))
            await self.let_happen(deck.pop())

    async def let_happen(self, fault: Fault) -> None:
        """Go wrong once."""
        self._ledger.outage(fault.platform, fault.seconds, excuse=fault.excuse)
        self.happened[f"{fault.platform}: {fault.name}"] += 1
        await fault.begin()


def of_telegram(api: FakeTelegram) -> list[Fault]:
    """What goes wrong with the Bot API and its files."""

    def fault(
        name: str, method: str, status: int, body: Json | None = None, *, late: float = 0.0,
        times: int = 1, seconds: float = 15.0, excuse: bool = False,
    ) -> Fault:  # fmt: skip
        async def begin() -> None:
            api.faults[method] += [(status, body or {}, late)] * times

        return Fault("telegram", name, begin, seconds + late, excuse)

    wait = {"description": "Too Many Requests", "parameters": {"retry_after": WAIT}}
    return [
        fault("429 on an answer", "sendMessage", 429, wait),
        fault("500 on an answer", "sendMessage", 500, _ERROR),
        fault("502, a page, on an answer", "sendMessage", 502, _PAGE),
        fault("connection closed on an answer that was taken", "sendMessage", TAKEN),
        fault("500 on updates", "getUpdates", 500, _ERROR, seconds=30),
        fault("reset on updates", "getUpdates", RESET, seconds=30),
        fault("another program's updates", "getUpdates", 409, _CONFLICT, seconds=30),
        fault("500 on typing", "sendChatAction", 500, _ERROR),
        fault("500 on a file's address", "getFile", 500, _ERROR),
        fault("500 on a file", "file", 500, excuse=True),
        fault("reset on a file", "file", RESET, excuse=True),
        fault("404 on a file", "file", 404, excuse=True),
        fault("slow files", "file", 200, late=SLOW_FILE, times=3),
    ]


def of_discord(api: FakeDiscord) -> list[Fault]:
    """What goes wrong with the API, the gateway and the files."""

    def answers(name: str, *statuses: int) -> Fault:
        async def begin() -> None:
            api.troubles += statuses

        return Fault("discord", name, begin)

    def files(name: str, *troubles: tuple[int, float], excuse: bool = False) -> Fault:
        async def begin() -> None:
            api.file_troubles += troubles

        return Fault("discord", name, begin, 15 + troubles[0][1], excuse)

    def gateway(name: str, begin: Callable[[], Coroutine[Any, Any, None]]) -> Fault:
        return Fault("discord", name, begin, 30)

    async def stay_deaf() -> None:
        api.deaf = True
        asyncio.get_running_loop().call_later(DEAF, setattr, api, "deaf", False)

    return [
        answers("429 on an answer", 429),
        answers("500 on an answer", 500),
        answers("502 twice on an answer", 502, 502),
        answers("connection closed on an answer", DROP),
        answers("connection closed on an answer that was taken", TAKE_AND_DROP),
        files("500 on a file", (500, 0.0), excuse=True),
        files("404 on a file", *[(404, 0.0)] * ATTEMPTS, excuse=True),
        files("slow files", *[(200, SLOW_FILE)] * 3),
        gateway("closed with 1001", lambda: api.close(1001)),
        gateway("closed with 4000", lambda: api.close(4000)),
        gateway("asked to reconnect", api.ask_to_reconnect),
        gateway("session invalid", api.invalidate),
        Fault("discord", "no heartbeats acknowledged", stay_deaf, DEAF + 15),
    ]


def of_page(people: Sequence[WebClient], photos: Photos, rng: random.Random) -> list[Fault]:
    """What goes wrong between a browser and the page."""

    async def cut_off() -> None:
        photo = await asyncio.to_thread(photos.good, "bmp")
        await rng.choice(people).cut_off(photo)

    async def slow_down() -> None:
        rng.choice(people).slow = True

    return [
        Fault("page", "upload cut off", cut_off),
        Fault("page", "slow upload", slow_down, 20),
    ]
