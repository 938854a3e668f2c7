"""Profiles whose model answers on a server, against LLMock, which others wrote, and bad servers."""

from __future__ import annotations

import base64
import io
import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from faulty_server import FaultyServer, completion, faulty_server, response, self_signed
from llmock.pytest_plugin import LLMock
from PIL import Image

from model import queued_engine
from model.chat_client import ChatClient
from model.config import load_profile
from model.errors import EngineBusy, EngineClosed, EngineUnavailable, ProfileError
from model.plain_text import LONGEST_ANSWER, plain_text
from model.remote import RemoteEngine
from model.requests import Answer
from model.server_config import RemoteProfile, ServerConfig, load_remote

KEY = "sk-abcdefgh-not-for-anybody"


@dataclass(frozen=True)
class Shown:
    image: Image.Image
    digest: str = "0" * 64


RED = Shown(Image.new("RGB", (2000, 500), "red"))


def profile(url: str, **values: Any) -> RemoteProfile:
    config = ServerConfig(url=url, model="gpt-4o-mini", **{"timeout": 5.0, **values})
    return RemoteProfile("far", "openai", config)


@pytest.fixture
def faulty() -> Iterator[FaultyServer]:
    with faulty_server() as server:
        yield server


Ask = Callable[..., Answer]


@pytest.fixture
def ask() -> Iterator[Ask]:
    """Asks a server of an address, with values of its profile."""
    engines: list[RemoteEngine] = []

    def asking(url: str, question: str | None = "What?", rank: int = 0, **values: Any) -> Answer:
        engines.append(RemoteEngine(profile(url, **values)))
        return engines[-1].submit(RED, question, rank).result(20)

    yield asking
    for engine in engines:
        engine.close()


# --- the protocol, as others serve it -------------------------------------------------------------


@pytest.mark.parametrize("provider", ["openai", "mistral"])
def test_another_ones_server_is_asked_about_a_picture(
    llmock: LLMock, ask: Ask, provider: str
) -> None:
    llmock.reply("**Red.**", provider=provider)
    answer = ask(llmock.base_url(provider), "What colour is it?", longest_side=400)
    assert answer.text == "Red"
    assert answer.confidence is None  # it tells no log-probabilities
    asked = llmock.last_request.body
    picture, words = asked["messages"][-1]["content"]
    assert words == {"type": "text", "text": "What colour is it?"}
    kind, _, data = picture["image_url"]["url"].partition(",")
    assert kind == "data:image/jpeg;base64"
    with Image.open(io.BytesIO(base64.b64decode(data))) as sent:
        assert (sent.format, sent.size) == ("JPEG", (400, 100))


def test_its_models_are_listed(llmock: LLMock) -> None:
    with closing(ChatClient(profile(llmock.base_url()))) as client:
        assert any(name.startswith("gpt") for name in client.models())


def test_a_limit_passes_and_is_kept_to(llmock: LLMock, ask: Ask) -> None:
    llmock.rate_limit(times=1, retry_after=1.0).reply("Red.")
    start = time.monotonic()
    ask(llmock.base_url())
    assert time.monotonic() - start >= 1.0
    assert len(llmock.requests) == 2
    llmock.assert_resilient()


def test_a_server_that_stays_down_is_given_up(llmock: LLMock, ask: Ask) -> None:
    llmock.outage()
    with pytest.raises(EngineUnavailable, match=r"has a fault of its own \(503\)"):
        ask(llmock.base_url(), retries=1)
    assert len(llmock.requests) == 2


def test_a_tool_is_not_an_answer(llmock: LLMock, ask: Ask) -> None:
    llmock.call_tool("look", {"at": "it"})
    with pytest.raises(EngineUnavailable, match="wants to use a tool"):
        ask(llmock.base_url())


# --- what is sent ---------------------------------------------------------------------------------


