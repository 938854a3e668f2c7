"""The engine of a profile whose model answers on a server elsewhere."""

from __future__ import annotations

import time

from model.budget import estimated_usage
from model.chat_client import ChatClient
from model.plain_text import bare
from model.queued_engine import QueuedEngine
from model.requests import Answer, Capabilities, Request, Usage
from model.server_config import RemoteProfile


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

    def capabilities(self, profile: str = "") -> Capabilities:
        """What the model can do, as far as the profile knows."""
        return self.profile.capabilities

    def _hurry(self) -> None:
        self._client.stop_retrying()

    def _release(self) -> None:
        self._client.close()

    def _ask(self, request: Request) -> Answer:
        begun = time.perf_counter()
        question, context = request.asked_in(self.profile.server.languages)
        said = self._client.ask(
            request.picture.image, question, request.rank, context, request.future.done
        )
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
