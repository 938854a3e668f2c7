"""Many people at once: how long each waits for answers, and whether the event loop stands still."""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image, ImageOps

from bot.assistant.assistant import Assistant
from bot.assistant.types import Attachment, Incoming
from bot.benchmarks.ledger import percentile

TICK = 0.005  # seconds between looks at the clock
PHOTO = (1280, 960)  # pixels: what messengers make of a phone's photo
QUESTIONS = ("What is in the picture?", "What colour is it?", "Is there a person in the picture?")


@dataclass
class ChatLatency:
    """What was measured.

    Attributes:
        waits: Seconds from each message to its answer.
        lost: Messages without an answer.
        seconds: From the first message to the last answer.
        stalls: Seconds that the event loop was late, at each look.
    """

    waits: list[float] = field(default_factory=list)
    lost: int = 0
    seconds: float = 0.0
    stalls: list[float] = field(default_factory=list)

    def percentile(self, share: float) -> float:
        """Seconds within which this share (0..1) of the answers came."""
        return percentile(self.waits, share)


async def measure_latency(
    assistant: Assistant, photos: Sequence[bytes], rounds: int
) -> ChatLatency:
    """Let as many people as there are photos talk at once, without ever pausing.

    Each sends their photo, then asks three questions about it, and so on for some rounds.

    Args:
        assistant: Answers, without limits.
        photos: One encoded photo for each person.
        rounds: How often each sends it.
    """
    found = ChatLatency()
    start = time.perf_counter()
    async with _measuring_stalls(found.stalls):
        talks = [_talk(assistant, found, str(n), photo, rounds) for n, photo in enumerate(photos)]
        await asyncio.gather(*talks)
    found.seconds = time.perf_counter() - start
    return found


async def _talk(
    assistant: Assistant, found: ChatLatency, person: str, photo: bytes, rounds: int
) -> None:
    for _ in range(rounds):
        for text in ("", *QUESTIONS):
            pictures = () if text else (Attachment(photo, "photo.jpg"),)
            asked = time.perf_counter()
            reply = await assistant.handle(Incoming("web", person, person, text, pictures))
            found.waits.append(time.perf_counter() - asked)
            found.lost += reply is None or reply.error or not reply.exchanges


@asynccontextmanager
async def _measuring_stalls(stalls: list[float]) -> AsyncIterator[None]:
    """Look at the clock all the while, and note how late each look is."""

    async def watch() -> None:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(TICK)
            stalls.append(time.perf_counter() - before - TICK)

    task = asyncio.ensure_future(watch())
    try:
        yield
    finally:
        task.cancel()


def distinct_photos(samples: Sequence[Path], count: int) -> list[bytes]:
    """Photos that no two people share: different parts of sample pictures, as JPEG."""
    made = []
    for number in range(count):
        with Image.open(samples[number % len(samples)]) as picture:
            room = 2 + number // len(samples)
            box = (room, room, picture.width - room, picture.height - 2 * room)
            photo = ImageOps.fit(picture.convert("RGB").crop(box), PHOTO)
        stored = io.BytesIO()
        photo.save(stored, "JPEG", quality=85)
        made.append(stored.getvalue())
    return made
