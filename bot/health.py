"""Whether the process can answer people: what runs reports here.

`bot.health_server` and the metrics read the state from another thread. Details are sentences of
ours, without the text of an exception, a path or a name.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bot.log.writer import Writer
    from model.breaker import CircuitBreaker

BEAT_SECONDS = 1.0  # seconds
STALL_SECONDS = 30.0  # seconds after which an event loop that does not turn is given up
WHOLE = -1  # the part of a connection that stands for all of it

Clock = Callable[[], float]


@dataclass(frozen=True)
class Check:
    """What was found out about one thing that Glimpse needs.

    Attributes:
        ok: Whether it is as it should be.
        detail: One sentence.
    """

    ok: bool
    detail: str


class Connection:
    """What one platform reports about its connection; each call is cheap, from any thread.

    A connection may have parts, Discord's shards for one: it is up once it was reported as a
    whole, as long as none of its parts is lost.

    Args:
        patience: Seconds without a word after which it counts as lost; by default it never does.
        clock: Monotonic seconds.

    Attributes:
        reconnects: How often it, or a part, came back after it was lost.
        heard_at: When it was last heard from, in seconds since 1970; 0 for never.
    """

    def __init__(self, patience: float = math.inf, clock: Clock = time.monotonic) -> None:
        self.patience, self._clock = patience, clock
        self.reconnects, self.heard_at = 0, 0.0
        self._heard = 0.0
        self._known: set[int] = set()  # parts that were connected at least once
        self._lost: dict[int, str] = {}  # why, by part
        self._refused = ""

    def connected(self, part: int = WHOLE) -> None:
        """It stands, or stands again; what stands already may say so once more."""
        if self._lost.pop(part, None) is not None and part in self._known:
            self.reconnects += 1
        self._known.add(part)
        self.heard()

    def heard(self) -> None:
        """The platform said something."""
        self._heard, self.heard_at = self._clock(), time.time()

    def lost(self, reason: str, part: int = WHOLE) -> None:
        """It does not stand any more; `reason` is a sentence of ours."""
        self._lost[part] = reason

    def refused(self, sentence: str) -> None:
        """It was refused for good; the sentence says why, and what to do."""
        self._refused = sentence

    def check(self) -> Check:
        """Whether it stands, and was heard from lately."""
        reason = next(iter([*self._lost.values()]), "")
        if self._refused or reason:
            return Check(False, self._refused or reason)
        if WHOLE not in self._known:
            return Check(False, "It is not connected yet.")
        if self._clock() - self._heard > self.patience:
            return Check(False, f"Nothing was heard from it for {self.patience:.0f} seconds.")
        return Check(True, "It is connected.")


class Health:
    """The state of the process.

    Args:
        names: Of the platforms that are set up, and "web" for the chat page.
        clock: Monotonic seconds.

    Attributes:
        log: Writes exchanges, once the log is open.
        log_detail: Why there is no log, or "" where there is to be one.
        log_ok: Whether having none is meant so.
        breakers: Of the models on servers, where others can answer for them.
    """

    def __init__(self, names: Iterable[str] = (), clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._model = "It is loading."
        self._beat: float | None = None
        self._connections = {name: Connection(clock=clock) for name in names}
        self.log: Writer | None = None
        self.log_detail, self.log_ok = "", False
        self.breakers: Mapping[str, CircuitBreaker] = {}
        self._usual: tuple[str, ...] = ()  # models that answer for others

    @property
    def connections(self) -> Mapping[str, Connection]:
        """What is known of each platform, by its name; a copy."""
        return dict(self._connections)

    def connection(self, platform: str, patience: float = math.inf) -> Connection:
        """The connection of a platform, begun if there is none yet.

        Args:
            platform: "telegram", say.
            patience: Seconds without a word after which it counts as lost.
        """
        found = self._connections.setdefault(platform, Connection(clock=self._clock))
        found.patience = patience
        return found

    def loaded(self, engine: object = None) -> None:
        """The model can be asked, of whom `engine` may know more than one."""
        self._model = ""
        self.breakers = getattr(engine, "breakers", {})
        self._usual = getattr(engine, "order", ())

    def stopping(self) -> None:
        """What is under way is finished, and nothing new taken."""
        self._model = "It is stopping."

    def without_log(self, detail: str, *, ok: bool = False) -> None:
        """Exchanges are not kept: because that is set so (`ok`), or because they cannot be."""
        self.log_detail, self.log_ok = detail, ok

    def beat(self) -> None:
        """The event loop turns."""
        self._beat = self._clock()

    def rest(self) -> None:
        """There is no event loop any more, or none yet."""
        self._beat = None

    @property
    def alive(self) -> bool:
        """Whether the event loop of the bots turns, if there is one."""
        beat = self._beat
        return beat is None or self._clock() - beat < STALL_SECONDS

    def checks(self) -> dict[str, Check]:
        """What was found out, by name."""
        trouble = self._model if self.alive else "Its event loop stands still."
        model = Check(not trouble, trouble or "It is loaded.")
        platforms = {name: each.check() for name, each in self.connections.items()}
        return {"model": model, **self._check_profiles(), **platforms, "log": self._check_log()}

    @property
    def ready(self) -> bool:
        """Whether everything is as it should be."""
        return all(check.ok for check in self.checks().values())

    def _check_profiles(self) -> dict[str, Check]:
        """Whether each model on a server answers; that is no trouble while another one does."""
        states = {name: each.state.value for name, each in self.breakers.items()}
        well = any(states.get(name, "closed") == "closed" for name in self._usual)
        silent = Check(well, f"It gives no answers; {'others do' if well else 'nobody does'}.")
        return {
            f"profile {name}": Check(True, "It is asked.") if state == "closed" else silent
            for name, state in states.items()
        }

    def _check_log(self) -> Check:
        if self.log_detail:
            return Check(self.log_ok, self.log_detail)
        if self.log is None:
            return Check(False, "It is not open yet.")
        if reason := self.log.reason:
            return Check(False, reason)
        if not self.log.written:
            return Check(False, "It was not written yet.")
        return Check(True, "It can be written.")


async def keep_beating(health: Health) -> None:
    """Tell, until it is cancelled, that this event loop turns."""
    try:
        while True:
            health.beat()
            await asyncio.sleep(BEAT_SECONDS)
    finally:
        health.rest()
