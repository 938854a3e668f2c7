"""`glimpse serve` and the official client: answers, streams, errors, crowds, and the end."""

from __future__ import annotations

import math
import threading
import time
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import openai
import pytest
from api_server import KEY, Running, api, data_url, png, serving, serving_stand_in, user, wait_until
from engine_stand_in import Said, StandIn

RED, BLUE = png("red"), png("blue")
WHAT = "What color is it?"


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    with serving_stand_in() as found:
        yield found


def said(completion: Any) -> str:
    content = completion.choices[0].message.content
    assert isinstance(content, str)
    return content


# --- what a chat means -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("messages", "content"),
    [
        ([user("What color is it?", RED)], "red"),
        ([user("", RED)], "a red square"),
        ([user("?", RED)], "a red square"),
        ([user("What is this?", RED)], "a red square"),
        ([user("Describe this image.", RED)], "a red square"),
        ([user("Beschreibe das Bild.", RED)], "a red square"),
        ([user("What color is it?", RED, BLUE)], "1. red\n2. blue"),
        ([user("", RED), {"role": "assistant", "content": "a red square"}, user(WHAT)],
         "red"),
        ([user("", RED), user(WHAT, BLUE)], "blue"),
        ([{"role": "system", "content": "Be terse."}, user(WHAT, BLUE)], "blue"),
        ([user(WHAT, RED), {"role": "assistant", "content": "It is"}], "red"),
    ],
)  # fmt: skip
def test_the_last_question_is_answered_about_the_last_picture(
    running: Running, messages: list[dict[str, Any]], content: str
) -> None:
    completion = running.ask(*messages)
    assert said(completion) == content
    choice = completion.choices[0]
    assert (choice.finish_reason, choice.message.role, choice.logprobs) == (
        "stop", "assistant", None,
    )  # fmt: skip
    assert (completion.model, completion.object) == ("starter", "chat.completion")
    assert completion.usage.total_tokens > 0


def test_how_sure_an_answer_is_comes_as_its_log_probability(running: Running) -> None:
    (token,) = running.ask(user(WHAT, RED), logprobs=True).choices[0].logprobs.content
    assert token.token == "red"
    assert math.exp(token.logprob) == pytest.approx(0.9)
    several = running.ask(user(WHAT, RED, BLUE), logprobs=True).choices[0]
    tokens = [token.token for token in several.logprobs.content]
    assert "".join(tokens) == several.message.content


def test_an_answer_is_cut_where_the_request_says(running: Running) -> None:
    cut = running.ask(user("", RED), max_tokens=2).choices[0]
    assert (cut.message.content, cut.finish_reason) == ("a red", "length")
    cut = running.ask(user("", RED), stop=[" square"], max_completion_tokens=9).choices[0]
    assert (cut.message.content, cut.finish_reason) == ("a red", "stop")


def test_what_no_picture_answers_is_said_as_a_refusal(running: Running) -> None:
    message = running.ask(user("Какого цвета собака?", RED)).choices[0].message
    assert message.refusal == message.content
    assert "English" in message.content
    assert running.ask(user("Is this mole cancer?", RED)).choices[0].message.refusal is None


@pytest.mark.parametrize(
    ("question", "refused", "options"),
    [
        (WHAT, False, {}),
        ("", False, {"logprobs": True, "stream_options": {"include_usage": True}}),
        ("Какого цвета собака?", True, {}),
    ],
)
def test_a_stream_says_the_same(
    running: Running, question: str, refused: bool, options: dict[str, Any]
) -> None:
    message = user(question, RED)
    whole = running.ask(message).choices[0].message
    chunks = running.ask(message, stream=True, **options)
    deltas = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
    assert "".join(delta.content or "" for delta in deltas) == whole.content
    assert deltas[0].role == "assistant"
    assert [delta.refusal for delta in deltas if delta.refusal] == [whole.content] * refused
    reasons = [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices]
    assert reasons == [None] * (len(reasons) - 1) + ["stop"]
    assert len({chunk.id for chunk in chunks}) == 1
    if options:
        assert chunks[-1].usage.completion_tokens == 3
        assert sum(chunk.choices[0].logprobs is not None for chunk in chunks[:-1]) == 1


