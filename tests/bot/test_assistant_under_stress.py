"""What goes wrong, and many at once: order, cancelling, full queues, crashes, shutting down."""

from __future__ import annotations

import asyncio
import logging
import re
import threading
from concurrent.futures import Future
from typing import Any

import pytest
from engine_stand_in import Said, StandIn, open_photo, photo, see

from bot.assistant.assistant import Assistant
from bot.assistant.limits import Limits
from bot.assistant.locale.texts import ENGLISH
from bot.assistant.types import Incoming, ModelAnswer, Reply
from data.images.open import Picture
from model.errors import EngineBusy, EngineClosed
from model.requests import NO_CONTEXT, ChatContext

CRASHED = re.compile(
    r"Something went wrong on my side, so I could not answer\. Please try again; "
    r"if it keeps happening, mention the code ([0-9a-f]{6})\."
)


def message(text: str = "", *colours: str, user: str = "ann", platform: str = "web") -> Incoming:
    return Incoming(platform, "home", user, text, tuple(map(photo, colours)))


async def say(assistant: Assistant, *args: str, **options: Any) -> Reply:
    reply = await assistant.handle(message(*args, **options))
    assert reply is not None
    return reply


async def settle(condition: Any) -> None:
    """Let other tasks and threads run until something is true."""
    for _ in range(1000):
        if condition():
            return
        await asyncio.sleep(0.002)
    pytest.fail("it never came true")


@pytest.fixture
def engine() -> StandIn:
    return StandIn()


@pytest.fixture
def assistant(engine: StandIn) -> Assistant:
    return Assistant(engine, open_picture=open_photo)


async def test_one_persons_messages_are_answered_in_order(
    engine: StandIn, assistant: Assistant
) -> None:
    engine.held = True
    first = asyncio.create_task(say(assistant, "", "red"))
    second = asyncio.create_task(say(assistant, "What color is it?", "blue"))
    third = asyncio.create_task(say(assistant, "And what color is it now?"))
    other = asyncio.create_task(say(assistant, "Is it green?", "green", user="ben"))
    await settle(lambda: len(engine.asked) == 2)
    assert [colour for colour, _ in engine.asked] == ["red", "green"]  # ben need not wait
    engine.held = False
    engine.release()
    texts = [reply.text for reply in await asyncio.gather(first, second, third, other)]
    assert texts == [f"A red square.\n\n{ENGLISH.invite}", "Blue.", "Blue.", "Green."]


async def test_cancelled_message_lets_the_next_one_through(
    engine: StandIn, assistant: Assistant
) -> None:
    engine.held = True
    first = asyncio.create_task(say(assistant, "", "red"))
    await settle(lambda: engine.queue)
    future = engine.queue[0][0]
    second = asyncio.create_task(say(assistant, "What color is it?"))
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    await settle(lambda: len(engine.asked) == 2)
    assert future.cancelled()  # taken back from the queue
    engine.release()
    assert (await second).text == "Red."


async def test_cancelling_while_a_picture_is_opened() -> None:
    opening, go = threading.Event(), threading.Event()

    def slow(content: bytes) -> Picture:
        opening.set()
        go.wait(10)
        return open_photo(content)

    assistant = Assistant(StandIn(), open_picture=slow)
    task = asyncio.create_task(say(assistant, "", "red"))
    await settle(opening.is_set)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    go.set()
    assert (await say(assistant, "What color is it?")).text == "Red."


async def test_opening_pictures_never_blocks_the_loop() -> None:
    loop_thread = threading.get_ident()
    threads: list[int] = []
    at_once = most = 0
    lock = threading.Lock()

    def slow(content: bytes) -> Picture:
        nonlocal at_once, most
        threads.append(threading.get_ident())
        with lock:
            at_once += 1
            most = max(most, at_once)
        threading.Event().wait(0.01)
        with lock:
            at_once -= 1
        return open_photo(content)

    assistant = Assistant(StandIn(), open_picture=slow)
    people = [say(assistant, "", "red", "blue", user=str(number)) for number in range(8)]
    replies = await asyncio.gather(*people)
    assert all(len(reply.exchanges) == 2 for reply in replies)
    assert loop_thread not in threads
    assert most <= 2  # a big picture takes much memory on the way


async def test_fifty_people_at_once_each_get_their_own_answer(assistant: Assistant) -> None:
    colours = ["red", "blue", "green", "white", "black"] * 10
    replies = await asyncio.gather(
        *(
            say(assistant, "What color is it?", colour, user=str(number))
            for number, colour in enumerate(colours)
        )
    )
    assert [reply.text for reply in replies] == [f"{colour.capitalize()}." for colour in colours]


async def test_full_queue_is_told_kindly_and_costs_nothing(
    engine: StandIn, assistant: Assistant
) -> None:
    engine.room = 0
    for _ in range(10):
        reply = await say(assistant, "", "red", platform="telegram")
        assert reply == Reply(ENGLISH.busy, error=True)
    engine.room = 1
    assert (await say(assistant, "What color is it?", platform="telegram")).text == "Red."


async def test_album_larger_than_the_queue_is_answered_in_rounds(
    engine: StandIn, assistant: Assistant
) -> None:
    engine.room, engine.held = 2, True
    task = asyncio.create_task(say(assistant, "What color is it?", *["red", "blue", "green"] * 2))
    for round_ in range(3):
        await settle(lambda: len(engine.queue) == 2)
        assert len(engine.asked) == 2 * (round_ + 1)
        engine.release()
        await asyncio.sleep(0)
    assert (await task).text == "1. Red.\n2. Blue.\n3. Green.\n4. Red.\n5. Blue.\n6. Green."


