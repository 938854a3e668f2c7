"""The log: takes what happened without waiting, for `bot.log.writer` to write it."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from datetime import UTC, datetime
from pathlib import Path

from sqlite_utils import Database

from bot.assistant.types import Rating
from bot.log.consent import Kept, Known
from bot.log.pictures import PictureCipher
from bot.log.privacy import Hasher
from bot.log.records import Record, without_pictures
from bot.log.store import Erased, Made, Store
from bot.log.writer import Writer

PICTURES = 50  # that are held, in memory, while they cannot be written


class Log:
    """Keeps exchanges, ratings and wishes in a database; never delays or fails who calls it.

    Args:
        path: The database.
        key: Of the hashes that stand for people.
        made: What answers.
        days: How long exchanges are kept.
        cipher: Encrypts the pictures of who allows that they are kept; None to keep nobody's.
    """

    def __init__(
        self,
        path: Path,
        key: bytes,
        made: Made = Made(),  # noqa: B008
        days: float = 30,
        cipher: PictureCipher | None = None,
    ) -> None:
        self.path, self.days, self.cipher = path, days, cipher
        self._pictures, self._counting = 0, threading.Lock()
        self._known = Known()
        self._hasher, self._made = Hasher(key), made
        self._writer = Writer(path, self._store_in, days)

    @property
    def trouble(self) -> str:
        """Why nothing can be written at the moment, in the words of what failed, or ""."""
        return self._writer.trouble

    @property
    def reason(self) -> str:
        """The same in one or two plain sentences, which name no path."""
        return self._writer.reason

    @property
    def written(self) -> bool:
        """Whether the database was written at least once."""
        return self._writer.written

    @property
    def waiting(self) -> int:
        """How many things are not written yet."""
        return self._writer.waiting

    @property
    def failures(self) -> int:
        """How many things were never written."""
        return self._writer.failures

    def record(self, record: Record) -> Future[None]:
        """Keep a message and its reply; the future is done when that is committed.

        Pictures are those of people who share them, and left out while too many wait.
        """
        count = sum(exchange.picture is not None for exchange in record.exchanges)
        shares = count and self.cipher and self.shares(record.platform, record.user)
        if not shares or not self._make_room(count):
            record = without_pictures(record)
            return self._writer.put(lambda store: store.record(record))
        done = self._writer.put(lambda store: store.record(record))
        done.add_done_callback(lambda _: self._make_room(-count))
        return done

    def rate(self, rating: Rating) -> Future[None]:
        """Keep what a person thinks of an answer."""
        at = datetime.now(UTC)
        return self._writer.put(lambda store: store.rate(rating, at))

    def wished(self, platform: str, user: str) -> Future[Kept]:
        """What is kept of a person."""
        return self._writer.put(lambda store: store.wished(platform, user))

    def shares(self, platform: str, user: str) -> bool:
        """Whether a person allows that their pictures are kept, as far as is known at once."""
        return self._who(platform, user) in self._known.sharing

    def language(self, platform: str, user: str) -> str:
        """The language that a person chose, likewise; "" for that of their device."""
        return self._known.languages.get(self._who(platform, user), "")

    def set_logged(self, platform: str, user: str, *, logged: bool) -> Future[None]:
        """Keep whether a person's exchanges may be kept."""
        if not logged:
            self._known.share(self._who(platform, user), False)
        return self._writer.put(lambda store: store.set_logged(platform, user, logged=logged))

    def set_sharing(self, platform: str, user: str, *, shares: bool) -> Future[None]:
        """Keep that a person's pictures may be kept; or erase those that are, and keep no more."""
        self._known.share(self._who(platform, user), shares)
        at = datetime.now(UTC) if shares else None
        return self._writer.put(lambda store: store.set_sharing(platform, user, at))

    def choose(self, platform: str, user: str, language: str) -> Future[None]:
        """Keep the language that a person chose; "" for that of their device."""
        who = self._who(platform, user)
        self._known.speak(who, language)
        return self._writer.put(lambda store: store.wishes.choose(who, language))

    def forget(self, platform: str, user: str) -> Future[Erased]:
        """Erase everything of a person on a platform; gives how many rows that was."""
        self._known.forget(self._who(platform, user))
        return self._writer.put(lambda store: store.forget(platform, user))

    def close(self) -> None:
        """Write what is left, as far as that is possible at once, and stop."""
        self._writer.close()

    def _who(self, platform: str, user: str) -> str:
        return self._hasher("person", platform, user)

    def _make_room(self, pictures: int) -> bool:
        """Count pictures that wait, unless they would be too many."""
        with self._counting:
            fits = self._pictures + pictures <= PICTURES
            self._pictures += pictures if fits else 0
        return fits

    def _store_in(self, db: Database) -> Store:
        store = Store(db, self._hasher, self._made, self.cipher)
        self._known.learn(store.wishes)
        return store
