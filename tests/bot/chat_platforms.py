"""Telegram and Discord as people use them: the same steps on both fakes, for the contract suite.

Ann and Ben are in a group with the bot, which has to be called there. What the bot says is compared
by the texts that its messages have now; what it says to one person only, or in passing, apart.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from discord_world import discord_world
from engine_stand_in import StandIn, open_photo
from fake_telegram import GROUP, ME, TOKEN, FakeTelegram, Json

from bot import platforms
from bot.assistant.assistant import Assistant
from bot.assistant.limits import UNLIMITED, Limits, LimitSettings
from bot.assistant.locale.texts import ENGLISH
from bot.discord.bot import build as build_discord
from bot.platforms import PictureFile
from bot.telegram import handlers
from bot.telegram.bot import build as build_telegram
from bot.telegram.bot import serve

ANN, BEN = "ann", "ben"
PEOPLE = {ANN: 7, BEN: 8}  # on Telegram
File = tuple[str, bytes]


class ChatPlatform(ABC):
    """A platform with the bot on it.

    Args:
        engine: Answers.
        options: Of the assistant.

    Attributes:
        private: What was said to one person only, or in passing.
    """

    def __init__(self, engine: StandIn, options: dict[str, Any]) -> None:
        self.engine = engine
        self.options = {
            "limits": Limits(LimitSettings(default=UNLIMITED)), "open_picture": open_photo,
            **options,
        }  # fmt: skip
        self.private: list[str] = []

    def new_assistant(self) -> Assistant:
        self.assistant = Assistant(self.engine, **self.options)
        return self.assistant

    async def say(
        self, text: str = "", *pictures: str, by: str = ANN, to: Any = None, called: bool = True,
        files: Sequence[File] = (),
    ) -> Any:  # fmt: skip
        """Somebody writes in the group; returns the message, to be replied to or edited."""
        shown = [*((f"{colour}.png", colour.encode()) for colour in pictures), *files]
        return await self.post(f"{self.me} {text}" if called else text, shown, by, to)

    async def says(self, *texts: str) -> None:
        """The bot's messages so far, as they are now, are these."""
        expected = list(texts)
        await self.until(lambda: self.texts == expected or len(self.texts) > len(expected))
        await self.pause()
        assert self.texts == expected

    async def first(self) -> str:
        """What the bot said first, once it did."""
        await self.until(lambda: self.texts)
        return self.texts[0]

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(10):
            while not condition():
                await self.pause()

    async def tells(self, *texts: str) -> None:
        """What was said in private so far is this."""
        await self.until(lambda: len(self.private) >= len(texts))
        assert self.private == list(texts)

    @property
    @abstractmethod
    def me(self) -> str:
        """What calls the bot."""

    no_picture = ENGLISH.no_picture  # said in the group

    def not_allowed(self, by: str = ANN) -> str:
        """What somebody is told who is not on the list."""
        return ENGLISH.not_allowed

    @property
    @abstractmethod
    def texts(self) -> list[str]:
        """What the bot's messages say now."""

    @abstractmethod
    def answer(self, number: int) -> Any:
        """A message of the bot's."""

    @abstractmethod
    async def post(self, text: str, files: Sequence[File], by: str, to: Any) -> Any: ...

    @abstractmethod
    async def edit(self, message: Any, text: str) -> None: ...

    @abstractmethod
    async def press(self, number: int, action: str, by: str = ANN) -> None:
        """Somebody presses the button under a message of the bot's that does something."""

    @abstractmethod
    async def press_at_once(self, number: int, action: str, times: int) -> None:
        """Ann presses a button again before anything could be answered."""

    @abstractmethod
    def actions(self, number: int) -> list[str]:
        """What the buttons under a message of the bot's do."""

    @abstractmethod
    async def restart(self) -> None: ...

    @abstractmethod
    def fail_files(self, times: int, *, stalling: bool = False) -> None:
        """Let so many attempts to fetch a file fail, at once or by not coming to an end."""

    @property
    @abstractmethod
    def fetched(self) -> int:
        """Files fetched so far."""

    async def pause(self) -> None:
        await asyncio.sleep(0.01)


