"""Lets `python -m bot.cli` do what `glimpse` does."""

import sys

from bot.cli.main import main

sys.exit(main())
