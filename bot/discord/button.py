"""The buttons under an answer, which work for as long as what they are about can be found."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import discord

from bot.assistant.types import Button

_ABOUT_PICTURES = frozenset({"/caption", "/retry"})


class Place(NamedTuple):
    """Where a picture was shown.

    Attributes:
        channel: Of the message that shows it; 0 for a file given to a command.
        message: The message, or that file.
    """

    channel: int
    message: int


class ActionButton(
    discord.ui.DynamicItem[discord.ui.Button[Any]],
    template=r"glimpse:(?P<action>[^:]+)(?::(?P<channel>\d+):(?P<message>\d+))?",
):
    """Does something; all it needs is part of its name, so that a restart does no harm.

    Args:
        action: The text that pressing it stands for.
        place: The picture that it is about, if it is about one.
        label: The words on it.
        emoji: The emoji on it.
    """

    def __init__(
        self,
        action: str,
        place: Place | None = None,
        label: str | None = None,
        emoji: discord.PartialEmoji | str | None = None,
    ) -> None:
        # At most 91 of the 100 characters that Discord keeps.
        name = ":".join(["glimpse", action.removeprefix("/"), *map(str, place or ())])
        super().__init__(discord.ui.Button(label=label, emoji=emoji, custom_id=name))
        self.action, self.place = action, place

    @classmethod
    async def from_custom_id(
        cls,
        interaction: discord.Interaction[Any],
        item: discord.ui.Item[Any],
        match: re.Match[str],
        /,
    ) -> ActionButton:
        """Read the name."""
        assert isinstance(item, discord.ui.Button)
        place = Place(int(match["channel"]), int(match["message"])) if match["channel"] else None
        return cls(f"/{match['action']}", place, item.label, item.emoji)

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Hand on that it was pressed."""
        await interaction.client.talk.on_press(interaction, self.action, self.place)


def buttons(offered: tuple[Button, ...], place: Place | None) -> list[ActionButton]:
    """What the assistant offers, as far as it can be done without knowing the picture."""
    made = []
    for button in offered:
        about = button.action in _ABOUT_PICTURES
        if about and place is None:
            continue
        label, emoji = (None, button.label) if button.name else (button.label, None)
        made.append(ActionButton(button.action, place if about else None, label, emoji))
    return made
