"""Every exchange in SQLite: who wrote it reads the rows, never a person's name or picture."""

from bot.log.records import Record
from bot.log.schema import LogError
from bot.log.store import Erased, Made
from bot.log.wishes import Kept
from bot.log.writer import Log

__all__ = ["Erased", "Kept", "Log", "LogError", "Made", "Record"]
