"""Discord, by discord.py: messages and commands become `Incoming`, replies become messages.

`reading` tells what a message holds and whether the bot is meant, `files` fetches pictures,
`talking` takes what people write, choose and press, `asking` puts it to the assistant, `subjects`
keeps in mind what each answer is about, `answers` and `sending` say it, `commands`, `button` and
`pressing` are what people can choose and press, and `serving` runs it all.
"""

import warnings

with warnings.catch_warnings():
    # For voice, which is not used here.
    warnings.filterwarnings("ignore", "'audioop' is deprecated", DeprecationWarning)
    import discord as _discord  # noqa: F401
