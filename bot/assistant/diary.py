"""What the assistant does with the log, if there is one: keep, erase, and ask whether it may."""

from __future__ import annotations

import asyncio
import logging
import secrets
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from bot.assistant.intents import UNANSWERABLE
from bot.assistant.types import Incoming, Rating, Reply
from bot.log import Erased, Kept, Log, Record
from bot.errors import LogError
from bot.log.records import kept

PATIENCE = 3.0  # seconds that somebody waits until the log has done what they want
# Of these the words are kept: they tell what people want that cannot be answered.
_WANTED = frozenset(kind.value for kind in UNANSWERABLE) | {"crashed", "busy", "closing"}
# These are no exchanges; and after erasing everything, that this was wished is not kept.
_UNKEPT = frozenset(
    {"forgotten", "settings", "rated", "corrected", "privacy", "not_allowed", "too_many", "refused"}
)

_log = logging.getLogger(__name__)
T = TypeVar("T")


class Diary:
    """Keeps exchanges in a log; without one it only tells the operator's log about ratings.

    Args:
        log: Where exchanges are kept.
    """

    def __init__(self, log: Log | None = None) -> None:
        self._log = log

    @property
    def days(self) -> float | None:
        """How long exchanges are kept; None if they are not."""
        return self._log.days if self._log else None

    @property
    def offers_sharing(self) -> bool:
        """Whether pictures can be kept of who allows it."""
        return self._log is not None and self._log.cipher is not None

    def note(self, incoming: Incoming, reply: Reply, seconds: float) -> None:
        """Keep a message and its reply; never waits, never fails."""
        if self._log is None or reply.outcome in _UNKEPT:
            return
        wanted = reply.outcome.partition(":")[0] in _WANTED
        number = reply.number or secrets.token_hex(8)
        self._log.record(
            Record(
                incoming.platform, incoming.chat, incoming.user, incoming.language,
                kept(incoming.text) if wanted else "", number, reply.outcome, reply.reference,
                reply.exchanges, seconds + incoming.fetching, incoming.fetching,
                datetime.now(UTC) - timedelta(seconds=seconds),
            )
        )  # fmt: skip

    def rate(self, rating: Rating) -> None:
        """Keep what a person thinks of an answer."""
        if self._log:
            self._log.rate(rating)
        else:
            _log.info("Answer %s was rated %s", rating.number, "good" if rating.good else "bad")

    async def forget(self, platform: str, user: str) -> Erased | None:
        """Erase everything of a person; None if there is no log.

        Raises:
            LogError: That cannot be done now.
        """
        if self._log is None:
            return None
        return await _waited(self._log.forget(platform, user))

    async def wished(self, platform: str, user: str) -> Kept | None:
        """What is kept of a person; None if nothing is of anybody.

        Raises:
            LogError: That cannot be told now.
        """
        if self._log is None:
            return None
        return await _waited(self._log.wished(platform, user))

    async def set_logged(self, platform: str, user: str, *, logged: bool) -> None:
        """Keep a person's exchanges from now on, or not.

        Raises:
            LogError: That cannot be noted now.
        """
        if self._log:
            await _waited(self._log.set_logged(platform, user, logged=logged))

    async def set_sharing(self, platform: str, user: str, *, shares: bool) -> None:
        """Keep a person's pictures from now on, or erase them.

        Raises:
            LogError: That cannot be noted now.
        """
        if self._log:
            await _waited(self._log.set_sharing(platform, user, shares=shares))

    def shares(self, platform: str, user: str) -> bool:
        """Whether a person allows that their pictures are kept, as far as is known at once."""
        return self._log is not None and self._log.shares(platform, user)

    def language(self, platform: str, user: str) -> str:
        """The language that a person chose, as far as that is kept; else ""."""
        return self._log.language(platform, user) if self._log else ""

    def choose_language(self, platform: str, user: str, language: str) -> None:
        """Keep the language that a person chose; "" for that of their device."""
        if self._log:
            self._log.choose(platform, user, language)


async def _waited(done: Future[T]) -> T:
    """What the log gives; what it was asked for is done even if nobody waits any longer."""
    waiting = asyncio.wrap_future(done)
    await asyncio.wait({waiting}, timeout=PATIENCE)
    if not waiting.done():
        waiting.add_done_callback(lambda late: late.cancelled() or late.exception())
        raise LogError("The log did not answer in time.")
    return waiting.result()
