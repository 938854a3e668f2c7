"""A long time with many people on every platform, while things go wrong: is anybody forgotten?

The bot is `glimpse run` in a process of its own, with the real model; Telegram and Discord are
small servers in this process, whose people write to it, and whose faults it has to bear. In the
end it is told to stop while everybody is waiting for an answer.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from bot.benchmarks import process, resources
from bot.benchmarks.clients import DiscordEar, DiscordMouth, Mouth, TelegramEar, TelegramMouth
from bot.benchmarks.fake_discord import FakeDiscord
from bot.benchmarks.fake_telegram import GROUP, FakeTelegram
from bot.benchmarks.faults import Faults, of_discord, of_page, of_telegram
from bot.benchmarks.ledger import Ledger, Tally, tally
from bot.benchmarks.page import PageMouth
from bot.benchmarks.photos import Photos
from bot.benchmarks.resources import Check, Sample
from bot.benchmarks.users import Person
from model.requests import EngineLimits

PLATFORMS = ("telegram", "discord", "page")
WARM_UP, LONGEST_WARM_UP = 0.1, 180.0  # share of the time, seconds
CACHED = EngineLimits.pictures  # photos whose prefixes the bot keeps
FILLING = 140  # photos
CALM = 10.0  # seconds without faults before the end
TAKING = 10.0  # seconds that the bot has to take what it is sent last
# Of twenty people, in the order in which they come.
_PLACES = (
    *("telegram", "page", "discord", "telegram", "telegram group"),
    *("discord server", "telegram", "page", "telegram", "discord"),
    *("telegram", "telegram group", "page", "telegram", "discord server"),
    *("telegram", "discord", "telegram group", "telegram", "page"),
)


@dataclass(frozen=True)
class Plan:
    """How long, with how many, and how.

    Attributes:
        minutes: Of talking, without the start and the end.
        people: How many.
        pause: Seconds that each waits after an answer, in the middle.
        seed: Of what is chosen by chance.
        samples: Photos to take parts of.
        profile: Which model; the settings' one if None.
    """

    samples: Sequence[Path]
    minutes: float = 60.0
    people: int = 20
    pause: float = 20.0
    seed: int = 0
    profile: str | None = None

    @property
    def seconds(self) -> float:
        """Of talking."""
        return 60 * self.minutes

    @property
    def short(self) -> bool:
        """Whether it is too short to judge memory."""
        return self.seconds < resources.SHORT

    @property
    def warm_up(self) -> float:
        """Seconds of that in which nothing is compared yet."""
        return min(WARM_UP * self.seconds, LONGEST_WARM_UP)


@dataclass
class Result:
    """What happened, and what to think of it.

    Attributes:
        tallies: By platform.
        checks: Of the process.
        faults: How often which kind happened.
        records: What the bot printed for its operator.
        samples: What the bot took, second for second.
        seconds: From the first message to the last answer.
        full: After how many seconds the prefix cache was full; None if it never was.
    """

    tallies: dict[str, Tally]
    checks: list[Check]
    faults: Counter[str]
    records: Counter[str]
    samples: list[Sample]
    seconds: float
    full: float | None

    @property
    def passed(self) -> bool:
        """Whether everything is as it should be."""
        return all(each.faultless for each in self.tallies.values()) and not any(
            check.ok is False for check in self.checks
        )


@dataclass
class _World:
    """Everything that runs beside the bot."""

    plan: Plan
    bot: process.Bot
    telegram: FakeTelegram
    discord: FakeDiscord
    ledger: Ledger = field(default_factory=Ledger)

    def __post_init__(self) -> None:
        self.draw = random.Random(self.plan.seed)
        self.photos = Photos(self.plan.samples, self.plan.seed)
        self.samples: list[Sample] = []
        ears = TelegramEar(self.telegram, self.ledger), DiscordEar(self.discord, self.ledger)
        mouths = [self._mouth(number, *ears) for number in range(self.plan.people)]
        self.people = [
            Person(mouth, self.photos, self._chance(), self.plan.pause) for mouth in mouths
        ]
        self.browsers = [mouth for mouth in mouths if isinstance(mouth, PageMouth)]
        kinds = of_telegram(self.telegram) + of_discord(self.discord)
        if self.browsers:
            kinds += of_page(self.browsers, self.photos, self.draw)
        self.faults = Faults(kinds, self.ledger, self.draw)

    def full_at(self, start: float) -> float | None:
        """When the bot had seen as many photos as its prefix cache holds, in seconds."""
        photos = [sent for sent in self.ledger.sent if sent.kind.startswith("photo")]
        seen = sorted(sent.heard_at for sent in photos if sent.heard_at is not None)
        return max(0.0, seen[CACHED - 1] - start) if len(seen) >= CACHED else None

    def _chance(self) -> random.Random:
        return random.Random(self.draw.random())

    def _mouth(self, number: int, telegram: TelegramEar, discord: DiscordEar) -> Mouth:
        place = _PLACES[number % len(_PLACES)]
        more = {"ledger": self.ledger, "draw": self._chance()}
        if place == "page":
            return PageMouth(self.bot.page, **more)
        if place.startswith("discord"):
            in_group = place != "discord"
            return DiscordMouth(self.discord, discord, number, in_group=in_group, **more)
        # Telegram takes twenty messages a minute in a group, so that few people share one.
        group = GROUP - number // 10 if place != "telegram" else None
        return TelegramMouth(self.telegram, telegram, 1000 + number, group, **more)


async def soak(plan: Plan, tell: Callable[[str], None] = lambda _: None) -> Result:
    """Let people talk, and judge.

    Args:
        plan: How long, with how many.
        tell: Told how it goes, once a minute.

    Raises:
        bot.benchmarks.process.CannotStart: The bot does not start.
    """
    async with _world(plan) as world:
        tell("The bot is ready.")
        async with asyncio.TaskGroup() as watching:  # ends with the bot
            watching.create_task(resources.watch(world.bot.pid, world.samples))
            await _fill(world)
            start = time.monotonic()
            await _talk(world, tell)
            end = time.monotonic()
            tell("The bot is told to stop while everybody waits for an answer.")
            status, seconds = await _stop(world)
        checks = [
            *resources.judge(world.samples, start + plan.warm_up, end, short=plan.short),
            _check_exit(status, seconds),
        ]
        counted, errors = process.records(world.bot.printed)
        said = "\n".join([f"{len(errors)} unexpected", *errors[:3]])
        checks.append(Check("errors", not errors, said))
        return Result(
            {each: tally(world.ledger, each) for each in PLATFORMS},
            checks, world.faults.happened, counted, world.samples,
            time.monotonic() - start, world.full_at(start),
        )  # fmt: skip


@asynccontextmanager
async def _world(plan: Plan) -> AsyncIterator[_World]:
    """Start the platforms, then the bot; end all that in the other order."""
    telegram, discord = FakeTelegram(), FakeDiscord()
    discord.with_server, discord.wait = True, 2.0
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="glimpse-soak-")))
        await stack.enter_async_context(telegram.running())
        await stack.enter_async_context(discord.serving())
        running = process.running(telegram, discord, folder, plan.profile)
        bot = await stack.enter_async_context(running)
        await bot.ready()
        yield _World(plan, bot, telegram, discord)


async def _fill(world: _World) -> None:
    """Fill the caches, so that what grows later is a leak; not where that cannot be told anyway."""
    if world.plan.short or not world.browsers:
        return
    each = FILLING // len(world.browsers)
    people = [person for person in world.people if isinstance(person.mouth, PageMouth)]
    await asyncio.gather(*(person.show(each) for person in people))


async def _talk(world: _World, tell: Callable[[str], None]) -> None:
    """Let everybody talk and things go wrong, for the time that is planned."""
    stopped = asyncio.Event()
    lives = [asyncio.ensure_future(person.live(stopped)) for person in world.people]
    others = [
        asyncio.ensure_future(world.faults.go_on()),
        asyncio.ensure_future(_report(world, tell)),
    ]
    ended = asyncio.ensure_future(world.bot.process.wait())
    try:
        await asyncio.wait({ended}, timeout=max(0.0, world.plan.seconds - CALM))
        others[0].cancel()
        await asyncio.wait({ended}, timeout=min(CALM, world.plan.seconds))
    finally:
        stopped.set()
        await asyncio.gather(*lives)
        for task in (*others, ended):
            task.cancel()
        await asyncio.gather(*others, ended, return_exceptions=True)


async def _stop(world: _World) -> tuple[int | None, float]:
    """Tell the bot to stop once it has taken what everybody sends at last."""
    _clear(world)
    await asyncio.gather(*(person.last_words() for person in world.people))
    newest = world.telegram.newest
    with suppress(TimeoutError):  # what it has not taken stays with Telegram
        await world.telegram.until(lambda: world.telegram.handed_out >= newest, TAKING)
    await asyncio.sleep(1)  # the others need no asking
    world.ledger.stopping()
    status = await world.bot.stop()
    left = [
        (message["chat"]["id"], message["message_id"])
        for update in world.telegram.pending
        for message in (update.get("message") or update.get("edited_message") or {},)
        if message
    ]
    world.ledger.leave("telegram", left)
    await asyncio.gather(*(browser.close() for browser in world.browsers))
    return status


def _clear(world: _World) -> None:
    """End all faults."""
    world.telegram.faults.clear()
    world.discord.troubles.clear()
    world.discord.file_troubles.clear()


async def _report(world: _World, tell: Callable[[str], None]) -> None:
    start, minute = time.monotonic(), 0
    while True:
        minute += 1
        await asyncio.sleep(start + 60 * minute - time.monotonic())
        sent = world.ledger.sent
        heard = sum(each.heard_at is not None for each in sent)
        last = world.samples[-1]
        tell(
            f"{minute} min: {len(sent)} messages, {heard} answered, "
            f"{world.faults.happened.total()} faults, {last.resident / 1e6:.0f} MB, "
            f"{last.files} open files, {last.threads} threads"
        )


def _check_exit(status: int | None, seconds: float) -> Check:
    if status is None:
        return Check("stopped", False, f"not within {seconds:.0f} s")
    return Check("stopped", status == 0, f"with status {status} after {seconds:.1f} s")
