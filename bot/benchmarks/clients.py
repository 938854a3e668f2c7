"""How people speak on each platform, and how the bot's answers there reach the ledger."""

from __future__ import annotations

import itertools
import random
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

from bot.assistant.recent import Recent
from bot.benchmarks import discord_shapes as shapes
from bot.benchmarks.fake_discord import FakeDiscord, File
from bot.benchmarks.fake_telegram import ME, FakeTelegram, Json
from bot.benchmarks.ledger import Expect, Ledger, Sent
from bot.benchmarks.photos import Photo

COMMANDS = ("/caption", "/retry", "/forget")


class Mouth(ABC):
    """One person's way to speak in one place.

    Attributes:
        platform: Where.
        in_group: Others are there, so that the bot has to be called.
        can_edit: What was written can be changed.
    """

    platform: str
    in_group = False
    can_edit = True

    def __init__(self, ledger: Ledger, draw: random.Random) -> None:
        self.ledger, self.draw = ledger, draw

    @abstractmethod
    async def say(
        self, kind: str, words: str, photos: Sequence[Photo] = (), expect: Expect = Expect.ANSWER
    ) -> Sent:
        """Send a message, with or without photos."""

    @abstractmethod
    async def press(self, action: str) -> Sent | None:
        """Press a button under the last answer, if there is one that does this."""

    async def edit(self, words: str) -> Sent | None:
        """Change the words of the last message, if that is possible."""
        return None

    async def mutter(self, words: str) -> Sent | None:
        """Say something that is not for the bot, if others are there."""
        return None


# --- Telegram --------------------------------------------------------------------------------


class TelegramEar:
    """Hears what the bot says on Telegram."""

    def __init__(self, api: FakeTelegram, ledger: Ledger) -> None:
        self._ledger = ledger
        self._about: Recent[tuple[int, int], int] = Recent()
        self.answers: Recent[tuple[int, int], Json] = Recent()  # by chat and question
        api.on_call = self._on_call

    def _on_call(self, method: str, sent: Json, result: Any) -> None:
        if method == "answerCallbackQuery" and sent.get("text"):
            self._ledger.hear("telegram", str(sent["callback_query_id"]), sent["text"])
        if method not in {"sendMessage", "editMessageText"}:
            return
        chat, number = sent["chat_id"], result["message_id"]
        asked = sent.get("reply_parameters", {}).get("message_id")
        asked = self._about.setdefault((chat, number), asked)
        self.answers[chat, asked] = {**result, "reply_markup": sent.get("reply_markup", {})}
        self._ledger.hear("telegram", (chat, asked), str(sent["text"]))


class TelegramMouth(Mouth):
    """Speaks on Telegram: in private, or in a group of this number."""

    platform = "telegram"
    _names = itertools.count()

    def __init__(
        self, api: FakeTelegram, ear: TelegramEar, user: int, group: int | None = None, **more: Any
    ) -> None:
        super().__init__(**more)
        self._api, self._ear, self._user, self._group = api, ear, user, group
        self.in_group = group is not None
        self._last: Json = {}

    async def say(
        self, kind: str, words: str, photos: Sequence[Photo] = (), expect: Expect = Expect.ANSWER
    ) -> Sent:
        """Send a message; JPEG as photos or files, all others as files."""
        words, where = self._called(words), self._where()
        if len(photos) > 1:
            contents = [photo.content for photo in photos]
            self._last = self._api.album(contents, words, **where)
        elif not photos:
            self._last = self._api.message(words, **where)
        elif photos[0].format == "jpeg" and self.draw.random() < 0.7:
            self._last = self._api.photo(photos[0].content, words, **where)
        else:
            (photo,), number = photos, next(self._names)
            name = f"{number}{PurePath(photo.name).suffix}"
            self._last = self._api.document(photo.content, name, photo.kind, words, **where)
        _trim(self._api)
        return self.ledger.send(self.platform, kind, self._key(), expect)

    async def edit(self, words: str) -> Sent | None:
        """Change the last message, which had words only."""
        number, where = self._last["message_id"], self._where()
        self._api.message(self._called(words), edit=True, message_id=number, **where)
        return self.ledger.send(self.platform, "edit", self._key())

    async def press(self, action: str) -> Sent | None:
        """Press a button under the answer to the last message."""
        answer = self._ear.answers.get(self._key())
        rows = answer["reply_markup"].get("inline_keyboard", []) if answer else []
        data = [each["callback_data"] for row in rows for each in row]
        found = next((each for each in data if each.startswith(action)), None)
        if answer is None or found is None:
            return None
        shown = {
            "message_id": answer["message_id"], "date": answer["date"], "text": answer["text"],
            "chat": self._last["chat"], "from": ME, "reply_to_message": self._last,
        }  # fmt: skip
        query = self._api.press(found, shown, self._user)
        chat = self._key()[0]
        keys = {"/retry": self._key(), "/caption": (chat, answer["message_id"])}
        return self.ledger.send(self.platform, f"button {action}", keys.get(action, query))

    async def mutter(self, words: str) -> Sent | None:
        """Say something in the group."""
        if self._group is None:
            return None
        number = self._api.message(words, user=self._user, chat=self._group)["message_id"]
        return self.ledger.send("telegram", "mutter", (self._group, number), Expect.SILENCE)

    def _where(self) -> Json:
        return {"user": self._user, "chat": self._group}

    def _key(self) -> tuple[int, int]:
        return self._last["chat"]["id"], self._last["message_id"]

    def _called(self, words: str) -> str:
        if self._group is None:
            return words
        if words in COMMANDS:
            return f"{words}@{ME['username']}"
        return f"@{ME['username']} {words}".strip()


