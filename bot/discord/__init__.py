"""Discord, by discord.py: messages and commands become `Incoming`, replies become messages.

`messages` tells what a message holds, whether the bot is meant, and finds pictures; `handlers`
puts what people write, choose and press to the assistant; `commands` are what they can choose;
`sender` says what it replied, with buttons; `bot` is the connection, and runs it all.
"""

import warnings

with warnings.catch_warnings():
    # For voice, which is not used here.
    warnings.filterwarnings("ignore", "'audioop' is deprecated", DeprecationWarning)
    import discord as _discord  # noqa: F401
