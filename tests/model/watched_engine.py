"""The engine under test: it can be held, and counts what it computes."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

from PIL import Image
from tiny_models import photo
from torch import Tensor

from model.config import Profile
from model.detections import Detections
from model.engine import Engine
from model.requests import Answer
from model.vlm import PrefixVLM


class Watched(Engine):
    """An engine that can be held before its next computation, and counts what it computes."""

    def __init__(self, profile: Profile, vlm: PrefixVLM, **options: Any) -> None:
        self.gate, self.entered = threading.Event(), threading.Event()
        self.gate.set()
        self.computed: list[int] = []  # requests of each computation
        self.encoded: list[int] = []  # pictures of each encoding
        encode = vlm.encode_and_detect

        def counted(images: Sequence[Image.Image]) -> tuple[Tensor, list[Detections]]:
            self.encoded.append(len(images))
            return encode(images)

        vlm.encode_and_detect = counted  # type: ignore[method-assign]
        super().__init__(profile, vlm, **options)

    def _compute(self, requests: Any) -> list[Answer]:
        self.entered.set()
        assert self.gate.wait(20)
        self.computed.append(len(requests))
        return super()._compute(requests)

    @contextmanager
    def held(self) -> Iterator[Future[Answer]]:
        """Keep the worker busy with one request, so that others gather behind it."""
        self.gate.clear()
        self.entered.clear()
        first = self.submit(photo(99), "What holds you?")
        assert self.entered.wait(20)  # from now on nothing joins its batch
        try:
            yield first
        finally:
            self.gate.set()
