"""Telegram brings updates by itself: where to, and the server that takes them."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import tornado.httpserver
import tornado.web
from telegram import Bot

Take = Callable[[Any], Awaitable[None]]
# Telegram keeps a connection for its next update, and sends each at once.
IDLE_SECONDS, BODY_SECONDS = 60, 20
MAX_BODY = 1_000_000  # bytes of an update
_HEADER = "X-Telegram-Bot-Api-Secret-Token"


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

    async def register(self, bot: Bot, kinds: list[str]) -> None:
        """Tell Telegram where to bring these kinds of updates.

        Raises:
            TelegramError: It cannot be told, or refuses.
        """
        await bot.set_webhook(self.url, allowed_updates=kinds, secret_token=self.secret)

    def listen(self, take: Take) -> tornado.httpserver.HTTPServer:
        """Listen; requests without the secret are refused.

        Args:
            take: Is given what an update holds, and has it safe when it returns. What it cannot
                read it steps over: Telegram would bring a refused update again and again, and
                nothing else before.

        Raises:
            OSError: The port is taken.
        """
        path = re.escape("/" + urlsplit(self.url).path.strip("/")).rstrip("/")
        known = {"take": take, "secret": self.secret}
        application = tornado.web.Application(
            [(rf"{path}/?", _Receiver, known)], log_function=lambda _: None
        )
        server = tornado.httpserver.HTTPServer(
            application,
            idle_connection_timeout=IDLE_SECONDS,
            body_timeout=BODY_SECONDS,
            max_body_size=MAX_BODY,
        )
        server.listen(self.port, self.host)
        return server


class _Receiver(tornado.web.RequestHandler):
    """Takes one update."""

    SUPPORTED_METHODS = ("POST",)

    def initialize(self, take: Take, secret: str) -> None:
        self._take, self._secret = take, secret

    async def post(self) -> None:
        given = self.request.headers.get(_HEADER, "")
        if not hmac.compare_digest(given.encode(), self._secret.encode()):
            raise tornado.web.HTTPError(403)
        if self.request.headers.get("Content-Type", "").partition(";")[0] != "application/json":
            raise tornado.web.HTTPError(403)
        try:
            content = json.loads(self.request.body)
        except ValueError:
            raise tornado.web.HTTPError(400) from None
        await self._take(content)

    def log_exception(self, *_: Any) -> None:
        """Nothing that a request brought goes into the operator's log."""


def secret_from(token: str) -> str:
    """A secret for the webhook that is the same after every start, and does not tell the token."""
    return hmac.new(token.encode(), b"glimpse telegram webhook", hashlib.sha256).hexdigest()
