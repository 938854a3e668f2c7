"""`glimpse serve` with a chat model behind it: words come while it writes, and turns go along."""

from __future__ import annotations

import asyncio
import math
import queue
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import openai
import pytest
from api_server import KEY, Running, api, png, serving, user, wait_until
from engine_stand_in import Said, picture

from bot.assistant.types import ModelAnswer
from bot.settings import WebSettings
from data.images.open import Picture
from model.errors import EngineUnavailable
from model.remote import RemoteEngine
from model.requests import NO_CONTEXT, Capabilities, ChatContext
from model.server_config import RemoteProfile, ServerConfig

RED = png("red")
WHAT = "What is the dog doing?"
WHOLE = "A brown dog runs through the tall grass."


@dataclass
class WritingEngine:
    """A chat model that writes what it is told to."""

    waiting: int = 0
    asked: queue.Queue[tuple[Future[ModelAnswer], str | None, ChatContext]] = field(
        default_factory=queue.Queue
    )

    def submit(
        self, _: Picture, question: str | None, rank: int = 0, context: ChatContext = NO_CONTEXT
    ) -> Future[ModelAnswer]:
        assert not rank
        future: Future[ModelAnswer] = Future()
        self.asked.put((future, question, context))
        return future

    def next(self) -> tuple[Future[ModelAnswer], str | None, ChatContext]:
        return self.asked.get(timeout=5)


def written(context: ChatContext, text: str) -> None:
    """The model has written so far."""
    assert context.on_text
    context.on_text(text)


@pytest.fixture
def engine() -> WritingEngine:
    return WritingEngine()


@pytest.fixture
def running(engine: WritingEngine) -> Iterator[Running]:
    with serving(api(engine)) as found:
        yield found


class Streaming:
    """A stream of the official client, read in a thread of its own."""

    def __init__(self, running: Running, *messages: Any, **options: Any) -> None:
        self.chunks: queue.Queue[str] = queue.Queue()
        self.pieces: list[str] = []
        self._pool = ThreadPoolExecutor(1)
        asked = messages or (user(WHAT, RED),)
        self.done = self._pool.submit(self._read, running, asked, options)

    def _read(self, running: Running, messages: Any, options: Any) -> str:
        with (
            running.client() as client,
            client.chat.completions.create(
                model="starter", messages=messages, stream=True, **options
            ) as chunks,
        ):
            for chunk in chunks:
                if chunk.choices and (piece := chunk.choices[0].delta.content):
                    self.pieces.append(piece)
                    self.chunks.put(piece)
        return "".join(self.pieces)

    def piece(self) -> str:
        return self.chunks.get(timeout=5)


def test_words_come_while_the_model_writes(running: Running, engine: WritingEngine) -> None:
    stream = Streaming(running, logprobs=True)
    future, question, context = engine.next()
    assert question == WHAT
    written(context, "A brown")
    written(context, "A brown dog runs")
    assert stream.piece() == "A brown dog runs"
    written(context, "A brown dog runs through the")
    assert stream.piece() == " through the"
    assert not stream.done.done()
    future.set_result(Said(WHOLE, confidence=0.5))
    assert stream.done.result(5) == WHOLE


def test_a_few_words_come_whole_for_the_engine_may_put_them_otherwise(
    running: Running, engine: WritingEngine
) -> None:
    stream = Streaming(running)
    future, _, context = engine.next()
    written(context, "I don't know.")
    future.set_result(Said("i don't know"))
    assert stream.done.result(5) == "i don't know"


@pytest.mark.parametrize(
    ("options", "content", "reason"),
    [
        ({"stop": "tall grass"}, "A brown dog runs through the ", "stop"),
        ({"max_tokens": 5}, "A brown dog runs through", "length"),
    ],
)
def test_a_stream_is_cut_where_the_request_says(
    running: Running, engine: WritingEngine, options: dict[str, Any], content: str, reason: str
) -> None:
    stream = Streaming(running, **options)
    future, _, context = engine.next()
    for end, character in enumerate(WHOLE):
        if character == " ":
            written(context, WHOLE[:end])
    assert "tall" not in stream.piece()
    future.set_result(Said(WHOLE))
    assert stream.done.result(5) == content
    whole = threading.Thread(target=lambda: engine.next()[0].set_result(Said(WHOLE)))
    whole.start()
    choice = running.ask(user(WHAT, RED), **options).choices[0]
    whole.join()
    assert (choice.message.content, choice.finish_reason) == (content, reason)


