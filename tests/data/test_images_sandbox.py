"""The decoder processes: late, crashed, stopped, lying or missing ones, and many askers at once."""

from __future__ import annotations

import os
import signal
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from image_files import CORNERS, check_colours, encode, four_corners, plain, png
from PIL import Image

from data.errors import ImageRefused
from data.images import open as open_module
from data.images import sandbox
from data.images.open import ImageLimits, open_picture
from data.images.sandbox import DecoderPool, DecoderProcess
from data.images.worker import READY, REPLY, REQUEST

PHOTO = encode(four_corners(), "JPEG")
LARGE = png(8000, 8000, 1, 0, bytes(1001) * 8000)  # within all limits, a fifth of a second's work


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch) -> Iterator[DecoderPool]:
    """A pool of this test's own behind `open_picture`, with no process yet."""
    fresh = DecoderPool()
    monkeypatch.setattr(open_module, "POOL", fresh)
    yield fresh
    fresh.close()


def refusal(data: bytes = PHOTO, limits: ImageLimits | None = None) -> ImageRefused:
    with pytest.raises(ImageRefused) as caught:
        open_picture(data, limits or ImageLimits())
    plain(str(caught.value))
    return caught.value


def opens() -> None:
    check_colours(open_picture(PHOTO).image, CORNERS)


def idle(pool: DecoderPool) -> DecoderProcess:
    """The one process, waiting for work."""
    (worker,) = pool._idle
    return worker


def gone(worker: DecoderProcess) -> bool:
    """Ended, collected and all pipes closed."""
    process = worker.process
    assert process.stdin
    assert process.stdout
    return process.returncode is not None and process.stdin.closed and process.stdout.closed


