"""What fetching a picture may cost, and how it fails, the same on every platform."""

from __future__ import annotations

LARGEST = 20_000_000  # bytes; Telegram lets bots fetch no more
PATIENCE = 20.0  # seconds, for one attempt
ATTEMPTS = 2


class FetchError(RuntimeError):
    """A picture could not be fetched; `too_big` tells whether that is why."""

    def __init__(self, too_big: bool = False) -> None:
        super().__init__("too big" if too_big else "cannot be fetched")
        self.too_big = too_big