def test_what_fails_before_the_first_word_has_its_status(
    running: Running, engine: WritingEngine
) -> None:
    stream = Streaming(running)
    future, _, context = engine.next()
    written(context, "A")
    future.set_exception(EngineUnavailable("The model's server has a fault."))
    with pytest.raises(openai.InternalServerError) as failed:
        stream.done.result(5)
    assert (failed.value.status_code, failed.value.code) == (503, "model_unavailable")


@pytest.mark.parametrize(
    ("end", "code"),
    [
        (EngineUnavailable("The model's server broke off."), "model_unavailable"),
        (OSError("/secret/path"), "internal_error"),
        (Said("The picture shows a dog in tall grass."), "interrupted"),
    ],
)
def test_what_fails_after_that_ends_the_stream_with_an_error(
    running: Running, engine: WritingEngine, end: Said | Exception, code: str
) -> None:
    stream = Streaming(running)
    future, _, context = engine.next()
    written(context, "A brown dog runs")
    stream.piece()
    if isinstance(end, Exception):
        future.set_exception(end)
    else:
        future.set_result(end)
    with pytest.raises(openai.APIError) as failed:
        stream.done.result(5)
    assert failed.value.code == code
    assert "secret" not in failed.value.message


def test_a_model_that_begins_anew_goes_on_where_it_says_the_same(
    running: Running, engine: WritingEngine
) -> None:
    stream = Streaming(running)
    future, _, context = engine.next()
    written(context, "A brown dog runs")
    assert stream.piece() == "A brown dog runs"  # else nothing was said yet
    for text in ("", "A", "Some other words come", WHOLE[:-7]):
        written(context, text)
    future.set_result(Said(WHOLE))
    assert stream.done.result(5) == WHOLE


async def test_whoever_leaves_stops_the_model_and_gives_the_place_back(
    engine: WritingEngine,
) -> None:
    one = WebSettings(messages_at_once=2)  # of which one key gets one, while it is alone
    with serving(api(engine, KEY, settings=one)) as running:
        web = openai.DefaultAsyncHttpxClient(trust_env=False, verify=False)
        client = openai.AsyncOpenAI(
            base_url=f"{running.address}/v1", api_key=KEY, http_client=web, max_retries=0
        )
        message: Any = [user(WHAT, RED)]
        async with client:
            for _ in range(3):
                asking = asyncio.ensure_future(
                    client.chat.completions.create(model="starter", messages=message, stream=True)
                )
                future, _, context = await asyncio.to_thread(engine.next)
                written(context, "A brown dog runs")
                stream = await asking
                texts = [(await anext(stream)).choices[0].delta.content for _ in range(2)]
                assert texts == ["", "A brown dog runs"]
                await stream.close()
                await asyncio.to_thread(wait_until, future.cancelled)
            asking = asyncio.ensure_future(
                client.chat.completions.create(model="starter", messages=message, stream=True)
            )
            future, _, _ = await asyncio.to_thread(engine.next)
            asking.cancel()  # before the first word
            await asyncio.to_thread(wait_until, future.cancelled)


def test_the_raw_response_is_a_stream_of_events(running: Running, engine: WritingEngine) -> None:
    threading.Thread(target=lambda: engine.next()[0].set_result(Said(WHOLE, 0.5))).start()
    message: Any = [user(WHAT, RED)]
    with running.client() as client:
        raw = client.chat.completions.with_raw_response.create(
            model="starter", messages=message, stream=True, logprobs=True,
            stream_options={"include_usage": True},
        )  # fmt: skip
        assert raw.headers["content-type"].startswith("text/event-stream")
        assert raw.headers["cache-control"] == "no-store"
        chunks = list(raw.parse())
    *_, told, last, usage = chunks
    (token,) = told.choices[0].logprobs.content  # type: ignore[union-attr, misc]
    assert math.exp(token.logprob) == pytest.approx(0.5)
    assert last.choices[0].finish_reason == "stop"
    assert usage.usage.completion_tokens == len(WHOLE.split())  # type: ignore[union-attr]


