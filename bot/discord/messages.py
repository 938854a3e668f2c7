"""What a Discord message holds: its words, its pictures, and whether the bot is meant."""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import aiohttp
import discord

from bot.assistant.text import SOMEBODY
from bot.assistant.types import Conversation
from bot.platforms import Fetcher, OtherFile, PictureFile, SharedFile, may_be_picture

Get = Callable[[str], Awaitable[bytes]]
Shows = discord.Message | discord.MessageSnapshot

PLATFORM = "discord"
API_ERRORS = (discord.DiscordException, aiohttp.ClientError, OSError)  # of Discord or the network
SPOKEN = frozenset({discord.MessageType.default, discord.MessageType.reply})
_MENTION = re.compile(r"<@[!&]?\d+>")
# Custom emoji, channels, times and the like; of a command's mention its words stay.
_MARKUP = re.compile(r"<a?:\w+:\d+>|<#\d+>|<t:-?\d+(?::\w)?>|<id:\w+>|<(/[\w -]+):\d+>")
# A name of one of the bot's buttons: what it does, and the place of the picture.
BUTTON = r"glimpse:(?P<action>[^:]+)(?::(?P<channel>\d+):(?P<message>\d+))?"
_RATING = re.compile(r"rate \w+ (?P<number>[0-9a-f]{16})")
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
        files: The picture itself, where it was given to a command and cannot be found again.
    """

    channel: int
    message: int
    spoiler: bool = False
    files: tuple[SharedFile, ...] = ()

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
        message = await self.message_at(place) if place.channel else None
        return self.pictures_in(message) if message else []

    async def replied(self, message: discord.Message) -> discord.Message | None:
        """The message that one replies to, None if it is gone or was none."""
        known, reference = replied_to(message), message.reference
        if known or reference is None or not is_reply(message):
            return known
        return await self.message_at(Place(reference.channel_id, reference.message_id or 0))

    def is_ours(self, message: discord.Message) -> bool:
        """Whether the bot said it."""
        return self._client.user is not None and message.author.id == self._client.user.id

    async def readable(self, message: discord.Message) -> discord.Message | None:
        """A message with what it holds, None if Discord does not tell.

        Without the privileged intent, messages that neither mention the bot nor reply to it
        come blank; but where the bot has been granted it, they can be fetched.
        """
        if not is_blank(message):
            return message
        fetched = await self.message_at(Place.of(message))
        return fetched if fetched and not is_blank(fetched) else None

    async def message_at(self, place: Place) -> discord.Message | None:
        """The message in a place, None if it is gone or cannot be seen."""
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


def answer_of(message: discord.Message) -> tuple[Place | None, str]:
    """What the buttons under a message of the bot's tell: the picture's place, and the answer's id.

    They say so after a restart, too.
    """
    place, number = None, ""
    rows = [each for each in message.components if isinstance(each, discord.ActionRow)]
    for button in (each for row in rows for each in row.children):
        found = re.fullmatch(BUTTON, getattr(button, "custom_id", None) or "")
        if found and found["channel"]:
            place = Place(int(found["channel"]), int(found["message"]))
        if found and (rating := _RATING.fullmatch(found["action"])):
            number = rating["number"]
    return place, number


def starter_place(channel: object) -> Place | None:
    """Where the message is that a thread was begun on, or the first one of a forum post."""
    if not isinstance(channel, discord.Thread):
        return None
    in_forum = isinstance(channel.parent, discord.ForumChannel)
    return Place(channel.id if in_forum else channel.parent_id, channel.id)


def attached(attachment: discord.Attachment) -> SharedFile:
    """A file, if it is a picture."""
    name = attachment.filename
    if may_be_picture(name, attachment.content_type or ""):
        return PictureFile(
            attachment.url, attachment.size, name, spoiler=attachment.is_spoiler(),
            read=attachment.read,
        )  # fmt: skip
    return OtherFile(name)


def words_in(message: discord.Message, me: discord.abc.User) -> str:
    """What the person wrote, without the mention that calls the bot."""
    role = _role_of(message, me)
    words = re.sub(rf"<@&{role}>", " ", message.content) if role else message.content
    return plain_words(words, me)


def plain_words(text: str, me: discord.abc.User | None) -> str:
    """Text without Discord's markup: nobody is named in it, and the bot not called."""
    words = re.sub(rf"<@!?{me.id}>", " ", text) if me else text
    words = _MARKUP.sub(lambda found: found[1] or " ", words)
    return _MENTION.sub(SOMEBODY, words).strip()


