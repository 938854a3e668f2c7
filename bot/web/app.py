"""The web chat as an ASGI app: routes, and answers in JSON.

`POST /api/messages` takes multipart/form-data with `text` and any number of `pictures`, and
answers `{"reply", "buttons": [{"label", "action"}], "error", "reference", "pictures", "outcome",
"retry", "language", "asks"}`; so does every refusal, with its HTTP status. Who accepts
`text/event-stream` may get an answer as `bot.web.streaming` tells, word by word. The header
`Glimpse-Conversation` tells a person's conversations apart; `Glimpse-Corrects` names the answer
that the text puts right. `GET /api/conversation` tells what is known of the conversation,
`DELETE` forgets it.

`outcome` is "answered", or in a word why not; `retry` whether the same message may be answered
another time; `asks` whether it is worth telling what a bad answer should have been.

Pictures are those that the reply is about: `{"place", "digest", "objects", "names"}`. The place
counts from 0 among the pictures sent together, which the digest (SHA-256 of the file) tells from
others later on; objects are as `bot.assistant.objects.as_rows` has them, names the same in words.
"""

from __future__ import annotations

import asyncio
import hashlib
import html
import logging
import re
import secrets
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, replace
from importlib import resources
from string import Template
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from bot.assistant.conversations import PICTURE_SECONDS
from bot.assistant.intents import MAX_CHARACTERS
from bot.assistant.locale import code_of
from bot.assistant.locale.texts import Texts
from bot.assistant.objects import as_rows, in_words
from bot.assistant.privacy import PictureKeeping
from bot.assistant.types import Conversation, Draft, Incoming, Intent, Kind, Reply
from bot.settings import WebSettings
from bot.web import texts as web_texts
from bot.web.budget import UploadBudget
from bot.web.security import (
    HEADERS,
    RequestRefused,
    SecurityMiddleware,
)
from bot.web.shares import client_of
from bot.web.streaming import Drafts, answer_or_stream, wants_events
from bot.web.texts import CRASHED, NOTHING_TO_SAY, SENTENCES, TITLE, TITLES, in_language
from bot.web.upload import Upload, read_upload
from bot.web.visitors import PERSON_COOKIE, Visitor, Visitors, identifies_visitor, set_cookies
from data.images.sniff import moving

if TYPE_CHECKING:
    from bot.assistant.assistant import Assistant

_log = logging.getLogger(__name__)

