"""Simulated clients of each platform: how people write there, and how answers reach the ledger."""

from __future__ import annotations

import asyncio
import itertools
import random
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from pathlib import PurePath
from typing import Any
from urllib.parse import urlsplit

import httpx
from cachetools import LRUCache

from bot.benchmarks import discord_payloads as payloads
from bot.benchmarks.fake_discord import FakeDiscord, File
from bot.benchmarks.fake_telegram import ME, FakeTelegram, Json
from bot.benchmarks.ledger import Expect, Ledger, SentMessage
from bot.benchmarks.photos import Photo

KEPT = 5000  # answers, the oldest of which are forgotten
WEB_TIMEOUT = 150.0  # seconds
SLOW_SECONDS = 6.0  # that a slow upload takes
_PIECES = 12
COMMANDS = ("/caption", "/retry", "/forget")


class ChatClient(ABC):
    """One person's client in one place.

    Attributes:
        platform: Where.
        in_group: Others are there, so that the bot has to be called.
        can_edit: What was written can be changed.
    """

    platform: str
    in_group = False
    can_edit = True

    def __init__(self, ledger: Ledger, rng: random.Random) -> None:
        self.ledger, self.rng = ledger, rng

    @abstractmethod
    async def say(
        self, kind: str, words: str, photos: Sequence[Photo] = (), expect: Expect = Expect.ANSWER
    ) -> SentMessage:
        """Send a message, with or without photos."""

    @abstractmethod
    async def press(self, action: str) -> SentMessage | None:
        """Press a button under the last answer, if there is one that does this."""

    async def edit(self, words: str) -> SentMessage | None:
        """Change the words of the last message, if that is possible."""
        return None

    async def say_to_others(self, words: str) -> SentMessage | None:
        """Say something that is not for the bot, if others are there."""
        return None


# --- Telegram --------------------------------------------------------------------------------


class TelegramObserver:
    """Hears what the bot says on Telegram."""

    def __init__(self, api: FakeTelegram, ledger: Ledger) -> None:
        self._ledger = ledger
        self._about: LRUCache[tuple[int, int], int] = LRUCache(KEPT)
        self.answers: LRUCache[tuple[int, int], Json] = LRUCache(KEPT)  # by chat and question
        api.on_call = self._on_call

    def _on_call(self, method: str, sent: Json, result: Any) -> None:
        if method == "answerCallbackQuery" and sent.get("text"):
            self._ledger.record_answer("telegram", str(sent["callback_query_id"]), sent["text"])
        if method not in {"sendMessage", "editMessageText"}:
            return
        chat, number = sent["chat_id"], result["message_id"]
        asked = sent.get("reply_parameters", {}).get("message_id")
        asked = self._about.setdefault((chat, number), asked)
        self.answers[chat, asked] = {**result, "reply_markup": sent.get("reply_markup", {})}
        self._ledger.record_answer("telegram", (chat, asked), str(sent["text"]))


class TelegramClient(ChatClient):
    """Speaks on Telegram: in private, or in a group of this number."""

    platform = "telegram"
    _names = itertools.count()

    def __init__(
        self,
        api: FakeTelegram,
        observer: TelegramObserver,
        user: int,
        group: int | None = None,
        **more: Any,
    ) -> None:
        super().__init__(**more)
        self._api, self._observer, self._user, self._group = api, observer, user, group
        self.in_group = group is not None
        self._last: Json = {}

    async def say(
        self, kind: str, words: str, photos: Sequence[Photo] = (), expect: Expect = Expect.ANSWER
    ) -> SentMessage:
        """Send a message; JPEG as photos or files, all others as files."""
        words, where = self._called(words), self._where()
        if len(photos) > 1:
            contents = [photo.content for photo in photos]
            self._last = self._api.album(contents, words, **where)
        elif not photos:
            self._last = self._api.message(words, **where)
        elif photos[0].format == "jpeg" and self.rng.random() < 0.7:
            self._last = self._api.photo(photos[0].content, words, **where)
        else:
            (photo,), number = photos, next(self._names)
            name = f"{number}{PurePath(photo.name).suffix}"
            self._last = self._api.document(photo.content, name, photo.kind, words, **where)
        _trim(self._api)
        return self.ledger.send(self.platform, kind, self._key(), expect)

    async def edit(self, words: str) -> SentMessage | None:
        """Change the last message, which had words only."""
        number, where = self._last["message_id"], self._where()
        self._api.message(self._called(words), edit=True, message_id=number, **where)
        return self.ledger.send(self.platform, "edit", self._key())

    async def press(self, action: str) -> SentMessage | None:
        """Press a button under the answer to the last message."""
        answer = self._observer.answers.get(self._key())
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

    async def say_to_others(self, words: str) -> SentMessage | None:
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


