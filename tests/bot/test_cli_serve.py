"""`glimpse web`: finds a taken port before loading, serves, and stops on a signal."""

from __future__ import annotations

import os
import signal
import socket
import threading

import httpx
from cli_runner import CliRunner, Outcome, free_port


def serve(cli: CliRunner, *arguments: str, port: int) -> tuple[Outcome, list[str]]:
    """Run the command, ask for a caption, stop it with SIGTERM; what it did and what it said."""
    replies: list[str] = []

    def ask() -> None:
        transport = httpx.HTTPTransport(retries=100)
        address = f"http://127.0.0.1:{port}"
        with httpx.Client(transport=transport, base_url=address, trust_env=False) as web:
            photo = ("red.png", (cli.folder / "red.png").read_bytes())
            answer = web.post("/api/messages", files={"pictures": photo}, data={"text": ""})
            replies.append(answer.json()["reply"])
        os.kill(os.getpid(), signal.SIGTERM)

    cli.photo("red")
    asking = threading.Thread(target=ask)
    asking.start()
    outcome = cli.run("web", *arguments)
    asking.join()
    return outcome, replies


def test_the_page_answers_and_a_signal_ends_it_cleanly(cli: CliRunner) -> None:
    port = free_port()
    outcome, replies = serve(cli, "--port", str(port), "--profile", "mine", port=port)
    assert replies[0].startswith("A red square.")
    assert outcome.status == 0
    assert f"open http://127.0.0.1:{port} in a browser" in outcome.out
    assert outcome.err == "Loading the model, which takes a few seconds...\n"
    assert cli.loaded == [("mine", None, True)]
    assert cli.engine.closed


def test_the_settings_say_where(cli: CliRunner) -> None:
    port = free_port()
    cli.environment |= {"GLIMPSE_PORT": str(port), "GLIMPSE_HOST": "localhost"}
    outcome, replies = serve(cli, port=port)
    assert len(replies) == 1
    assert f"open http://localhost:{port} in a browser" in outcome.out


def test_a_taken_port_is_found_before_the_model_is_loaded(cli: CliRunner) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        outcome = cli.run("web", "--port", str(port))
    assert outcome.status == 1
    assert outcome.err.startswith(f"Port {port} is already in use; ")
    assert cli.loaded == []
