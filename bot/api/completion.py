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
class Completion:
    """An answer to a request.

    Attributes:
        chat: The request.
        lines: One for each picture, in order.
        asked: The words of the question, which are counted.
        refusal: Whether this says why there is no answer.
        fingerprint: Names the weights.
        id: Names the answer.
        created: Seconds since 1970.
    """

    chat: ChatRequest
    lines: Sequence[Line]
    asked: str = ""
    refusal: bool = False
    fingerprint: str = ""
    id: str = field(default_factory=lambda: f"chatcmpl-{secrets.token_hex(12)}")
    created: int = field(default_factory=lambda: int(time.time()))

    def whole(self) -> dict[str, Any]:
        """The body of a response."""
        content, reason = self._content()
        message = {
            "role": "assistant", "content": content, "refusal": content if self.refusal else None
        }  # fmt: skip
        choice = {
            "index": 0, "message": message, "logprobs": self._logprobs(), "finish_reason": reason
        }  # fmt: skip
        usage = self._usage(content)
        return {**self._head("chat.completion"), "choices": [choice], "usage": usage}

    def events(self) -> Iterator[str]:
        """The same as server-sent events, a word each.

        The engine weighs whole answers against each other, so there is nothing to tell earlier.
        """
        content, reason = self._content()
        yield self._event({"role": "assistant", "content": "", "refusal": None})
        logprobs = self._logprobs()
        for word in re.findall(r"\s*\S+", content):
            yield self._event({"content": word})
        last = {"refusal": content} if self.refusal else {}
        if logprobs:
            yield self._event({"content": ""}, logprobs=logprobs)
        yield self._event(last, reason)
        if self.chat.stream_options and self.chat.stream_options.include_usage:
            head = self._head("chat.completion.chunk")
            yield _sent({**head, "choices": [], "usage": self._usage(content)})
        yield "data: [DONE]\n\n"

    def _event(
        self,
        delta: dict[str, Any],
        reason: str | None = None,
        logprobs: dict[str, Any] | None = None,
    ) -> str:
        choice = {"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": reason}
        return _sent({**self._head("chat.completion.chunk"), "choices": [choice]})

    def _head(self, kind: str) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": kind,
            "created": self.created,
            "model": self.chat.model,
            "system_fingerprint": self.fingerprint or None,
        }

    def _content(self) -> tuple[str, str]:
        """The text, cut where the request says so, and why it ends there."""
        text = "\n".join(self._texts())
        for stop in self.chat.stops:
            text = text.partition(stop)[0]
        words = re.findall(r"\s*\S+", text)
        most = self.chat.most_words
        if most is not None and len(words) > most:
            return "".join(words[:most]), "length"
        return text, "stop"

    def _texts(self) -> list[str]:
        """The lines, with numbers if there are several."""
        if len(self.lines) == 1:
            return [self.lines[0].text]
        return [f"{number}. {line.text}" for number, line in enumerate(self.lines, 1)]

    def _logprobs(self) -> dict[str, Any] | None:
        """How sure each line is, as one token: exp(logprob) is its calibrated confidence."""
        if not self.chat.logprobs or any(line.confidence is None for line in self.lines):
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

    def _usage(self, content: str) -> dict[str, int]:
        """Words, for the engine does not tell tokens."""
        asked, said = len(self.asked.split()), len(content.split())
        return {"prompt_tokens": asked, "completion_tokens": said, "total_tokens": asked + said}


def _sent(body: dict[str, Any]) -> str:
    return f"data: {json.dumps(body, ensure_ascii=False, separators=(',', ':'))}\n\n"
