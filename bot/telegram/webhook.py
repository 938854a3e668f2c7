"""Updates that Telegram brings to an address of one's own, instead of being asked for them."""

from __future__ import annotations

import hashlib
import hmac
import re
import socket
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from telegram import Bot
from telegram.ext import Updater


@dataclass(frozen=True)
class Webhook:
    """Where Telegram brings updates.

    Attributes:
        url: The public address; a proxy there hands requests on, with their path.
        host: Name or address to listen on.
        port: Its port.
        secret: What every request has to bring, so that nobody else can send updates.
    """

    url: str
    host: str
    port: int
    secret: str = field(repr=False)

    def check(self) -> None:
        """See whether it can be listened on, before Telegram is told.

        Raises:
            OSError: It cannot.
        """
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        socket.create_server((self.host, self.port), family=family).close()

    async def agree(self, bot: Bot, kinds: list[str]) -> None:
        """Tell Telegram where to bring these kinds of updates.

        Raises:
            TelegramError: It cannot be told, or refuses.
        """
        await bot.set_webhook(self.url, allowed_updates=kinds, secret_token=self.secret)

    async def start(self, updater: Updater, kinds: list[str]) -> None:
        """Listen; requests without the secret are refused."""
        await updater.start_webhook(
            self.host,
            self.port,
            re.escape(urlsplit(self.url).path.strip("/")),  # the library takes a pattern
            webhook_url=self.url,
            allowed_updates=kinds,
            secret_token=self.secret,
            bootstrap_retries=-1,
        )


def secret_from(token: str) -> str:
    """A secret for the webhook that is the same after every start, and does not tell the token."""
    return hmac.new(token.encode(), b"glimpse telegram webhook", hashlib.sha256).hexdigest()
