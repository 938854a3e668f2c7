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
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bot.benchmarks import process
from bot.benchmarks.clients import (
    ChatClient,
    DiscordClient,
    DiscordObserver,
    TelegramClient,
    TelegramObserver,
    WebClient,
)
from bot.benchmarks.fake_discord import FakeDiscord
from bot.benchmarks.fake_telegram import GROUP, FakeTelegram
from bot.benchmarks.faults import Faults, of_discord, of_page, of_telegram
from bot.benchmarks.faults import __doc__ as _ABOUT_FAULTS
from bot.benchmarks.ledger import Ledger, Outcome, Tally, tally
from bot.benchmarks.photos import Photos
from bot.benchmarks.process import Sample, Verdict
from bot.benchmarks.users import SimulatedUser
from model.requests import EngineLimits

PLATFORMS = ("telegram", "discord", "page")
WARM_UP, LONGEST_WARM_UP = 0.1, 180.0  # share of the time, seconds
CACHED = EngineLimits.pictures  # photos whose prefixes the bot keeps
FILLING = 140  # photos
FAULT_FREE_SECONDS = 10.0  # seconds without faults before the end
TAKING = 10.0  # seconds that the bot has to take what it is sent last
# Of twenty people, in the order in which they come.
_PLACES = (
    *("telegram", "page", "discord", "telegram", "telegram group"),
    *("discord server", "telegram", "page", "telegram", "discord"),
    *("telegram", "telegram group", "page", "telegram", "discord server"),
    *("telegram", "discord", "telegram group", "telegram", "page"),
)


_COUNTED = (Outcome.ANSWERED, Outcome.REFUSED, Outcome.APOLOGISED, Outcome.SILENT, Outcome.LEFT)
_VERDICTS = {True: "ok", False: "FAILED", None: "?"}
_MOST_RECORDS = 12


@dataclass(frozen=True)
class SoakPlan:
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
        return self.seconds < process.SHORT

    @property
    def warm_up(self) -> float:
        """Seconds of that in which nothing is compared yet."""
        return min(WARM_UP * self.seconds, LONGEST_WARM_UP)


@dataclass
class SoakResult:
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
    checks: list[Verdict]
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
class _Soak:
    """Everything that runs beside the bot."""

    plan: SoakPlan
    bot: process.BotProcess
    telegram: FakeTelegram
    discord: FakeDiscord
    ledger: Ledger = field(default_factory=Ledger)

    def __post_init__(self) -> None:
        self.rng = random.Random(self.plan.seed)
        self.photos = Photos(self.plan.samples, self.plan.seed)
        self.samples: list[Sample] = []
        observers = (
            TelegramObserver(self.telegram, self.ledger),
            DiscordObserver(self.discord, self.ledger),
        )
        clients = [self._client(number, *observers) for number in range(self.plan.people)]
        self.people = [
            SimulatedUser(client, self.photos, self._chance(), self.plan.pause)
            for client in clients
        ]
        self.browsers = [client for client in clients if isinstance(client, WebClient)]
        kinds = of_telegram(self.telegram) + of_discord(self.discord)
        if self.browsers:
            kinds += of_page(self.browsers, self.photos, self.rng)
        self.faults = Faults(kinds, self.ledger, self.rng)

    def full_at(self, start: float) -> float | None:
        """When the bot had seen as many photos as its prefix cache holds, in seconds."""
        photos = [sent for sent in self.ledger.sent if sent.kind.startswith("photo")]
        seen = sorted(sent.heard_at for sent in photos if sent.heard_at is not None)
        return max(0.0, seen[CACHED - 1] - start) if len(seen) >= CACHED else None

    def _chance(self) -> random.Random:
        return random.Random(self.rng.random())

    def _client(
        self, number: int, telegram: TelegramObserver, discord: DiscordObserver
    ) -> ChatClient:
        place = _PLACES[number % len(_PLACES)]
        more = {"ledger": self.ledger, "rng": self._chance()}
        if place == "page":
            return WebClient(self.bot.page, **more)
        if place.startswith("discord"):
            in_group = place != "discord"
            return DiscordClient(self.discord, discord, number, in_group=in_group, **more)
        # Telegram takes twenty messages a minute in a group, so that few people share one.
        group = GROUP - number // 10 if place != "telegram" else None
        return TelegramClient(self.telegram, telegram, 1000 + number, group, **more)


