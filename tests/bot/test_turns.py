"""Turns are taken in order within a conversation, and side by side between them."""

from __future__ import annotations

import asyncio

import pytest

from bot.assistant.conversations import TooManyWaitingError, TurnQueue


async def test_same_conversation_in_order_others_at_once() -> None:
    turns = TurnQueue()
    log: list[str] = []
    go = asyncio.Event()

    async def speak(conversation: str, name: str) -> None:
        async with turns.of(conversation):
            log.append(f"{name} in")
            if conversation == "a":
                await go.wait()
            log.append(f"{name} out")

    tasks = [asyncio.create_task(speak("a", name)) for name in ("1", "2", "3")]
    tasks.append(asyncio.create_task(speak("b", "other")))
    for _ in range(5):
        await asyncio.sleep(0)
    assert log == ["1 in", "other in", "other out"]
    assert len(turns) == 1
    go.set()
    await asyncio.gather(*tasks)
    assert log[3:] == ["1 out", "2 in", "2 out", "3 in", "3 out"]
    assert len(turns) == 0


async def test_cancelled_waiter_and_holder_pass_the_turn_on() -> None:
    turns = TurnQueue()
    entered: list[int] = []

    async def speak(number: int) -> None:
        async with turns.of("a"):
            entered.append(number)
            await asyncio.sleep(3600 if number == 0 else 0)

    tasks = [asyncio.create_task(speak(number)) for number in range(3)]
    await asyncio.sleep(0)
    tasks[1].cancel()
    await asyncio.sleep(0)
    tasks[0].cancel()
    await asyncio.wait(tasks)
    assert entered == [0, 2]
    assert [task.cancelled() for task in tasks] == [True, True, False]
    assert len(turns) == 0


async def test_waiting_is_bounded_and_an_error_frees_the_turn() -> None:
    turns = TurnQueue(waiting=1)

    async def fail() -> None:
        async with turns.of("a"), turns.of("b"):
            await turns.of("a").__aenter__()

    for _ in range(2):  # the first left nothing behind
        with pytest.raises(TooManyWaitingError):
            await fail()
    assert len(turns) == 0
