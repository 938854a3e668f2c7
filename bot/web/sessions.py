"""The cookies that tell people and their chats apart. They name nobody; nothing is stored here."""

from __future__ import annotations

import re
import secrets
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response

PERSON, CHAT = "glimpse_person", "glimpse_chat"
LASTING = 400 * 86_400  # seconds; browsers keep no cookie longer
_SHAPE = re.compile(r"[A-Za-z0-9_-]{32}")


class Visitor(NamedTuple):
    """Whose browser it is, by which /forget and /settings find them, and which chat of theirs."""

    person: str
    chat: str


def tells(request: Request) -> bool:
    """Whether a request for the page tells who makes it, be it somebody new.

    Who follows a link from another site brings no strict cookies; were new ones set then, the
    person whose cookies these replace could never be found again.
    """
    own = request.headers.get("sec-fetch-site") in {"none", "same-origin"}
    return own or _read(request, PERSON) is not None


def visitor_of(request: Request) -> Visitor:
    """Read who makes a request; what it does not bring in our shape is made up."""
    person = _read(request, PERSON)
    # Somebody else's chat is none of a new person's.
    chat = _read(request, CHAT) if person else None
    return Visitor(person or _new(), chat or _new())


def in_new_chat(visitor: Visitor) -> Visitor:
    """The same person in a chat that nothing was said in yet."""
    return visitor._replace(chat=_new())


def remember(
    request: Request, response: Response, visitor: Visitor, *, renew: bool = False
) -> None:
    """Set what the browser does not know yet: the person for long, the chat until it is closed.

    Args:
        request: Tells what it knows.
        response: Sets it, out of reach of scripts and other sites.
        visitor: What it is to know.
        renew: Begin the time of the person's cookie anew.
    """
    for name, value, seconds in ((PERSON, visitor.person, LASTING), (CHAT, visitor.chat, None)):
        if _read(request, name) == value and not (renew and seconds):
            continue
        response.set_cookie(
            name,
            value,
            max_age=seconds,
            path="/",
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https",
        )


def _new() -> str:
    """An id of 192 random bits."""
    return secrets.token_urlsafe(24)


def _read(request: Request, name: str) -> str | None:
    value = request.cookies.get(name, "")
    return value if _SHAPE.fullmatch(value) else None
