"""What Prometheus is told: every answer once, under labels from short lists, and the truth."""

from __future__ import annotations

from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from engine_stand_in import Said, StandIn, open_photo, photo, see
from fake_telegram import telegram
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse

from bot.assistant.assistant import Assistant
from bot.assistant.inference import FailureCause
from bot.assistant.limits import Access, Limits, LimitSettings, RateLimit
from bot.assistant.types import Incoming, Kind, Reply
from bot.errors import LogError
from bot.health import Health
from bot.log import Log, Record
from bot.metrics import BUCKETS, KINDS, OUTCOMES, PLATFORMS, Metrics
from bot.version import BuildInfo

BUILD = BuildInfo("1.2", "abc1234", "def")
NAMES = {
    "glimpse_answers", "glimpse_stage_seconds", "glimpse_queue_length",
    "glimpse_prefix_cache_requests", "glimpse_platform_connected",
    "glimpse_platform_heard_timestamp_seconds", "glimpse_reconnects", "glimpse_log_queue_length",
    "glimpse_log_failures", "glimpse_log_writable", "glimpse_ready", "glimpse_threads",
    "glimpse_build_info", "process_resident_memory_bytes", "process_open_fds",
    "process_cpu_seconds", "process_start_time_seconds",
}  # fmt: skip


def families(metrics: Metrics) -> dict[str, Any]:
    content, kind = metrics.exposition()
    assert kind.startswith("text/plain; version=")
    return {each.name: each for each in parse(content.decode())}


def samples(metrics: Metrics, name: str) -> dict[tuple[str, ...], float]:
    """Values that are not 0, by their labels' values in the order of the labels' names."""
    found = (each for family in families(metrics).values() for each in family.samples)
    return {
        tuple(value for _, value in sorted(each.labels.items())): each.value
        for each in found
        if each.name == name and each.value
    }


def measured(health: Health | None = None) -> Metrics:
    return Metrics(health or Health(), BUILD, "/profiles/starter.toml")


def test_everything_that_is_promised_is_there_before_anything_happened() -> None:
    metrics = measured()
    assert set(families(metrics)) >= NAMES
    told = samples(metrics, "glimpse_build_info")
    assert told == {("def", "abc1234", "starter", "1.2"): 1}
    assert samples(metrics, "process_resident_memory_bytes")[()] > 1e7
    assert samples(metrics, "glimpse_threads")[()] >= 1
    assert samples(metrics, "glimpse_ready") == {}
    assert set(families(measured())) >= NAMES  # two in one process do not meet


def test_every_metric_is_explained() -> None:
    explained = (Path(__file__).parents[2] / "docs/operations.md").read_text(encoding="utf-8")
    shown = measured().exposition()[0].decode()
    own = {line.split()[2] for line in shown.splitlines() if line.startswith("# TYPE glimpse_")}
    assert len(own) > 12
    assert [name for name in own if f"`{name}" not in explained] == []


def test_it_speaks_openmetrics_to_who_prefers_it() -> None:
    content, kind = measured().exposition("application/openmetrics-text; version=1.0.0")
    assert kind.startswith("application/openmetrics-text")
    assert {each.name for each in openmetrics(content.decode())} >= NAMES - {"process_cpu_seconds"}


async def test_every_answer_is_counted_once_with_what_came_of_it() -> None:
    def answer(picture: Any, question: str | None) -> Said | Exception:
        return ValueError("Ann asked") if "wombat" in (question or "") else see(picture, question)

    metrics = measured()
    assistant = Assistant(
        StandIn(answer=answer), open_picture=open_photo, metrics=metrics,
        access=Access(users=frozenset({"telegram:1", "web:1", "discord:1"})),
        limits=Limits(LimitSettings(default=RateLimit(3, 50))),
    )  # fmt: skip

    async def send(text: str = "", colour: str = "", user: str = "1", **more: Any) -> Reply | None:
        shown = (photo(colour),) if colour else ()
        platform = more.pop("platform", "telegram")
        return await assistant.handle(Incoming(platform, "7", user, text, shown, **more))

    await send("/start")
    await send(colour="red", fetching=0.2)
    await send("What colour is it?", "blue")
    await send("What colour is it?", "bad", platform="web")
    await send("Is it a wombat?", "red", platform="discord")
    await send("What colour is it?", "red", user="2")
    for _ in range(2):
        await send("What colour is it?", "red")
    assert await send("What colour is it?", addressed=False) is None
    assert samples(metrics, "glimpse_answers_total") == {
        ("message", "start", "telegram"): 1,
        ("caption", "answered", "telegram"): 1,
        ("question", "answered", "telegram"): 2,
        ("message", "limit_minute", "telegram"): 1,
        ("message", "not_allowed", "telegram"): 1,
        ("message", "refused", "web"): 1,
        ("message", "crashed", "discord"): 1,
    }
    counts = samples(metrics, "glimpse_stage_seconds_count")
    assert counts == {
        ("telegram", "download"): 1, ("telegram", "wait"): 3, ("telegram", "encode"): 3,
        ("telegram", "decode"): 3, ("telegram", "whole"): 3,
    }  # fmt: skip
    assert samples(metrics, "glimpse_stage_seconds_sum")["telegram", "download"] == 0.2


