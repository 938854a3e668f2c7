"""The engine of a profile whose model answers on a server elsewhere."""

from __future__ import annotations

import re
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

from model.chat_client import ChatClient
from model.errors import EngineBusy, EngineClosed
from model.requests import Answer, Picture
from model.server_config import RemoteProfile

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
        self._pool = ThreadPoolExecutor(profile.server.parallel, "glimpse-remote")
        self._lock = threading.Lock()
        self._queued: set[Future[Answer]] = set()
        self._refusing = False

    @property
    def waiting(self) -> int:
        """How many requests wait for their turn to be sent."""
        return len(self._queued)

    def submit(self, picture: Picture, question: str | None, rank: int = 0) -> Future[Answer]:
        """Queue a question about a picture.

        Args:
            picture: What it is about.
            question: None asks for a caption.
            rank: Which answer: 0 the best one; others are drawn at a higher temperature.

        Returns:
            The answer; `EngineUnavailable` if the server gives none.

        Raises:
            EngineBusy: The queue is full.
            EngineClosed: The engine was shut down.
        """
        answer: Future[Answer] = Future()
        with self._lock:
            if self._refusing:
                raise EngineClosed("The engine was shut down.")
            if len(self._queued) >= self.profile.server.queue:
                raise EngineBusy("Too many questions are waiting.")
            self._queued.add(answer)
            self._pool.submit(
                partial(self._serve, answer, picture, question, rank, time.perf_counter())
            )
        return answer

    def refuse_waiting(self) -> int:
        """Refuse what has not been sent, and all later requests; tells how many."""
        with self._lock:
            self._refusing = True
            queued, self._queued = self._queued, set()
        self._client.stop_retrying()
        refused = 0
        for answer in queued:
            if answer.set_running_or_notify_cancel():
                answer.set_exception(EngineClosed("The engine is shutting down."))
                refused += 1
        return refused

    def close(self) -> None:
        """Finish what is queued and stop; later requests are refused."""
        with self._lock:
            self._refusing = True
        self._pool.shutdown(wait=True)
        self._client.close()

    def _serve(
        self, answer: Future[Answer], picture: Picture, question: str | None, rank: int, at: float
    ) -> None:
        with self._lock:
            if answer not in self._queued:  # it was refused
                return
            self._queued.remove(answer)
        if not answer.set_running_or_notify_cancel():
            return
        begun = time.perf_counter()
        try:
            said = self._client.ask(picture.image, question, rank)
        except BaseException as error:
            answer.set_exception(error)
            return
        now = time.perf_counter()
        answer.set_result(Answer(bare(said.text), said.confidence, now - at, 0.0, now - begun))


def bare(text: str) -> str:
    """A few words as our own models give them: "Yes." becomes "yes"; sentences stay as they are."""
    words = text[:-1] if _SHORT.fullmatch(text) else text
    return words.lower() if words.lower() in _SMALL else words
