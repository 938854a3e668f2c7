"""A pool of decoder processes (`data.images.worker`): started late, timed, replaced."""

from __future__ import annotations

import atexit
import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from data.images.protocol import MAX_DETAIL, MAX_SIDE, READY, REPLY, REQUEST

_WORKERS = 2
_RETIRE_AFTER = 200  # pictures, so that nothing leaks for long
_START_SECONDS = 60.0  # a cold disk on a busy machine
_START = "import sys; sys.path[:] = sys.argv[1:]; from data.images.worker import main; main()"
# Everything else stays out of reach of the decoders, tokens above all.
_KEPT_ENVIRONMENT = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONHOME", "SYSTEMROOT")


class DecoderProcessError(RuntimeError):
    """No decoder process could answer.

    Attributes:
        reason: "unavailable" (none can be started), "crashed" (it ended in the middle of an image)
            or "too-slow" (it was killed at the time limit).
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


@dataclass(frozen=True)
class DecodeRequest:
    """One image to open: its format, the whole file and its limits."""

    format: str
    data: bytes
    pixels: int
    side_ratio: float
    seconds: float


@dataclass(frozen=True)
class DecodeReply:
    """What the decoder process answered.

    Attributes:
        reason: Why the image is refused, "" if it is not.
        detail: The cause, for the log.
        size: Width and height of the original, upright.
        shrunk: Width and height of `pixels`.
        pixels: RGB, row by row.
    """

    reason: str
    detail: str
    size: tuple[int, int] = (0, 0)
    shrunk: tuple[int, int] = (0, 0)
    pixels: bytes | bytearray = b""


def _command() -> list[str]:
    """How to start a worker that finds the same packages as this process, wherever it is."""
    root = str(Path(__file__).resolve().parents[2])
    path = [os.path.abspath(entry) for entry in sys.path if entry]  # noqa: PTH100 (may be a zip)
    if root not in path:  # found by an import hook or through the current folder
        path.insert(0, root)
    # -S -P: nothing but these folders is looked at, and nothing in them runs by itself.
    return [sys.executable, "-S", "-P", "-c", _START, *path]


class DecoderProcess:
    """One process. Not thread-safe: the pool lends it to one thread at a time."""

    def __init__(self) -> None:
        environment = {key: os.environ[key] for key in _KEPT_ENVIRONMENT if key in os.environ}
        self._expired = False
        self.served = 0
        try:
            # Unbuffered: after a fork, a buffer would be written a second time by the child.
            self.process = subprocess.Popen(
                _command(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
                cwd=os.sep,
                env=environment,
            )
        except (OSError, ValueError) as error:
            raise DecoderProcessError(
                "unavailable", f"cannot start {sys.executable}: {error}"
            ) from error
        try:
            with self._killed_after(_START_SECONDS):
                self._read(len(READY))
        except BaseException as error:
            self.close()
            if isinstance(error, DecoderProcessError):
                raise DecoderProcessError("unavailable", f"did not start: {error}") from error
            raise

    @property
    def alive(self) -> bool:
        """Whether it can take another picture."""
        return not self._expired and self.process.poll() is None

    def exchange(self, request: DecodeRequest) -> DecodeReply:
        """Hand over one image and wait for the reply.

        Raises:
            DecoderProcessError: The process ended, talked nonsense or was killed at the time limit.
        """
        self.served += 1
        limits = (request.pixels, request.side_ratio, request.seconds)
        with self._killed_after(request.seconds):
            self._write(REQUEST.pack(request.format.encode(), len(request.data), *limits))
            self._write(request.data)
            reason, width, height, *shrunk, length = REPLY.unpack(self._read(REPLY.size))
            smallest = 0 if reason.strip(b"\0") else 1  # a refusal comes without pixels
            if min(shrunk) < smallest or max(shrunk) > MAX_SIDE or length > MAX_DETAIL:
                raise DecoderProcessError("crashed", "nonsense from the decoder")
            detail = self._read(length).decode("utf-8", "replace")
            pixels = self._read(shrunk[0] * shrunk[1] * 3)
        text = reason.rstrip(b"\0").decode("ascii", "replace")
        return DecodeReply(text, detail, (width, height), (shrunk[0], shrunk[1]), pixels)

    def close(self) -> None:
        """End the process, at once: it holds nothing worth saving. May be called twice."""
        self.process.kill()
        self.process.wait()
        self.abandon()

    def abandon(self) -> None:
        """Let go of the pipes only: after a fork the process belongs to somebody else."""
        if self.process.returncode is None:
            self.process.returncode = 0  # or Popen would warn of a child that is not ours
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()

    @contextlib.contextmanager
    def _killed_after(self, seconds: float) -> Iterator[None]:
        """Kill the process when the block takes longer, which ends every wait for it."""
        timer = threading.Timer(seconds, self._expire)
        timer.daemon = True
        timer.start()
        try:
            yield
        except (EOFError, OSError) as error:
            if self._expired:
                raise DecoderProcessError("too-slow", f"killed after {seconds:g} s") from error
            status = self.process.wait()
            raise DecoderProcessError("crashed", f"ended with status {status}") from error
        finally:
            timer.cancel()
            timer.join()

    def _expire(self) -> None:
        self._expired = True
        self.process.kill()

    def _write(self, data: bytes) -> None:
        assert self.process.stdin is not None
        rest = memoryview(data)
        while rest:
            rest = rest[self.process.stdin.write(rest) :]

    def _read(self, count: int) -> bytearray:
        assert self.process.stdout is not None
        data = bytearray(count)
        rest = memoryview(data)
        while rest:
            got = self.process.stdout.readinto(rest)  # type: ignore[attr-defined]
            if not got:
                raise EOFError
            rest = rest[got:]
        return data


class DecoderPool:
    """A few decoder processes shared by all threads; a picture waits until one is free."""

    def __init__(self, workers: int = _WORKERS) -> None:
        self._size = workers
        self._reset()

    def _reset(self) -> None:
        self._free = threading.BoundedSemaphore(self._size)
        self._lock = threading.Lock()  # for the two below
        self._idle: list[DecoderProcess] = []  # the last one used is the first one lent
        self._all: set[DecoderProcess] = set()

    def decode(self, request: DecodeRequest) -> DecodeReply:
        """Open one image; the wait for a free process is not part of its time limit.

        Raises:
            DecoderProcessError: No process can be started, or it did not answer in time.
        """
        with self._free:
            worker = self._borrow()
            keep = False
            try:
                reply = worker.exchange(request)
                fresh = reply.reason != "too-hungry" and worker.served < _RETIRE_AFTER
                keep = fresh and worker.alive
            finally:
                if keep:
                    with self._lock:
                        self._idle.append(worker)
                else:
                    self._drop(worker)
        return reply

    def close(self) -> None:
        """End all processes; a later picture starts a new one."""
        while worker := self._take():
            self._drop(worker)
        with self._lock:
            busy = tuple(self._all)
        for worker in busy:
            worker.process.kill()  # the thread that waits for it tidies up

    def forget(self) -> None:
        """Called in a forked child: the processes and locks are the parent's."""
        for worker in self._all:
            worker.abandon()
        self._reset()

    def _borrow(self) -> DecoderProcess:
        while worker := self._take():
            if worker.alive:
                return worker
            self._drop(worker)
        worker = DecoderProcess()
        with self._lock:
            self._all.add(worker)
        return worker

    def _take(self) -> DecoderProcess | None:
        with self._lock:
            return self._idle.pop() if self._idle else None

    def _drop(self, worker: DecoderProcess) -> None:
        with self._lock:
            self._all.discard(worker)
        worker.close()


POOL = DecoderPool()
atexit.register(POOL.close)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=POOL.forget)
