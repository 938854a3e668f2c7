"""Opening the log for as long as a command runs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bot.settings import Settings

if TYPE_CHECKING:
    from bot.cli.desk import LoadedEngine
    from bot.diary import Diary

NONE = "off"


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


@contextmanager
def kept(settings: Settings, engine: LoadedEngine) -> Iterator[Diary]:
    """A diary that keeps exchanges where the settings say, written to the end on leaving.

    Raises:
        KeyUnusableError: The key of the pictures is none.
        OSError: The key of the hashes cannot be read or made.
    """
    from bot.diary import Diary
    from bot.log import Log, Made
    from bot.log.hashing import read_key
    from bot.log.pictures import PictureCipher

    path = log_path(settings)
    if path is None:
        yield Diary()
        return
    key = read_key(key_path(), settings.log_key)
    made = Made(engine.profile.name, _version(engine))
    cipher = PictureCipher(settings.picture_key) if settings.picture_key else None
    log = Log(path, key, made, settings.log_days, cipher)
    try:
        yield Diary(log)
    finally:
        log.close()


def _version(engine: LoadedEngine) -> str:
    """Names the adapter by its weights; "" if that cannot be told."""
    folder = getattr(engine.profile, "adapter_folder", None)
    weights = folder / "prefix.safetensors" if isinstance(folder, Path) else None
    if weights is None or not weights.is_file():
        return ""
    with weights.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:12]
