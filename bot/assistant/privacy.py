"""What is kept of a person, and what they may choose: recorder, /settings, /privacy, /forget."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import logging
import secrets
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import TypeVar

from bot.assistant.intents import UNANSWERABLE
from bot.assistant.locale import Languages, speaks
from bot.assistant.profiles import Profiles
from bot.assistant.replies import LOG_OFF, LOG_ON, PROFILE, SHARE_OFF, SHARE_ON, ReplyWriter
from bot.assistant.text import anonymous
from bot.assistant.types import Conversation, Incoming, Intent, Kind, Rating, Reply
from bot.errors import LogError
from bot.log import Consent, Erased, Log, Record
from bot.log.spending import Spending
from bot.log.store import storable
from model.requests import Usage

LOG_TIMEOUT = 3.0  # seconds that somebody waits until the log has done what they want
# Of these the words are kept: they tell what people want that cannot be answered.
_WANTED = frozenset(
    {*(kind.value for kind in UNANSWERABLE), "crashed", "unavailable", "busy", "closing"}
)
# These are no exchanges; and after erasing everything, that they wanted this is not kept.
_UNKEPT = frozenset(
    {"forgotten", "settings", "rated", "corrected", "privacy", "not_allowed", "too_many", "refused"}
)

_log = logging.getLogger(__name__)
T = TypeVar("T")


class PictureKeeping(Enum):
    """Whether a person's pictures are kept in the log."""

    NEVER = "nobody's are"
    ALLOWED = "only of who allows it, which this person did not"
    KEPT = "this person allowed it"


