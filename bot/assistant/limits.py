"""How often one person may ask: token buckets for a minute and a day."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

MINUTE = 60.0
DAY = 86_400.0


@dataclass(frozen=True)
class Rate:
    """Messages that one person may have answered; None sets no limit."""

    per_minute: int | None = 5
    per_day: int | None = 50


UNLIMITED = Rate(None, None)


@dataclass(frozen=True)
class LimitSettings:
    """Rates by platform, and how many people's use is kept in mind at once."""

    rates: Mapping[str, Rate] = field(
        default_factory=lambda: {"web": UNLIMITED, "cli": UNLIMITED}  # others: `default`
    )
    default: Rate = Rate()
    people: int = 10_000


@dataclass(frozen=True)
class Wait:
    """Why a message has to wait.

    Attributes:
        seconds: Until one more will be answered.
        daily: It is the day's allowance that is used up.
    """

    seconds: float
    daily: bool


class _Bucket:
    """Holds up to `size` tokens and regains all of them in `span` seconds, evenly."""

    def __init__(self, size: int, span: float, now: float) -> None:
        self.size = size
        self._per_second = size / span
        self._tokens = float(size)
        self._at = now

    def level(self, now: float) -> float:
        self._tokens = min(self.size, self._tokens + max(0.0, now - self._at) * self._per_second)
        self._at = now
        return self._tokens

    def add(self, tokens: float, now: float) -> None:
        self._tokens = self.level(now) + tokens  # `level` cuts off what is too much

    def wait(self, now: float) -> float:
        """Seconds until a token is there, 0.0 if one is."""
        missing = 1.0 - self.level(now)
        if missing <= 1e-9:  # what rounding leaves
            return 0.0
        return missing / self._per_second if self._per_second else DAY


class Limits:
    """Counts what each person asks; use from one thread (the event loop's)."""

    def __init__(
        self, settings: LimitSettings | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._settings = settings or LimitSettings()
        self._clock = clock
        self._people: OrderedDict[tuple[str, str], tuple[_Bucket, ...]] = OrderedDict()

    def __len__(self) -> int:
        """Number of people whose use is kept in mind."""
        return len(self._people)

    def take(self, platform: str, user: str) -> Wait | None:
        """Count one message; None means go ahead, else nothing was counted."""
        now = self._clock()
        buckets = self._buckets(platform, user, now)
        waits = [(bucket.wait(now), place == 1) for place, bucket in enumerate(buckets)]
        seconds, daily = max(waits, default=(0.0, False))
        if seconds > 0:
            return Wait(seconds, daily)
        for bucket in buckets:
            bucket.add(-1.0, now)
        return None

    def give_back(self, platform: str, user: str) -> None:
        """Uncount a message that was not answered through no fault of the person."""
        now = self._clock()
        for bucket in self._people.get((platform, user), ()):
            bucket.add(1.0, now)

    def _buckets(self, platform: str, user: str, now: float) -> tuple[_Bucket, ...]:
        rate = self._settings.rates.get(platform, self._settings.default)
        if rate == UNLIMITED:
            return ()
        buckets = self._people.pop((platform, user), None) or (
            _Bucket(_size(rate.per_minute), MINUTE, now),
            _Bucket(_size(rate.per_day), DAY, now),
        )
        self._people[platform, user] = buckets
        self._forget_idle(now)
        return buckets

    def _forget_idle(self, now: float) -> None:
        """Drop whoever has regained everything, longest unseen first, and never keep too many."""
        while len(self._people) > 1:
            person, buckets = next(iter(self._people.items()))
            idle = all(bucket.level(now) >= bucket.size for bucket in buckets)
            if not idle and len(self._people) <= self._settings.people:
                return
            del self._people[person]


def _size(allowed: int | None) -> int:
    return 1_000_000_000 if allowed is None else allowed
