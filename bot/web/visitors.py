"""Who is who on the chat page: cookies tell people apart, and each tab has a conversation.

An id names nobody. It is signed, so that only ids issued here count: whoever makes one up gets a
new one. People with a cookie from before ids were signed stay who they are while the log keeps
anything of theirs; nothing else could be lost.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from cachetools import LRUCache
from starlette.requests import Request
from starlette.responses import Response

from bot.errors import LogError

PERSON_COOKIE, CHAT_COOKIE = "glimpse_person", "glimpse_chat"
COOKIE_SECONDS = 400 * 86_400  # seconds; browsers keep no cookie longer
CONVERSATION_HEADER = "glimpse-conversation"
_SHAPE = re.compile(r"[A-Za-z0-9_-]{32}")
_CONVERSATION = re.compile(r"[A-Za-z0-9_-]{16,64}")
_RANDOM, _SIGNATURE = 16, 8  # bytes of an id
_KNOWN = 5000  # people with an old cookie who are kept in mind


class Visitor(NamedTuple):
    """Whose browser it is, by which /forget and /settings find them, and which chat of theirs.

    Attributes:
        person: From the person's cookie.
        chat: Made of `person` and the tab's conversation, so that neither alone opens it; from the
            chat's cookie where no conversation is named, as by a script.
        cookie: What the chat's cookie is to be.
    """

    person: str
    chat: str
    cookie: str


class Visitors:
    """Issues ids and reads who makes a request.

    Args:
        key: Signs the ids.
        knows: Whether anything is kept of a person on a platform; raises `LogError` if that cannot
            be told now.
    """

    def __init__(self, key: bytes, knows: Callable[[str, str], Awaitable[bool]]) -> None:
        self._key, self._knows = key, knows
        self._known: LRUCache[str, None] = LRUCache(_KNOWN)

    async def read(self, request: Request) -> Visitor:
        """Read who makes a request; what it does not bring as it was issued is made up."""
        person = await self.person(request)
        # Somebody else's chat is none of a new person's.
        chat = _cookie(request, CHAT_COOKIE) if person else ""
        cookie = chat if self._issued(chat) else self._new_id()
        person = person or self._new_id()
        conversation = request.headers.get(CONVERSATION_HEADER, "")
        if not _CONVERSATION.fullmatch(conversation):
            return Visitor(person, cookie, cookie)
        return Visitor(person, _chat_of(person, conversation), cookie)

    async def person(self, request: Request) -> str:
        """The person whose cookie a request brings, or ""."""
        person = _cookie(request, PERSON_COOKIE)
        return person if person and await self._accepts(person) else ""

    def in_new_chat(self, visitor: Visitor) -> Visitor:
        """The same person, whose next message without a conversation is in another chat."""
        return visitor._replace(cookie=self._new_id())

    async def _accepts(self, person: str) -> bool:
        if self._issued(person) or person in self._known:
            return True
        try:
            if not await self._knows("web", person):
                return False
        except LogError:  # better a stranger's made-up id than a person who cannot /forget
            return True
        self._known[person] = None
        return True

    def _new_id(self) -> str:
        number = secrets.token_bytes(_RANDOM)
        return base64.urlsafe_b64encode(number + self._signature(number)).decode()

    def _issued(self, value: str) -> bool:
        if not _SHAPE.fullmatch(value):
            return False
        content = base64.urlsafe_b64decode(value)
        return hmac.compare_digest(content[_RANDOM:], self._signature(content[:_RANDOM]))

    def _signature(self, number: bytes) -> bytes:
        return hmac.digest(self._key, number, "sha256")[:_SIGNATURE]


def identifies_visitor(request: Request, person: str) -> bool:
    """Whether a request for the page tells who makes it, be it somebody new.

    Who follows a link from another site brings no strict cookies; were new ones set then, the
    person whose cookies these replace could never be found again.
    """
    own = request.headers.get("sec-fetch-site") in {"none", "same-origin"}
    return own or bool(person)


def set_cookies(
    request: Request, response: Response, visitor: Visitor, *, renew: bool = False
) -> None:
    """Set what the browser does not know yet: the person for long, the chat until it is closed.

    Args:
        request: Tells what it knows.
        response: Sets it, out of reach of scripts and other sites.
        visitor: What it is to know.
        renew: Begin the time of the person's cookie anew.
    """
    for name, value, seconds in (
        (PERSON_COOKIE, visitor.person, COOKIE_SECONDS),
        (CHAT_COOKIE, visitor.cookie, None),
    ):
        if _cookie(request, name) == value and not (renew and seconds):
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


def _chat_of(person: str, conversation: str) -> str:
    made = hmac.new(person.encode(), conversation.encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(made[: _RANDOM + _SIGNATURE]).decode()


def _cookie(request: Request, name: str) -> str:
    value = request.cookies.get(name, "")
    return value if _SHAPE.fullmatch(value) else ""
