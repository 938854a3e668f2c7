"""What is said before an answer: a draft that vanishes, or a message that becomes the answer."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from telegram import Bot, Message
from telegram.constants import ChatType
from telegram.error import BadRequest, InvalidToken, TelegramError

from bot.assistant.types import Reply
from bot.telegram.sender import say, topic

DRAFT_SECONDS = 20.0  # until it is sent again; Telegram shows it for thirty

_log = logging.getLogger(__name__)


class Notice:
    """What is said before one answer.

    Attributes:
        said: The message to change into the answer, if there is one.
    """

    def __init__(self, notices: Notices, asked: Message, said: int | None) -> None:
        self._notices, self._asked, self.said = notices, asked, said
        self._drafting: asyncio.Task[None] | None = None

    async def tell(self, text: str) -> None:
        """Say it, in the way that this chat allows."""
        if await self._notices.draft(self._asked, text):
            self._drafting = asyncio.ensure_future(self._keep(text))
        else:
            self.said = await say(self._notices.bot, self._asked, Reply(text), self.said)

    async def close(self) -> None:
        """Say no more, for the answer comes next."""
        if self._drafting:
            self._drafting.cancel()
            await asyncio.wait({self._drafting})

    async def _keep(self, text: str) -> None:
        while True:
            await asyncio.sleep(DRAFT_SECONDS)
            await self._notices.draft(self._asked, text)


class Notices:
    """Says things before answers.

    Args:
        bot: Telegram's side.
    """

    def __init__(self, bot: Bot) -> None:
        self.bot = bot
        self._drafts = True

    @asynccontextmanager
    async def before(self, asked: Message, said: int | None) -> AsyncIterator[Notice]:
        """While an answer is awaited; `said` is the message that it will change, if any."""
        notice = Notice(self, asked, said)
        try:
            yield notice
        finally:
            await notice.close()

    async def draft(self, asked: Message, text: str) -> bool:
        """Show a draft; returns whether this chat and this server know drafts."""
        if not self._drafts or asked.chat.type != ChatType.PRIVATE:
            return False
        try:
            await self.bot.send_message_draft(
                asked.chat_id, asked.message_id, text, message_thread_id=topic(asked)
            )
        except TelegramError as error:  # a nicety
            if _unknown_method(error):
                self._drafts = False
                _log.info("This server knows no drafts; notices are messages from now on")
                return False
            _log.debug("Cannot show a draft: %s", type(error).__name__)
        return True


def _unknown_method(error: TelegramError) -> bool:
    """Whether a server does not know what it was asked for, or will never do it."""
    said = str(error).lower()
    if isinstance(error, InvalidToken):  # what the library makes of 404, but also of 401
        return "unauthorized" not in said
    unknown = re.search("not found|unsupported|not supported|unknown", said)
    return isinstance(error, BadRequest) and "method" in said and unknown is not None
