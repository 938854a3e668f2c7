"""The last pictures of each person in each chat, for questions that bring none.

A picture is kept for an hour from when it was sent, in memory only. An album is stored with
undecoded bytes and opened in place when it is first asked about, so that pictures nobody
asks about cost no computing.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from bot.messages import Attachment
from bot.translation.questions import Translation
from data.images import ImageRefused, Picture

Entry = Attachment | Picture | ImageRefused


class Conversation(NamedTuple):
    """One person in one chat of one platform."""

    platform: str
    chat: str
    user: str


@dataclass(eq=False)
class Album:
    """The pictures of one message; entries are replaced by what opening them gives.

    Attributes:
        entries: In the order sent.
        current: Place (from 0) of the picture that a follow-up question means.
        left_out: How many more were sent than are looked at.
        asked: What was asked last: the places of the pictures, and the question or None.
        tries: How often that was answered in another way.
        number: Of the last reply about it, or "".
        own: Whether the person sent it, rather than replied to it.
        said: The question asked last as the person put it, if that was in German.
        translation: How it was translated.
    """

    entries: list[Entry]
    current: int
    left_out: int = 0
    asked: tuple[tuple[int, ...], str | None] | None = None
    tries: int = 0
    number: str = ""
    own: bool = False
    said: str = ""
    translation: Translation | None = None

    @property
    def bytes(self) -> int:
        """Memory held, near enough."""
        return sum(_size(entry) for entry in self.entries)


class Gone(Enum):
    """Why there is no picture."""

    NEVER = "none was sent, or it was forgotten on request"
    EXPIRED = "it was too old, or had to make room"


class Memory:
    """Albums by conversation, within bounds of age, number and bytes; for one thread.

    Args:
        seconds: How long an album is kept after it was sent.
        conversations: How many albums are kept; the least recently used goes first.
        size: Bytes kept in all, in the same way; the newest album stays in any case.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        *,
        seconds: float = 3600.0,
        conversations: int = 200,
        size: int = 400_000_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.seconds = seconds
        self._conversations = conversations
        self._size = size
        self._clock = clock
        self._albums: OrderedDict[Conversation, tuple[float, Album]] = OrderedDict()
        self._last_in_chat: dict[tuple[str, str], Conversation] = {}
        self._gone: OrderedDict[Conversation, None] = OrderedDict()

    def __len__(self) -> int:
        """Number of albums kept."""
        return len(self._albums)

    def remember(self, who: Conversation, album: Album) -> None:
        """Keep this album as the person's last one in the chat, and as the chat's last one."""
        self._albums.pop(who, None)
        self._albums[who] = (self._clock(), album)
        self._last_in_chat[who.platform, who.chat] = who
        self.purge()

    def recall(self, who: Conversation) -> Album | Gone:
        """The person's last album in this chat, else the chat's last, else why there is none."""
        self.purge()
        chats_last = self._last_in_chat.get((who.platform, who.chat), who)
        for owner in (who, chats_last):
            if owner in self._albums:
                self._albums.move_to_end(owner)
                return self._albums[owner][1]
        return Gone.EXPIRED if who in self._gone or chats_last in self._gone else Gone.NEVER

    def has(self, who: Conversation) -> bool:
        """Whether an album of this person's own is kept in this chat."""
        self.purge()
        return who in self._albums

    def owns(self, who: Conversation, album: Album) -> bool:
        """Whether `album` is this person's own."""
        return who in self._albums and self._albums[who][1] is album

    def forget(self, platform: str, user: str, chat: str | None = None) -> None:
        """Forget everything of one person on one platform, or in one chat of it."""

        def meant(who: Conversation) -> bool:
            return (who.platform, who.user) == (platform, user) and chat in (None, who.chat)

        for held in (self._albums, self._gone):
            for who in filter(meant, list(held)):
                del held[who]
        self._forget_chats(meant)

    def purge(self) -> None:
        """Drop what is too old or too much; every access does so, and a timer may."""
        oldest = self._clock() - self.seconds
        for who in [who for who, (sent, _) in self._albums.items() if sent <= oldest]:
            self._drop(who)
        held = sum(album.bytes for _, album in self._albums.values())
        while len(self._albums) > 1 and (
            held > self._size or len(self._albums) > self._conversations
        ):
            held -= self._drop(next(iter(self._albums)))

    def _drop(self, who: Conversation) -> int:
        """Free one album, and remember only that there was one."""
        _, album = self._albums.pop(who)
        self._gone[who] = None
        while len(self._gone) > 10 * self._conversations:
            self._gone.popitem(last=False)
        # Chats need no entry of their own once nobody in them is known any more.
        self._forget_chats(lambda owner: owner not in self._albums and owner not in self._gone)
        return album.bytes

    def _forget_chats(self, matches: Callable[[Conversation], bool]) -> None:
        for chat in [chat for chat, owner in self._last_in_chat.items() if matches(owner)]:
            del self._last_in_chat[chat]


def _size(entry: Entry) -> int:
    if isinstance(entry, Attachment):
        return len(entry.content)
    if isinstance(entry, Picture):
        return entry.image.width * entry.image.height * 3  # RGB
    return 0
