"""The command line: one command a file, and nothing heavy imported before it is needed."""

from bot.cli.main import main

__all__ = ["main"]
