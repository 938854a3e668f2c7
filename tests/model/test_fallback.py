"""Several profiles behind one engine, while a server is killed, slow, flapping or full."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import pytest
from far_server import FarServer, far_server
from llmock.pytest_plugin import LLMock
from PIL import Image

from model import fallback
from model.breaker import BreakerSettings, BreakerState
from model.errors import EngineBusy, EngineClosed, EngineUnavailable
from model.fallback import AnsweringEngine, FallbackEngine
from model.remote import RemoteEngine
from model.requests import (
    NO_CONTEXT,
    SHORT_ANSWERS,
    Answer,
    Capabilities,
    ChatContext,
    Picture,
    Turn,
)
from model.server_config import RemoteProfile, ServerConfig

SHORT = BreakerSettings(failures=2, shortest=0.05, longest=0.1)
LONG = BreakerSettings(failures=2, shortest=600.0, longest=600.0)


@dataclass(frozen=True)
class Shown:
    image: Image.Image
    digest: str = "0" * 64


RED = Shown(Image.new("RGB", (40, 30), "red"))


@dataclass(frozen=True)
class Profile:
    name: str


@dataclass
class Near:
    """An engine in this process: answers "near: QUESTION" at once, unless it is held or full."""

    name: str = "near"
    held: bool = False
    room: int = 1000
    asked: list[str] = field(default_factory=list)
    contexts: list[ChatContext] = field(default_factory=list)
    futures: list[Future[Answer]] = field(default_factory=list)
    closed: bool = False

    @property
    def profile(self) -> Profile:
        return Profile(self.name)

    @property
    def waiting(self) -> int:
        return sum(not each.done() for each in self.futures)

    def submit(
        self, picture: Picture, question: str | None, rank: int = 0,
        context: ChatContext = NO_CONTEXT,
    ) -> Future[Answer]:  # fmt: skip
        if self.closed:
            raise EngineClosed("closed")
        if self.waiting >= self.room:
            raise EngineBusy("full")
        future: Future[Answer] = Future()
        self.asked.append(str(question))
        self.contexts.append(context)
        self.futures.append(future)
        if not self.held:
            future.set_result(Answer(f"{self.name}: {question}", 0.9, 0.1))
        return future

    def refuse_waiting(self) -> int:
        self.closed = True
        waiting = [each for each in self.futures if not each.done()]
        for each in waiting:
            each.set_exception(EngineClosed("closing"))
        return len(waiting)

    def close(self) -> None:
        self.closed = True


def remote(url: str, name: str = "far", **values: Any) -> RemoteEngine:
    given = {"retries": 0, "timeout": 20.0, "parallel": 8, "logprobs": False, **values}
    return RemoteEngine(RemoteProfile(name, "openai", ServerConfig(url, "gpt-4o-mini", **given)))


@pytest.fixture
def far() -> Iterator[FarServer]:
    with far_server() as server:
        yield server


Make = Callable[..., FallbackEngine]


@pytest.fixture
def group() -> Iterator[Make]:
    made: list[FallbackEngine] = []

    def make(*engines: AnsweringEngine, **values: Any) -> FallbackEngine:
        made.append(FallbackEngine(engines, **{"breaker": LONG, **values}))
        return made[-1]

    yield make
    for each in made:
        each.refuse_waiting()
        each.close()


def is_closed(engine: FallbackEngine) -> bool:
    return engine.breakers["far"].state is BreakerState.CLOSED


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


# --- who answers ----------------------------------------------------------------------------------


def test_the_first_answers_while_it_can_and_the_next_stands_in(
    far: FarServer, group: Make, caplog: pytest.LogCaptureFixture
) -> None:
    near = Near()
    engine = group(remote(far.url), near, breaker=SHORT)
    first = engine.submit(RED, "Q1").result(20)
    assert (first.text, first.profile, first.instead) == ("far: Q1", "far", False)
    far.kill()
    caplog.set_level(logging.WARNING)
    for number in range(2, 12):
        answer = engine.submit(RED, f"Q{number}").result(20)
        assert (answer.text, answer.profile, answer.instead) == (f"near: Q{number}", "near", True)
    far.start()
    until(lambda: not engine.submit(RED, "again").result(20).instead)
    told = [record.getMessage() for record in caplog.records if record.name == fallback.__name__]
    assert len(told) == 2  # once when it opened, once when it closed, however many trials failed
    assert told[0].startswith("The profile far gives no answers")
    assert "cannot be reached" in told[0]
    assert told[1] == "The profile far answers again."


@pytest.mark.parametrize("fault", [401, 404, 429, 500, 400])
def test_each_refusal_goes_to_the_next(llmock: LLMock, group: Make, fault: int) -> None:
    llmock.fail(fault, times=None)
    engine = group(remote(llmock.base_url()), Near())
    for _ in range(3):
        assert engine.submit(RED, "What?").result(20).profile == "near"
    opened = engine.breakers["far"].state is BreakerState.OPEN
    assert opened is (fault != 400)  # which is the question's fault
    if opened:
        asked = len(llmock.requests)
        assert engine.submit(RED, "What?").result(20).instead
        assert len(llmock.requests) == asked  # nobody waits for it


@pytest.mark.parametrize("fault", ["disconnect", "truncate", "corrupt", "stall", "slow"])
def test_a_stream_that_breaks_is_begun_anew_by_the_next(
    llmock: LLMock, group: Make, fault: str
) -> None:
    llmock.reply("It is red, and it is red all over, from one side to the other.")
    breaks: dict[str, Callable[[], LLMock]] = {
        "disconnect": lambda: llmock.disconnect(after_chunks=2, times=None),
        "truncate": lambda: llmock.truncate(after_chunks=2, times=None),
        "corrupt": lambda: llmock.corrupt(after_chunks=2, times=None),
        "stall": lambda: llmock.stall(after_chunks=2, seconds=2.0, times=None),
        "slow": lambda: llmock.slow_first_token(2.0, times=None),
    }
    breaks[fault]()
    near = Near()
    engine = group(remote(llmock.base_url()), near, patience=0.4)
    heard: list[str] = []
    answer = engine.submit(RED, "Q", 0, ChatContext(on_text=heard.append)).result(20)
    assert (answer.text, answer.profile, answer.instead) == ("near: Q", "near", True)
    assert near.asked == ["Q"]
    count = len(heard)
    engine.refuse_waiting()
    engine.close()
    assert len(heard) == count  # nothing comes after the answer


def test_a_silent_server_is_waited_for_once_and_answers_that_come_late_are_dropped(
    far: FarServer, group: Make
) -> None:
    far.hold.clear()
    near = Near()
    engine = group(remote(far.url), near, patience=0.2)
    asked = [engine.submit(RED, f"Q{n}") for n in range(6)]
    assert [each.result(20).text for each in asked] == [f"near: Q{n}" for n in range(6)]
    assert engine.breakers["far"].state is BreakerState.OPEN
    far.hold.set()
    assert engine.submit(RED, "now").result(20).profile == "near"
    assert sorted(near.asked) == sorted([*(f"Q{n}" for n in range(6)), "now"])  # none twice
    assert engine.breakers["far"].state is BreakerState.OPEN  # until a trial


def test_who_waits_for_a_server_that_is_found_down_goes_on_at_once(
    far: FarServer, group: Make
) -> None:
    far.hold.clear()
    engine = group(remote(far.url, timeout=60.0, parallel=2), Near(), patience=30.0)
    held = [engine.submit(RED, f"Q{n}") for n in range(5)]  # two are sent, three wait
    until(lambda: len(far.asked) == 2)
    breaker = engine.breakers["far"]
    for _ in range(2):  # others' questions fail meanwhile
        ticket = breaker.admit()
        assert ticket is not None
        breaker.failed(ticket)
    assert {each.result(15).profile for each in held} == {"near"}


def test_who_is_busy_answers_late_rather_than_nobody(far: FarServer, group: Make) -> None:
    far.hold.clear()
    near = Near(room=0)
    engine = group(remote(far.url), near, patience=0.1)
    asked = engine.submit(RED, "Q")
    until(lambda: engine._asked != set() and next(iter(engine._asked)).look_at > 0)
    far.hold.set()
    answer = asked.result(20)
    assert (answer.profile, answer.instead, near.asked) == ("far", False, [])


def test_a_full_queue_is_not_waited_for_and_not_an_outage(far: FarServer, group: Make) -> None:
    far.hold.clear()
    near = Near()
    engine = group(remote(far.url, parallel=1, queue=1), near)
    first = engine.submit(RED, "Q0")
    until(lambda: len(far.asked) == 1)
    second, third = engine.submit(RED, "Q1"), engine.submit(RED, "Q2")
    assert third.result(20).profile == "near"
    near.room = 0
    with pytest.raises(EngineBusy):
        engine.submit(RED, "Q3")
    far.hold.set()
    assert [first.result(20).profile, second.result(20).profile] == ["far", "far"]
    assert engine.breakers["far"].state is BreakerState.CLOSED


def test_when_all_fail_it_is_one_error(far: FarServer, group: Make) -> None:
    far.kill()
    engine = group(remote(far.url), remote(far.url, "other"))
    for _ in range(2):
        with pytest.raises(EngineUnavailable, match="cannot be reached"):
            engine.submit(RED, "Q").result(20)
    with pytest.raises(EngineUnavailable, match="None of the profiles"):
        engine.submit(RED, "Q")
    assert engine._asked == set()


def test_who_chose_a_profile_is_answered_by_it_and_else_by_the_usual_ones(group: Make) -> None:
    near, other = Near(), Near("other")
    engine = group(near, other, order=["near"])
    chosen = ChatContext(profile="other")
    for context, name, instead in (
        (NO_CONTEXT, "near", False), (chosen, "other", False),
        (ChatContext(profile="gone"), "near", False),
    ):  # fmt: skip
        answer = engine.submit(RED, "Q", 0, context).result(20)
        assert (answer.profile, answer.instead) == (name, instead)
    other.room = 0
    answer = engine.submit(RED, "Q", 0, chosen).result(20)
    assert (answer.profile, answer.instead) == ("near", True)


# --- what goes along ------------------------------------------------------------------------------


def test_who_cannot_answer_such_a_question_does_not_stand_in(far: FarServer, group: Make) -> None:
    near = Near()
    engine = group(remote(far.url), near, breaker=BreakerSettings(2, 0.2, 0.2))
    assert engine.capabilities() == Capabilities(True, ("en", "de"), True)
    german = ChatContext(language="de", asked="Was ist das?")
    reading, foreign = ChatContext(reading=True), replace(german, asked="Wat is?")
    assert engine.submit(RED, "What is it?", 0, german).result(20).text == "far: Was ist das?"
    far.kill()
    answer = engine.submit(RED, "What is it?", 0, german).result(20)
    assert (answer.text, answer.language) == ("near: What is it?", "en")
    for question, context in (("What does it say?", reading), ("Wat is?", foreign)):
        with pytest.raises(EngineUnavailable):
            engine.submit(RED, question, 0, context).result(20)
    assert near.asked == ["What is it?"]
    assert engine.capabilities() == SHORT_ANSWERS  # it is what answers now
    far.start()
    until(lambda: engine.capabilities().reads)


def test_turns_go_along(far: FarServer, group: Make) -> None:
    far.kill()
    near = Near()
    context = ChatContext((Turn("What is it?", "A dog."),))
    group(remote(far.url), near).submit(RED, "Q", 0, context).result(20)
    assert near.contexts[0].turns == context.turns


def test_text_begins_anew_and_words_of_who_was_given_up_are_not_heard(group: Make) -> None:
    first, second = Near("first", held=True), Near("second", held=True)
    engine = group(first, second, patience=0.1)
    heard: list[str] = []
    asked = engine.submit(RED, "Q", 0, ChatContext(on_text=heard.append))
    assert first.contexts[0].on_text
    first.contexts[0].on_text("A dog")
    until(lambda: bool(second.contexts))
    assert second.contexts[0].on_text
    first.contexts[0].on_text("A dog and")
    second.contexts[0].on_text("A cat")
    second.futures[0].set_result(Answer("A cat.", None, 0.1))
    assert asked.result(20).text == "A cat."
    second.contexts[0].on_text("A cat. More")
    assert heard == ["A dog", "A cat"]
    assert first.futures[0].cancelled()


@pytest.mark.parametrize("shown", [True, False])
def test_who_writes_is_not_given_up(group: Make, shown: bool) -> None:
    first = Near("first", held=True)
    engine = group(first, Near("second"), patience=0.3)
    asked = engine.submit(RED, "Q")
    begun = time.monotonic()
    while time.monotonic() - begun < 0.8:
        context = first.contexts[0]
        assert context.on_text
        assert context.on_sign
        if shown:
            context.on_text("still")
        else:  # it thinks
            context.on_sign()
        time.sleep(0.02)
    first.futures[0].set_result(Answer("done", None, 0.1))
    assert asked.result(20).profile == "first"


def test_a_question_taken_back_is_not_asked_of_the_next(far: FarServer, group: Make) -> None:
    far.hold.clear()
    near = Near()
    engine = group(remote(far.url, parallel=1), near, patience=0.2)
    asked = [engine.submit(RED, f"Q{n}") for n in range(3)]
    until(lambda: len(far.asked) == 1)
    assert all(each.cancel() for each in asked)
    until(lambda: engine._asked == set())
    far.hold.set()
    assert engine.submit(RED, "Q3").result(20).profile == "far"
    assert far.asked == ["Q0", "Q3"]
    assert near.asked == []


# --- under load -----------------------------------------------------------------------------------


def test_killed_under_load_nothing_is_lost_and_nothing_twice(far: FarServer, group: Make) -> None:
    near = Near()
    engine = group(remote(far.url, parallel=4), near, breaker=SHORT, patience=5.0)
    answered: dict[str, list[Answer]] = {}

    def note(question: str, done: Future[Answer]) -> None:
        answered.setdefault(question, []).append(done.result())

    def person(number: int) -> None:
        for turn in range(10):
            question = f"{number}/{turn}"
            future = engine.submit(RED, question)
            future.add_done_callback(partial(note, question))
            future.result(30)
            time.sleep(0.01)

    with ThreadPoolExecutor(20) as people:
        running = [people.submit(person, number) for number in range(20)]

        def ended() -> bool:
            return all(each.done() for each in running)

        for most in (15, 45, 75):  # it flaps
            until(lambda most=most: len(far.asked) > most or ended())
            far.kill()
            until(lambda: not is_closed(engine) or ended())
            far.start()
        for each in running:
            each.result(60)
    assert len(answered) == 200
    for question, answers in answered.items():
        (answer,) = answers
        assert answer.text == f"{answer.profile}: {question}"
        assert answer.instead is (answer.profile == "near")
    assert {answers[0].profile for answers in answered.values()} == {"far", "near"}
    assert len(near.asked) == len(set(near.asked))
    assert engine._asked == set()


def test_the_trial_is_one_question_while_all_others_are_answered(
    far: FarServer, group: Make
) -> None:
    far.status = 500
    engine = group(remote(far.url), Near(), breaker=BreakerSettings(2, 0.2, 0.2))
    for _ in range(2):
        engine.submit(RED, "Q").result(20)
    far.status, before = 200, len(far.asked)
    far.hold.clear()
    until(lambda: bool(engine.submit(RED, "trial")) and len(far.asked) > before)
    start = threading.Barrier(20)

    def ask(number: int) -> Answer:
        start.wait()
        return engine.submit(RED, f"other {number}").result(20)

    with ThreadPoolExecutor(20) as people:
        assert {each.profile for each in people.map(ask, range(20))} == {"near"}
    assert far.asked[before:] == ["trial"]
    far.hold.set()
    until(lambda: engine.breakers["far"].state is BreakerState.CLOSED)
    assert engine.submit(RED, "Q").result(20).profile == "far"


# --- the end --------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["closed", "open", "half_open"])
def test_the_end_answers_or_refuses_everybody_in_each_state(
    far: FarServer, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    near = Near(held=state != "closed")
    engine = FallbackEngine([remote(far.url, parallel=1), near], breaker=BreakerSettings(2, 0.05))
    if state != "closed":
        far.status = 500
        asked = [engine.submit(RED, f"Q{n}") for n in range(3)]
        until(lambda: engine.breakers["far"].state is BreakerState.OPEN and len(near.asked) == 3)
    else:
        asked = []
    far.hold.clear()
    if state == "half_open":
        seen = len(far.asked)
        while len(far.asked) == seen:
            asked.append(engine.submit(RED, "trial"))
            time.sleep(0.005)
    else:
        asked += [engine.submit(RED, f"Q{n}") for n in range(3, 6)]
    assert engine.refuse_waiting() > 0 or state == "closed"
    with pytest.raises(EngineClosed):
        engine.submit(RED, "late")
    far.hold.set()
    engine.close()
    assert all(each.done() for each in asked)
    for each in asked:
        assert isinstance(each.exception(), EngineClosed | EngineUnavailable | None)
    assert not engine._watcher.is_alive()


def test_what_is_under_way_is_finished_at_the_end(far: FarServer) -> None:
    near = Near()
    engine = FallbackEngine([remote(far.url, parallel=1), near])
    asked = [engine.submit(RED, f"Q{n}") for n in range(10)]
    engine.close()
    assert [each.result(0).text for each in asked] == [f"far: Q{n}" for n in range(10)]
    engine.close()  # once more does no harm