async def run_soak(plan: SoakPlan, tell: Callable[[str], None] = lambda _: None) -> SoakResult:
    """Let people talk, and judge.

    Args:
        plan: How long, with how many.
        tell: Told how it goes, once a minute.

    Raises:
        bot.benchmarks.process.BotNotStarted: The bot does not start.
    """
    async with _start_soak(plan) as soak:
        tell("The bot is ready.")
        async with asyncio.TaskGroup() as watching:  # ends with the bot
            watching.create_task(process.watch(soak.bot.pid, soak.samples))
            await _fill(soak)
            start = time.monotonic()
            await _run_users(soak, tell)
            end = time.monotonic()
            tell("The bot is told to stop while everybody waits for an answer.")
            status, seconds = await _stop(soak)
        checks = [
            *process.judge_growth(soak.samples, start + plan.warm_up, end, short=plan.short),
            _check_exit(status, seconds),
        ]
        counted, errors = process.read_records(soak.bot.printed)
        said = "\n".join([f"{len(errors)} unexpected", *errors[:3]])
        checks.append(Verdict("errors", not errors, said))
        return SoakResult(
            {each: tally(soak.ledger, each) for each in PLATFORMS},
            checks, soak.faults.happened, counted, soak.samples,
            time.monotonic() - start, soak.full_at(start),
        )  # fmt: skip


@asynccontextmanager
async def _start_soak(plan: SoakPlan) -> AsyncIterator[_Soak]:
    """Start the platforms, then the bot; end all that in the other order."""
    telegram, discord = FakeTelegram(), FakeDiscord()
    discord.with_server, discord.wait = True, 2.0
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="glimpse-soak-")))
        await stack.enter_async_context(telegram.running())
        await stack.enter_async_context(discord.serving())
        running = process.run_bot(telegram, discord, folder, plan.profile)
        bot = await stack.enter_async_context(running)
        await bot.ready()
        yield _Soak(plan, bot, telegram, discord)


async def _fill(soak: _Soak) -> None:
    """Fill the caches, so that what grows later is a leak; not where that cannot be told anyway."""
    if soak.plan.short or not soak.browsers:
        return
    each = FILLING // len(soak.browsers)
    people = [person for person in soak.people if isinstance(person.client, WebClient)]
    await asyncio.gather(*(person.show(each) for person in people))


async def _run_users(soak: _Soak, tell: Callable[[str], None]) -> None:
    """Let everybody talk and things go wrong, for the time that is planned."""
    stopped = asyncio.Event()
    runs = [asyncio.ensure_future(person.run(stopped)) for person in soak.people]
    others = [
        asyncio.ensure_future(soak.faults.go_on()),
        asyncio.ensure_future(_report(soak, tell)),
    ]
    ended = asyncio.ensure_future(soak.bot.process.wait())
    try:
        await asyncio.wait({ended}, timeout=max(0.0, soak.plan.seconds - FAULT_FREE_SECONDS))
        others[0].cancel()
        await asyncio.wait({ended}, timeout=min(FAULT_FREE_SECONDS, soak.plan.seconds))
    finally:
        stopped.set()
        await asyncio.gather(*runs)
        for task in (*others, ended):
            task.cancel()
        await asyncio.gather(*others, ended, return_exceptions=True)


async def _stop(soak: _Soak) -> tuple[int | None, float]:
    """Tell the bot to stop once it has taken what everybody sends at last."""
    _clear(soak)
    await asyncio.gather(*(person.last_words() for person in soak.people))
    newest = soak.telegram.newest
    with suppress(TimeoutError):  # what it has not taken stays with Telegram
        await soak.telegram.until(lambda: soak.telegram.handed_out >= newest, TAKING)
    await asyncio.sleep(1)  # the others need no asking
    soak.ledger.stopping()
    status = await soak.bot.stop()
    left = [
        (message["chat"]["id"], message["message_id"])
        for update in soak.telegram.pending
        for message in (update.get("message") or update.get("edited_message") or {},)
        if message
    ]
    soak.ledger.mark_untaken("telegram", left)
    await asyncio.gather(*(browser.close() for browser in soak.browsers))
    return status


def _clear(soak: _Soak) -> None:
    """End all faults."""
    soak.telegram.faults.clear()
    soak.discord.troubles.clear()
    soak.discord.file_troubles.clear()


