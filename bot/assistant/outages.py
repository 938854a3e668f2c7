"""When to tell people that another model answers than usual: at first, not with each answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from cachetools import LRUCache

from bot.assistant.types import Conversation, Exchange

PEOPLE = 5000  # who are kept in mind
AGAIN_SECONDS = 1800.0  # after which it is news again


class OutageNotices:
    """Knows who was told of an outage.

    The answers of another model may be worse, and whoever gets one has to know; but who asks on
    knows it already. An answer of the usual model ends what was told.

    Args:
        clock: Monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._told: LRUCache[Conversation, float] = LRUCache(PEOPLE)
        self._clock = clock

    def due(self, who: Conversation, answers: Iterable[object]) -> bool:
        """Whether a person has to be told with these answers, who then counts as told."""
        named = [each for each in answers if isinstance(each, Exchange) and each.profile]
        if not any(each.instead for each in named):
            if named:
                self._told.pop(who, None)
            return False
        now = self._clock()
        if (told := self._told.get(who)) is not None and now - told < AGAIN_SECONDS:
            return False
        self._told[who] = now
        return True