def _trim(api: FakeTelegram) -> None:
    """Keep an hour's calls and files from filling the memory."""
    del api.calls[:-500], api.numbers[:-500]
    for name in list(api.files)[:-900]:
        del api.files[name]


# --- Discord ---------------------------------------------------------------------------------


class DiscordEar:
    """Hears what the bot says on Discord."""

    def __init__(self, api: FakeDiscord, ledger: Ledger) -> None:
        self._ledger = ledger
        self.answers: Recent[str, Json] = Recent()  # by question, or token of an interaction
        api.on_said = self._on_said

    def _on_said(self, about: str, message: Json) -> None:
        self.answers[about] = message
        self._ledger.hear("discord", about, message["content"])


class DiscordMouth(Mouth):
    """Speaks on Discord: in private, or in the server's channel."""

    platform = "discord"

    def __init__(
        self, api: FakeDiscord, ear: DiscordEar, user: int, *, in_group: bool = False, **more: Any
    ) -> None:
        super().__init__(**more)
        self._api, self._ear, self._me = api, ear, shapes.user(user)
        self.in_group = in_group
        self._where = shapes.CHANNEL if in_group else ""
        self._last: Json = {}
        self._key = ""

    async def say(
        self, kind: str, words: str, photos: Sequence[Photo] = (), expect: Expect = Expect.ANSWER
    ) -> Sent:
        """Send a message, or use a command."""
        files = [File(photo.name, photo.kind, photo.content) for photo in photos]
        slash = words in COMMANDS[1:] or (len(files) == 1 and self.draw.random() < 0.25)
        await self._api.until(lambda: self._api.is_on, 90)
        if slash:
            name = words.removeprefix("/") if words in COMMANDS else "ask" if words else "caption"
            question = words if name == "ask" else ""
            file = files[0] if files else None
            self._key, self._last = await self._api.command(
                self._me, name, self._where, file, question
            ), {}  # fmt: skip
        else:
            called = f"<@{shapes.ME['id']}> " if self.in_group else ""
            spoken = (called + ("describe it" if words == "/caption" else words)).strip()
            self._last = await self._api.write(self._me, spoken, files, self._where)
            self._key = self._last["id"]
        return self.ledger.send(self.platform, kind, self._key, expect)

    async def edit(self, words: str) -> Sent | None:
        """Change the last message, unless that was a command."""
        if not self._last:
            return None
        called = f"<@{shapes.ME['id']}> " if self.in_group else ""
        await self._api.write(self._me, called + words, (), self._where, replaces=self._last)
        return self.ledger.send(self.platform, "edit", self._key)

    async def press(self, action: str) -> Sent | None:
        """Press a button under the last answer."""
        answer = self._ear.answers.get(self._key)
        rows = answer["components"] if answer else []
        names = [each["custom_id"] for row in rows for each in row.get("components", ())]
        wanted = f"glimpse:{action.removeprefix('/')}"
        found = next((each for each in names if each.startswith(wanted)), None)
        if answer is None or found is None:
            return None
        token = await self._api.press(self._me, answer, found)
        return self.ledger.send(self.platform, f"button {action}", token)

    async def mutter(self, words: str) -> Sent | None:
        """Say something in the channel."""
        if not self.in_group:
            return None
        message = await self._api.write(self._me, words, (), self._where)
        return self.ledger.send(self.platform, "mutter", message["id"], Expect.SILENCE)
