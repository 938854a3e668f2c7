"""What the adapters of all platforms share: running, stopping, fetching, retrying, buttons."""

from __future__ import annotations

import asyncio
import logging
import mimetypes
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    stop_after_attempt,
    stop_never,
    wait_chain,
    wait_fixed,
)

from bot.assistant.locale.texts import Texts
from bot.assistant.types import Attachment
from bot.errors import PlatformError
from data.images.sniff import moving

if TYPE_CHECKING:
    from bot.health import Connection

Part = Callable[[asyncio.Event], Awaitable[None]]
PURGE_SECONDS = 60.0  # seconds
LAST_ANSWERS = 5.0  # seconds in which questions are still answered when the process is to end
SHUTDOWN_SECONDS = 17.0  # seconds that answers under way have when a bot is stopped
ABANDON_SECONDS = 1.0  # seconds to take back what was shown of the others
RECENT = 5000  # of anything, messages or people, that an adapter keeps in mind

LARGEST = 20_000_000  # bytes of a picture; Telegram lets bots fetch no more
FETCH_TIMEOUT = 20.0  # seconds, for one attempt
ATTEMPTS = 2
FETCH_WAIT = 1.0  # seconds between attempts
OFFLINE_SECONDS = 300.0  # for which a picture waits until there is a network again
AT_ONCE = 8  # files on their way at the same time

_PICTURE_NAME = re.compile(
    r"\.(heics?|heif|avif|jpe?g?|jfif?|pjp(?:eg)?|a?png|webp|gif|bmp|dib|tiff?)$", re.IGNORECASE
)
_log = logging.getLogger(__name__)
T = TypeVar("T")


# --- running --------------------------------------------------------------------------------------


async def run_together(
    parts: Sequence[Part],
    stopped: asyncio.Event,
    *,
    beside: Sequence[Part] = (),
    stays: bool = False,
) -> None:
    """Run until `stopped` is set, or no part is left.

    A part that is refused for good, or fails as nobody foresaw, is said in the log, once, and the
    others go on.

    Args:
        parts: Each runs until the event it is given is set.
        stopped: Ends them all.
        beside: What only accompanies the parts.
        stays: Wait for `stopped` even if every part was refused, so that whoever starts the
            process again and again does not bring the refused token again and again.

    Raises:
        PlatformError: The last part was refused, unless this `stays`.
        Exception: Whatever the last part raised, or what accompanies the parts.
    """
    going: set[asyncio.Future[Any]] = {asyncio.ensure_future(part(stopped)) for part in parts}
    others: set[asyncio.Future[Any]] = {asyncio.ensure_future(part(stopped)) for part in beside}
    waiting: asyncio.Future[Any] = asyncio.ensure_future(stopped.wait())
    tasks = [*going, *others]
    try:
        refused = await _until_the_last_ends(going, others, waiting, stays=stays)
        stopped.set()
        await asyncio.gather(*tasks, waiting, return_exceptions=True)
    except asyncio.CancelledError:
        for task in (*tasks, waiting):
            task.cancel()
        await asyncio.gather(*tasks, waiting, return_exceptions=True)
        raise
    for task in (*going, *others):
        if (error := _failure(task)) and not isinstance(error, PlatformError):
            raise error
    if refused:
        raise refused


async def _until_the_last_ends(
    going: set[asyncio.Future[Any]],
    others: set[asyncio.Future[Any]],
    waiting: asyncio.Future[Any],
    *,
    stays: bool,
) -> BaseException | None:
    """Wait for the stop, or the last part's end; gives why that failed, if it did.

    What fails before is said, and the rest goes on: a platform must not silence another one.
    """
    while True:
        done, _ = await asyncio.wait(
            {*going, *others, waiting}, return_when=asyncio.FIRST_COMPLETED
        )
        ended = done & going
        going.difference_update(ended)
        failures = [error for task in ended if (error := _failure(task))]
        failures.sort(key=lambda error: not isinstance(error, PlatformError))  # worse ones last
        last = None
        if failures and not going and not (stays and isinstance(failures[-1], PlatformError)):
            last = failures.pop()
        for error in failures:
            foreseen = isinstance(error, PlatformError)
            said = str(error) if foreseen else "A part has failed, and the others go on"
            _log.error("%s", said, exc_info=None if foreseen else error)
        if last or len(done) > len(failures):
            return last