def test_the_key_goes_along_and_other_answers_are_drawn(
    faulty: FaultyServer, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAR_KEY", KEY)
    ask(faulty.url, None, key_variable="FAR_KEY", tokens_field="max_completion_tokens")
    ask(faulty.url, None, 2)
    best, other = faulty.requests
    assert f"authorization: bearer {KEY}" in faulty.heads[0].lower()
    assert "authorization" not in faulty.heads[1].lower()
    assert (best["temperature"], best["max_completion_tokens"]) == (0.0, 300)
    assert (other["temperature"], other["seed"], other["max_tokens"]) == (0.8, 2, 300)
    assert "one plain sentence" in best["messages"][-1]["content"][1]["text"]
    assert not {"seed", "max_tokens"} & set(best)


def test_confidence_is_made_of_log_probabilities(faulty: FaultyServer, ask: Ask) -> None:
    faulty.responses = [completion("Yes.", [-0.1, -0.3])]
    answer = ask(faulty.url)
    assert (answer.text, answer.confidence) == ("yes", pytest.approx(0.8187, abs=1e-3))
    for odd in ([float("nan")], []):
        faulty.responses = [completion("Yes.", odd)]
        assert ask(faulty.url).confidence is None


def test_a_server_without_log_probabilities_is_asked_without(
    faulty: FaultyServer, ask: Ask
) -> None:
    faulty.responses = [response(b"{}", "400 Bad Request"), completion("Red.")]
    assert ask(faulty.url).text == "Red"
    assert [request.get("logprobs") for request in faulty.requests] == [True, None]


# --- faults ---------------------------------------------------------------------------------------

ECHO = json.dumps({"error": {"message": f"Incorrect API key provided: {KEY}"}}).encode()


@pytest.mark.parametrize(
    ("answered", "said", "tries"),
    [
        (response(ECHO, "401 Unauthorized"), r"does not accept the key \(401\)", 1),
        (response(ECHO, "403 Forbidden"), r"does not accept the key \(403\)", 1),
        (response(ECHO, "404 Not Found"), r"knows no model 'gpt-4o-mini'.*\(404\)", 1),
        (response(ECHO, "422 Unprocessable"), "can 'gpt-4o-mini' see pictures", 3),
        (response(ECHO, "429 Slow down", "Retry-After: 3600"), r"too many questions.*\(429\)", 1),
        (response(ECHO, "302 Found", "Location: http://x.example/"), r"refuses.*\(302\)", 1),
        (response(b"<html>Welcome to the router</html>"), "something else than JSON", 1),
        (response(b"[" * 100_000), "something else than JSON", 1),
        (response(b'{"choices": []}'), "without an answer", 1),
        (response(b'{"choices": ["red"]}'), "without an answer", 1),
        (response(b"x" * 2_100_000), "more than an answer can be", 1),
        (completion(""), "empty answer", 1),
        (completion(None), "empty answer", 1),
        (completion("<think>Hm, a picture"), "empty answer", 1),
        (completion("Red.")[:-20], "broke off in the middle", 2),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"cho", "broke off", 2),
        (b"SSH-2.0-OpenSSH_9.9\r\n", "broke off", 2),
        (None, "no answer within 1 seconds", 1),
    ],
)  # fmt: skip
def test_every_fault_is_one_sentence_that_tells_no_secret(
    faulty: FaultyServer, ask: Ask, answered: bytes | None, said: str, tries: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("FAR_KEY", KEY)
    faulty.responses = [answered]
    url = faulty.url.replace("//", "//me:pass-word@")
    with pytest.raises(EngineUnavailable, match=said) as caught:
        ask(url, key_variable="FAR_KEY", retries=1, timeout=1.0 if answered is None else 5.0)
    sentence = str(caught.value)
    assert sentence.count("\n") == 0
    assert sentence.endswith((".", "?"))
    assert not [secret for secret in (KEY, "pass-word", "me:") if secret in sentence]
    assert len(faulty.requests) == tries


def test_a_server_that_is_not_there_is_asked_again(ask: Ask) -> None:
    with faulty_server() as gone:
        pass
    with pytest.raises(EngineUnavailable, match="cannot be reached; is it running"):
        ask(gone.url, retries=1)


def test_a_certificate_that_nobody_vouches_for_is_not_trusted(ask: Ask, tmp_path: Path) -> None:
    with faulty_server(self_signed(tmp_path)) as server:
        url = server.url.replace("http:", "https:")
        with pytest.raises(EngineUnavailable, match="TLS certificate"):
            ask(url)
        assert server.requests == []


def test_a_very_long_answer_ends_with_a_sentence(faulty: FaultyServer, ask: Ask) -> None:
    faulty.responses = [completion("There is a dog in it. " * 2500)]
    text = ask(faulty.url).text
    assert LONGEST_ANSWER - 30 < len(text) <= LONGEST_ANSWER
    assert text.endswith("a dog in it.")
    faulty.responses = [completion("x" * 50_000)]
    assert ask(faulty.url).text == "x" * LONGEST_ANSWER + "…"


# --- the queue ------------------------------------------------------------------------------------


def test_few_are_asked_at_once_few_wait_and_the_end_does_not_wait_for_a_silent_server(
    faulty: FaultyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queued_engine, "CLOSING_SECONDS", 0.2)
    faulty.responses = [None]
    engine = RemoteEngine(profile(faulty.url, parallel=1, queue=2, timeout=30.0))
    asked: list[Future[Answer]] = [engine.submit(RED, "What?")]
    while not faulty.requests:
        time.sleep(0.01)
    asked += [engine.submit(RED, "What?") for _ in range(2)]
    with pytest.raises(EngineBusy):
        engine.submit(RED, "What?")
    assert engine.waiting == 2
    assert engine.refuse_waiting() == 2
    with pytest.raises(EngineClosed):
        engine.submit(RED, "What?")
    engine.close()
    assert len(faulty.requests) == 1
    assert [type(each.exception(0)) for each in asked] == [EngineClosed] * 3


def test_what_is_queued_is_finished_at_the_end(llmock: LLMock) -> None:
    engine = RemoteEngine(profile(llmock.base_url(), parallel=2))
    asked = [engine.submit(RED, "What?") for _ in range(8)]
    closing_ = threading.Thread(target=engine.close)
    closing_.start()
    assert all(each.result(20).text for each in asked)
    closing_.join(5)
    assert not closing_.is_alive()


# --- plain text -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("**Yes**, it is `red`.", "Yes, it is red."),
        ("# A dog\n\n- brown\n- *big*\n\n3. one\n4. two",
         "A dog\n\n- brown\n- big\n\n3. one\n4. two"),
        ("See [this](https://evil.example) ![x](http://track.example/a.png)", "See this x"),
        ("<a href='https://evil.example'>here</a> <b>now</b>", "here now"),
        ("@everyone ask me@here.example or <@123>",
         "@\u2060everyone ask me@here.example or <@\u2060123>"),
        ("&#64;here \u202egpj.exe\x1b[31m", "@\u2060here gpj.exe[31m"),
        ("<think>It is **red**</think>\nRed.", "Red."),
        ("2 * 3 * 4 < 25 & snake_case_name", "2 * 3 * 4 < 25 & snake_case_name"),
        ("| a | b |\n|---|---|\n| 1 | 2 |", "a b\n1 2"),
    ],
)  # fmt: skip
def test_markdown_becomes_plain_text(written: str, plain: str) -> None:
    assert plain_text(written) == plain


