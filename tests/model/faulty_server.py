"""A small server that answers as it is told, byte by byte, for what no well-made server does."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class FaultyServer:
    """Answers each connection with the next of `responses`, the last one again and again.

    Attributes:
        responses: Raw HTTP, without a length what ends with the connection; None stays silent.
        requests: The bodies that came, parsed.
        heads: Their first lines and headers.
        piece: Bytes that are sent together.
        rest: Gives what is to follow a response, b"" for its end.
    """

    def __init__(self) -> None:
        self.responses: list[bytes | None] = [completion("red")]
        self.requests: list[Any] = []
        self.heads: list[str] = []
        self.piece = 1_000_000
        self.rest: Callable[[], bytes] = bytes
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/v1"
        self.ended = threading.Event()

    def run(self, context: ssl.SSLContext | None = None) -> None:
        while not self.ended.is_set():
            try:
                peer, _ = self.listener.accept()
                if context:
                    peer = context.wrap_socket(peer, server_side=True)
            except OSError:
                continue
            threading.Thread(target=self._answer, args=[peer], daemon=True).start()

    def _answer(self, peer: socket.socket) -> None:
        with peer, peer.makefile("rb") as stream:
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                if not (line := stream.readline()):
                    return
                head += line
            length = [int(row[15:]) for row in head.lower().split(b"\r\n")
                      if row.startswith(b"content-length:")]  # fmt: skip
            body = stream.read(length[0]) if length else b""
            self.heads.append(head.decode())
            self.requests.append(json.loads(body) if body else None)
            at = min(len(self.requests), len(self.responses)) - 1
            response = self.responses[at]
            if response is None:
                self.ended.wait(30)
                return
            for start in range(0, len(response), self.piece):
                peer.sendall(response[start : start + self.piece])
            with suppress(OSError):  # when nobody listens any more
                while more := self.rest():
                    peer.sendall(more)


@contextmanager
def faulty_server(context: ssl.SSLContext | None = None) -> Iterator[FaultyServer]:
    server = FaultyServer()
    thread = threading.Thread(target=server.run, args=[context], daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.ended.set()
        socket.create_connection(("127.0.0.1", server.port)).close()  # wakes it
        thread.join(5)
        server.listener.close()


def response(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    rows = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return "\r\n".join(rows).encode() + b"\r\n\r\n" + body


def completion(content: Any, logprobs: list[float] | None = None, **message: Any) -> bytes:
    told = {"content": [{"token": "x", "logprob": each} for each in logprobs or ()]}
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": content, **message},
        "finish_reason": "stop",
        "logprobs": told if logprobs is not None else None,
    }
    return response(json.dumps({"object": "chat.completion", "choices": [choice]}).encode())


def self_signed(folder: Path) -> ssl.SSLContext:
    """What a TLS server shows that nobody vouches for."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1)).sign(key, hashes.SHA256())
    )  # fmt: skip
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path = folder / "server.pem"
    path.write_bytes(pem + made.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


def chunk(content: Any, logprob: float | None = None, **more: Any) -> str:
    """The data of an event that adds to an answer."""
    told = {"content": [{"token": "x", "logprob": logprob}]} if logprob is not None else None
    choice = {"index": 0, "delta": {"content": content}, "logprobs": told, "finish_reason": None}
    return json.dumps({"object": "chat.completion.chunk", "choices": [{**choice, **more}]})


DONE = ("[DONE]",)


def events(*data: str, head: str = "Content-Type: text/event-stream; charset=utf-8") -> bytes:
    """A stream that ends with the connection."""
    rows = "".join(f"data: {each}\n\n" for each in data)
    return f"HTTP/1.1 200 OK\r\n{head}\r\nConnection: close\r\n\r\n{rows}".encode()
