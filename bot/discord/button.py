"""The button under an answer, which works for as long as the picture can be found."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import discord


class Place(NamedTuple):
    """Where a picture was shown.

    Attributes:
        channel: Of the message that shows it; 0 for a file given to a command.
        message: The message, or that file.
    """

    channel: int
    message: int


class CaptionButton(
    discord.ui.DynamicItem[discord.ui.Button[Any]],
    template=r"glimpse:caption:(?P<channel>\d+):(?P<message>\d+)",
):
    """Asks for a caption; what it is about is part of its name, so that a restart does no harm.

    Args:
        label: What is written on it.
        place: The picture.
    """

    def __init__(self, label: str, place: Place) -> None:
        name = f"glimpse:caption:{place.channel}:{place.message}"
        super().__init__(discord.ui.Button(label=label, custom_id=name))
        self.place = place

    @classmethod
    async def from_custom_id(
        cls,
        interaction: discord.Interaction[Any],
        item: discord.ui.Item[Any],
        match: re.Match[str],
        /,
    ) -> CaptionButton:
        """Read the name."""
        label = item.label if isinstance(item, discord.ui.Button) else None
        return cls(label or "", Place(int(match["channel"]), int(match["message"])))

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Hand on that it was pressed."""
        await interaction.client.talk.on_press(interaction, self.place)