# --- profiles -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "here", "provider"),
    [("ollama", True, ""), ("pixtral", False, "Mistral AI"), ("openai", False, "OpenAI")],
)
def test_ready_profiles(name: str, here: bool, provider: str) -> None:
    found = load_remote(name)
    assert found
    assert (found.name, found.server.is_here, found.server.provider) == (name, here, provider)
    with pytest.raises(ProfileError, match="is on a server"):
        load_profile(name)
    assert load_remote("starter") is None


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ('[server]\nurl="http://x"\nmodel="m"', 'needs kind = "openai"'),
        ('kind="openai"', r"lacks the section \[server\]"),
        ('kind="grpc"\n[server]\nurl="http://x"\nmodel="m"', "is not one of openai"),
        ('kind="openai"\n[server]\nurl="file:///etc"\nmodel="m"', "has to be an address"),
        ('kind="openai"\n[server]\nurl="http://x/?key=1"\nmodel="m"', "has to be an address"),
        ('kind="openai"\n[server]\nurl="http://x:99999"\nmodel="m"', "has to be an address"),
        ('kind="openai"\n[server]\nurl="http://x"\nmodle="m"', "Unknown key 'modle'"),
        ('kind="openai"\n[server]\nurl="http://x"\nmodel="m"\ntimeout=0', "must be at least 1"),
        ('kind="openai"\n[server]\nurl="http://x"\nmodel="m"\nquality=100', "less than 96"),
        ('kind="openai"\nadapter="a"\n[server]\nurl="http://x"\nmodel="m"', "both a server"),
    ],
)
def test_a_mistake_in_a_profile_is_one_sentence(tmp_path: Path, toml: str, said: str) -> None:
    path = tmp_path / "far.toml"
    path.write_text(toml)
    with pytest.raises(ProfileError, match=said):
        load_remote(path)


def test_the_key_is_in_a_file_beside_the_profile(tmp_path: Path) -> None:
    path = tmp_path / "far.toml"
    path.write_text('kind="openai"\n[server]\nurl="http://u:s%40cret@x"\nmodel="m"\nkey_file="key"')
    found = load_remote(path)
    assert found
    with pytest.raises(ProfileError, match="cannot be read"):
        found.key()
    (tmp_path / "key").write_text(f"{KEY}\n")
    assert found.key() == KEY
    assert set(found.secrets()) == {KEY, "s%40cret", "s@cret"}
    named = replace(found, server=replace(found.server, key_file="", key_variable="FAR_KEY"))
    with pytest.raises(ProfileError, match="environment variable FAR_KEY has to hold"):
        named.key({"FAR_KEY": "two words"})
