"""Connections to our servers: how many, whose, and how long each may dawdle.

uvicorn closes a connection that is idle after a response, and nothing else: headers that never
end, bodies that nobody reads and responses that nobody takes would stay for good. Reading a
message has its own limits, in `bot.web.budget`, which can tell the person what is wrong.
"""

from __future__ import annotations

import asyncio
from typing import Any

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from bot.settings import WebSettings
from bot.web.shares import Shares, client_of

_TOO_SLOW = "The request came in too slowly. Please try again."
_TOO_MANY = (
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: text/plain; charset=utf-8\r\n"
    b"connection: close\r\nretry-after: 5\r\n\r\nToo many connections. Please try again.\r\n"
)
_TO_REFUSE_SECONDS = 20.0  # what the app may need to refuse an upload that takes too long


class ConnectionLimits:
    """Keeps count of the connections of all clients, and closes those that dawdle.

    Args:
        settings: How many there may be, and for how long.
    """

    def __init__(self, settings: WebSettings) -> None:
        self.settings = settings
        self._shares = Shares(settings.connections)
        self._open: dict[Connection, str] = {}  # the oldest first

    def admit(self, new: Connection) -> bool:
        """Let a new connection in; where there is no room, one that waits makes room.

        A client's own connections go first, then those of whoever has the most.
        """
        client = client_of(new.client)
        if not self._shares.has_room(client):
            self._close_a_waiting_one(client)
        if not self._shares.has_room(client):
            return False
        self._shares.take(client)
        self._open[new] = client
        return True

    def leave(self, connection: Connection) -> None:
        """Forget a connection."""
        client = self._open.pop(connection, None)
        if client is not None:
            self._shares.give_back(client)

    def sweep(self) -> None:
        """Close the connections whose time is up."""
        for connection in list(self._open):
            connection.end_if_overdue()

    def _close_a_waiting_one(self, client: str) -> None:
        waiting = [connection for connection in self._open if not connection.is_served]
        own = [connection for connection in waiting if self._open[connection] == client]
        if own:
            own[0].drop()
        elif waiting and not self._shares.free:
            taken = self._shares.taken
            max(waiting, key=lambda connection: taken[self._open[connection]]).drop()


class Connection(H11Protocol):
    """uvicorn's connection, with an end to every stage of it but the app's own work."""

    config: Config

    def __init__(self, config: Config, *others: Any, **named: Any) -> None:
        super().__init__(config, *others, **named)
        self._limits = config.limits
        self._stage: tuple[str, object] = ("", None)
        self._stage_began = self._unread_since = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin, if there is room."""
        super().connection_made(transport)
        if not self._limits.admit(self):
            transport.write(_TOO_MANY)
            transport.close()
            return
        self.end_if_overdue()  # its time begins

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._limits.leave(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what has come in, unless the end is decided."""
        if not self.transport.is_closing():
            super().data_received(data)

    @property
    def is_served(self) -> bool:
        """Whether the app is at work for it, and nothing of the client's is missing or untaken."""
        cycle = self.cycle
        return cycle is not None and not cycle.response_complete and not self.flow.write_paused

    def end_if_overdue(self) -> None:
        """Close the connection if the client has taken too long."""
        now = self.loop.time()
        settings = self._limits.settings
        stage = (self._stage_name(), self.cycle)
        if stage != self._stage:
            self._stage, self._stage_began = stage, now
        most = {
            "headers": settings.header_seconds,
            "body": settings.upload_seconds + _TO_REFUSE_SECONDS,
            "rest": settings.header_seconds,
        }.get(stage[0])
        if not self.transport.get_write_buffer_size():
            self._unread_since = now
        if now - self._unread_since > settings.response_seconds:
            self.drop()
        elif most is None or now - self._stage_began <= most or self.transport.is_closing():
            return
        elif stage[0] == "headers":
            self._refuse_headers()
        else:
            self.drop()

    def _stage_name(self) -> str:
        incomplete = self.conn.their_state is h11.SEND_BODY
        if self.is_served or self.flow.write_paused:
            return "body" if incomplete else "answer"
        return "rest" if incomplete else "headers"

    def _refuse_headers(self) -> None:
        if self.conn.trailing_data[0] and self.conn.our_state is h11.IDLE:
            body = _TOO_SLOW.encode()
            headers = [
                ("content-type", "text/plain; charset=utf-8"),
                ("content-length", str(len(body))),
                ("connection", "close"),
            ]
            response = h11.Response(status_code=408, headers=headers, reason=b"Request Timeout")
            for event in (response, h11.Data(data=body), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def drop(self) -> None:
        """Close at once, and forget what was not sent yet."""
        self._limits.leave(self)
        self.transport.abort()


class Config(uvicorn.Config):
    """uvicorn's configuration with limits on connections.

    Args:
        app: What answers.
        settings: Limits, trusted proxies, and how long a stopping server lets messages finish.
        others: What else uvicorn can be told.
    """

    def __init__(self, app: ASGIApp, settings: WebSettings, **others: Any) -> None:
        proxies = settings.trusted_proxies
        super().__init__(
            app,
            http=Connection,
            loop="asyncio",  # not another one that happens to be installed
            ws="none",
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            # Without any, uvicorn has its own list: this computer.
            forwarded_allow_ips=["127.0.0.1", "::1", *proxies] if proxies else None,
            timeout_graceful_shutdown=settings.shutdown_seconds,
            **others,
        )
        self.limits = ConnectionLimits(settings)


class Server(uvicorn.Server):
    """uvicorn's server, which looks after its connections as well."""

    config: Config

    async def on_tick(self, counter: int) -> bool:
        """Close the connections whose time is up, ten times a second; tells whether to stop."""
        self.config.limits.sweep()
        return await super().on_tick(counter)
