"""What every command works with: settings, common options, and an engine when one is needed."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from bot.assistant.types import PictureEngine
from bot.cli import terminal
from bot.cli.log_format import JSON, TEXT
from bot.cli.models import (
    LoadedEngine,
    load_model,
    needs_conversion_of,
    prepare,
    profile_settings,
    together,
)
from bot.cli.terminal import busy
from bot.settings import Settings, load_settings, profile_names

if TYPE_CHECKING:
    from bot.assistant.assistant import Assistant
    from bot.assistant.privacy import Recorder
    from bot.assistant.types import AnswerMetrics
    from bot.health import Health
    from model.requests import Capabilities, EngineLimits

Command = TypeVar("Command", bound=Callable[..., object])

LOG_OFF = "No exchange is kept, for GLIMPSE_LOG is off."
NO_LOG_KEY = (
    "No exchange is kept, for the key of hashed names can be neither read nor made; make its "
    "folder writable, or set GLIMPSE_LOG_KEY."
)

_log = logging.getLogger(__name__)


Load = Callable[..., LoadedEngine]


class AppContext:
    """Settings and the engine of one run.

    Args:
        load: Takes a profile, a number of threads (None: any), whether to quantize, and by name
            device, runtime and warm_up; gives an engine.
        environment: Where settings come from.

    Attributes:
        debug: Show where errors come from.
        verbose: Show the causes of errors.
    """

    def __init__(
        self, load: Load | None = None, environment: Mapping[str, str] = os.environ
    ) -> None:
        self._load = load or load_model
        self._environment = environment
        self._named: dict[str, str] = {}  # how profiles call themselves, by how they were asked for
        self.debug = self.verbose = False

    @property
    def log_format(self) -> str:
        """How to show things before the settings are read, which may be bad: "text" or "json"."""
        given = self._environment.get("GLIMPSE_LOG_FORMAT", "").strip()
        return JSON if given == JSON else TEXT

    @cached_property
    def settings(self) -> Settings:
        """The settings, read when first needed, so that --help works in spite of bad ones."""
        settings = load_settings(self._environment)
        secrets = [getattr(settings, each.name) for each in fields(settings) if not each.repr]
        terminal.set_log_format(settings.log_format, secrets)
        if settings.weight_places:
            from model.cache import configure

            configure(settings.weight_places)
        if settings.debug:
            self.debug_on()
        return settings

    def assistant(
        self, engine: PictureEngine, recorder: Recorder, measures: AnswerMetrics | None = None
    ) -> Assistant:
        """The assistant of the bots, with the settings' lists and limits."""
        from bot.assistant.assistant import Assistant
        from bot.assistant.limits import Access, Limits, LimitSettings, RateLimit
        from bot.assistant.plain_pictures import MeasuringEngine

        chosen = self.settings
        lists = (chosen.allowed_users, chosen.allowed_chats, chosen.admins)
        choices = [(self._named.get(name, name), who) for name, who in chosen.choices]
        limits = LimitSettings(default=RateLimit(chosen.per_minute, chosen.per_day))
        access = Access(*map(frozenset, lists))
        return Assistant(
            MeasuringEngine(engine), limits=Limits(limits), access=access, recorder=recorder,
            metrics=measures, profiles=profile_settings(engine, choices),
        )  # fmt: skip

    def debug_on(self) -> None:
        """Log everything, and show where errors come from."""
        self.debug = self.verbose = True
        terminal.set_log_level(logging.DEBUG)

    @contextmanager
    def engine(
        self,
        profile: str | None = None,
        threads: int | None = None,
        device: str = "cpu",
        *,
        warm_up: bool = True,
        choices: bool = False,
        limits: EngineLimits | None = None,
    ) -> Iterator[LoadedEngine]:
        """Load an engine, by the settings where nothing is given, and close it in the end.

        Args:
            profile: Name of a profile, or path of a TOML file; or several with commas between them,
                of which the first one that can answers.
            threads: CPU cores to use.
            device: Where to compute, as PyTorch names it.
            warm_up: Whether it computes something first, so that nobody waits for that later.
            choices: Whether to load what people may choose, too.
            limits: What it takes on, where that is not what a chat needs.
        """
        settings = self.settings
        further = {"limits": limits} if limits else {}
        usual = profile_names(profile or settings.profile)
        with ExitStack() as loaded:
            engines = []
            for name in self._wanted(usual, choices=choices):
                engine = self._load(
                    name, threads or settings.threads or None, settings.int8,
                    device=device, runtime=settings.runtime, warm_up=warm_up, **further,
                )  # fmt: skip
                loaded.callback(engine.close)
                self._named[name] = engine.profile.name
                engines.append(engine)
            if len(engines) == 1:
                yield engines[0]
                return
            engine = together(engines, len(usual), settings.patience)
            loaded.pop_all()  # it closes them
            try:
                yield engine
            finally:
                engine.close()

    def _wanted(self, usual: Sequence[str], *, choices: bool) -> tuple[str, ...]:
        others = [name for name, _ in self.settings.choices] if choices else []
        return tuple(dict.fromkeys([*usual, *others]))

    def capabilities(self, profile: str | None) -> Capabilities:
        """What a profile's model can do, or the settings' one; of several, the first.

        It is not loaded for that.

        Raises:
            ProfileError: There is no such profile, or a mistake in it.
        """
        from model.chat_config import load_chat_kind
        from model.requests import SHORT_ANSWERS

        name, *_ = profile_names(profile or self.settings.profile)
        found = load_chat_kind(name)
        return found.capabilities if found else SHORT_ANSWERS

    def convert_apart(self, profile: str, *, choices: bool = False) -> None:
        """Convert models for OpenVINO in a process of its own, if that was not done yet.

        PyTorch takes half a gigabyte, most of which a process that served on would keep.

        Args:
            profile: Name of a profile, or path of a TOML file, or several.
            choices: Whether to convert what people may choose, too.

        Raises:
            SystemExit: It failed; that process said why.
        """
        if self._load is not load_model:
            return
        for name in self._wanted(profile_names(profile), choices=choices):
            if not needs_conversion_of(name, self.settings):
                continue
            command = [sys.executable, "-m", "bot.cli", "fetch", "--profile", name]
            ended = subprocess.run(
                command, env=dict(self._environment), stdout=subprocess.DEVNULL, check=False
            )
            if ended.returncode:
                raise SystemExit(ended.returncode)

    def prepare_base(self, profile: str, *, merged: bool = False) -> None:
        """Fetch a profile's base weights with progress, and convert the starter's.

        Args:
            profile: Name of a profile, or path of a TOML file, or several.
            merged: They are not needed if what answers is kept with the adapter merged into it.
        """
        settings = self.settings  # which also tell where they are
        with busy("Starting") as progress:
            for name in profile_names(profile):
                prepare(name, settings, progress, merged=merged)


