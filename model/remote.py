"""The engine of a profile whose model answers on a server elsewhere."""

from __future__ import annotations

import re
import threading
import time
from collections import deque
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress

from model.chat_client import ChatClient
from model.errors import EngineBusy, EngineClosed
from model.requests import NO_CONTEXT, Answer, ChatContext, Picture, Request
from model.server_config import RemoteProfile

CLOSING_SECONDS = 10.0  # that `close` waits for a server when those who wait were refused
_SHORT = re.compile(r"[^\s.!?]+(?: [^\s.!?]+){0,2}\.")  # few words, though with a full stop
_SMALL = frozenset({"yes", "no", "unknown", "not sure", "unsure", "i don't know", "unclear"})


class RemoteEngine:
    """Asks a server about pictures, a few at a time; has the interface of `model.engine.Engine`.

    Args:
        profile: The server, and how it is asked.

    Raises:
        ProfileError: The key of the server cannot be read.
    """

    def __init__(self, profile: RemoteProfile) -> None:
        self.profile = profile
        self._client = ChatClient(profile)
        self._changed = threading.Condition()
        self._queued: deque[Request] = deque()
        self._sent: set[Future[Answer]] = set()
        self._closed = self._refusing = False
        self._workers = [
            threading.Thread(target=self._work, name=f"glimpse-remote-{number}", daemon=True)
            for number in range(profile.server.parallel)
        ]
        for worker in self._workers:
            worker.start()

    @property
    def waiting(self) -> int:
        """How many requests wait for their turn to be sent."""
        return len(self._queued)

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
            The answer; `EngineUnavailable` if the server gives none.

        Raises:
            EngineBusy: The queue is full.
            EngineClosed: The engine was shut down.
        """
        request = Request(picture, question, rank, context)
        with self._changed:
            if self._closed:
                raise EngineClosed("The engine was shut down.")
            if len(self._queued) >= self.profile.server.queue:
                raise EngineBusy("Too many questions are waiting.")
            self._queued.append(request)
            self._changed.notify()
        return request.future

    def refuse_waiting(self) -> int:
        """Refuse what has not been sent, and all later requests; tells how many.

        From then on nothing is tried again, and `close` does not wait long for the server.
        """
        with self._changed:
            self._closed = self._refusing = True
            queued = [*self._queued]
            self._queued.clear()
            self._changed.notify_all()
        self._client.stop_retrying()
        refused = [each for each in queued if each.future.set_running_or_notify_cancel()]
        for each in refused:
            each.future.set_exception(EngineClosed("The engine is shutting down."))
        return len(refused)

    def close(self) -> None:
        """Finish what is queued and stop; later requests are refused."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        deadline = time.monotonic() + CLOSING_SECONDS
        for worker in self._workers:
            worker.join(max(0.0, deadline - time.monotonic()) if self._refusing else None)
        for answer in [*self._sent]:  # the server is slower than whoever ends may be
            with suppress(InvalidStateError):
                answer.set_exception(EngineClosed("The engine is shutting down."))
        self._client.close()

    # -- a worker --------------------------------------------------------------------------

    def _work(self) -> None:
        while request := self._next():
            answer = request.future
            self._sent.add(answer)
            try:
                result = self._ask(request)
            except BaseException as error:
                with suppress(InvalidStateError):
                    answer.set_exception(error)
            else:
                with suppress(InvalidStateError):
                    answer.set_result(result)
            self._sent.discard(answer)

    def _next(self) -> Request | None:
        """The next request to send; None for the end."""
        with self._changed:
            while True:
                while not self._queued and not self._closed:
                    self._changed.wait()
                if not self._queued:
                    return None
                request = self._queued.popleft()
                if request.future.set_running_or_notify_cancel():
                    return request

    def _ask(self, request: Request) -> Answer:
        begun = time.perf_counter()
        said = self._client.ask(request.picture.image, request.question, request.rank)
        now = time.perf_counter()
        waited = now - request.submitted
        return Answer(bare(said.text), said.confidence, waited, decoding=now - begun)


def bare(text: str) -> str:
    """A few words as our own models give them: "Yes." becomes "yes"; sentences stay as they are."""
    words = text[:-1] if _SHORT.fullmatch(text) else text
    return words.lower() if words.lower() in _SMALL else words
