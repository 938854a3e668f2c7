"""What is shown before an answer on Telegram: how long the queue is, and what is written so far."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from telegram import Message
from telegram.constants import MessageLimit
from telegram.error import BadRequest, NetworkError, TelegramError

from bot.assistant.splitting import split, utf16_length
from bot.assistant.types import Reply
from bot.live_draft import LiveDraft
from bot.telegram.inbox import Marks
from bot.telegram.limiter import ChatLimiter
from bot.telegram.sender import Sender

DRAFT_SECONDS = 20.0  # until a draft is sent again; Telegram shows it for thirty
# Seconds from the first words to the first message with them: an answer that is written by then
# needs no other, of which a group has few.
BEFORE_MESSAGE = 1.0
_GOES_ON = " …"

_log = logging.getLogger(__name__)


@asynccontextmanager
async def notice(
    sender: Sender,
    limiter: ChatLimiter,
    asked: Message,
    marks: Marks,
    *,
    said: Sequence[int],
    begun: Sequence[int],
) -> AsyncIterator[Notice]:
    """While an answer is awaited and said; what ends that takes back what was only begun.

    Args:
        sender: Says it.
        limiter: Tells when there is time for it.
        asked: What is answered.
        marks: Told which message has to be changed into the answer, for after a crash.
        said: The messages of an earlier answer, which this one will change; or none.
        begun: Messages with which an earlier run began to answer.
    """
    shown = Notice(sender, limiter, asked, marks, said or begun, stood=bool(said))
    try:
        yield shown
    except BaseException:
        await shown.close()
        await shown.withdraw()
        raise
    await shown.close()


class Notice:
    """A draft that vanishes in a private chat, elsewhere a message that becomes the answer.

    A crash in the middle leaves nothing of the former, and the latter to the next run, which
    answers the question anew and changes that message into the answer.

    Attributes:
        said: The messages to change into the answer, if there are any.
    """

    def __init__(
        self,
        sender: Sender,
        limiter: ChatLimiter,
        asked: Message,
        marks: Marks,
        said: Sequence[int],
        *,
        stood: bool,
    ) -> None:
        self._sender, self._limiter, self._asked = sender, limiter, asked
        self.said = tuple(said)
        self._stood = stood  # an answer, which stays until it is known that there is another
        self._marks = marks
        self._shown = ""  # in a message
        self._one = asyncio.Lock()
        repeat = DRAFT_SECONDS if sender.has_drafts(asked) else None
        self._live = LiveDraft(self._turn, self._show, repeat)
        self.draft = self._live.offer
        self.close = self._live.close

    async def tell(self, text: str) -> None:
        """Say it, in the way that this chat allows."""
        async with self._one:
            try:
                vanishes = await self._sender.draft(self._asked, text)
            except TelegramError as error:
                _log.debug("Cannot show a draft: %s", type(error).__name__)
                vanishes = True
            if vanishes:
                self._live.keep(text)
            elif said := await self._sender.say(self._asked, Reply(text), self.said):
                self._note(said)

    def settle(self) -> None:
        """What is there becomes the answer now: a stop in the middle of that leaves it."""
        self._stood = True

    async def withdraw(self) -> None:
        """Take back what is no answer; a draft that vanishes does so by itself."""
        if not self._stood:
            await self._sender.withdraw(self._asked, self.said)

    async def _turn(self) -> None:
        if not (self.said or self._sender.has_drafts(self._asked)):
            await asyncio.sleep(BEFORE_MESSAGE)
        await self._limiter.draft_turn(self._asked.chat_id)

    async def _show(self, text: str) -> bool:
        """Show what there is of the answer; returns whether to go on with that."""
        if self._stood:  # a draft that vanishes would stay a while beside the changed answer
            return False
        first, *more = split(text, MessageLimit.MAX_TEXT_LENGTH - len(_GOES_ON), utf16_length)
        beginning = first + _GOES_ON if more else first
        async with self._one:
            again = bool(self.said) or self._sender.has_drafts(self._asked)
            try:
                if not self.said:
                    if not await self._sender.draft(self._asked, beginning):
                        self._note((await self._sender.begin(self._asked, beginning),))
                elif beginning != self._shown:
                    await self._sender.change(self._asked, self.said[0], beginning)
            except TelegramError as error:
                _log.debug("Cannot show a draft: %s", type(error).__name__)
                # What Telegram refuses, it would refuse again; and of a first message that may
                # have been taken, nobody knows the id.
                return again and _will_pass(error)
        self._shown = beginning
        return True

    def _note(self, said: Sequence[int]) -> None:
        self.said = tuple(said)
        self._marks.said(said)


def _will_pass(error: TelegramError) -> bool:
    """Whether the network was the cause, rather than a refusal or a limit."""
    return isinstance(error, NetworkError) and not isinstance(error, BadRequest)
