"""Clients that dawdle, on real sockets: they are ended, and others are answered meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from web_client import AssistantStandIn, Yes

from bot.assistant.types import Draft, Incoming, Reply
from bot.settings import WebSettings
from bot.web.app import create_app
from bot.web.server import WebServer, listen

OTHER = "127.0.0.2"  # another client, on the same machine
PATIENT = WebSettings(header_seconds=60, silence_seconds=60, response_seconds=60)
MESSAGE = b'--B\r\nContent-Disposition: form-data; name="text"\r\n\r\nhi\r\n--B--\r\n'


class Blocked(AssistantStandIn):
    """Answers nobody until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.go = threading.Event()

    async def handle(self, incoming: Incoming, draft: Draft | None = None) -> Reply:
        while not self.go.is_set():
            await asyncio.sleep(0.01)
        return Reply("Yes.")


@contextlib.contextmanager
def serving(settings: WebSettings, assistant: object = None) -> Iterator[tuple[WebServer, int]]:
    with listen("127.0.0.1", 0) as listener:
        app = create_app(assistant or Yes(), settings=settings)  # type: ignore[arg-type]
        server = WebServer(app, "ready", replace(settings, shutdown_seconds=1))
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            yield server, listener.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join()


def connect(port: int, sent: bytes = b"", *, source: str = "127.0.0.1") -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), 10, source_address=(source, 0))
    connection.sendall(sent)
    return connection


def request(line: str, *headers: str, body: bytes | None = None) -> bytes:
    lines = [f"{line} HTTP/1.1", "Host: localhost", *headers]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + (body or b"")


FORM = "Content-Type: multipart/form-data; boundary=B"
POST = request("POST /api/messages", FORM, "Connection: close", body=MESSAGE)
HALF = POST[:-10]
GET = request("GET /healthz", "Connection: close")


def rest(connection: socket.socket) -> bytes:
    """What comes until the server closes the connection."""
    received = b""
    with connection, contextlib.suppress(ConnectionResetError):
        while chunk := connection.recv(65_536):
            received += chunk
    return received


def until(ready: Callable[[], object]) -> None:
    end = time.monotonic() + 10
    while not ready():
        assert time.monotonic() < end
        time.sleep(0.01)


def uploads(server: WebServer) -> int:
    return len(server.server_state.tasks)


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b"", b""),
        (b"GET / HT", b"HTTP/1.1 408 "),
        (GET[:-2] + b"X-Never-Ending: ", b"HTTP/1.1 408 "),
        (b"\x16\x03\x01\x02\x00", b"HTTP/1.1 4"),  # TLS
        (request("POST /healthz", "Content-Length: 9"), b"HTTP/1.1 405 "),
        (request("POST /healthz", "Transfer-Encoding: chunked") + b"5\r\nhi", b"HTTP/1.1 405 "),
        (HALF, b"HTTP/1.1 408 "),
        (request("POST /api/messages", FORM, "Content-Length: 99"), b"HTTP/1.1 408 "),
        (
            request("POST /api/messages", FORM, "Content-Length: 9", "Expect: 100-continue"),
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 408 ",
        ),
        (request("POST /api/messages", FORM, "Transfer-Encoding: chunked") + b"1\r\n-\r\n",
         b"HTTP/1.1 408 "),
    ],
)  # fmt: skip
def test_what_stops_half_way_is_ended(sent: bytes, said: bytes) -> None:
    settings = WebSettings(header_seconds=0.2, silence_seconds=0.2)
    with serving(settings) as (_, port):
        got = rest(connect(port, sent))
    assert got.startswith(said) if said else got == b""


