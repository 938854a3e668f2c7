"""Dashboard and alerts, with a real Prometheus that reads what a bot really serves."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import combinations
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest
import yaml

from bot.assistant.types import Exchange, Incoming, Reply
from bot.health import Health
from bot.health_server import serve_health
from bot.metrics import Metrics
from bot.version import BuildInfo

DEPLOY = Path(__file__).parents[2] / "deploy"
DASHBOARD = json.loads((DEPLOY / "grafana/dashboard.json").read_text(encoding="utf-8"))
RULES = yaml.safe_load((DEPLOY / "alerts.yml").read_text(encoding="utf-8"))["groups"][0]["rules"]
PANELS = DASHBOARD["panels"]
needs_prometheus = pytest.mark.skipif(
    not (shutil.which("prometheus") and shutil.which("promtool")),
    reason="Prometheus is not installed",
)


# --- the dashboard as a file -----------------------------------------------------------------


def test_panels_say_what_they_show_and_do_not_overlap() -> None:
    assert len({panel["id"] for panel in PANELS}) == len(PANELS) > 10
    assert len({panel["title"] for panel in PANELS}) == len(PANELS)
    for panel in PANELS:
        assert panel["description"].endswith(".")
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        letters = [target["refId"] for target in panel["targets"]]
        assert len({*letters}) == len(letters) > 0
        place = panel["gridPos"]
        assert 0 <= place["x"] < place["x"] + place["w"] <= 24
    for one, other in combinations(PANELS, 2):
        assert not _overlap(one["gridPos"], other["gridPos"]), (one["title"], other["title"])


def _overlap(one: dict[str, int], other: dict[str, int]) -> bool:
    return all(
        one[start] < other[start] + other[size] and other[start] < one[start] + one[size]
        for start, size in (("x", "w"), ("y", "h"))
    )


def test_grafana_finds_the_dashboard_and_its_source() -> None:
    (variable,) = DASHBOARD["templating"]["list"]
    assert (variable["name"], variable["type"]) == ("datasource", "datasource")
    folder = DEPLOY / "grafana/provisioning"
    sources = yaml.safe_load((folder / "datasources/prometheus.yml").read_text(encoding="utf-8"))
    assert sources["datasources"][0]["uid"] == variable["current"]["value"]
    boards = yaml.safe_load((folder / "dashboards/glimpse.yml").read_text(encoding="utf-8"))
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    mounted = [volume.split(":") for volume in compose["services"]["grafana"]["volumes"]]
    path = boards["providers"][0]["options"]["path"]
    assert ["./grafana/dashboard.json", f"{path}/glimpse.json", "ro"] in mounted


def test_the_limit_of_memory_is_the_one_of_the_container() -> None:
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    default = compose["services"]["bot"]["mem_limit"].removeprefix("${BOT_MEMORY:-").rstrip("}")
    limit = int(default.removesuffix("m")) * 2**20
    drawn = [target["expr"] for panel in PANELS for target in panel["targets"]]
    assert f"vector({limit})" in drawn
    assert any(f"* {limit}" in rule["expr"] for rule in RULES)


def test_alerts_say_what_to_do() -> None:
    for rule in RULES:
        assert rule["annotations"]["summary"].endswith(".")
        assert rule["annotations"]["what_to_do"]
        assert rule["labels"]["severity"] in {"page", "ticket"}


# --- with a real Prometheus ------------------------------------------------------------------


@needs_prometheus
def test_alerts_fire_when_they_should(tmp_path: Path) -> None:
    shutil.copy(DEPLOY / "alerts.yml", tmp_path)
    shutil.copy(Path(__file__).with_name("alerts_test.yml"), tmp_path)
    _promtool("test", "rules", tmp_path / "alerts_test.yml")
    shutil.copy(DEPLOY / "prometheus.yml", tmp_path)
    _promtool("check", "config", tmp_path / "prometheus.yml")


def _promtool(*arguments: str | Path) -> None:
    done = subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@needs_prometheus
def test_every_query_is_understood_and_every_panel_has_data(tmp_path: Path) -> None:
    with busy_bot() as port, prometheus(tmp_path, port) as api:
        _until(lambda: _first(_query(api, "count_over_time(glimpse_ready[1m])")) >= 5)
        empty = [
            (panel["title"], target["expr"])
            for panel in PANELS
            for target in panel["targets"]
            if not _figures(_query(api, target["expr"].replace("$__rate_interval", "10s")))
        ]
        assert empty == []
        for marks in DASHBOARD["annotations"]["list"]:
            _query(api, marks["expr"])  # accepted
        for rule in RULES:
            fires = _query(api, rule["expr"])
            # This bot is well, but its process runs the other tests as well.
            assert fires == [] or "process_resident_memory" in rule["expr"], rule["alert"]
        known = {name for name in _get(api, "label/__name__/values") if "glimpse_" in name}
        named = {
            name
            for text in [json.dumps(PANELS), *(rule["expr"] for rule in RULES)]
            for name in re.findall(r"glimpse_[a-z_]+", text)
        }
        assert named - known == set()


class _Engine:
    """What the metrics read of an engine."""

    waiting, prefix_hits, prefix_misses = 1, 0, 0


@contextmanager
def busy_bot() -> Iterator[int]:
    """Serve the real metrics of a bot that answers all the time; gives the port."""
    health = Health()
    for platform in ("telegram", "discord"):
        health.connection(platform).connected()
    health.loaded()
    health.without_log("It is off.", ok=True)
    metrics = Metrics(health, BuildInfo("1.0", "4b1920d", "0123456789ab"), "starter")
    metrics.engine = engine = _Engine()
    done = threading.Event()

    def answer() -> None:
        exchange = Exchange(
            "question", "what is it", "cat", 0.9, 0.4, "", waiting=0.1, encoding=0.2, decoding=0.1
        )
        while not done.wait(0.05):
            for platform in ("telegram", "discord"):
                incoming = Incoming(platform, "1", "1", "What is it?", fetching=0.1)
                reply = Reply("Cat.", exchanges=(exchange,), outcome="answered")
                metrics.answered(incoming, reply, 0.5)
            engine.prefix_hits += 1
            engine.prefix_misses += 1

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        with serve_health(health, metrics, "127.0.0.1", 0) as port:
            yield port
    finally:
        done.set()
        thread.join()


@contextmanager
def prometheus(folder: Path, port: int) -> Iterator[str]:
    """Run it with the shipped settings, but for where the bot is; gives its API's address."""
    settings = yaml.safe_load((DEPLOY / "prometheus.yml").read_text(encoding="utf-8"))
    settings["global"] = {"scrape_interval": "250ms", "evaluation_interval": "1s"}
    (job,) = settings["scrape_configs"]
    assert job["static_configs"] == [{"targets": ["bot:8081"]}]
    job["static_configs"] = [{"targets": [f"127.0.0.1:{port}"]}]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    shutil.copy(DEPLOY / "alerts.yml", folder)
    address = f"127.0.0.1:{_free_port()}"
    command = [
        "prometheus", f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address={address}",
    ]  # fmt: skip
    with (
        (folder / "prometheus.log").open("wb") as log,
        subprocess.Popen(command, stdout=log, stderr=log) as process,
    ):
        try:
            _until(lambda: _ready(f"http://{address}/-/ready"))
            yield f"http://{address}/api/v1"
        finally:
            process.terminate()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _ready(address: str) -> bool:
    try:
        with urlopen(address, timeout=5) as answer:
            return bool(answer.status == 200)
    except (HTTPError, URLError, OSError):
        return False


def _until(true: Any) -> None:
    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end
        time.sleep(0.1)


def _get(api: str, path: str) -> Any:
    try:
        with urlopen(f"{api}/{path}", timeout=10) as answer:
            return json.load(answer)["data"]
    except HTTPError as error:
        with error:
            raise AssertionError(error.read().decode()) from error


def _query(api: str, query: str) -> list[Any]:
    found: list[Any] = _get(api, "query?" + urlencode({"query": query}))["result"]
    return found


def _figures(result: list[Any]) -> list[float]:
    """The values that are numbers."""
    values = [float(each["value"][1]) for each in result]
    return [value for value in values if value == value]


def _first(result: list[Any]) -> float:
    return next(iter(_figures(result)), 0.0)
