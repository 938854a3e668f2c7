"""What a Telegram message holds: its words, its picture, and whether the bot is meant."""

from __future__ import annotations

import re
from dataclasses import dataclass

from telegram import Document, Message, MessageEntity, PhotoSize, User
from telegram.constants import ChatType

PLATFORM = "telegram"
COMMANDS = ("start", "help", "caption", "ask", "retry", "forget", "privacy", "settings")
ENOUGH_PIXELS = 512  # of a photo's shorter side; the model sees fewer
_CALLED = {"sticker": "sticker", "animation": "GIF", "video": "video", "video_note": "video"}
_COMMAND = re.compile(r"/(\w+)(?:@(\w+))?")


@dataclass(frozen=True)
class Source:
    """A picture on Telegram's servers.

    Attributes:
        file_id: Fetches it.
        size: Bytes, 0 if unknown.
        name: Of the file, or "".
        still: Of a video or an animated sticker; "" for a picture, else what it stands for.
    """

    file_id: str
    size: int = 0
    name: str = ""
    still: str = ""


@dataclass(frozen=True)
class NoPicture:
    """A file that is none: its name, as it was sent."""

    name: str


def picture_in(message: Message) -> Source | NoPicture | None:
    """The picture of a message, the still image of one that moves, or a file that is neither."""
    if message.photo:
        size = _large_enough(message.photo)
        return Source(size.file_id, size.file_size or 0)
    if message.sticker and not (message.sticker.is_animated or message.sticker.is_video):
        return Source(message.sticker.file_id, message.sticker.file_size or 0)
    # The document of a GIF is a video, so it comes after these.
    for what in ("sticker", "animation", "video", "video_note"):
        if moving := getattr(message, what):
            return _still(moving.thumbnail, _CALLED[what])
    if message.document:
        return _file(message.document)
    return NoPicture("") if message.effective_attachment else None  # a voice, a place, a contact


def words_in(message: Message, me: User) -> str:
    """What the person wrote, without the mention that calls the bot."""
    words = message.text or message.caption or ""
    return re.sub(rf"@{re.escape(me.username or '')}\b", " ", words, flags=re.IGNORECASE).strip()


def is_addressed(message: Message, me: User) -> bool:
    """Whether the bot is meant: in private, by a mention, by a reply to it, or by a command."""
    if message.chat.type == ChatType.PRIVATE:
        return True
    replied = message.reply_to_message
    if replied and replied.from_user and replied.from_user.id == me.id:
        return True
    return _is_command(message, me) or any(
        _mentions(entity, words, me)
        for entity, words in (message.parse_entities() | message.parse_caption_entities()).items()
    )


def conversation(message: Message) -> str:
    """Names the chat, or the topic of a forum."""
    topic = message.message_thread_id if message.is_topic_message else None
    return f"{message.chat_id}/{topic}" if topic else str(message.chat_id)


def sender(message: Message) -> str:
    """Names who wrote: a person, or a group or channel in whose name somebody did."""
    who = message.sender_chat or message.from_user
    return str(who.id if who else message.chat_id)


def language(user: User | None) -> str:
    """What a person's device speaks: "de-AT", or "" where that is not known."""
    return (user.language_code if user else None) or ""


def _is_command(message: Message, me: User) -> bool:
    found = _COMMAND.match(message.text or message.caption or "")
    if not found:
        return False
    command, name = found.groups()
    if name:
        return name.lower() == (me.username or "").lower()
    return command.lower() in COMMANDS  # others may be for another bot


def _mentions(entity: MessageEntity, words: str, me: User) -> bool:
    if entity.type == MessageEntity.TEXT_MENTION:
        return entity.user is not None and entity.user.id == me.id
    return entity.type == MessageEntity.MENTION and words[1:].lower() == (me.username or "").lower()


def _large_enough(sizes: tuple[PhotoSize, ...]) -> PhotoSize:
    """The smallest size that shows all that the model can see, to save time on the way."""
    ordered = sorted(sizes, key=lambda size: size.width * size.height)
    enough = (size for size in ordered if min(size.width, size.height) >= ENOUGH_PIXELS)
    return next(enough, ordered[-1])


def _still(thumbnail: PhotoSize | None, what: str) -> Source | NoPicture:
    if thumbnail is None:
        return NoPicture("")
    return Source(thumbnail.file_id, thumbnail.file_size or 0, still=what)


def _file(document: Document) -> Source | NoPicture:
    name = document.file_name or ""
    if (document.mime_type or "").startswith("image/") or _names_a_picture(name):
        return Source(document.file_id, document.file_size or 0, name)
    return NoPicture(name)


def _names_a_picture(name: str) -> bool:
    """Whether a file of unknown kind is called like a picture: phones send HEIC so."""
    return re.search(r"\.(heic|heif|avif|jpe?g|png|webp|gif|bmp|tiff?)$", name, re.I) is not None