@pytest.mark.parametrize("start", [b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ", HALF[:-40]])
def test_what_drips_is_ended(start: bytes) -> None:
    with serving(WebSettings(header_seconds=0.3, silence_seconds=0.3)) as (_, port):
        connection = connect(port, start)
        received = b""
        connection.settimeout(0.02)
        until_closed = time.monotonic() + 10
        with connection, contextlib.suppress(ConnectionError):
            while not received.startswith(b"HTTP/1.1 408 "):
                assert time.monotonic() < until_closed
                connection.sendall(b"x")
                with contextlib.suppress(TimeoutError):
                    received += connection.recv(65_536)


def test_an_upload_takes_its_time_if_it_moves() -> None:
    settings = WebSettings(silence_seconds=2, least_rate=500)
    photo = b'--B\r\nContent-Disposition: form-data; name="pictures"; filename="a"\r\n\r\n'
    body = photo + b"x" * 30_000 + b"\r\n--B--\r\n"
    sent = request("POST /api/messages", FORM, "Connection: close", body=body)
    with serving(settings) as (_, port):
        connection = connect(port)
        for start in range(0, len(sent), 1500):
            connection.sendall(sent[start : start + 1500])
            time.sleep(0.12)  # in all longer than it may be silent
        assert rest(connection).startswith(b"HTTP/1.1 200 ")


def test_a_whole_upload_has_an_end_though_it_moves() -> None:
    with serving(WebSettings(upload_seconds=0.3)) as (_, port):
        head = request("POST /api/messages", FORM, "Transfer-Encoding: chunked")
        connection = connect(port, head)
        received = b""
        connection.settimeout(0.01)
        part = b'--B\r\nContent-Disposition: form-data; name="pictures"; filename="a"\r\n\r\n'
        with connection, contextlib.suppress(ConnectionError):
            while not received:
                connection.sendall(b"%x\r\n%s\r\n" % (len(part), part))
                part = b"x" * 100
                with contextlib.suppress(TimeoutError):
                    received += connection.recv(65_536)
        assert received.startswith(b"HTTP/1.1 408 ")


def test_slow_uploads_keep_nobody_from_being_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.web.budget._SETTLING_SECONDS", 0.2)
    with serving(replace(PATIENT, messages_at_once=4)) as (server, port):
        slow = [connect(port, HALF) for _ in range(2)]
        until(lambda: uploads(server) == 2)
        assert rest(connect(port, POST, source=OTHER)).startswith(b"HTTP/1.1 200 ")
        until(lambda: uploads(server) == 2)  # there was room
        assert rest(connect(port, POST)).startswith(b"HTTP/1.1 200 ")
        until(lambda: uploads(server) == 1)  # one made room
        for connection in slow:
            connection.close()


def test_one_client_does_not_get_all_places() -> None:
    blocked = Blocked()
    with serving(replace(PATIENT, messages_at_once=4), blocked) as (server, port):

        def ask(client: str) -> socket.socket:
            header = f"X-Forwarded-For: {client}"
            sent = request("POST /api/messages", FORM, "Connection: close", header, body=MESSAGE)
            return connect(port, sent)

        first = [ask("192.0.2.1") for _ in range(2)]
        until(lambda: uploads(server) == 2)
        assert rest(ask("192.0.2.1")).startswith(b"HTTP/1.1 503 ")
        second = ask("192.0.2.2")
        until(lambda: uploads(server) == 3)
        blocked.go.set()
        for answered in (*first, second):
            assert rest(answered).startswith(b"HTTP/1.1 200 ")


def test_waiting_connections_keep_nobody_out() -> None:
    with serving(replace(PATIENT, connections=8)) as (server, port):
        waiting = [connect(port, b"GET / HT") for _ in range(20)]
        until(lambda: len(server.server_state.connections) == 4)
        for source in ("127.0.0.1", OTHER):
            assert rest(connect(port, GET, source=source)).startswith(b"HTTP/1.1 200 ")
        for connection in waiting:
            connection.close()


def test_connections_that_are_served_are_not_dropped_for_new_ones() -> None:
    blocked = Blocked()
    with serving(replace(PATIENT, connections=4), blocked) as (server, port):
        served = [connect(port, POST) for _ in range(2)]
        until(lambda: uploads(server) == 2)
        assert rest(connect(port, GET)).startswith(b"HTTP/1.1 503 ")
        assert rest(connect(port, GET, source=OTHER)).startswith(b"HTTP/1.1 200 ")
        blocked.go.set()
        for connection in served:
            assert rest(connection).startswith(b"HTTP/1.1 200 ")


def test_responses_that_nobody_takes_are_dropped() -> None:
    with serving(WebSettings(response_seconds=0.3)) as (server, port):
        greedy = socket.socket()
        greedy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        greedy.connect(("127.0.0.1", port))
        greedy.settimeout(0.1)
        asked = request("GET /static/chat.css") * 100
        with greedy, contextlib.suppress(OSError):
            while True:
                greedy.sendall(asked)
        until(lambda: not server.server_state.connections)


def test_requests_at_once_on_one_connection_are_answered_in_order() -> None:
    with serving(PATIENT) as (_, port):
        got = rest(connect(port, request("GET /healthz") + request("GET /nowhere") + POST))
    assert got.count(b"HTTP/1.1 ") == 3
    assert got.index(b"200 OK") < got.index(b"404 Not Found") < got.index(b'"reply"')


@pytest.mark.parametrize("bomb", [b"X: " + b"a" * 200_000, b"X: a\r\n" * 50_000, b"\x00" * 100_000])
def test_header_bombs_are_refused(bomb: bytes) -> None:
    with serving(PATIENT) as (server, port):
        connection = connect(port, b"GET / HTTP/1.1\r\nHost: localhost\r\n")
        with contextlib.suppress(ConnectionError):
            connection.sendall(bomb)
        assert b"HTTP/1.1 400 ".startswith(rest(connection)[:13])  # or the reset came first
        until(lambda: not server.server_state.connections)
        assert rest(connect(port, GET)).startswith(b"HTTP/1.1 200 ")
