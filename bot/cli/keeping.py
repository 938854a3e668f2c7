"""Opening the log for as long as a command runs."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bot.settings import Settings
from bot.version import adapter_version

if TYPE_CHECKING:
    from bot.assistant.diary import Diary
    from bot.cli.context import LoadedEngine
    from bot.health import Health

NONE = "off"
_OFF = "No exchange is kept, for GLIMPSE_LOG is off."
_NO_KEY = (
    "No exchange is kept, for the key of hashed names can be neither read nor made; make its "
    "folder writable, or set GLIMPSE_LOG_KEY."
)

_log = logging.getLogger(__name__)


def log_path(settings: Settings) -> Path | None:
    """Where exchanges are kept; None if nowhere."""
    import platformdirs

    if settings.log.lower() == NONE:
        return None
    if settings.log:
        return Path(settings.log).expanduser()
    return platformdirs.user_state_path("glimpse") / "log.db"


def key_path() -> Path:
    """Where the key of hashed names is, if it is not set: apart from the database."""
    import platformdirs

    return platformdirs.user_config_path("glimpse") / "log.key"


def check_log(settings: Settings) -> None:
    """See, before the model is loaded, whether the log is one that this Glimpse understands.

    Raises:
        LogError: A newer Glimpse made it.
    """
    from bot.log.schema import refuse_newer

    if path := log_path(settings):
        refuse_newer(path)


@contextmanager
def kept(settings: Settings, engine: LoadedEngine, health: Health | None = None) -> Iterator[Diary]:
    """A diary that keeps exchanges where the settings say, written to the end on leaving.

    A log that cannot be used is said once, and the diary then keeps nothing, or nothing yet.

    Args:
        settings: Where, and for how long.
        engine: What answers.
        health: Is told of the log.

    Raises:
        KeyUnusableError: The key of the pictures, or of the hashes, is none.
    """
    from bot.assistant.diary import Diary
    from bot.health import Health
    from bot.log import Log, Made
    from bot.log.pictures import PictureCipher
    from bot.log.privacy import read_key

    path, health = log_path(settings), health or Health()
    if path is None:
        health.without_log(_OFF, ok=True)
        yield Diary()
        return
    try:
        key = read_key(key_path(), settings.log_key)
    except OSError as error:
        _log.error("%s (%s: %s)", _NO_KEY, key_path(), error.strerror or type(error).__name__)
        health.without_log(_NO_KEY)
        yield Diary()
        return
    made = Made(engine.profile.name, _version(engine))
    cipher = PictureCipher(settings.picture_key) if settings.picture_key else None
    health.log = log = Log(path, key, made, settings.log_days, cipher)
    try:
        yield Diary(log)
    finally:
        log.close()


def _version(engine: LoadedEngine) -> str:
    """Names the adapter by its weights; "" if that cannot be told."""
    folder = getattr(engine.profile, "adapter_folder", None)
    return adapter_version(folder) if isinstance(folder, Path) else ""
