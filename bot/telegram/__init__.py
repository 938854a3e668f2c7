"""Telegram, by python-telegram-bot: messages become `Incoming`, replies become messages.

`messages` tells what a message holds, whether the bot is meant, and fetches pictures; `handlers`
puts what people write and press to the assistant; `sender` says what it replied; `bot` is the
connection, and runs it all by long polling or a webhook.
"""

import os

# python-telegram-bot's coming way to tell times; its old one warns at every use.
os.environ.setdefault("PTB_TIMEDELTA", "1")
