"""Asks a server that speaks OpenAI's chat protocol about one picture, and tells failures apart.

What a server says in an error is never repeated: it may hold the key, or somebody's words.
"""

from __future__ import annotations

import math
import re
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

import httpx
from PIL import Image
from tenacity import RetryCallState, Retrying, retry_if_exception_type
from tenacity.nap import sleep_using_event
from tenacity.wait import wait_random_exponential

from model.budget import told_usage
from model.chat_messages import messages, temperature_of
from model.chat_stream import (
    EVENTS,
    BrokenStreamError,
    FailedStreamError,
    UnwantedError,
    json_object,
    read_stream,
    text_of,
)
from model.errors import EngineUnavailable
from model.plain_text import plain_text, shortened
from model.requests import NO_CONTEXT, ChatContext, Usage
from model.server_config import RemoteProfile

MOST_BYTES = 2_000_000  # of a response
LONGEST_WAIT = 20.0  # seconds between two tries
CONNECT_TIMEOUT = 10.0  # seconds
_SHORTEST_TIMEOUT = 0.1  # seconds
_MOST_REFUSAL = 100_000  # bytes of an error that are looked at


class _Reading(NamedTuple):
    """How `read_stream` reads an answer."""

    deadline: float
    on_text: Callable[[str], None] | None = None
    unwanted: Callable[[], bool] = lambda: False
    on_sign: Callable[[], None] | None = None


class TransientFailure(EngineUnavailable):
    """A failure that may pass.

    Args:
        sentence: What went wrong.
        wait: Seconds for which the server wants to be left alone, or 0.
        status: The HTTP status that the server answered with; 0 if it did not.
    """

    def __init__(self, sentence: str, wait: float = 0.0, status: int = 0) -> None:
        super().__init__(sentence, status)
        self.wait = wait


@dataclass(frozen=True)
class ChatAnswer:
    """What a chat model says.

    Attributes:
        text: Plain text.
        confidence: The mean probability of its tokens (geometric), 0..1, which is not calibrated;
            None if the server does not tell.
        usage: What it cost; None if the server does not tell.
    """

    text: str
    confidence: float | None
    usage: Usage | None = None


