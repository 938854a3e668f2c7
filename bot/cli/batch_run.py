"""Answering a stream of requests: read ahead, decoded and computed side by side, in order.

reader thread ─► decoder threads ─► engine ─► the caller, in the order of the lines
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from bot.assistant.objects import as_rows
from bot.assistant.types import AnswersPictures, ModelAnswer
from bot.cli.asking import wanted
from bot.cli.batch_lines import BadLineError, Request, parse
from bot.errors import error_sentence
from bot.errors import CommandError
from bot.cli.shelf import Shelf
from data.images.open import Picture
from model.errors import EngineBusy

_log = logging.getLogger(__name__)
_UNKNOWN = "Something went wrong with this line; --verbose shows the cause."
_DECODERS = 2  # as many as `data.images.sandbox` has processes


@dataclass(frozen=True)
class Row:
    """One line of output, and the bytes of input that are done with it."""

    values: dict[str, Any]
    size: int

    @property
    def failed(self) -> bool:
        """Whether it holds an error."""
        return "error" in self.values


@dataclass(frozen=True)
class _Job:
    """A line under way; its future gives the engine's future."""

    id: Any
    asked: Future[Future[ModelAnswer]]
    size: int


class Batch:
    """Answers lines of requests.

    Args:
        engine: Answers; while it is busy, this waits.
        open_picture: Opens a picture file.
        ahead: Lines under way at once, so that the engine can compute several together.
        objects: Whether to list the objects seen.
    """

    def __init__(
        self,
        engine: AnswersPictures,
        open_picture: Callable[[str], Picture],
        *,
        ahead: int = 64,
        objects: bool = False,
    ) -> None:
        self._engine = engine
        self._objects = objects
        self._shelf = Shelf(open_picture)
        self._jobs: queue.Queue[_Job | BaseException | None] = queue.Queue(ahead)
        self._decoders = ThreadPoolExecutor(_DECODERS, "glimpse-decode")
        self._stopping = threading.Event()

    def answers(self, lines: Iterable[tuple[bytes, int]]) -> Generator[Row, None, None]:
        """Answer lines, given with their sizes; no answer waits for a later line.

        Raises:
            OSError: The lines cannot be read any more.
        """
        reader = threading.Thread(
            target=self._read, args=[lines], name="glimpse-lines", daemon=True
        )
        reader.start()  # a daemon, because nothing ends the wait for a line that never comes
        try:
            while (job := self._jobs.get()) is not None:
                if isinstance(job, BaseException):
                    raise job
                yield self._row(job)
        finally:
            self._stop()

    def _read(self, lines: Iterable[tuple[bytes, int]]) -> None:
        """Start on every line; ends with None, or with what went wrong."""
        try:
            for line, size in lines:
                self._put(self._start(line, size))
            self._put(None)
        except BaseException as error:
            self._put(error)

    def _start(self, line: bytes, size: int) -> _Job:
        try:
            request = parse(line)
        except BadLineError as error:
            asked: Future[Future[ModelAnswer]] = Future()
            asked.set_exception(error)
            return _Job(error.id, asked, size)
        return _Job(request.id, self._decoders.submit(self._ask, request), size)

    def _ask(self, request: Request) -> Future[ModelAnswer]:
        """Open the picture and queue the question; waits while the engine's queue is full."""
        question = None if request.question is None else wanted(request.question)
        picture = self._shelf.get(request.image)
        while not self._stopping.is_set():
            try:
                return self._engine.submit(picture, question)
            except EngineBusy:
                self._stopping.wait(0.01)
        raise CancelledError

    def _row(self, job: _Job) -> Row:
        try:
            answer = job.asked.result().result()
        except Exception as error:
            if not isinstance(error, BadLineError | CommandError) and error_sentence(error) is None:
                _log.error("Line with id %r:", job.id, exc_info=error)
            sentence = str(error) if isinstance(error, BadLineError) else error_sentence(error)
            return Row({"id": job.id, "error": sentence or _UNKNOWN}, job.size)
        values = {
            "id": job.id,
            "answer": answer.text,
            "confidence": answer.confidence,
            "seconds": answer.seconds,
        }
        if self._objects:
            values["objects"] = as_rows(answer.objects)
        return Row(values, job.size)

    def _put(self, job: _Job | BaseException | None) -> None:
        while not self._stopping.is_set():
            try:
                return self._jobs.put(job, timeout=0.1)
            except queue.Full:
                continue
        return None

    def _stop(self) -> None:
        """Take back what nobody waits for any more."""
        self._stopping.set()
        self._decoders.shutdown(wait=True, cancel_futures=True)
        while not self._jobs.empty():
            job = self._jobs.get()
            if isinstance(job, _Job):
                job.asked.add_done_callback(_cancel_answer)


def _cancel_answer(asked: Future[Future[ModelAnswer]]) -> None:
    if not asked.cancelled() and asked.exception() is None:
        asked.result().cancel()
