"""Serving the web chat until somebody stops it."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import signal
import socket
from collections.abc import Callable, Iterator

from starlette.types import ASGIApp

from bot.errors import ServerError
from bot.settings import WebSettings
from bot.web.connections import Config, Server
from bot.web.security import is_loopback

TIDY_TICKS = 600  # ticks of uvicorn, ten a second


def serve(app: ASGIApp, settings: WebSettings, *, tidy: Callable[[], None] = lambda: None) -> None:
    """Serve an app and block until Ctrl-C or SIGTERM; messages under way are finished.

    Args:
        app: What `create_app` gave.
        settings: Where to listen, which is printed, and how long messages under way may take to
            finish.
        tidy: Called every minute.

    Raises:
        ServerError: The port is taken, or the address is not this computer's.
    """
    listening = listen(settings.host, settings.port)
    with listening as listener, contextlib.suppress(KeyboardInterrupt), _quiet_cancellations():
        line = opening_line(settings.host, listener.getsockname()[1])
        WebServer(app, line, settings, tidy=tidy).run([listener])


async def serve_until(
    app: ASGIApp,
    settings: WebSettings,
    stopped: asyncio.Event,
    listening: Callable[[], None] = lambda: None,
    line: Callable[[str, int], str] | None = None,
) -> None:
    """Serve an app beside others in one event loop; messages under way are finished.

    Args:
        app: What `create_app` gave.
        settings: Where to listen, and how long messages under way may take to finish.
        stopped: Ends it.
        listening: Called once it answers.
        line: Words what is printed then, of host and port; that of the page if not given.

    Raises:
        ServerError: The port is taken, or the address is not this computer's.
    """
    with listen(settings.host, settings.port) as listener, _quiet_cancellations():
        said = (line or opening_line)(settings.host, listener.getsockname()[1])
        server = WebServer(app, said, settings, heeds_signals=False, listening=listening)

        async def stop() -> None:
            await stopped.wait()
            server.should_exit = True

        stopping = asyncio.ensure_future(stop())
        try:
            await server.serve([listener])
        finally:
            stopping.cancel()


def listen(host: str, port: int) -> socket.socket:
    """Open the listening socket, so that a port in use is found before anything starts.

    Raises:
        ServerError: The address cannot be used.
    """
    if not 0 <= port <= 65_535:
        raise ServerError(f"There is no port {port}; choose one from 1 to 65535.")
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise ServerError(f"There is no address {host} to listen on; try --host 127.0.0.1.") from (
            error
        )
    # Prefer IPv4: "localhost" names both, and browsers try both.
    family, kind, protocol, _, address = min(found, key=lambda entry: entry[0] != socket.AF_INET)
    listener = socket.socket(family, kind, protocol)
    try:
        if os.name == "posix":  # elsewhere it would let two servers share the port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(256)
    except OSError as error:
        listener.close()
        raise ServerError(_bind_error(error, host, port)) from error
    return listener


def opening_line(host: str, port: int) -> str:
    """Say which address to open."""
    reach = "" if is_loopback(host) else " Everyone on this network can use it."
    return f"Glimpse is ready: open {address_of(host, port)} in a browser.{reach} Ctrl-C stops it."


def address_of(host: str, port: int) -> str:
    """The address by which this computer reaches what listens there."""
    shown = "127.0.0.1" if host in {"0.0.0.0", "::", ""} else host
    return f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"


def _bind_error(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} is already in use; stop the other program or try --port {port + 1}."
    if error.errno == errno.EACCES:
        return f"Port {port} needs special rights; try --port 8000."
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{host} is not an address of this computer; try --host 127.0.0.1."
    return f"Glimpse cannot listen on {host}, port {port}; try another --host or --port."


@contextlib.contextmanager
def _quiet_cancellations() -> Iterator[None]:
    uvicorn_log = logging.getLogger("uvicorn.error")
    uvicorn_log.addFilter(_not_a_cancellation)
    try:
        yield
    finally:
        uvicorn_log.removeFilter(_not_a_cancellation)


def _not_a_cancellation(record: logging.LogRecord) -> bool:
    """Drop the traceback of a message that was cut off at the end of the grace time."""
    return not (record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError))


class WebServer(Server):
    """Prints `line` once it answers, and ends quietly; `should_exit` ends it from a thread.

    uvicorn repeats a signal at its end, which would stop the process with a traceback, or before
    its owner has closed the model.
    """

    def __init__(
        self,
        app: ASGIApp,
        line: str,
        settings: WebSettings | None = None,
        *,
        heeds_signals: bool = True,
        tidy: Callable[[], None] = lambda: None,
        listening: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(Config(app, settings or WebSettings()))
        self._line, self._heeds_signals = line, heeds_signals
        self._tidy, self._listening = tidy, listening

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to answer."""
        await super().startup(sockets=sockets)
        print(self._line, flush=True)
        self._listening()

    async def on_tick(self, counter: int) -> bool:
        """Look after the connections, and tidy now and then; tells whether to stop."""
        if counter % TIDY_TICKS == TIDY_TICKS - 1:
            self._tidy()
        return await super().on_tick(counter)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop on the first signal, at once on a second Ctrl-C; then give the signals back."""
        if not self._heeds_signals:
            yield
            return
        try:
            previous = {
                number: signal.signal(number, self.handle_exit)
                for number in (signal.SIGINT, signal.SIGTERM)
            }
        except ValueError:  # not in the main thread: its owner sets should_exit
            previous = {}
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)
