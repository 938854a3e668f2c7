"""The cookie that tells people apart. It names nobody and nothing is stored for it here."""

from __future__ import annotations

import re
import secrets

from starlette.requests import Request
from starlette.responses import Response

COOKIE = "glimpse_session"
_SHAPE = re.compile(r"[A-Za-z0-9_-]{32}")


def new_session() -> str:
    """Make a session id of 192 random bits."""
    return secrets.token_urlsafe(24)


def session_of(request: Request) -> str | None:
    """Read the session id of a request, or None if it brings none of our shape."""
    value = request.cookies.get(COOKIE, "")
    return value if _SHAPE.fullmatch(value) else None


def remember(request: Request, response: Response, session: str) -> None:
    """Set the session cookie: for this browser run, out of reach of scripts and other sites."""
    response.set_cookie(
        COOKIE,
        session,
        path="/",
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
