"""Opening pictures and asking the engine about them, several at once if need be."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from enum import Enum

from bot.assistant.conversations import Album
from bot.assistant.types import Attachment, Exchange, ModelAnswer, PictureEngine
from data.errors import ImageRefused
from data.images.open import Picture
from model.errors import EngineBusy, EngineClosed, EngineUnavailable
from model.requests import NO_CONTEXT, Capabilities, ChatContext, Turn

ALBUM_SHARE = 2  # of an album's pictures in the queue at once: others have their turn between
LONG_QUEUE = 12  # questions before one's own, which take more than a second

_log = logging.getLogger(__name__)
Queued = Callable[[int], Awaitable[None]]
TurnsOf = Callable[[int], tuple[Turn, ...]]


class FailureCause(Enum):
    """Why a picture has no answer. Values are fields of `Texts`."""

    REFUSED = "refused"  # the one with a sentence of its own
    BUSY = "busy"
    CLOSING = "closing"
    CRASHED = "crashed"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True)
class Failure:
    """What stood in the way of an answer.

    Attributes:
        cause: What went wrong.
        sentence: Why the picture was refused, in English, else "".
        reason: The same as `data.errors.ImageRefused` names it.
        reference: Id of a crash, or of a server's fault, in the operator's log, else "".
    """

    cause: FailureCause
    sentence: str = ""
    reference: str = ""
    reason: str = ""


class Inference:
    """Asks an engine about pictures without ever blocking the event loop.

    Args:
        engine: Answers; its `submit` returns at once.
        open_picture: Decodes untrusted bytes, in a thread.
        timeout: Seconds to wait for the engine before giving up on it.
        openings: Pictures decoded at the same time; a big one takes much memory on the way.
    """

    def __init__(
        self,
        engine: PictureEngine,
        open_picture: Callable[[bytes], Picture],
        *,
        timeout: float = 120.0,
        openings: int = 2,
    ) -> None:
        self._engine = engine
        self._open_picture = open_picture
        self._timeout = timeout
        self._opening = asyncio.Semaphore(openings)

    def capabilities(self, profile: str = "") -> Capabilities:
        """What the model of a profile can do, or that of the one that was set up ("")."""
        return self._engine.capabilities(profile)

    async def ask(
        self,
        album: Album,
        places: Sequence[int],
        question: str | None,
        rank: int = 0,
        queued: Queued | None = None,
        *,
        context: ChatContext = NO_CONTEXT,
        turns: TurnsOf | None = None,
    ) -> dict[int, Exchange | Failure]:
        """Ask about some of an album's pictures, in as many rounds as the engine's queue needs.

        Args:
            album: Its entries are opened in place as they are needed.
            places: Which entries, from 0.
            question: None asks for captions.
            rank: Which answer: 0 the best one, others differ from it.
            queued: Told once how many questions are before this one, if that is many.
            context: What a chat model gets beside the question.
            turns: Tells what was said about the picture of a place before.

        Returns:
            An answer, or why there is none, for each place, in the order of `places`.
        """
        opened = {place: await self._open(album, place) for place in places}
        found: dict[int, Exchange | Failure] = {
            place: each for place, each in opened.items() if isinstance(each, Failure)
        }
        pictures = {place: each for place, each in opened.items() if isinstance(each, Picture)}
        async with self._telling(queued if pictures else None):
            while waiting := [place for place in pictures if place not in found]:
                answers: dict[int, asyncio.Future[ModelAnswer]] = {}
                for place in waiting[:ALBUM_SHARE]:
                    try:
                        told = replace(context, turns=turns(place)) if turns else context
                        answer = self._engine.submit(pictures[place], question, rank, told)
                        answers[place] = asyncio.wrap_future(answer)
                    except EngineBusy:
                        break
                    except Exception as error:
                        found[place] = _failure(error)
                if not answers:
                    busy = Failure(FailureCause.BUSY)
                    found |= {place: busy for place in waiting if place not in found}
                for place, result in zip(answers, await self._results(answers), strict=True):
                    if isinstance(result, BaseException):
                        found[place] = _failure(result)
                    else:
                        number = album.numbers[place] - 1
                        found[place] = _exchange(result, question, pictures[place], number)
        return {place: found[place] for place in places}

    async def _open(self, album: Album, place: int) -> Picture | Failure:
        entry = album.entries[place]
        if isinstance(entry, Attachment):
            try:
                async with self._opening:
                    entry = await asyncio.to_thread(self._open_picture, entry.content)
            except ImageRefused as refused:
                entry = refused
            except Exception as error:
                return crashed(error)
            album.entries[place] = entry
        if isinstance(entry, ImageRefused):
            return Failure(FailureCause.REFUSED, sentence=str(entry), reason=entry.reason)
        return entry

    @asynccontextmanager
    async def _telling(self, queued: Queued | None) -> AsyncIterator[None]:
        """Tell how many others are before, if they are many, while waiting."""
        before = self._engine.waiting
        if queued is None or before < LONG_QUEUE:
            yield
            return
        telling = asyncio.ensure_future(_tell(queued, before))
        try:
            yield
        finally:
            await asyncio.wait({telling}, timeout=self._timeout)  # the answer comes after it
            telling.cancel()

    async def _results(
        self, answers: dict[int, asyncio.Future[ModelAnswer]]
    ) -> list[ModelAnswer | BaseException]:
        """Wait for all; on cancellation or when the time is over, take the questions back."""
        try:
            async with asyncio.timeout(self._timeout):
                return await asyncio.gather(*answers.values(), return_exceptions=True)
        except TimeoutError:
            _log.warning("The engine gave no answer within %.0f s", self._timeout)
            return [_result_so_far(answer) for answer in answers.values()]


async def _tell(queued: Queued, before: int) -> None:
    try:
        await queued(before)
    except Exception as error:  # a nicety; the answer itself reports troubles
        _log.debug("Could not tell about the queue: %s", type(error).__name__)


def _result_so_far(answer: asyncio.Future[ModelAnswer]) -> ModelAnswer | BaseException:
    if answer.cancelled():
        return EngineBusy()
    return answer.exception() or answer.result()


def _exchange(answer: ModelAnswer, question: str | None, picture: Picture, place: int) -> Exchange:
    return Exchange(
        kind="caption" if question is None else "question",
        question=question,
        answer=answer.text,
        confidence=answer.confidence,
        seconds=answer.seconds,
        digest=picture.digest,
        width=picture.width,
        height=picture.height,
        format=picture.format,
        waiting=max(0.0, answer.seconds - answer.encoding - answer.decoding),
        encoding=answer.encoding,
        decoding=answer.decoding,
        picture=picture,
        place=place,
        objects=answer.objects,
        profile=answer.profile,
        instead=answer.instead,
        usage=answer.usage,
        language=answer.language,
    )


def _failure(error: BaseException) -> Failure:
    if isinstance(error, EngineBusy):
        return Failure(FailureCause.BUSY)
    # An engine that shuts down may also cancel what is queued.
    if isinstance(error, EngineClosed | asyncio.CancelledError):
        return Failure(FailureCause.CLOSING)
    if isinstance(error, EngineUnavailable):
        reference = secrets.token_hex(3)
        told = {"reference": reference}
        _log.error("%s Reference %s", str(error), reference, extra=told)
        return Failure(FailureCause.UNAVAILABLE, reference=reference)
    return crashed(error)


def crashed(error: BaseException) -> Failure:
    """Log an unexpected error under a short reference that the person is told."""
    reference = secrets.token_hex(3)
    told = {"reference": reference}
    _log.error("Could not answer; reference %s", reference, exc_info=error, extra=told)
    return Failure(FailureCause.CRASHED, reference=reference)
