"""The pictures of messages, and what to say about those that cannot be had."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from telegram import Bot, Message

from bot.assistant.locale.texts import Texts
from bot.assistant.types import Attachment
from bot.fetching import PATIENCE, FetchError
from bot.telegram.files import fetch
from bot.telegram.messages import NoPicture, Source, picture_in

FETCHES = 8  # files on their way at the same time


@dataclass
class Fetched:
    """What messages bring: pictures, and what to say about those that could not be had."""

    pictures: list[Attachment] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


class Pictures:
    """Fetches what messages show; for one event loop.

    Args:
        bot: Telegram's side.
    """

    def __init__(self, bot: Bot) -> None:
        self._bot = bot
        self._fetching = asyncio.Semaphore(FETCHES)

    async def of(self, messages: Sequence[Message], texts: Texts) -> Fetched:
        """The pictures of messages, all at once, in their order."""
        shown = Fetched()
        sources = [source for message in messages if (source := picture_in(message))]
        for found in await asyncio.gather(*(self._one(source, texts) for source in sources)):
            if isinstance(found, Attachment):
                shown.pictures.append(found)
            else:
                shown.remarks.append(found)
        for source in sources:
            if isinstance(source, Source) and source.still and shown.pictures:
                shown.remarks.append(texts.still_only.format(what=source.still))
        return shown

    async def _one(self, source: Source | NoPicture, texts: Texts) -> Attachment | str:
        if isinstance(source, NoPicture):
            return texts.no_picture_file
        try:
            async with self._fetching:
                return await fetch(self._bot, source, PATIENCE)
        except FetchError as error:
            return texts.file_too_big if error.too_big else texts.fetch_failed
