"""`glimpse check`: what is set up, and whether it works; `glimpse health`: how a running one is."""

from __future__ import annotations

import io
import json
import os
import platform
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bot.cli import terminal
from bot.cli.context import AppContext, check_log_keys, log_path, profile_option, standard
from bot.errors import UNKNOWN, CommandError, OlderLogError, ServerError, error_sentence
from bot.settings import CONFIG, Settings, profile_names
from model.errors import EngineUnavailable, ProfileError, WeightsError

if TYPE_CHECKING:
    from model.chat_config import ChatProfile
    from model.server_config import RemoteProfile

OK, NOTE, PROBLEM = "ok", "note", "problem"
_PACKAGES = ("openvino", "tokenizers", "pillow", "starlette")
_CONVERTING = ("torch", "transformers", "peft")
_COLOURS = {OK: "green", NOTE: "yellow", PROBLEM: "red"}
HEALTH_TIMEOUT = 5.0  # seconds
MODEL_TIMEOUT = 120.0  # seconds; a server may have to load its model first
MOST_MODELS = 20  # of a server's that are named
MAX_RESPONSE = 65_536  # bytes of an answer


@click.command(
    epilog="Example: glimpse check\n\nWhat messages mean: docs/troubleshooting.md",
    short_help="Say what is set up and works.",
)
@click.option("--json", "as_json", is_flag=True, help="Print everything as one JSON object.")
@profile_option
@standard
@click.pass_obj
def check(app: AppContext, as_json: bool, profile: str | None) -> None:
    """Say what is set up and whether it works, with a question to the model in the end.

    Nothing is downloaded. Exit status 1 if something that Glimpse needs is broken.
    """
    found: list[Finding] = []
    for finding in findings(app, profile):
        found.append(finding)
        if not as_json:
            _show(finding)
    broken = [finding.name for finding in found if finding.state == PROBLEM]
    if as_json:
        rows = [asdict(finding) for finding in found]
        click.echo(json.dumps({"ok": not broken, "checks": rows}, indent=2))
    if broken:
        raise CommandError(f"Glimpse does not work yet: see {', '.join(broken)}.")


def _show(finding: Finding) -> None:
    mark = click.style(f"{finding.state:8}", fg=_COLOURS[finding.state])
    advice = f" {finding.advice}" if finding.advice else ""
    detail = finding.detail + ("." if advice and not finding.detail.endswith(".") else "")
    click.echo(f"{mark}{finding.name:13} {detail}{advice}")


# --- what is looked at -------------------------------------------------------------------------


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


Check = Callable[[], tuple[str, str, str]]  # gives a finding's state, detail and advice


def findings(app: AppContext, profile: str | None) -> Iterator[Finding]:
    """Look at everything, cheap things first; what depends on something broken is left out."""
    try:
        settings = app.settings
    except Exception as error:
        yield Finding("settings", PROBLEM, error_sentence(error) or UNKNOWN)
        return
    chosen = profile or settings.profile
    yield Finding("settings", OK, _settings(settings, chosen))
    sound = True
    for name, check in (
        ("python", _python),
        ("packages", _packages),
        ("pictures", _pictures),
        ("web page", lambda: _web(settings)),
        ("telegram", lambda: _telegram(settings)),
        ("discord", lambda: _discord(settings)),
        ("log", lambda: _kept(settings)),
        ("cache", _cache),
    ):
        found = _try(name, check)
        sound = sound and found.state != PROBLEM
        yield found
    choices = [name for name, _ in settings.choices]
    names = tuple(dict.fromkeys([*profile_names(chosen), *choices]))
    for each in names:
        prefix = f"{Path(each).stem}: " if len(names) > 1 else ""
        yield from _model_findings(app, each, prefix, sound=sound)


def _model_findings(
    app: AppContext, profile: str, prefix: str, *, sound: bool
) -> Iterator[Finding]:
    """Whether one model can answer, as far as all else is sound."""
    for name, check in _model_checks(profile, app.settings):
        found = _try(prefix + name, check)
        sound = sound and found.state != PROBLEM
        yield found
    if sound:
        yield _try(f"{prefix}answer", lambda: _answer(app, profile))
    else:
        yield Finding(f"{prefix}answer", NOTE, "Not tried, because of the above.")


def _model_checks(profile: str, settings: Settings) -> list[tuple[str, Check]]:
    """What a model needs: its weights, or the server that has it."""
    from model.chat_config import load_chat
    from model.server_config import load_remote

    try:
        remote, chat = load_remote(profile), load_chat(profile)
    except ProfileError:  # which is told by the check of the adapter
        remote = chat = None
    if remote:
        return [("server", lambda: _server(remote))]
    if chat:
        return [("weights", lambda: _chat(chat))]
    return [
        ("adapter", lambda: _adapter(profile)),
        ("base weights", lambda: _base(profile, settings)),
    ]


