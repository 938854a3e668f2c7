"""What is remembered of conversations: last pictures, what each answer was about, whose turn it is.

A picture is kept for an hour from when it was sent, in memory only. An album is stored with
undecoded bytes and opened in place when it is first asked about, so that pictures nobody
asks about cost no computing.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Collection, Hashable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum

from cachetools import LRUCache, TTLCache

from bot.assistant.translation.translator import Translation
from bot.assistant.turns import Turns
from bot.assistant.types import Attachment, Conversation
from data.errors import ImageRefused
from data.images.open import Picture

PICTURE_SECONDS = 3600.0  # for which pictures are kept, here and by adapters
MAX_ANSWERS = 5000  # in the answer index

Entry = Attachment | Picture | ImageRefused


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
        place: Where the platform's adapter can fetch it again.
        translation: Of the question asked last, if that was in German and is known in English.
        language: That the words asking it were in, if that has to be the answer's; else "".
        turns: What a chat model is told of the conversation so far.
        numbers: By which people name the entries, from 1: what is no picture is counted, too.
        owner: Who showed it on the platform, as far as that is known, or "".
    """

    entries: list[Entry]
    current: int
    left_out: int = 0
    asked: tuple[tuple[int, ...], str | None] | None = None
    tries: int = 0
    number: str = ""
    own: bool = False
    place: Hashable = None
    translation: Translation | None = None
    language: str = ""
    turns: Turns = field(default_factory=Turns)
    numbers: tuple[int, ...] = ()
    owner: str = ""

    def __post_init__(self) -> None:
        """Number the entries as they come, where nobody counted what came between them."""
        self.numbers = self.numbers or tuple(range(1, len(self.entries) + 1))

    @property
    def bytes(self) -> int:
        """Memory held, near enough."""
        return sum(_size(entry) for entry in self.entries)

    def find(self, digests: Collection[str]) -> list[int]:
        """The places, from 0, of the pictures with these SHA-256 digests, as far as they are here.

        Bytes that were not opened yet are hashed for it.
        """
        here = self.digests
        return [here.index(digest) for digest in digests if digest in here]

    @property
    def digests(self) -> tuple[str, ...]:
        """SHA-256 of each picture, "" for those that cannot be opened."""
        return tuple("" if isinstance(each, ImageRefused) else each.digest for each in self.entries)


@dataclass(frozen=True)
class Answer:
    """An entry of the answer index: what one reply was about.

    Attributes:
        conversation: Who was answered, and where.
        asked_by: Who asked the question: somebody else, if another person presses "Try again".
        place: Where the platform's adapter can fetch its pictures again.
        digests: SHA-256 of each picture that it tells about; none if the model was not asked.
        question: As the model got it; None for a caption.
        translation: How that was translated, if it was asked in German.
        language: That the answer had to be in, because the words asking for it were; else "".
        owner: Who showed the pictures on the platform, as far as that is known, or "".
    """

    conversation: Conversation
    asked_by: str
    place: Hashable
    digests: tuple[str, ...] = ()
    question: str | None = None
    translation: Translation | None = None
    owner: str = ""
    language: str = ""


class Missing(Enum):
    """Why there is no picture."""

    NEVER = "none was sent, or it was forgotten on request"
    EXPIRED = "it was too old, or had to make room"


