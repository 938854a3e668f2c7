"""The API as an ASGI app: `/v1/chat/completions`, `/v1/models`, `/healthz` and `/metrics`.

Answers and errors have the shape of OpenAI's API; docs/serve.md tells what is and is not served.
Nothing of a request is kept.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bot.api.answering import BUSY_SECONDS, Answered, Answering, crashed, unknown_model
from bot.api.completion import Draft
from bot.api.errors import ApiError
from bot.api.fetch import PictureFetcher
from bot.api.keys import PLATFORM, Gate
from bot.api.protocol import read_chat
from bot.api.streaming import StreamedAnswer, Writing
from bot.assistant.inference import crashed as log_crash
from bot.assistant.types import Exchange
from bot.metrics import Metrics
from bot.settings import Settings, WebSettings
from bot.web.budget import UploadBudget
from bot.web.leaving import unless_gone
from bot.web.security import RequestRefused, SecurityMiddleware
from bot.web.upload import read_body
from model.requests import SHORT_ANSWERS

if TYPE_CHECKING:
    from bot.cli.models import LoadedEngine

BODY_BYTES = 64_000_000  # of a request; its pictures are a third larger there than as files
_OUTCOMES = {401: "not_allowed", 403: "not_allowed", 429: "limit_minute", 500: "crashed"}
_NOT_STORED = {"cache-control": "no-store"}

_Endpoint = Callable[[Request], Awaitable[Response]]


def api_of(
    engine: LoadedEngine,
    settings: Settings,
    keys: tuple[str, ...],
    metrics: Metrics,
    *,
    where: WebSettings | None = None,
    fingerprint: str = "",
) -> Starlette:
    """The API of an engine, as the settings want it.

    Args:
        engine: Answers questions about pictures.
        settings: Limits, and whether pictures may be fetched from the web.
        keys: All that are valid; without any, this computer alone is answered.
        metrics: Are told of answers, and shown.
        where: It listens; as the settings say by default.
        fingerprint: Names the weights.
    """
    answering = Answering(
        engine,
        engine.profile.name,
        fetch=PictureFetcher() if settings.api_fetch else None,
        fingerprint=fingerprint,
        capabilities=getattr(engine.profile, "capabilities", SHORT_ANSWERS),
    )
    gate = Gate(keys, settings.api_per_minute)
    return create_api(answering, gate, metrics, where or settings.api)


def create_api(
    answering: Answering, gate: Gate, metrics: Metrics, settings: WebSettings
) -> Starlette:
    """Build the API.

    Args:
        answering: Answers requests.
        gate: Lets them in.
        metrics: Are told of answers, and shown.
        settings: Where it listens, and limits.
    """
    api = _Api(answering, gate, metrics, settings)
    routes = [
        Route("/v1/models", api.guarded(api.models)),
        Route("/v1/models/{name:path}", api.guarded(api.model)),
        Route("/v1/chat/completions", api.chat, methods=["POST"]),
        Route("/healthz", api.healthy),
        Route("/metrics", api.guarded(api.measured)),
    ]
    # A site in this computer's browser must not ask in its user's place; with a key it cannot.
    guard = Middleware(SecurityMiddleware, settings=settings, refuse=api.refuse)
    return Starlette(
        routes=routes,
        middleware=[] if gate.has_keys else [guard],
        exception_handlers={HTTPException: api.on_http_error, Exception: api.on_crash},
    )


class _Api:
    def __init__(
        self, answering: Answering, gate: Gate, metrics: Metrics, settings: WebSettings
    ) -> None:
        self._answering, self._gate, self._metrics = answering, gate, metrics
        self._budget = UploadBudget(settings)
        self._started = int(time.time())

    def guarded(self, endpoint: _Endpoint) -> _Endpoint:
        """The same, for those who may."""

        async def guarded(request: Request) -> Response:
            try:
                self._gate.client(request)
                return await endpoint(request)
            except ApiError as error:
                return error.response()

        return guarded

    async def healthy(self, _request: Request) -> Response:
        return JSONResponse({"status": "ok"}, headers=_NOT_STORED)

    async def measured(self, request: Request) -> Response:
        content, kind = self._metrics.exposition(request.headers.get("accept", ""))
        headers = {"cache-control": "no-store", "content-type": kind}
        return Response(content, headers=headers)

    async def models(self, _request: Request) -> Response:
        return JSONResponse({"object": "list", "data": [self._model()]})

    async def model(self, request: Request) -> Response:
        if request.path_params["name"] != self._answering.model:
            raise unknown_model(request.path_params["name"])
        return JSONResponse(self._model())

    def _model(self) -> dict[str, Any]:
        name = self._answering.model
        return {"id": name, "object": "model", "created": self._started, "owned_by": "glimpse"}

    # -- chat completions ------------------------------------------------------------------

    async def chat(self, request: Request) -> Response:
        began = time.perf_counter()
        exchanges: tuple[Exchange, ...] = ()
        outcome = "answered"
        try:
            client = self._gate.client(request)
            self._gate.count(client)
            found = await self._answered(request, client, began)
            if isinstance(found, Response):
                return found
            exchanges = found.exchanges
            response: Response = JSONResponse(found.completion.whole(), headers=_NOT_STORED)
        except ClientDisconnect:
            return Response(status_code=400)  # nobody reads it
        except RequestRefused as refusal:
            response, outcome = self.refuse(request, refusal), _outcome(refusal.status)
        except ApiError as error:
            response, outcome = error.response(), _outcome(error.status)
        self._metrics.count(PLATFORM, exchanges, outcome, time.perf_counter() - began)
        return response

    async def _answered(
        self, request: Request, client: str, began: float
    ) -> Answered | StreamedAnswer:
        """Read and answer, within what all requests together may hold.

        Raises:
            ApiError, RequestRefused: Why there is no answer.
            starlette.requests.ClientDisconnect: They went away.
        """
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":  # others come from forms of any site, without being asked
            raise ApiError(415, "Send the request as JSON: Content-Type: application/json.")
        async with AsyncExitStack() as held:
            share = await held.enter_async_context(self._budget.admit(client))
            body = await read_body(request, share, BODY_BYTES)
            draft = self._answering.draft(await asyncio.to_thread(read_chat, body))
            del body
            if not draft.chat.stream:
                return await unless_gone(request, asyncio.ensure_future(self._answer(draft)))
            writing = Writing(partial(self._answer, draft), draft.chat.stops)
            held.push_async_callback(writing.close)
            await unless_gone(request, asyncio.ensure_future(writing.begun()))
            return StreamedAnswer(draft, writing, partial(self._ended, held.pop_all(), began))

    async def _ended(
        self, held: AsyncExitStack, began: float, result: Answered | ApiError | None
    ) -> None:
        """A stream has ended: give back what it held, and count it unless nobody waited for it."""
        await held.aclose()
        if result is not None:
            exchanges, outcome = (
                ((), _outcome(result.status))
                if isinstance(result, ApiError)
                else (result.exchanges, "answered")
            )
            self._metrics.count(PLATFORM, exchanges, outcome, time.perf_counter() - began)

    async def _answer(self, draft: Draft, on_text: Callable[[str], None] | None = None) -> Answered:
        try:
            return await self._answering.answer(draft, on_text)
        except ApiError:
            raise
        except Exception as error:
            raise crashed(log_crash(error).reference) from error

    # -- whatever else goes wrong ----------------------------------------------------------

    def refuse(self, _request: Request, refusal: RequestRefused) -> Response:
        later = BUSY_SECONDS if refusal.status == 503 else None
        codes = {503: "overloaded", 413: "request_too_large", 408: "request_timeout"}
        code = codes.get(refusal.status)
        return ApiError(refusal.status, refusal.sentence, code, retry_after=later).response()

    def on_http_error(self, request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        path = request.url.path[:100]
        said = f"There is nothing at {request.method} {path}; see /v1/chat/completions."
        response = ApiError(status, said, "unknown_url").response()
        response.headers.update(getattr(error, "headers", None) or {})
        return response

    def on_crash(self, _request: Request, error: Exception) -> Response:
        return crashed(log_crash(error).reference).response()


def _outcome(status: int) -> str:
    return "busy" if status == 503 else _OUTCOMES.get(status, "refused")
