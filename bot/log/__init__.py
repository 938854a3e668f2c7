"""Every exchange in SQLite: people by keyed hashes, pictures only of who allows it.

The `Log` takes what happened without waiting; `bot.log.writer` writes it in a thread.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future
from datetime import UTC, datetime
from pathlib import Path

from sqlite_utils import Database

from bot.assistant.types import Rating
from bot.log.consent import Consent, ConsentCache
from bot.log.privacy import Hasher, PictureCipher
from bot.log.spending import Spending
from bot.log.store import Erased, ModelVersion, Record, Store, without_pictures
from bot.log.writer import Writer
from model.requests import Usage

__all__ = ["Consent", "Erased", "Log", "ModelVersion", "Record"]

WAITING_PICTURES = 50  # that are held, in memory, while they cannot be written


class Log:
    """Keeps exchanges, ratings and choices in a database; never delays or fails who calls it.

    Args:
        path: The database.
        key: Of the hashes that stand for people.
        model: What answers.
        days: How long exchanges are kept.
        cipher: Encrypts the pictures of who allows that they are kept; None to keep nobody's.
        said: Why it cannot be written, as the operator has been told already; else "".
        others: What else may answer.

    Attributes:
        writer: Writes it, and tells how that goes.
    """

    def __init__(
        self,
        path: Path,
        key: bytes,
        model: ModelVersion = ModelVersion(),  # noqa: B008
        days: float = 30,
        cipher: PictureCipher | None = None,
        *,
        said: str = "",
        others: Sequence[ModelVersion] = (),
    ) -> None:
        self.path, self.days, self.cipher = path, days, cipher
        self._waiting_pictures, self._lock = 0, threading.Lock()
        self._consents, self._spending = ConsentCache(), Spending()
        self._hasher, self._model, self._others = Hasher(key), model, others
        self.writer = Writer(path, self._store_in, days, said)

    def record(self, record: Record) -> Future[None]:
        """Keep a message and its reply; the future is done when that is committed.

        Pictures are those of people who share them, and left out while too many wait.
        """
        count = sum(exchange.picture is not None for exchange in record.exchanges)
        shares = count and self.cipher and self.shares(record.platform, record.user)
        if not shares or not self._reserve(count):
            record = without_pictures(record)
            return self.writer.put(lambda store: store.record(record))
        done = self.writer.put(lambda store: store.record(record))
        done.add_done_callback(lambda _: self._reserve(-count))
        return done

    def rate(self, rating: Rating) -> Future[None]:
        """Keep what a person thinks of an answer."""
        at = datetime.now(UTC)
        return self.writer.put(lambda store: store.rate(rating, at))

    def consent(self, platform: str, user: str) -> Future[Consent]:
        """What is kept of a person."""
        return self.writer.put(lambda store: store.consent(platform, user))

    def knows(self, platform: str, user: str) -> Future[bool]:
        """Whether anything is kept of a person, be it that nothing may be."""
        return self.writer.put(lambda store: store.knows(platform, user))

    def secret(self, purpose: str) -> bytes:
        """A secret for another purpose, made of the key of the hashes and as lasting as that."""
        return bytes.fromhex(self._hasher("secret", purpose, ""))

    def shares(self, platform: str, user: str) -> bool:
        """Whether a person allows that their pictures are kept, as far as is known at once."""
        return self._who(platform, user) in self._consents.sharing

    def language(self, platform: str, user: str) -> str:
        """The language that a person chose, likewise; "" for that of their device."""
        return self._consents.languages.get(self._who(platform, user), "")

    def set_logged(self, platform: str, user: str, *, logged: bool) -> Future[None]:
        """Keep whether a person's exchanges may be kept."""
        if not logged:
            self._consents.set_sharing(self._who(platform, user), False)
        return self.writer.put(lambda store: store.set_logged(platform, user, logged=logged))

    def set_sharing(self, platform: str, user: str, *, shares: bool) -> Future[None]:
        """Keep that a person's pictures may be kept; or erase those that are, and keep no more."""
        self._consents.set_sharing(self._who(platform, user), shares)
        at = datetime.now(UTC) if shares else None
        return self.writer.put(lambda store: store.set_sharing(platform, user, at))

    def set_language(self, platform: str, user: str, language: str) -> Future[None]:
        """Keep the language that a person chose; "" for that of their device."""
        who = self._who(platform, user)
        self._consents.set_language(who, language)
        return self.writer.put(lambda store: store.consents.set_language(who, language))

    def profile(self, platform: str, user: str) -> str:
        """The model that a person chose, as far as is known at once; "" for the usual one."""
        return self._consents.profiles.get(self._who(platform, user), "")

    def set_profile(self, platform: str, user: str, profile: str) -> Future[None]:
        """Keep which model a person chose; "" for the usual one."""
        who = self._who(platform, user)
        self._consents.set_profile(who, profile)
        return self.writer.put(lambda store: store.consents.set_profile(who, profile))

    def spent(self, platform: str, user: str, profile: str) -> tuple[Usage, Usage]:
        """What a person, and what everybody spent today with a profile, as far as is known."""
        return self._spending.of(self._who(platform, user), profile)

    def spend(self, platform: str, user: str, profile: str, usage: Usage) -> Future[None]:
        """Count what an answer cost."""
        who = self._who(platform, user)
        day = self._spending.add(who, profile, usage)
        return self.writer.put(lambda store: store.spend(day, who, profile, usage))

    def forget(self, platform: str, user: str) -> Future[Erased]:
        """Erase everything of a person on a platform; gives how many rows that was."""
        self._consents.forget(self._who(platform, user))
        return self.writer.put(lambda store: store.forget(platform, user))

    def close(self) -> None:
        """Write what is left, as far as that is possible at once, and stop."""
        self.writer.close()

    def _who(self, platform: str, user: str) -> str:
        return self._hasher("person", platform, user)

    def _reserve(self, pictures: int) -> bool:
        """Count pictures that wait, unless they would be too many."""
        with self._lock:
            fits = self._waiting_pictures + pictures <= WAITING_PICTURES
            self._waiting_pictures += pictures if fits else 0
        return fits

    def _store_in(self, db: Database) -> Store:
        store = Store(db, self._hasher, self._model, self.cipher, self._others)
        self._consents.load(store.consents)
        self._spending.load(store.spending.of)
        return store
