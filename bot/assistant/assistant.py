"""The assistant: a message in, a reply out, the same on every platform.

What a message wants is read by `intents`, which pictures it means is kept by `conversations`, the
model is asked by `inference`, and `replies` writes the answer, in the texts that `locale` chooses.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Hashable, Sequence
from dataclasses import replace
from functools import partial

from bot.assistant.abilities import as_able, context_of
from bot.assistant.conversations import (
    Album,
    Answer,
    Conversations,
    Missing,
    TooManyWaitingError,
    TurnQueue,
)
from bot.assistant.drafts import drafting
from bot.assistant.inference import Failure, FailureCause, Inference, crashed
from bot.assistant.intents import is_data_right, read_action, read_intent
from bot.assistant.limits import Access, Limits
from bot.assistant.locale import Languages, code_of, spoken
from bot.assistant.locale.texts import Texts
from bot.assistant.outages import OutageNotices
from bot.assistant.patterns import ALL, LAST
from bot.assistant.privacy import PersonalData, Recorder
from bot.assistant.profiles import Chosen, Profiles, ProfileSettings, seconds_until_midnight
from bot.assistant.replies import (
    ConfidenceThresholds,
    ReplyWriter,
    refusal,
)
from bot.assistant.types import (
    Action,
    AnswerMetrics,
    Conversation,
    Draft,
    Exchange,
    Incoming,
    Intent,
    Kind,
    Notify,
    PictureEngine,
    Reply,
)
from bot.assistant.wording import translated_answer, translated_caption
from data.images.open import Picture, open_picture

MAX_PICTURES = 10
DIFFERENT = 5  # answers to one question, before the first comes again


class Assistant:
    """Answers messages about pictures.

    Args:
        engine: The model, or a stand-in with the same `submit`.
        conversations: Where last pictures and the index of answers are kept.
        limits: How often a person may ask.
        access: Who may ask at all.
        open_picture: Decodes untrusted bytes; raises `data.errors.ImageRefused`.
        thresholds: Confidence below which it says that it is not sure.
        timeout: Seconds to wait for the engine before asking the person to try again.
        recorder: Keeps what was asked and answered.
        metrics: Counts answers and their seconds.
        profiles: Which models there are, who may choose them, and what they may cost.
    """

    def __init__(
        self,
        engine: PictureEngine,
        *,
        conversations: Conversations | None = None,
        limits: Limits | None = None,
        access: Access = Access(),  # noqa: B008 (frozen)
        open_picture: Callable[[bytes], Picture] = open_picture,
        thresholds: ConfidenceThresholds = ConfidenceThresholds(),  # noqa: B008 (frozen)
        timeout: float = 120.0,
        recorder: Recorder | None = None,
        metrics: AnswerMetrics | None = None,
        profiles: ProfileSettings = ProfileSettings(),  # noqa: B008 (frozen)
    ) -> None:
        self._inference = Inference(engine, open_picture, timeout=timeout)
        # Empty ones are false, so "or" would not do.
        self._conversations = Conversations() if conversations is None else conversations
        self._limits = Limits() if limits is None else limits
        self._access = access
        self._thresholds = thresholds
        self._turns, self._outages = TurnQueue(), OutageNotices()
        self._recorder, self._metrics = recorder or Recorder(), metrics
        self._languages = Languages(self._recorder.language, self._recorder.choose_language)
        self._profiles = Profiles(profiles, self._recorder)
        self._personal = PersonalData(
            self._recorder, self._languages, self._profiles, self.forget_person,
            lambda *person: self._writer(self.texts(*person)),
        )  # fmt: skip

    async def handle(
        self, incoming: Incoming, notify: Notify | None = None, draft: Draft | None = None
    ) -> Reply | None:
        """Answer one message; None where the bot was not meant. Never raises an error.

        Messages of one person in one chat are handled in the order of the calls.

        Args:
            incoming: The message.
            notify: Told at most once, if there is a long wait, how many others are before.
            draft: Told, in the event loop and before this returns, what will stand in the reply, as
                far as a chat model has written it; each time from the beginning, which may change
                if the model has to begin again. Doubts are put before it in the end, and what
                invites to ask after it. It must not block.
        """
        start = time.perf_counter()
        who = incoming.conversation
        texts = self.texts(who.platform, who.user, incoming.language)
        reply: Reply | None
        if not self.allows(who, incoming.text, incoming.action):
            reply = refusal(texts.not_allowed, outcome="not_allowed")
        else:
            if not self.allows(who):  # to /privacy and the like pictures add nothing
                incoming = replace(incoming, pictures=(), reply_pictures=())
            try:
                async with self._turns.of(who):
                    reply = await self._respond(who, incoming, notify, draft)
            except TooManyWaitingError:
                reply = refusal(texts.too_many_waiting, outcome="too_many")
            except Exception as cause:
                failure = crashed(cause)
                said = self._writer(texts).line(failure)
                reply = refusal(said, failure.reference, failure.cause.value)
        if reply is None or not incoming.addressed:
            return None
        seconds = time.perf_counter() - start
        self._recorder.note(incoming, reply, seconds)
        if self._metrics:
            self._metrics.answered(incoming, reply, seconds)
        return reply

    def refuse(self, platform: str, outcome: str, sentence: str) -> Reply:
        """What a platform refuses by itself, before there is a message to handle; it is counted."""
        reply = refusal(sentence, outcome=outcome)
        if self._metrics:
            self._metrics.answered(Incoming(platform, "", ""), reply, 0.0)
        return reply

    def texts(self, platform: str, user: str, language: str = "") -> Texts:
        """What is said to a person whose device speaks `language`, for who says more to them."""
        return self._languages.texts(platform, user, language)

    def allows(self, who: Conversation, text: str = "", action: Action | None = None) -> bool:
        """Whether this person may ask in this chat, for who would fetch their pictures first.

        Args:
            who: Asks.
            text: What they wrote: /forget, /privacy and /settings are for everybody.
            action: What they chose or pressed, instead.
        """
        listed = self._access.allows(who.platform, who.user, who.chat)
        return listed or is_data_right(text, action)

    def answer(self, number: str) -> Answer | None:
        """What the answer with this id was about, if that is still known."""
        return self._conversations.answer(number)

    def holds(self, who: Conversation, place: Hashable, digests: Collection[str] = ()) -> bool:
        """Whether a message without pictures would mean those shown at a place.

        Args:
            who: Would write it.
            place: As it came in `Incoming.place` with the pictures.
            digests: Of pictures that have to be among them.
        """
        return self._conversations.holds(who, place, digests)

    def remembers(self, who: Conversation) -> bool:
        """Whether there is a picture that a message without one would mean."""
        return not isinstance(self._conversations.recall(who), Missing)

    def shown(self, who: Conversation) -> tuple[str, ...]:
        """SHA-256 of each picture that a message without one may mean, "" for unreadable ones."""
        album = self._conversations.recall(who)
        return () if isinstance(album, Missing) else album.digests

    def place(self, who: Conversation) -> Hashable:
        """Where the pictures were shown that a message without one would mean; None if none are."""
        album = self._conversations.recall(who)
        return None if isinstance(album, Missing) else album.place

    @property
    def recorder(self) -> Recorder:
        """Tells what is kept of people, for who has to say so elsewhere than in a reply."""
        return self._recorder

    def sent_to(self, who: Conversation) -> Sequence[str]:
        """Who else may get a person's pictures and questions, by name; "" for one without."""
        return self._profiles.sent_to(who)

    async def takes_corrections(self, who: Conversation) -> bool:
        """Whether it is of use to ask a person what a bad answer should have been."""
        return await self._personal.takes_corrections(who)

    def purge(self) -> None:
        """Forget what is too old; nothing else does so while nobody writes."""
        self._conversations.purge()

    def too_much(self, who: Conversation, language: str = "") -> Reply | None:
        """Why a person has to wait, for who would fetch their pictures first; None if not."""
        if self._access.is_admin(who.platform, who.user):
            return None
        wait = self._limits.wait(who.platform, who.user)
        if wait is None:
            return None
        reply = self._writer(self.texts(who.platform, who.user, language)).too_much(
            wait.seconds, daily=wait.daily
        )
        self._recorder.note(Incoming(*who, language=language), reply, 0.0)
        return self.refuse(who.platform, reply.outcome, reply.text)

    def needs_picture(self, text: str, who: Conversation) -> bool:
        """Whether a person's words are about a picture, not a command to the bot or small talk."""
        able = self._inference.capabilities(self._profiles.of(who).first)
        intent = as_able(read_intent(text), able)
        return intent.kind in {Kind.CAPTION, Kind.QUESTION, Kind.REMARK, Kind.UNCLEAR}

    def forget(self, platform: str, chat: str, user: str) -> None:
        """Forget a person's pictures in one chat; their limits stay as they are."""
        self._conversations.forget(platform, user, chat)

    def forget_person(self, platform: str, user: str) -> None:
        """Forget a person's pictures in all chats of a platform; their limits stay as they are."""
        self._conversations.forget(platform, user)

    async def _respond(
        self, who: Conversation, incoming: Incoming, notify: Notify | None, draft: Draft | None
    ) -> Reply | None:
        """Answer a message in its turn."""
        sent = self._keep_pictures(who, incoming)
        if not incoming.addressed:
            return None
        album = self._conversations.recall(who) if sent is None else sent
        held = None if isinstance(album, Missing) else album
        writer = self._writer(
            self.texts(who.platform, who.user, incoming.language), held.place if held else None,
            self._profiles.sent_to(who),
        )  # fmt: skip
        able = self._inference.capabilities(self._profiles.of(who).first)
        intent = as_able(_read(incoming, held), able)
        if intent.language:
            writer = replace(writer, texts=spoken(intent.language))
        aside = await self._personal.handle(who, incoming.language, intent, writer)
        if aside:
            return aside
        if held is None:
            if intent.kind in _NEED_PICTURE:
                return writer.no_picture(gone=album is Missing.EXPIRED)
            return writer.sentence(intent, offer_caption=False)
        if intent.kind is Kind.CORRECTED:
            last = "" if incoming.reply_pictures else held.number
            noted = await self._personal.correct(who, incoming.reply_to or last, intent.rest)
            intent = intent if noted else Intent(Kind.SORRY)
        about = self.answer(intent.answer or incoming.reply_to)
        if intent.kind is Kind.RETRY:
            intent = _asked_again(held, about)
            if intent.language:
                writer = replace(writer, texts=spoken(intent.language))
        if intent.kind is Kind.SAME:
            intent = _asked_of_others(held, intent.pictures)
            if intent.language:
                writer = replace(writer, texts=spoken(intent.language))
        if intent.kind in {Kind.CAPTION, Kind.QUESTION}:
            return await self._look(
                who, held, intent, about, writer=writer, notify=notify, draft=draft,
                whole=sent is not None,
            )  # fmt: skip
        reply = writer.sentence(intent, offer_caption=True)
        self._note_answer(reply, Answer(who, who.user, held.place, owner=held.owner))
        return reply

    async def _look(
        self,
        who: Conversation,
        album: Album,
        intent: Intent,
        about: Answer | None,
        *,
        writer: ReplyWriter,
        notify: Notify | None,
        draft: Draft | None,
        whole: bool,
    ) -> Reply:
        """Ask the engine about the pictures that are meant: of a `whole` album, or the last one."""
        count = len(album.entries)
        places = _places(album, intent.pictures)
        if places is None:
            return writer.no_such_picture(album, intent.pictures)
        places = places or (album.find(about.digests) if about and not intent.which else [])
        places = places or (list(range(count)) if whole or intent.which else [album.current])
        chosen = self._profiles.of(who)
        if chosen.is_spent:
            return writer.spent(seconds_until_midnight())
        counted = not self._access.is_admin(who.platform, who.user)
        wait = self._limits.take(who.platform, who.user) if counted else None
        if wait is not None:
            return writer.too_much(wait.seconds, daily=wait.daily)
        rank = _rank(album, (tuple(places), intent.question), again=intent.again)
        queued = partial(_tell_queued, notify, writer.texts) if notify else None
        context = context_of(intent, code_of(writer.texts))
        again = {intent.question, context.asked} if intent.again else set()
        before = partial(album.turns.before, again=again)
        # Several make a list in the end, and a German question for "which" has an English answer.
        shown = draft if len(places) == 1 and not intent.which else None
        with drafting(shown, partial(writer.draft, intent)) as on_text:
            try:
                found = await self._inference.ask(
                    album, places, intent.question, rank, queued, turns=before,
                    context=replace(
                        context, on_text=on_text, profile=chosen.profile, without=chosen.without
                    ),
                )  # fmt: skip
            except asyncio.CancelledError:  # who has read the draft need not wait for the answer
                self._profiles.spend_unheard(who, chosen.first, len(places))
                raise
        self._profiles.spend(who, found.values())
        answered = [place for place, result in found.items() if isinstance(result, Exchange)]
        if answered and self._conversations.owns(who, album):
            album.current = answered[-1]
        self._conversations.purge()  # opened pictures may take more room than they did encoded
        if counted and all(map(_is_ours, found.values())):
            self._limits.give_back(who.platform, who.user)
        found = _translated(found, intent, writer.texts)
        chats = self._inference.capabilities(chosen.profile).chat
        for place, each in found.items():
            if isinstance(each, Exchange) and chats:
                album.turns.add(place, each, again)
        if not (album.own and self._conversations.owns(who, album)):
            # Whoever allows that their pictures are kept does not decide on others'.
            found = {
                place: result.without_picture() if isinstance(result, Exchange) else result
                for place, result in found.items()
            }
        album.translation, album.language = intent.translation, intent.language
        reply = writer.answers(album, intent, found, self._notice(who, chosen, found, writer.texts))
        album.number = reply.number or album.number
        asked_by = about.asked_by if about and intent.again else who.user
        digests = tuple(exchange.digest for exchange in reply.exchanges)
        answer = Answer(
            who, asked_by, album.place, digests, intent.question, intent.translation, album.owner,
            intent.language,
        )  # fmt: skip
        self._note_answer(reply, answer)
        return reply

    def _notice(
        self, who: Conversation, chosen: Chosen, found: dict[int, Exchange | Failure], texts: Texts
    ) -> str:
        """What a person has to know of who answered."""
        outage = self._outages.due(who, found.values())
        answered = any(isinstance(each, Exchange) for each in found.values())
        if answered and self._profiles.notices(who, chosen):
            return texts.spent_instead.format(profile=chosen.order[0])
        return texts.instead if outage else ""

    def _writer(
        self, texts: Texts, place: Hashable = None, sent_to: Sequence[str] = ()
    ) -> ReplyWriter:
        return ReplyWriter(texts, self._thresholds, self._conversations.seconds, place, sent_to)

    def _keep_pictures(self, who: Conversation, incoming: Incoming) -> Album | None:
        """Remember what this message shows: its own pictures, else those it replies to."""
        replied = incoming.reply_pictures if incoming.addressed else ()
        pictures = incoming.pictures or replied
        if not pictures:
            return None
        is_older = not incoming.addressed and incoming.owner  # from before a restart, say
        sent_now = incoming.pictures and not is_older
        owner = who.user if sent_now else self._owner(incoming)
        entries = pictures[:MAX_PICTURES]
        album = Album(
            [*entries], len(entries) - 1, len(pictures) - len(entries),
            own=bool(incoming.pictures) and owner == who.user, place=incoming.place,
            numbers=tuple(each.number or n for n, each in enumerate(entries, 1)), owner=owner,
        )  # fmt: skip
        self._conversations.remember(who, album)
        return album

    def _owner(self, incoming: Incoming) -> str:
        """Who showed the pictures that a message replies to, as far as that is known."""
        about = self.answer(incoming.reply_to)
        return incoming.owner or (about.owner if about else "")

    def _note_answer(self, reply: Reply, answer: Answer) -> None:
        if reply.number:
            self._conversations.note_answer(reply.number, answer)


