"""What is about the person and not about a picture: what is kept of them, and what they choose."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from bot.assistant.conversations import Conversation
from bot.assistant.diary import Diary
from bot.assistant.intents import Intent, Kind
from bot.assistant.locale.languages import Languages, speaks
from bot.assistant.replies import LOG_OFF, LOG_ON, SHARE_OFF, SHARE_ON, Speaker
from bot.assistant.types import Rating, Reply
from bot.log import Kept
from bot.errors import LogError


class Personal:
    """Handles /settings, /privacy, /forget and ratings.

    Args:
        diary: Keeps what was asked and answered.
        languages: Which texts each person gets.
        forget_pictures: Forgets the pictures in memory of a person on a platform.
        speaker: Speaks to a person on a platform whose device has a language, once they chose one.
    """

    def __init__(
        self,
        diary: Diary,
        languages: Languages,
        forget_pictures: Callable[[str, str], None],
        speaker: Callable[[str, str, str], Speaker],
    ) -> None:
        self._diary, self._languages = diary, languages
        self._forget_pictures, self._speaker = forget_pictures, speaker

    async def handle(
        self, who: Conversation, device: str, intent: Intent, speaker: Speaker
    ) -> Reply | None:
        """The reply to what is about the person; None after a rating, and to all else."""
        if intent.kind is Kind.SETTINGS:
            return await self._set(who, device, intent.rest)
        if intent.kind is Kind.PRIVACY:
            kept = await self._kept(who)
            offered = self._diary.offers_sharing
            return speaker.privacy(self._diary.days, offered=offered, shares=kept.pictures)
        if intent.kind is Kind.FORGET:
            return await self._forget(who, speaker)
        if intent.kind is Kind.RATED:
            self._diary.rate(Rating(who.platform, who.user, intent.rest, intent.good))
        return None

    async def correct(self, who: Conversation, number: str, correction: str) -> bool:
        """Keep what an answer should have been; returns whether that is kept."""
        if number and (await self._kept(who)).exchanges:
            self._diary.rate(Rating(who.platform, who.user, number, False, correction))
            return True
        return False

    async def _kept(self, who: Conversation) -> Kept:
        """What is kept of a person, as far as that can be told now."""
        with contextlib.suppress(LogError):
            return await self._diary.wished(who.platform, who.user) or Kept(False, False)
        return Kept(False, self._diary.shares(who.platform, who.user))

    async def _forget(self, who: Conversation, speaker: Speaker) -> Reply:
        self._forget_pictures(who.platform, who.user)
        self._languages.forget(who.platform, who.user)
        try:
            return speaker.forgotten(await self._diary.forget(who.platform, who.user))
        except LogError:
            return speaker.forgotten_later()

    async def _set(self, who: Conversation, device: str, wish: str) -> Reply:
        """Change what a person may choose, or tell what is chosen."""
        wish = " ".join(wish.lower().split())
        chosen = self._languages.choose(who.platform, who.user, wish)
        try:
            await self._change(who, wish)
            kept = await self._diary.wished(who.platform, who.user)
        except LogError:  # then it is done as soon as it can be
            kept = Kept(wish != LOG_OFF, self._diary.shares(who.platform, who.user))
        automatic = self._languages.is_automatic(who.platform, who.user)
        speaker = self._speaker(who.platform, who.user, device)
        return speaker.settings(
            alike=automatic and speaks(device), automatic=automatic, chosen=chosen, kept=kept,
            offered=self._diary.offers_sharing,
        )  # fmt: skip

    async def _change(self, who: Conversation, wish: str) -> None:
        if wish in {LOG_ON, LOG_OFF}:
            await self._diary.set_logged(who.platform, who.user, logged=wish == LOG_ON)
        on = wish == SHARE_ON and self._diary.offers_sharing
        if on or wish == SHARE_OFF:
            await self._diary.set_sharing(who.platform, who.user, shares=on)
