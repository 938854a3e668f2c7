"""A circuit breaker: whoever fails again and again is left alone for a while.

    closed ──failures in a row──► open ──time is over──► half-open ──the trial succeeds──► closed
                                   ▲                        │
                                   └─────the trial fails────┘

The libraries that there are (pybreaker, circuitbreaker, purgatory) wrap a call that returns or
raises; here the outcome of a question comes later, on another thread, or not at all.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum


class BreakerState(Enum):
    """Whether questions are let through."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True)
class BreakerSettings:
    """When a breaker opens, and for how long.

    Attributes:
        failures: In a row, that open it; each is one after the client's own retries.
        shortest: Seconds for which it opens first; each further time in a row takes twice as long.
        longest: Most of them.
    """

    failures: int = 2
    shortest: float = 5.0
    longest: float = 300.0


class CircuitBreaker:
    """Decides who may be asked; threads may share it.

    Args:
        settings: When it opens, and for how long.
        clock: Monotonic seconds.

    Attributes:
        opened: How often it opened after it had been closed.
    """

    def __init__(
        self,
        settings: BreakerSettings = BreakerSettings(),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.opened = 0
        self._settings, self._clock, self._lock = settings, clock, threading.Lock()
        self._state = BreakerState.CLOSED
        self._period = 0  # counts changes of state: outcomes from before the last one are void
        self._failures = 0
        self._seconds = self._open_until = self._closed_at = 0.0
        self._trial = False  # under way

    @property
    def state(self) -> BreakerState:
        """As it was when somebody last asked."""
        return self._state

    @property
    def admits(self) -> bool:
        """Whether a question would be let through now."""
        with self._lock:
            is_open = self._state is BreakerState.OPEN and self._clock() < self._open_until
            return not (is_open or self._trial)

    def admit(self) -> int | None:
        """Let a question through, or not: then None, else a ticket to tell the outcome with.

        Once its time is over, an open breaker becomes half-open, and lets one question through.
        """
        with self._lock:
            if self._state is BreakerState.OPEN and self._clock() >= self._open_until:
                self._change(BreakerState.HALF_OPEN)
                self._trial = False
            if self._state is BreakerState.OPEN or self._trial:
                return None
            self._trial = self._state is BreakerState.HALF_OPEN
            return self._period

    def holds(self, ticket: int) -> bool:
        """Whether the state is the one in which the ticket was given."""
        return ticket == self._period

    def succeeded(self, ticket: int) -> bool:
        """Take in an answer; tells whether that closed the breaker."""
        with self._lock:
            if ticket != self._period:
                return False
            self._failures = 0
            if self._state is BreakerState.CLOSED:
                return False
            self._change(BreakerState.CLOSED)
            self._trial, self._closed_at = False, self._clock()
            return True

    def failed(self, ticket: int) -> bool:
        """Take in a failure; tells whether that opened the breaker, which was closed before."""
        with self._lock:
            if ticket != self._period:
                return False
            self._failures += 1
            was_closed = self._state is BreakerState.CLOSED
            if was_closed and self._failures < self._settings.failures:
                return False
            now = self._clock()
            if was_closed and now - self._closed_at > self._seconds:
                self._seconds = 0.0  # it was well for longer than it had been ill
            self._seconds = min(
                self._settings.longest, max(2 * self._seconds, self._settings.shortest)
            )
            self._open_until = now + self._seconds
            self._change(BreakerState.OPEN)
            self._trial, self._failures = False, 0
            self.opened += was_closed
            return was_closed

    def release(self, ticket: int) -> None:
        """Take in that a question says nothing about who was asked: it was taken back, say."""
        with self._lock:
            if ticket == self._period:
                self._trial = False

    def _change(self, state: BreakerState) -> None:
        self._state = state
        self._period += 1
