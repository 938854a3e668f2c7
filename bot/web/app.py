"""The web chat as an ASGI app: routes, and answers in JSON.

`POST /api/messages` takes multipart/form-data with `text` and any number of `pictures`, and
answers `{"reply", "buttons": [{"label", "action"}], "error", "reference", "pictures"}`; so does
every refusal, with its HTTP status. `DELETE /api/conversation` forgets.

Pictures are those that the reply is about: `{"place", "digest", "objects", "names"}`. The place
counts from 0 among the pictures sent together, which the digest (SHA-256 of the file) tells from
others later on; objects are as `bot.assistant.objects.as_rows` has them, names the same in words.
"""

from __future__ import annotations

import hashlib
import html
import logging
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib import resources
from string import Template
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from bot.assistant.objects import as_rows, in_words
from bot.assistant.types import Incoming, Reply
from bot.settings import WebSettings
from bot.web.budget import UploadBudget
from bot.web.security import (
    HEADERS,
    RequestRefused,
    SecurityMiddleware,
    Visitor,
    identifies_visitor,
    in_new_chat,
    set_cookies,
    visitor_of,
)
from bot.web.shares import client_of
from bot.web.upload import Upload, read_upload

if TYPE_CHECKING:
    from bot.assistant.assistant import Assistant

_log = logging.getLogger(__name__)

NOTHING_TO_SAY = "I have nothing to say to that. Send me a photo, or ask about the last one."
CRASHED = "Something went wrong on my side. Please try again."
_TITLES = {404: "There is no such page", 405: "That does not work here", 421: "Wrong address"}
_SENTENCES = {
    404: "There is nothing at this address.",
    405: "This address exists, but not for that kind of request.",
}
# Not `mimetypes`: it asks the machine, and with nosniff a wrong answer breaks the page.
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


def create_app(assistant: Assistant, *, settings: WebSettings | None = None) -> Starlette:
    """Build the web chat around an assistant.

    Args:
        assistant: Answers the messages.
        settings: Address and limits; `WebSettings()` if not given.
    """
    settings = settings or WebSettings()
    chat = _ChatPage(assistant, settings, StaticPages.load(settings))
    routes = [
        Route("/", chat.index),
        Route("/static/{name}", chat.asset),
        Route("/healthz", chat.healthy),
        Route("/api/messages", chat.messages, methods=["POST"]),
        Route("/api/conversation", chat.conversation, methods=["DELETE"]),
    ]
    return Starlette(
        routes=routes,
        middleware=[Middleware(SecurityMiddleware, settings=settings, refuse=chat.refuse)],
        exception_handlers={HTTPException: chat.on_http_error, Exception: chat.on_crash},
    )