def _failure(task: asyncio.Future[Any]) -> BaseException | None:
    return None if task.cancelled() else task.exception()


def reporting(part: Part, connection: Connection) -> Part:
    """The same part, which also tells its connection when it is refused, or ends."""

    async def run(stopped: asyncio.Event) -> None:
        try:
            await part(stopped)
        except PlatformError as refusal:
            connection.refused(str(refusal))
            raise
        finally:
            connection.lost("It has ended.")

    return run


async def refuse_late(refuse: Callable[[], int], stopped: asyncio.Event) -> None:
    """Some seconds after `stopped` is set, refuse the questions that are still waiting.

    Whoever asked them is told to ask again, rather than cut off when the time to finish is over.

    Args:
        refuse: Refuses them all, and tells how many.
        stopped: The process is to end.
    """
    await stopped.wait()
    await asyncio.sleep(LAST_ANSWERS)
    if refused := refuse():
        _log.warning("%d questions were refused, for Glimpse is shutting down", refused)


async def purge_until(purge: Callable[[], None], stopped: asyncio.Event) -> None:
    """Call `purge` every minute until `stopped` is set: what is too old has to go by itself."""
    while True:
        try:
            async with asyncio.timeout(PURGE_SECONDS):
                await stopped.wait()
                return
        except TimeoutError:
            purge()


# --- fetching -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PictureFile:
    """A picture on a platform's servers.

    Attributes:
        id: Fetches it: Telegram's file id, or Discord's address.
        size: Bytes, 0 if unknown.
        name: Of the file, or "".
        still: Of a video or an animated sticker; "" for a picture, else what it stands for.
        spoiler: It is hidden until somebody asks to see it.
        read: Fetches its bytes, where the platform's library knows how.
    """

    id: str
    size: int = 0
    name: str = ""
    still: str = ""
    spoiler: bool = False
    read: Callable[[], Awaitable[bytes]] | None = field(default=None, compare=False)


@dataclass(frozen=True)
class OtherFile:
    """A file that is no picture: its name, as it was sent."""

    name: str


SharedFile = PictureFile | OtherFile


def may_be_picture(name: str, kind: str) -> bool:
    """Whether a file may be a picture: what nothing is told of is, until its bytes tell.

    Args:
        name: Of the file, or "".
        kind: Its media type, or "".
    """
    if kind.startswith("image/") or _PICTURE_NAME.search(name):  # phones send HEIC as any kind
        return True
    return kind in {"", "application/octet-stream"} and mimetypes.guess_type(name)[0] is None


@dataclass
class Fetched:
    """Pictures, what to say about those that could not be had, and whether any was hidden."""

    pictures: list[Attachment] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    spoiler: bool = False


class FetchError(RuntimeError):
    """A picture could not be fetched; `too_big` tells whether that is why."""

    def __init__(self, too_big: bool = False) -> None:
        super().__init__("too big" if too_big else "cannot be fetched")
        self.too_big = too_big


