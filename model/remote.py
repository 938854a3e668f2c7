"""The engine of a profile whose model answers on a server elsewhere."""

from __future__ import annotations

import re
import time
from dataclasses import replace

from model.budget import estimated_usage
from model.chat_client import ChatClient
from model.queued_engine import QueuedEngine
from model.requests import Answer, Request, Usage
from model.server_config import RemoteProfile

_SHORT = re.compile(r"[^\s.!?]+(?: [^\s.!?]+){0,2}\.")  # few words, though with a full stop
_SMALL = frozenset({"yes", "no", "unknown", "not sure", "unsure", "i don't know", "unclear"})


class RemoteEngine(QueuedEngine):
    """Asks a server about pictures, a few at a time.

    Args:
        profile: The server, and how it is asked.

    Raises:
        ProfileError: The key of the server cannot be read.
    """

    def __init__(self, profile: RemoteProfile) -> None:
        server = profile.server
        super().__init__(workers=server.parallel, queue=server.queue, name="glimpse-remote")
        self.profile = profile
        self._client = ChatClient(profile)
        self._start()

    def _hurry(self) -> None:
        self._client.stop_retrying()

    def _release(self) -> None:
        self._client.close()

    def _ask(self, request: Request) -> Answer:
        begun = time.perf_counter()
        question, context = request.question, request.context
        if context.language not in self.profile.server.languages:
            context = replace(context, language="en")
        elif question is not None:
            question = context.asked or question
        said = self._client.ask(request.picture.image, question, request.rank, context)
        now = time.perf_counter()
        return Answer(
            bare(said.text), said.confidence, now - request.submitted, decoding=now - begun,
            language=context.language, usage=said.usage or self._estimate(request, said.text),
        )  # fmt: skip

    def _estimate(self, request: Request, written: str) -> Usage:
        server, image = self.profile.server, request.picture.image
        scale = min(1.0, server.longest_side / max(image.size))
        turns = request.context.turns[-server.turns :] if server.turns else ()
        texts = [text for turn in turns for text in (turn.question or "", turn.answer)]
        size = (round(image.width * scale), round(image.height * scale))
        asked = [server.system, request.context.asked or request.question or server.caption]
        return estimated_usage(size, [*asked, *texts], written)


def bare(text: str) -> str:
    """A few words as our own models give them: "Yes." becomes "yes"; sentences stay as they are."""
    words = text[:-1] if _SHORT.fullmatch(text) else text
    return words.lower() if words.lower() in _SMALL else words