class _ChatPage:
    def __init__(self, assistant: Assistant, settings: WebSettings, pages: StaticPages) -> None:
        self._assistant = assistant
        self._settings = settings
        self._pages = pages
        self._budget = UploadBudget(settings)

    async def index(self, request: Request) -> Response:
        response = self._pages.index.response(request)
        if identifies_visitor(request):  # else the first message does it
            set_cookies(request, response, visitor_of(request), renew=True)
        return response

    async def asset(self, request: Request) -> Response:
        asset = self._pages.assets.get(request.path_params["name"])
        if asset is None:
            raise HTTPException(404)
        return asset.response(request)

    async def healthy(self, _request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def messages(self, request: Request) -> Response:
        visitor = visitor_of(request)
        try:
            with self._budget.admit(client_of(request.client)) as share:
                upload = await read_upload(request, self._settings, share)
                response = await self._answer(visitor, upload)
        except RequestRefused as refusal:
            return self.refuse(request, refusal)
        except ClientDisconnect:
            return Response(status_code=400)  # nobody reads it
        set_cookies(request, response, visitor)
        return response

    async def _answer(self, visitor: Visitor, upload: Upload) -> Response:
        incoming = Incoming("web", visitor.chat, visitor.person, upload.text, upload.pictures)
        try:
            reply = await self._assistant.handle(incoming)
        except Exception:
            reference = secrets.token_hex(4)
            _log.exception(
                "The assistant failed on a web message (reference %s)",
                reference,
                extra={"reference": reference},
            )
            return _answer(Reply(CRASHED, error=True, reference=reference), status=500)
        return _answer(reply or Reply(NOTHING_TO_SAY))

    async def conversation(self, request: Request) -> Response:
        visitor = visitor_of(request)
        self._assistant.forget("web", visitor.chat, visitor.person)
        # A new chat id as well: an answer still under way then belongs to no chat. The person
        # stays who they are, or their settings would be lost and their log out of reach.
        response = Response(status_code=204)
        set_cookies(request, response, in_new_chat(visitor))
        return response

    def refuse(self, request: Request, refusal: RequestRefused) -> Response:
        if request.url.path.startswith("/api/"):
            return _answer(Reply(refusal.sentence, error=True), status=refusal.status)
        title = _TITLES.get(refusal.status, "Something went wrong")
        return self._pages.error_page(refusal.status, title, refusal.sentence)

    def on_http_error(self, request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        response = self.refuse(request, RequestRefused(status, _SENTENCES.get(status, CRASHED)))
        response.headers.update(getattr(error, "headers", None) or {})
        return response

    def on_crash(self, request: Request, _error: Exception) -> Response:
        # Starlette sends this from outside the guard, and logs the cause.
        response = self.refuse(request, RequestRefused(500, CRASHED))
        response.headers.update(HEADERS)
        return response


def _answer(reply: Reply, status: int = 200) -> JSONResponse:
    body = {
        "reply": reply.text,
        "buttons": [asdict(button) for button in reply.buttons],
        "error": reply.error,
        "reference": reply.reference,
        "pictures": [
            {
                "place": exchange.place,
                "digest": exchange.digest,
                "objects": as_rows(exchange.objects),
                "names": in_words(exchange.objects),
            }
            for exchange in reply.exchanges
        ],
    }
    headers = {"cache-control": "no-store"}
    if status == 503:
        headers["retry-after"] = "5"
    return JSONResponse(body, status_code=status, headers=headers)


# --- the page and its parts, read once and served from memory --------------------------------


@dataclass(frozen=True)
class Asset:
    """One file of the page."""

    content: bytes
    media_type: str
    etag: str

    @classmethod
    def of(cls, content: bytes, suffix: str) -> Asset:
        """Wrap the bytes of a file with that suffix."""
        return cls(content, _TYPES[suffix], f'"{hashlib.sha256(content).hexdigest()[:20]}"')

    def response(self, request: Request) -> Response:
        """Send it, or only word that the browser's copy is current."""
        headers = {"cache-control": "no-cache", "etag": self.etag}
        if self.etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(self.content, media_type=self.media_type, headers=headers)


@dataclass(frozen=True)
class StaticPages:
    """Everything that a browser loads.

    Attributes:
        index: The chat page, with the limits filled in.
        assets: Style, scripts and icon by file name.
        error: The page that says why there is no page.
    """

    index: Asset
    assets: Mapping[str, Asset]
    error: Template

    @classmethod
    def load(cls, settings: WebSettings) -> StaticPages:
        """Read the files that come with the package."""
        files = {
            entry.name: entry.read_bytes()
            for entry in resources.files("bot.web").joinpath("static").iterdir()
        }
        index = Template(files.pop("index.html").decode()).substitute(
            picture_bytes=settings.picture_bytes, pictures=settings.pictures
        )
        error = Template(files.pop("error.html").decode())
        assets = {
            name: Asset.of(content, name[name.rindex(".") :]) for name, content in files.items()
        }
        return cls(Asset.of(index.encode(), ".html"), assets, error)

    def error_page(self, status: int, title: str, sentence: str) -> HTMLResponse:
        """Build the page for something that went wrong."""
        page = self.error.substitute(title=html.escape(title), sentence=html.escape(sentence))
        return HTMLResponse(page, status_code=status)
