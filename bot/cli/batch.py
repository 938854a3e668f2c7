"""`glimpse batch`: many requests in one process, JSON lines in and out, in order.

reader thread ─► decoder threads ─► engine ─► standard output, in the order of the lines
"""

from __future__ import annotations

import io
import json
import logging
import os
import queue
import stat
import sys
import threading
from collections.abc import Callable, Generator, Hashable, Iterable, Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from bot.assistant.types import ModelAnswer, PictureEngine
from bot.cli.ask import question_intent
from bot.cli.context import AppContext, profile_option, standard
from bot.cli.terminal import Reporter, progress, saying_when_stopped
from bot.errors import CommandError, GlimpseError, error_sentence
from data.images.open import Picture
from model.errors import EngineBusy

if TYPE_CHECKING:
    from model.requests import Capabilities

MAX_LINE = 1_000_000  # bytes
_EXAMPLE = '{"id": 1, "image": "photo.jpg", "question": null}'
_UNKNOWN = "Something went wrong with this line; --verbose shows the cause."
_TOGETHER = 16  # pictures; twice as many gain 5 % and take 160 MB more
_DECODERS = 2  # as many as `data.images.sandbox` has processes

_log = logging.getLogger(__name__)


@click.command(
    epilog="Example: glimpse batch --objects < requests.jsonl > answers.jsonl",
    short_help="Answer many requests, as JSON lines.",
)
@click.option("--objects", is_flag=True, help="List the objects seen in each photo as well.")
@click.option("--threads", type=click.IntRange(1, 1024), help="CPU cores. [default: all]")
@profile_option
@standard
@click.pass_obj
def batch(app: AppContext, objects: bool, threads: int | None, profile: str | None) -> None:
    """Read requests from standard input, and write one line for each, in order, as it is ready.

    \b
    In:  {"id": anything, "image": path, "question": text, or null for a caption}
    Out: {"id", "answer", "confidence", "seconds"}, or {"id", "error"}

    \b
    With --objects each answer has "objects", too: [{"name": "dog", "score": 0.93,
    "box": [0.1, 0.2, 0.5, 0.9]}], the surest first; a box is left, top, right, bottom
    in shares of the photo.

    Exit status: 0 if every line was answered, 1 if some were not, 2 for bad usage.
    """
    source = _private_stdin()
    from model.requests import EngineLimits

    sink = _whole_lines(sys.stdout.buffer)
    # Nobody waits for one answer: the more are written together, the less each takes.
    together = EngineLimits(batch=_TOGETHER, new_pictures=_TOGETHER, pictures=_TOGETHER)
    failed = written = 0
    with (
        saying_when_stopped(
            lambda: f"Stopped; lines answered so far: {written}, each of them whole."
        ),
        app.engine(profile, threads, warm_up=False, limits=together) as engine,
    ):
        from data.images.open import read_picture

        runner = BatchRunner(engine, read_picture, objects=objects, able=engine.capabilities())
        answers = runner.answers(read_lines(source))
        with closing(answers) as rows, counting(source) as count:
            for row in rows:
                sink.write(json.dumps(row.values).encode("ascii") + b"\n")
                written += 1  # before anybody can have read it
                sink.flush()
                failed += row.failed
                count(row)
    if failed:
        lines = "line was" if failed == 1 else "lines were"
        raise CommandError(f"{failed} {lines} not answered; each says why under its id.")


def _whole_lines(stream: BinaryIO) -> BinaryIO:
    """A stream that takes each line whole, also where PYTHONUNBUFFERED gives a raw one."""
    if isinstance(stream, io.RawIOBase):
        return open(stream.fileno(), "wb", closefd=False)
    return stream


def _private_stdin() -> BinaryIO:
    """Standard input, unless it was replaced, as a file that only the reading thread knows.

    Python locks `sys.stdin` at its end, and dies if a thread still waits for a line there.
    """
    if sys.stdin is None:
        raise click.UsageError("There is no standard input to read requests from.")
    try:
        return open(sys.stdin.fileno(), "rb", closefd=False)
    except OSError:  # it is no real file
        return sys.stdin.buffer


@contextmanager
def counting(source: BinaryIO) -> Iterator[Callable[[BatchAnswer], None]]:
    """Show on a terminal how many lines are answered, if the answers go elsewhere."""
    total, done, failed, size = _file_size(source), 0, 0, 0
    shown = nullcontext(Reporter()) if sys.stdout.isatty() else progress()
    with shown as report:

        def count(row: BatchAnswer) -> None:
            nonlocal done, failed, size
            done, failed, size = done + (not row.failed), failed + row.failed, size + row.size
            report(f"{done} answered, {failed} failed", size, total)

        yield count


# --- lines: untrusted JSON in ----------------------------------------------------------------


@dataclass(frozen=True)
class BatchRequest:
    """What one line asks for; a caption if `question` is None."""

    id: Any
    image: str
    question: str | None


class BadLineError(GlimpseError):
    """A line that cannot be answered.

    Attributes:
        id: The line's own id, None if it has none.
    """

    def __init__(self, sentence: str, id: Any = None) -> None:
        super().__init__(sentence)
        self.id = id