# --- the log of exchanges ----------------------------------------------------------------------


def log_path(settings: Settings) -> Path | None:
    """Where exchanges are kept; None if nowhere."""
    import platformdirs

    if settings.log.lower() == "off":
        return None
    if settings.log:
        return Path(settings.log).expanduser()
    return platformdirs.user_state_path("glimpse") / "log.db"


def key_path(settings: Settings) -> Path:
    """Where the key of hashed names is, if it is not set: apart from the database."""
    import platformdirs

    if settings.log_key_file:
        return Path(settings.log_key_file).expanduser()
    return platformdirs.user_config_path("glimpse") / "log.key"


def check_log(settings: Settings) -> str:
    """See, before the model is loaded, whether the log can be used; what is in the way is said.

    Returns:
        What was said: why it cannot be written now; or "".

    Raises:
        LogError: A newer Glimpse made it.
        LogKeyError: The key of the pictures, or of the hashes, is none.
    """
    from bot.log.recovery import place_trouble
    from bot.log.schema import refuse_newer
    from bot.log.writer import HELD

    path = log_path(settings)
    if path is None:
        return ""
    check_log_keys(settings)
    refuse_newer(path)
    if trouble := place_trouble(path):
        terminal.print_sentence(f"{trouble} {HELD}", logging.ERROR)
    return trouble


