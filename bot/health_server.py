"""Tells the health of the process, and its metrics, by HTTP, from a thread of its own.

It answers even if the bots cannot: `GET /healthz` tells whether the process lives, `GET /readyz`
whether it can answer people, and `GET /metrics` is for Prometheus.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import asdict

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bot.errors import ServerError
from bot.health import Health
from bot.metrics import Metrics
from bot.settings import WebSettings
from bot.web.connections import Config, Server
from bot.web.server import listen

MAX_HEAD = 8192  # bytes of a request's head
SHUTDOWN_SECONDS = 2  # seconds that answers under way have at the end
# Whoever dawdles must not make the process look ill.
LIMITS = WebSettings(
    connections=32,
    header_seconds=5,
    upload_seconds=5,
    response_seconds=10,
    shutdown_seconds=SHUTDOWN_SECONDS,
)

_HEADERS = {"cache-control": "no-store", "x-content-type-options": "nosniff"}


def check_port(host: str, port: int) -> None:
    """See whether the port can be listened on, before anything that takes time.

    Raises:
        ServerError: It cannot.
    """
    try:
        listen(host, port).close()
    except ServerError as error:  # its advice is about the chat page's port
        raise ServerError(
            f"Health cannot be served on {host}, port {port}; set GLIMPSE_HEALTH_PORT to a free "
            "port, and GLIMPSE_HEALTH_HOST to an address of this computer."
        ) from error


@contextlib.contextmanager
def serve_health(health: Health, metrics: Metrics, host: str, port: int) -> Iterator[int]:
    """Answer for as long as the context lasts; gives the port.

    Args:
        health: The state of the process.
        metrics: What is measured.
        host: Name or address to listen on.
        port: Its port; 0 takes any free one.

    Raises:
        ServerError: The address cannot be used.
    """
    with listen(host, port) as listener:
        server = _HealthServer(create_health_app(health, metrics))
        thread = threading.Thread(
            target=server.run, args=([listener],), name="glimpse-health", daemon=True
        )
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join(SHUTDOWN_SECONDS + 1)


def create_health_app(health: Health, metrics: Metrics) -> Starlette:
    """The three addresses as an ASGI app."""

    async def healthz(_request: Request) -> Response:
        if health.alive:
            return JSONResponse({"status": "ok"}, headers=_HEADERS)
        return JSONResponse({"status": "stuck"}, status_code=503, headers=_HEADERS)

    async def readyz(_request: Request) -> Response:
        checks = {name: asdict(check) for name, check in health.checks().items()}
        ready = health.ready
        body = {"ready": ready, "checks": checks}
        return JSONResponse(body, status_code=200 if ready else 503, headers=_HEADERS)

    async def measured(request: Request) -> Response:
        content, kind = metrics.exposition(request.headers.get("accept", ""))
        return Response(content, headers={**_HEADERS, "content-type": kind})

    routes = {"/healthz": healthz, "/readyz": readyz, "/metrics": measured}
    return Starlette(routes=[Route(path, answer) for path, answer in routes.items()])


class _HealthServer(Server):
    """Heeds no signal: those are for the bots."""

    def __init__(self, app: Starlette) -> None:
        config = Config(app, LIMITS, lifespan="off", h11_max_incomplete_event_size=MAX_HEAD)
        super().__init__(config)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone, wherever it runs."""
        yield
