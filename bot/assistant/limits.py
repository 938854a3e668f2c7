"""Who may use the bot, how often one person may ask, and how often the same is said."""

from __future__ import annotations

import re
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field

from cachetools import LRUCache

MINUTE = 60.0
DAY = 86_400.0
REPEATS, REPEAT_SECONDS = 2, 10.0  # how often the same is said within how many seconds
PEOPLE = 5000  # whose last replies are kept in mind


@dataclass(frozen=True)
class Access:
    """Lists of people and chats, each named as "telegram:123" or "discord:456".

    Attributes:
        users: People who may use the bot anywhere.
        chats: Chats and servers in which everybody may use it.
        admins: People who may use it anywhere and as often as they like.
    """

    users: frozenset[str] = frozenset()
    chats: frozenset[str] = frozenset()
    admins: frozenset[str] = frozenset()

    def allows(self, platform: str, user: str, chat: str) -> bool:
        """Whether this person may use the bot in this chat; without lists, everybody may.

        Args:
            platform: "telegram" or "discord"; other platforms are open to all who reach them.
            user: The person's id there.
            chat: The chat's id; of a topic or a channel, what comes before the first slash counts.
        """
        listed = {name.partition(":")[0] for name in self.users | self.chats}
        if platform not in listed or self.is_admin(platform, user):
            return True
        where = chat.partition("/")[0]
        return f"{platform}:{user}" in self.users or f"{platform}:{where}" in self.chats

    def is_admin(self, platform: str, user: str) -> bool:
        """Whether this person's questions are not counted."""
        return f"{platform}:{user}" in self.admins


# --- limits ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class RateLimit:
    """Messages that one person may have answered; None sets no limit."""

    per_minute: int | None = 5
    per_day: int | None = 50


UNLIMITED = RateLimit(None, None)


@dataclass(frozen=True)
class LimitSettings:
    """Rates by platform, and how many people's use is kept in mind at once."""

    rates: Mapping[str, RateLimit] = field(
        default_factory=lambda: {"web": UNLIMITED, "cli": UNLIMITED}  # others: `default`
    )
    default: RateLimit = RateLimit()
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
        wait = self.wait(platform, user)
        if wait is None:
            now = self._clock()
            for bucket in self._buckets(platform, user, now):
                bucket.add(-1.0, now)
        return wait

    def wait(self, platform: str, user: str) -> Wait | None:
        """Why a message would have to wait; None means it would not. Nothing is counted."""
        now = self._clock()
        buckets = self._buckets(platform, user, now)
        waits = [(bucket.wait(now), place == 1) for place, bucket in enumerate(buckets)]
        seconds, daily = max(waits, default=(0.0, False))
        return Wait(seconds, daily) if seconds > 0 else None

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


# --- repeats --------------------------------------------------------------------------------------


class RepeatThrottle:
    """Counts what each person was told lately: the same again and again helps nobody.

    Args:
        clock: Monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._told: LRUCache[Hashable, dict[str, tuple[int, float]]] = LRUCache(PEOPLE)

    def repeats(self, whose: Hashable, text: str, most: int = REPEATS) -> bool:
        """Whether somebody was told this as often as is useful; if not, they are told now."""
        now = self._clock()
        told = self._told.get(whose, {})
        told = {words: (n, at) for words, (n, at) in told.items() if now - at < REPEAT_SECONDS}
        words = re.sub(r"\d+", "", text)  # the time to wait grows shorter
        count, at = told.get(words, (0, now))
        told[words] = (count + 1, at)
        self._told[whose] = told
        return count >= most

    def clear(self, whose: Hashable) -> None:
        """Somebody got an answer, so that they may be told everything anew."""
        self._told.pop(whose, None)
