"""`glimpse bench soak`: its judge misses nothing, its photos are what they say, and it runs."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cli_runner import CliRunner
from engine_stand_in import Clock, StandIn
from fake_discord import TOKEN, FakeDiscord
from fake_telegram import GROUP, telegram
from PIL import Image

from bot.assistant.assistant import Assistant
from bot.assistant.limits import UNLIMITED, Limits, LimitSettings
from bot.assistant.locale.texts import ENGLISH
from bot.benchmarks import process
from bot.benchmarks.clients import (
    ChatClient,
    DiscordClient,
    DiscordObserver,
    TelegramClient,
    TelegramObserver,
    WebClient,
)
from bot.benchmarks.fake_telegram import DROP, RESET
from bot.benchmarks.faults import Fault, Faults, of_discord, of_page, of_telegram
from bot.benchmarks.ledger import Expect, Ledger, Outcome, SentMessage, Tally, outcome_of, tally
from bot.benchmarks.photos import BAD, GOOD, Photos
from bot.benchmarks.process import Sample, Verdict, read_records
from bot.benchmarks.soak import PLATFORMS, SoakPlan, SoakResult
from bot.cli.context import AppContext
from bot.discord.bot import build, serve
from bot.settings import WebSettings
from bot.web.app import create_app
from bot.web.server import WebServer, listen
from data.errors import ImageRefused
from data.images.open import Picture, open_picture

SAMPLES = sorted((Path(__file__).parents[2] / "data/samples").glob("*.jpg"))


# --- messages --------------------------------------------------------------------------------


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ledger(clock: Clock) -> Ledger:
    return Ledger(clock)


def judged(ledger: Ledger) -> Tally:
    return tally(ledger, "telegram")


def test_who_got_an_answer_once_is_content(ledger: Ledger, clock: Clock) -> None:
    for key in range(3):
        ledger.send("telegram", "photo", key)
        clock.advance(key)
        ledger.record_answer("telegram", key, "A cat on a table.")
    ledger.send("telegram", "mutter", "silence", Expect.SILENCE)
    found = judged(ledger)
    assert found.faultless
    assert found.outcomes == {Outcome.ANSWERED: 3, Outcome.SILENT: 1}
    assert (found.percentile(0.5), found.percentile(1.0)) == (1, 2)


@pytest.mark.parametrize("late", [0, 61])
def test_a_message_without_an_answer_in_time_is_lost(
    ledger: Ledger, clock: Clock, late: float
) -> None:
    ledger.send("telegram", "photo", 1)
    ledger.record_answer("telegram", 1, "A cat.")
    ledger.send("telegram", "question", 2)
    clock.advance(late)
    if late:
        ledger.record_answer("telegram", 2, "Yes.")
    found = judged(ledger)
    assert found.lost == {"question": 1}
    assert not found.faultless


def test_an_outage_gives_twice_the_time_on_its_own_platform(ledger: Ledger, clock: Clock) -> None:
    for platform in ("telegram", "discord"):
        ledger.send(platform, "photo", 1)
    clock.advance(10)
    ledger.outage("telegram", 5)
    clock.advance(51)
    for platform in ("telegram", "discord"):
        ledger.record_answer(platform, 1, "A cat.")
    assert judged(ledger).faultless
    assert tally(ledger, "discord").lost == {"photo": 1}


def test_an_answer_too_many_is_found_whatever_it_answers(ledger: Ledger) -> None:
    ledger.send("telegram", "photo", 1)
    for _ in range(2):
        ledger.record_answer("telegram", 1, "A cat.")
    ledger.send("telegram", "mutter", 2, Expect.SILENCE)
    ledger.record_answer("telegram", 2, "A cat.")
    ledger.record_answer("telegram", 3, "A cat.")
    found = judged(ledger)
    assert found.doubled == {"photo": 1, "mutter": 1, "unasked": 1}
    assert not found.faultless


def test_an_edited_question_is_owed_a_second_answer_under_the_same_key(ledger: Ledger) -> None:
    ledger.send("telegram", "question", 1)
    ledger.record_answer("telegram", 1, "Red.")
    ledger.send("telegram", "edit", 1)
    assert judged(ledger).lost == {"edit": 1}
    ledger.record_answer("telegram", 1, "Blue.")
    assert judged(ledger).faultless


def test_a_crash_is_no_answer_and_words_about_the_queue_are_none_either(ledger: Ledger) -> None:
    for key in (1, 2):
        ledger.send("telegram", "photo", key)
        ledger.record_answer("telegram", key, ENGLISH.queued.format(number=14))
    ledger.record_answer("telegram", 1, ENGLISH.crashed.format(reference="a1b2c3"))
    found = judged(ledger)
    assert (found.crashed, found.lost) == (1, {"photo": 1})
    assert ledger.notices == 2


def test_a_refused_photo_an_answered_bad_file_and_apologies_without_a_fault_are_wrong(
    ledger: Ledger,
) -> None:
    ledger.send("telegram", "photo", 1)
    ledger.record_answer(
        "telegram", 1, "This JPEG picture is cut short, as if ... Please send it again."
    )
    ledger.send("telegram", "bad file", 2, Expect.REFUSAL)
    ledger.record_answer("telegram", 2, "A cat.")
    for key in (3, 4):
        ledger.send("telegram", "photo", key)
        ledger.record_answer("telegram", key, ENGLISH.fetch_failed)
    found = judged(ledger)
    assert found.wrong == {"photo": 1, "bad file": 1}
    assert found.unexcused == 2
    ledger.outage("telegram", 1, excuse=True)
    assert judged(ledger).unexcused == 1


def test_what_stays_with_the_platform_is_not_lost(ledger: Ledger) -> None:
    ledger.send("telegram", "photo", 1)
    ledger.mark_untaken("telegram", [1])
    assert judged(ledger).outcomes == {Outcome.LEFT: 1}
    assert judged(ledger).faultless


def test_a_list_with_one_answer_is_an_answer() -> None:
    cut = "This JPEG picture is cut short, as if the upload stopped halfway. Please send it again."
    assert outcome_of(f"1. A cat.\n2. {cut}") is Outcome.ANSWERED
    assert outcome_of(f"1. {cut}\n2. {cut}") is Outcome.REFUSED
    assert outcome_of(ENGLISH.closing) is Outcome.APOLOGISED
    assert outcome_of(ENGLISH.hello) is Outcome.ANSWERED


# --- memory, files, threads ------------------------------------------------------------------


def taken(minutes: int = 60, **growth: float) -> list[Sample]:
    """A sample a second of a bot that takes so much more of something with each hour."""
    made = []
    for second in range(minutes * 60):
        hours, wave = second / 3600, second % 7
        resident = 900_000_000 * (1 + growth.get("resident", 0) * hours) + wave * 1_000_000
        files = 30 + wave + growth.get("files", 0) * hours
        threads = 12 + wave % 3 + growth.get("threads", 0) * hours
        made.append(Sample(float(second), int(resident), int(files), int(threads), 3))
    return made


def checks(samples: list[Sample]) -> dict[str, bool | None]:
    end = samples[-1].at
    found = process.judge_growth(samples, min(180, end / 10), end, short=end < 20 * 60)
    judged = ("resident memory", "open files", "threads")
    return {check.name: check.ok for check in found if check.name in judged}


@pytest.mark.parametrize(
    ("what", "growth"), [("resident", 0.08), ("files", 60), ("threads", 20), ("", 0)]
)
def test_what_grows_is_found(what: str, growth: float) -> None:
    names = {"resident": "resident memory", "files": "open files", "threads": "threads"}
    found = checks(taken(**{what: growth}) if what else taken())
    assert [name for name, ok in found.items() if not ok] == ([names[what]] if what else [])


def test_in_a_short_run_memory_that_grows_is_neither_passed_nor_failed() -> None:
    assert checks(taken(2, resident=9)) == {
        "resident memory": None, "open files": True, "threads": True
    }  # fmt: skip


def test_a_process_is_looked_at_with_its_children(tmp_path: Path) -> None:
    import os
    import subprocess

    alone = process.take_sample(os.getpid())
    child = subprocess.Popen(["sleep", "60"])
    try:
        both = process.take_sample(os.getpid())
    finally:
        child.kill()
        child.wait()
    assert alone is not None
    assert both is not None
    assert both.processes == alone.processes + 1
    assert both.resident > 1_000_000
    assert process.take_sample(child.pid) is None


# --- photos ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def photos() -> Photos:
    return Photos(SAMPLES, seed=1)


@pytest.mark.parametrize("format", GOOD)
def test_photos_can_be_opened_and_no_two_are_alike(photos: Photos, format: str) -> None:
    made = [photos.good(format) for _ in range(2)]
    opened = [open_picture(each.content) for each in made]
    called = {"heic": "HEIF", "dot": "PNG"}.get(format, format.split(maxsplit=1)[0].upper())
    assert {each.format for each in opened} == {called}
    if format != "dot":
        assert len({each.digest for each in opened}) == 2
        assert all(each.width > each.height for each in opened)  # a turned one was turned back


@pytest.mark.parametrize(
    ("format", "reason"),
    [
        ("cut short", "truncated"), ("empty", "empty"), ("text", "not-a-picture"),
        ("ribbon", "too-narrow"), ("page", "not-a-picture"), ("bomb", "too-many-pixels"),
    ],
)  # fmt: skip
def test_bad_files_are_refused_for_what_they_are(photos: Photos, format: str, reason: str) -> None:
    assert format in BAD
    with pytest.raises(ImageRefused) as caught:
        open_picture(photos.bad(format).content)
    assert caught.value.reason == reason
    assert outcome_of(str(caught.value)) is Outcome.REFUSED


# --- platforms -------------------------------------------------------------------------------


async def heard(sent: SentMessage | None) -> SentMessage:
    assert sent is not None
    await asyncio.wait_for(sent.done.wait(), 20)
    return sent


async def converse(client: ChatClient, photos: Photos) -> None:
    """Everything that a person does, one after the other."""
    await heard(await client.say("photo", "", [photos.good("png")]))
    await heard(await client.say("album", "", [photos.good("webp"), photos.good("jpeg")]))
    await heard(await client.say("question", "What colour is it?"))
    await heard(await client.edit("Is it big?"))
    for action in ("/retry", "/caption", "/rate good"):
        await heard(await client.press(action))
    await client.say_to_others("Lunch?")
    await heard(await client.say("bad file", "", [photos.bad("text")], Expect.REFUSAL))
    await heard(await client.say("/forget", "/forget"))


def open_as_red(content: bytes) -> Picture:
    """Refuse what is no picture; the engine's stand-in can see colours only."""
    return replace(open_picture(content), image=Image.new("RGB", (8, 6), "red"))


