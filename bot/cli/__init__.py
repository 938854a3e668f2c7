"""The command line: one group of commands a file, nothing heavy imported before it is needed."""

from bot.cli.main import main

__all__ = ["main"]
