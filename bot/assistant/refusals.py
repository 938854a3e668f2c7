"""Saying the same thing again and again helps nobody, and a flood of it hurts."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Hashable

from bot.assistant.recent import Recent

TIMES, SECONDS = 2, 10.0  # how often the same is said within how many seconds


class Refusals:
    """Counts what each person was told lately.

    Args:
        clock: Monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._told: Recent[Hashable, dict[str, tuple[int, float]]] = Recent()

    def repeats(self, whose: Hashable, text: str) -> bool:
        """Whether somebody was told this as often as is useful; if not, they are told now."""
        now = self._clock()
        told = self._told.get(whose, {})
        told = {words: (n, at) for words, (n, at) in told.items() if now - at < SECONDS}
        words = re.sub(r"\d+", "", text)  # the time to wait grows shorter
        count, at = told.get(words, (0, now))
        told[words] = (count + 1, at)
        self._told[whose] = told
        return count >= TIMES

    def clear(self, whose: Hashable) -> None:
        """Somebody got an answer, so that they may be told everything anew."""
        self._told.pop(whose, None)
