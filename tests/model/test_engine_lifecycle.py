"""The engine's queue, its end, and failures: nobody waits for ever or pays for others."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future, wait
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from tiny_models import Photo, photo, tiny_profile, tiny_vlm
from watched_engine import Watched

from model.errors import EngineBusy, EngineClosed
from model.requests import Answer, EngineLimits


class Broken:
    """A picture that cannot be looked at."""

    digest = "broken"

    @property
    def image(self) -> Image.Image:
        raise OSError("no pixels")


@pytest.fixture
def engine(hub: Path) -> Iterator[Watched]:
    made = Watched(tiny_profile(hub), tiny_vlm(hub), limits=EngineLimits(queue=4, new_pictures=9))
    yield made
    made.gate.set()
    made.close()


# --- the queue -------------------------------------------------------------------------------


def test_a_full_queue_refuses_at_once_and_recovers(engine: Watched) -> None:
    with engine.held():
        futures = [engine.submit(photo(i), None) for i in range(4)]
        start = time.monotonic()
        with pytest.raises(EngineBusy):
            engine.submit(photo(5), None)
        with pytest.raises(EngineBusy):
            engine.caption(photo(5))
        assert time.monotonic() - start < 5
    assert all(future.result(20) for future in futures)
    assert engine.caption(photo(5)).text


def test_a_cancelled_request_is_not_computed(engine: Watched) -> None:
    with engine.held():
        futures = [engine.submit(photo(i), None) for i in range(3)]
        assert futures[1].cancel()
    assert wait(futures, 20).not_done == set()
    assert engine.computed == [1, 2]
    with pytest.raises(CancelledError):
        futures[1].result()


def test_nothing_is_computed_when_all_were_cancelled(engine: Watched) -> None:
    with engine.held():
        assert all(engine.submit(photo(i), None).cancel() for i in range(3))
    assert engine.caption(photo(4)).text
    assert engine.computed == [1, 1]


def test_a_request_under_way_is_not_cancelled(engine: Watched) -> None:
    with engine.held() as first:
        assert not first.cancel()
    assert first.result(20)


def test_what_waits_is_refused_at_once_and_what_is_under_way_is_answered(engine: Watched) -> None:
    with engine.held() as first:
        futures = [engine.submit(photo(i), None) for i in range(3)]
        assert futures[2].cancel()
        assert engine.refuse_waiting() == 2
        for future in futures[:2]:
            with pytest.raises(EngineClosed):
                future.result(0)
        with pytest.raises(EngineClosed):
            engine.submit(photo(7), None)
    assert first.result(20).text
    assert engine.computed == [1]
    assert engine.refuse_waiting() == 0
    engine.close()  # its workers still end
    assert engine.refuse_waiting() == 0


# --- failures --------------------------------------------------------------------------------


def test_one_bad_request_does_not_spoil_its_batch(
    engine: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    with engine.held():
        futures = [engine.submit(p, None) for p in (photo(1), Broken(), photo(2))]
    assert futures[0].result(20).text == engine.caption(photo(1)).text
    assert futures[2].result(20).text == engine.caption(photo(2)).text
    with pytest.raises(OSError, match="no pixels"):
        futures[1].result(20)
    assert engine.computed[:5] == [1, 3, 1, 1, 1]
    messages = [(r.levelno, r.getMessage()) for r in caplog.records]
    assert messages == [
        (logging.WARNING, "A batch of 3 failed; answering one by one."),
        (logging.ERROR, "The model failed on one request."),
    ]


def test_requests_whose_picture_is_encoded_already_are_counted(engine: Watched) -> None:
    engine.caption(photo(1))
    engine.answer(photo(1), "What is it?")
    with engine.held():  # one more picture
        futures = [engine.submit(photo(n), "Who?") for n in (1, 2, 2)]
    assert wait(futures, 20).not_done == set()
    assert (engine.prefix_hits, engine.prefix_misses) == (3, 3)


def test_a_bad_picture_is_not_kept(engine: Watched) -> None:
    with pytest.raises(OSError, match="no pixels"):
        engine.caption(Broken())
    assert engine.caption(Photo(photo(1).image, Broken.digest)).text


def test_a_callback_that_fails_does_not_stop_the_worker(engine: Watched) -> None:
    def fail(future: Future[Answer]) -> None:
        raise RuntimeError("in a callback")

    with engine.held() as first:
        first.add_done_callback(fail)
    assert engine.caption(photo(1)).text


# --- the end ---------------------------------------------------------------------------------


def test_closing_finishes_what_is_queued_and_refuses_the_rest(engine: Watched) -> None:
    with engine.held() as first:
        futures = [first, *(engine.submit(photo(i), None) for i in range(4))]
        closing = threading.Thread(target=engine.close)
        closing.start()
        while not engine._closed:
            time.sleep(0.001)
        with pytest.raises(EngineClosed):
            engine.submit(photo(1), None)
        assert closing.is_alive()
    closing.join(20)
    assert not closing.is_alive()
    assert all(future.done() and future.result() for future in futures)


def test_closing_again_does_nothing(engine: Watched) -> None:
    engine.close()
    engine.close()
    with pytest.raises(EngineClosed):
        engine.answer(photo(1), "Is it red?")
    assert not any(worker.is_alive() for worker in engine._workers)


def test_two_threads_may_close(engine: Watched) -> None:
    with engine.held() as first:
        threads = [threading.Thread(target=engine.close) for _ in range(2)]
        for thread in threads:
            thread.start()
    for thread in threads:
        thread.join(20)
    assert not any(thread.is_alive() for thread in threads)
    assert first.result()


def test_closing_from_a_callback_does_not_lock_up(engine: Watched) -> None:
    with engine.held() as first:
        first.add_done_callback(lambda future: engine.close())
        queued = [engine.submit(photo(i), None) for i in range(4)]
    assert wait(queued, 20).not_done == set()
    for worker in engine._workers:
        worker.join(20)
    assert not any(worker.is_alive() for worker in engine._workers)


def test_cancelled_requests_do_not_keep_a_closing_engine(engine: Watched) -> None:
    with engine.held():
        cancelled = [engine.submit(photo(i), None) for i in range(3)]
        assert all(future.cancel() for future in cancelled)
        closing = threading.Thread(target=engine.close)
        closing.start()
    closing.join(20)
    assert not closing.is_alive()


# --- the event loop --------------------------------------------------------------------------


async def test_an_event_loop_goes_on_while_the_engine_computes(
    engine: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks: list[float] = []
    encode, matrix = engine._model.encode_and_detect, torch.randn(400, 400)

    def slow(images: Any) -> Any:
        end = time.monotonic() + 0.3
        while time.monotonic() < end:
            torch.linalg.matmul(matrix, matrix)
        return encode(images)

    async def tick() -> None:
        while True:
            ticks.append(time.monotonic())
            await asyncio.sleep(0.005)

    monkeypatch.setattr(engine._model, "encode_and_detect", slow)
    ticking = asyncio.create_task(tick())
    futures: list[Any] = [
        asyncio.wrap_future(engine.submit(photo(i), "Is it red?")) for i in range(4)
    ]
    answers = await asyncio.wait_for(asyncio.gather(*futures), 20)
    ticking.cancel()
    assert all(answer.text for answer in answers)
    assert len(ticks) > 5  # of 60 at best; a blocked loop has one


async def test_leaving_an_asyncio_task_cancels_its_request(engine: Watched) -> None:
    with engine.held():
        waiting = asyncio.wrap_future(engine.submit(photo(1), None))
        waiting.cancel()
        await asyncio.sleep(0)
    await asyncio.wrap_future(engine.submit(photo(2), None))
    assert engine.computed == [1, 1]