def check_log_keys(settings: Settings) -> None:
    """See that the keys of the log are keys, as far as they are there; no new one is made.

    Raises:
        LogKeyError: One is none.
    """
    from bot.log.privacy import PictureCipher, read_key

    if settings.picture_key:
        PictureCipher(settings.picture_key)
    with suppress(OSError):  # without a key nothing is kept, as is said when the log is opened
        if not settings.log_key and key_path(settings).exists():
            read_key(key_path(settings))


@contextmanager
def open_log(
    settings: Settings, engine: LoadedEngine, health: Health | None = None, said: str = ""
) -> Iterator[Recorder]:
    """A recorder that keeps exchanges where the settings say, written to the end on leaving.

    A log that cannot be used is said once, and the recorder then keeps nothing, or nothing yet.

    Args:
        settings: Where, and for how long.
        engine: What answers.
        health: Is told of the log.
        said: What `check_log` said.

    Raises:
        LogKeyError: The key of the pictures, or of the hashes, is none.
    """
    from bot.assistant.privacy import Recorder
    from bot.health import Health
    from bot.log import Log, ModelVersion
    from bot.log.privacy import PictureCipher, read_key
    from bot.version import adapter_version

    path, health = log_path(settings), health or Health()
    if path is None:
        health.without_log(LOG_OFF, ok=True)
        yield Recorder()
        return
    try:
        key = read_key(key_path(settings), settings.log_key)
    except OSError as error:
        place, reason = key_path(settings), error.strerror or type(error).__name__
        _log.error("%s (%s: %s)", NO_LOG_KEY, place, reason)
        health.without_log(NO_LOG_KEY)
        yield Recorder()
        return
    profiles = getattr(engine, "profiles", {engine.profile.name: engine.profile})
    folders = {name: getattr(each, "adapter_folder", None) for name, each in profiles.items()}
    models = {
        name: ModelVersion(name, adapter_version(folder) if isinstance(folder, Path) else "")
        for name, folder in folders.items()
    }
    cipher = PictureCipher(settings.picture_key) if settings.picture_key else None
    log = Log(
        path, key, models[engine.profile.name], settings.log_days, cipher, said=said,
        others=[*models.values()],
    )  # fmt: skip
    health.log = log.writer
    try:
        yield Recorder(log)
    finally:
        log.close()


# --- options that commands share ---------------------------------------------------------------


def standard(command: Command) -> Command:
    """Add the options that every command has."""
    verbose = click.option(
        "-v",
        "--verbose",
        is_flag=True,
        expose_value=False,
        callback=_on_verbose,
        help="Also show warnings and the causes of errors.",
    )
    debug = click.option(
        "--debug",
        is_flag=True,
        expose_value=False,
        callback=_on_debug,
        help="Show everything, for reporting a mistake in Glimpse.",
    )
    return verbose(debug(command))


data_option = click.option(
    "--data",
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder that the recipe's files are in.",
)

profile_option = click.option(
    "--profile",
    metavar="NAME",
    help="Which model: a name, or the path of a TOML file; of several, with commas between them, "
    "the first that can answers. [default: starter]",
)


def _on_verbose(context: click.Context, _option: click.Parameter, chosen: bool) -> None:
    if chosen:
        context.ensure_object(AppContext).verbose = True
        terminal.set_log_level(logging.WARNING)


def _on_debug(context: click.Context, _option: click.Parameter, chosen: bool) -> None:
    if chosen:
        context.ensure_object(AppContext).debug_on()