def played_by(monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    """Let another program play the decoder process."""
    command = [sys.executable, "-c", textwrap.dedent(program)]
    monkeypatch.setattr(sandbox, "_command", lambda: command)


def test_nothing_runs_before_the_first_picture(pool: DecoderPool) -> None:
    assert not pool._all
    opens()
    first = idle(pool)
    opens()
    assert idle(pool) is first, "one process serves many pictures"
    pool.close()
    assert gone(first)
    opens()  # a pool that was closed starts again


def test_stopped_process_is_killed_at_the_time_limit(
    pool: DecoderPool, caplog: pytest.LogCaptureFixture
) -> None:
    opens()
    worker = idle(pool)
    os.kill(worker.process.pid, signal.SIGSTOP)
    before = time.monotonic()
    assert refusal(limits=ImageLimits(seconds=0.3)).reason == "too-slow"
    assert 0.3 <= time.monotonic() - before < 3
    assert gone(worker)
    assert "killed after 0.3 s" in caplog.text
    opens()


def test_stopped_process_that_does_not_take_the_bytes(pool: DecoderPool) -> None:
    opens()
    os.kill(idle(pool).process.pid, signal.SIGSTOP)
    much = PHOTO + bytes(5_000_000)  # more than a pipe holds
    assert refusal(much, ImageLimits(seconds=0.3)).reason == "too-slow"


def test_picture_that_really_takes_long(pool: DecoderPool) -> None:
    assert refusal(LARGE, ImageLimits(seconds=0.03)).reason == "too-slow"
    opens()


@pytest.mark.parametrize("sign", [signal.SIGSEGV, signal.SIGKILL])
def test_process_that_crashes_on_a_picture(
    pool: DecoderPool, sign: signal.Signals, caplog: pytest.LogCaptureFixture
) -> None:
    opens()
    process = idle(pool).process
    os.kill(process.pid, signal.SIGSTOP)  # so that it surely dies in the middle

    def crash() -> None:
        process.send_signal(sign)
        process.send_signal(signal.SIGCONT)

    stopper = threading.Timer(0.2, crash)
    stopper.start()
    assert refusal().reason == "crashed"
    stopper.join()
    assert f"ended with status {-sign}" in caplog.text
    opens()


def test_process_that_died_between_pictures_costs_none(pool: DecoderPool) -> None:
    opens()
    worker = idle(pool)
    worker.process.kill()
    os.waitid(os.P_PID, worker.process.pid, os.WEXITED | os.WNOWAIT)
    opens()
    assert gone(worker)


def test_process_is_replaced_after_some_pictures(
    pool: DecoderPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, "_RETIRE_AFTER", 3)
    for _ in range(2):
        opens()
    worker = idle(pool)
    opens()
    assert gone(worker)
    assert not pool._all


def test_picture_that_needs_too_much_memory(
    pool: DecoderPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    little = (
        "import sys; sys.path[:] = sys.argv[1:]; import data.images.worker as worker; "
        "worker._MEMORY = 150 << 20; worker.main()"
    )
    monkeypatch.setattr(sandbox, "_START", little)
    opens()
    worker = idle(pool)
    assert refusal(LARGE).reason == "too-hungry"
    assert gone(worker), "who knows what state it is in"
    opens()


@pytest.mark.skipif(sys.platform != "linux", reason="Linux has it")
def test_where_memory_runs_out_it_is_ended_and_not_its_parent(pool: DecoderPool) -> None:
    opens()
    scores = [
        Path(f"/proc/{each}/oom_score_adj").read_text() for each in (idle(pool).process.pid, "self")
    ]
    assert int(scores[0]) == 1000 > int(scores[1])


def test_eight_threads_at_once(pool: DecoderPool) -> None:
    shades = range(0, 240, 10)
    files = [encode(Image.new("RGB", (60, 40), (shade, 0, 0)), "PNG") for shade in shades]
    most = 0

    def ask(number: int) -> str:
        nonlocal most
        most = max(most, len(pool._all))
        if number % 5 == 4:
            return refusal(files[number % len(files)][:-60]).reason
        picture = open_picture(files[number % len(files)])
        return str(picture.image.getpixel((30, 20)))

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(ask, range(240)))
    for number, answer in enumerate(answers):
        shade = shades[number % len(files)]
        assert answer == ("truncated" if number % 5 == 4 else f"({shade}, 0, 0)")
    assert most == 2


def test_one_slow_picture_does_not_hold_up_the_others(pool: DecoderPool) -> None:
    with ThreadPoolExecutor(1) as thread:
        opens()
        stopped = idle(pool)
        os.kill(stopped.process.pid, signal.SIGSTOP)
        slow = thread.submit(refusal, PHOTO, ImageLimits(seconds=1.5))
        while pool._idle:
            time.sleep(0.001)
        before = time.monotonic()
        opens()
        assert time.monotonic() - before < 1.2
        assert slow.result().reason == "too-slow"


def test_interrupt_leaves_no_half_read_answer(
    pool: DecoderPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    opens()
    worker = idle(pool)

    def interrupted(count: int) -> bytearray:
        raise KeyboardInterrupt

    monkeypatch.setattr(worker, "_read", interrupted)
    with pytest.raises(KeyboardInterrupt):
        open_picture(PHOTO)
    assert gone(worker)
    opens()


def test_no_process_can_be_started(
    pool: DecoderPool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    assert refusal().reason == "unavailable"
    assert "cannot start /nowhere/python" in caplog.text


@pytest.mark.parametrize(
    ("program", "cause"),
    [
        ("raise SystemExit(7)", "did not start: ended with status 7"),
        ("import time; time.sleep(60)", "did not start: killed after 1.5 s"),
    ],
)
def test_process_that_does_not_get_ready(
    pool: DecoderPool,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    program: str,
    cause: str,
) -> None:
    monkeypatch.setattr(sandbox, "_START_SECONDS", 1.5)
    played_by(monkeypatch, program)
    assert refusal().reason == "unavailable"
    assert cause in caplog.text


def test_interrupt_while_a_process_starts(
    pool: DecoderPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[DecoderProcess] = []

    def interrupted(worker: DecoderProcess, count: int) -> bytearray:
        started.append(worker)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(DecoderProcess, "_read", interrupted)
        with pytest.raises(KeyboardInterrupt):
            open_picture(PHOTO)
    assert gone(started[0])
    opens()


LIES = {
    "a huge picture": (REPLY.pack(b"", 9, 9, 60_000, 60_000, 0), "crashed"),
    "no pixels at all": (REPLY.pack(b"", 9, 9, 5, 0, 0), "crashed"),
    "a long text": (REPLY.pack(b"damaged", 9, 9, 0, 0, 2**32 - 1), "crashed"),
    "an unknown reason": (REPLY.pack(b"buy\xff now", 9, 9, 0, 0, 0), "damaged"),
    "half an answer": (REPLY.pack(b"", 9, 9, 8, 8, 0) + bytes(9), "crashed"),
}


@pytest.mark.parametrize("name", LIES)
def test_process_that_was_taken_over_is_not_believed(
    pool: DecoderPool, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    answer, reason = LIES[name]
    many = REQUEST.size + len(PHOTO)
    lie = f"os.write(1, {READY!r}); sys.stdin.buffer.read({many}); os.write(1, {answer!r})"
    played_by(monkeypatch, f"import os, sys; {lie}")
    assert refusal().reason == reason


def test_process_that_hangs_up_but_lives_on(
    pool: DecoderPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    hang_up = f"os.write(1, {READY!r}); os.close(0); os.close(1); time.sleep(60)"
    played_by(monkeypatch, f"import os, time; {hang_up}")
    before = time.monotonic()
    assert refusal(limits=ImageLimits(seconds=0.5)).reason == "crashed"
    assert time.monotonic() - before < 3
    assert not pool._all


def test_no_thread_left_for_the_clock(pool: DecoderPool, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(timer: threading.Timer) -> None:
        raise RuntimeError("can't start new thread")

    opens()
    with monkeypatch.context() as patch:
        patch.setattr(threading.Timer, "start", refuse)
        assert refusal().reason == "unavailable"
    opens()


def test_forked_child_lets_go_of_what_is_not_its_own(pool: DecoderPool) -> None:
    opens()
    worker = idle(pool)
    pool.forget()
    assert not pool._all
    assert gone(worker), "no warning of a child that is still running"
    os.waitpid(worker.process.pid, 0)  # it ends by itself: nobody can talk to it any more
    opens()
