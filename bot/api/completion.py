"""Chat completions as the protocol has them: whole, or as server-sent events."""

from __future__ import annotations

import json
import math
import re
import secrets
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from bot.api.protocol import ChatRequest

_LEAST = 1e-9  # a confidence of 0 has no logarithm


@dataclass(frozen=True)
class Line:
    """What is said of one picture, or instead of an answer.

    Attributes:
        text: The words.
        confidence: Calibrated probability, 0..1; None of what the model did not say.
    """

    text: str
    confidence: float | None = None


@dataclass(frozen=True)
class Draft:
    """What is known of a completion before its end.

    Attributes:
        chat: The request.
        fingerprint: Names the weights.
        id: Names the answer.
        created: Seconds since 1970.
    """

    chat: ChatRequest
    fingerprint: str = ""
    id: str = field(default_factory=lambda: f"chatcmpl-{secrets.token_hex(12)}")
    created: int = field(default_factory=lambda: int(time.time()))

    def opening(self) -> str:
        """The first event of a stream."""
        return self.event({"role": "assistant", "content": "", "refusal": None})

    def words(self, text: str) -> str:
        """An event with more of the text."""
        return self.event({"content": text})

    def event(
        self,
        delta: dict[str, Any],
        reason: str | None = None,
        logprobs: dict[str, Any] | None = None,
    ) -> str:
        """An event of the only choice."""
        choice = {"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": reason}
        return sent_event({**self.head("chat.completion.chunk"), "choices": [choice]})

    def head(self, kind: str) -> dict[str, Any]:
        """What every object of the completion has."""
        return {
            "id": self.id,
            "object": kind,
            "created": self.created,
            "model": self.chat.model,
            "system_fingerprint": self.fingerprint or None,
        }

    def cut(self, text: str) -> tuple[str, str]:
        """A text, cut where the request says so, and why it ends there."""
        for stop in self.chat.stops:
            text = text.partition(stop)[0]
        words = re.findall(r"\s*\S+", text)
        most = self.chat.most_words
        if most is not None and len(words) > most:
            return "".join(words[:most]), "length"
        return text, "stop"


@dataclass(frozen=True)
class Completion:
    """An answer to a request.

    Attributes:
        draft: What was known of it before.
        lines: One for each picture, in order.
        asked: The words of the question, which are counted.
        refusal: Whether this says why there is no answer.
    """

    draft: Draft
    lines: Sequence[Line]
    asked: str = ""
    refusal: bool = False

    def whole(self) -> dict[str, Any]:
        """The body of a response."""
        content, reason = self._content
        message = {
            "role": "assistant", "content": content, "refusal": content if self.refusal else None
        }  # fmt: skip
        choice = {
            "index": 0, "message": message, "logprobs": self._logprobs(), "finish_reason": reason
        }  # fmt: skip
        return {
            **self.draft.head("chat.completion"), "choices": [choice], "usage": self._usage()
        }  # fmt: skip

    def events(self, before: str = "") -> Iterator[str]:
        """The end of a stream, a word an event.

        Args:
            before: With what the text begins that was sent before.
        """
        content, reason = self._content
        logprobs = self._logprobs()
        for word in re.findall(r"\s*\S+|\s+\Z", content[len(before) :]):
            yield self.draft.words(word)
        last = {"refusal": content} if self.refusal else {}
        if logprobs:
            yield self.draft.event({"content": ""}, logprobs=logprobs)
        yield self.draft.event(last, reason)
        options = self.draft.chat.stream_options
        if options and options.include_usage:
            head = self.draft.head("chat.completion.chunk")
            yield sent_event({**head, "choices": [], "usage": self._usage()})
        yield "data: [DONE]\n\n"

    @property
    def content(self) -> str:
        """The text."""
        return self._content[0]

    @property
    def _content(self) -> tuple[str, str]:
        return self.draft.cut("\n".join(self._texts()))

    def _texts(self) -> list[str]:
        """The lines, with numbers if there are several."""
        if len(self.lines) == 1:
            return [self.lines[0].text]
        return [f"{number}. {line.text}" for number, line in enumerate(self.lines, 1)]

    def _logprobs(self) -> dict[str, Any] | None:
        """How sure each line is, as one token: exp(logprob) is its calibrated confidence."""
        if not self.draft.chat.logprobs or any(line.confidence is None for line in self.lines):
            return None
        content = []
        for number, (text, line) in enumerate(zip(self._texts(), self.lines, strict=True)):
            token = f"\n{text}" if number else text
            content.append(
                {
                    "token": token,
                    "logprob": math.log(max(line.confidence or 0.0, _LEAST)),
                    "bytes": list(token.encode()),
                    "top_logprobs": [],
                }
            )
        return {"content": content, "refusal": None}

    def _usage(self) -> dict[str, int]:
        """Words, for the engine does not tell tokens."""
        asked, said = len(self.asked.split()), len(self.content.split())
        return {"prompt_tokens": asked, "completion_tokens": said, "total_tokens": asked + said}


def sent_event(body: dict[str, Any]) -> str:
    """A server-sent event."""
    return f"data: {json.dumps(body, ensure_ascii=False, separators=(',', ':'))}\n\n"