@pytest.mark.parametrize("group", [None, GROUP])
async def test_what_is_said_on_telegram_is_matched_with_its_answer(
    photos: Photos, group: int | None
) -> None:
    ledger = Ledger()
    async with telegram(open_picture=open_as_red) as api:
        observer, more = TelegramObserver(api, ledger), {"ledger": ledger, "rng": random.Random(0)}
        await converse(TelegramClient(api, observer, 7, group, **more), photos)
    found = judged(ledger)
    assert found.faultless, found
    assert found.outcomes[Outcome.ANSWERED] == 8
    assert found.outcomes[Outcome.REFUSED] == 1
    assert found.outcomes[Outcome.SILENT] == (group is not None)


async def test_an_answer_that_telegram_refuses_is_missed(photos: Photos) -> None:
    ledger = Ledger()
    async with telegram(open_picture=open_as_red) as api:
        observer, more = TelegramObserver(api, ledger), {"ledger": ledger, "rng": random.Random(0)}
        client = TelegramClient(api, observer, 7, **more)
        api.faults["sendMessage"].append((400, {"description": "Bad Request: no"}, 0))
        await client.say("photo", "", [photos.good("png")])
        await api.until(lambda: not api.faults["sendMessage"])
        await heard(await client.say("question", "What colour is it?"))
    assert judged(ledger).lost == {"photo": 1}


