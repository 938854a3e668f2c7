"""What engines of chat models share: a bounded queue, and threads that answer one request each."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from concurrent.futures import Future, InvalidStateError

from model.errors import EngineBusy, EngineClosed
from model.requests import NO_CONTEXT, Answer, ChatContext, Picture, Request

LOOK_SECONDS = 0.1  # between looks whether anybody waits for an answer
CLOSING_SECONDS = 10.0  # that `close` waits for answers when those who wait were refused


class QueuedEngine(ABC):
    """Answers requests one by one on each thread; has the interface of `model.engine.Engine`.

    A future is never set running, so that it can be cancelled at any time; whoever answers looks at
    `Request.future` now and then, and stops when it is done.

    Args:
        workers: Most requests answered at the same time.
        queue: Most requests waiting for their turn.
        name: Of the threads.
    """

    def __init__(self, *, workers: int, queue: int, name: str) -> None:
        self._most = queue
        self._changed = threading.Condition()
        self._queued: deque[Request] = deque()
        self._begun: set[Future[Answer]] = set()
        self._closed = self._refusing = False
        self._workers = [
            threading.Thread(target=self._work, name=f"{name}-{number}", daemon=True)
            for number in range(workers)
        ]

    def _start(self) -> None:
        """Begin to answer; a subclass calls it when it is ready."""
        for worker in self._workers:
            worker.start()

    @abstractmethod
    def _ask(self, request: Request) -> Answer:
        """Answer a request, on one of the threads; what it raises becomes the future's."""

    @abstractmethod
    def _hurry(self) -> None:
        """Be told that answers are wanted soon or not at all."""

    @abstractmethod
    def _release(self) -> None:
        """Let go of what answers need."""

    @property
    def waiting(self) -> int:
        """How many requests wait for their turn, but for those that were taken back."""
        return sum(not each.future.done() for each in [*self._queued])

    def submit(
        self,
        picture: Picture,
        question: str | None,
        rank: int = 0,
        context: ChatContext = NO_CONTEXT,
    ) -> Future[Answer]:
        """Queue a question about a picture.

        Args:
            picture: What it is about.
            question: None asks for a caption.
            rank: Which answer: 0 the best one; others are drawn at a higher temperature.
            context: The conversation so far, and who is told of the text as it comes.

        Returns:
            The answer; `EngineUnavailable` if there is none.

        Raises:
            EngineBusy: The queue is full.
            EngineClosed: The engine was shut down.
        """
        request = Request(picture, question, rank, context)
        with self._changed:
            if self._closed:
                raise EngineClosed("The engine was shut down.")
            if self.waiting >= self._most:
                raise EngineBusy("Too many questions are waiting.")
            self._queued.append(request)
            self._changed.notify()
        return request.future

    def refuse_waiting(self) -> int:
        """Refuse what nobody has begun to answer, and all later requests; tells how many.

        From then on nothing is tried again, and `close` does not wait long for answers.
        """
        with self._changed:
            self._closed = self._refusing = True
            queued = [*self._queued]
            self._queued.clear()
            self._changed.notify_all()
        self._hurry()
        return sum(_settle(each.future, _closing()) for each in queued)

    def close(self) -> None:
        """Finish what is queued and stop; later requests are refused."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            while not self._refusing and (self.waiting or not all(a.done() for a in self._begun)):
                self._changed.wait(LOOK_SECONDS)
        self._hurry()  # whoever is still at it writes for nobody
        deadline = time.monotonic() + CLOSING_SECONDS
        for worker in self._workers:
            worker.join(max(0.0, deadline - time.monotonic()))
        with self._changed:
            late = [*self._begun]  # they take longer than whoever ends may wait
            self._begun.clear()
        for answer in late:
            _settle(answer, _closing())
        self._release()

    # -- a worker --------------------------------------------------------------------------

    def _work(self) -> None:
        while request := self._next():
            result: Answer | BaseException
            try:
                result = self._ask(request)
            except BaseException as error:
                result = error
            with self._changed:
                wanted = request.future in self._begun  # else `close` has settled it
                self._begun.discard(request.future)
            if wanted:
                _settle(request.future, result)

    def _next(self) -> Request | None:
        """The next request to answer; None for the end."""
        with self._changed:
            while True:
                while not self._queued and not self._closed:
                    self._changed.wait()
                if not self._queued:
                    return None
                request = self._queued.popleft()
                if request.future.cancelled():
                    request.future.set_running_or_notify_cancel()
                    continue
                self._begun.add(request.future)
                return request


def _closing() -> EngineClosed:
    return EngineClosed("The engine is shutting down.")


def _settle(future: Future[Answer], result: Answer | BaseException) -> bool:
    """Give a future its answer, or say why there is none; false if it was cancelled."""
    try:
        if isinstance(result, BaseException):
            future.set_exception(result)
        else:
            future.set_result(result)
    except InvalidStateError:
        future.set_running_or_notify_cancel()  # tells those who wait
        return False
    return True
