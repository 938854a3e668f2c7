"""The commands people can choose: after a slash, and in the menu of a message."""

from __future__ import annotations

from typing import Any

import discord
from discord import app_commands

from bot.discord.button import Place
from bot.discord.reading import Found, attached
from bot.discord.talking import Talk
from bot.texts import Texts

LONGEST_QUESTION = 500  # characters that the field takes
_ASIDE = ("help", "forget", "privacy")  # answered for the person's eyes only
Interaction = discord.Interaction[Any]


def add_commands(tree: app_commands.CommandTree[Any], talk: Talk, texts: Texts) -> None:
    """Tell the tree every command."""
    tree.add_command(_caption(talk, texts))
    tree.add_command(_ask(talk, texts))
    for name in _ASIDE:
        tree.add_command(_aside(name, talk, texts))
    for menu in _menus(talk, texts):
        tree.add_command(menu)


def _caption(talk: Talk, texts: Texts) -> app_commands.Command[Any, Any, Any]:
    @app_commands.describe(image=texts.command_image)
    async def caption(interaction: Interaction, image: discord.Attachment) -> None:
        await talk.on_command(interaction, "/caption", [attached(image)], Place(0, image.id))

    return app_commands.Command(name="caption", description=texts.command_caption, callback=caption)


def _ask(talk: Talk, texts: Texts) -> app_commands.Command[Any, Any, Any]:
    @app_commands.describe(question=texts.command_question, image=texts.command_image)
    async def ask(
        interaction: Interaction, question: str, image: discord.Attachment | None = None
    ) -> None:
        found = [attached(image)] if image else []
        place = Place(0, image.id) if image else None
        await talk.on_command(interaction, f"/ask {question}", found, place)

    return app_commands.Command(name="ask", description=texts.command_ask, callback=ask)


def _aside(name: str, talk: Talk, texts: Texts) -> app_commands.Command[Any, Any, Any]:
    async def aside(interaction: Interaction) -> None:
        await talk.on_command(interaction, f"/{name}", ephemeral=True)

    description = getattr(texts, f"command_{name}")
    return app_commands.Command(name=name, description=description, callback=aside)


def _menus(talk: Talk, texts: Texts) -> list[app_commands.ContextMenu]:
    async def describe(interaction: Interaction, message: discord.Message) -> None:
        place = Place(message.channel.id, message.id)
        await talk.on_command(interaction, "/caption", talk.finder.pictures_in(message), place)

    async def ask(interaction: Interaction, message: discord.Message) -> None:
        place = Place(message.channel.id, message.id)
        found = talk.finder.pictures_in(message)
        if found:
            await interaction.response.send_modal(_Question(talk, texts, found, place))
        else:
            await talk.on_command(interaction, "/ask", found, place)

    return [
        app_commands.ContextMenu(name=texts.command_describe_menu, callback=describe),
        app_commands.ContextMenu(name=texts.command_ask_menu, callback=ask),
    ]


class _Question(discord.ui.Modal):
    """Asks for the question about a message's pictures."""

    def __init__(self, talk: Talk, texts: Texts, found: list[Found], place: Place) -> None:
        super().__init__(title=texts.command_ask_menu)
        self._talk, self._found, self._place = talk, found, place
        self._field: discord.ui.TextInput[Any] = discord.ui.TextInput(
            max_length=LONGEST_QUESTION, custom_id="question"
        )
        self.add_item(discord.ui.Label(text=texts.command_question, component=self._field))

    async def on_submit(self, interaction: Interaction) -> None:
        words = f"/ask {self._field.value}"
        await self._talk.on_command(interaction, words, self._found, self._place)
