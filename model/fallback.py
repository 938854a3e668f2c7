"""Several profiles behind one engine: who cannot answer, or not in time, is stood in for.

A circuit breaker for each server keeps questions from one that is down; as soon as it answers a
trial, it is asked again. A question is lost in no case: its future ends with one answer, or with
the error of the last who was asked.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Protocol

from model.breaker import BreakerSettings, BreakerState, CircuitBreaker
from model.errors import EngineBusy, EngineClosed, EngineUnavailable, ModelError
from model.requests import (
    NO_CONTEXT,
    SHORT_ANSWERS,
    Answer,
    Capabilities,
    ChatContext,
    Picture,
    Request,
)
from model.server_config import RemoteProfile

PATIENCE = 20.0  # seconds
TICK = 0.1  # seconds between looks after those who wait
_QUESTIONS_FAULT = frozenset({400, 413, 415, 422})  # statuses that tell nothing of the server

log = logging.getLogger(__name__)


class Named(Protocol):
    """A profile."""

    @property
    def name(self) -> str:
        """As the settings name it."""
        ...


class AnsweringEngine(Protocol):
    """What `model.engine.Engine` and `model.remote.RemoteEngine` have in common."""

    @property
    def profile(self) -> Named:
        """What the model is."""
        ...

    @property
    def waiting(self) -> int:
        """How many questions are queued."""
        ...

    def submit(
        self, picture: Picture, question: str | None, rank: int = 0, context: ChatContext = ...
    ) -> Future[Answer]:
        """Queue a question."""
        ...

    def refuse_waiting(self) -> int:
        """Refuse what is queued, and everything later; tells how many."""
        ...

    def close(self) -> None:
        """Finish what is queued, and stop."""
        ...


class FallbackEngine:
    """Asks the first of several engines that can answer; has the interface of each of them.

    Args:
        engines: All that there are; their profiles' names differ.
        order: Names of those that are asked, the first one first; None for all, as they come. Who
            chose another one is answered by that, and in its stead by these.
        patience: Seconds without a word from one engine, after which the next is asked.
        breaker: When a server is left alone.
        clock: Monotonic seconds.

    Attributes:
        profile: That of the first one.
    """

    def __init__(
        self,
        engines: Sequence[AnsweringEngine],
        order: Sequence[str] | None = None,
        *,
        patience: float = PATIENCE,
        breaker: BreakerSettings = BreakerSettings(),  # noqa: B008 (frozen)
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._members = {
            each.profile.name: _Member(
                each,
                # What computes in this process does not go away, and may be the last that is left.
                CircuitBreaker(breaker, clock) if isinstance(each.profile, RemoteProfile) else None,
            )
            for each in engines
        }
        self._order = [self._members[name] for name in order or self._members]
        self.profile = self._order[0].engine.profile
        self._patience, self._clock = patience, clock
        self._changed = threading.Condition()
        self._asked: set[_Asked] = set()
        self._closed = self._refusing = False
        self._watcher = threading.Thread(target=self._watch, name="glimpse-fallback", daemon=True)
        self._watcher.start()

    # -- what it tells -------------------------------------------------------------------------

    @property
    def profiles(self) -> Mapping[str, Named]:
        """Those of all engines, by name."""
        return {name: member.engine.profile for name, member in self._members.items()}

    @property
    def order(self) -> tuple[str, ...]:
        """The names of those that answer who chose nothing, the first one first."""
        return tuple(member.name for member in self._order)

    @property
    def breakers(self) -> Mapping[str, CircuitBreaker]:
        """The breakers of those that answer on a server."""
        return {name: each.breaker for name, each in self._members.items() if each.breaker}

    def capabilities(self, profile: str = "") -> Capabilities:
        """What the model can do that answers now: a chosen profile's, or in its stead the next."""
        order = self._order_for(None, ChatContext(profile=profile))
        able = [each for each in order if each.breaker is None or each.breaker.admits]
        return (able or order)[0].capabilities

    @property
    def waiting(self) -> int:
        """How many questions are queued, in all engines."""
        return sum(member.engine.waiting for member in self._members.values())

    @property
    def prefix_hits(self) -> int:
        """Requests whose picture was encoded before."""
        return sum(getattr(each.engine, "prefix_hits", 0) for each in self._members.values())

    @property
    def prefix_misses(self) -> int:
        """Requests whose picture was not."""
        return sum(getattr(each.engine, "prefix_misses", 0) for each in self._members.values())

    # -- questions -----------------------------------------------------------------------------

    def submit(
        self,
        picture: Picture,
        question: str | None,
        rank: int = 0,
        context: ChatContext = NO_CONTEXT,
    ) -> Future[Answer]:
        """Ask about a picture.

        Args:
            picture: What it is about.
            question: None asks for a caption.
            rank: Which answer: 0 the best one.
            context: What a chat model may use, and which profile was chosen.

        Returns:
            The answer, which names the profile that gave it.

        Raises:
            EngineBusy: The queues of all who could answer are full.
            EngineUnavailable: No server is asked at the moment.
            EngineClosed: The engine was shut down.
        """
        asked = _Asked(
            Request(picture, question, rank, context), self._order_for(question, context)
        )
        with self._changed:
            if self._closed:
                raise EngineClosed("The engine was shut down.")
            self._asked.add(asked)
            self._changed.notify()
        with asked.lock:
            trouble = self._ask(asked, 0)
        if trouble:
            self._forget(asked)
            raise trouble
        asked.request.future.add_done_callback(lambda _: self._settled(asked))
        return asked.request.future

    def _order_for(self, question: str | None, context: ChatContext) -> list[_Member]:
        """Who may answer, and can, the first one first."""
        foreign = context.asked != "" and context.asked == question  # there is no translation
        chosen = self._members.get(context.profile)
        order = dict.fromkeys([chosen, *self._order] if chosen else self._order)
        return [
            each for each in order
            if each.name not in context.without
            and (each.capabilities.reads or not context.reading)
            and (context.language in each.capabilities.languages or not foreign)
        ]  # fmt: skip

    def _ask(self, asked: _Asked, place: int) -> BaseException | None:
        """Ask the first who takes a question, from a place on; what is in the way if nobody does.

        Whoever calls this holds the question's lock.
        """
        troubles: list[BaseException] = []
        for at, member in enumerate(asked.order[place:], place):
            ticket = member.breaker.admit() if member.breaker else 0
            if ticket is None:
                continue
            request, before = asked.request, asked.attempt
            attempt = _Attempt(member, at, ticket, self._clock())
            context = replace(
                request.context,
                on_text=partial(self._wrote, asked, attempt),
                on_sign=partial(self._heard, attempt),
            )
            asked.attempt = attempt  # before the answer comes
            try:
                inner = member.engine.submit(
                    request.picture, request.question, request.rank, context
                )
            except Exception as error:
                asked.attempt = before
                self._release(attempt)
                troubles.append(error)
                continue
            attempt.future = inner
            inner.add_done_callback(partial(self._done, asked, attempt))
            return None
        busy = next((each for each in troubles if isinstance(each, EngineBusy)), None)
        nobody = EngineUnavailable("None of the profiles can be asked at the moment.")
        return busy or (troubles[-1] if troubles else nobody)

    def _wrote(self, asked: _Asked, attempt: _Attempt, text: str) -> None:
        """The model writes; only who was asked last is listened to."""
        with asked.lock:
            if asked.attempt is not attempt or asked.request.future.done():
                return  # late words of somebody who was given up
            attempt.wrote = True
            self._heard(attempt)
            if asked.request.context.on_text:
                asked.request.context.on_text(text)

    def _heard(self, attempt: _Attempt) -> None:
        """Something came of the model, be it nothing to show: thoughts, or half a link."""
        attempt.heard = attempt.member.heard = self._clock()

    def _done(self, asked: _Asked, attempt: _Attempt, inner: Future[Answer]) -> None:
        """An engine has answered, or failed."""
        with asked.lock:
            if asked.attempt is not attempt or asked.request.future.done():
                self._release(attempt)
                return
            error = EngineClosed("It was cancelled.") if inner.cancelled() else inner.exception()
            if error is None:
                self._take_in_success(attempt)
            elif self._refusing:
                self._release(attempt)
            else:
                self._take_in_failure(attempt, error)
                trouble = self._ask(asked, attempt.place + 1)
                if trouble is None:
                    return
                error = trouble if isinstance(trouble, EngineBusy) else error
            asked.attempt = None
        with suppress(InvalidStateError):  # somebody took the question back
            if error:
                asked.request.future.set_exception(error)
            else:
                asked.request.future.set_result(_signed(inner.result(), asked, attempt))

    def _settled(self, asked: _Asked) -> None:
        """The question has its answer, or was taken back by who asked."""
        self._forget(asked)
        if asked.request.future.cancelled():
            with asked.lock:
                attempt = asked.attempt
            if attempt:
                attempt.future.cancel()
                self._release(attempt)

    def _forget(self, asked: _Asked) -> None:
        with self._changed:
            self._asked.discard(asked)
            self._changed.notify_all()

    # -- the breakers --------------------------------------------------------------------------

    def _take_in_success(self, attempt: _Attempt) -> None:
        member = attempt.member
        member.heard = self._clock()
        if member.breaker and member.breaker.succeeded(attempt.ticket):
            log.warning("The profile %s answers again.", member.name)

    def _take_in_failure(self, attempt: _Attempt, error: BaseException) -> None:
        member = attempt.member
        if isinstance(error, EngineUnavailable) and error.status in _QUESTIONS_FAULT:
            self._take_in_success(attempt)  # it is there, though it refuses this question
            log.warning("The profile %s refused a question: %s", member.name, error)
        elif isinstance(error, EngineBusy | EngineClosed):
            self._release(attempt)
        elif member.breaker and member.breaker.failed(attempt.ticket):
            told = "The profile %s gives no answers, and is left alone until it does: %s"
            log.error(told, member.name, _sentence(error))
            with self._changed:  # others that wait for it need not
                self._changed.notify()
        elif not isinstance(error, ModelError):
            log.error("The profile %s could not answer", member.name, exc_info=error)
        else:
            log.info("The profile %s gave no answer: %s", member.name, error)

    def _release(self, attempt: _Attempt) -> None:
        if attempt.member.breaker:
            attempt.member.breaker.release(attempt.ticket)

    # -- patience ------------------------------------------------------------------------------

    def _watch(self) -> None:
        """Look after those who wait, as long as somebody does."""
        while True:
            with self._changed:
                if self._closed and not self._asked:
                    return
                self._changed.wait(TICK if self._asked else None)
                asked = [*self._asked]
            for each in asked:
                self._look_after(each)

    def _look_after(self, asked: _Asked) -> None:
        """Ask the next where the one that was asked is silent, or was found to be down."""
        with asked.lock:
            attempt, now = asked.attempt, self._clock()
            if attempt is None or asked.request.future.done() or now < asked.look_at:
                return
            breaker = attempt.member.breaker
            down = (
                breaker is not None
                and breaker.state is not BreakerState.CLOSED
                and not breaker.holds(attempt.ticket)
                and not attempt.wrote
            )
            late = now - attempt.heard > self._patience
            if not (late or down):
                return
            if self._ask(asked, attempt.place + 1):
                asked.look_at = now + 1.0  # a late answer is better than none
                return
        if late and attempt.member.heard < attempt.begun:
            silence = f"It has said nothing for {self._patience:g} seconds."
            self._take_in_failure(attempt, EngineUnavailable(silence))
        else:  # others got answers from it meanwhile: it has much to do
            self._release(attempt)
        attempt.future.cancel()

    # -- the end -------------------------------------------------------------------------------

    def refuse_waiting(self) -> int:
        """Refuse what no engine has begun, and all later requests; tells how many."""
        with self._changed:
            self._closed = self._refusing = True
        return sum(member.engine.refuse_waiting() for member in self._members.values())

    def close(self) -> None:
        """Finish what is queued, and stop; later requests are refused."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._refusing or not self._asked)
        closing = [
            threading.Thread(target=each.engine.close, daemon=True)
            for each in self._members.values()
        ]
        for thread in closing:
            thread.start()
        for thread in closing:
            thread.join()
        with self._changed:
            left = [*self._asked]
        for asked in left:
            with suppress(InvalidStateError):
                asked.request.future.set_exception(EngineClosed("The engine is shutting down."))
        with self._changed:
            self._changed.notify_all()
        self._watcher.join()


class _Member:
    """An engine and its breaker.

    Attributes:
        heard: When it last answered or wrote something.
    """

    def __init__(self, engine: AnsweringEngine, breaker: CircuitBreaker | None) -> None:
        self.engine, self.breaker, self.heard = engine, breaker, 0.0
        self.name = engine.profile.name
        self.capabilities: Capabilities = getattr(engine.profile, "capabilities", SHORT_ANSWERS)


@dataclass(eq=False)
class _Attempt:
    """One engine, asked one question.

    Attributes:
        member: The engine.
        place: Its place in the question's order.
        ticket: Of its breaker.
        begun: When it was asked.
        heard: When it last wrote something, at first the same.
        wrote: Whether it has begun to.
        future: Its answer.
    """

    member: _Member
    place: int
    ticket: int
    begun: float
    heard: float = 0.0
    wrote: bool = False
    future: Future[Answer] = field(default_factory=Future)

    def __post_init__(self) -> None:
        self.heard = self.begun


@dataclass(eq=False)
class _Asked:
    """A question, and who is asked.

    Attributes:
        request: The question, and the future of whoever asks.
        order: Who is asked, one after the other.
        lock: Held while the attempt changes, or a text is passed on.
        attempt: The last one; what others say does not count.
        look_at: Until when there is no use in looking for somebody else.
    """

    request: Request
    order: Sequence[_Member]
    lock: Any = field(default_factory=threading.RLock)
    attempt: _Attempt | None = None
    look_at: float = 0.0


def _signed(answer: Answer, asked: _Asked, attempt: _Attempt) -> Answer:
    seconds = time.perf_counter() - asked.request.submitted
    return replace(answer, seconds=seconds, profile=attempt.member.name, instead=attempt.place > 0)


def _sentence(error: BaseException) -> str:
    """What the operator reads: only our own errors say nothing that others may not know."""
    return str(error) if isinstance(error, ModelError) else type(error).__name__
