"""Simulated users who write to the bot all day: photos, questions, corrections, and pauses."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress

from bot.benchmarks.clients import ChatClient
from bot.benchmarks.ledger import OUTAGE_TIMEOUT, Expect, Outcome, SentMessage, outcome_of
from bot.benchmarks.photos import BAD, GOOD, Photo, Photos

QUESTIONS = (
    "What is in the picture?", "What colour is it?", "Is there a person in the picture?",
    "How many are there?", "What is in front?", "Is it outside?", "What is behind it?",
    "Where is this?", "Is it day or night?", "What is on the left?",
)  # fmt: skip
ASIDES = ("hello", "thank you")
CHATTER = ("Lunch?", "I'll be late.", "Has anybody seen my keys?")
# What messengers and phones make, mostly.
_COMMON = ("jpeg", "jpeg", "jpeg", "jpeg", "webp", "png")


class SimulatedUser:
    """Somebody who sends one thing after the other.

    Args:
        client: Where they write.
        photos: What they show.
        rng: What they choose.
        pause: Seconds between an answer and what they do next, in the middle.
    """

    def __init__(
        self, client: ChatClient, photos: Photos, rng: random.Random, pause: float
    ) -> None:
        self.client = client
        self._photos, self._rng, self._pause = photos, rng, pause
        self._shown = False  # a photo that can be asked about
        self._asked = False  # the last thing was a question in words only
        self._before = self._question_before = ""
        photo, asks = self._send_photo, self._ask
        self._plans: tuple[
            tuple[float, str, bool, Callable[[], Awaitable[SentMessage | None]]], ...
        ] = (
            (20, "photo", False, photo),
            (16, "photo and question", False, lambda: photo(self._question())),
            (24, "question", True, asks),
            (6, "caption", True, lambda: self._command("/caption")),
            (6, "retry", True, lambda: self._command("/retry")),
            (4, "album", False, self._send_album),
            (5, "edit", True, self._edit),
            (6, "button", True, self._press),
            (6, "bad file", False, self._send_bad),
            (2, "forget", False, self._forget),
            (2, "aside", False, self._speak_aside),
            (3, "mutter", False, lambda: self.client.say_to_others(self._rng.choice(CHATTER))),
        )

    async def run(self, stopped: asyncio.Event) -> None:
        """Do one thing after the other, with pauses, until `stopped` is set."""
        await _sleep(stopped, self._rng.uniform(0, self._pause))
        while not stopped.is_set():
            if sent := await self._try(self._next):
                await self._await_answer(sent, stopped)
                await _sleep(stopped, self._pause * self._rng.uniform(0.4, 1.6))

    async def last_words(self) -> None:
        """Send a photo with a question, and wait for nothing."""
        await self._try(lambda: self._send_photo(self._question()))

    async def show(self, count: int) -> None:
        """Send so many photos, each as soon as the one before was answered."""
        for _ in range(count):
            sent = await self._send_photo()
            await self._await_answer(sent, asyncio.Event())

    async def _try(
        self, something: Callable[[], Awaitable[SentMessage | None]]
    ) -> SentMessage | None:
        """Do something; who cannot, since the bot stays away, is lost as well."""
        try:
            return await something()
        except TimeoutError:
            return self.client.ledger.send(self.client.platform, "the bot was away", object())

    async def _next(self) -> SentMessage | None:
        """Do something that makes sense now, but nothing odd twice in a row."""
        odd = {"bad file", "aside", "forget"}
        plans = [
            plan
            for plan in self._plans
            if (self._shown or not plan[2]) and not (plan[1] in odd and self._before in odd)
        ]
        (plan,) = self._rng.choices(plans, [plan[0] for plan in plans])
        self._before = plan[1]
        return await plan[3]()

    async def _await_answer(self, sent: SentMessage, stopped: asyncio.Event) -> None:
        """Wait for an answer; for as long as one may take, but not for what nobody owes."""
        if sent.expect is Expect.SILENCE:
            return
        ending = asyncio.ensure_future(stopped.wait())
        hearing = asyncio.ensure_future(sent.done.wait())
        await asyncio.wait(
            {ending, hearing}, timeout=OUTAGE_TIMEOUT, return_when=asyncio.FIRST_COMPLETED
        )
        ending.cancel()
        hearing.cancel()
        await asyncio.gather(ending, hearing, return_exceptions=True)
        shows = sent.kind.startswith(("photo", "album"))
        answered = outcome_of(sent.text) is Outcome.ANSWERED and sent.heard_at is not None
        if shows or not answered:
            self._shown = answered
        self._asked = sent.kind == "question" and answered

    # --- what they do ------------------------------------------------------------------------

    async def _make(self, bad: bool = False) -> Photo:
        """Another photo, made in a thread: some formats take their time."""
        if bad:
            return await asyncio.to_thread(self._photos.bad, self._rng.choice(BAD))
        formats = _COMMON if self._rng.random() < 0.6 else GOOD
        return await asyncio.to_thread(self._photos.good, self._rng.choice(formats))

    async def _send_photo(self, words: str = "") -> SentMessage:
        kind = "photo and question" if words else "photo"
        return await self.client.say(kind, words, [await self._make()])

    async def _send_album(self) -> SentMessage:
        photos = [await self._make() for _ in range(self._rng.randint(2, 4))]
        words = self._question() if self._rng.random() < 0.5 else ""
        return await self.client.say("album", words, photos)

    async def _send_bad(self) -> SentMessage:
        photo = await self._make(bad=True)
        self._shown = False
        return await self.client.say(f"bad file: {photo.format}", "", [photo], Expect.REFUSAL)

    async def _ask(self) -> SentMessage:
        return await self.client.say("question", self._question())

    async def _command(self, command: str) -> SentMessage:
        return await self.client.say(command, command)

    async def _forget(self) -> SentMessage:
        self._shown = False
        return await self.client.say("/forget", "/forget")

    async def _speak_aside(self) -> SentMessage:
        return await self.client.say("aside", self._rng.choice(ASIDES))

    async def _edit(self) -> SentMessage | None:
        return await self.client.edit(self._question()) if self._asked else None

    async def _press(self) -> SentMessage | None:
        return await self.client.press(self._rng.choice(("/retry", "/caption", "/rate good")))

    def _question(self) -> str:
        """Another question than the last one: who edits a question changes it."""
        others = [each for each in QUESTIONS if each != self._question_before]
        self._question_before = self._rng.choice(others)
        return self._question_before


async def _sleep(stopped: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stopped.wait()
