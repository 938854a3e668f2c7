"""What the adapter remembers of messages: their answers, and the pictures that they were about."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from cachetools import LRUCache, TTLCache
from telegram import Message

from bot.assistant.conversations import PICTURE_SECONDS
from bot.assistant.types import Conversation, Reply
from bot.platforms import RECENT, OtherFile, PictureFile, SharedFile
from bot.telegram.inbox import Answered, Inbox

Key = tuple[int, int]  # of a chat, and a message in it


@dataclass(frozen=True)
class Shown:
    """Pictures that a message shows, or is about.

    Attributes:
        owner: Who showed them.
        files: What fetches them.
    """

    owner: str
    files: tuple[SharedFile, ...]


@dataclass(frozen=True)
class Known:
    """A message that was answered.

    Attributes:
        messages: Ids of the answer's messages, in order.
        content: A hash of what was asked.
        number: Id of the answer in the assistant's index, or "".
        shown: The pictures that it was about, if any.
    """

    messages: tuple[int, ...]
    content: bytes
    number: str = ""
    shown: Shown | None = None


class MessageMemory:
    """Remembers messages for an hour or so, answers also after a restart.

    Args:
        inbox: Keeps hashes of what was answered.
    """

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self._answered: LRUCache[Key, tuple[str, Known]] = LRUCache(RECENT)  # and who asked
        self._numbers: LRUCache[Key, str] = LRUCache(RECENT)  # by the bot's messages
        self._shown: TTLCache[Key, Shown] = TTLCache(RECENT, PICTURE_SECONDS)
        self._albums: TTLCache[tuple[int, str], dict[int, Message]] = TTLCache(
            RECENT, PICTURE_SECONDS
        )
        self._forgot: LRUCache[str, float] = LRUCache(RECENT)  # when somebody wanted that
        self._unasked: LRUCache[Conversation, tuple[SharedFile, ...]] = LRUCache(RECENT)

    # --- answers ------------------------------------------------------------------------------

    def note_answer(
        self,
        asked: Message,
        people: tuple[str, str],
        content: bytes,
        messages: tuple[int, ...],
        reply: Reply,
    ) -> None:
        """Keep how a message was answered.

        Args:
            asked: The message.
            people: Who asked, and who showed the pictures.
            content: A hash of what it said and showed.
            messages: Ids of the answer's.
            reply: What it says.
        """
        key, (person, owner) = (asked.chat_id, asked.message_id), people
        files = _about(reply)
        shown = Shown(owner, files) if files else None
        self._answered[key] = person, Known(messages, content, reply.number, shown)
        pictures = [_told(each) for each in files if isinstance(each, PictureFile)]
        answered = Answered(messages, content, {"owner": owner, "files": pictures})
        self._inbox.note_answer(key, person, owner, answered)

    def note_number(self, chat: int, message: int, number: str) -> None:
        """Keep which answer a message of the bot's is."""
        self._numbers.pop((chat, message), None)
        if number:
            self._numbers[chat, message] = number

    def answer_to(self, key: Key) -> Known | None:
        """How a message was answered, if that is known."""
        if key in self._answered:
            return self._answered[key][1]
        found = self._inbox.answer_to(*key)
        return Known(found.messages, found.content, shown=_shown(found)) if found else None

    def is_old(self, asked: Message, user: str) -> bool:
        """Whether a message is so old that, if it is not known, it was answered all the same."""
        return asked.date.timestamp() <= max(self._inbox.since, self._forgot.get(user, 0.0))

    def number(self, chat: int, message: int) -> str:
        """The id in the assistant's index of the answer that a message of the bot's is, or ""."""
        return self._numbers.get((chat, message), "")

    def shown_in_answer(self, chat: int, message: int) -> Shown | None:
        """The pictures that a message of the bot's was about in an earlier run."""
        found = self._inbox.answer_in(chat, message)
        return _shown(found) if found else None

    # --- pictures -----------------------------------------------------------------------------

    def note_shown(self, message: Message, owner: str, files: Sequence[SharedFile]) -> None:
        """Keep the pictures that a message shows or replies to."""
        if any(isinstance(each, PictureFile) for each in files):
            self._shown[message.chat_id, message.message_id] = Shown(owner, tuple(files))

    def shown(self, chat: int, message: int) -> Shown | None:
        """The pictures that a message shows or replies to, if that is known."""
        return self._shown.get((chat, message))

    def note_album(self, messages: Iterable[Message]) -> None:
        """Keep the parts of an album, so that one may be edited."""
        for message in messages:
            if message.media_group_id:
                key = message.chat_id, message.media_group_id
                self._albums.setdefault(key, {})[message.message_id] = message

    def album(self, part: Message) -> list[Message]:
        """The album with this part in place of what it was; none if it is not known."""
        parts = self._albums.get((part.chat_id, part.media_group_id or ""))
        if parts is None or part.message_id not in parts:
            return []
        parts[part.message_id] = part
        return list(parts.values())

    def keep_unasked(self, who: Conversation, files: Sequence[SharedFile]) -> None:
        """Keep what a person showed before they called the bot, or before they may ask again."""
        if any(isinstance(each, PictureFile) for each in files):
            self._unasked[who] = tuple(files)

    def unasked(self, who: Conversation) -> tuple[SharedFile, ...]:
        """What a person showed, and nobody looked at."""
        return self._unasked.get(who, ())

    def drop_unasked(self, who: Conversation) -> None:
        """Newer pictures came, or they were looked at."""
        self._unasked.pop(who, None)

    def note_last(self, who: Conversation, owner: str, files: Sequence[SharedFile]) -> None:
        """Keep what a message without pictures means here, for after a restart."""
        self._inbox.note_shown((who.chat, who.user), owner, [_told(each) for each in files])

    def last(self, who: Conversation) -> Shown | None:
        """What a message without pictures means here, also after a restart."""
        return _files(self._inbox.shown((who.chat, who.user)))

    def forget(self, user: str) -> None:
        """Forget what a person wrote and showed, wherever that was."""
        self._inbox.forget(user)
        self._forgot[user] = time.time()
        for who in [who for who in self._unasked if who.user == user]:
            del self._unasked[who]
        for key in [key for key, shown in self._shown.items() if shown.owner == user]:
            del self._shown[key]
        for album in [key for key, parts in self._albums.items() if _is_by(parts, user)]:
            del self._albums[album]
        for key, (asker, known) in list(self._answered.items()):
            if asker == user or (known.shown and known.shown.owner == user):
                del self._answered[key]


def _about(reply: Reply) -> tuple[SharedFile, ...]:
    """The files of the pictures that an answer tells about, of all that were shown with them."""
    files = cast("tuple[SharedFile, ...]", reply.place or ())
    pictures = tuple(each for each in files if isinstance(each, PictureFile))
    places = [exchange.place for exchange in reply.exchanges]
    if places and len(pictures) == len(files) and max(places) < len(pictures):
        return tuple(pictures[place] for place in places)
    return pictures


def _told(file: SharedFile) -> dict[str, Any]:
    if not isinstance(file, PictureFile):
        return {}  # it has a number among the pictures
    return {"id": file.id, "size": file.size, "name": file.name, "still": file.still}


def _shown(found: Answered) -> Shown | None:
    return _files(found.about)


def _files(told: Any) -> Shown | None:
    if not told or not told["files"]:
        return None
    files = tuple(PictureFile(**each) if each else OtherFile("") for each in told["files"])
    return Shown(told["owner"], files)


def _is_by(parts: dict[int, Message], user: str) -> bool:
    authors = (part.sender_chat or part.from_user for part in parts.values())
    return any(author is not None and str(author.id) == user for author in authors)
