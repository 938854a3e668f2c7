"""Answers that come word by word, from servers good and bad."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from faulty_server import DONE, FaultyServer, chunk, completion, events, faulty_server, response
from llmock.pytest_plugin import LLMock
from PIL import Image

from model import chat_stream
from model.errors import EngineUnavailable
from model.plain_text import LONGEST_ANSWER, plain_text, plain_text_so_far
from model.remote import RemoteEngine
from model.requests import Answer, ChatContext, Turn
from model.server_config import CAPTION_PROMPT, SYSTEM_PROMPT, RemoteProfile, ServerConfig


@dataclass(frozen=True)
class Shown:
    image: Image.Image
    digest: str = "0" * 64


RED = Shown(Image.new("RGB", (20, 10), "red"))
DOG = "A brown **dog** runs over the grass."
WORDS = [f"{word} " for word in DOG.split()]


@pytest.fixture
def faulty() -> Iterator[FaultyServer]:
    with faulty_server() as server:
        yield server


class Asking:
    """Asks a server, and hears what it writes."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.engines: list[RemoteEngine] = []

    def __call__(
        self, url: str, question: str | None = "What?", context: ChatContext | None = None,
        **values: Any,
    ) -> Answer:  # fmt: skip
        config = ServerConfig(url=url, model="gpt-4o-mini", **{"timeout": 5.0, **values})
        self.engines.append(RemoteEngine(RemoteProfile("far", "openai", config)))
        return self.again(question, context)

    def again(self, question: str | None = "What?", context: ChatContext | None = None) -> Answer:
        context = context or ChatContext(on_text=self.heard.append)
        return self.engines[-1].submit(RED, question, 0, context).result(20)


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch) -> Iterator[Asking]:
    monkeypatch.setattr(chat_stream, "TELLING_SECONDS", 0.0)
    asking = Asking()
    yield asking
    for engine in asking.engines:
        engine.close()


# --- the protocol ---------------------------------------------------------------------------------


def test_another_ones_server_is_heard_word_by_word(llmock: LLMock, ask: Asking) -> None:
    llmock.reply(DOG)
    answer = ask(llmock.base_url())
    assert answer.text == "A brown dog runs over the grass."
    assert len(ask.heard) > 1
    assert all(answer.text.startswith(text) for text in ask.heard)
    assert llmock.last_request.body["stream"] is True


def test_words_are_heard_before_the_answer_is_there(faulty: FaultyServer, ask: Asking) -> None:
    heard, go_on = threading.Event(), threading.Event()
    faulty.responses = [events(*map(chunk, WORDS[:4]))]
    later = [events(*map(chunk, WORDS[4:]), *DONE).partition(b"\r\n\r\n")[2]]

    def rest() -> bytes:
        assert go_on.wait(5)
        return later.pop() if later else b""

    faulty.rest = rest

    def hear(text: str) -> None:
        ask.heard.append(text)
        if text == "A brown dog":
            heard.set()

    asking = threading.Thread(target=ask, args=[faulty.url, None, ChatContext(on_text=hear)])
    asking.start()
    assert heard.wait(5)
    go_on.set()
    asking.join(5)
    assert ask.heard[-1] == "A brown dog runs over the grass."


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_events_are_read_however_they_are_cut(faulty: FaultyServer, ask: Asking, size: int) -> None:
    raw = chunk("ünd Grün\u2028 ✓", -0.1)
    halves = raw.replace(', "', ',\r\ndata: "', 1)  # one event in two lines
    stream = (
        "\ufeff: hello\r\n\r\nretry: 10\r\nid: 7\r\ndata:" + chunk("Rot ", -0.3) + "\r\n\r\n"
        f"event: message\r\ndata: {halves}\r\n\r\n: ping\r\n\r\ndata: [DONE]\r\n\r\n"
    ).encode()
    faulty.responses = [events(head="content-type: text/event-stream") + stream]
    faulty.piece = size
    answer = ask(faulty.url)
    assert answer.text == "Rot ünd Grün ✓"
    assert answer.confidence == pytest.approx(0.8187, abs=1e-3)


@pytest.mark.parametrize(
    ("parts", "confident"),
    [
        ([chunk("It "), chunk("is.", -0.1)], False),  # one part tells nothing of its tokens
        ([chunk("", None), chunk("It ", -0.1), chunk("is.", -0.1), chunk(None)], True),
        ([chunk("It is.", float("nan"))], False),
    ],
)
def test_confidence_needs_every_token(
    faulty: FaultyServer, ask: Asking, parts: list[str], confident: bool
) -> None:
    faulty.responses = [events(*parts, *DONE)]
    assert (ask(faulty.url).confidence is not None) == confident


