"""Telegram, by python-telegram-bot: messages become `Incoming`, replies become messages.

`reading` tells what a message holds and whether the bot is meant, `files` fetches pictures,
`albums` gathers those that belong together, `talking` puts them to the assistant, `sending` says
what it replied, and `serving` runs it all.
"""

import os

# python-telegram-bot's coming way to tell times; its old one warns at every use.
os.environ.setdefault("PTB_TIMEDELTA", "1")
