"""What a Discord message holds: its words, its pictures, and whether the bot is meant."""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import aiohttp
import discord

from bot.assistant.types import Conversation
from bot.platforms import Fetcher, OtherFile, PictureFile, SharedFile

Get = Callable[[str], Awaitable[bytes]]
Shows = discord.Message | discord.MessageSnapshot

PLATFORM = "discord"
API_ERRORS = (discord.DiscordException, aiohttp.ClientError, OSError)  # of Discord or the network
SPOKEN = frozenset({discord.MessageType.default, discord.MessageType.reply})
_PICTURE_NAME = re.compile(r"\.(heic|heif|avif|jpe?g|png|webp|gif|bmp|tiff?)$", re.IGNORECASE)
_MENTION = re.compile(r"<@!?(\d+)>")
_EMOJI = re.compile(r"<a?:\w+:\d+>")
# Of Discord itself, which fetches pictures from elsewhere so that bots need not.
_PROXIES = (".discordapp.net", ".discordapp.com")
_MOVING = {"gifv": "GIF", "video": "video"}

_log = logging.getLogger(__name__)


class Place(NamedTuple):
    """Where a picture was shown.

    Attributes:
        channel: Of the message that shows it; 0 for a file given to a command.
        message: The message, or that file.
        spoiler: It is hidden until somebody asks to see it.
    """

    channel: int
    message: int
    spoiler: bool = False

    @classmethod
    def of(cls, message: discord.Message) -> Place:
        """Where a message is."""
        return cls(message.channel.id, message.id)


def picture_fetcher() -> Fetcher:
    """Fetches pictures from Discord's servers."""

    async def read(file: PictureFile) -> bytes:
        assert file.read is not None  # as everything here makes it
        return await file.read()

    return Fetcher(read, API_ERRORS)


class MessageFinder:
    """Finds messages and their pictures, and asks Discord for what it did not send by itself.

    Args:
        client: Discord's side.
    """

    def __init__(self, client: discord.Client) -> None:
        self._client = client

    def pictures_in(self, message: discord.Message) -> list[SharedFile]:
        """What a message shows."""
        return pictures_in(message, self._client.http.get_from_cdn)

    async def pictures_at(self, place: Place) -> list[SharedFile]:
        """What the message in a place shows, nothing if it is gone or was none."""
        message = await self._message(place) if place.channel else None
        return self.pictures_in(message) if message else []

    async def replied(self, message: discord.Message) -> discord.Message | None:
        """The message that one replies to, None if it is gone or was none."""
        known, reference = replied_to(message), message.reference
        if known or not reference or reference.type is not discord.MessageReferenceType.reply:
            return known
        return await self._message(Place(reference.channel_id, reference.message_id or 0))

    async def readable(self, message: discord.Message) -> discord.Message | None:
        """A message with what it holds, None if Discord does not tell.

        Without the privileged intent, messages that neither mention the bot nor reply to it
        come blank; but where the bot has been granted it, they can be fetched.
        """
        if not is_blank(message):
            return message
        fetched = await self._message(Place.of(message))
        return fetched if fetched and not is_blank(fetched) else None

    async def _message(self, place: Place) -> discord.Message | None:
        try:
            channel = self._client.get_partial_messageable(place.channel)
            return await channel.fetch_message(place.message)
        except API_ERRORS as error:
            _log.info("Cannot see a message: %s", type(error).__name__)
            return None


def conversation(where: discord.Message | discord.Interaction[Any]) -> Conversation:
    """Names the channel and the person who writes, chooses or presses something there.

    The server comes first, by which an operator may admit everybody in it.
    """
    guild: int | None
    channel: int | None
    if isinstance(where, discord.Message):
        person, channel = where.author.id, where.channel.id
        guild = where.guild.id if where.guild else None
    else:
        person, channel, guild = where.user.id, where.channel_id, where.guild_id
    return Conversation(PLATFORM, f"{guild}/{channel}" if guild else str(channel), str(person))


def pictures_in(message: discord.Message, get: Get) -> list[SharedFile]:
    """The pictures of a message, or of one that it forwards; and files that are none.

    Args:
        message: Any.
        get: Fetches from Discord's servers by address.
    """
    shown: list[Shows] = [message, *message.message_snapshots]
    return [found for each in shown for found in _found_in(each, get)]


def attached(attachment: discord.Attachment) -> SharedFile:
    """A file, if it is a picture."""
    kind, name = attachment.content_type or "", attachment.filename
    # Phones' HEIC comes as a file of unknown kind.
    if kind.startswith("image/") or _PICTURE_NAME.search(name):
        return PictureFile(
            attachment.url, attachment.size, name, spoiler=attachment.is_spoiler(),
            read=attachment.read,
        )  # fmt: skip
    return OtherFile(name)


def words_in(message: discord.Message, me: discord.abc.User) -> str:
    """What the person wrote, without the mention that calls the bot."""
    words = re.sub(rf"<@!?{me.id}>", " ", message.content)
    names = {str(user.id): user.display_name for user in message.mentions}
    words = _MENTION.sub(lambda match: names.get(match[1], " "), words)
    return _EMOJI.sub(" ", words).strip()


def is_addressed(message: discord.Message, me: discord.abc.User) -> bool:
    """Whether the bot is meant: in private, by a mention, or by a reply to it."""
    if message.author.bot or message.type not in SPOKEN:
        return False
    if message.guild is None or any(user.id == me.id for user in message.mentions):
        return True
    replied = replied_to(message)
    return replied is not None and replied.author.id == me.id


def replied_to(message: discord.Message) -> discord.Message | None:
    """The message that one replies to, as far as it is known already."""
    reference = message.reference
    if reference is None or reference.type is not discord.MessageReferenceType.reply:
        return None
    known = reference.resolved or reference.cached_message
    return known if isinstance(known, discord.Message) else None


def is_blank(message: discord.Message) -> bool:
    """Whether there is nothing to see, as in messages that are not for bots' eyes."""
    shows = (message.content, message.attachments, message.embeds, message.stickers, message.poll)
    return not any(shows) and not message.message_snapshots


def _found_in(message: Shows, get: Get) -> list[SharedFile]:
    found = [attached(each) for each in message.attachments]
    found += [_sticker(each) for each in message.stickers]
    # The preview of a link is only meant where there is nothing else.
    return found or [source for embed in message.embeds if (source := _embedded(embed, get))]


def _sticker(sticker: discord.StickerItem) -> SharedFile:
    kinds = discord.StickerFormatType
    if sticker.format is kinds.png:
        return PictureFile(sticker.url, name=sticker.name, read=sticker.read)
    if sticker.format in {kinds.apng, kinds.gif}:
        return PictureFile(sticker.url, name=sticker.name, still="sticker", read=sticker.read)
    return OtherFile(sticker.name)  # drawn by a program


def _embedded(embed: discord.Embed, get: Get) -> PictureFile | None:
    for media in (embed.image, embed.thumbnail):
        address = urlsplit(media.proxy_url or "")
        if address.scheme == "https" and f".{address.hostname}".endswith(_PROXIES):
            url = media.proxy_url or ""
            return PictureFile(url, still=_MOVING.get(embed.type, ""), read=partial(get, url))
    return None