async def _report(soak: _Soak, tell: Callable[[str], None]) -> None:
    start, minute = time.monotonic(), 0
    while True:
        minute += 1
        await asyncio.sleep(start + 60 * minute - time.monotonic())
        sent = soak.ledger.sent
        heard = sum(each.heard_at is not None for each in sent)
        last = soak.samples[-1]
        tell(
            f"{minute} min: {len(sent)} messages, {heard} answered, "
            f"{soak.faults.happened.total()} faults, {last.resident / 1e6:.0f} MB, "
            f"{last.files} open files, {last.threads} threads"
        )


def _check_exit(status: int | None, seconds: float) -> Verdict:
    if status is None:
        return Verdict("stopped", False, f"not within {seconds:.0f} s")
    return Verdict("stopped", status == 0, f"with status {status} after {seconds:.1f} s")


# --- the report: a table for people, JSON for machines ---------------------------------------


def report_text(plan: SoakPlan, result: SoakResult) -> str:
    """The table, and below it what a reader has to know of it."""
    rows = {name: _row(each) for name, each in result.tallies.items()}
    heads = ["", *next(iter(rows.values()))]
    lines = [
        f"{plan.people} people for {plan.minutes:g} minutes, who wait {plan.pause:g} s between "
        f"an answer and what they do next, in the middle",
        "",
        *_aligned([heads, *([name, *map(str, row.values())] for name, row in rows.items())]),
        "",
        *(f"{check.name:16} {_VERDICTS[check.ok]:6} {check.detail}" for check in result.checks),
        _cache(result),
        "",
        f"{result.faults.total()} faults",
        *(f"  {count:3} {name}" for name, count in sorted(result.faults.items())),
    ]
    for name, each in result.tallies.items():
        for what in ("lost", "doubled", "wrong"):
            kinds: Counter[str] = getattr(each, what)
            lines += [f"{name}, {what}: {count} {kind}" for kind, count in sorted(kinds.items())]
    lines += ["", "What the bot wrote for its operator:"]
    lines += [f"  {count:4} {said}" for said, count in result.records.most_common(_MOST_RECORDS)]
    lines += ["", _left_out(), "", "passed" if result.passed else "FAILED"]
    return "\n".join(lines)


def report_json(plan: SoakPlan, result: SoakResult) -> dict[str, Any]:
    """The same, with nothing left out."""
    return {
        "minutes": plan.minutes,
        "people": plan.people,
        "pause": plan.pause,
        "seed": plan.seed,
        "platforms": {
            name: {
                **_row(each),
                "lost_kinds": dict(each.lost),
                "doubled_kinds": dict(each.doubled),
                "wrong_kinds": dict(each.wrong),
            }
            for name, each in result.tallies.items()
        },
        "checks": {check.name: _check(check) for check in result.checks},
        "prefix_cache_full_after": result.full,
        "faults": dict(result.faults),
        "log": dict(result.records),
        "samples": [_sample(each, result.samples[0].at) for each in result.samples],
        "passed": result.passed,
    }


def _row(found: Tally) -> dict[str, Any]:
    counts = {outcome.value: found.outcomes[outcome] for outcome in _COUNTED}
    return {
        "messages": found.messages,
        **counts,
        "lost": found.lost.total(),
        "double": found.doubled.total(),
        "crashed": found.crashed,
        "wrong": found.wrong.total() + found.unexcused,
        "p50 s": round(found.percentile(0.5), 2),
        "p95 s": round(found.percentile(0.95), 2),
        "max s": round(found.percentile(1.0), 2),
    }


def _aligned(rows: list[list[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if place == 0 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]


def _cache(result: SoakResult) -> str:
    if result.full is None:
        return "The prefix cache was never full."
    if result.full == 0:
        return "The prefix cache was full before the time began."
    return f"The prefix cache was full after {result.full:.0f} s."


def _left_out() -> str:
    """What the faults leave out."""
    return " ".join((_ABOUT_FAULTS or "").partition("\n\n")[2].split())


def _sample(sample: Sample, start: float) -> dict[str, Any]:
    return {**asdict(sample), "at": round(sample.at - start, 1)}


def _check(check: Verdict) -> dict[str, Any]:
    return {"ok": check.ok, "detail": check.detail}
