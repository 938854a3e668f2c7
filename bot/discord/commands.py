"""The commands people can choose: after a slash, and in the menu of a message, in each language."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import discord
from discord import app_commands

from bot.assistant.locale import spoken
from bot.assistant.locale.texts import ENGLISH, Texts
from bot.assistant.types import (
    Action,
    Ask,
    Caption,
    ChooseSettings,
    Forget,
    Help,
    Privacy,
    Retry,
)
from bot.discord.handlers import DiscordHandlers
from bot.discord.messages import Place, attached
from bot.platforms import SharedFile

LONGEST_QUESTION = 500  # characters that the field takes
# Commands without a picture, and whether nobody else is to see the answer.
_PLAIN: dict[str, tuple[Callable[[], Action], bool]] = {
    "retry": (Retry, False),
    "help": (Help, True),
    "forget": (Forget, True),
    "privacy": (Privacy, True),
    "settings": (ChooseSettings, True),
}
Interaction = discord.Interaction[Any]
Command = app_commands.Command[Any, Any, Any]


def add_commands(tree: app_commands.CommandTree[Any], handlers: DiscordHandlers) -> None:
    """Tell the tree every command."""
    tree.add_command(_caption(handlers))
    tree.add_command(_ask(handlers))
    for name, (action, ephemeral) in _PLAIN.items():
        tree.add_command(_plain(name, handlers, action(), ephemeral=ephemeral))
    for menu in _menus(handlers):
        tree.add_command(menu)


def _caption(handlers: DiscordHandlers) -> Command:
    @app_commands.describe(image=_text("command_image"))
    async def caption(interaction: Interaction, image: discord.Attachment) -> None:
        await handlers.on_command(interaction, Caption(), [attached(image)], Place(0, image.id))

    return Command(name="caption", description=_text("command_caption"), callback=caption)


def _ask(handlers: DiscordHandlers) -> Command:
    @app_commands.describe(question=_text("command_question"), image=_text("command_image"))
    async def ask(
        interaction: Interaction, question: str, image: discord.Attachment | None = None
    ) -> None:
        files = [attached(image)] if image else []
        place = Place(0, image.id) if image else None
        await handlers.on_command(interaction, Ask(question), files, place)

    return Command(name="ask", description=_text("command_ask"), callback=ask)


def _plain(name: str, handlers: DiscordHandlers, action: Action, *, ephemeral: bool) -> Command:
    async def plain(interaction: Interaction) -> None:
        await handlers.on_command(interaction, action, ephemeral=ephemeral)

    return Command(name=name, description=_text(f"command_{name}"), callback=plain)


def _menus(handlers: DiscordHandlers) -> list[app_commands.ContextMenu]:
    async def describe(interaction: Interaction, message: discord.Message) -> None:
        files = handlers.finder.pictures_in(message)
        await handlers.on_command(interaction, Caption(), files, Place.of(message))

    async def ask(interaction: Interaction, message: discord.Message) -> None:
        files, place = handlers.finder.pictures_in(message), Place.of(message)
        if files:
            question = _QuestionForm(handlers, handlers.texts(interaction), files, place)
            await interaction.response.send_modal(question)
        else:
            await handlers.on_command(interaction, Ask(""), files, place)

    async def alt(interaction: Interaction, message: discord.Message) -> None:
        files, place = handlers.finder.pictures_in(message), Place.of(message)
        await handlers.on_command(interaction, Caption(), files, place, ephemeral=True, alt=True)

    return [
        app_commands.ContextMenu(name=_text("command_describe_menu"), callback=describe),
        app_commands.ContextMenu(name=_text("command_ask_menu"), callback=ask),
        app_commands.ContextMenu(name=_text("command_alt_menu"), callback=alt),
    ]


class _QuestionForm(discord.ui.Modal):
    """Asks for the question about a message's pictures."""

    def __init__(
        self, handlers: DiscordHandlers, texts: Texts, files: list[SharedFile], place: Place
    ) -> None:
        super().__init__(title=texts.command_ask_menu)
        self._handlers, self._files, self._place = handlers, files, place
        self._field: discord.ui.TextInput[Any] = discord.ui.TextInput(
            max_length=LONGEST_QUESTION, custom_id="question"
        )
        self.add_item(discord.ui.Label(text=texts.command_question, component=self._field))

    async def on_submit(self, interaction: Interaction) -> None:
        await self._handlers.on_command(
            interaction, Ask(self._field.value), self._files, self._place
        )


# --- languages ------------------------------------------------------------------------------------


def _text(field: str) -> app_commands.locale_str:
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
