"""The commands people can choose: after a slash, and in the menu of a message, in each language."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import discord
from discord import app_commands

from bot.assistant.intents import MAX_CHARACTERS
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

_FORM = re.compile(r"glimpse-ask:(\d+):(\d+)")  # its name, with the place of the message
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
        await handlers.on_command(interaction, Caption(), attached(image), image.id)

    return Command(name="caption", description=_text("command_caption"), callback=caption)


def _ask(handlers: DiscordHandlers) -> Command:
    @app_commands.describe(question=_text("command_question"), image=_text("command_image"))
    async def ask(
        interaction: Interaction,
        question: app_commands.Range[str, 1, MAX_CHARACTERS],
        image: discord.Attachment | None = None,
    ) -> None:
        given = (attached(image), image.id) if image else ()
        await handlers.on_command(interaction, Ask(question), *given)

    return Command(name="ask", description=_text("command_ask"), callback=ask)


def _plain(name: str, handlers: DiscordHandlers, action: Action, *, ephemeral: bool) -> Command:
    async def plain(interaction: Interaction) -> None:
        await handlers.on_command(interaction, action, ephemeral=ephemeral)

    return Command(name=name, description=_text(f"command_{name}"), callback=plain)


def _menus(handlers: DiscordHandlers) -> list[app_commands.ContextMenu]:
    async def describe(interaction: Interaction, message: discord.Message) -> None:
        await handlers.on_menu(interaction, Caption(), message)

    async def ask(interaction: Interaction, message: discord.Message) -> None:
        if await handlers.on_form_wanted(interaction, message):
            form = _QuestionForm(handlers.texts(interaction), Place.of(message))
            await interaction.response.send_modal(form)
        else:
            await handlers.on_menu(interaction, Ask(""), message)

    async def alt(interaction: Interaction, message: discord.Message) -> None:
        await handlers.on_menu(interaction, Caption(), message, alt=True)

    return [
        app_commands.ContextMenu(name=_text("command_describe_menu"), callback=describe),
        app_commands.ContextMenu(name=_text("command_ask_menu"), callback=ask),
        app_commands.ContextMenu(name=_text("command_alt_menu"), callback=alt),
    ]


class _QuestionForm(discord.ui.Modal):
    """Asks for the question about a message's pictures.

    All that `on_form` needs is its name, so that it may be open while the bot is started anew.
    """

    def __init__(self, texts: Texts, place: Place) -> None:
        name = f"glimpse-ask:{place.channel}:{place.message}"
        super().__init__(title=texts.command_ask_menu, custom_id=name)
        field: discord.ui.TextInput[Any] = discord.ui.TextInput(
            max_length=MAX_CHARACTERS, custom_id="question"
        )
        self.add_item(discord.ui.Label(text=texts.command_question, component=field))
        self.stop()  # the library need not keep it in mind


async def on_form(interaction: Interaction, handlers: DiscordHandlers) -> None:
    """Hand on the question of a form that was filled in."""
    data: Any = interaction.data or {}
    name = _FORM.fullmatch(data.get("custom_id", ""))
    if name:
        question = next(_typed(data.get("components", [])), "")
        await handlers.on_form(interaction, question, Place(int(name[1]), int(name[2])))


def _typed(components: list[Any]) -> Iterator[str]:
    """What somebody typed into the fields of a form."""
    for each in components:
        inner = each.get("components", []) + ([each["component"]] if "component" in each else [])
        yield from _typed(inner)
        if each.get("custom_id") == "question":
            yield str(each.get("value") or "")


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
