"""What stands between the chat page and strangers: who may send a request.

The Host check, the cross-site check and the security headers come before every request. Who is who
is told by `bot.web.visitors`.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bot.settings import WebSettings

HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
WRONG_HOST = (
    "Glimpse does not answer under this address. Open the one that it printed when it started."
)
CROSS_SITE = "This request came from another site, so Glimpse left it alone."
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class RequestRefused(Exception):  # noqa: N818  (it is an answer, not a defect)
    """A request that cannot be served.

    Args:
        status: HTTP status code.
        sentence: What went wrong and what to do, fit for the person.
    """

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence


# --- before every request ----------------------------------------------------------------------


def is_loopback(host: str) -> bool:
    """Tell whether listening on `host` reaches this computer alone."""
    if host == "localhost":
        return True
    address = _address(host)
    return address is not None and address.is_loopback


def host_allowed(host: str, settings: WebSettings) -> bool:
    """Tell whether a Host header names us.

    A site whose name is made to point at this computer (DNS rebinding) would otherwise read
    the chat. Such an attack needs a name, so a server open to the network takes any address.

    Args:
        host: The header: a name or address, perhaps with a port.
        settings: Where we listen and which names were configured.
    """
    name = _hostname(host)
    if name in _LOOPBACK or name == settings.host.lower():
        return True
    if name in {allowed.lower() for allowed in settings.allowed_hosts}:
        return True
    if is_loopback(settings.host):
        return False
    machine = socket.gethostname().lower()
    return _address(name) is not None or name in {machine, f"{machine}.local"}


def same_site(headers: Headers) -> bool:
    """Tell whether a changing request comes from our own page, or from no browser at all.

    Browsers send Sec-Fetch-Site to secure and local addresses, and Origin to all; a script
    like curl sends neither, and holds nobody's cookie.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in {"same-origin", "none"}
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc.lower() == headers.get("host", "").lower()


class SecurityMiddleware:
    """ASGI middleware that refuses what is not ours and puts security headers on all answers."""

    def __init__(
        self,
        app: ASGIApp,
        settings: WebSettings,
        refuse: Callable[[Request, RequestRefused], Response],
    ) -> None:
        self._app = app
        self._settings = settings
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        app: ASGIApp = self._app
        refusal = self._check(scope)
        if refusal is not None:
            app = self._refuse(Request(scope), refusal)
        await app(scope, receive, send_with_headers)

    def _check(self, scope: Scope) -> RequestRefused | None:
        headers = Headers(scope=scope)
        if not host_allowed(headers.get("host", ""), self._settings):
            return RequestRefused(421, WRONG_HOST)
        if scope["method"] not in _SAFE_METHODS and not same_site(headers):
            return RequestRefused(403, CROSS_SITE)
        return None


def _hostname(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