def _try(name: str, check: Check) -> Finding:
    try:
        return Finding(name, *check())
    except Exception as error:
        return Finding(name, PROBLEM, error_sentence(error) or UNKNOWN)


def _settings(settings: Settings, profile: str) -> str:
    file = os.environ.get(CONFIG, "").strip()
    threads = settings.threads or "all"
    return f"profile {profile}, {threads} threads, " + (f"from {file}" if file else "no file")


def _python() -> tuple[str, str, str]:
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    return OK, f"{platform.python_version()} on {machine}", ""


def _packages() -> tuple[str, str, str]:
    from importlib.metadata import PackageNotFoundError, version

    try:
        found = [f"{name} {version(name)}" for name in _PACKAGES]
    except PackageNotFoundError as error:
        return PROBLEM, f"{error.name} is not installed.", "Run make setup again."
    absent = []
    for name in _CONVERTING:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            absent.append(name)
    if absent:
        detail = f"{', '.join(found)}; not installed: {', '.join(absent)}"
        return NOTE, detail, "Models that were converted are served; training needs more."
    return OK, ", ".join(found), ""


def _pictures() -> tuple[str, str, str]:
    from data.images.open import open_picture

    picture = open_picture(_sample())
    return OK, f"a {picture.format} of {picture.width} by {picture.height} pixels was opened", ""


def _web(settings: Settings) -> tuple[str, str, str]:
    from bot.web.server import listen

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
    from model.card import read_card
    from model.config import load_profile

    chosen = load_profile(profile)
    folder = chosen.adapter_folder
    read_card(folder, chosen)
    size = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
    return OK, f"{folder.name} fits the profile, {size / 1e6:.0f} MB", ""


def _server(profile: RemoteProfile) -> tuple[str, str, str]:
    """Asks for the server's models, which takes no question and costs nothing."""
    from model.chat_client import ChatClient

    for secret in profile.secrets():
        terminal.add_secret(secret)
    server = profile.server
    client = ChatClient(profile)
    try:
        models = client.models()
    except EngineUnavailable as error:
        if error.status != HTTPStatus.NOT_FOUND and error.status < 500:
            raise
        return NOTE, f"{server.address} does not tell its models ({error.status})", ""
    finally:
        client.close()
    if server.model not in models and f"{server.model}:latest" not in models:
        has = ", ".join(sorted(models)[:MOST_MODELS])[:400] or "none"
        return PROBLEM, f"{server.address} has no model {server.model!r}; it has {has}", ""
    if profile.key() and server.url.startswith("http://") and not server.is_here:
        return NOTE, f"{server.address} has {server.model}", "The key is sent there unencrypted."
    return OK, f"{server.address} has {server.model}", ""


def _chat(profile: ChatProfile) -> tuple[str, str, str]:
    """Whether a chat model is on this machine, and has room in its memory."""
    from model.chat_model import chat_files, check_memory, parameters, placement

    config = profile.chat
    place, dtype = placement(config)
    try:
        folder = chat_files(config, fetch=False)
    except WeightsError as error:
        return PROBLEM, str(error), f"Run glimpse fetch --profile {profile.name} to download it."
    weights = parameters(config, folder)
    needed, free = check_memory(config, weights, place, dtype)
    detail = (
        f"{config.source}, {weights / 1e6:.0f} M weights as {str(dtype).removeprefix('torch.')} on "
        f"{place}: {needed / 1e9:.1f} GB of {free / 1e9:.1f} GB of free memory"
    )
    if config.trust_remote_code:
        return NOTE, detail, "trust_remote_code runs programs that came with the weights."
    if not config.is_pinned and folder.parent.name == "snapshots":
        return NOTE, detail, f'To keep these very weights, set revision = "{folder.name}".'
    return OK, detail, ""


def _base(profile: str, settings: Settings) -> tuple[str, str, str]:
    from model.config import STARTER_WHEEL, load_profile
    from model.pretrained import LANGUAGE_MODEL, TOWER, is_ready
    from model.runtime import needs_base

    chosen = load_profile(profile)
    language, tower = needs_base(chosen, settings.runtime, settings.int8)
    needed = ((language, chosen.language.source, LANGUAGE_MODEL),
              (tower, chosen.tower.source, TOWER))  # fmt: skip
    parts = [part for wanted, source, part in needed if wanted and source == STARTER_WHEEL]
    missing = [part.title for part in parts if not is_ready(part, verify=True)]
    if missing:
        lacking = " and ".join(missing)
        return PROBLEM, f"{lacking} missing or damaged", "Run glimpse fetch to download them."
    if parts:
        return OK, "whole, by SHA-256", ""
    starter = STARTER_WHEEL in (chosen.language.source, chosen.tower.source)
    return OK, "converted, and not needed any more" if starter else "the profile brings its own", ""


