"""A model's server whose state a test changes while people ask: up, slow, failing, killed."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close with RST, as the kernel of who was killed does


class FarServer:
    """Answers "far: QUESTION" while it is up.

    Attributes:
        status: Anything but 200 is a refusal.
        asked: The questions that came, in order.
        hold: Cleared, it keeps requests until it is set again.
    """

    def __init__(self) -> None:
        self.status, self.asked = 200, list[str]()
        self.hold = threading.Event()
        self.hold.set()
        self._peers: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._server: ThreadingHTTPServer | None = None
        self.port = 0
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def start(self) -> None:
        far = self

        class Handler(BaseHTTPRequestHandler):
            def setup(self) -> None:
                with far._lock:
                    far._peers.add(self.request)
                super().setup()

            def do_POST(self) -> None:
                with suppress(OSError, ValueError):
                    body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                    far._answer(self, body["messages"][-1]["content"][-1]["text"])

            def log_message(self, *told: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            allow_reuse_address = daemon_threads = True
            request_queue_size = 300

            def handle_error(self, *told: Any) -> None:
                pass

        self._server = Server(("127.0.0.1", self.port), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=[0.01], daemon=True).start()

    def kill(self) -> None:
        """Be gone, as after SIGKILL: connections are reset, and new ones refused."""
        assert self._server
        self._server.shutdown()
        self._server.server_close()
        with self._lock:
            peers, self._peers = self._peers, set()
        for peer in peers:
            with suppress(OSError):
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                peer.shutdown(socket.SHUT_RDWR)

    def _answer(self, handler: BaseHTTPRequestHandler, question: str) -> None:
        with self._lock:
            self.asked.append(question)
        self.hold.wait(30)
        choice = {"index": 0, "message": {"role": "assistant", "content": f"far: {question}"}}
        body = json.dumps({"object": "chat.completion", "choices": [choice]}).encode()
        handler.send_response(self.status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)


@contextmanager
def far_server() -> Iterator[FarServer]:
    server = FarServer()
    try:
        yield server
    finally:
        server.hold.set()
        server.kill()