class OnTelegram(ChatPlatform):
    """In a group, against a small Bot API server on loopback."""

    api: FakeTelegram
    me = "@glimpse_bot"
    no_picture = ENGLISH.no_picture_in_group

    def not_allowed(self, by: str = ANN) -> str:
        ids = f"telegram:{PEOPLE[by]} / telegram:{GROUP}"
        return f"{ENGLISH.not_allowed} {ENGLISH.your_id.format(id=ids)}"

    @asynccontextmanager
    async def running(self, patch: pytest.MonkeyPatch) -> AsyncIterator[OnTelegram]:
        patch.setattr(handlers, "ALBUM_PAUSE", 0.1)
        patch.setattr(handlers, "HOLD", 0.05)
        patch.setattr(handlers, "FOLLOW_UP_HOLD", 0.02)
        self._sent: dict[int, Json] = {}
        self._presses = 0
        async with FakeTelegram().running() as self.api, AsyncExitStack() as self._bot:
            await self._start()
            yield self

    async def _start(self) -> None:
        stopped = asyncio.Event()
        bot = build_telegram(TOKEN, self.api.url)
        task = asyncio.ensure_future(serve(bot, self.new_assistant(), stopped))

        async def stop() -> None:
            stopped.set()
            async with asyncio.timeout(20):
                await task

        self._bot.push_async_callback(stop)

    @property
    def _by_id(self) -> dict[int, tuple[str, Json]]:
        """The bot's messages by id: their text, and what they were said with."""
        calls = [call for _, call in self.api.of("sendMessage", "editMessageText")]
        pairs = list(zip(self.api.numbers, calls, strict=False))
        said = dict(reversed(pairs))  # as it was said first
        return {n: (c["text"], {**said[n], "markup": c.get("reply_markup")}) for n, c in pairs}

    @property
    def texts(self) -> list[str]:
        return [text for text, _ in self._by_id.values()]

    def answer(self, number: int) -> Json:
        found, (text, call) = list(self._by_id.items())[number]
        return self._message(found, text, call)

    def _message(self, number: int, text: str, call: Json, *, nested: bool = True) -> Json:
        """A message of the bot's, as the server shows it."""
        chat = {"id": GROUP, "type": "supergroup", "title": "Group"}
        message = {"message_id": number, "date": 1, "chat": chat, "from": ME, "text": text}
        asked = call["reply_parameters"]["message_id"] if nested else 0
        if asked in self._sent:
            message["reply_to_message"] = self._sent[asked]
        elif asked in self._by_id:
            message["reply_to_message"] = self._message(asked, *self._by_id[asked], nested=False)
        return message

    async def post(self, text: str, files: Sequence[File], by: str, to: Any) -> Json:
        more: Json = {"chat": GROUP, "user": PEOPLE[by]}
        if to:
            more["reply_to_message"] = to
        sends = [self._send(text if not n else "", file, n, files, more)
                 for n, file in enumerate(files)]  # fmt: skip
        message = sends[0] if sends else self.api.message(text, **more)
        self._sent[message["message_id"]] = message
        await self._taken()
        return message

    def _send(self, text: str, file: File, n: int, files: Sequence[File], more: Json) -> Json:
        name, content = file
        if len(files) > 1:
            more = {**more, "media_group_id": f"album-{len(self._sent)}"}
        if name.removesuffix(".png").encode() == content:
            return self.api.photo(content, text, **more)
        kinds = {"pdf": "application/pdf", "png": "image/png", "jpg": "image/jpeg"}
        kind = kinds.get(name.rpartition(".")[2], "application/octet-stream")
        return self.api.document(content, name, kind, text, **more)

    async def edit(self, message: Json, text: str) -> None:
        kept = {key: message[key] for key in ("photo", "message_id") if key in message}
        changed = self.api.message(
            f"{self.me} {text}", chat=GROUP, user=message["from"]["id"], edit=True, **kept
        )
        self._sent[changed["message_id"]] = changed
        await self._taken()

    async def press(self, number: int, action: str, by: str = ANN) -> None:
        await self.press_at_once(number, action, 1, by)

    async def press_at_once(self, number: int, action: str, times: int, by: str = ANN) -> None:
        command = next(each for each in self.actions(number) if each.startswith(action))
        before = len(self.api.of("answerCallbackQuery"))
        for _ in range(times):
            self.api.press(command, self.answer(number), user=PEOPLE[by])
        await self.api.until(lambda: len(self.api.of("answerCallbackQuery")) == before + times)
        said = [call.get("text") for _, call in self.api.of("answerCallbackQuery")[before:]]
        self.private += filter(None, said)

    def actions(self, number: int) -> list[str]:
        _, (_, call) = list(self._by_id.items())[number]
        rows = (call["markup"] or {}).get("inline_keyboard", [])
        return [key["callback_data"] for row in rows for key in row]

    async def restart(self) -> None:
        await self._bot.aclose()
        await self._start()

    def fail_files(self, times: int, *, stalling: bool = False) -> None:
        self.api.faults["file"] += [(200, {}, 0.5) if stalling else (500, {}, 0)] * times

    @property
    def fetched(self) -> int:
        return len(self.api.of("getFile"))

    async def _taken(self) -> None:
        """Until the bot has been given the update, and had a moment for it."""
        newest = self.api.newest
        await self.api.until(lambda: self.api.handed_out >= newest)
        await asyncio.sleep(0.02)


