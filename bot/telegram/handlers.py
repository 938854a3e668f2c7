"""From a Telegram update to the assistant and back."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from telegram import Bot, Message, Update, User

from bot.assistant.assistant import Assistant
from bot.assistant.locale.texts import Texts
from bot.assistant.recent import Recent
from bot.assistant.refusals import Refusals
from bot.assistant.turns import TooManyWaitingError, Turns
from bot.assistant.types import Incoming, Notify, Reply
from bot.telegram.albums import Albums
from bot.telegram.asking import Ask
from bot.telegram.messages import (
    PLATFORM,
    Source,
    conversation,
    is_addressed,
    language,
    picture_in,
    sender,
    words_in,
)  # fmt: skip
from bot.telegram.notices import Notices
from bot.telegram.pictures import Pictures
from bot.telegram.pressing import Presses
from bot.telegram.sender import say, typing
from bot.telegram.subjects import Subjects, Whose, is_retry

FORGOTTEN = "forgotten"  # the outcome of /forget


class Talk:
    """Answers updates; `me` is known once the bot has introduced itself.

    Args:
        bot: Telegram's side.
        assistant: Ours.
        albums: How long an album is waited for: quiet seconds, and seconds in all.
    """

    def __init__(
        self, bot: Bot, assistant: Assistant, albums: tuple[float, float] = (1.0, 8.0)
    ) -> None:
        self._bot, self._assistant = bot, assistant
        self._albums: Albums[Message] = Albums(self._take, *albums)
        self._album_of: Recent[Whose, tuple[str, str, str]] = Recent()
        self._turns = Turns()
        # Words need not be kept to be compared.
        self._answers: Recent[tuple[int, int], tuple[int, int]] = Recent()
        self._unasked: Recent[str, list[Message]] = Recent()
        self._seen: Recent[int, None] = Recent()
        self._subjects = Subjects()
        self._refusals = Refusals()
        self._notices = Notices(bot)
        self._pictures = Pictures(bot)
        self._presses = Presses(bot, assistant, self._subjects, self._answer)

    @property
    def me(self) -> User:
        """The bot itself."""
        return self._bot.bot

    async def on_update(self, update: Update) -> None:
        """Answer an update if it is meant for the bot; one that comes twice counts once."""
        if update.update_id in self._seen:
            return
        self._seen[update.update_id] = None
        if update.callback_query:
            await self._presses.on_press(update.callback_query)
        elif update.edited_message:
            if not update.edited_message.media_group_id:
                await self._take([update.edited_message], edited=True)
        elif message := update.message:
            if message.from_user and message.from_user.is_bot and not message.sender_chat:
                return
            await self._arrived(message)

    async def close(self) -> None:
        """Answer the albums that are still gathered."""
        await self._albums.close()

    async def _arrived(self, message: Message) -> None:
        if not (message.text or message.caption or message.effective_attachment):
            return  # somebody pinned a message, say
        whose = (conversation(message), sender(message))
        album = (*whose, message.media_group_id) if message.media_group_id else None
        before = self._album_of.pop(whose, None)
        if before and before != album:  # it was sent before this, so it comes first
            self._albums.flush(before)
        if album:
            self._album_of[whose] = album
            self._albums.add(album, message)
            return
        if before:
            await asyncio.sleep(0)  # for it to take its turn
        await self._take([message])

    async def _take(self, messages: list[Message], *, edited: bool = False) -> None:
        """Answer messages that belong together, or keep them in mind until somebody asks."""
        asked = messages[0]
        where = conversation(asked)
        if not any(is_addressed(message, self.me) for message in messages):
            if _shows(messages) and not edited:
                self._unasked[where] = messages
            return
        spoken = [words for message in messages if (words := words_in(message, self.me))]
        words = spoken[0] if spoken else ""
        replied = asked.reply_to_message
        subject = self._subjects.of(replied) if replied else None
        about = subject.messages if subject else [replied] if replied else ()
        ask = Ask(
            asked, where, sender(asked), words, language(asked.from_user), messages, about,
            subject=subject if subject and subject.digests and is_retry(words) else None,
            replied=subject.number if subject else "", edited=edited,
        )  # fmt: skip
        await self._answer(ask)

    async def _answer(self, ask: Ask) -> None:
        asked = ask.asked
        try:
            async with self._turns.of(ask.whose):
                # Only now is the answer to the question before its edit known.
                said, before = self._answers.get(
                    (asked.chat_id, asked.message_id), (None, hash(""))
                )
                if ask.edited and hash(ask.words) == before:
                    return  # something else than the question was changed: a place that moves, say
                async with self._notices.before(asked, said if ask.edited else None) as notice:
                    reply = await self._reply(ask, notice.tell)
                silent = not ask.edited and self._repeats(ask, reply)
                if reply is None or (silent and not notice.said):
                    return
                answer = await say(self._bot, asked, reply, notice.said)
        except TooManyWaitingError:
            self._assistant.turned_away(PLATFORM, "too_many")
            reply = Reply(self._texts(ask).too_many_waiting, error=True)
            if not self._repeats(ask, reply):
                await say(self._bot, asked, reply)
            return
        if answer:
            if reply.outcome != FORGOTTEN:
                self._subjects.answer(ask.whose, asked, answer, reply.exchanges, reply.number)
            if ask.messages:
                self._answers[asked.chat_id, asked.message_id] = (answer, hash(ask.words))

    def _repeats(self, ask: Ask, reply: Reply | None) -> bool:
        """Whether this person was refused in the same words twice a moment ago."""
        if reply and reply.error:
            return self._refusals.repeats(ask.whose, reply.text)
        self._refusals.clear(ask.whose)
        return False

    async def _reply(self, ask: Ask, notify: Notify) -> Reply | None:
        if not self._assistant.allows(PLATFORM, ask.who, ask.where):
            self._assistant.turned_away(PLATFORM, "not_allowed")
            return Reply(self._texts(ask).not_allowed, error=True)
        async with typing(self._bot, ask.asked):
            start, texts = asyncio.get_running_loop().time(), self._texts(ask)
            own = await self._pictures.of(ask.messages, texts)
            about = () if own.pictures else self._about(ask)
            others = await self._pictures.of(about, texts)
            remarks = list(dict.fromkeys(own.remarks + others.remarks))
            if shown := own.pictures or others.pictures:
                self._unasked.pop(ask.where, None)
                self._subjects.show(ask.whose, ask.messages if own.pictures else about, shown)
            elif remarks:
                self._assistant.turned_away(PLATFORM, "not_fetched")
                return Reply("\n".join(remarks), error=True)
            elif not (ask.subject or ask.words.lower().startswith("/forget")):
                await self._catch_up(ask)
            fetching = asyncio.get_running_loop().time() - start
            reply = await self._assistant.handle(
                Incoming(
                    PLATFORM, *ask.whose, self._words(ask), tuple(own.pictures),
                    tuple(others.pictures), language=ask.language, fetching=fetching,
                    replied=ask.replied,
                ),
                notify,
            )  # fmt: skip
        if reply and reply.outcome == FORGOTTEN:  # only now is nothing of theirs in work here
            self._forget(ask.who)
        if reply and remarks:
            return replace(reply, text="\n".join([reply.text, "", *remarks]))
        return reply

    def _forget(self, who: str) -> None:
        """Forget what a person asked and showed, wherever that was."""
        self._subjects.forget(who)
        for where, messages in list(self._unasked.items()):
            if sender(messages[0]) == who:
                del self._unasked[where]

    def _about(self, ask: Ask) -> Sequence[Message]:
        """The messages whose pictures the assistant has to be shown again.

        Those that it still has are not, so that it goes on counting the tries.
        """
        if ask.subject is None:
            return ask.about
        messages = ask.subject.messages
        kept = self._assistant.remembers(PLATFORM, *ask.whose)
        return () if kept and messages == self._subjects.shown(ask.whose).messages else messages

    def _words(self, ask: Ask) -> str:
        if ask.subject is None:
            return ask.words
        return ask.subject.again(ask.words, self._subjects.shown(ask.whose))

    async def _catch_up(self, ask: Ask) -> None:
        """Show the assistant a picture that was posted before the bot was called."""
        messages = self._unasked.get(ask.where)
        if messages is None:
            return
        shown = await self._pictures.of(messages, self._texts(ask))
        if self._unasked.get(ask.where) is messages and shown.pictures:
            del self._unasked[ask.where]
            who, pictures = sender(messages[0]), tuple(shown.pictures)
            self._subjects.show((ask.where, who), messages, shown.pictures)
            await self._assistant.handle(
                Incoming(PLATFORM, ask.where, who, pictures=pictures, addressed=False)
            )

    def _texts(self, ask: Ask) -> Texts:
        return self._assistant.texts(PLATFORM, ask.who, ask.language)


def _shows(messages: Sequence[Message]) -> bool:
    return any(isinstance(picture_in(message), Source) for message in messages)
