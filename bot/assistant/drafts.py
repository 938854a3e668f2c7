"""What a chat model has written so far, brought from its threads to whoever shows it meanwhile."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from bot.assistant.types import Draft

_log = logging.getLogger(__name__)
OnText = Callable[[str], None]


@contextmanager
def drafting(draft: Draft | None, say: Callable[[str], str]) -> Iterator[OnText | None]:
    """What to give to a model that writes; nothing is shown any more after the block.

    Args:
        draft: Shows a text, in this event loop; None if nobody does.
        say: Puts what the model wrote so far as the reply would; "" if it is too early for that.
    """
    if draft is None:
        yield None
        return
    relay = _Relay(draft, say, asyncio.get_running_loop())
    try:
        yield relay.tell
    finally:
        relay.close()


class _Relay:
    """Shows the last text only, where many come before the loop has its turn."""

    def __init__(
        self, draft: Draft, say: Callable[[str], str], loop: asyncio.AbstractEventLoop
    ) -> None:
        self._draft, self._say, self._loop = draft, say, loop
        self._lock = threading.Lock()
        self._latest: str | None = None  # that was not shown
        self._shown = ""
        self._closed = False

    def tell(self, text: str) -> None:
        """Take a text, in any thread."""
        with self._lock:
            coming = self._latest is not None
            self._latest = text
        if not coming:
            with suppress(RuntimeError):  # the loop has ended, and nobody reads any more
                self._loop.call_soon_threadsafe(self._show)

    def close(self) -> None:
        """Show nothing any more."""
        self._closed = True

    def _show(self) -> None:
        with self._lock:
            text, self._latest = self._latest or "", None
        if self._closed:
            return
        try:
            said = self._say(text)
            if said and said != self._shown:
                self._shown = said
                self._draft(said)
        except Exception as error:  # a nicety; the answer itself reports troubles
            self.close()
            _log.debug("Could not show a draft: %s", type(error).__name__)