class DiscordObserver:
    """Hears what the bot says on Discord."""

    def __init__(self, api: FakeDiscord, ledger: Ledger) -> None:
        self._ledger = ledger
        self.answers: LRUCache[str, Json] = LRUCache(
            KEPT
        )  # by question, or token of an interaction
        api.on_said = self._on_said

    def _on_said(self, about: str, message: Json) -> None:
        self.answers[about] = message
        self._ledger.record_answer("discord", about, message["content"])


class DiscordClient(ChatClient):
    """Speaks on Discord: in private, or in the server's channel."""

    platform = "discord"

    def __init__(
        self,
        api: FakeDiscord,
        observer: DiscordObserver,
        user: int,
        *,
        in_group: bool = False,
        **more: Any,
    ) -> None:
        super().__init__(**more)
        self._api, self._observer, self._me = api, observer, payloads.user(user)
        self.in_group = in_group
        self._where = payloads.CHANNEL if in_group else ""
        self._last: Json = {}
        self._key = ""

    async def say(
        self, kind: str, words: str, photos: Sequence[Photo] = (), expect: Expect = Expect.ANSWER
    ) -> SentMessage:
        """Send a message, or use a command."""
        files = [File(photo.name, photo.kind, photo.content) for photo in photos]
        slash = words in COMMANDS[1:] or (len(files) == 1 and self.rng.random() < 0.25)
        await self._api.until(lambda: self._api.is_on, 90)
        if slash:
            name = words.removeprefix("/") if words in COMMANDS else "ask" if words else "caption"
            question = words if name == "ask" else ""
            file = files[0] if files else None
            self._key, self._last = await self._api.command(
                self._me, name, self._where, file, question
            ), {}  # fmt: skip
        else:
            called = f"<@{payloads.ME['id']}> " if self.in_group else ""
            spoken = (called + ("describe it" if words == "/caption" else words)).strip()
            self._last = await self._api.write(self._me, spoken, files, self._where)
            self._key = self._last["id"]
        return self.ledger.send(self.platform, kind, self._key, expect)

    async def edit(self, words: str) -> SentMessage | None:
        """Change the last message, unless that was a command."""
        if not self._last:
            return None
        called = f"<@{payloads.ME['id']}> " if self.in_group else ""
        await self._api.write(self._me, called + words, (), self._where, replaces=self._last)
        return self.ledger.send(self.platform, "edit", self._key)

    async def press(self, action: str) -> SentMessage | None:
        """Press a button under the last answer."""
        answer = self._observer.answers.get(self._key)
        rows = answer["components"] if answer else []
        names = [each["custom_id"] for row in rows for each in row.get("components", ())]
        wanted = f"glimpse:{action.removeprefix('/')}"
        found = next((each for each in names if each.startswith(wanted)), None)
        if answer is None or found is None:
            return None
        token = await self._api.press(self._me, answer, found)
        return self.ledger.send(self.platform, f"button {action}", token)

    async def say_to_others(self, words: str) -> SentMessage | None:
        """Say something in the channel."""
        if not self.in_group:
            return None
        message = await self._api.write(self._me, words, (), self._where)
        return self.ledger.send(self.platform, "mutter", message["id"], Expect.SILENCE)


