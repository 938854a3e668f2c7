"""What a Discord message holds: its words, its pictures, and whether the bot is meant."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlsplit

import discord

Read = Callable[[], Awaitable[bytes]]
Get = Callable[[str], Awaitable[bytes]]
Shows = discord.Message | discord.MessageSnapshot

SPOKEN = frozenset({discord.MessageType.default, discord.MessageType.reply})
_PICTURE_NAME = re.compile(r"\.(heic|heif|avif|jpe?g|png|webp|gif|bmp|tiff?)$", re.IGNORECASE)
_MENTION = re.compile(r"<@!?(\d+)>")
_EMOJI = re.compile(r"<a?:\w+:\d+>")
# Of Discord itself, which fetches pictures from elsewhere so that bots need not.
_PROXIES = (".discordapp.net", ".discordapp.com")
_MOVING = {"gifv": "GIF", "video": "video"}


@dataclass(frozen=True)
class Source:
    """A picture on Discord's servers.

    Attributes:
        read: Fetches its bytes.
        size: Their number, 0 if unknown.
        name: Of the file, or "".
        spoiler: It is hidden until somebody asks to see it.
        still: Of something that moves; "" for a picture, else what it stands for.
    """

    read: Read
    size: int = 0
    name: str = ""
    spoiler: bool = False
    still: str = ""


@dataclass(frozen=True)
class NoPicture:
    """A file that is none: its name, as it was sent."""

    name: str


Found = Source | NoPicture


def pictures_in(message: discord.Message, get: Get) -> list[Found]:
    """The pictures of a message, or of one that it forwards; and files that are none.

    Args:
        message: Any.
        get: Fetches from Discord's servers by address.
    """
    return [found for each in _shown_by(message) for found in _found_in(each, get)]


def attached(attachment: discord.Attachment) -> Found:
    """A file, if it is a picture."""
    kind, name = attachment.content_type or "", attachment.filename
    # Phones' HEIC comes as a file of unknown kind.
    if kind.startswith("image/") or _PICTURE_NAME.search(name):
        return Source(attachment.read, attachment.size, name, attachment.is_spoiler())
    return NoPicture(name)


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


def _shown_by(message: discord.Message) -> Iterable[Shows]:
    return [message, *message.message_snapshots]


def _found_in(message: Shows, get: Get) -> list[Found]:
    found = [attached(each) for each in message.attachments]
    found += [_sticker(each) for each in message.stickers]
    # The preview of a link is only meant where there is nothing else.
    return found or [source for embed in message.embeds if (source := _embedded(embed, get))]


def _sticker(sticker: discord.StickerItem) -> Found:
    kinds = discord.StickerFormatType
    if sticker.format is kinds.png:
        return Source(sticker.read, name=sticker.name)
    if sticker.format in {kinds.apng, kinds.gif}:
        return Source(sticker.read, name=sticker.name, still="sticker")
    return NoPicture(sticker.name)  # drawn by a program


def _embedded(embed: discord.Embed, get: Get) -> Source | None:
    for media in (embed.image, embed.thumbnail):
        address = urlsplit(media.proxy_url or "")
        if address.scheme == "https" and f".{address.hostname}".endswith(_PROXIES):
            read = partial(get, media.proxy_url or "")
            return Source(read, still=_MOVING.get(embed.type, ""))
    return None