class ChatClient:
    """Asks one server; threads may share it.

    Args:
        profile: The server, and how it is asked.

    Raises:
        ProfileError: The key cannot be read.
    """

    def __init__(self, profile: RemoteProfile) -> None:
        self._server, key = profile.server, profile.key()
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._http = httpx.Client(
            base_url=self._server.url.rstrip("/") + "/",
            headers={**headers, "Accept-Encoding": "identity"},
            limits=httpx.Limits(max_connections=self._server.parallel + 1),
        )
        streaming = {"stream", "stream_options"} if self._server.stream else set()
        self._extras = frozenset(streaming | ({"logprobs"} if self._server.logprobs else set()))
        self._stopping = threading.Event()

    def ask(
        self,
        image: Image.Image,
        question: str | None,
        rank: int = 0,
        context: ChatContext = NO_CONTEXT,
        unwanted: Callable[[], bool] = lambda: False,
    ) -> ChatAnswer:
        """Ask about a picture, and again after failures that may pass; waits.

        Args:
            image: RGB pixels.
            question: None asks for a caption.
            rank: 0 for the best answer; others are drawn, with this seed.
            context: The turns before, the language of captions, and who is told of the text so far:
                from its beginning, also where a second try begins again.
            unwanted: Whether nobody waits for the answer any more; then it is not read to its end,
                which lets most servers stop writing.

        Raises:
            EngineUnavailable: There is no answer; one plain sentence for the operator.
        """
        server = self._server
        body: dict[str, Any] = {
            "model": server.model,
            "messages": messages(server, image, question, context),
            server.tokens_field: server.most_tokens,
            "temperature": temperature_of(server.temperature, rank),
        }
        if rank:
            body["seed"] = rank
        deadline = time.monotonic() + server.timeout
        for attempt in self._tries(deadline, unwanted):
            with attempt:
                reading = _Reading(deadline, context.on_text, unwanted, context.on_sign)
                return self._complete(body, reading)
        raise AssertionError("tenacity gives an answer or raises")

    def models(self) -> tuple[str, ...]:
        """The names of the server's models.

        Raises:
            EngineUnavailable: It does not tell; one plain sentence.
        """
        told = self._request("GET", "models", None, _Reading(time.monotonic() + CONNECT_TIMEOUT))
        rows = told.get("data")
        if not isinstance(rows, list):
            raise EngineUnavailable(f"{self._where} is no server of OpenAI's protocol.")
        names = [row.get("id") for row in rows if isinstance(row, dict)]
        return tuple(name for name in names if isinstance(name, str) and name.isprintable())

    def stop_retrying(self) -> None:
        """Begin no further try of anything."""
        self._stopping.set()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    # -- one request -----------------------------------------------------------------------

    def _tries(self, deadline: float, unwanted: Callable[[], bool]) -> Retrying:
        backoff = wait_random_exponential(multiplier=0.5, max=LONGEST_WAIT)

        def wait(state: RetryCallState) -> float:
            error = state.outcome.exception() if state.outcome else None
            return max(backoff(state), error.wait if isinstance(error, TransientFailure) else 0.0)

        def stop(state: RetryCallState) -> bool:
            too_late = time.monotonic() + state.upcoming_sleep >= deadline
            enough = state.attempt_number > self._server.retries
            return enough or too_late or self._stopping.is_set() or unwanted()

        return Retrying(
            retry=retry_if_exception_type(TransientFailure),
            stop=stop,
            wait=wait,
            sleep=sleep_using_event(self._stopping),
            reraise=True,
        )

    def _complete(self, body: Mapping[str, Any], reading: _Reading) -> ChatAnswer:
        """Ask once; and with less, if the server does not know some of what it is asked for."""
        extras = self._extras
        while True:
            asked = {**body, **{name: _EXTRAS[name] for name in extras}}
            try:
                answer = self._answer(self._request("POST", "chat/completions", asked, reading))
            except _BadRequest as refusal:
                if not extras:
                    raise
                extras = _fewer(extras, refusal.named)
            else:
                self._extras &= extras  # without which this server may have been refusing
                return answer

    def _request(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None,
        reading: _Reading,
    ) -> dict[str, Any]:
        """The JSON object that the server answers, at once or as events."""
        left = max(_SHORTEST_TIMEOUT, reading.deadline - time.monotonic())
        timeout = httpx.Timeout(left, connect=min(CONNECT_TIMEOUT, left))
        with (
            self._explaining(),
            self._http.stream(method, path, json=body, timeout=timeout) as response,
        ):
            if response.status_code != httpx.codes.OK:
                raise self._refusal(response)
            if EVENTS in response.headers.get("content-type", ""):
                return read_stream(response, *reading)
            return json_object(_read(response, MOST_BYTES, reading.deadline))

    @contextmanager
    def _explaining(self) -> Iterator[None]:
        """Turn what is raised while an answer is read into one plain sentence."""
        where = self._where
        try:
            yield
        except (httpx.TimeoutException, TimeoutError):
            raise self._too_slow() from None
        except OverflowError:
            raise EngineUnavailable(f"{where} sends more than an answer can be.") from None
        except UnwantedError:
            raise EngineUnavailable(f"Nobody waits for {where} any more.") from None
        except BrokenStreamError:
            raise TransientFailure(f"{where} broke off in the middle of an answer.") from None
        except FailedStreamError:
            raise TransientFailure(f"{where} failed in the middle of an answer.") from None
        except ValueError:
            raise EngineUnavailable(
                f"{where} answers with something else than JSON; its address may be wrong, which "
                "ends in /v1 as a rule."
            ) from None
        except httpx.ConnectError as error:
            if _is_tls(error):
                raise EngineUnavailable(
                    f"{where} cannot be trusted: its TLS certificate is not valid here, or it does "
                    "not speak TLS."
                ) from None
            raise TransientFailure(f"{where} cannot be reached; is it running?") from None
        except httpx.TransportError:
            raise TransientFailure(f"{where} broke off in the middle of an answer.") from None
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError):
            raise EngineUnavailable(f"{where} gives answers that cannot be read.") from None

    def _refusal(self, response: httpx.Response) -> EngineUnavailable:
        where, status, model = self._where, response.status_code, self._server.model
        wait = _retry_after(response.headers.get("retry-after", ""))
        if status >= 500:
            said = f"{where} has a fault of its own ({status})."
            return TransientFailure(said, min(wait, LONGEST_WAIT), status)
        match status:
            case 429:
                said = f"{where} has had too many questions, or its account has no credit (429)."
                if wait <= LONGEST_WAIT:  # else people would wait longer than they do
                    return TransientFailure(said, wait, status)
            case 400 | 422:
                said = f"{where} does not understand the request ({status}); "
                return _BadRequest(said + f"can {model!r} see pictures?", status, _named(response))
            case 401 | 403:
                said = f"{where} does not accept the key ({status})."
            case 404:
                said = f"{where} knows no model {model!r}, or no such path (404)."
            case _:
                said = f"{where} refuses the request ({status})."
        return EngineUnavailable(said, status)

    def _too_slow(self) -> EngineUnavailable:
        return EngineUnavailable(
            f"{self._where} gave no answer within {self._server.timeout:g} seconds."
        )

    @property
    def _where(self) -> str:
        return f"The model's server {self._server.address}"

    # -- what it says ----------------------------------------------------------------------

    def _answer(self, told: Mapping[str, Any]) -> ChatAnswer:
        choices = told.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices else None
        message = choice.get("message") if isinstance(choice, dict) else None
        if not isinstance(choice, dict) or not isinstance(message, dict):
            raise EngineUnavailable(f"{self._where} answers without an answer in it.")
        text = shortened(plain_text(_content(message)))
        if not text:
            if message.get("tool_calls"):
                raise EngineUnavailable(f"{self._where} wants to use a tool; there are none.")
            raise EngineUnavailable(f"{self._where} gave an empty answer.")
        return ChatAnswer(text, _confidence(choice.get("logprobs")), told_usage(told))


