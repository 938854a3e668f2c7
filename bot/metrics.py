"""What is measured, for Prometheus; docs/operations.md explains every metric.

No label holds anything of a person: all of them come from short, fixed lists.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)  # fmt: skip
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from bot.assistant.types import Exchange, Incoming, Kind, Reply
from bot.health import Health
from bot.settings import profile_names
from bot.version import BuildInfo

if TYPE_CHECKING:
    from model.breaker import CircuitBreaker

PLATFORMS = frozenset({"telegram", "discord", "web", "cli", "api"})
KINDS = frozenset({"caption", "question"})
OUTCOMES = frozenset(
    {
        *(kind.value for kind in Kind),
        "answered", "said", "refused", "busy", "closing", "crashed", "not_allowed", "too_many",
        "unavailable", "limit_minute", "limit_day", "no_picture", "picture_gone", "not_fetched",
    }
)  # fmt: skip
# Seconds. An encoded picture is found in milliseconds; nobody waits longer than two minutes.
BUCKETS = (
    0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 8.0, 12.0,
    20.0, 30.0, 60.0, 120.0,
)  # fmt: skip


class Queue(Protocol):
    """An engine, which may count what its cache was asked for (`prefix_hits`, `prefix_misses`)."""

    @property
    def waiting(self) -> int:
        """How many questions are queued."""
        ...


class Metrics:
    """Counts answers and their seconds, and reads everything else when it is asked for.

    Args:
        health: The state of the process.
        build: What runs.
        profile: Which model, as it was chosen: names, or paths of TOML files.

    Attributes:
        engine: Answers; None before it is loaded.
    """

    def __init__(self, health: Health, build: BuildInfo, profile: str) -> None:
        self.engine: Queue | None = None
        self._health, self._build = health, build
        self._profile = Path(profile_names(profile)[0]).stem
        self._registry = CollectorRegistry()
        disable_created_metrics()  # type: ignore[no-untyped-call]  # they double every series
        self._answers = Counter(
            "glimpse_answers", "Answers to messages.", ("platform", "kind", "outcome"),
            registry=self._registry,
        )  # fmt: skip
        self._stages = Histogram(
            "glimpse_stage_seconds", "What answers about pictures took.", ("platform", "stage"),
            buckets=BUCKETS, registry=self._registry,
        )  # fmt: skip
        self._by_profile = Counter(
            "glimpse_profile_answers", "Answers of each model.", ("profile", "instead"),
            registry=self._registry,
        )  # fmt: skip
        ProcessCollector(registry=self._registry)
        self._registry.register(_State(self))

    def answered(self, incoming: Incoming, reply: Reply, seconds: float) -> None:
        """Count an answer.

        Args:
            incoming: The message.
            reply: Its answer.
            seconds: From the message, with its pictures fetched, to the answer.
        """
        fetching = incoming.fetching
        if fetching and (incoming.pictures or incoming.reply_pictures):
            self._observe(_known(incoming.platform, PLATFORMS), "download", fetching)
        self.count(incoming.platform, reply.exchanges, reply.outcome, seconds + fetching)

    def count(
        self, platform: str, exchanges: Sequence[Exchange], outcome: str, seconds: float
    ) -> None:
        """Count an answer on a platform that knows no messages, or part of `answered`.

        Args:
            platform: "api", say.
            exchanges: What the model said.
            outcome: "answered", or in a word why not; what follows a colon is left out.
            seconds: From the request to its answer.
        """
        platform = _known(platform, PLATFORMS)
        kind = _known(exchanges[0].kind, KINDS) if exchanges else "message"
        self._answers.labels(platform, kind, _known(outcome.partition(":")[0], OUTCOMES)).inc()
        for exchange in exchanges:
            instead = "yes" if exchange.instead else "no"
            self._by_profile.labels(exchange.profile or self._profile, instead).inc()
            self._observe(platform, "wait", exchange.waiting)
            self._observe(platform, "encode", exchange.encoding)
            self._observe(platform, "decode", exchange.decoding)
        if exchanges:
            self._observe(platform, "whole", seconds)

    def exposition(self, accept: str = "") -> tuple[bytes, str]:
        """Everything that is measured, and its content type, for the `Accept` header of who asks.

        The text of Prometheus by default.
        """
        encode, kind = choose_encoder(accept)
        return encode(self._registry), kind

    def _observe(self, platform: str, stage: str, seconds: float) -> None:
        self._stages.labels(platform, stage).observe(seconds)

    # -- read at the moment ----------------------------------------------------------------

    def families(self) -> Iterator[Metric]:
        """What is not counted here but read where it is."""
        health, engine = self._health, self.engine
        build = GaugeMetricFamily(
            "glimpse_build_info", "What runs; always 1.",
            labels=("version", "commit", "adapter", "profile"),
        )  # fmt: skip
        told = self._build
        build.add_metric((told.version, told.commit, told.adapter, self._profile), 1)
        yield build
        yield _gauge("glimpse_ready", "Whether all checks of /readyz are passed.", health.ready)
        yield _gauge("glimpse_threads", "Threads of the process.", _threads())
        waiting = engine.waiting if engine else 0
        yield _gauge("glimpse_queue_length", "Questions that wait for the model.", waiting)
        cache = CounterMetricFamily(
            "glimpse_prefix_cache_requests", "Pictures that were encoded already, or not.",
            labels=("result",),
        )  # fmt: skip
        cache.add_metric(("hit",), getattr(engine, "prefix_hits", 0))
        cache.add_metric(("miss",), getattr(engine, "prefix_misses", 0))
        yield cache
        yield from _breakers(getattr(engine, "breakers", {}))
        yield from self._platforms()
        yield from self._log()

    def _platforms(self) -> Iterator[Metric]:
        up = GaugeMetricFamily(
            "glimpse_platform_connected", "Whether a platform is connected.", labels=("platform",)
        )
        heard = GaugeMetricFamily(
            "glimpse_platform_heard_timestamp_seconds", "When it was last heard from, since 1970.",
            labels=("platform",),
        )  # fmt: skip
        again = CounterMetricFamily(
            "glimpse_reconnects", "Connections that came back.", labels=("platform",)
        )
        for name, connection in self._health.connections.items():
            up.add_metric((name,), float(connection.check().ok))
            heard.add_metric((name,), connection.heard_at)
            again.add_metric((name,), connection.reconnects)
        yield from (up, heard, again)

    def _log(self) -> Iterator[Metric]:
        log = self._health.log
        length = log.waiting if log else 0
        yield _gauge("glimpse_log_queue_length", "Things that are not in the log yet.", length)
        failures = CounterMetricFamily("glimpse_log_failures", "Things that were never logged.")
        failures.add_metric((), log.failures if log else 0)
        yield failures
        writable = self._health.checks()["log"].ok
        yield _gauge("glimpse_log_writable", "Whether the log can be written, or is off.", writable)


class _State(Collector):
    """Lets the registry ask for what is read at the moment."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics.families()


def _breakers(breakers: Mapping[str, CircuitBreaker]) -> Iterator[Metric]:
    """Of the models on servers, where others can answer for them."""
    state = GaugeMetricFamily(
        "glimpse_breaker_state", "Whether a model on a server is asked: 1 for the state it is in.",
        labels=("profile", "state"),
    )  # fmt: skip
    opened = CounterMetricFamily(
        "glimpse_breaker_opened", "Outages of a model on a server.", labels=("profile",)
    )
    for name, breaker in breakers.items():
        for each in type(breaker.state):
            state.add_metric((name, each.value), float(breaker.state is each))
        opened.add_metric((name,), breaker.opened)
    yield from (state, opened)


def _gauge(name: str, said: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, said, value=float(value))


def _known(value: str, known: frozenset[str]) -> str:
    """Keep labels to a fixed list: each new value would be one more series for ever."""
    return value if value in known else "other"


def _threads() -> int:
    """All threads where Linux tells, PyTorch's among them; else those of Python."""
    try:
        return sum(1 for _ in Path("/proc/self/task").iterdir())
    except OSError:
        return threading.active_count()
