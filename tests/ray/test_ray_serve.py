"""deploy/ray on two hosts, for real: replicas are killed under load, and no question is lost.

`make test-ray` runs it as root: the hosts are network namespaces of this machine. What it measures,
it prints.
"""

from __future__ import annotations

import base64
import importlib.util
import itertools
import os
import shutil
import statistics
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
import yaml
from hosts import KEY, ROOT, Host, await_replicas, deploy, healthy, hosts, start_ray

CONFIG = ROOT / "deploy/ray/serve.yaml"
QUESTIONS = ("What animal is this?", "What is in the picture?", "Is there a person?")
PEOPLE = 8
REPLICA = "ray::ServeReplica"

pytestmark = [
    pytest.mark.skipif(
        not (os.environ.get("RAY") and importlib.util.find_spec("ray") and shutil.which("ip")),
        reason="make test-ray runs it",
    ),
    pytest.mark.timeout(900),
]


@pytest.fixture(scope="module")
def cluster() -> Iterator[list[Host]]:
    """Two hosts with a core each, and a replica on each."""
    folder = Path(tempfile.mkdtemp(prefix="gl-ray-", dir="/tmp"))  # paths of sockets are short
    config = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    (deployment,) = config["applications"][0]["deployments"]
    deployment["ray_actor_options"]["num_cpus"] = 1
    deployment["autoscaling_config"] |= {"min_replicas": 2, "max_replicas": 2}
    (folder / "serve.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    with hosts(2) as made:
        head, other = made
        start_ray(head, [other], folder / "ray")
        deploy(head, folder / "serve.yaml", replicas=2)
        yield made
    shutil.rmtree(folder, ignore_errors=True)


@dataclass
class Load:
    """What people who never pause ask of one host, and what they get."""

    host: Host
    asked: int
    waits: list[tuple[float, float]] = field(default_factory=list)  # when, and how long
    retried: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def run(self, expected: dict[tuple[str, str], str]) -> None:
        keys = itertools.islice(itertools.cycle(expected), self.asked)
        with self.client() as client, ThreadPoolExecutor(PEOPLE) as people:
            list(people.map(lambda key: self._ask(client, key, expected[key]), keys))

    def client(self) -> openai.OpenAI:
        """The official client, which asks again by itself after a failure that may pass."""
        web = openai.DefaultHttpxClient(
            trust_env=False, event_hooks={"response": [self._note]},
            limits=httpx.Limits(max_connections=PEOPLE),
        )  # fmt: skip
        return openai.OpenAI(
            base_url=f"http://{self.host.address}:8001/v1", api_key=KEY, http_client=web,
            max_retries=5, timeout=60,
        )  # fmt: skip

    def _note(self, response: httpx.Response) -> None:
        if response.status_code != 200:
            self.retried[str(response.status_code)] += 1

    def _ask(self, client: openai.OpenAI, key: tuple[str, str], expected: str) -> None:
        start = time.monotonic()
        try:
            said = ask(client, *key)
        except openai.APIError as error:
            said = f"{type(error).__name__}: {error}"
        self.waits.append((start, time.monotonic() - start))
        if said != expected:
            self.wrong.append(f"{key}: {said!r} instead of {expected!r}")

    def told(self, name: str) -> str:
        waits = [wait for _, wait in self.waits]
        start = min(when for when, _ in self.waits)
        seconds = max(when + wait for when, wait in self.waits) - start
        p95 = statistics.quantiles(waits, n=20)[-1]
        again = ", ".join(f"{count} answers {status}" for status, count in self.retried.items())
        return (
            f"{name}: {len(waits)} questions of {PEOPLE} people, {len(waits) / seconds:.1f} a "
            f"second; waited {statistics.median(waits):.2f} s in the middle, {p95:.2f} s at the "
            f"95th percentile, {max(waits):.2f} s at most; asked again after {again or 'none'}; "
            f"{len(self.wrong)} lost or wrong"
        )


def ask(client: openai.OpenAI, photo: str, question: str) -> str:
    content = (ROOT / "data/samples" / photo).read_bytes()
    url = f"data:image/jpeg;base64,{base64.b64encode(content).decode()}"
    message: Any = {"role": "user", "content": [
        {"type": "text", "text": question}, {"type": "image_url", "image_url": {"url": url}},
    ]}  # fmt: skip
    told = client.chat.completions.create(model="starter", messages=[message])
    return told.choices[0].message.content or ""


@pytest.fixture(scope="module")
def expected(cluster: list[Host]) -> dict[tuple[str, str], str]:
    photos = [photo.name for photo in sorted((ROOT / "data/samples").glob("*.jpg"))[:4]]
    load = Load(cluster[0], 0)
    with load.client() as client:
        return {
            (photo, question): ask(client, photo, question)
            for photo in photos
            for question in QUESTIONS
        }


def loaded(load: Load, expected: Any, fault: Callable[[], object], after: int) -> None:
    """Run a load; when so many questions were answered, something goes wrong."""
    running = threading.Thread(target=load.run, args=(expected,))
    running.start()
    while running.is_alive() and len(load.waits) < after:
        time.sleep(0.01)
    fault()
    running.join()


def test_two_replicas_answer_with_one_key(cluster: list[Host], expected: Any) -> None:
    load = Load(cluster[0], 200)
    load.run(expected)
    print("\n" + load.told("two replicas"))
    assert not load.wrong
    assert not load.retried
    assert all(len(host.pids(REPLICA)) == 1 for host in cluster)
    with openai.OpenAI(
        base_url=f"http://{cluster[1].address}:8001/v1", api_key="sk-another-0123456789",
        http_client=openai.DefaultHttpxClient(trust_env=False),
    ) as stranger, pytest.raises(openai.AuthenticationError):  # fmt: skip
        stranger.models.list()


def test_a_replica_that_is_killed_loses_no_question(cluster: list[Host], expected: Any) -> None:
    load = Load(cluster[0], 300)
    killed: list[int] = []
    loaded(load, expected, lambda: killed.append(cluster[1].kill(REPLICA)), after=100)
    print("\n" + load.told("a replica killed"))
    assert killed == [1]
    assert load.retried  # it had begun some
    assert not load.wrong
    await_replicas(cluster[0], 2)
    assert len(cluster[1].pids(REPLICA)) == 1


def test_a_host_that_is_gone_loses_no_question(cluster: list[Host], expected: Any) -> None:
    head, other = cluster
    load = Load(head, 300)
    loaded(load, expected, other.kill, after=100)
    print("\n" + load.told("a host gone"))
    assert load.retried
    assert not load.wrong
    assert healthy(head)
    assert not healthy(other)
