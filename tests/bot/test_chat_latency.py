"""`glimpse bench chat`: what it measures is what people would notice."""

from __future__ import annotations

import time
from itertools import count
from pathlib import Path

import pytest
from cli_runner import CliRunner
from engine_stand_in import Said, StandIn, open_photo

from bot.assistant.assistant import Assistant
from bot.benchmarks.chat_latency import ChatLatency, distinct_photos, measure_latency

SAMPLES = sorted((Path(__file__).parents[2] / "data/samples").glob("*.jpg"))


def test_it_tells_waits_losses_and_stalls(cli: CliRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = count()
    monkeypatch.setattr("engine_stand_in.COLOURS", _AnyColour())
    cli.engine.answer = lambda picture, question: (
        RuntimeError("broken") if next(numbers) == 3 else Said("a thing")
    )
    outcome = cli.run("bench", "chat", "--people", "3", "--rounds", "1")
    assert outcome.status == 1  # for what was lost
    first, waited, answered, stalled = outcome.out.splitlines()
    assert first == "3 people at once, 12 messages, 1 without an answer"
    assert waited.startswith("waited      0.")
    assert answered.endswith("messages a second")
    assert stalled.endswith("ms at most")
    assert cli.engine.closed


async def test_a_loop_that_stands_still_is_noticed() -> None:
    class Rude(StandIn):
        def submit(self, *args, **how):  # type: ignore[no-untyped-def]
            time.sleep(0.06)
            return super().submit(*args, **how)

    assistant = Assistant(Rude(), open_picture=open_photo)
    found = await measure_latency(assistant, [b"red", b"blue"], 2)
    assert (found.lost, len(found.waits)) == (0, 16)
    assert max(found.stalls) > 0.05
    assert found.seconds > 16 * 0.06


def test_the_share_of_waits_is_counted_from_the_shortest() -> None:
    found = ChatLatency(waits=[float(n) for n in range(100, 0, -1)])
    assert (found.percentile(0.5), found.percentile(0.95), found.percentile(1)) == (
        50.0,
        95.0,
        100.0,
    )
    assert ChatLatency(waits=[3.0]).percentile(0.95) == 3.0


def test_no_two_people_show_the_same_photo() -> None:
    photos = distinct_photos(SAMPLES, 7)
    assert len(set(photos)) == 7


class _AnyColour(dict[tuple[int, int, int], str]):
    def __missing__(self, key: tuple[int, int, int]) -> str:
        return "some"
