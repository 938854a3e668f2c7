"""What the assistant says, in each language, and which one a person gets."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from cachetools import LRUCache

from bot.assistant.locale.german import GERMAN
from bot.assistant.locale.texts import ENGLISH, Texts

CATALOGUES: Mapping[str, Texts] = {"en": ENGLISH, "de": GERMAN}
AUTOMATIC = "auto"
PEOPLE = 5000  # whose choice is kept in mind


class Languages:
    """Chooses texts: in the language that a person chose, else in that of their device.

    What people chose is kept in memory, of `PEOPLE` at most.

    Args:
        load: Tells what a person on a platform chose before that, or "".
        save: Keeps what they choose; "" for the language of their device.
    """

    def __init__(
        self,
        load: Callable[[str, str], str] = lambda platform, user: "",
        save: Callable[[str, str, str], None] = lambda platform, user, language: None,
    ) -> None:
        self._chosen: LRUCache[tuple[str, str], str] = LRUCache(PEOPLE)
        self._load, self._save = load, save

    def texts(self, platform: str, user: str, device: str = "") -> Texts:
        """The texts for a person whose device speaks "de-AT", say, or an unknown language ("")."""
        return CATALOGUES.get(self._choice(platform, user)) or spoken(device)

    def is_automatic(self, platform: str, user: str) -> bool:
        """Whether the device's language counts."""
        return self._choice(platform, user) not in CATALOGUES

    def choose(self, platform: str, user: str, wish: str) -> bool:
        """Keep what a person wants: "de", "Deutsch" or "auto"; returns whether there is such."""
        wish = wish.strip().lower()
        named = {texts.language.lower(): code for code, texts in CATALOGUES.items()}
        code = named.get(wish, wish)
        if code not in {AUTOMATIC, *CATALOGUES}:
            return False
        self._chosen[platform, user] = code
        self._save(platform, user, "" if code == AUTOMATIC else code)
        return True

    def forget(self, platform: str, user: str) -> None:
        """Forget what a person chose."""
        self._chosen.pop((platform, user), None)

    def _choice(self, platform: str, user: str) -> str:
        return self._chosen.get((platform, user)) or self._load(platform, user)


def speaks(device: str) -> bool:
    """Whether there are texts in a device's language."""
    return _primary(device) in CATALOGUES


def spoken(device: str) -> Texts:
    """The texts in a device's language, by the tag that a platform gives; else English."""
    return CATALOGUES.get(_primary(device), ENGLISH)


def code_of(texts: Texts) -> str:
    """The code of the language that texts are in: "de"."""
    return next(code for code, each in CATALOGUES.items() if each is texts)


def _primary(device: str) -> str:
    return device.replace("_", "-").partition("-")[0].lower()
