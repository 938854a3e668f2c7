"""`glimpse serve`: answers the official client until a signal, and others only with a key."""

from __future__ import annotations

import os
import signal
import threading
from typing import Any

import openai
import pytest
from api_server import KEY, png, user
from cli_runner import CliRunner, Outcome, free_port


def serve(cli: CliRunner, *arguments: str, port: int, key: str = "none") -> tuple[Outcome, Any]:
    """Run the command, ask for a caption, stop it with SIGTERM; what it did and what it said."""
    said: list[Any] = []

    def ask() -> None:
        web = openai.DefaultHttpxClient(trust_env=False, verify=False)
        address = f"http://127.0.0.1:{port}/v1"
        try:
            with openai.OpenAI(
                base_url=address, api_key=key, http_client=web, max_retries=5
            ) as client:
                model = client.models.list().data[0].id
                chat = [user("", png("red"))]
                found = client.chat.completions.create(model=model, messages=chat)  # type: ignore
                said.append((model, found.choices[0].message.content))
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    asking = threading.Thread(target=ask)
    asking.start()
    outcome = cli.run("serve", *arguments)
    asking.join()
    return outcome, said


def test_programs_are_answered_until_a_signal(cli: CliRunner) -> None:
    port = free_port()
    outcome, said = serve(cli, "--port", str(port), "--profile", "mine", port=port)
    assert said == [("fake", "a red square")]
    assert outcome.status == 0
    assert f"programs use http://127.0.0.1:{port}/v1" in outcome.out
    assert outcome.err == "Loading the model, which takes a few seconds...\n"
    assert cli.loaded == [("mine", None, True)]
    assert cli.engine.closed
    assert not (cli.folder / "kept.db").exists()


def test_with_a_key_others_may_be_served(cli: CliRunner) -> None:
    port = free_port()
    cli.environment |= {
        "GLIMPSE_API_KEY": KEY, "GLIMPSE_API_HOST": "0.0.0.0", "GLIMPSE_API_PORT": str(port)
    }  # fmt: skip
    outcome, said = serve(cli, port=port, key=KEY)
    assert said == [("fake", "a red square")]
    assert KEY not in outcome.out + outcome.err


@pytest.mark.parametrize(
    ("environment", "arguments", "sentence"),
    [
        ({}, ("--host", "0.0.0.0"), "Others could use the model: set GLIMPSE_API_KEY"),
        ({"GLIMPSE_API_KEYS_FILE": "/nonexistent/keys"}, (), "cannot be read"),
        ({}, ("--host", "192.0.2.1"), "Others could use the model"),
    ],
)
def test_what_cannot_be_served_is_said_before_the_model_is_loaded(
    cli: CliRunner, environment: dict[str, str], arguments: tuple[str, ...], sentence: str
) -> None:
    cli.environment |= environment
    outcome = cli.run("serve", *arguments)
    assert outcome.status == 1
    assert sentence in outcome.err
    assert cli.loaded == []