# --- what was said before --------------------------------------------------------------------


def assistant(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": text}


@pytest.mark.parametrize(
    ("messages", "turns"),
    [
        ([user(WHAT, RED)], []),
        ([user("", RED), assistant("A dog."), user(WHAT)], [(None, "A dog.")]),
        ([user("Is it wet?", RED), assistant("Yes."), user("Why?"), assistant("Rain."), user(WHAT)],
         [("Is it wet?", "Yes."), ("Why?", "Rain.")]),
        # What was said of another picture is not about this one.
        ([user("Is it wet?", RED), assistant("Yes."), user(WHAT, png("blue"))], []),
        ([user("Is it wet?", RED), assistant("Yes."), user("", png("blue")), assistant("A cat."),
          user(WHAT)], [(None, "A cat.")]),
        # A question that nobody answered is none, and system messages are not read.
        ([{"role": "system", "content": "x"}, user("Is it wet?", RED), user("Why?"),
          assistant("Rain."), user(WHAT), assistant("It")], [("Why?", "Rain.")]),
    ],
)  # fmt: skip
def test_the_conversation_about_the_picture_goes_along(
    running: Running, engine: WritingEngine, messages: list[Any], turns: list[Any]
) -> None:
    stream = Streaming(running, *messages)
    future, question, context = engine.next()
    future.set_result(Said(WHOLE))
    stream.done.result(5)
    assert question == WHAT
    assert [(each.question, each.answer) for each in context.turns] == turns


# --- what a chat model is asked --------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "question", "asked", "language"),
    [
        ("", None, "", "en"),
        ("Describe the scene in detail.", "Describe the scene in detail.", "", "en"),
        ("De quelle couleur est le chien ?", "De quelle couleur est le chien ?", "", "en"),
        ("Welche Farbe hat der Hund?", "What color is the dog?", "Welche Farbe hat der Hund?",
         "de"),
        ("Write a haiku about it. " * 50, ("Write a haiku about it. " * 50).strip(), "", "en"),
    ],
)  # fmt: skip
def test_a_chat_model_is_asked_in_the_words_of_the_client(
    engine: WritingEngine, words: str, question: str | None, asked: str, language: str
) -> None:
    with serving(api(engine, capabilities=Capabilities(chat=True))) as running:
        stream = Streaming(running, user(words, RED))
        future, put, context = engine.next()
        future.set_result(Said(WHOLE))
        assert stream.done.result(5) == WHOLE
        assert (put, context.asked, context.language) == (question, asked, language)
        with pytest.raises(openai.BadRequestError, match="8000 characters"):
            running.ask(user("x" * 8001, RED))


def test_a_far_model_may_be_another_glimpse(engine: WritingEngine) -> None:
    near = WritingEngine()
    with serving(api(near, capabilities=Capabilities(chat=True))) as behind:
        server = ServerConfig(f"{behind.address}/v1", "starter")
        far = RemoteEngine(RemoteProfile("far", "openai", server))
        try:
            with serving(api(far, capabilities=far.profile.capabilities)) as running:
                stream = Streaming(running, user("", RED), assistant("A dog."), user(WHAT))
                future, question, context = near.next()
                assert question == WHAT
                assert [each.answer for each in context.turns] == ["A dog."]
                written(context, "A brown dog runs through")
                assert stream.piece().startswith("A brown dog")
                future.set_result(Said(WHOLE))
                assert stream.done.result(5) == WHOLE
        finally:
            far.close()


def test_a_far_glimpse_tells_how_sure_it_is(engine: WritingEngine) -> None:
    with serving(api(engine)) as behind:
        server = ServerConfig(f"{behind.address}/v1", "starter")
        far = RemoteEngine(RemoteProfile("far", "openai", server))
        try:
            answer = far.submit(picture("red"), WHAT)
            engine.next()[0].set_result(Said("brown and white", 0.8))
            assert answer.result(5).text == "brown and white"
            assert answer.result().confidence == pytest.approx(0.8)
        finally:
            far.close()
