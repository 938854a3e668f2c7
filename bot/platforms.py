"""Several platforms in one process; they start together, and one may be refused without others."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bot.health import Connection

Part = Callable[[asyncio.Event], Awaitable[None]]
TIDYING = 60.0  # seconds
ANSWERING = 5.0  # seconds in which questions are still answered when the process is to end

_log = logging.getLogger(__name__)


class PlatformError(RuntimeError):  # noqa: N818
    """A part is refused for good; `str(error)` is one plain sentence: why, and what to do."""


async def run_together(
    parts: Sequence[Part],
    stopped: asyncio.Event,
    *,
    beside: Sequence[Part] = (),
    stays: bool = False,
) -> None:
    """Run until `stopped` is set, or a part fails; the others then finish what is under way.

    A part that is refused for good is said in the log, once, and the others go on.

    Args:
        parts: Each runs until the event it is given is set.
        stopped: Ends them all.
        beside: What only accompanies the parts.
        stays: Wait for `stopped` even if every part was refused, so that whoever starts the
            process again and again does not bring the refused token again and again.

    Raises:
        PlatformError: The last part was refused, unless this `stays`.
        Exception: Whatever a part raised first.
    """
    going: set[asyncio.Future[Any]] = {asyncio.ensure_future(part(stopped)) for part in parts}
    others: set[asyncio.Future[Any]] = {asyncio.ensure_future(part(stopped)) for part in beside}
    waiting: asyncio.Future[Any] = asyncio.ensure_future(stopped.wait())
    tasks = [*going, *others]
    try:
        refused = await _until_one_ends(going, others, waiting, stays=stays)
        stopped.set()
        await asyncio.gather(*tasks, waiting, return_exceptions=True)
    except asyncio.CancelledError:
        for task in (*tasks, waiting):
            task.cancel()
        await asyncio.gather(*tasks, waiting, return_exceptions=True)
        raise
    for task in tasks:
        error = task.exception()
        if error and not isinstance(error, PlatformError):
            raise error
    if refused:
        raise refused


async def _until_one_ends(
    going: set[asyncio.Future[Any]],
    others: set[asyncio.Future[Any]],
    waiting: asyncio.Future[Any],
    *,
    stays: bool,
) -> PlatformError | None:
    """Wait for the stop, a failure or an end; gives why the last part was refused, if it was."""
    while True:
        done, _ = await asyncio.wait(
            {*going, *others, waiting}, return_when=asyncio.FIRST_COMPLETED
        )
        refusals = [error for task in done & going if (error := _refusal(task))]
        going.difference_update(done)
        last = refusals.pop() if refusals and not (going or stays) else None
        for refusal in refusals:
            _log.error("%s", str(refusal))
        if last or len(done) > len(refusals):
            return last


def _refusal(task: asyncio.Future[Any]) -> PlatformError | None:
    error = None if task.cancelled() else task.exception()
    return error if isinstance(error, PlatformError) else None


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
    await asyncio.sleep(ANSWERING)
    if refused := refuse():
        _log.warning("%d questions were refused, for Glimpse is shutting down", refused)


async def tidy_until(tidy: Callable[[], None], stopped: asyncio.Event) -> None:
    """Call `tidy` every minute until `stopped` is set: what is too old has to go by itself."""
    while True:
        try:
            async with asyncio.timeout(TIDYING):
                await stopped.wait()
                return
        except TimeoutError:
            tidy()
