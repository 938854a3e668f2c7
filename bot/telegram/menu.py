"""The menus of commands, in every language that the bot speaks."""

from __future__ import annotations

import logging

from telegram import Bot, BotCommand, BotCommandScopeAllGroupChats, BotCommandScopeDefault
from telegram.error import TelegramError

from bot.assistant.locale.languages import CATALOGUES
from bot.assistant.locale.texts import ENGLISH
from bot.telegram.messages import COMMANDS

_log = logging.getLogger(__name__)


async def tell_commands(bot: Bot) -> None:
    """Fill the menus of commands; not worth failing for."""
    try:
        for code, texts in CATALOGUES.items():
            spoken = None if texts is ENGLISH else code  # English is for all others, too
            menu = [BotCommand(name, getattr(texts, f"command_{name}")) for name in COMMANDS]
            short = [command for command in menu if command.command != "start"]
            await bot.set_my_commands(menu, BotCommandScopeDefault(), language_code=spoken)
            await bot.set_my_commands(short, BotCommandScopeAllGroupChats(), language_code=spoken)
    except TelegramError as error:
        _log.warning("Cannot set the menu of commands: %s", type(error).__name__)
