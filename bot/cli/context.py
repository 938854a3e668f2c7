"""What every command works with: settings, common options, and an engine when one is needed."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar, cast

import click

from bot.assistant.types import AnswersPictures
from bot.cli import terminal
from bot.cli.log_format import JSON, TEXT
from bot.settings import Settings, load_settings

if TYPE_CHECKING:
    from bot.assistant.assistant import Assistant
    from bot.assistant.diary import Diary
    from bot.assistant.types import Measures

Command = TypeVar("Command", bound=Callable[..., object])


class _Named(Protocol):
    @property
    def name(self) -> str: ...


class LoadedEngine(AnswersPictures, Protocol):
    """The part of `model.engine.Engine` that commands use."""

    @property
    def profile(self) -> _Named:
        """What the model is."""
        ...

    def refuse_waiting(self) -> int:
        """Refuse what is queued, and everything later; tells how many."""
        ...

    def close(self) -> None:
        """Finish what is queued, and stop."""
        ...


Load = Callable[[str, int | None, bool], LoadedEngine]


class Desk:
    """Settings and the engine of one run.

    Args:
        load: Takes a profile, a number of threads (None: any) and whether to quantize; gives an
            engine.
        environment: Where settings come from.

    Attributes:
        debug: Show where errors come from.
    """

    def __init__(
        self, load: Load | None = None, environment: Mapping[str, str] = os.environ
    ) -> None:
        self._load = load or load_model
        self._environment = environment
        self.debug = False

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
        terminal.choose(settings.log_format, secrets)
        os.environ.update(settings.environment())
        if settings.debug:
            self.debug_on()
        return settings

    def assistant(
        self, engine: AnswersPictures, diary: Diary, measures: Measures | None = None
    ) -> Assistant:
        """The assistant of the bots, with the settings' lists and limits."""
        from bot.assistant.access import Access
        from bot.assistant.assistant import Assistant
        from bot.assistant.limits import Limits, LimitSettings, Rate

        chosen = self.settings
        lists = (chosen.allowed_users, chosen.allowed_chats, chosen.admins)
        limits = LimitSettings(default=Rate(chosen.per_minute, chosen.per_day))
        access = Access(*map(frozenset, lists))
        return Assistant(
            engine, limits=Limits(limits), access=access, diary=diary, measures=measures
        )

    def debug_on(self) -> None:
        """Log everything, and show where errors come from."""
        self.debug = True
        terminal.speak(logging.DEBUG)

    @contextmanager
    def engine(
        self, profile: str | None = None, threads: int | None = None
    ) -> Iterator[LoadedEngine]:
        """Load an engine, by the settings where nothing is given, and close it in the end."""
        settings = self.settings
        engine = self._load(
            profile or settings.profile, threads or settings.threads or None, settings.int8
        )
        try:
            yield engine
        finally:
            engine.close()


def load_model(profile: str, threads: int | None, int8: bool) -> LoadedEngine:
    """Load the real engine, showing what takes time."""
    with busy("Starting"):  # importing PyTorch alone takes seconds
        from model.engine import load_engine
    prepare_base(profile, merged=int8)
    with busy("Loading the model"):
        engine = load_engine(profile, threads=threads, int8=int8)
    return cast(LoadedEngine, engine)  # a Future of an Answer is no Future of a ModelAnswer to mypy


def prepare_base(profile: str, *, merged: bool = False) -> None:
    """Fetch and convert the starter's base weights, with progress, if the profile needs them.

    Args:
        profile: Name of a profile, or path of a TOML file.
        merged: The language model is not needed if it is kept with the adapter merged into it.
    """
    with busy("Starting"):
        from model.config import STARTER_WHEEL, load_profile
        from model.pretrained import starter_language_model, starter_tower
        from model.quantised import is_cached
    chosen = load_profile(profile)
    if chosen.language.source == STARTER_WHEEL and not (merged and is_cached(chosen)):
        starter_language_model()
    if chosen.tower.source == STARTER_WHEEL:
        starter_tower()


@contextmanager
def busy(title: str) -> Iterator[None]:
    """Show on a terminal that something is going on."""
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal or terminal.is_json():
        yield
        return
    with console.status(f"{title}..."):
        yield


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
    help="Which model: a name, or the path of a TOML file. [default: starter]",
)


def _on_verbose(_context: click.Context, _option: click.Parameter, chosen: bool) -> None:
    if chosen:
        terminal.speak(logging.WARNING)


def _on_debug(context: click.Context, _option: click.Parameter, chosen: bool) -> None:
    if chosen:
        context.ensure_object(Desk).debug_on()
