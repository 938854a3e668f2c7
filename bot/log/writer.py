"""The thread that writes the log, whatever happens to the database."""

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

from bot.errors import LogError
from bot.log.recovery import failure_sentence, is_database, put_aside, remove_aside
from bot.log.schema import open_to_write, transaction
from bot.log.store import Store

QUEUE_SIZE = 20_000  # things to write that are held while the database cannot be written
BATCH_SIZE = 500  # written in one transaction
RETRIES = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)  # seconds between attempts
MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0  # seconds
CLOSE_SECONDS = 6.0  # seconds that writing what is left may take
HELD = "Exchanges are held until then."
DAMAGE_SIGNS = ("malformed", "not a database", "disk image")

_TASK_ERRORS = (sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.DataError)

_log = logging.getLogger(__name__)


@dataclass
class _Task:
    """Something to write, and its result once it is committed."""

    write: Callable[[Store], Any]
    done: Future[Any] = field(default_factory=Future)


class Writer:
    """Writes what it is given in a thread of its own; never delays or fails who calls it.

    What cannot be written now is held and written later; a damaged database is put aside, and
    another one begun. What is too old is erased once a day.

    Args:
        path: The database.
        store: What writes rows into an open database.
        days: How long exchanges are kept.
        said: Why nothing can be written, as the operator has been told already; else "".

    Attributes:
        error_text: Why nothing can be written at the moment, in the words of what failed, or "".
        reason: The same in a sentence of ours, which names no path.
        failures: How many things were given up.
        written: Whether something was committed at least once.
    """

    def __init__(
        self, path: Path, store: Callable[[Database], Store], days: float, said: str = ""
    ) -> None:
        self.path, self.days, self.error_text, self.reason = path, days, "", ""
        self.failures, self.written = 0, False
        self._store_in, self._said = store, said
        self._queue: queue.Queue[_Task | None] = queue.Queue(QUEUE_SIZE)
        self._store: Store | None = None
        self._db: Database | None = None
        self._lost = self._in_progress = self._given_up = 0
        self._purge_at = self._checkpoint_at = 0.0  # of the monotonic clock
        self._optimizes = False  # its index has still to be tidied
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._work, name="glimpse-log", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """How many things are not written yet, near enough."""
        return self._queue.qsize() + self._in_progress

    def close(self) -> None:
        """Write what is left, as far as that is possible at once, and stop."""
        self._closing.set()
        with contextlib.suppress(queue.Full):
            self._queue.put_nowait(None)
        self._thread.join(CLOSE_SECONDS)
        if self._thread.is_alive():
            self.failures += self.waiting
            _log.error("%d things were not logged", self.waiting)

    def put(self, write: Callable[[Store], Any]) -> Future[Any]:
        """Write something; the future is done, with what that gives, when it is committed."""
        task = _Task(write)
        task.done.set_running_or_notify_cancel()  # nobody can cancel it any more
        try:
            self._queue.put_nowait(task)
        except queue.Full:
            self._lost += 1
            self.failures += 1
            task.done.set_exception(LogError("The log has no room."))
        return task.done

    # -- the thread ------------------------------------------------------------------------

    def _work(self) -> None:
        while (tasks := self._next()) is not None:
            self._write_all(tasks)
            del tasks  # which may hold pictures, while waiting for the next
        if self._given_up:
            _log.error("%d things were not logged. %s", self._given_up, self.reason)
        if self._db is not None:
            self._db.close()

    def _next(self) -> list[_Task] | None:
        """What waits, and once a day what is too old; None for the end."""
        tasks: list[_Task] = []
        if self._optimizes and self._store:  # those who waited for it know by now
            self._optimizes = False
            self._best_effort(self._store.optimize_index)
        self._best_effort(self._checkpoint)
        if time.monotonic() > self._purge_at:
            self._purge_at = time.monotonic() + DAY
            tasks.append(self._purge_task())
            self._best_effort(lambda: remove_aside(self.path, self.days))
        with contextlib.suppress(queue.Empty):
            wait = not (tasks or self._closing.is_set())
            patience = MINUTE if self._store and self._store.needs_checkpoint else HOUR
            first = self._queue.get(timeout=patience) if wait else self._queue.get_nowait()
            while True:
                if first is not None:
                    tasks.append(first)
                if len(tasks) >= BATCH_SIZE:
                    break
                first = self._queue.get_nowait()
        return tasks or (None if self._closing.is_set() else [])

    def _best_effort(self, tidy: Callable[[], None]) -> None:
        """Do what can be left to another time."""
        try:
            tidy()
        except (OSError, sqlite3.Error) as error:
            _log.warning("The log could not be tidied (%s)", type(error).__name__)

    def _purge_task(self) -> _Task:
        before = datetime.now(UTC) - timedelta(days=self.days)
        return _Task(lambda store: store.purge(before))

    def _write_all(self, tasks: list[_Task]) -> None:
        """Write in one transaction, as often as it takes."""
        self._in_progress, attempt = len(tasks), 0
        while tasks:
            try:
                results = self._attempt(tasks)
            except Exception as error:  # this thread must not end before the log does
                if self._replace_damaged(error):
                    continue
                self._report(error)
                if self._closing.wait(RETRIES[min(attempt, len(RETRIES) - 1)]) and attempt > 2:
                    self._give_up(tasks)
                    return
                attempt += 1
                continue
            self._in_progress, self.written = 0, True
            self._report_recovery()
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
        with transaction(db):
            results = [self._result(task) for task in tasks]
        self._optimizes, store.needs_optimize = self._optimizes or store.needs_optimize, False
        self._best_effort(self._checkpoint)  # what was written is committed in any case
        return results

    def _checkpoint(self) -> None:
        """Leave nothing erased beside the database; tried again while others read all the time."""
        if self._store and self._store.needs_checkpoint and time.monotonic() >= self._checkpoint_at:
            self._store.checkpoint()
            self._checkpoint_at = time.monotonic() + MINUTE if self._store.needs_checkpoint else 0.0

    def _result(self, task: _Task) -> Any:
        """What a task gives; its own mistake does not spoil others."""
        assert self._db is not None
        assert self._store is not None
        try:
            with self._db.atomic():  # nested: a savepoint
                return task.write(self._store)
        except sqlite3.Error as error:
            if not isinstance(error, _TASK_ERRORS):
                raise  # the database failed, not this task
            return self._failed(error)
        except Exception as error:
            return self._failed(error)

    def _failed(self, error: Exception) -> Exception:
        self.failures += 1
        _log.error("Something could not be logged", exc_info=error)
        return error

    def _open(self) -> None:
        self._shut()
        self._db = open_to_write(self.path)
        self._store = self._store_in(self._db)

    def _shut(self) -> None:
        if self._db is not None:
            with contextlib.suppress(sqlite3.Error):
                self._db.close()
        self._db = self._store = None

    def _replace_damaged(self, error: Exception) -> bool:
        """Put a damaged database aside; returns whether there is hope now."""
        self._shut()
        signs = any(sign in str(error) for sign in DAMAGE_SIGNS)
        if not (isinstance(error, sqlite3.DatabaseError) and signs and is_database(self.path)):
            return False
        try:
            aside, opted_out = put_aside(self.path)
            self._open()
        except (OSError, sqlite3.Error):
            return False
        assert self._store is not None
        self._store.consents.opt_out(opted_out)
        _log.error("The log was damaged; it is kept as %s, and a new one begun", aside.name)
        return True

    def _report(self, error: Exception) -> None:
        reason = failure_sentence(self.path, error)
        if not self.error_text and reason != self._said:
            _log.error("%s %s", reason, HELD)
        self._said = ""
        self.error_text, self.reason = str(error) or type(error).__name__, reason

    def _report_recovery(self) -> None:
        if self.error_text:
            _log.warning("The log can be written again")
        self.error_text = self.reason = ""
        if self._lost:
            _log.error("%d things were not logged, for there was no room", self._lost)
            self._lost = 0

    def _give_up(self, tasks: list[_Task]) -> None:
        """At the end; how many were given up in all is said once."""
        self.failures += len(tasks)
        self._in_progress, self._given_up = 0, self._given_up + len(tasks)
        for task in tasks:
            task.done.set_exception(LogError("The log cannot be written."))
