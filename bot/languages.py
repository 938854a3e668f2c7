"""Which catalogue of texts a person gets."""

from __future__ import annotations

from collections.abc import Mapping

from bot.german import GERMAN
from bot.recent import Recent
from bot.texts import ENGLISH, Texts

CATALOGUES: Mapping[str, Texts] = {"en": ENGLISH, "de": GERMAN}
AUTOMATIC = "auto"


class Languages:
    """Chooses texts: in the language that a person chose, else in that of their device.

    What people chose is kept in memory, of as many as `bot.recent` has room for.
    """

    def __init__(self) -> None:
        self._chosen: Recent[tuple[str, str], str] = Recent()

    def texts(self, platform: str, user: str, device: str = "") -> Texts:
        """The texts for a person whose device speaks "de-AT", say, or an unknown language ("")."""
        chosen = self._chosen.get((platform, user))
        return CATALOGUES[chosen] if chosen else spoken(device)

    def is_automatic(self, platform: str, user: str) -> bool:
        """Whether the device's language counts."""
        return (platform, user) not in self._chosen

    def choose(self, platform: str, user: str, wish: str) -> bool:
        """Keep what a person wants: "de", "Deutsch" or "auto"; returns whether there is such."""
        wish = wish.strip().lower()
        named = {texts.language.lower(): code for code, texts in CATALOGUES.items()}
        code = named.get(wish, wish)
        if code == AUTOMATIC:
            self._chosen.pop((platform, user), None)
        elif code in CATALOGUES:
            self._chosen[platform, user] = code
        else:
            return False
        return True

    def forget(self, platform: str, user: str) -> None:
        """Forget what a person chose."""
        self._chosen.pop((platform, user), None)


def speaks(device: str) -> bool:
    """Whether there are texts in a device's language."""
    return _primary(device) in CATALOGUES


def spoken(device: str) -> Texts:
    """The texts in a device's language, by the tag that a platform gives; else English."""
    return CATALOGUES.get(_primary(device), ENGLISH)


def _primary(device: str) -> str:
    return device.replace("_", "-").partition("-")[0].lower()
