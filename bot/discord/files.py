"""Fetching pictures from Discord's servers, within bounds of size and time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

import aiohttp
import discord

from bot.assistant.locale.texts import Texts
from bot.assistant.types import Attachment
from bot.discord.messages import Found, NoPicture, Source
from bot.fetching import ATTEMPTS, LARGEST, PATIENCE, FetchError

TROUBLES = (discord.DiscordException, aiohttp.ClientError, OSError)  # of Discord or the network

_log = logging.getLogger(__name__)


@dataclass
class Fetched:
    """Pictures, what to say about those that could not be had, and whether any was hidden."""

    pictures: list[Attachment] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    spoiler: bool = False


async def fetch_all(found: Sequence[Found], texts: Texts) -> Fetched:
    """Fetch pictures, all at once, in their order."""
    fetched = Fetched()
    results = await asyncio.gather(*(_fetch_or_say(each, texts) for each in found))
    for source, result in zip(found, results, strict=True):
        if isinstance(result, str):
            fetched.remarks.append(result)
            continue
        fetched.pictures.append(result)
        if isinstance(source, Source):
            fetched.spoiler |= source.spoiler
            if source.still:
                fetched.remarks.append(texts.still_only.format(what=source.still))
    return fetched


async def fetch(source: Source) -> Attachment:
    """The bytes of a picture.

    Raises:
        FetchError: It is too big, gone, or the network fails more than once.
    """
    if source.size > LARGEST:
        raise FetchError(too_big=True)
    for attempt in range(ATTEMPTS):
        try:
            async with asyncio.timeout(PATIENCE):
                content = await source.read()
        except TROUBLES as error:
            _log.warning(
                "Attempt %d to fetch a picture failed: %s", attempt + 1, type(error).__name__
            )
            continue
        if len(content) > LARGEST:
            raise FetchError(too_big=True)
        return Attachment(content, source.name)
    raise FetchError


async def _fetch_or_say(found: Found, texts: Texts) -> Attachment | str:
    if isinstance(found, NoPicture):
        return texts.no_picture_file
    try:
        return await fetch(found)
    except FetchError as error:
        return texts.file_too_big if error.too_big else texts.fetch_failed