def _answer(app: AppContext, profile: str) -> tuple[str, str, str]:
    from data.images.open import open_picture

    start = time.perf_counter()
    with app.engine(profile) as engine:
        loaded = time.perf_counter()
        future = engine.submit(open_picture(_sample()), "What colour is this?")
        answer = future.result(timeout=MODEL_TIMEOUT)
    took = time.perf_counter() - loaded
    return OK, f'"{answer.text}" in {took:.2f} s, after {loaded - start:.1f} s of loading', ""


def _kept(settings: Settings) -> tuple[str, str, str]:
    from bot.log.queries import integrity_errors
    from bot.log.recovery import place_trouble
    from bot.log.schema import open_to_read

    path = log_path(settings)
    if path is None:
        return NOTE, 'Nothing is kept, for GLIMPSE_LOG is "off".', ""
    check_log_keys(settings)
    if trouble := place_trouble(path):
        return PROBLEM, f"{path}: {trouble}", ""
    if not path.exists():
        return OK, f"nothing yet in {path}", ""
    try:
        with closing(open_to_read(path)) as db:
            count = db.table("exchanges").count
    except OlderLogError:
        count = -1
    problems = [*integrity_errors(path)]
    if problems:
        return PROBLEM, f"{path} is damaged: {problems[0]}.", "Put it aside, or a backup there."
    if count < 0:
        return NOTE, f"{path} is of an older Glimpse; starting a bot brings it up to date.", ""
    held = f"{count} exchange{'s' * (count != 1)}"
    return OK, f"{held} in {path}, each kept for {settings.log_days} days", ""


def _sample() -> bytes:
    """A picture that is all red, as a JPEG."""
    from PIL import Image

    file = io.BytesIO()
    Image.new("RGB", (320, 240), "red").save(file, "JPEG")
    return file.getvalue()


# --- a running Glimpse ------------------------------------------------------------------------


@click.command(
    epilog="Example: glimpse health", short_help="Ask whether a running Glimpse is well."
)
@click.option(
    "--url", metavar="URL", help="Of its health server. [default: as GLIMPSE_HEALTH_PORT says]"
)
@click.option("--live", is_flag=True, help="Only ask whether it lives, not whether it is ready.")
@standard
@click.pass_context
def health(context: click.Context, url: str | None, live: bool) -> None:
    """Ask a running Glimpse whether it can answer people; the exit status is 0 or 1."""
    app = context.find_object(AppContext) or AppContext()
    base = url.rstrip("/") if url else _health_url(app.settings)
    if not base.startswith(("http://", "https://")):
        raise click.UsageError("--url has to be an address like http://127.0.0.1:8081")
    status, told = _get(base + ("/healthz" if live else "/readyz"))
    if live:
        well = status == 200
        said = "Glimpse lives." if well else "Glimpse stands still; restart it."
    else:
        well, said = status == 200, _summary(told)
    click.echo(said)
    context.exit(0 if well else 1)


def _health_url(settings: Settings) -> str:
    """Where the health server of these settings is reached from this computer."""
    if not settings.health_port:
        raise click.UsageError("No health server is set up; set GLIMPSE_HEALTH_PORT, or use --url")
    host = settings.health_host
    host = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.health_port}"


def _get(url: str) -> tuple[int, dict[str, Any]]:
    """The status and the JSON that an address answers.

    Raises:
        CommandError: Nothing answers there, or something else than Glimpse.
    """
    from http.client import HTTPException
    from urllib.error import HTTPError
    from urllib.request import ProxyHandler, build_opener

    opener = build_opener(ProxyHandler({}))  # no proxy stands before this computer
    try:
        try:
            with opener.open(url, timeout=HEALTH_TIMEOUT) as answer:
                status, body = answer.status, answer.read(MAX_RESPONSE)
        except HTTPError as refusal:
            with refusal:
                status, body = refusal.code, refusal.read(MAX_RESPONSE)
    except (OSError, HTTPException, ValueError) as error:
        raise CommandError("Nothing answers there; is Glimpse running, with this port?") from error
    try:
        told = json.loads(body)
    except ValueError:
        told = None
    if status not in (200, 503) or not isinstance(told, dict):
        raise CommandError("What answers there is not Glimpse; look after the address.")
    return status, told


def _summary(told: dict[str, Any]) -> str:
    """One line for all checks."""
    if told.get("ready"):
        return "Glimpse is ready."
    checks = told.get("checks")
    failed = [
        f"{name}: {check.get('detail', '')}"
        for name, check in (checks.items() if isinstance(checks, dict) else ())
        if isinstance(check, dict) and not check.get("ok")
    ]
    return "Glimpse is not ready: " + " ".join(failed or ["It does not say why."])
