"""The assistant: a message in, a reply out, the same on every platform.

What a message wants is read by `intents`, which picture it means is kept by `memory`, the model
is asked by `looking`, its words are made sentences by `wording`, and `speaking` makes the reply,
in the texts that `languages` chooses.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from bot.access import Access
from bot.diary import Diary
from bot.intents import Intent, Kind, read_intent
from bot.languages import Languages, spoken
from bot.limits import Limits
from bot.looking import Cause, Looker, Trouble, crashed
from bot.memory import Album, Conversation, Gone, Memory
from bot.messages import AnswersPictures, Exchange, Incoming, Measures, Notify, Reply
from bot.personal import Personal
from bot.speaking import Speaker, error
from bot.texts import Texts
from bot.translation.answers import in_german
from bot.turns import TooManyWaitingError, Turns
from bot.wording import Sureness
from data.images import Picture, open_picture

MAX_PICTURES = 10
DIFFERENT = 5  # answers to one question, before the first comes again


class Assistant:
    """Answers messages about pictures.

    Args:
        engine: The model, or a stand-in with the same `submit`.
        memory: Where last pictures are kept.
        limits: How often a person may ask.
        access: Who may ask at all.
        open_picture: Decodes untrusted bytes; raises `data.images.ImageRefused`.
        sureness: Confidence below which it says that it is not sure.
        patience: Seconds to wait for the engine before asking the person to try again.
        diary: Keeps what was asked and answered.
        measures: Counts answers and their seconds.
    """

    def __init__(
        self,
        engine: AnswersPictures,
        *,
        memory: Memory | None = None,
        limits: Limits | None = None,
        access: Access = Access(),  # noqa: B008 (frozen)
        open_picture: Callable[[bytes], Picture] = open_picture,
        sureness: Sureness = Sureness(),  # noqa: B008 (frozen)
        patience: float = 120.0,
        diary: Diary | None = None,
        measures: Measures | None = None,
    ) -> None:
        self._looker = Looker(engine, open_picture, patience=patience)
        # An empty memory is false, so "or" would not do.
        self._memory = Memory() if memory is None else memory
        self._seconds = self._memory.seconds
        self._limits = Limits() if limits is None else limits
        self._access = access
        self._sureness = sureness
        self._turns = Turns()
        self._diary, self._measures = diary or Diary(), measures
        self._languages = Languages(self._diary.language, self._diary.choose_language)
        self._personal = Personal(
            self._diary, self._languages, self.forget_person,
            lambda *person: self._speaker(self.texts(*person)),
        )  # fmt: skip

    async def handle(self, incoming: Incoming, notify: Notify | None = None) -> Reply | None:
        """Answer one message; None where the bot was not meant. Never raises an error.

        Messages of one person in one chat are handled in the order of the calls.

        Args:
            incoming: The message.
            notify: Told at most once, if there is a long wait, how many others are before.
        """
        start = time.perf_counter()
        reply = await self._handle(incoming, notify)
        if reply:
            seconds = time.perf_counter() - start
            self._diary.note(incoming, reply, seconds)
            if self._measures:
                self._measures.answered(incoming, reply, seconds)
        return reply

    async def _handle(self, incoming: Incoming, notify: Notify | None) -> Reply | None:
        who = Conversation(incoming.platform, incoming.chat, incoming.user)
        texts = self.texts(who.platform, who.user, incoming.language)
        if not self.allows(who.platform, who.user, who.chat):
            return error(texts.not_allowed, outcome="not_allowed") if incoming.addressed else None
        try:
            async with self._turns.of(who):
                return await self._turn(who, incoming, notify)
        except TooManyWaitingError:
            refused = error(texts.too_many_waiting, outcome="too_many")
            return refused if incoming.addressed else None
        except Exception as cause:
            trouble = crashed(cause)
            said = self._speaker(texts).line(trouble)
            outcome = trouble.cause.value
            return error(said, trouble.reference, outcome) if incoming.addressed else None

    def turned_away(self, platform: str, outcome: str) -> None:
        """Count what a platform refused by itself, before there was a message to handle."""
        if self._measures:
            self._measures.answered(Incoming(platform, "", ""), error("", outcome=outcome), 0.0)

    def texts(self, platform: str, user: str, language: str = "") -> Texts:
        """What is said to a person whose device speaks `language`, for who says more to them."""
        return self._languages.texts(platform, user, language)

    def allows(self, platform: str, user: str, chat: str) -> bool:
        """Whether this person may ask in this chat, for who would fetch their pictures first."""
        return self._access.allows(platform, user, chat)

    def remembers(self, platform: str, chat: str, user: str) -> bool:
        """Whether pictures that this person showed in this chat are still in mind."""
        return self._memory.has(Conversation(platform, chat, user))

    def tidy(self) -> None:
        """Forget what is too old; nothing else does so while nobody writes."""
        self._memory.purge()

    def forget(self, platform: str, chat: str, user: str) -> None:
        """Forget a person's pictures in one chat; their limits stay as they are."""
        self._memory.forget(platform, user, chat)

    def forget_person(self, platform: str, user: str) -> None:
        """Forget a person's pictures in all chats of a platform; their limits stay as they are."""
        self._memory.forget(platform, user)

    async def _turn(
        self, who: Conversation, incoming: Incoming, notify: Notify | None
    ) -> Reply | None:
        sent = self._keep_pictures(who, incoming)
        if not incoming.addressed:
            return None
        speaker = self._speaker(self.texts(who.platform, who.user, incoming.language))
        album = self._memory.recall(who) if sent is None else sent
        intent = read_intent(
            incoming.text,
            attached=bool(incoming.pictures),
            replied=bool(incoming.reply_pictures),
            several=isinstance(album, Album) and len(album.entries) > 1,
            last=album.translation if isinstance(album, Album) else None,
        )
        if intent.language:
            speaker = self._speaker(spoken(intent.language))
        aside = await self._personal.handle(who, incoming.language, intent, speaker)
        if aside:
            return aside
        if isinstance(album, Gone):
            if intent.kind in _NEED_PICTURE:
                return speaker.no_picture(gone=album is Gone.EXPIRED)
            return speaker.sentence(intent, offer_caption=False)
        if intent.kind is Kind.CORRECTED:
            last = "" if incoming.reply_pictures else album.number
            noted = await self._personal.correct(who, incoming.replied or last, intent.rest)
            intent = intent if noted else Intent(Kind.SORRY)
        if intent.kind is Kind.RETRY:
            intent = _asked_last(album)
            if intent.language:
                speaker = self._speaker(spoken(intent.language))
        if intent.kind not in {Kind.CAPTION, Kind.QUESTION}:
            return speaker.sentence(intent, offer_caption=True)
        whole = sent is not None
        return await self._look(who, album, intent, speaker, notify, all_of_them=whole)

    def _speaker(self, texts: Texts) -> Speaker:
        return Speaker(texts, self._sureness, self._seconds)

    def _keep_pictures(self, who: Conversation, incoming: Incoming) -> Album | None:
        """Remember what this message shows: its own pictures, else those it replies to."""
        replied = incoming.reply_pictures if incoming.addressed else ()
        pictures = incoming.pictures or replied
        if not pictures:
            return None
        entries = pictures[:MAX_PICTURES]
        album = Album(
            [*entries], len(entries) - 1, len(pictures) - len(entries), own=bool(incoming.pictures)
        )
        self._memory.remember(who, album)
        return album

    async def _look(
        self,
        who: Conversation,
        album: Album,
        intent: Intent,
        speaker: Speaker,
        notify: Notify | None,
        *,
        all_of_them: bool,
    ) -> Reply:
        """Ask the engine about the pictures that are meant."""
        count = len(album.entries)
        if any(number > count or number == 0 for number in intent.pictures):
            return error(speaker.texts.no_such_picture.format(count=count))
        places = [number - 1 if number > 0 else count - 1 for number in intent.pictures] or (
            list(range(count)) if all_of_them else [album.current]
        )
        counted = not self._access.is_admin(who.platform, who.user)
        wait = self._limits.take(who.platform, who.user) if counted else None
        if wait is not None:
            return speaker.too_much(wait.seconds, daily=wait.daily)
        rank = _rank(album, (tuple(places), intent.question), again=intent.again)
        queued = partial(_tell_queued, notify, speaker.texts) if notify else None
        found = await self._looker.look(album, places, intent.question, rank, queued)
        answered = [place for place, result in found.items() if isinstance(result, Exchange)]
        if answered and self._memory.owns(who, album):
            album.current = answered[-1]
        self._memory.purge()  # opened pictures may take more room than they did encoded
        if counted and all(map(_is_ours, found.values())):
            self._limits.give_back(who.platform, who.user)
        if intent.said:
            found = {place: _translated(each, intent) for place, each in found.items()}
        if not (album.own and self._memory.owns(who, album)):
            # Whoever allows that their pictures are kept does not decide on others'.
            found = {
                place: result.without_picture() if isinstance(result, Exchange) else result
                for place, result in found.items()
            }
        album.said, album.translation = intent.said, intent.translation
        reply = speaker.answers(album, intent, found)
        album.number = reply.number or album.number
        return reply