CORRECTS_HEADER = "glimpse-corrects"
# After these, or with these statuses, the same message may be answered another time.
_PASSING = frozenset(
    {"busy", "closing", "crashed", "unavailable", "too_many", "limit_minute", "refused:unavailable"}
)
_PASSING_STATUSES = frozenset({408, 429, 500, 503})
_ANSWER_NUMBER = re.compile(r"[0-9a-f]{16}")
_SAMPLES = ("cat.jpg", "coffee.jpg", "tower.jpg")  # as static/samples.js offers them
# Not `mimetypes`: it asks the machine, and with nosniff a wrong answer breaks the page.
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".jpg": "image/jpeg",
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
        Route("/api/conversation", chat.conversation, methods=["GET"]),
        Route("/api/conversation", chat.forget, methods=["DELETE"]),
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
        recorder = assistant.recorder
        self._visitors = Visitors(recorder.secret("web visitors"), recorder.knows)

    async def index(self, request: Request) -> Response:
        person = await self._visitors.person(request)
        keeping = self._assistant.recorder.picture_keeping("web", person)
        language = code_of(self._texts(request, person))
        sent = bool(self._assistant.sent_to(Conversation("web", "", person)))
        response = self._pages.index(language, keeping, sent=sent).response(request)
        response.headers["vary"] = "accept-language, cookie"
        if identifies_visitor(request, person):  # else the first message does it
            set_cookies(request, response, await self._visitors.read(request), renew=True)
        return response

    async def asset(self, request: Request) -> Response:
        asset = self._pages.assets.get(request.path_params["name"])
        if asset is None:
            raise HTTPException(404)
        return asset.response(request)

    async def healthy(self, _request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def messages(self, request: Request) -> Response:
        visitor = await self._visitors.read(request)
        try:
            async with AsyncExitStack() as held:
                share = await held.enter_async_context(
                    self._budget.admit(client_of(request.client))
                )
                upload = await read_upload(request, self._settings, share)
                drafts = Drafts()
                draft = drafts.show if wants_events(request) else None
                answering = asyncio.ensure_future(self._answer(request, visitor, upload, draft))
                response = await answer_or_stream(request, answering, drafts, held)
        except RequestRefused as refusal:
            return self.refuse(request, refusal)
        except ClientDisconnect:
            return Response(status_code=400)  # nobody reads it
        set_cookies(request, response, visitor)
        return response

    async def _answer(
        self, request: Request, visitor: Visitor, upload: Upload, draft: Draft | None
    ) -> Response:
        incoming = _incoming(request, visitor, upload)
        try:
            reply = await self._assistant.handle(incoming, draft=draft)
        except Exception:
            reference = secrets.token_hex(4)
            _log.exception(
                "The assistant failed on a web message (reference %s)",
                reference,
                extra={"reference": reference},
            )
            texts = self._texts(request, visitor.person)
            said = in_language(code_of(texts), CRASHED)
            reply = Reply(said, error=True, reference=reference)
            return _answer(reply, 500, language=code_of(texts))
        # After it was handled: /settings may have changed the language.
        texts = self._texts(request, visitor.person)
        language = code_of(texts)
        reply = reply or Reply(in_language(language, NOTHING_TO_SAY))
        asks = False
        if reply.outcome == "rated" and incoming.text.startswith("/rate bad"):
            asks = await self._assistant.takes_corrections(incoming.conversation)
        return _answer(_with_remark(reply, upload, texts), language=language, asks=asks)

    async def conversation(self, request: Request) -> Response:
        visitor = await self._visitors.read(request)
        known = self._assistant.shown(Conversation("web", visitor.chat, visitor.person))
        language = code_of(self._texts(request, visitor.person))
        content = {"pictures": known, "language": language}
        return JSONResponse(content, headers={"cache-control": "no-store"})

    async def forget(self, request: Request) -> Response:
        visitor = await self._visitors.read(request)
        self._assistant.forget("web", visitor.chat, visitor.person)
        response = Response(status_code=204)
        if visitor.chat == visitor.cookie:
            # A new chat id as well: an answer still under way then belongs to no chat. The person
            # stays who they are, or their settings would be lost and their log out of reach.
            visitor = self._visitors.in_new_chat(visitor)
        set_cookies(request, response, visitor)
        return response

    def _texts(self, request: Request, person: str = "") -> Texts:
        """What is said to a person, or to a stranger (""), in their language."""
        asked = web_texts.preferred_language(request.headers.get("accept-language", ""))
        return self._assistant.texts("web", person, asked)

    def refuse(self, request: Request, refusal: RequestRefused) -> Response:
        language = code_of(self._texts(request, request.cookies.get(PERSON_COOKIE, "")))
        sentence = in_language(language, refusal.sentence)
        if request.url.path.startswith("/api/"):
            reply = Reply(sentence, error=True, outcome="refused")
            return _answer(reply, refusal.status, language=language)
        title = in_language(language, TITLES.get(refusal.status, TITLE))
        return self._pages.error_page(refusal.status, title, sentence, language)

    def on_http_error(self, request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        response = self.refuse(request, RequestRefused(status, SENTENCES.get(status, CRASHED)))
        response.headers.update(getattr(error, "headers", None) or {})
        return response

    def on_crash(self, request: Request, _error: Exception) -> Response:
        # Starlette sends this from outside the guard, and logs the cause.
        response = self.refuse(request, RequestRefused(500, CRASHED))
        response.headers.update(HEADERS)
        return response


def _incoming(request: Request, visitor: Visitor, upload: Upload) -> Incoming:
    incoming = Incoming(
        "web", visitor.chat, visitor.person, upload.text, upload.pictures,
        language=web_texts.preferred_language(request.headers.get("accept-language", "")),
    )  # fmt: skip
    corrected = request.headers.get(CORRECTS_HEADER, "")
    right = " ".join(upload.text.split())
    if not (_ANSWER_NUMBER.fullmatch(corrected) and right and len(right) <= MAX_CHARACTERS):
        return incoming
    return replace(incoming, reply_to=corrected, intent=Intent(Kind.CORRECTED, rest=right))


def _with_remark(reply: Reply, upload: Upload, texts: Texts) -> Reply:
    """The same, with a word on those pictures that move, of which one frame is seen."""
    if reply.error:
        return reply
    kinds = dict.fromkeys(filter(None, (moving(each.content) for each in upload.pictures)))
    remarks = dict.fromkeys(texts.still_only.format(what=kind) for kind in kinds)
    return replace(reply, text="\n\n".join([reply.text, *remarks])) if remarks else reply


def _answer(
    reply: Reply, status: int = 200, *, language: str = "en", asks: bool = False
) -> JSONResponse:
    body = {
        "reply": reply.text,
        "buttons": [asdict(button) for button in reply.buttons],
        "error": reply.error,
        "reference": reply.reference,
        "outcome": reply.outcome,
        "retry": reply.error and (reply.outcome in _PASSING or status in _PASSING_STATUSES),
        "language": language,
        "asks": asks,
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
        page: The chat page, to be filled in with limits and words.
        limits: What is filled in whoever looks at it.
        assets: Style, scripts and icon by file name.
        error: The page that says why there is no page.
    """

    page: Template
    limits: Mapping[str, str]
    assets: Mapping[str, Asset]
    error: Template

    @classmethod
    def load(cls, settings: WebSettings) -> StaticPages:
        """Read the files that come with the package."""
        files = {
            entry.name: entry.read_bytes()
            for entry in resources.files("bot.web").joinpath("static").iterdir()
        }
        samples = resources.files("data").joinpath("samples")
        files |= {name: samples.joinpath(name).read_bytes() for name in _SAMPLES}
        page = Template(files.pop("index.html").decode())
        error = Template(files.pop("error.html").decode())
        limits = {
            "picture_bytes": settings.picture_bytes,
            "pictures": settings.pictures,
            "characters": MAX_CHARACTERS,
            "picture_seconds": round(PICTURE_SECONDS),
        }
        assets = {
            name: Asset.of(content, name[name.rindex(".") :]) for name, content in files.items()
        }
        return cls(page, {name: str(each) for name, each in limits.items()}, assets, error)

    def index(self, language: str, keeping: PictureKeeping, *, sent: bool = False) -> Asset:
        """The chat page for a person.

        Args:
            language: "en" or "de".
            keeping: Whether their pictures are kept, which it tells them.
            sent: Whether they are sent to another computer, likewise.
        """
        words = {**web_texts.PAGE[language], **self.limits}
        words["small_print"] = web_texts.small_print(language, keeping, sent=sent)
        escaped = {name: html.escape(each) for name, each in words.items()}
        return Asset.of(self.page.substitute(escaped).encode(), ".html")

    def error_page(
        self, status: int, title: str, sentence: str, language: str = "en"
    ) -> HTMLResponse:
        """Build the page for something that went wrong."""
        words = {"title": title, "sentence": sentence, "lang": language}
        words["back"] = web_texts.PAGE[language]["back"]
        page = self.error.substitute({name: html.escape(each) for name, each in words.items()})
        return HTMLResponse(page, status_code=status)
