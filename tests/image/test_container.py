"""The container as deploy/compose.yaml runs it, for real, with podman: `make test-image`.

Telegram is the stand-in of the other tests, on loopback. IMAGE names the image; PHOTOS how many
different ones the test of memory sends (1000 for the release).
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from fake_telegram import TOKEN, FakeTelegram
from PIL import Image, ImageEnhance

IMAGE = os.environ.get("IMAGE", "")
PHOTOS = int(os.environ.get("PHOTOS", "60"))
ROOT = Path(__file__).parents[2]
CAT = (ROOT / "data/samples/cat.jpg").read_bytes()
BOT = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text())["services"]["bot"]
MEMORY = BOT["mem_limit"].removeprefix("${BOT_MEMORY:-").rstrip("}")
GRACE = BOT["stop_grace_period"].removesuffix("s")

pytestmark = [
    pytest.mark.skipif(not (IMAGE and shutil.which("podman")), reason="make test-image runs it"),
    pytest.mark.timeout(3600),
]


def podman(*arguments: str, check: bool = True) -> str:
    # crun refuses machines without systemd.
    command = ["podman", "--runtime", "runc", "--log-level", "fatal", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert not check or done.returncode == 0, done.stderr
    return done.stdout


def hardening() -> list[str]:
    """What the compose file says of the bot, as podman's flags."""
    assert BOT["read_only"] is True
    flags = ["--read-only", "--memory", MEMORY, "--pids-limit", str(BOT["pids_limit"])]
    for name, values in (("cap-drop", BOT["cap_drop"]), ("tmpfs", BOT["tmpfs"]),
                         ("security-opt", BOT["security_opt"])):  # fmt: skip
        flags += [part for value in values for part in (f"--{name}", value.removesuffix(":true"))]
    # Limits that this machine lets be set.
    return [*flags, "--ulimit", "nofile=1024:4096", "--ulimit", "nproc=4096:4096"]


@dataclass
class Container:
    """One that runs; `lines` is what it printed on stderr, once it has ended."""

    name: str
    process: asyncio.subprocess.Process
    started: float

    def run(self, *command: str, check: bool = True) -> str:
        return podman("exec", self.name, *command, check=check)

    async def ready(self, seconds: float = 120) -> None:
        async with asyncio.timeout(seconds):
            while "is ready" not in await asyncio.to_thread(
                lambda: self.run("glimpse", "health", check=False)
            ):
                assert self.process.returncode is None
                await asyncio.sleep(0.2)

    async def stop(self) -> tuple[int, str, list[dict[str, Any]]]:
        """SIGTERM, and SIGKILL after the compose file's grace; exit status, stdout and the log."""
        await asyncio.to_thread(podman, "stop", "--time", GRACE, self.name)
        return await self.ended()

    async def ended(self) -> tuple[int, str, list[dict[str, Any]]]:
        out, err = await self.process.communicate()
        lines = [line for line in err.decode().splitlines() if not line.startswith("time=")]
        return self.process.returncode or 0, out.decode(), [json.loads(line) for line in lines]


@asynccontextmanager
async def running(
    api: FakeTelegram, *flags: str, command: tuple[str, ...] = (), **changes: str
) -> AsyncIterator[Container]:
    """The bot in a container of its own, with one Telegram."""
    name = f"glimpse-test-{os.getpid()}-{time.monotonic_ns()}"
    environment = {
        "GLIMPSE_TELEGRAM_TOKEN": TOKEN, "GLIMPSE_TELEGRAM_BASE_URL": api.url,
        "GLIMPSE_PER_MINUTE": "10000", "GLIMPSE_PER_DAY": "1000000", **changes,
    }  # fmt: skip
    given = [part for key, value in environment.items() for part in ("--env", f"{key}={value}")]
    process = await asyncio.create_subprocess_exec(
        "podman", "--runtime", "runc", "--log-level", "fatal", "run", "--rm", "--name", name,
        "--network", "host", *hardening(), *given, *flags, IMAGE, *command,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        yield Container(name, process, time.monotonic())
    finally:
        if process.returncode is None:
            await asyncio.to_thread(podman, "rm", "--force", "--time", "0", name, check=False)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.communicate(), 20)
        if process.returncode is None:
            process.kill()
            await process.communicate()