# Without a picture, these are answered by asking for one.
_NEED_PICTURE = frozenset(
    {Kind.CAPTION, Kind.QUESTION, Kind.RETRY, Kind.EMPTY, Kind.REMARK, Kind.CORRECTED}
)
# Not the person's doing, so it does not count towards their limits.
_OURS = frozenset({Cause.BUSY, Cause.CLOSING, Cause.CRASHED})


def _asked_last(album: Album) -> Intent:
    """What was last asked about an album, once more."""
    places, question = album.asked or ((album.current,), None)
    kind = Kind.CAPTION if question is None else Kind.QUESTION
    return Intent(
        kind,
        question,
        tuple(place + 1 for place in places),
        again=album.asked is not None,
        language="de" if album.translation else "",
        said=album.said,
        translation=album.translation,
    )


def _translated(result: Exchange | Trouble, intent: Intent) -> Exchange | Trouble:
    """The same with the words of the person who asked, and of the answer to them."""
    if isinstance(result, Trouble):
        return result
    german = in_german(result.answer, result.question or "")
    return replace(result, asked=intent.said, told=german or "")


def _rank(album: Album, asked: tuple[tuple[int, ...], str | None], *, again: bool) -> int:
    """Which answer to give: the best, or one that was not given before."""
    if not again:
        album.tries = 0
    elif asked == album.asked or album.asked is None:
        album.tries += 1
    else:
        album.tries = 1
    album.asked = asked
    return album.tries % DIFFERENT


async def _tell_queued(notify: Notify, texts: Texts, number: int) -> None:
    await notify(texts.queued.format(number=number))


def _is_ours(result: Exchange | Trouble) -> bool:
    return isinstance(result, Trouble) and result.cause in _OURS
