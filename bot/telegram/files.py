"""Fetching pictures from Telegram's servers, within bounds of size and time."""

from __future__ import annotations

import asyncio
import logging

from telegram import Bot
from telegram.error import BadRequest, NetworkError, TelegramError

from bot.assistant.types import Attachment
from bot.fetching import ATTEMPTS, LARGEST, PATIENCE, FetchError
from bot.telegram.messages import Source

_log = logging.getLogger(__name__)


async def fetch(bot: Bot, source: Source, patience: float = PATIENCE) -> Attachment:
    """The bytes of a picture.

    Raises:
        FetchError: It is too big, gone, or the network fails more than once.
    """
    if source.size > LARGEST:
        raise FetchError(too_big=True)
    for attempt in range(ATTEMPTS):
        try:
            # The library's own patience is much shorter.
            async with asyncio.timeout(patience):
                file = await bot.get_file(source.file_id, read_timeout=patience)
                if (file.file_size or 0) > LARGEST:
                    raise FetchError(too_big=True)
                content = await file.download_as_bytearray(read_timeout=patience)
                return Attachment(bytes(content), source.name)
        except (TimeoutError, NetworkError) as error:
            if isinstance(error, BadRequest):  # a NetworkError by name only
                raise FetchError("too big" in str(error).lower()) from error
            _log.warning(
                "Attempt %d to fetch a picture failed: %s", attempt + 1, type(error).__name__
            )
        except TelegramError as error:
            raise FetchError from error
    raise FetchError
