"""What can go wrong in `bot`, and one plain sentence for any error, also those of other packages.

The text of each error here, and of each package's base, is a sentence that a person can read: what
went wrong and what to do. Nothing heavy is imported for it.
"""

from __future__ import annotations

import errno
import os
import sqlite3

from data.errors import DataError
from finetune.errors import FinetuneError
from model.errors import ModelError
from model.libraries import missing_library

NO_LIBRARY = (
    "{library} is not installed here, and this needs it; run it where Glimpse was installed with "
    "make setup."
)
UNKNOWN = "Something went wrong inside Glimpse; --verbose shows the cause."


class GlimpseError(Exception):
    """The base of all errors of this package."""


class CommandError(GlimpseError):
    """A command that cannot go on.

    Args:
        sentence: What went wrong and what to do.
        status: The exit status.
    """

    def __init__(self, sentence: str, status: int = 1) -> None:
        super().__init__(sentence)
        self.status = status


class SettingsError(GlimpseError):
    """A setting that cannot be used."""


class PlatformError(GlimpseError):
    """A platform refuses the bot for good, a wrong token say, or the page cannot be served."""


class ServerError(PlatformError):
    """An address that cannot be listened on."""


class LogError(GlimpseError):
    """A log that cannot be used."""


class OlderLogError(LogError):
    """A log of an older Glimpse, which writing brings up to date."""


class LogKeyError(GlimpseError):
    """A key of hashed names or of encrypted pictures that is none, or does not fit."""


_FORESEEN = (GlimpseError, ModelError, DataError, FinetuneError)


def error_sentence(error: BaseException) -> str | None:
    """The sentence of an error that was foreseen, else None."""
    if isinstance(error, _FORESEEN):
        return str(error)
    if library := missing_library(error):
        return NO_LIBRARY.format(library=library)
    if isinstance(error, MemoryError):
        return "There is not enough memory; close other programs and try again."
    if isinstance(error, OSError):
        return _system_sentence(error)
    if isinstance(error, sqlite3.Error):
        return _database_sentence(str(error))
    return None


def _system_sentence(error: OSError) -> str | None:
    """What the system says of a file, where that is foreseen."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "The disk is full; make room and try again."
    if error.errno and error.filename:
        return f"{error.filename} cannot be used: {os.strerror(error.errno).lower()}."
    return None


def _database_sentence(said: str) -> str | None:
    """What SQLite says of the log, where that is foreseen."""
    if "malformed" in said:
        return "The log is damaged; put it aside, and start again or from a backup."
    return "Another program holds the log; try again." if "locked" in said else None