# --- what not every server knows -----------------------------------------------------------------

_EXTRAS: Mapping[str, Any] = {
    "stream": True,
    "stream_options": {"include_usage": True},
    "logprobs": True,
}


class _BadRequest(EngineUnavailable):
    """The server does not understand what it is asked.

    Args:
        sentence: As the operator reads it.
        status: The HTTP status.
        named: Which of the extras its error is about, as far as it says so.
    """

    def __init__(self, sentence: str, status: int, named: frozenset[str]) -> None:
        super().__init__(sentence, status)
        self.named = named


def _named(response: httpx.Response) -> frozenset[str]:
    try:
        said = _read(response, _MOST_REFUSAL, time.monotonic() + CONNECT_TIMEOUT).decode(
            "utf-8", "replace"
        )
    except (OverflowError, TimeoutError, httpx.HTTPError):
        return frozenset()
    return frozenset(name for name in _EXTRAS if re.search(rf"\b{name}\b", said))


def _fewer(extras: frozenset[str], named: frozenset[str]) -> frozenset[str]:
    """What to ask for after a refusal: all but what it names, else streaming, else nothing."""
    if "stream" in named & extras:
        named |= {"stream_options"}  # which go with it
    if named & extras:
        return extras - named
    return extras & {"stream"} if extras - {"stream"} else frozenset()


# --- reading what it says ------------------------------------------------------------------------


def _read(response: httpx.Response, most: int, deadline: float) -> bytes:
    """The body of a response.

    Raises:
        OverflowError: It has more than `most` bytes.
        TimeoutError: The deadline has passed.
    """
    content = bytearray()
    for part in response.iter_bytes():
        content += part
        if len(content) > most:
            raise OverflowError
        if time.monotonic() > deadline:
            raise TimeoutError
    return bytes(content)


def _content(message: Mapping[str, Any]) -> str:
    """The text of a message; a refusal in words is one as well."""
    return text_of(message.get("content") or message.get("refusal"))[:MOST_BYTES]


def _confidence(logprobs: object) -> float | None:
    """The geometric mean of the tokens' probabilities; None if they are not told."""
    rows = logprobs.get("content") if isinstance(logprobs, dict) else None
    if not isinstance(rows, Sequence) or not rows:
        return None
    values = [row.get("logprob") if isinstance(row, dict) else None for row in rows]
    numbers = [float(each) for each in values if isinstance(each, int | float)]
    if len(numbers) < len(values) or not all(map(math.isfinite, numbers)):
        return None
    return min(1.0, math.exp(sum(numbers) / len(numbers)))


def _retry_after(header: str) -> float:
    """Seconds that the header asks for, or the time until its date; 0 if it says neither."""
    try:
        seconds = float(header)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(header).timestamp() - time.time()
        except (ValueError, OverflowError, OSError):
            return 0.0
    return max(0.0, seconds) if math.isfinite(seconds) else 0.0


def _is_tls(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLError):
            return True
        error = error.__cause__ or error.__context__
    return False