async def test_what_a_platform_refuses_by_itself_is_counted_too() -> None:
    metrics = measured()
    access = Access(users=frozenset({"telegram:7"}))
    async with telegram(access=access, metrics=metrics) as api:
        api.message("/start", user=8)
        api.document(b"", "cat.png", "image/png", user=7, file_size=10**9)
        await api.answers(2)
    assert samples(metrics, "glimpse_answers_total") == {
        ("message", "not_allowed", "telegram"): 1,
        ("message", "not_fetched", "telegram"): 1,
    }


def test_labels_come_from_short_lists_whatever_comes() -> None:
    metrics = measured()
    for number in range(100):
        odd = f"ann {number}"
        metrics.answered(Incoming(odd, odd, odd, odd), Reply(odd, outcome=f"{odd}:{odd}"), 1.0)
    assert samples(metrics, "glimpse_answers_total") == {("message", "other", "other"): 100}
    assert b"ann" not in metrics.exposition()[0]
    for labels in (PLATFORMS, KINDS, OUTCOMES):
        assert all(label.replace("_", "").isalpha() for label in labels)
    assert {each.value for each in (*Kind, *FailureCause)} <= OUTCOMES
    assert (BUCKETS[0], BUCKETS[-1]) == (0.005, 120)


def test_what_is_read_at_the_moment_is_what_is_there() -> None:
    health = Health(["telegram"])
    metrics = measured(health)
    metrics.engine = engine = StandIn(ahead=3)
    engine.prefix_hits, engine.prefix_misses = 5, 2  # type: ignore[attr-defined]
    assert samples(metrics, "glimpse_queue_length") == {(): 3}
    cache = samples(metrics, "glimpse_prefix_cache_requests_total")
    assert cache == {("hit",): 5, ("miss",): 2}
    assert samples(metrics, "glimpse_platform_connected") == {}
    connection = health.connection("telegram")
    connection.connected()
    connection.lost("Away.")
    connection.connected()
    assert samples(metrics, "glimpse_platform_connected") == {("telegram",): 1}
    assert samples(metrics, "glimpse_reconnects_total") == {("telegram",): 1}
    heard = samples(metrics, "glimpse_platform_heard_timestamp_seconds")
    assert heard == {("telegram",): pytest.approx(connection.heard_at)}
    health.without_log("Off.", ok=True)
    health.loaded()
    assert samples(metrics, "glimpse_ready") == samples(metrics, "glimpse_log_writable") == {(): 1}


def test_what_the_log_loses_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.log.writer.RETRIES", (0.01,))
    monkeypatch.setattr("bot.log.writer.QUEUE_SIZE", 3)
    health = Health()
    metrics = measured(health)
    (tmp_path / "file").write_text("in the way")
    log = Log(tmp_path / "file/log.db", b"a key that nobody else has")
    health.log = log.writer
    waiting = [log.record(record(n)) for n in range(9)]
    lost = [each for each in waiting if refused(each)]
    assert lost
    assert samples(metrics, "glimpse_log_failures_total") == {(): len(lost)}
    assert samples(metrics, "glimpse_log_queue_length")[()] > 0
    assert samples(metrics, "glimpse_log_writable") == {}
    log.close()
    assert all(isinstance(each.exception(5), LogError) for each in waiting)
    assert samples(metrics, "glimpse_log_failures_total")[()] >= len(waiting)
    assert samples(metrics, "glimpse_log_queue_length") == {}


def record(number: int) -> Record:
    return Record("web", "1", "1", "", "", f"{number:016x}", "said", "", (), 0.1)


def refused(done: Future[None]) -> bool:
    return done.done() and done.exception() is not None