@pytest.mark.parametrize("how", [DROP, RESET])
async def test_a_connection_that_telegram_cuts_off_costs_no_update(how: int) -> None:
    async with telegram() as api:
        api.faults["getUpdates"].append((how, {}, 0))
        api.message("hello")
        assert await api.answers(1) == [ENGLISH.hello]


@asynccontextmanager
async def discord(patch: pytest.MonkeyPatch) -> AsyncIterator[FakeDiscord]:
    stopped, limits = asyncio.Event(), Limits(LimitSettings(default=UNLIMITED))
    api = FakeDiscord()
    api.with_server = True
    async with api.running(patch):
        client = build(Assistant(StandIn(), limits=limits, open_picture=open_as_red))
        task = asyncio.ensure_future(serve(client, TOKEN, stopped))
        try:
            yield api
        finally:
            stopped.set()
            await asyncio.wait_for(task, 20)


@pytest.mark.parametrize("in_group", [False, True])
async def test_what_is_said_on_discord_is_matched_with_its_answer(
    monkeypatch: pytest.MonkeyPatch, photos: Photos, in_group: bool
) -> None:
    ledger = Ledger()
    async with discord(monkeypatch) as api:
        observer = DiscordObserver(api, ledger)
        for seed in (1, 2):  # by a message, by a command
            more: dict[str, Any] = {"ledger": ledger, "rng": random.Random(seed)}
            await converse(DiscordClient(api, observer, 3, in_group=in_group, **more), photos)
    found = tally(ledger, "discord")
    assert found.faultless, found
    assert found.outcomes[Outcome.ANSWERED] == 16
    assert found.outcomes[Outcome.REFUSED] == 2
    assert found.outcomes[Outcome.SILENT] == 2 * in_group


