"""Every exchange in SQLite: people by keyed hashes, pictures only of who allows it."""

from bot.log.consent import Kept
from bot.log.log import Log
from bot.log.records import Record
from bot.log.schema import LogError
from bot.log.store import Erased, Made

__all__ = ["Erased", "Kept", "Log", "LogError", "Made", "Record"]