# Without a picture, these are answered by asking for one.
_NEED_PICTURE = frozenset(
    {
        *(Kind.CAPTION, Kind.QUESTION, Kind.RETRY, Kind.SAME, Kind.EMPTY, Kind.REMARK),
        *(Kind.CORRECTED, Kind.UNCLEAR),
    }
)
# Not the person's doing, so it does not count towards their limits.
_OURS = frozenset({*FailureCause} - {FailureCause.REFUSED})


def _read(incoming: Incoming, album: Album | None) -> Intent:
    """What a message wants while an album is at hand."""
    if incoming.intent:
        return incoming.intent
    read = partial(read_intent, incoming.text)
    if incoming.action:
        read = partial(read_action, incoming.action)
    return read(
        attached=bool(incoming.pictures),
        replied=bool(incoming.reply_pictures),
        several=album is not None and album.numbers[-1] > 1,
        previous=album.translation if album else None,
    )


def _places(album: Album, numbers: Sequence[int]) -> list[int] | None:
    """The places, from 0, of the pictures that people name so; None if there is none of them."""
    count = len(album.entries)
    if ALL in numbers:
        return list(range(count))
    if any(number != LAST and number not in album.numbers for number in numbers):
        return None
    return [count - 1 if n == LAST else album.numbers.index(n) for n in numbers]


