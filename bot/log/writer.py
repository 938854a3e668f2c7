"""The log: takes what happened without waiting, and writes it in a thread of its own."""

from __future__ import annotations

import contextlib
import logging
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from bot.log.damage import is_database, put_aside, remove_aside
from bot.log.hashing import Hasher
from bot.log.pictures import PictureCipher
from bot.log.records import Record, without_pictures
from bot.log.schema import LogError, open_to_write
from bot.log.store import Erased, Made, Store
from bot.log.wishes import Kept
from bot.messages import Rating

ROOM = 20_000  # things to write that are held while the database cannot be written
PICTURES = 50  # that are held likewise, in memory
BATCH = 500  # written in one transaction
RETRIES = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)  # seconds between attempts
HOUR, DAY = 3600.0, 86_400.0  # seconds
CLOSING = 6.0  # seconds that writing what is left may take
DAMAGED = ("malformed", "not a database", "disk image")

_ITS_OWN = (sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.DataError)

_log = logging.getLogger(__name__)


@dataclass
class _Task:
    """Something to write, and its result once it is committed."""

    write: Callable[[Store], Any]
    done: Future[Any] = field(default_factory=Future)


class Log:
    """Keeps exchanges and ratings in a database; never delays or fails who calls it.

    What cannot be written now is held and written later; a damaged database is put aside, and
    another one begun. What is too old is erased once a day.

    Args:
        path: The database.
        key: Of the hashes that stand for people.
        made: What answers.
        days: How long exchanges are kept.
        cipher: Encrypts the pictures of who allows that they are kept; None to keep nobody's.

    Attributes:
        trouble: Why nothing can be written at the moment, or "".
    """

    def __init__(
        self,
        path: Path,
        key: bytes,
        made: Made = Made(),  # noqa: B008
        days: float = 30,
        cipher: PictureCipher | None = None,
    ) -> None:
        self.path, self.days, self.cipher, self.trouble = path, days, cipher, ""
        self._pictures = threading.Semaphore(PICTURES)
        self._languages: dict[str, str] = {}
        self._hasher, self._made = Hasher(key), made
        self._queue: queue.Queue[_Task | None] = queue.Queue(ROOM)
        self._store: Store | None = None
        self._db: Database | None = None
        self._lost = self._at_hand = 0
        self._purges_at = 0.0  # of the monotonic clock
        self._purged = False  # its index has still to be tidied
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._work, name="glimpse-log", daemon=True)
        self._thread.start()

    def record(self, record: Record) -> Future[None]:
        """Keep a message and its reply; the future is done when that is committed.

        Pictures are left out while too many wait to be written.
        """
        if self.cipher is None or not self._pictures.acquire(blocking=False):
            record = without_pictures(record)
            return self._put(lambda store: store.record(record))
        done = self._put(lambda store: store.record(record))
        done.add_done_callback(lambda _: self._pictures.release())
        return done

    def rate(self, rating: Rating) -> Future[None]:
        """Keep what a person thinks of an answer."""
        at = datetime.now(UTC)
        return self._put(lambda store: store.rate(rating, at))

    def wished(self, platform: str, user: str) -> Future[Kept]:
        """What is kept of a person."""
        return self._put(lambda store: store.wished(platform, user))

    def set_logged(self, platform: str, user: str, *, logged: bool) -> Future[None]:
        """Keep whether a person's exchanges may be kept."""
        return self._put(lambda store: store.set_logged(platform, user, logged=logged))

    def set_sharing(self, platform: str, user: str, *, shares: bool) -> Future[None]:
        """Keep that a person's pictures may be kept; or erase those that are, and keep no more."""
        at = datetime.now(UTC) if shares else None
        return self._put(lambda store: store.set_sharing(platform, user, at))

    def language(self, platform: str, user: str) -> str:
        """The language that a person chose, at once; "" for none that is known."""
        return self._languages.get(self._hasher("person", platform, user), "")

    def choose(self, platform: str, user: str, language: str) -> Future[None]:
        """Keep the language that a person chose; "" for that of their device."""
        who = self._hasher("person", platform, user)
        self._languages[who] = language
        return self._put(lambda store: store.wishes.choose(who, language))

    def forget(self, platform: str, user: str) -> Future[Erased]:
        """Erase everything of a person on a platform; gives how many rows that was."""
        who = self._hasher("person", platform, user)
        self._languages.pop(who, None)
        done = self._put(lambda store: store.forget(platform, user))
        # Opening the database meanwhile may have brought it back.
        done.add_done_callback(lambda _: self._languages.pop(who, None))
        return done

    def close(self) -> None:
        """Write what is left, as far as that is possible at once, and stop."""
        self._closing.set()
        with contextlib.suppress(queue.Full):
            self._queue.put_nowait(None)
        self._thread.join(CLOSING)
        if self._thread.is_alive():
            _log.error("%d things were not logged", self._queue.qsize() + self._at_hand)

    def _put(self, write: Callable[[Store], Any]) -> Future[Any]:
        task = _Task(write)
        task.done.set_running_or_notify_cancel()  # nobody can cancel it any more
        try:
            self._queue.put_nowait(task)
        except queue.Full:
            self._lost += 1
            task.done.set_exception(LogError("The log has no room."))
        return task.done

    # -- the thread ------------------------------------------------------------------------

    def _work(self) -> None:
        while (tasks := self._next()) is not None:
            self._write_all(tasks)
        if self._db is not None:
            self._db.close()

    def _next(self) -> list[_Task] | None:
        """What waits, and once a day what is too old; None for the end."""
        tasks: list[_Task] = []
        if self._purged and self._store:  # those who waited for it know by now
            self._purged = False
            self._quietly(self._store.tidy_index)
        if time.monotonic() > self._purges_at:
            self._purges_at = time.monotonic() + DAY
            tasks.append(self._purging())
            self._quietly(lambda: remove_aside(self.path, self.days))
        with contextlib.suppress(queue.Empty):
            wait = not (tasks or self._closing.is_set())
            first = self._queue.get(timeout=HOUR) if wait else self._queue.get_nowait()
            while True:
                if first is not None:
                    tasks.append(first)
                if len(tasks) >= BATCH:
                    break
                first = self._queue.get_nowait()
        return tasks or (None if self._closing.is_set() else [])

    def _quietly(self, tidy: Callable[[], None]) -> None:
        """Do what can be left to another time."""
        try:
            tidy()
        except (OSError, sqlite3.Error) as error:
            _log.warning("The log could not be tidied (%s)", type(error).__name__)

    def _purging(self) -> _Task:
        before = datetime.now(UTC) - timedelta(days=self.days)
        return _Task(lambda store: store.purge(before))

    def _write_all(self, tasks: list[_Task]) -> None:
        """Write in one transaction, as often as it takes."""
        self._at_hand, attempt = len(tasks), 0
        while tasks:
            try:
                results = self._attempt(tasks)
            except Exception as error:  # this thread must not end before the log does
                if self._begin_anew(error):
                    continue
                self._complain(error)
                if self._closing.wait(RETRIES[min(attempt, len(RETRIES) - 1)]) and attempt > 2:
                    self._give_up(tasks, error)
                    return
                attempt += 1
                continue
            self._at_hand = 0
            self._recovered()
            for task, result in zip(tasks, results, strict=True):
                if isinstance(result, Exception):
                    task.done.set_exception(result)
                else:
                    task.done.set_result(result)
            return

    def _attempt(self, tasks: list[_Task]) -> list[Any]:
        """The results of all tasks, whose changes are then committed."""
        if self._db is None or self._store is None or not self.path.exists():
            self._open()
        db, store = self._db, self._store
        assert db is not None
        assert store is not None
        with db.atomic():
            results = [self._result(task) for task in tasks]
        if store.settles:
            store.settle()
            self._purged = True
        return results

    def _result(self, task: _Task) -> Any:
        """What a task gives; its own mistake does not spoil others."""
        assert self._db is not None
        assert self._store is not None
        try:
            with self._db.atomic():  # nested: a savepoint
                return task.write(self._store)
        except sqlite3.Error as error:
            if not isinstance(error, _ITS_OWN):
                raise  # the database's trouble, not this task's
            return self._spoilt(error)
        except Exception as error:
            return self._spoilt(error)

    def _spoilt(self, error: Exception) -> Exception:
        _log.error("Something could not be logged", exc_info=error)
        return error

    def _open(self) -> None:
        self._shut()
        self._db = open_to_write(self.path)
        self._store = Store(self._db, self._hasher, self._made, self.cipher)
        for who, language in self._store.wishes.languages().items():
            self._languages.setdefault(who, language)

    def _shut(self) -> None:
        if self._db is not None:
            with contextlib.suppress(sqlite3.Error):
                self._db.close()
        self._db = self._store = None

    def _begin_anew(self, error: Exception) -> bool:
        """Put a damaged database aside; returns whether there is hope now."""
        self._shut()
        signs = any(sign in str(error) for sign in DAMAGED)
        if not (isinstance(error, sqlite3.DatabaseError) and signs and is_database(self.path)):
            return False
        try:
            aside, wishes = put_aside(self.path)
            self._open()
        except (OSError, sqlite3.Error):
            return False
        assert self._store is not None
        self._store.wishes.adopt(wishes)
        _log.error("The log was damaged; it is kept as %s, and a new one begun", aside.name)
        return True

    def _complain(self, error: Exception) -> None:
        if not self.trouble:
            _log.error("The log cannot be written (%s); exchanges are held until it can", error)
        self.trouble = str(error)

    def _recovered(self) -> None:
        if self.trouble:
            _log.warning("The log can be written again")
        self.trouble = ""
        if self._lost:
            _log.error("%d things were not logged, for there was no room", self._lost)
            self._lost = 0

    def _give_up(self, tasks: list[_Task], error: Exception) -> None:
        _log.error("%d things were not logged (%s)", len(tasks) + self._queue.qsize(), error)
        for task in tasks:
            task.done.set_exception(LogError("The log cannot be written."))
