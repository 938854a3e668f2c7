"""What a Telegram message holds: its words, its picture, and whether the bot is meant."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import httpx
from telegram import (
    Bot,
    Document,
    ExternalReplyInfo,
    Message,
    MessageEntity,
    PaidMedia,
    PaidMediaPhoto,
    PaidMediaVideo,
    PhotoSize,
    Update,
    User,
)
from telegram.constants import ChatType
from telegram.error import BadRequest, NetworkError, TelegramError
from telegram.ext import filters

from bot.assistant.text import SOMEBODY
from bot.assistant.types import Conversation
from bot.platforms import (
    FETCH_TIMEOUT,
    LARGEST,
    Fetcher,
    FetchError,
    OtherFile,
    PictureFile,
    SharedFile,
    may_be_picture,
)

PLATFORM = "telegram"
COMMANDS = ("start", "help", "caption", "ask", "retry", "forget", "privacy", "settings")
ENOUGH_PIXELS = 512  # of a photo's shorter side; the model sees fewer
_CALLED = {"sticker": "sticker", "animation": "GIF", "video": "video", "video_note": "video"}
# What is no picture, as the fields of a message are called.
_OTHERS = (
    *("audio", "voice", "contact", "location", "venue", "poll", "dice", "game", "invoice", "story"),
    *("checklist", "giveaway", "giveaway_winners", "live_photo"),
)
_COMMAND = re.compile(r"/(\w+)(?:@(\w+))?")


def says_something(update: Update, message: Message) -> bool:
    """Whether a person says something, rather than Telegram: that somebody pinned it, say."""
    if message.text or message.caption or message.effective_attachment:
        return True
    return not filters.StatusUpdate.ALL.check_update(update)


def picture_in(message: Message | ExternalReplyInfo) -> SharedFile | None:
    """The picture of a message, the still image of one that moves, or a file that is neither."""
    if message.photo:
        return _sized(message.photo)
    if message.paid_media:
        found = [_paid(media) for media in message.paid_media.paid_media]
        return next((file for file in found if file is not None), OtherFile(""))
    if message.sticker and not (message.sticker.is_animated or message.sticker.is_video):
        return PictureFile(message.sticker.file_id, message.sticker.file_size or 0)
    # The document of a GIF is a video, so it comes after these.
    for what in ("sticker", "animation", "video", "video_note"):
        if moving := getattr(message, what):
            return _still(moving.thumbnail, _CALLED[what])
    if message.document:
        return _file(message.document)
    # A voice, a place, a contact.
    return OtherFile("") if any(getattr(message, what, None) for what in _OTHERS) else None


def files_in(messages: Iterable[Message]) -> tuple[SharedFile, ...]:
    """What messages show, in their order, and files that are no pictures."""
    files = [
        # What has no words either is of a kind that is newer than this bot.
        picture_in(each) or (None if each.text or each.caption else OtherFile(""))
        for each in messages
    ]
    return tuple(filter(None, files))


def replied_to(message: Message) -> Message | None:
    """The message that somebody replied to, which in a topic's messages is not its first one."""
    replied = message.reply_to_message
    begun = replied is not None and replied.message_id == message.message_thread_id
    return None if message.is_topic_message and begun else replied


def replied_files(message: Message) -> tuple[SharedFile, ...]:
    """What the message shows that this one replies to, also in another chat, or one further on."""
    if message.reply_to_story:
        return (OtherFile(""),)
    if message.external_reply:
        shown = picture_in(message.external_reply)
        return (shown,) if shown else ()
    replied = replied_to(message)
    if replied is None:
        return ()
    shown = picture_in(replied)
    return (shown,) if shown else replied_files(replied)


def content_of(messages: Iterable[Message], me: User) -> list[str]:
    """What messages say and show, to tell whether an edit changed that.

    A file has another id each time that Telegram tells of it, but one of its own.
    """
    told = []
    for message in messages:
        shown = message.effective_attachment
        last = shown[-1] if isinstance(shown, Sequence) and shown else shown
        told += [words_in(message, me), str(getattr(last, "file_unique_id", ""))]
    return told


def picture_fetcher(bot: Bot) -> Fetcher:
    """Fetches pictures from Telegram's servers."""

    async def read(source: PictureFile) -> bytes:
        try:
            # The library's own timeout is much shorter.
            file = await bot.get_file(source.id, read_timeout=FETCH_TIMEOUT)
            if (file.file_size or 0) > LARGEST:
                raise FetchError(too_big=True)
            return bytes(await file.download_as_bytearray(read_timeout=FETCH_TIMEOUT))
        except BadRequest as error:  # a NetworkError by name only
            raise FetchError("too big" in str(error).lower()) from error
        except NetworkError:
            raise
        except TelegramError as error:
            raise FetchError from error

    def offline(error: BaseException) -> bool:
        return isinstance(error.__cause__, httpx.ConnectError | httpx.ConnectTimeout)

    return Fetcher(read, (NetworkError,), offline)


def words_in(message: Message, me: User) -> str:
    """What the person wrote, without the mention that calls the bot."""
    words = message.text or message.caption or ""
    for entity, name in (message.parse_entities() | message.parse_caption_entities()).items():
        # By a name of theirs, where they have none that begins with "@".
        if entity.type == MessageEntity.TEXT_MENTION and not _mentions(entity, name, me):
            words = words.replace(name, SOMEBODY, 1)
    return re.sub(rf"@{re.escape(me.username or '')}\b", " ", words, flags=re.IGNORECASE).strip()


def is_addressed(message: Message, me: User) -> bool:
    """Whether the bot is meant: in private, by a mention, by a reply to it, or by a command."""
    if message.chat.type == ChatType.PRIVATE:
        return True
    replied = replied_to(message)
    if replied and replied.from_user and replied.from_user.id == me.id:
        return True
    return _is_command(message, me) or any(
        _mentions(entity, words, me)
        for entity, words in (message.parse_entities() | message.parse_caption_entities()).items()
    )


def topic(message: Message) -> int | None:
    """The topic of a forum that a message is in."""
    return message.message_thread_id if message.is_topic_message else None


def conversation(message: Message, user: User | None = None) -> Conversation:
    """Names the chat, or the topic of a forum, and who wrote there, or another person."""
    thread = topic(message)
    chat = f"{message.chat_id}/{thread}" if thread else str(message.chat_id)
    return Conversation(PLATFORM, chat, str(user.id) if user else sender(message))


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


def _sized(sizes: tuple[PhotoSize, ...]) -> PictureFile:
    size = _large_enough(sizes)
    return PictureFile(size.file_id, size.file_size or 0)


def _paid(media: PaidMedia) -> SharedFile | None:
    """What somebody paid for, or may see without that."""
    if isinstance(media, PaidMediaPhoto):
        return _sized(media.photo)
    if isinstance(media, PaidMediaVideo):
        return _still(media.video.thumbnail, "video")
    return None


def _still(thumbnail: PhotoSize | None, what: str) -> SharedFile:
    if thumbnail is None:
        return OtherFile("")
    return PictureFile(thumbnail.file_id, thumbnail.file_size or 0, still=what)


def _file(document: Document) -> SharedFile:
    name = document.file_name or ""
    if may_be_picture(name, document.mime_type or ""):
        return PictureFile(document.file_id, document.file_size or 0, name)
    return OtherFile(name)
