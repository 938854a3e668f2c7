"""The decoder process: reads pictures from a pipe, answers with pixels, and may be killed.

Untrusted bytes meet C decoders only here, with little memory, no environment, and no way to write
a file. Protocol, all little-endian: the worker says `READY` once; then, for each picture, a
`REQUEST` followed by the file, answered by a `REPLY` followed by a text and RGB bytes.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from data.images.protocol import MAX_DETAIL, READY, REPLY, REQUEST

if TYPE_CHECKING:
    from data.images.decode import Decoded

_MEMORY = 2 << 30  # bytes of address space; 64 million pixels of 64 bits take a third of it
_CPU_SECONDS = 4000  # of the whole process; each picture has its own, shorter limit
_OPEN_FILES = 64

Decode = Callable[[bytes, str, int, float], "Decoded"]


def limit_resources() -> None:
    """Cap this process's memory, processor time and files, where the system knows such limits."""
    if sys.platform == "win32":
        return
    import resource

    for kind, limit in (
        (resource.RLIMIT_AS, _MEMORY),
        (resource.RLIMIT_CPU, _CPU_SECONDS),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, _OPEN_FILES),
    ):
        _, hard = resource.getrlimit(kind)
        allowed = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        with contextlib.suppress(ValueError, OSError):  # some systems lack one or the other
            resource.setrlimit(kind, (allowed, allowed))


def die_first() -> None:
    """Where memory runs out, let Linux end this process, and not the one that it works for."""
    with contextlib.suppress(OSError):  # other systems know nothing of it
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")


def _die_after(seconds: float) -> None:
    """Let the system end this process then; 0 calls it off.

    The parent kills a late worker itself; this one is for a parent that is gone.
    """
    if sys.platform != "win32":
        signal.setitimer(signal.ITIMER_REAL, seconds)


def _read(stream: BinaryIO, count: int) -> bytes:
    """Exactly that many bytes, or none when the other side has hung up."""
    data = stream.read(count)
    return data if len(data) == count else b""


def _answer(data: bytes, name: str, pixels: int, ratio: float, decode: Decode) -> list[bytes]:
    from data.images.decode import DecodeError

    try:
        decoded = decode(data, name, pixels, ratio)
    except DecodeError as error:
        width, height = (min(side, 0xFFFFFFFF) for side in error.size)
        detail = error.detail.encode("utf-8", "replace")[:MAX_DETAIL]
        return [REPLY.pack(error.reason.encode(), width, height, 0, 0, len(detail)), detail]
    head = REPLY.pack(b"", *decoded.size, *decoded.image.size, 0)
    return [head, decoded.image.tobytes()]


def serve(requests: BinaryIO, replies: BinaryIO, decode: Decode) -> None:
    """Answer requests until the other side hangs up.

    Args:
        requests: Where `REQUEST`s and files come from.
        replies: Where `READY` and the answers go.
        decode: `data.images.decode.decode`.
    """
    replies.write(READY)
    replies.flush()
    while head := _read(requests, REQUEST.size):
        name, count, pixels, ratio, seconds = REQUEST.unpack(head)
        data = _read(requests, count)
        if len(data) != count:
            return
        _die_after(seconds + 1.0)
        parts = _answer(data, name.rstrip(b"\0").decode(), pixels, ratio, decode)
        _die_after(0)
        for part in parts:
            replies.write(part)
        replies.flush()


def main() -> None:
    """Be a decoder process: file descriptor 0 brings requests, 1 takes answers."""
    # Ctrl-C reaches the whole group; the parent then hangs up, which is what ends this process.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # a decoder that prints must not talk into the answers
    from data.images.decode import configure_decoders, decode

    configure_decoders()
    die_first()
    limit_resources()
    with contextlib.suppress(BrokenPipeError):
        serve(sys.stdin.buffer, replies, decode)
