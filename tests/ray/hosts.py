"""A cluster of Ray whose hosts are network namespaces of this machine, and its client."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[2]
KEY = "sk-ray-0123456789abcdef"
NETWORK = "10.213.77"  # of the hosts; .254 is this machine's
BRIDGE = "glimpse-ray"
BIN = Path(sys.executable).parent


def run(*command: str | Path, check: bool = True) -> str:
    done = subprocess.run(
        command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False
    )
    assert not check or done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def environment() -> dict[str, str]:
    paths = {
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "PYTHONPATH": f"{ROOT}:{os.environ.get('PYTHONPATH', '')}",
    }
    return os.environ | paths | {
        "GLIMPSE_API_KEY": KEY, "RAY_SERVE_PROXY_PREFER_LOCAL_NODE_ROUTING": "0"
    }  # fmt: skip


@dataclass(frozen=True)
class Host:
    """A network namespace with an address of its own, and one core for Ray."""

    number: int

    @property
    def name(self) -> str:
        return f"glimpse-ray-{self.number}"

    @property
    def address(self) -> str:
        return f"{NETWORK}.{self.number}"

    def run(self, *command: str | Path) -> str:
        return run("ip", "netns", "exec", self.name, *command)

    def pids(self, title: str = "") -> list[int]:
        """Of its processes, those whose command line holds this."""
        found = map(int, run("ip", "netns", "pids", self.name, check=False).split())
        return [pid for pid in found if title in _command(pid)]

    def kill(self, title: str = "") -> int:
        """SIGKILL them; tells how many."""
        pids = self.pids(title)
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return len(pids)


def _command(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8", errors="replace")
    return ""


@contextlib.contextmanager
def hosts(count: int) -> Iterator[list[Host]]:
    """So many hosts, connected by a bridge."""
    made = [Host(number) for number in range(1, count + 1)]
    _remove(made)
    try:
        run("ip", "link", "add", BRIDGE, "type", "bridge")
        run("ip", "address", "add", f"{NETWORK}.254/24", "dev", BRIDGE)
        run("ip", "link", "set", BRIDGE, "up")
        for host in made:
            run("ip", "netns", "add", host.name)
            here, there = f"glimpse-{host.number}", "eth0"
            run("ip", "link", "add", here, "type", "veth", "peer", "name", there,
                "netns", host.name)  # fmt: skip
            run("ip", "link", "set", here, "master", BRIDGE, "up")
            host.run("ip", "address", "add", f"{host.address}/24", "dev", there)
            for device in ("lo", there):
                host.run("ip", "link", "set", device, "up")
        yield made
    finally:
        _remove(made)


def _remove(made: list[Host]) -> None:
    for host in made:
        host.kill()
        run("ip", "netns", "delete", host.name, check=False)
    run("ip", "link", "delete", BRIDGE, check=False)


def start_ray(head: Host, others: list[Host], folder: Path) -> None:
    """Start Ray on every host, as an operator does it."""
    ray = [BIN / "ray", "start", "--disable-usage-stats", "--num-cpus", "1"]
    where = ["--node-ip-address", head.address, "--port", "6379"]
    head.run(*ray, "--head", *where, "--temp-dir", folder)
    for host in others:
        address = f"{head.address}:6379"
        host.run(*ray, "--address", address, "--node-ip-address", host.address)


def deploy(head: Host, config: Path, replicas: int, seconds: float = 120) -> None:
    """Deploy the application, and wait until it runs."""
    head.run(BIN / "serve", "deploy", config)
    await_replicas(head, replicas, seconds)


def await_replicas(head: Host, count: int, seconds: float = 120) -> None:
    """Wait until so many replicas run."""
    end = time.monotonic() + seconds
    while f"RUNNING: {count}" not in (said := head.run(BIN / "serve", "status")):
        assert time.monotonic() < end, said
        time.sleep(1)


def healthy(host: Host) -> bool:
    """Whether its proxy answers."""
    with contextlib.suppress(httpx.HTTPError), httpx.Client(trust_env=False, timeout=5) as web:
        return web.get(f"http://{host.address}:8001/-/healthz").status_code == 200
    return False