def test_an_answer_is_whole_by_its_reason_too(faulty: FaultyServer, ask: Asking) -> None:
    usage = json.dumps({"choices": [], "usage": {"total_tokens": 7}})
    faulty.responses = [events(chunk("Red."), chunk(None, finish_reason="stop"), usage)]
    assert ask(faulty.url).text == "Red"


# --- faults ---------------------------------------------------------------------------------------


def test_a_stream_that_stops_in_the_middle_is_begun_anew(faulty: FaultyServer, ask: Asking) -> None:
    faulty.responses = [
        events(*map(chunk, WORDS[:4])),
        events(chunk("A cat "), chunk("sits."), *DONE),
    ]
    assert ask(faulty.url, retries=1).text == "A cat sits"
    assert ask.heard == ["A", "A brown", "A brown dog", "A brown dog runs", "A cat"]
    assert len(faulty.requests) == 2


ERROR = json.dumps({"error": {"message": "Incorrect API key provided: sk-secret", "code": 500}})
HTML = "<html>Welcome to the router</html>"


@pytest.mark.parametrize(
    ("answered", "said", "tries"),
    [
        (events(chunk("It is ")), "broke off in the middle", 2),
        (events(chunk("It is ")) + b"data: {\"cho", "broke off in the middle", 2),
        (events(chunk("It is "), ERROR), "failed in the middle", 2),
        (events(chunk("It is ")) + b"event: error\ndata: oh\n\n", "failed in the middle", 2),
        (events(chunk("It "), chunk(None, finish_reason="error")), "failed in the middle", 2),
        (events(HTML), "something else than JSON", 1),
        (events("[" * 100_000), "something else than JSON", 1),
        (events("[]"), "something else than JSON", 1),
        (events(json.dumps({"choices": ["red"]})), "something else than JSON", 1),
        (events(head="Content-Type: text/html") + HTML.encode(), "something else than JSON", 1),
        (events(*DONE), "empty answer", 1),
        (events(chunk(""), *DONE), "empty answer", 1),
        (events(chunk("<think>Hm"), *DONE), "empty answer", 1),
        (events(chunk(None, delta={"tool_calls": [{"id": "1"}]}), *DONE), "use a tool", 1),
        (events() + b"data: " + b"x" * 2_100_000, "more than an answer", 1),
    ],
)  # fmt: skip
def test_every_fault_of_a_stream_is_one_sentence(
    faulty: FaultyServer, ask: Asking, answered: bytes, said: str, tries: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(chat_stream, "MOST_STREAMED", 2_000_000)
    faulty.responses = [answered]
    with pytest.raises(EngineUnavailable, match=said) as caught:
        ask(faulty.url, retries=1)
    assert "secret" not in str(caught.value)
    assert len(faulty.requests) == tries


@pytest.mark.parametrize("drips", [False, True])
def test_a_stream_that_stays_silent_is_given_up(
    faulty: FaultyServer, ask: Asking, drips: bool
) -> None:
    def rest() -> bytes:  # nothing, or nothing that matters
        ended = faulty.ended.wait(0.05 if drips else 20)
        return b"" if ended else b": ping\n"

    faulty.rest = rest
    faulty.responses = [events(chunk("It is "))]
    with pytest.raises(EngineUnavailable, match="no answer within 1 seconds"):
        ask(faulty.url, timeout=1.0)
    assert len(faulty.requests) == 1


def test_a_very_long_stream_ends_with_a_sentence(
    faulty: FaultyServer, ask: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()  # or it hears far too often
    faulty.responses = [events(*[chunk("There is a dog in it. ")] * 2500, *DONE)]
    text = ask(faulty.url).text
    assert LONGEST_ANSWER - 30 < len(text) <= LONGEST_ANSWER
    assert text.endswith("a dog in it.")
    assert max(map(len, ask.heard)) <= LONGEST_ANSWER


def test_nobody_reads_on_for_whom_nobody_waits(faulty: FaultyServer, ask: Asking) -> None:
    def rest() -> bytes:
        return b"" if faulty.ended.wait(0.02) else b"data: " + chunk("on ").encode() + b"\n\n"

    faulty.rest = rest
    faulty.responses = [events(chunk("It is "))]
    heard = threading.Event()
    engine = RemoteEngine(RemoteProfile("far", "openai", ServerConfig(faulty.url, "m")))
    ask.engines.append(engine)
    asked = engine.submit(RED, "What?", 0, ChatContext(on_text=lambda _: heard.set()))
    assert heard.wait(5)
    assert asked.cancel()
    engine.close()  # which waits for what is being read
    assert len(faulty.requests) == 1


# --- what not every server knows ------------------------------------------------------------------


def test_a_server_that_does_not_stream_answers_whole(faulty: FaultyServer, ask: Asking) -> None:
    faulty.responses = [completion(DOG, [-0.1])]
    answer = ask(faulty.url)
    assert (answer.text, ask.heard) == ("A brown dog runs over the grass.", [])
    assert answer.confidence


def refused(*, named: str = "") -> bytes:
    return response(json.dumps({"detail": f"extra fields: {named}"}).encode(), "400 Bad Request")


@pytest.mark.parametrize(
    ("answers", "asked"),
    [
        (["stream_options"], [7, 5]),
        (["logprobs"], [7, 3]),
        (["stream"], [7, 4]),
        (["logprobs", "stream_options"], [7, 3, 1]),
        ([""], [7, 1]),
        (["", ""], [7, 1, 0]),
    ],
)
def test_a_server_is_asked_without_what_it_refuses(
    faulty: FaultyServer, ask: Asking, answers: list[str], asked: list[int]
) -> None:
    faulty.responses = [*(refused(named=each) for each in answers), completion("Red.")]
    assert ask(faulty.url).text == "Red"
    assert ask.again().text == "Red"  # which is remembered
    names = ["stream", "stream_options", "logprobs"]
    sent = [sum(2**n for n, name in enumerate(names) if name in each) for each in faulty.requests]
    assert sent == [*asked, asked[-1]]


def test_streaming_can_be_switched_off(faulty: FaultyServer, ask: Asking) -> None:
    assert ask(faulty.url, stream=False).text == "red"
    assert not {"stream", "stream_options"} & set(faulty.requests[0])


# --- the conversation -----------------------------------------------------------------------------

TURNS = (Turn(None, "A dog."), Turn("Is it wet?", "No."), Turn("Who owns it?", "I cannot tell."))


def test_turns_go_along_with_the_picture_in_the_first_question(
    faulty: FaultyServer, ask: Asking
) -> None:
    ask(faulty.url, "What colour is it?", ChatContext(TURNS), turns=2)
    system, *told = faulty.requests[0]["messages"]
    assert system["content"] == SYSTEM_PROMPT
    assert [each["role"] for each in told] == ["user", "assistant"] * 2 + ["user"]
    picture, words = told[0]["content"]
    assert (picture["type"], words["text"]) == ("image_url", "Is it wet?")
    assert [each["content"] for each in told[1:]] == [
        "No.", "Who owns it?", "I cannot tell.", "What colour is it?",
    ]  # fmt: skip
    ask(faulty.url, None, ChatContext(TURNS), turns=0)
    assert len(faulty.requests[1]["messages"]) == 2


@pytest.mark.parametrize(
    ("languages", "question", "asked", "language"),
    [
        (("en", "de"), "What color is it?", "Welche Farbe hat es?", "de"),
        (("en",), "What color is it?", "What color is it?", "en"),
        (("en", "de"), None, f"{CAPTION_PROMPT} Answer in German.", "de"),
        (("en",), None, CAPTION_PROMPT, "en"),
    ],
)  # fmt: skip
def test_a_model_is_asked_in_a_language_that_it_speaks(
    faulty: FaultyServer, ask: Asking, languages: tuple[str, ...], question: str | None,
    asked: str, language: str,
) -> None:  # fmt: skip
    context = ChatContext(language="de", asked="Welche Farbe hat es?" if question else "")
    answer = ask(faulty.url, question, context, languages=languages)
    assert faulty.requests[0]["messages"][-1]["content"][1]["text"] == asked
    assert answer.language == language


# --- Markdown that is not finished ----------------------------------------------------------------

MARKDOWN = [
    "**Yes**, it is `red`, and *very* much so.\n\nNext to it:\n\n- a __dog__ there\n- *two* cats",
    "# A dog\n\nSee [this page](https://evil.example/a(b)) or ![a cat](x.png) now. It's 2 * 3 * 4.",
    "<think>It is **red** [x](y) `z\n\nor not</think>\nRed, @you and <b>bold</b> & so on.",
    "| a | b |\n|---|---|\n| 1 | 2 |\n\nAs the table shows, a snake_case_name and _one more_ word.",
    "It is **very *much* so**, ***all*** of __this _is_ it__, *a **b** c* and **d *e***, *f*g* h.",
    "1. **One**: a dog\n2. *Two*: a cat\n\n> a **quoted** text\n\nfoo\n===\nbar\n---\n*q* ~no~ it.",
    "```python\nprint('a * b')\n\nx = [1, 2]\n```\n\nThat ~~is~~ &amp; was, **a *b* c** d.",
]  # fmt: skip


@pytest.mark.parametrize("markdown", MARKDOWN)
def test_what_was_shown_once_stays_as_it_is(markdown: str) -> None:
    whole = " ".join(plain_text(markdown).split())
    for end in range(len(markdown) + 1):
        assert whole.startswith(" ".join(plain_text_so_far(markdown[:end]).split()))


@pytest.mark.parametrize("text", MARKDOWN)
def test_most_of_it_is_shown_at_once(text: str) -> None:
    assert len(plain_text_so_far(text)) > 0.7 * len(plain_text(text))