def read_lines(stream: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """Lines with their sizes in bytes; of a line that is too long only the beginning is kept."""
    while line := stream.readline(MAX_LINE + 1):
        size = len(line)
        rest = line
        while len(rest) > MAX_LINE and not rest.endswith(b"\n"):
            rest = stream.readline(MAX_LINE + 1)
            size += len(rest)
        yield line, size


def parse_line(line: bytes) -> BatchRequest:
    """Read a request off a line.

    Raises:
        BadLineError: It is not one.
    """
    if len(line) > MAX_LINE:
        raise BadLineError(f"This line is longer than {MAX_LINE:,} bytes.")
    if not line.strip():
        raise BadLineError("This line is empty.")
    try:
        row = json.loads(line.decode("utf-8-sig"))
        found = row.get("id") if isinstance(row, dict) else None
        json.dumps(found, allow_nan=False)  # so that it can be written back
    except (ValueError, RecursionError):
        raise BadLineError("This line is not valid JSON.") from None
    if not isinstance(row, dict):
        raise BadLineError(f"This line is not a JSON object such as {_EXAMPLE}.")
    image, question = row.get("image"), row.get("question")
    if not isinstance(image, str) or not image:
        raise BadLineError('"image" has to be the path of a picture file.', found)
    if not isinstance(question, str | None):
        raise BadLineError('"question" has to be a text, or null for a caption.', found)
    return BatchRequest(found, image, question)


# --- pictures --------------------------------------------------------------------------------


class PictureCache:
    """Opens picture files and keeps the last few decoded; for several threads.

    Args:
        open_picture: Opens a file.
        size: Pictures kept, of at most 3 MB each.
    """

    def __init__(self, open_picture: Callable[[str], Picture], size: int = 32) -> None:
        from cachetools import LRUCache, cached

        self._open = open_picture
        # Whoever asks for a picture that is being opened waits for it; an error is not kept.
        self._cached = cached(
            LRUCache(size), key=lambda _path, version: version, condition=threading.Condition()
        )(lambda path, _version: open_picture(path))

    def get(self, path: str) -> Picture:
        """The picture in a file; opened anew when the file has changed.

        Raises:
            data.errors.ImageRefused: It cannot be used.
        """
        version = _file_version(path)
        return self._open(path) if version is None else self._cached(path, version)


def _file_version(path: str) -> Hashable | None:
    """Names a file's present content; None if there is none."""
    try:
        facts = os.stat(path)  # noqa: PTH116 (a Path would refuse more)
    except (OSError, ValueError):
        return None
    return path, facts.st_ino, facts.st_size, facts.st_mtime_ns


# --- answering -------------------------------------------------------------------------------


@dataclass(frozen=True)
class BatchAnswer:
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


def _public_sentence(error: Exception) -> str | None:
    """The sentence of an error without a path: whoever reads an answer did not name the file."""
    from data.errors import ImageRefused

    if isinstance(error, ImageRefused):
        return error.nameless
    sentence = error_sentence(error)
    if sentence and isinstance(error, OSError) and error.filename:
        return sentence.replace(str(error.filename), "A file")
    return sentence


class BatchRunner:
    """Answers lines of requests.

    Args:
        engine: Answers; while it is busy, this waits.
        open_picture: Opens a picture file.
        ahead: Lines under way at once, so that the engine can compute several together.
        objects: Whether to list the objects seen.
        able: What the model can do; short answers if not given.
    """

    def __init__(
        self,
        engine: PictureEngine,
        open_picture: Callable[[str], Picture],
        *,
        ahead: int = 64,
        objects: bool = False,
        able: Capabilities | None = None,
    ) -> None:
        self._engine = engine
        self._objects, self._able = objects, able
        self._pictures = PictureCache(open_picture)
        self._jobs: queue.Queue[_Job | BaseException | None] = queue.Queue(ahead)
        self._decoders = ThreadPoolExecutor(_DECODERS, "glimpse-decode")
        self._stopping = threading.Event()

    def answers(self, lines: Iterable[tuple[bytes, int]]) -> Generator[BatchAnswer, None, None]:
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
                yield self._answer(job)
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
            request = parse_line(line)
        except BadLineError as error:
            asked: Future[Future[ModelAnswer]] = Future()
            asked.set_exception(error)
            return _Job(error.id, asked, size)
        return _Job(request.id, self._decoders.submit(self._ask, request), size)

    def _ask(self, request: BatchRequest) -> Future[ModelAnswer]:
        """Open the picture and queue the question; waits while the engine's queue is full."""
        from bot.assistant.abilities import context_of
        from model.requests import NO_CONTEXT

        question, context = None, NO_CONTEXT
        if request.question is not None:
            intent = question_intent(request.question, own_words=True, able=self._able)
            question, context = intent.question, context_of(intent, "en")
        picture = self._pictures.get(request.image)
        while not self._stopping.is_set():
            try:
                return self._engine.submit(picture, question, 0, context)
            except EngineBusy:
                self._stopping.wait(0.01)
        raise CancelledError

    def _answer(self, job: _Job) -> BatchAnswer:
        from bot.assistant.objects import as_rows

        try:
            answer = job.asked.result().result()
        except Exception as error:
            sentence = _public_sentence(error)
            if sentence is None:
                _log.error("Line with id %r:", job.id, exc_info=error)
            return BatchAnswer({"id": job.id, "error": sentence or _UNKNOWN}, job.size)
        values = {
            "id": job.id,
            "answer": answer.text,
            "confidence": answer.confidence,
            "seconds": answer.seconds,
        }
        if answer.profile:  # one of several
            values["profile"] = answer.profile
        if self._objects:
            values["objects"] = as_rows(answer.objects)
        return BatchAnswer(values, job.size)

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


def _file_size(source: BinaryIO) -> int:
    """Bytes of the input, if it is a file; else 0."""
    try:
        facts = os.fstat(source.fileno())
    except OSError:
        return 0
    return facts.st_size if stat.S_ISREG(facts.st_mode) else 0