def test_the_models_are_listed(running: Running) -> None:
    with running.client() as client:
        (model,) = client.models.list()
        assert model.id == "starter"
        assert client.models.retrieve("starter") == model
        with pytest.raises(openai.NotFoundError, match="'gpt-4o' does not exist"):
            client.models.retrieve("gpt-4o")


# --- errors ----------------------------------------------------------------------------------


def bomb() -> bytes:
    """A PNG of 60,000 x 60,000 pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        check = zlib.crc32(kind + content)
        return len(content).to_bytes(4, "big") + kind + content + check.to_bytes(4, "big")

    side = (60_000).to_bytes(4, "big")
    header = chunk(b"IHDR", side + side + b"\x08\x02\0\0\0")
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 1_000_000))


@pytest.mark.parametrize(
    ("messages", "options", "code", "sentence"),
    [
        ([user(WHAT)], {}, "missing_picture", "There is no picture"),
        ([{"role": "system", "content": "x"}], {}, "missing_picture", "There is no picture"),
        ([], {}, "invalid_value", "messages"),
        ([user(WHAT, png(size=(8, 6))[:40])], {}, "invalid_image", "Please send"),
        ([user(WHAT, b"<svg/>")], {}, "invalid_image", ""),
        ([user(WHAT, RED, b"%PDF-1.4 no picture")], {}, "invalid_image", "Picture 2: "),
        ([user(WHAT, bomb())], {}, "invalid_image", "million pixels"),
        ([user(WHAT, "data:image/png;base64,???")], {}, "invalid_image_url", "broken"),
        ([user(WHAT, "data:image/png;base64,")], {}, "invalid_image_url", "empty"),
        ([user(WHAT, "cat.png")], {}, "invalid_image_url", "data URL"),
        ([user(WHAT, "file:///etc/passwd")], {}, "invalid_image_url", "data URL"),
        ([user(WHAT, "http://127.0.0.1/x")], {}, "invalid_image_url", "does not fetch"),
        ([user(WHAT, *[RED] * 11)], {}, "too_many_pictures", "10 pictures"),
        ([user("Is it red? " * 50, RED)], {}, "context_length_exceeded", "300 characters"),
        ([user(WHAT, RED)], {"n": 2}, "unsupported_value", "n at 1"),
        ([user(WHAT, RED)], {"top_logprobs": 2}, "invalid_value", "needs logprobs"),
        ([user(WHAT, RED)], {"temperature": 3}, "invalid_value", "'temperature'"),
        ([user(WHAT, RED)], {"tool_choice": "required"}, "unsupported_value", "no tools"),
        ([user(WHAT, RED)], {"response_format": {"type": "json_object"}}, "unsupported_value",
         "plain text"),
        ([{"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]}], {},
         "unsupported_value", "text and pictures"),
        ([{"role": "user", "content": [{"type": "image_url"}]}], {},
         "missing_required_parameter", "image_url"),
        ([{"role": "robot", "content": "x"}], {}, "invalid_value", "messages[0].role"),
    ],
)  # fmt: skip
def test_what_cannot_be_answered_is_a_bad_request(
    running: Running, messages: list[Any], options: dict[str, Any], code: str, sentence: str
) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        running.ask(*messages, **options)
    assert refused.value.code == code
    assert refused.value.type == "invalid_request_error"
    assert sentence in refused.value.message
    assert "pydantic" not in refused.value.message


def test_what_changes_nothing_here_is_no_mistake(running: Running) -> None:
    tools = [{"type": "function", "function": {"name": "look", "parameters": {}}}]
    options = {"temperature": 0.2, "top_p": 1, "seed": 7, "user": "ann", "tools": tools,
               "tool_choice": "auto", "response_format": {"type": "text"},
               "extra_body": {"keep_alive": -1}}  # fmt: skip
    assert said(running.ask(user(WHAT, RED), **options)) == "red"


def test_another_model_is_not_found(running: Running) -> None:
    with pytest.raises(openai.NotFoundError) as refused:
        running.ask(user(WHAT, RED), model="gpt-4o")
    assert refused.value.code == "model_not_found"


def test_a_picture_or_a_request_that_is_too_large(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(openai.APIStatusError) as refused:
        running.ask(user(WHAT, "data:image/jpeg;base64," + "A" * 27_000_000))
    assert (refused.value.status_code, refused.value.code) == (413, "image_too_large")
    monkeypatch.setattr("bot.api.app.BODY_BYTES", 1000)
    with pytest.raises(openai.APIStatusError) as refused:
        running.ask(user(WHAT, "data:image/jpeg;base64," + "A" * 100_000))
    assert (refused.value.status_code, refused.value.code) == (413, "request_too_large")


def test_a_crash_is_told_by_a_reference_alone(caplog: pytest.LogCaptureFixture) -> None:
    engine = StandIn(answer=lambda _picture, _question: OSError("/secret/path"))
    with serving_stand_in(engine) as running, pytest.raises(openai.InternalServerError) as failed:
        running.ask(user(WHAT, RED))
    assert failed.value.code == "internal_error"
    reference = failed.value.message.split("reference ")[1][:6]
    assert reference in caplog.text
    assert "secret" not in failed.value.message


# --- many, slow, and the end -----------------------------------------------------------------


def test_ten_at_once_get_their_own_answers() -> None:
    engine = StandIn(held=True)
    with serving_stand_in(engine, KEY) as running, ThreadPoolExecutor(10) as people:
        colours = ["red", "blue", "green", "white", "black"] * 2
        asked = [people.submit(running.ask, user(WHAT, png(colour))) for colour in colours]
        wait_until(lambda: len(engine.queue) == 10)
        engine.release()
        assert [said(each.result()) for each in asked] == [*colours]


def test_a_full_queue_asks_to_come_again_and_the_client_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bot.api.answering.BUSY_SECONDS", 1)
    engine = StandIn(room=0)
    with serving_stand_in(engine) as running:
        with pytest.raises(openai.InternalServerError) as busy:
            running.ask(user(WHAT, RED))
        assert busy.value.status_code == 503
        assert busy.value.response.headers["retry-after"] == "1"
        with running.client(max_retries=2) as client, ThreadPoolExecutor(1) as pool:
            message: Any = [user(WHAT, RED)]
            asked = pool.submit(client.chat.completions.create, model="starter", messages=message)
            time.sleep(0.3)
            engine.room = 10
            assert said(asked.result()) == "red"


def test_a_client_that_gives_up_takes_its_question_back() -> None:
    engine = StandIn(held=True)
    with serving_stand_in(engine) as running:
        message: Any = [user(WHAT, RED)]
        with running.client(timeout=0.5) as client, pytest.raises(openai.APITimeoutError):
            client.chat.completions.create(model="starter", messages=message)
        ((future, _picture, _question),) = engine.queue
        wait_until(future.cancelled)


def test_an_engine_that_never_answers_is_given_up() -> None:
    with serving_stand_in(StandIn(held=True), timeout=0.2) as running:
        with pytest.raises(openai.InternalServerError) as late:
            running.ask(user(WHAT, RED))
        assert late.value.status_code == 503


def test_a_stopping_server_finishes_its_answers_and_refuses_others() -> None:
    engine = StandIn(held=True)
    with serving(api(engine)) as running, ThreadPoolExecutor(1) as people:
        asked = people.submit(running.ask, user(WHAT, RED), stream=True)
        wait_until(lambda: bool(engine.queue))
        running.server.should_exit = True
        threading.Timer(0.3, engine.release).start()
        chunks = asked.result()
        assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "red"
        running.thread.join(5)
        with pytest.raises(openai.APIConnectionError):
            running.ask(user(WHAT, RED))


def test_a_closed_engine_says_that_the_server_is_shutting_down() -> None:
    with serving_stand_in(StandIn(closed=True)) as running:
        with pytest.raises(openai.InternalServerError, match="shutting down") as closing:
            running.ask(user(WHAT, RED))
        assert closing.value.response.headers["retry-after"] == "10"


def test_a_confidence_of_nothing_has_a_logarithm() -> None:
    engine = StandIn(answer=lambda _picture, _question: Said("no", confidence=0.0))
    with serving_stand_in(engine) as running:
        (token,) = running.ask(user(WHAT, RED), logprobs=True).choices[0].logprobs.content
        assert math.exp(token.logprob) < 1e-6


def test_base64_is_read_as_generously_as_elsewhere(running: Running) -> None:
    url = data_url(RED, "image/jpeg; charset=binary").replace(" ", "")
    for variant in (
        url,
        url.rstrip("="),
        url[:60] + "\n" + url[60:],
        url.replace("data:", "DATA:"),
    ):
        assert said(running.ask(user(WHAT, variant))) == "red"