@pytest.fixture
def volume(request: pytest.FixtureRequest) -> Any:
    """A new volume's name."""
    name = f"glimpse-test-{os.getpid()}-{abs(hash(request.node.name))}"
    podman("volume", "create", name)
    yield name
    podman("volume", "rm", "--force", name)


def photos(count: int) -> list[bytes]:
    """Different photos, as large as messengers make them."""
    made = []
    samples = sorted((ROOT / "data/samples").glob("*.jpg"))
    for number in range(count):
        with Image.open(samples[number % len(samples)]) as picture:
            cut = 1 + number // len(samples)
            photo = picture.convert("RGB").crop(
                (cut % 90, cut // 90, picture.width, picture.height)
            )
            photo = ImageEnhance.Brightness(photo).enhance(0.6 + 0.8 * (number % 97) / 97)
            stored = io.BytesIO()
            photo.resize((1280, 960)).save(stored, "JPEG", quality=85)
        made.append(stored.getvalue())
    return made


# --- what is in it ---------------------------------------------------------------------------


def test_what_the_image_promises() -> None:
    (facts,) = json.loads(podman("image", "inspect", IMAGE))
    config = facts["Config"]
    print(f"\nsize {facts['Size'] / 1e6:.0f} MB")
    assert facts["Size"] <= 700_000_000
    assert (config["User"], config["StopSignal"]) == ("10001:10001", "SIGTERM")
    assert list(config["Volumes"]) == ["/data"]
    assert facts["HealthCheck" if "HealthCheck" in facts else "Healthcheck"]["Test"][-1] == "health"
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    assert config["Labels"]["org.opencontainers.image.revision"] == commit


def test_nothing_is_in_it_that_only_builders_and_developers_need() -> None:
    script = (
        "for tool in cc gcc c++ ld make git; do command -v $tool && exit 1; done; "
        "python - <<'END'\n"
        "import importlib.util as u, pathlib\n"
        "names = 'pytest jupyter_core pycocoevalcap selenium mypy tensorboardX hcloud pip'\n"
        "names += ' torch transformers peft safetensors gguf huggingface_hub scipy sympy'\n"
        "names = names.split()\n"
        "assert not [n for n in names if u.find_spec(n)]\n"
        "assert not {'tests', 'notebooks'} & {p.name for p in pathlib.Path('/app').iterdir()}\n"
        "END\n"
        "test ! -w /app && test ! -w /opt/weights && test ! -w /opt/venv"
    )
    podman(
        "run", "--rm", "--network", "none", *hardening(), "--entrypoint", "sh", IMAGE, "-c", script
    )


def test_it_answers_without_any_network(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    shutil.copy(ROOT / "data/samples/cat.jpg", tmp_path / "cat.jpg")
    (tmp_path / "cat.jpg").chmod(0o644)
    said = podman(
        "run", "--rm", "--network", "none", *hardening(), "--volume", f"{tmp_path}:/photos:ro",
        IMAGE, "ask", "/photos/cat.jpg", "What animal is this?",
    )  # fmt: skip
    assert said == "Cat.\n"


# --- answering, and ending -------------------------------------------------------------------


async def test_a_photo_is_answered_and_the_health_check_says_so(volume: str) -> None:
    async with FakeTelegram().running() as api, running(api, "--volume", f"{volume}:/data") as bot:
        api.photo(CAT, "What animal is this?")
        await bot.ready()
        print(f"\nready after {time.monotonic() - bot.started:.1f} s")
        await api.until(lambda: api.said, seconds=60)
        assert api.said[0] == "Cat."
        assert "commit" in bot.run("glimpse", "--version")
        check = json.loads(podman("inspect", bot.name))[0]["Config"]["Healthcheck"]["Test"]
        assert bot.run(*check[1:]) == "Glimpse is ready.\n"
        print(re.findall(r"Vm(?:HWM|RSS):.*", bot.run("cat", "/proc/1/status")))
        code, out, log = await bot.stop()
    assert code == 0
    assert "Glimpse is on Telegram as @glimpse_bot" in out
    assert [line["message"] for line in log] == ["Loading the model, which takes a few seconds..."]


async def test_a_hundred_photos_that_wait_when_it_is_told_to_stop_all_get_a_word(
    volume: str,
) -> None:
    async with FakeTelegram().running() as api, running(api, "--volume", f"{volume}:/data") as bot:
        await bot.ready()
        for person, photo in enumerate(photos(100)):
            api.photo(photo, user=1000 + person)
        await api.until(lambda: len(api.said) >= 3, seconds=60)
        start = time.monotonic()
        code, _, log = await bot.stop()
        took = time.monotonic() - start
    refused = sum("shutting down" in text for text in api.said)
    print([(line["time"], line["message"]) for line in log])
    print(f"\nended after {took:.1f} s, {len(told_by(api))} told, {refused} of them to ask again")
    assert code == 0  # not killed
    assert not [line for line in log if "not finished" in line["message"]]
    # What it did not take is still Telegram's to give to whoever comes next.
    async with api_of(api), running(api, "--volume", f"{volume}:/data") as next_one:
        await next_one.ready()
        await api.until(lambda: len(told_by(api)) == 100, seconds=300)


def told_by(api: FakeTelegram) -> set[int]:
    return {int(call["chat_id"]) for _, call in api.of("sendMessage", "editMessageText")}


@asynccontextmanager
async def api_of(api: FakeTelegram) -> AsyncIterator[None]:
    """The same Telegram, on loopback once more."""
    async with api.running():
        yield


# --- the volume ------------------------------------------------------------------------------


def root_owned(folder: Path) -> Path:
    folder.chmod(0o755)
    return folder


@pytest.fixture
def small(tmp_path: Path) -> Any:
    """A disk of 32 kB, for the bot's user."""
    folder = tmp_path / "small"
    folder.mkdir()
    options = "size=32k,uid=10001,gid=10001,mode=0700"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", folder], check=True)
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.mark.parametrize("kind", ["full", "read-only", "of another user", "closed", "absent"])
async def test_without_a_usable_volume_it_answers_and_says_what_is_wrong(
    kind: str, volume: str, tmp_path: Path, small: Path
) -> None:
    (closed := tmp_path / "closed").mkdir(mode=0o700)
    flags = {
        "full": ("--volume", f"{small}:/data"),
        "closed": ("--volume", f"{closed}:/data"),
        "read-only": ("--volume", f"{volume}:/data:ro"),
        "of another user": ("--volume", f"{root_owned(tmp_path)}:/data"),
        "absent": ("--image-volume", "ignore"),
    }[kind]
    async with FakeTelegram().running() as api, running(api, *flags) as bot:
        api.photo(CAT, "What animal is this?")
        await api.until(lambda: api.said, seconds=120)
        assert api.said == ["Cat."]
        state = bot.run("glimpse", "health", check=False)
        asked = len(api.of("getMe"))
        code, _, log = await bot.stop()
    print("\n", state.strip(), "\n", [line["message"] for line in log][1:])
    assert code == 0
    assert "log:" in state
    assert asked <= 2
    said = [line["message"] for line in log if line["level"] == "ERROR"]
    assert 1 <= len(said) <= 2
    assert all("kept" in line or "logged" in line or "held" in line for line in said)


async def test_a_token_that_telegram_refuses_is_said_once_and_not_tried_again_and_again() -> None:
    async with (
        FakeTelegram().running() as api,
        running(api, GLIMPSE_TELEGRAM_TOKEN="1:wrong") as bot,
    ):
        async with asyncio.timeout(120):
            while "does not know this token" not in bot.run("glimpse", "health", check=False):
                await asyncio.sleep(0.5)
        assert bot.run("glimpse", "health", "--live") != ""
        asked = len(api.calls)
        await asyncio.sleep(5)
        assert len(api.calls) == asked <= 2
        assert bot.process.returncode is None  # a restart policy has nothing to do
        code, _, log = await bot.stop()
    assert code == 0
    said = [line["message"] for line in log if "does not know this token" in line["message"]]
    assert len(said) == 1


# --- the log ---------------------------------------------------------------------------------


async def test_a_backup_restored_on_another_server_tells_the_same(
    volume: str, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    key = "0" * 64
    async with (
        FakeTelegram().running() as api,
        running(api, "--volume", f"{volume}:/data", GLIMPSE_LOG_KEY=key) as bot,
    ):
        for person in range(5):
            api.photo(CAT, "What animal is this?", user=50 + person)
        await api.until(lambda: len(api.said) == 5, seconds=120)
        stats = bot.run("glimpse", "log", "stats")
        bot.run("glimpse", "log", "backup", "/data/copy.db")
        podman("cp", f"{bot.name}:/data/copy.db", str(other / "log.db"))
        await bot.stop()
    for path in (other, other / "log.db"):
        os.chown(path, 10001, 10001)
    async with (
        FakeTelegram().running() as api,
        running(api, "--volume", f"{other}:/data", GLIMPSE_LOG_KEY=key) as moved,
    ):
        await moved.ready()
        assert moved.run("glimpse", "log", "stats") == stats
        assert "5" in stats
        api.message("/forget", user=50)
        await api.until(lambda: api.said, seconds=60)
        assert re.search(r"\b1\b|\brow", api.said[0])
        await moved.stop()


async def test_a_log_of_a_newer_glimpse_is_left_alone_with_a_sentence(
    volume: str, tmp_path: Path
) -> None:
    script = (
        "import sqlite3; db = sqlite3.connect('/data/log.db'); "
        'db.execute("INSERT INTO _sqlite_migrations (migration_set, name, applied_at) '
        "VALUES ('glimpse', 'from_the_future', '2030')\"); db.commit()"
    )
    async with FakeTelegram().running() as api:
        async with running(api, "--volume", f"{volume}:/data") as bot:
            await bot.ready()
            bot.run("python", "-c", script)
            await bot.stop()
        calls = len(api.calls)
        async with running(api, "--volume", f"{volume}:/data") as newer:
            code, _, log = await newer.ended()
        assert len(api.calls) == calls
    assert code == 1
    assert "newer Glimpse" in log[-1]["message"]


# --- memory ----------------------------------------------------------------------------------


async def test_memory_is_bounded_over_many_different_photos(volume: str) -> None:
    async with FakeTelegram().running() as api, running(api, "--volume", f"{volume}:/data") as bot:
        await bot.ready()
        start = time.monotonic()
        for number, photo in enumerate(photos(PHOTOS)):
            api.photo(
                photo, "" if number % 2 else "What is in the picture?", user=100 + number % 20
            )
            await api.until(lambda n=number: len(told_messages(api)) > n - 10, seconds=120)
        await api.until(lambda: len(told_messages(api)) >= PHOTOS, seconds=120)
        status = bot.run("cat", "/proc/1/status")
        peak = int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1000  # type: ignore[index]
        print(
            f"\n{PHOTOS} photos in {time.monotonic() - start:.0f} s; peak {peak:.0f} MB of its "
            f"{MEMORY}; now",
            re.search(r"VmRSS:\s+(\d+ kB)", status)[1],  # type: ignore[index]
        )
        code, _, _ = await bot.stop()
    assert code == 0  # nobody killed it
    assert not [text for text in api.said if "wrong on my side" in text]


def told_messages(api: FakeTelegram) -> list[Any]:
    return api.of("sendMessage")