class Recorder:
    """Keeps exchanges in a log; without one it only tells the operator's log about ratings.

    Args:
        log: Where exchanges are kept.
    """

    def __init__(self, log: Log | None = None) -> None:
        self._log = log
        self._secret = secrets.token_bytes(32)
        self._spending = Spending()  # where there is no log

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
        words = storable(anonymous(incoming.words)) if wanted else ""
        self._log.record(
            Record(
                incoming.platform, incoming.chat, incoming.user, incoming.language,
                words, number, reply.outcome, reply.reference,
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

    async def consent(self, platform: str, user: str) -> Consent | None:
        """What is kept of a person; None if nothing is of anybody.

        Raises:
            LogError: That cannot be told now.
        """
        if self._log is None:
            return None
        return await _waited(self._log.consent(platform, user))

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

    async def knows(self, platform: str, user: str) -> bool:
        """Whether anything is kept of a person.

        Raises:
            LogError: That cannot be told now.
        """
        return self._log is not None and await _waited(self._log.knows(platform, user))

    def secret(self, purpose: str) -> bytes:
        """A secret that lasts as long as what is kept of people: without a log, until the end."""
        if self._log:
            return self._log.secret(purpose)
        return hmac.digest(self._secret, purpose.encode(), "sha256")

    def picture_keeping(self, platform: str, user: str) -> PictureKeeping:
        """Whether a person's pictures are kept, as far as is known at once."""
        if self.shares(platform, user):
            return PictureKeeping.KEPT
        return PictureKeeping.ALLOWED if self.offers_sharing else PictureKeeping.NEVER

    def shares(self, platform: str, user: str) -> bool:
        """Whether a person allows that their pictures are kept, as far as is known at once."""
        return self._log is not None and self._log.shares(platform, user)

    def language(self, platform: str, user: str) -> str:
        """The language that a person chose, as far as that is kept; else ""."""
        return self._log.language(platform, user) if self._log else ""

    def choose_language(self, platform: str, user: str, language: str) -> None:
        """Keep the language that a person chose; "" for that of their device."""
        if self._log:
            self._log.set_language(platform, user, language)

    def profile(self, platform: str, user: str) -> str:
        """The model that a person chose, as far as that is kept; else ""."""
        return self._log.profile(platform, user) if self._log else ""

    def choose_profile(self, platform: str, user: str, profile: str) -> None:
        """Keep which model a person chose; "" for the usual one."""
        if self._log:
            self._log.set_profile(platform, user, profile)

    def spent(self, platform: str, user: str, profile: str) -> tuple[Usage, Usage]:
        """What a person, and what everybody spent today with a profile."""
        if self._log:
            return self._log.spent(platform, user, profile)
        return self._spending.of(f"{platform}:{user}", profile)

    def spend(self, platform: str, user: str, profile: str, usage: Usage) -> None:
        """Count what an answer cost."""
        if self._log:
            self._log.spend(platform, user, profile, usage)
        else:
            self._spending.add(f"{platform}:{user}", profile, usage)


class PersonalData:
    """Handles /settings, /privacy, /forget and ratings.

    Args:
        recorder: Keeps what was asked and answered.
        languages: Which texts each person gets.
        profiles: Which model answers each person.
        forget_pictures: Forgets the pictures in memory of a person on a platform.
        writer: Speaks to a person on a platform whose device has a language, once they chose one.
    """

    def __init__(
        self,
        recorder: Recorder,
        languages: Languages,
        profiles: Profiles,
        forget_pictures: Callable[[str, str], None],
        writer: Callable[[str, str, str], ReplyWriter],
    ) -> None:
        self._recorder, self._languages, self._profiles = recorder, languages, profiles
        self._forget_pictures, self._writer = forget_pictures, writer

    async def handle(
        self, who: Conversation, device: str, intent: Intent, writer: ReplyWriter
    ) -> Reply | None:
        """The reply to what is about the person; None after a rating, and to all else."""
        if intent.kind is Kind.SETTINGS:
            return await self._set(who, device, intent.rest)
        if intent.kind is Kind.PRIVACY:
            offered = self._recorder.offers_sharing
            return writer.privacy(self._recorder.days, await self._kept(who), offered=offered)
        if intent.kind is Kind.FORGET:
            return await self._forget(who, writer)
        if intent.kind is Kind.RATED:
            self._recorder.rate(Rating(who.platform, who.user, intent.rest, intent.good))
        return None

    async def correct(self, who: Conversation, number: str, correction: str) -> bool:
        """Keep what an answer should have been; returns whether that is kept."""
        if number and await self.takes_corrections(who):
            self._recorder.rate(Rating(who.platform, who.user, number, False, correction))
            return True
        return False

    async def takes_corrections(self, who: Conversation) -> bool:
        """Whether what a person puts right is kept."""
        kept = await self._kept(who)
        return kept is not None and kept.exchanges

    async def _kept(self, who: Conversation) -> Consent | None:
        """What is kept of a person; None if that cannot be told now, or nothing is of anybody."""
        with contextlib.suppress(LogError):
            return await self._recorder.consent(who.platform, who.user)
        # Who shares is known at once, and keeps exchanges; of others nothing is known now.
        shares = self._recorder.shares(who.platform, who.user)
        return Consent(True, True) if shares else None

    async def _forget(self, who: Conversation, writer: ReplyWriter) -> Reply:
        self._forget_pictures(who.platform, who.user)
        self._languages.forget(who.platform, who.user)
        self._profiles.forget(who.platform, who.user)
        try:
            return writer.forgotten(await self._recorder.forget(who.platform, who.user))
        except LogError:
            return writer.forgotten_later()

    async def _set(self, who: Conversation, device: str, choice: str) -> Reply:
        """Change what a person may choose, or tell what is chosen."""
        choice = " ".join(choice.lower().split())
        kind, _, name = choice.partition(" ")
        if kind == PROFILE and (profile := self._profiles.choose(who, name)):
            writer = self._writer(who.platform, who.user, device)
            return replace(writer, sent_to=self._profiles.sent_to(who)).chosen_profile(profile)
        chosen = self._languages.choose(who.platform, who.user, choice)
        try:
            await self._change(who, choice)
            kept = await self._recorder.consent(who.platform, who.user)
        except LogError:  # then it is done as soon as it can be
            kept = Consent(choice != LOG_OFF, self._recorder.shares(who.platform, who.user))
        automatic = self._languages.is_automatic(who.platform, who.user)
        writer = self._writer(who.platform, who.user, device)
        return writer.settings(
            alike=automatic and speaks(device), automatic=automatic, chosen=chosen, kept=kept,
            offered=self._recorder.offers_sharing, profiles=self._profiles.offered(who),
            profile=next(iter(self._profiles.of(who).order), ""),
        )  # fmt: skip

    async def _change(self, who: Conversation, choice: str) -> None:
        if choice in {LOG_ON, LOG_OFF}:
            await self._recorder.set_logged(who.platform, who.user, logged=choice == LOG_ON)
        on = choice == SHARE_ON and self._recorder.offers_sharing
        if on or choice == SHARE_OFF:
            await self._recorder.set_sharing(who.platform, who.user, shares=on)


async def _waited(done: Future[T]) -> T:
    """What the log gives; what it was asked for is done even if nobody waits any longer."""
    waiting = asyncio.wrap_future(done)
    await asyncio.wait({waiting}, timeout=LOG_TIMEOUT)
    if not waiting.done():
        waiting.add_done_callback(lambda late: late.cancelled() or late.exception())
        raise LogError("The log did not answer in time.")
    return waiting.result()
