"""Telegram, by python-telegram-bot: messages become `Incoming`, replies become messages.

`reading` tells what a message holds and whether the bot is meant, `files` and `pictures` fetch what
it shows, `albums` gathers what belongs together, `talking` puts it to the assistant, `sending` says
what it replied, and `notices` what is said before. `subjects` remembers what answers were about,
for `pressing` their buttons. `client` is the connection, `menu` the commands, and `serving` runs it
all, by long polling or a `webhook`.
"""

import os

# python-telegram-bot's coming way to tell times; its old one warns at every use.
os.environ.setdefault("PTB_TIMEDELTA", "1")