@pytest.mark.parametrize("how", ["closed", "asked to", "invalid"])
async def test_what_is_said_while_discord_is_away_is_answered_once(
    monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    async with discord(monkeypatch) as api:
        await api.dm("hello")
        await api.until(lambda: len(api.said) == 1)
        if how == "closed":
            await api.close(4000)
        elif how == "asked to":
            await api.ask_to_reconnect()
        else:
            await api.invalidate()
        await api.dm("thank you")
        await api.until(lambda: len(api.said) == 2)
        assert api.resumed == (how != "invalid")
        await api.dm("goodbye")
        await api.until(lambda: len(api.said) == 3)
        assert api.said == [ENGLISH.hello, ENGLISH.thanks, ENGLISH.goodbye]


# --- faults ----------------------------------------------------------------------------------


async def bear(client: ChatClient, faults: list[Fault], photos: Photos) -> Tally:
    """Send a photo under each fault, and judge what came of it."""
    happening = Faults(faults, client.ledger, random.Random(0))
    for fault in faults:
        await happening.let_happen(fault)
        await heard(await client.say(fault.name, "", [photos.good("jpeg")]))
    assert happening.happened.total() == len(faults)
    return tally(client.ledger, client.platform)


async def test_every_fault_of_telegram_is_borne(
    monkeypatch: pytest.MonkeyPatch, photos: Photos
) -> None:
    monkeypatch.setattr("bot.benchmarks.faults.SLOW_FILE", 0.1)
    monkeypatch.setattr("bot.benchmarks.faults.WAIT", 0)
    monkeypatch.setattr("bot.telegram.sender.WAITS", (0.01, 0.01))
    ledger = Ledger()
    async with telegram(open_picture=open_as_red) as api:
        client = TelegramClient(
            api, TelegramObserver(api, ledger), 7, ledger=ledger, rng=random.Random(0)
        )
        found = await bear(client, of_telegram(api), photos)
        assert not any(faults for method, faults in api.faults.items() if method != "file")
    assert found.faultless, found


async def test_every_fault_of_discord_is_borne(
    monkeypatch: pytest.MonkeyPatch, photos: Photos
) -> None:
    monkeypatch.setattr("bot.benchmarks.faults.SLOW_FILE", 0.1)
    monkeypatch.setattr("bot.benchmarks.faults.DEAF", 0.1)
    monkeypatch.setattr("bot.discord.sender.WAITS", (0.01, 0.01))
    ledger = Ledger()
    async with discord(monkeypatch) as api:
        client = DiscordClient(
            api, DiscordObserver(api, ledger), 3, ledger=ledger, rng=random.Random(0)
        )
        found = await bear(client, of_discord(api), photos)
        assert api.troubles == []
        await api.until(lambda: not api.deaf)
    assert found.faultless, found


async def test_every_fault_of_the_page_is_borne(
    monkeypatch: pytest.MonkeyPatch, photos: Photos
) -> None:
    monkeypatch.setattr("bot.benchmarks.clients.SLOW_SECONDS", 0.2)
    ledger, app = Ledger(), create_app(Assistant(StandIn(), open_picture=open_as_red))
    with listen("127.0.0.1", 0) as listener:
        server = WebServer(app, "ready", WebSettings(shutdown_seconds=1), heeds_signals=False)
        task = asyncio.ensure_future(server.serve([listener]))
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        client = WebClient(address, ledger=ledger, rng=random.Random(0))
        found = await bear(client, of_page([client], photos, random.Random(0)), photos)
        await client.close()
        server.should_exit = True
        await task
    assert found.faultless, found
    assert found.percentile(1.0) >= 0.1  # one took its time


# --- all of it -------------------------------------------------------------------------------


def test_a_traceback_counts_unless_discord_shows_where_it_was_cut_off() -> None:
    when, trace = (
        "2026-01-01 00:00:00,000",
        "\nTraceback (most recent call last):\n  File\nValueError",
    )
    usual = f"{when} ERROR discord.client: Attempting a reconnect in 1.02s{trace}\n{trace}\n"
    assert read_records(usual) == ({"ERROR discord.client: Attempting a reconnect in #.#s": 1}, [])
    counted, errors = read_records(
        f"Loading...\n{usual}{when} ERROR bot.assistant.inference: Could not{trace}\n"
    )
    assert errors == [f"{when} ERROR bot.assistant.inference: Could not{trace}"]
    assert counted.total() == 2


def result(**lost: int) -> SoakResult:
    empty = Tally(Counter(), Counter(), Counter(), Counter(), 0, [])
    tallies = dict.fromkeys(PLATFORMS, empty)
    tallies["page"] = Tally(
        Counter({Outcome.ANSWERED: 3}), Counter(lost), Counter(), Counter(), 0, [0.5, 1.0, 2.0]
    )
    at = [Sample(1.0, 2, 3, 4, 5)]
    good = [Verdict("stopped", True, "with status 0 after 1.0 s"), Verdict("memory", None, "short")]
    return SoakResult(tallies, good, Counter(), Counter(), at, 60.0, None)


@pytest.mark.parametrize("lost", [0, 1])
def test_one_lost_message_makes_the_command_fail(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, lost: int
) -> None:
    plans = []

    async def run(plan: SoakPlan, _tell: object) -> SoakResult:
        plans.append(plan)
        return result(**({"photo": lost} if lost else {}))

    monkeypatch.setattr("bot.benchmarks.soak.run_soak", run)
    monkeypatch.setattr(AppContext, "prepare_base", lambda _app, _profile: None)
    done = CliRunner(tmp_path, capsys).run("bench", "soak", "--minutes", "2", "--json")
    assert done.status == lost
    assert json.loads(done.out)["platforms"]["page"]["lost"] == lost
    assert json.loads(done.out)["passed"] is (not lost)
    assert plans[0].minutes == 2
    assert (plans[0].samples, plans[0].profile) == (SAMPLES, "starter")


def test_a_bot_that_does_not_start_is_said_to(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(AppContext, "prepare_base", lambda _app, _profile: None)
    done = CliRunner(tmp_path, capsys).run("bench", "soak", "--profile", "no-such-model")
    assert done.status == 1
    assert "The bot does not start. It said: " in done.err
    assert "no-such-model" in done.err
    assert "Traceback" not in done.err