def _asked_again(album: Album, about: Answer | None) -> Intent:
    """What an answer answered, once more, or what was last asked about an album."""
    if about and about.digests:
        places: tuple[int, ...] = ()
        question, translation, again = about.question, about.translation, True
        language = about.language
    else:
        places, question = album.asked or ((album.current,), None)
        translation, again = album.translation, album.asked is not None
        language = album.language
    return Intent(
        Kind.CAPTION if question is None else Kind.QUESTION,
        question,
        tuple(album.numbers[place] for place in places),
        again=again,
        language=language,
        translation=translation,
    )


def _asked_of_others(album: Album, numbers: tuple[int, ...]) -> Intent:
    """What was last asked about an album, about other pictures of it."""
    question = album.asked[1] if album.asked else None
    kind = Kind.CAPTION if question is None else Kind.QUESTION
    translation = album.translation if question else None
    language = album.language if question else ""
    return Intent(kind, question, numbers, language=language, translation=translation)


def _translated(
    found: dict[int, Exchange | Failure], intent: Intent, texts: Texts
) -> dict[int, Exchange | Failure]:
    """What the model said, also in the language that the person is answered in."""
    if intent.translation and intent.question:
        said = partial(translated_answer, translation=intent.translation)
    else:
        said = partial(translated_caption, texts=texts)
    return {n: said(each) if isinstance(each, Exchange) else each for n, each in found.items()}


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


def _is_ours(result: Exchange | Failure) -> bool:
    return isinstance(result, Failure) and result.cause in _OURS
