"""Every exchange in SQLite: people by keyed hashes, pictures only of who allows it."""

from bot.log.log import Log
from bot.log.records import Record
from bot.log.schema import LogError
from bot.log.store import Erased, Made
from bot.log.wishes import Kept

__all__ = ["Erased", "Kept", "Log", "LogError", "Made", "Record"]
