"""The commands people can choose: after a slash, and in the menu of a message."""

from __future__ import annotations

from typing import Any

import discord
from discord import app_commands

from bot.assistant.locale.texts import Texts
from bot.discord.button import Place
from bot.discord.handlers import Talk
from bot.discord.languages import say
from bot.discord.messages import Found, attached

LONGEST_QUESTION = 500  # characters that the field takes
_PLAIN = {"retry": False, "help": True, "forget": True, "privacy": True, "settings": True}
Interaction = discord.Interaction[Any]


def add_commands(tree: app_commands.CommandTree[Any], talk: Talk) -> None:
    """Tell the tree every command."""
    tree.add_command(_caption(talk))
    tree.add_command(_ask(talk))
    for name, ephemeral in _PLAIN.items():
        tree.add_command(_plain(name, talk, ephemeral=ephemeral))
    for menu in _menus(talk):
        tree.add_command(menu)


def _caption(talk: Talk) -> app_commands.Command[Any, Any, Any]:
    @app_commands.describe(image=say("command_image"))
    async def caption(interaction: Interaction, image: discord.Attachment) -> None:
        await talk.on_command(interaction, "/caption", [attached(image)], Place(0, image.id))

    return app_commands.Command(
        name="caption", description=say("command_caption"), callback=caption
    )


def _ask(talk: Talk) -> app_commands.Command[Any, Any, Any]:
    @app_commands.describe(question=say("command_question"), image=say("command_image"))
    async def ask(
        interaction: Interaction, question: str, image: discord.Attachment | None = None
    ) -> None:
        found = [attached(image)] if image else []
        place = Place(0, image.id) if image else None
        await talk.on_command(interaction, f"/ask {question}", found, place)

    return app_commands.Command(name="ask", description=say("command_ask"), callback=ask)


def _plain(name: str, talk: Talk, *, ephemeral: bool) -> app_commands.Command[Any, Any, Any]:
    """A command without a picture; `ephemeral` answers for the person's eyes only."""

    async def plain(interaction: Interaction) -> None:
        await talk.on_command(interaction, f"/{name}", ephemeral=ephemeral)

    return app_commands.Command(name=name, description=say(f"command_{name}"), callback=plain)


def _menus(talk: Talk) -> list[app_commands.ContextMenu]:
    async def describe(interaction: Interaction, message: discord.Message) -> None:
        found, place = talk.finder.pictures_in(message), _place(message)
        await talk.on_command(interaction, "/caption", found, place)

    async def ask(interaction: Interaction, message: discord.Message) -> None:
        found, place = talk.finder.pictures_in(message), _place(message)
        if found:
            question = _Question(talk, talk.texts(interaction), found, place)
            await interaction.response.send_modal(question)
        else:
            await talk.on_command(interaction, "/ask", found, place)

    async def alt(interaction: Interaction, message: discord.Message) -> None:
        found, place = talk.finder.pictures_in(message), _place(message)
        await talk.on_command(interaction, "/caption", found, place, ephemeral=True, alt=True)

    return [
        app_commands.ContextMenu(name=say("command_describe_menu"), callback=describe),
        app_commands.ContextMenu(name=say("command_ask_menu"), callback=ask),
        app_commands.ContextMenu(name=say("command_alt_menu"), callback=alt),
    ]


def _place(message: discord.Message) -> Place:
    return Place(message.channel.id, message.id)


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
