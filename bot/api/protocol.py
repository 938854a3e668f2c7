"""What a request for a chat completion may hold, and which pictures and question it means.

The fields are those of https://platform.openai.com/docs/api-reference/chat/create. What changes
nothing here, such as a seed, is not looked at; what a client could miss in the answer is refused.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bot.api.errors import ApiError, unsupported
from bot.assistant.text import clean, has_words
from model.requests import KEPT_TURNS, Turn

LONGEST_WORDS = 32_000  # characters of a message that are looked at

MOST_MESSAGES = 1000


class _Fields(BaseModel):
    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)


class ImageAddress(_Fields):
    """Where a picture is: a data URL, or an address in the web."""

    url: str


class Part(_Fields):
    """A part of a message's content."""

    type: str
    text: str | None = None
    image_url: ImageAddress | str | None = None


class Message(_Fields):
    """One message of the conversation."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[Part] | None = None

    @property
    def text(self) -> str:
        """Its words."""
        if isinstance(self.content, str):
            return self.content
        return " ".join(part.text for part in self.content or [] if part.text)

    @property
    def pictures(self) -> list[str]:
        """The addresses of its pictures."""
        if self.content is None or isinstance(self.content, str):
            return []
        addresses = [part.image_url for part in self.content if part.image_url]
        return [each if isinstance(each, str) else each.url for each in addresses]


class StreamOptions(_Fields):
    """What a stream holds besides the answer."""

    include_usage: bool | None = None


class ChatRequest(_Fields):
    """The body of `POST /v1/chat/completions`, as far as it is looked at."""

    model: str
    messages: list[Message] = Field(min_length=1, max_length=MOST_MESSAGES)
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    n: int | None = Field(default=None, ge=1)
    max_tokens: int | None = Field(default=None, ge=1)
    max_completion_tokens: int | None = Field(default=None, ge=1)
    stop: str | list[str] | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = Field(default=None, ge=0, le=20)
    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, ge=0, le=1)
    tool_choice: str | dict[str, Any] | None = None
    response_format: dict[str, Any] | None = None
    modalities: list[str] | None = None

    @property
    def most_words(self) -> int | None:
        """The longest answer, in words, for the engine counts no tokens; None sets no limit."""
        return self.max_completion_tokens or self.max_tokens

    @property
    def stops(self) -> list[str]:
        """Texts that end the answer before them."""
        given = [self.stop] if isinstance(self.stop, str) else self.stop or []
        return [text for text in given if text]


def read_chat(body: bytes) -> ChatRequest:
    """Read the body of a request.

    Raises:
        ApiError: 400 if it is no JSON, not of the right form, or asks for what is not possible.
    """
    try:
        chat = ChatRequest.model_validate_json(body)
    except ValidationError as error:
        raise _invalid(error) from None  # its text may hold what people wrote
    _refuse_unsupported(chat)
    return chat


def _invalid(error: ValidationError) -> ApiError:
    first = error.errors(include_url=False, include_input=False)[0]
    if first["type"] == "json_invalid":
        return ApiError(400, "The body of the request is not valid JSON.")
    steps = [step for step in first["loc"] if isinstance(step, int) or step.islower()]
    param = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)
    param = param.removeprefix(".")
    if first["type"] == "missing":
        return ApiError(
            400, f"Missing required parameter: '{param}'.", "missing_required_parameter",
            param=param,
        )  # fmt: skip
    where = f"'{param}'" if param else "the request"
    return ApiError(
        400, f"Invalid value for {where}: {first['msg']}.", "invalid_value", param=param or None
    )


def _refuse_unsupported(chat: ChatRequest) -> None:
    if (chat.n or 1) > 1:
        raise unsupported("Only one choice is given; leave n at 1.", "n")
    if chat.top_logprobs is not None and not chat.logprobs:
        raise ApiError(
            400, "top_logprobs needs logprobs to be true.", "invalid_value", param="top_logprobs"
        )
    if isinstance(chat.tool_choice, dict) or chat.tool_choice == "required":
        raise unsupported("This model calls no tools.", "tool_choice")
    if (chat.response_format or {}).get("type", "text") != "text":
        raise unsupported("This model answers in plain text only.", "response_format")
    if set(chat.modalities or []) - {"text"}:
        raise unsupported("This model answers in plain text only.", "modalities")
    for number, message in enumerate(chat.messages):
        if isinstance(message.content, list):
            for place, part in enumerate(message.content):
                _check_part(part, f"messages[{number}].content[{place}]")


def _check_part(part: Part, param: str) -> None:
    if part.type not in {"text", "image_url", "refusal"}:
        raise unsupported(
            "A message may hold text and pictures (image_url), nothing else.", f"{param}.type"
        )
    missing = {"text": part.text, "image_url": part.image_url}.get(part.type, "")
    if missing is None:
        raise ApiError(
            400,
            f"Missing required parameter: '{param}.{part.type}'.",
            "missing_required_parameter",
            param=f"{param}.{part.type}",
        )


def pictures_of(chat: ChatRequest) -> tuple[list[str], str]:
    """The addresses of the pictures that are meant: those of the last message that has any.

    Returns:
        The addresses, and which field of the request they are in.

    Raises:
        ApiError: 400 if no message has any.
    """
    number = _place_of_pictures(chat)
    if number is not None:
        return chat.messages[number].pictures, f"messages[{number}].content"
    raise ApiError(
        400,
        "There is no picture in the conversation; send one as an image_url part.",
        "missing_picture",
        param="messages",
    )


def turns_of(chat: ChatRequest) -> tuple[Turn, ...]:
    """What was asked and answered about the pictures that are meant, before the last question."""
    start = _place_of_pictures(chat)
    if start is None:
        return ()
    users = [n for n, each in enumerate(chat.messages) if n >= start and each.role == "user"]
    turns = []
    for asked, until in pairwise(users[-KEPT_TURNS - 1 :]):
        said = [each.text for each in chat.messages[asked:until] if each.role == "assistant"]
        answer = clean(" ".join(said)[:LONGEST_WORDS])
        question = clean(chat.messages[asked].text[:LONGEST_WORDS])
        if answer:
            turns.append(Turn(question if has_words(question) else None, answer))
    return tuple(turns)


def _place_of_pictures(chat: ChatRequest) -> int | None:
    """The number of the last message with pictures."""
    shown = [n for n, each in enumerate(chat.messages) if each.role == "user" and each.pictures]
    return shown[-1] if shown else None


def words_of(chat: ChatRequest) -> str:
    """The words of the last message that a user wrote."""
    return next(each.text for each in reversed(chat.messages) if each.role == "user")
