"""Serving: says where, finishes what is under way, stops quietly, names what is wrong."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator

import httpx
import pytest
from cli_runner import free_port
from web_client import Yes

from bot.errors import ServerError
from bot.settings import WebSettings
from bot.web.app import create_app
from bot.web.server import WebServer, _not_a_cancellation, listen, opening_line, serve

PROGRAM = """
import asyncio, sys
from bot.assistant.locale.texts import ENGLISH
from bot.assistant.privacy import Recorder
from bot.assistant.types import Reply
from bot.settings import WebSettings
from bot.web.server import serve
from bot.web.app import create_app

class Slow:
    recorder = Recorder()

    def texts(self, platform, user, language):
        return ENGLISH

    async def handle(self, incoming, draft=None):
        print("asked", flush=True)
        await asyncio.sleep(float(incoming.text))
        return Reply("late but here")

serve(create_app(Slow()), WebSettings(port=0, shutdown_seconds=int(sys.argv[1])))
print("closed", flush=True)
"""


@contextlib.contextmanager
def program(grace: int) -> Iterator[tuple[subprocess.Popen[str], str]]:
    command = [sys.executable, "-W", "error", "-c", PROGRAM, str(grace)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            address = re.search(r"http://127\.0\.0\.1:\d+", line)
            assert address is not None, line
            yield process, address[0]
        finally:
            process.kill()


def test_a_stopping_server_finishes_its_answers_and_ends_quietly() -> None:
    answers: list[str] = []
    with program(grace=15) as (process, address):

        def ask() -> None:
            message = {"text": (None, "0.3")}
            response = httpx.post(f"{address}/api/messages", files=message, trust_env=False)
            answers.append(response.json()["reply"])

        asking = threading.Thread(target=ask)
        asking.start()
        assert process.stdout is not None
        assert process.stdout.readline() == "asked\n"
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=10)
        asking.join()
    assert answers == ["late but here"]
    assert (process.returncode, output, errors) == (0, "closed\n", "")


def test_what_takes_too_long_is_cut_off_without_a_traceback() -> None:
    with program(grace=1) as (process, address):

        def ask() -> None:
            with contextlib.suppress(httpx.HTTPError):
                message = {"text": (None, "60")}
                httpx.post(f"{address}/api/messages", files=message, trust_env=False)

        asking = threading.Thread(target=ask)
        asking.start()
        assert process.stdout is not None
        assert process.stdout.readline() == "asked\n"
        process.terminate()
        output, errors = process.communicate(timeout=10)
        asking.join()
    assert (process.returncode, output) == (0, "closed\n")
    assert "Traceback" not in errors


def test_serve_prints_the_address_and_gives_the_signals_back(
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = signal.getsignal(signal.SIGTERM)
    port = free_port()

    def stop_when_it_answers() -> None:
        transport = httpx.HTTPTransport(retries=20)
        with httpx.Client(transport=transport, base_url=f"http://127.0.0.1:{port}") as web:
            assert web.get("/healthz").json() == {"status": "ok"}
        os.kill(os.getpid(), signal.SIGTERM)

    stopper = threading.Thread(target=stop_when_it_answers)
    stopper.start()
    serve(create_app(Yes()), WebSettings(port=port))
    stopper.join()
    assert f"open http://127.0.0.1:{port} in a browser" in capsys.readouterr().out
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_server_in_a_thread_is_ended_by_its_owner() -> None:
    with listen("127.0.0.1", 0) as listener:
        server = WebServer(create_app(Yes()), "ready")
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        assert httpx.get(f"{address}/healthz", trust_env=False).status_code == 200
        server.should_exit = True
        thread.join(5)
    assert not thread.is_alive()


@pytest.mark.parametrize(
    ("host", "port", "sentence"),
    [
        ("no such host", 8000, "There is no address no such host"),
        ("192.0.2.1", 8000, "192.0.2.1 is not an address of this computer"),
        ("127.0.0.1", 70_000, "There is no port 70000"),
    ],
)
def test_an_address_that_cannot_be_used_is_named(host: str, port: int, sentence: str) -> None:
    with pytest.raises(ServerError, match=sentence):
        listen(host, port)


@pytest.mark.parametrize(
    ("number", "sentence"),
    [(errno.EACCES, "Port 80 needs special rights"), (errno.EIO, "try another --host or --port")],
)
def test_a_refusal_of_the_system_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, number: int, sentence: str
) -> None:
    def refuse(_self: socket.socket, _address: object) -> None:
        raise OSError(number, "the system's own words")

    monkeypatch.setattr(socket.socket, "bind", refuse)
    with pytest.raises(ServerError, match=sentence):
        listen("127.0.0.1", 80)


def test_the_opening_line_can_be_opened() -> None:
    assert "http://127.0.0.1:80 " in opening_line("0.0.0.0", 80)
    assert "Everyone on this network" in opening_line("0.0.0.0", 80)
    assert "http://[::1]:80 " in opening_line("::1", 80)
    assert "network" not in opening_line("localhost", 80)


def test_only_cancellations_are_kept_from_the_log() -> None:
    def record(error: BaseException | None) -> logging.LogRecord:
        info = (type(error), error, None) if error else None
        return logging.LogRecord("x", logging.ERROR, "", 0, "", (), info)

    assert _not_a_cancellation(record(None))
    assert _not_a_cancellation(record(ValueError()))
    assert not _not_a_cancellation(record(asyncio.CancelledError()))