def is_addressed(message: discord.Message, me: discord.abc.User) -> bool:
    """Whether the bot is meant: in private, by a mention of it or its role, or by a reply to it."""
    if message.author.bot or message.type not in SPOKEN:
        return False
    if message.guild is None or any(user.id == me.id for user in message.mentions):
        return True
    if _role_of(message, me):
        return True
    replied = replied_to(message)
    return replied is not None and replied.author.id == me.id


def is_reply(message: discord.Message) -> bool:
    """Whether a message replies to one, rather than that it forwards it."""
    reference = message.reference
    return reference is not None and reference.type is discord.MessageReferenceType.reply


def replied_to(message: discord.Message) -> discord.Message | None:
    """The message that one replies to, as far as it is known already."""
    reference = message.reference
    if reference is None or not is_reply(message):
        return None
    known = reference.resolved or reference.cached_message
    return known if isinstance(known, discord.Message) else None


def is_blank(message: discord.Message) -> bool:
    """Whether there is nothing to see, as in messages that are not for bots' eyes."""
    shown: list[Shows] = [message, *message.message_snapshots]
    return not message.poll and not any(
        each.content or each.attachments or each.embeds or each.stickers or each.components
        for each in shown
    )


def _role_of(message: discord.Message, me: discord.abc.User) -> int:
    """The role that Discord made for the bot alone, if the message mentions it; else 0."""
    for role in message.role_mentions:
        if role.tags and role.tags.bot_id == me.id:
            return role.id
    return 0


def _found_in(message: Shows, get: Get) -> list[SharedFile]:
    found = [attached(each) for each in message.attachments]
    found += [_sticker(each) for each in message.stickers]
    found = found or [file for each in message.components for file in _laid_out(each, get)]
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
        if url := _proxied(media.proxy_url):
            return PictureFile(url, still=_MOVING.get(embed.type, ""), read=partial(get, url))
    return None


def _laid_out(part: object, get: Get) -> list[SharedFile]:
    """The pictures of a part of a message that an app has laid out ("components v2")."""
    if isinstance(part, discord.Container):
        inner = [file for each in part.children for file in _laid_out(each, get)]
        return [replace(file, spoiler=True) if part.spoiler and isinstance(file, PictureFile)
                else file for file in inner]  # fmt: skip
    if isinstance(part, discord.SectionComponent):
        return _laid_out(part.accessory, get)
    shown = part.items if isinstance(part, discord.MediaGalleryComponent) else [part]
    kinds = (discord.MediaGalleryItem, discord.ThumbnailComponent, discord.FileComponent)
    return [file for each in shown if isinstance(each, kinds) and (file := _medium(each, get))]


def _medium(
    shown: discord.MediaGalleryItem | discord.ThumbnailComponent | discord.FileComponent, get: Get
) -> SharedFile | None:
    media = shown.media
    if not isinstance(media, discord.UnfurledMediaItem):
        return None
    url = _proxied(media.proxy_url) or _proxied(media.url)
    name = urlsplit(media.url).path.rpartition("/")[2]
    if not url or not may_be_picture(name, media.content_type or ""):
        return OtherFile(name)
    return PictureFile(url, name=name, spoiler=shown.spoiler, read=partial(get, url))


def _proxied(url: str | None) -> str:
    """An address of Discord's own servers, or ""."""
    address = urlsplit(url or "")
    ours = address.scheme == "https" and f".{address.hostname}".endswith(_PROXIES)
    return url or "" if ours else ""