class Fetcher:
    """Fetches pictures, within bounds of size, time and number; for one event loop.

    Args:
        read: Fetches the bytes of a file.
        retried: Errors of the network, after which it is tried again.
        offline: Whether one of these means that there is no network at all, which is waited for.
    """

    def __init__(
        self,
        read: Callable[[PictureFile], Awaitable[bytes]],
        retried: tuple[type[Exception], ...],
        offline: Callable[[BaseException], bool] = lambda _: False,
    ) -> None:
        self._read, self._offline = read, offline
        self._retried: tuple[type[Exception], ...] = (TimeoutError, *retried)
        self._slots = asyncio.Semaphore(AT_ONCE)

    async def fetch_all(self, files: Sequence[SharedFile], texts: Texts) -> Fetched:
        """Fetch files, all at once, in their order."""
        fetched = Fetched()
        results = await asyncio.gather(*(self._fetch_or_say(each, texts) for each in files))
        for number, (file, result) in enumerate(zip(files, results, strict=True), 1):
            if isinstance(result, str):
                fetched.remarks.append(result)
                continue
            # Numbered as people see them, with what is no picture counted.
            fetched.pictures.append(replace(result, number=number))
            if isinstance(file, PictureFile):
                fetched.spoiler |= file.spoiler
                if still := file.still or moving(result.content):
                    fetched.remarks.append(texts.still_only.format(what=still))
        return fetched

    async def fetch(self, file: PictureFile) -> Attachment:
        """The bytes of a picture.

        Raises:
            FetchError: It is too big, gone, or the network fails more than once.
        """
        if file.size > LARGEST:
            raise FetchError(too_big=True)
        time, failures = asyncio.get_running_loop().time, 0
        end = time() + OFFLINE_SECONDS
        while True:
            try:
                async with asyncio.timeout(FETCH_TIMEOUT):
                    content = await self._read(file)
                break
            except self._retried as error:
                failures += not (self._offline(error) and time() < end)
                _log.warning("An attempt to fetch a picture failed: %s", type(error).__name__)
                if failures == ATTEMPTS:
                    raise FetchError from error
            await asyncio.sleep(FETCH_WAIT)
        if len(content) > LARGEST:
            raise FetchError(too_big=True)
        return Attachment(content, file.name)

    async def _fetch_or_say(self, file: SharedFile, texts: Texts) -> Attachment | str:
        if isinstance(file, OtherFile):
            return texts.no_picture_file
        try:
            async with self._slots:
                return await self.fetch(file)
        except FetchError as error:
            return texts.file_too_big if error.too_big else texts.fetch_failed


# --- trying again ---------------------------------------------------------------------------------


async def retry(
    call: Callable[[], Awaitable[T]],
    retried: Callable[[BaseException], bool],
    waits: Sequence[float],
    failed: Callable[[BaseException, float], None],
    *,
    forever: bool = False,
) -> T:
    """Call until it works.

    Args:
        call: What to do.
        retried: Whether it may be done again after an error.
        waits: Seconds between attempts; as many attempts are made, and one.
        failed: Told of each error that is followed by another attempt, and when that will be.
        forever: Go on with the last of the waits.

    Raises:
        Exception: The last attempt's error, or one that is not retried.
    """

    async def attempt() -> T:  # the library awaits nothing else than a coroutine function's
        return await call()

    def told(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        assert error is not None
        failed(error, state.upcoming_sleep)

    retrying = AsyncRetrying(
        retry=retry_if_exception(retried),
        wait=wait_chain(*map(wait_fixed, waits)),
        stop=stop_never if forever else stop_after_attempt(len(waits) + 1),
        before_sleep=told,
        reraise=True,
    )
    return await retrying(attempt)


# --- buttons --------------------------------------------------------------------------------------


class PressGuard:
    """Lets a press of a button through once while it is in work."""

    def __init__(self) -> None:
        self._in_work: set[Hashable] = set()

    @contextmanager
    def once(self, press: Hashable) -> Iterator[bool]:
        """Whether nothing alike is in work, which this press then is."""
        first = press not in self._in_work
        self._in_work.add(press)
        try:
            yield first
        finally:
            if first:
                self._in_work.discard(press)


# --- stopping -------------------------------------------------------------------------------------


class UnderWay:
    """The tasks that answer somebody."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """What is done in it is an answer under way."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            yield
        finally:
            self._tasks.discard(task)

    async def wait(self) -> None:
        """Wait until all are answered."""
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def abandon(self) -> None:
        """End those that took too long; they take back what they have shown of an answer."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=ABANDON_SECONDS)
