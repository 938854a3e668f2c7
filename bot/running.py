"""Several platforms in one process: they start together, and when one ends, all do."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

Part = Callable[[asyncio.Event], Awaitable[None]]
TIDYING = 60.0  # seconds


async def run_together(parts: Sequence[Part], stopped: asyncio.Event) -> None:
    """Run until `stopped` is set, or a part fails; the others then finish what is under way.

    Args:
        parts: Each runs until the event it is given is set.
        stopped: Ends them all.

    Raises:
        Exception: Whatever a part raised first.
    """
    tasks = [asyncio.ensure_future(part(stopped)) for part in parts]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        stopped.set()
        await asyncio.gather(*tasks, return_exceptions=True)
    except asyncio.CancelledError:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise
    for task in [*done, *tasks]:
        if error := task.exception():
            raise error


async def tidy_until(tidy: Callable[[], None], stopped: asyncio.Event) -> None:
    """Call `tidy` every minute until `stopped` is set: what is too old has to go by itself."""
    while True:
        try:
            async with asyncio.timeout(TIDYING):
                await stopped.wait()
                return
        except TimeoutError:
            tidy()