class OnDiscord(ChatPlatform):
    """In a channel, in a Discord that is in memory."""

    world: Any

    @asynccontextmanager
    async def running(self, patch: pytest.MonkeyPatch) -> AsyncIterator[OnDiscord]:
        self._failures = self.reads = 0
        read = PictureFile.__init__

        def counted(file: PictureFile, *how: Any, **named: Any) -> None:
            read(file, *how, **named)
            fetch = file.read
            object.__setattr__(file, "read", lambda: self._read(fetch))

        patch.setattr(PictureFile, "__init__", counted)
        async with discord_world(client=self._client()) as self.world:
            yield self

    async def _read(self, fetch: Any) -> bytes:
        if self._failures:
            self._failures -= 1
            if not self._stalling:
                raise OSError
            await asyncio.sleep(1)
        self.reads += 1
        content: bytes = await fetch()
        return content

    def _client(self) -> Any:
        return build_discord(self.new_assistant(), shards=1)

    @property
    def me(self) -> str:
        return str(self.world.me)

    @property
    def texts(self) -> list[str]:
        return list(self.world.said)

    def answer(self, number: int) -> Any:
        return self.world.answers()[number]

    def _person(self, name: str) -> Any:
        return getattr(self.world, name)

    async def post(self, text: str, files: Sequence[File], by: str, to: Any) -> Any:
        return await self._person(by).send(
            self.world.channel, text, attachments=list(files), reply_to=to
        )

    async def edit(self, message: Any, text: str) -> None:
        person = self.world.ann if message.author.id == self.world.ann.id else self.world.ben
        await person.edit(message, f"{self.me} {text}")

    async def press(self, number: int, action: str, by: str = ANN) -> None:
        name = next(each for each in self._names(number) if _action(each).startswith(action))
        done = await self._person(by).click(self.answer(number), custom_id=name)
        self.private += [each.content for each in done.followups if each.ephemeral]

    async def press_at_once(self, number: int, action: str, times: int) -> None:
        before = len(self.world.requests("POST", "/interactions/*/callback"))
        await self.world.press_at_once(self.answer(number), action.removeprefix("/"), times)
        taken = self.world.requests("POST", "/interactions/*/callback")
        assert len(taken) == before + times  # which ends the waiting that Discord shows

    def actions(self, number: int) -> list[str]:
        return [_action(name) for name in self._names(number)]

    def _names(self, number: int) -> list[str]:
        rows = self.answer(number).components
        return [button.custom_id for row in rows for button in row.children]

    async def restart(self) -> None:
        await self.world.env.restart_bot(self._client())
        self.world.client = self.world.env.bot

    def fail_files(self, times: int, *, stalling: bool = False) -> None:
        self._failures, self._stalling = times, stalling

    @property
    def fetched(self) -> int:
        return self.reads


def _action(name: str) -> str:
    """What a button does, by its custom id."""
    return f"/{name.split(':')[1]}"


@asynccontextmanager
async def on(
    platform: str, patch: pytest.MonkeyPatch, engine: StandIn | None = None, **options: Any
) -> AsyncIterator[ChatPlatform]:
    """The bot on "telegram" or "discord"; `options` of the assistant."""
    kind = {"telegram": OnTelegram, "discord": OnDiscord}[platform]
    patch.setattr(platforms, "FETCH_TIMEOUT", 5.0)
    patch.setattr(platforms, "FETCH_WAIT", 0.01)
    async with kind(engine or StandIn(), options).running(patch) as chat:
        yield chat
