"""A chat completion that comes as server-sent events, put together as if it had come whole."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx

from model.plain_text import LONGEST_ANSWER, plain_text_so_far

EVENTS = "text/event-stream"
MOST_STREAMED = 20_000_000  # bytes of a response; each token comes in some hundred of them
TELLING_SECONDS = 0.1  # least time between two texts that a listener gets
_END = "[DONE]"


class BrokenStreamError(Exception):
    """The stream ended before the answer did."""


class FailedStreamError(Exception):
    """The server said in the middle of an answer that it cannot go on."""


class UnwantedError(Exception):
    """Nobody waits for the answer any more."""


def read_stream(
    response: httpx.Response,
    deadline: float,
    on_text: Callable[[str], None] | None = None,
    unwanted: Callable[[], bool] = lambda: False,
    on_sign: Callable[[], None] | None = None,
) -> dict[str, Any]:
    """Read a streamed completion.

    Args:
        response: Its events.
        deadline: Monotonic seconds until which it has to be there.
        on_text: Told the plain text so far.
        unwanted: Whether nobody waits for it any more.
        on_sign: Called at each event, whatever it tells.

    Returns:
        The object that the server would have answered without streaming, as far as it matters.

    Raises:
        BrokenStreamError: It ended too early.
        FailedStreamError: The server told of an error.
        UnwantedError: Nobody waits for it any more.
        ValueError: These are no events of the protocol.
        TimeoutError: It is too late.
        OverflowError: It is more than an answer can be.
        httpx.TransportError: The connection broke.
    """
    from httpx_sse import EventSource

    response.stream = _Bounded(response, deadline, unwanted)
    response.encoding = "utf-8-sig"  # as events always are
    whole = _Whole(_Listener(on_text))
    for event in EventSource(response).iter_sse():
        if on_sign:
            on_sign()
        if event.data == _END:
            return whole.completion()
        if event.event == "error":
            raise FailedStreamError
        if event.data:
            whole.add(json_object(event.data))
    if not whole.finished:
        raise BrokenStreamError
    return whole.completion()


class _Bounded(httpx.SyncByteStream):
    """A response's bytes, which end with an error where they are too many, too late or in vain."""

    def __init__(
        self, response: httpx.Response, deadline: float, unwanted: Callable[[], bool]
    ) -> None:
        assert isinstance(response.stream, httpx.SyncByteStream)
        self._stream: httpx.SyncByteStream = response.stream
        self._deadline, self._unwanted = deadline, unwanted

    def __iter__(self) -> Iterator[bytes]:
        total = 0
        for part in self._stream:
            total += len(part)
            if total > MOST_STREAMED:
                raise OverflowError
            if time.monotonic() > self._deadline:
                raise TimeoutError
            if self._unwanted():
                raise UnwantedError
            yield part

    def close(self) -> None:
        self._stream.close()


@dataclass
class _Listener:
    """Tells what was written so far, now and then."""

    on_text: Callable[[str], None] | None
    told: str = ""
    last: float = 0.0

    def hear(self, parts: Iterable[str]) -> None:
        now = time.monotonic()
        if (
            not self.on_text
            or now - self.last < TELLING_SECONDS
            or len(self.told) >= LONGEST_ANSWER
        ):
            return
        text = plain_text_so_far("".join(parts))[:LONGEST_ANSWER]
        self.last = now
        if text and text != self.told:
            self.told = text
            self.on_text(text)


@dataclass
class _Whole:
    """What the chunks of a completion's first choice say together."""

    listener: _Listener
    parts: list[str] = field(default_factory=list)
    refusal: list[str] = field(default_factory=list)
    tokens: list[Any] = field(default_factory=list)
    sure: bool = True  # that each part came with the probabilities of its tokens
    calls_tool: bool = False
    finished: bool = False
    usage: Any = None

    def add(self, chunk: dict[str, Any]) -> None:
        """Take in the next chunk."""
        if chunk.get("error"):
            raise FailedStreamError
        self.usage = chunk.get("usage") or self.usage
        choices = chunk.get("choices")
        if not isinstance(choices, list):
            raise ValueError("no choices")
        for choice in choices[:1]:
            if not isinstance(choice, dict):
                raise ValueError("a choice that is none")
            self._add_choice(choice)

    def _add_choice(self, choice: dict[str, Any]) -> None:
        delta = choice.get("delta")
        delta = delta if isinstance(delta, dict) else {}
        text = text_of(delta.get("content"))
        self.refusal.append(text_of(delta.get("refusal")))
        self.calls_tool = self.calls_tool or bool(delta.get("tool_calls"))
        logprobs = choice.get("logprobs")
        rows = logprobs.get("content") if isinstance(logprobs, dict) else None
        self.tokens += rows if isinstance(rows, list) else []
        self.sure = self.sure and (bool(rows) or not text)
        if text:
            self.parts.append(text)
            self.listener.hear(self.parts)
        reason = choice.get("finish_reason")
        if reason == "error":
            raise FailedStreamError
        self.finished = self.finished or bool(reason)

    def completion(self) -> dict[str, Any]:
        """The object that a server answers without streaming."""
        message = {
            "content": "".join(self.parts),
            "refusal": "".join(self.refusal),
            "tool_calls": self.calls_tool,
        }
        # Some servers, `glimpse serve` among them, tell them behind the words.
        told = "".join(str(row.get("token")) for row in self.tokens if isinstance(row, dict))
        logprobs = {"content": self.tokens} if self.sure or told == message["content"] else None
        return {"choices": [{"message": message, "logprobs": logprobs}], "usage": self.usage}


def text_of(content: object) -> str:
    """The text of a message, or of what is added to one: in one piece, or in parts."""
    if isinstance(content, list):
        parts = [part.get("text") for part in content if isinstance(part, dict)]
        return "".join(part for part in parts if isinstance(part, str))
    return content if isinstance(content, str) else ""


def json_object(data: str | bytes | bytearray) -> dict[str, Any]:
    """The object that a JSON text is.

    Raises:
        ValueError: It is none.
    """
    try:
        told = json.loads(data)
    except RecursionError:
        told = None
    if not isinstance(told, dict):
        raise ValueError("no JSON object")
    return told