async def test_queue_full_of_others_in_mid_album(engine: StandIn, assistant: Assistant) -> None:
    engine.room, engine.held = 1, True
    task = asyncio.create_task(say(assistant, "What color is it?", "red", "blue", "green"))
    await settle(lambda: engine.queue)
    engine.release()
    engine.room = 0
    reply = await task
    assert reply.text == f"1. Red.\n2. {ENGLISH.busy}\n3. {ENGLISH.busy}"
    assert not reply.error
    assert len(reply.exchanges) == 1


async def test_shutting_down(engine: StandIn, assistant: Assistant) -> None:
    engine.held = True
    waiting = asyncio.create_task(say(assistant, "", "red"))
    await settle(lambda: engine.queue)
    engine.closed = True
    engine.queue[0][0].cancel()  # what a closing engine may do to its queue
    assert await waiting == Reply(ENGLISH.closing, error=True)
    assert await say(assistant, "Is it red?") == Reply(ENGLISH.closing, error=True)
    assert await say(assistant, "", "red", "blue") == Reply(ENGLISH.closing, error=True)
    engine.closed = False
    engine.held = False
    engine.answer = lambda _picture, _question: EngineClosed("while it waited")
    assert (await say(assistant, "", "red")).text == ENGLISH.closing


@pytest.mark.parametrize("where", ["answering", "submitting", "opening"])
async def test_crash_is_logged_with_the_reference_that_the_person_gets(
    where: str, engine: StandIn, assistant: Assistant, caplog: pytest.LogCaptureFixture
) -> None:
    secret = "/home/secret broke"
    if where == "answering":
        engine.answer = lambda _picture, _question: ValueError(secret)
    if where == "submitting":
        engine.asked = None  # type: ignore[assignment]
    colour = "boom" if where == "opening" else "red"
    with caplog.at_level(logging.ERROR):
        reply = await say(assistant, "", colour, platform="telegram")
    match = CRASHED.fullmatch(reply.text)
    assert match
    assert (reply.error, reply.reference) == (True, match[1])
    (record,) = caplog.records
    assert match[1] in record.getMessage()
    assert record.exc_info
    assert "secret" not in reply.text


async def test_crash_on_one_of_several_pictures_leaves_the_others(
    engine: StandIn, assistant: Assistant
) -> None:
    def answer(picture: Picture, question: str | None) -> Said | Exception:
        said = see(picture, question)
        return OSError("broken") if said.text == "blue" else said

    engine.answer = answer
    reply = await say(assistant, "What color is it?", "red", "blue", "boom", "green")
    first, second, third, fourth = reply.text.split("\n")
    assert (first, fourth) == ("1. Red.", "4. Green.")
    assert CRASHED.fullmatch(second.removeprefix("2. "))
    assert CRASHED.fullmatch(third.removeprefix("3. "))
    assert not reply.error
    assert reply.reference in reply.text


async def test_crash_of_the_assistant_itself(
    engine: StandIn, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(Limits):
        def take(self, platform: str, user: str) -> None:
            raise KeyError("secret")

    assistant = Assistant(engine, limits=Broken(), open_picture=open_photo)
    reply = await say(assistant, "", "red")
    assert CRASHED.fullmatch(reply.text)
    assert reply.reference in caplog.text
    assert (await say(assistant, "hello")).text == ENGLISH.hello_again  # the turn was passed on


async def test_crash_over_an_unaddressed_message_stays_silent(
    assistant: Assistant, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(assistant, "_keep_pictures", None)
    incoming = Incoming("web", "home", "ann", "", (photo("red"),), addressed=False)
    assert await assistant.handle(incoming) is None
    assert "reference" in caplog.text


async def test_flood_by_one_person_is_bounded(engine: StandIn, assistant: Assistant) -> None:
    engine.held = True
    flood = [asyncio.create_task(say(assistant, "", "red")) for _ in range(100)]
    silent = Incoming("web", "home", "ann", "", (photo("red"),), addressed=False)
    await settle(lambda: sum(task.done() for task in flood) == 80)
    assert await assistant.handle(silent) is None
    engine.held = False
    engine.release()
    other = asyncio.create_task(say(assistant, "Is it red?", "red", user="ben"))
    assert (await other).text == "Red."
    texts = [reply.text for reply in await asyncio.gather(*flood)]
    assert texts[20:] == [ENGLISH.too_many_waiting] * 80
    assert all(text.startswith("A red square.") for text in texts[:20])


async def test_engine_that_never_answers_is_given_up_on(caplog: pytest.LogCaptureFixture) -> None:
    class Stuck(StandIn):
        def submit(
            self,
            picture: Picture,
            question: str | None,
            rank: int = 0,
            context: ChatContext = NO_CONTEXT,
        ) -> Future[ModelAnswer]:
            future = super().submit(picture, question, rank, context)
            if self.asked[-1][0] == "red":
                future.set_result(Said("red"))
            if self.asked[-1][0] == "blue":
                future.set_exception(EngineBusy())
            return future

    engine = Stuck(held=True)
    assistant = Assistant(engine, open_picture=open_photo, timeout=0.05)
    reply = await say(assistant, "What color is it?", "red", "green", "blue")
    assert reply.text == f"1. Red.\n2. {ENGLISH.busy}\n3. {ENGLISH.busy}"
    assert "no answer within" in caplog.text
    assert engine.queue[1][0].cancelled()