# --- the chat page ---------------------------------------------------------------------------


class WebClient(ChatClient):
    """Speaks on the page.

    Args:
        address: Of the page.
        more: As every client takes it.

    Attributes:
        slow: The next upload takes its time.
    """

    platform = "page"
    can_edit = False
    _numbers = itertools.count()

    def __init__(self, address: str, **more: Any) -> None:
        super().__init__(**more)
        self._address = address
        self.slow = False
        self._client = httpx.AsyncClient(
            base_url=address, timeout=WEB_TIMEOUT, trust_env=False,
            headers={"sec-fetch-site": "same-origin"},
        )  # fmt: skip
        self._buttons: list[str] = []
        self._asking: set[asyncio.Task[None]] = set()

    async def say(
        self, kind: str, words: str, photos: Sequence[Photo] = (), expect: Expect = Expect.ANSWER
    ) -> SentMessage:
        """Send a message; "/forget" begins a new chat now and then."""
        sent = self.ledger.send(self.platform, kind, number := next(self._numbers), expect)
        if words == "/forget" and self.rng.random() < 0.5:
            request = self._client.build_request("DELETE", "/api/conversation")
        else:
            files = [("pictures", (photo.name, photo.content, photo.kind)) for photo in photos]
            request = self._client.build_request(
                "POST", "/api/messages", files=[("text", (None, words)), *files]
            )
        self.slow, slow = False, self.slow
        task = asyncio.ensure_future(self._ask(request, number, slow=slow))
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)
        return sent

    async def press(self, action: str) -> SentMessage | None:
        """Press a button under the last answer."""
        found = next((each for each in self._buttons if each.startswith(action)), None)
        return await self.say(f"button {action}", found) if found else None

    async def cut_off(self, photo: Photo) -> None:
        """Begin an upload, and go away in the middle of it; nobody waits for an answer."""
        request = self._client.build_request(
            "POST", "/api/messages", files=[("pictures", (photo.name, photo.content, photo.kind))]
        )
        place = urlsplit(self._address)
        head = [f"POST /api/messages HTTP/1.1\r\nHost: {place.netloc}"]
        head += [f"{name}: {request.headers[name]}" for name in ("content-type", "content-length")]
        body = request.read()
        with suppress(OSError):
            _, writer = await asyncio.open_connection(place.hostname, place.port)
            writer.write(("\r\n".join(head) + "\r\n\r\n").encode() + body[: len(body) // 2])
            await writer.drain()
            writer.transport.abort()

    async def close(self) -> None:
        """Wait for the answers that are still to come, and close the browser."""
        await asyncio.gather(*self._asking)
        await self._client.aclose()

    async def _ask(self, request: httpx.Request, number: int, *, slow: bool) -> None:
        try:
            if slow:
                request = _slowly(request)
            response = await self._client.send(request)
        except httpx.ConnectError:  # nobody listens there any more: nothing was taken
            self.ledger.mark_untaken(self.platform, [number])
            return
        except httpx.HTTPError:
            return  # it counts as lost
        if response.status_code == 204:
            self.ledger.record_answer(self.platform, number, "Begun anew.")
            return
        said = response.json()
        self._buttons = [button["action"] for button in said["buttons"]]
        self.ledger.record_answer(self.platform, number, said["reply"])


def _slowly(request: httpx.Request) -> httpx.Request:
    """The same request, whose body arrives in pieces."""
    body = request.read()
    size = max(1, len(body) // _PIECES)

    async def pieces() -> AsyncIterator[bytes]:
        for first in range(0, len(body), size):
            yield body[first : first + size]
            await asyncio.sleep(SLOW_SECONDS / _PIECES)

    return httpx.Request(request.method, request.url, headers=request.headers, content=pieces())
