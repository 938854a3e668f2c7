"""Pictures from the web: fetched from public addresses alone, within limits."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from api_server import png, serving_stand_in, user
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from openai import BadRequestError

from bot.api.errors import ApiError
from bot.api.fetch import PictureFetcher, is_public

RED = png("red")
TLS = httpx.create_ssl_context(trust_env=False)  # takes a while
OK = b"HTTP/1.1 200 OK\r\nconnection: close\r\n"


@contextlib.asynccontextmanager
async def site(
    answer: Callable[[str], bytes], tls: ssl.SSLContext | None = None
) -> AsyncIterator[tuple[int, list[str]]]:
    """A server on this computer that answers the head of a request; its port, and the heads."""
    heads: list[str] = []

    tasks: set[asyncio.Task[None] | None] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())
        with contextlib.suppress(ConnectionError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            heads.append(head)
            reply = answer(head.split()[1])
            writer.write(reply)
            await writer.drain()
            await reader.read(0 if reply else -1)
        writer.close()
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1], heads
    finally:
        server.close()
        await asyncio.gather(*filter(None, tasks))


def everything(**more: Any) -> PictureFetcher:
    return PictureFetcher(lambda _address, _port: True, **{"tls": TLS, **more})


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "192.168.0.1", "172.16.0.1", "169.254.169.254", "0.0.0.0",
        "100.64.0.1", "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fd00::1",
        "::ffff:127.0.0.1", "::ffff:8.8.8.8", "64:ff9b::7f00:1", "2002:7f00:1::", "ff02::1",
    ],
)  # fmt: skip
def test_private_addresses_are_none_of_a_strangers(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


def test_public_addresses_are_public() -> None:
    for address in ("8.8.8.8", "2606:4700:4700::1111"):
        assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1/a.png", "http://localhost/a.png", "http://[::1]/a.png",
        "http://2130706433/a.png", "http://0x7f.1/a.png", "http://127.1/a.png",
        "http://[::ffff:127.0.0.1]/a.png", "http://169.254.169.254/latest/meta-data/",
        "http://8.8.8.8:22/a.png", "http://ann:secret@8.8.8.8/a.png", "http:///a.png",
        "http://a\x00b/", "http://[/", "https://",
    ],
)  # fmt: skip
async def test_nothing_is_sent_to_what_is_not_public(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def connect(*_arguments: object) -> None:
        raise AssertionError("it was connected to")

    monkeypatch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", connect)
    with pytest.raises(ApiError) as refused:
        await PictureFetcher(tls=TLS)(address, "messages")
    assert (refused.value.status, refused.value.code) == (400, "invalid_image_url")


async def test_one_private_address_of_a_name_is_enough_to_refuse(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def resolve(*_arguments: Any, **_more: Any) -> list[Any]:
        kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
        return [(*kind, ("8.8.8.8", 80)), (*kind, ("127.0.0.1", 80))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolve)
    with pytest.raises(ApiError, match="not a public one"):
        await PictureFetcher(tls=TLS)("http://rebound.example/", "messages")


async def test_a_picture_is_fetched_without_anything_of_ours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    async with site(lambda _path: OK + b"\r\n" + RED) as (port, heads):
        assert await everything()(f"http://localhost:{port}/a.png?b=c#d", "messages") == RED
    assert heads[0].startswith("GET /a.png?b=c HTTP/1.1\r\n")
    assert f"host: localhost:{port}\r\n" in heads[0].lower()
    assert "cookie" not in heads[0].lower()


@pytest.mark.parametrize(
    ("answer", "status", "sentence"),
    [
        (b"HTTP/1.1 404 Not Found\r\nconnection: close\r\n\r\n", 400, "could not be fetched"),
        (b"220 smtp.internal ready\r\n", 400, "could not be fetched"),
        (OK + b"content-length: 100\r\n\r\nhalf", 400, "could not be fetched"),
        (OK + b"content-encoding: gzip\r\n\r\nx", 400, "compressed"),
        (OK + b"\r\n", 400, "empty"),
        (OK + b"\r\n" + b"\0" * 20_000_001, 413, "20 MB"),
        (b"", 400, "too long"),
        (b"HTTP/1.1 302 Found\r\nlocation: /again\r\nconnection: close\r\n\r\n", 400, "too often"),
        (b"HTTP/1.1 302 Found\r\nlocation: file:///etc/passwd\r\nconnection: close\r\n\r\n", 400,
         "cannot be used"),
    ],
)  # fmt: skip
async def test_what_is_no_picture_is_told_in_a_sentence(
    answer: bytes, status: int, sentence: str
) -> None:
    async with site(lambda _path: answer) as (port, _heads):
        fetch = everything(seconds=10 if answer else 0.2)
        with pytest.raises(ApiError, match=sentence) as refused:
            await fetch(f"http://127.0.0.1:{port}/", "messages")
    assert refused.value.status == status


async def test_a_redirect_is_looked_at_like_the_first_address() -> None:
    def answer(path: str) -> bytes:
        if path == "/":
            return b"HTTP/1.1 301 Moved\r\nlocation: /b\r\nconnection: close\r\n\r\n"
        return OK + b"\r\n" + RED

    async with site(answer) as (port, heads):
        assert await everything()(f"http://127.0.0.1:{port}/", "messages") == RED
        allowed = [True, False]
        fetch = PictureFetcher(lambda _address, _port: allowed.pop(0), tls=TLS)
        with pytest.raises(ApiError, match="not a public one"):
            await fetch(f"http://127.0.0.1:{port}/", "messages")
    assert len(heads) == 3


async def test_a_certificate_is_checked_by_the_name_that_was_asked(
    tmp_path: Path,
) -> None:
    tls = certificate(tmp_path / "cert.pem", "localhost")
    trusting = ssl.create_default_context(cafile=str(tmp_path / "cert.pem"))
    async with site(lambda _path: OK + b"\r\n" + RED, tls) as (port, _heads):
        with pytest.raises(ApiError, match="could not be fetched"):  # nobody knows who made it
            await everything()(f"https://localhost:{port}/", "messages")
        fetch = everything(tls=trusting)
        assert await fetch(f"https://localhost:{port}/", "messages") == RED
        with pytest.raises(ApiError, match="could not be fetched"):
            await fetch(f"https://127.0.0.1:{port}/", "messages")


def certificate(path: Path, name: str) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    whose = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(whose)
        .issuer_name(whose)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.write_bytes(secret + made.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


async def test_a_request_may_name_a_picture_if_that_is_allowed() -> None:
    async with site(lambda _path: OK + b"\r\n" + RED) as (port, _heads):
        message = user("What color is it?", f"http://127.0.0.1:{port}/red.png")
        with serving_stand_in(fetch=everything()) as running:
            answered = await asyncio.to_thread(running.ask, message)
            assert answered.choices[0].message.content == "red"
        careful = serving_stand_in(fetch=PictureFetcher(tls=TLS))
        with careful as running, pytest.raises(BadRequestError, match="not a public one"):
            await asyncio.to_thread(running.ask, message)
