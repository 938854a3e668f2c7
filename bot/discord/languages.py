"""What people's devices speak, as far as Discord tells, and the commands' names in it."""

from __future__ import annotations

from typing import Any

import discord
from discord import app_commands

from bot.assistant.locale.languages import spoken
from bot.assistant.locale.texts import ENGLISH
from bot.assistant.recent import Recent

_UNSAID = "en-US"  # of a server whose owner chose nothing


class Locales:
    """Remembers the languages that come with commands, since messages come with none."""

    def __init__(self) -> None:
        self._heard: Recent[int, str] = Recent()

    def of_interaction(self, interaction: discord.Interaction[Any]) -> str:
        """The language of the device on which somebody chose or pressed something."""
        self._heard[interaction.user.id] = language = str(interaction.locale)
        return language

    def of_message(self, message: discord.Message) -> str:
        """The language of a person who writes, else of the server, else ""."""
        if heard := self._heard.get(message.author.id):
            return heard
        server = str(message.guild.preferred_locale) if message.guild else _UNSAID
        return "" if server == _UNSAID else server

    def forget(self, user: str) -> None:
        """Forget what a person's device speaks."""
        self._heard.pop(int(user), None)


def say(field: str) -> app_commands.locale_str:
    """A text of the catalogues, for Discord to choose by each person's language."""
    return app_commands.locale_str(getattr(ENGLISH, field), field=field)


class Translator(app_commands.Translator):
    """Tells Discord the texts of all catalogues."""

    async def translate(
        self,
        string: app_commands.locale_str,
        locale: discord.Locale,
        context: app_commands.TranslationContextTypes,
    ) -> str | None:
        """The text in a language, None where it is English."""
        texts, field = spoken(str(locale)), string.extras.get("field")
        return None if field is None or texts is ENGLISH else str(getattr(texts, field))
