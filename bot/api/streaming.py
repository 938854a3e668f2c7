"""An answer sent as server-sent events while a chat model is still writing it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from starlette.requests import ClientDisconnect
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from bot.api.answering import Answered
from bot.api.completion import Draft, sent_event
from bot.api.errors import ApiError

FEWEST_WORDS = 4  # fewer may be a short answer, which the engine words in its own way
_HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}


class Writing:
    """An answer that is being written.

    Args:
        answer: Makes it; takes who is told of the text so far, from any thread.
        stops: Texts before which it ends.
    """

    def __init__(
        self, answer: Callable[[Callable[[str], None]], Awaitable[Answered]], stops: Sequence[str]
    ) -> None:
        self._loop, self._changed = asyncio.get_running_loop(), asyncio.Event()
        self._text, self._stops = "", stops
        self._answering = asyncio.ensure_future(answer(self._tell))
        self._answering.add_done_callback(lambda _: self._changed.set())

    async def begun(self) -> None:
        """Wait until there is something to send.

        Raises:
            ApiError: There is no answer.
        """
        while not (self._answering.done() or self._settled):
            await self._change()
        if self._answering.done():
            self._answering.result()

    async def texts(self) -> AsyncIterator[str]:
        """The text so far, again and again: as much of it as will stand in the answer."""
        while not self._answering.done():
            if text := self._settled:
                yield text
            await self._change()

    async def answered(self) -> Answered:
        """The whole answer.

        Raises:
            ApiError: There is none.
        """
        return await self._answering

    async def close(self) -> None:
        """Give the answer up, if it is not there."""
        self._answering.cancel()
        await asyncio.gather(self._answering, return_exceptions=True)

    async def _change(self) -> None:
        await self._changed.wait()
        self._changed.clear()

    @property
    def _settled(self) -> str:
        return settled(self._text, self._stops)

    def _tell(self, text: str) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._take, text)

    def _take(self, text: str) -> None:
        self._text = text
        self._changed.set()


def settled(text: str, stops: Sequence[str] = ()) -> str:
    """As much of a text as will stand in the answer, whatever comes behind it.

    Args:
        text: What a chat model has written so far.
        stops: Texts before which the answer ends, of which one may be half there.
    """
    if len(text.split()) < FEWEST_WORDS:
        return ""
    for stop in stops:
        text = text.partition(stop)[0]
    for length in range(max(map(len, stops), default=0), 0, -1):
        if any(stop.startswith(text[-length:]) for stop in stops):
            return text[:-length]
    return text


class StreamedAnswer(StreamingResponse):
    """Sends an answer word for word.

    Args:
        draft: What is known of the completion before its end.
        writing: The answer.
        ended: Called in the end, to give `writing` up, with the answer, or why there is none; None
            if nobody waits for it.
    """

    def __init__(
        self,
        draft: Draft,
        writing: Writing,
        ended: Callable[[Answered | ApiError | None], Awaitable[None]],
    ) -> None:
        self._draft, self._writing, self._ended = draft, writing, ended
        self._result: Answered | ApiError | None = None
        super().__init__(self._events(), headers=_HEADERS, media_type="text/event-stream")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        try:
            with contextlib.suppress(ClientDisconnect):
                await super().__call__(scope, receive, send)
        finally:
            await self._ended(self._result)

    async def _events(self) -> AsyncIterator[str]:
        draft, sent = self._draft, ""
        yield draft.opening()
        async for text in self._writing.texts():
            cut, _ = draft.cut(text)
            if len(cut) > len(sent) and cut.startswith(sent):
                yield draft.words(cut[len(sent) :])
                sent = cut
        try:
            answered = await self._writing.answered()
            if not answered.completion.content.startswith(sent):
                raise _begun_anew()
        except ApiError as error:
            self._result = error
            yield sent_event(error.body)
            return
        for event in answered.completion.events(sent):
            yield event
        self._result = answered


def _begun_anew() -> ApiError:
    """What was sent cannot be taken back, and clients must not take it for the answer."""
    return ApiError(503, "The model had to begin anew; please ask again.", "interrupted")