class Conversations:
    """Albums by conversation, and the index of answers about them; for one thread.

    Albums are kept within bounds of age, number and bytes, answers of age and number.

    Args:
        seconds: How long an album is kept after it was sent, and an answer in the index.
        conversations: How many albums are kept; the least recently used goes first.
        size: Bytes kept in all, in the same way; the newest album stays in any case.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        *,
        seconds: float = PICTURE_SECONDS,
        conversations: int = 200,
        size: int = 400_000_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.seconds = seconds
        self._conversations = conversations
        self._size = size
        self._clock = clock
        self._albums: OrderedDict[Conversation, tuple[float, Album]] = OrderedDict()
        self._gone: LRUCache[Conversation, None] = LRUCache(10 * conversations)
        self._answers: TTLCache[str, Answer] = TTLCache(MAX_ANSWERS, seconds, clock)

    def __len__(self) -> int:
        """Number of albums kept."""
        return len(self._albums)

    def remember(self, who: Conversation, album: Album) -> None:
        """Keep this album as the person's last one in the chat."""
        self._albums.pop(who, None)
        self._albums[who] = (self._clock(), album)
        self.purge()

    def recall(self, who: Conversation) -> Album | Missing:
        """The person's last album in this chat, else why there is none.

        What others showed there is theirs: who means one of those replies to it.
        """
        self.purge()
        if who in self._albums:
            self._albums.move_to_end(who)
            return self._albums[who][1]
        return Missing.EXPIRED if who in self._gone else Missing.NEVER

    def holds(self, who: Conversation, place: Hashable, digests: Collection[str] = ()) -> bool:
        """Whether a message without pictures would mean those shown at a place.

        Args:
            who: Would write it.
            place: As it came with the pictures.
            digests: Of pictures that have to be among them.
        """
        album = self.recall(who)
        if isinstance(album, Missing) or album.place != place:
            return False
        return not digests or len(album.find(digests)) == len(digests)

    def note_answer(self, number: str, answer: Answer) -> None:
        """Keep in the index what an answer was about."""
        self._answers[number] = answer

    def answer(self, number: str) -> Answer | None:
        """What an answer was about, if that is still known."""
        return self._answers.get(number)

    def owns(self, who: Conversation, album: Album) -> bool:
        """Whether `album` is this person's own."""
        return who in self._albums and self._albums[who][1] is album

    def forget(self, platform: str, user: str, chat: str | None = None) -> None:
        """Forget everything of one person on one platform, or in one chat of it.

        Pictures that they showed are theirs also where somebody else asked about them.
        """

        def meant(who: Conversation) -> bool:
            return (who.platform, who.user) == (platform, user) and chat in (None, who.chat)

        for who, (_, album) in list(self._albums.items()):
            if meant(who) or meant(who._replace(user=album.owner)):
                del self._albums[who]
        for who in filter(meant, list(self._gone)):
            del self._gone[who]
        for number, answer in list(self._answers.items()):
            who = answer.conversation
            if any(
                meant(who._replace(user=each)) for each in (who.user, answer.asked_by, answer.owner)
            ):
                del self._answers[number]

    def purge(self) -> None:
        """Drop what is too old or too much; every access does so, and a timer may."""
        self._answers.expire()
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
        return album.bytes


def _size(entry: Entry) -> int:
    if isinstance(entry, Attachment):
        return len(entry.content)
    if isinstance(entry, Picture):
        return entry.image.width * entry.image.height * 3  # RGB
    return 0


# --- one message at a time ------------------------------------------------------------------------


class TooManyWaitingError(RuntimeError):
    """This conversation already has as many messages waiting as are allowed."""


class _Turn:
    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.inside = 0


class TurnQueue:
    """One message at a time in each conversation, different conversations side by side.

    Turns come in the order of asking; nothing is kept for conversations at rest.

    Args:
        waiting: Messages of one conversation that may wait or be in work at once.
    """

    def __init__(self, waiting: int = 20) -> None:
        self._waiting = waiting
        self._queues: dict[Hashable, _Turn] = {}

    def __len__(self) -> int:
        """Number of conversations that someone is in or waits for."""
        return len(self._queues)

    @asynccontextmanager
    async def of(self, conversation: Hashable, *, patient: bool = False) -> AsyncIterator[None]:
        """Wait for this conversation's turn and hold it.

        Args:
            conversation: Whose.
            patient: However many wait: it was taken in before.

        Raises:
            TooManyWaitingError: At once, if too many wait already.
        """
        queue = self._queues.setdefault(conversation, _Turn())
        if queue.inside >= self._waiting and not patient:
            raise TooManyWaitingError
        queue.inside += 1
        try:
            async with queue.lock:
                yield
        finally:
            queue.inside -= 1
            if not queue.inside:
                del self._queues[conversation]
