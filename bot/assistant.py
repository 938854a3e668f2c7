"""The assistant: a message in, a reply out, the same on every platform.

What a message wants is read by `intents`, which picture it means is kept by `memory`, the model
is asked by `looking`, its words are made sentences by `wording`, and all others are in `texts`.
"""

from __future__ import annotations

from collections.abc import Callable

from bot.access import Access
from bot.intents import MAX_CHARACTERS, UNANSWERABLE, Intent, Kind, read_intent
from bot.limits import Limits
from bot.looking import Cause, Looker, Trouble, crashed
from bot.memory import Album, Conversation, Gone, Memory
from bot.messages import AnswersPictures, Button, Exchange, Incoming, Reply
from bot.texts import ENGLISH, Texts
from bot.turns import TooManyWaitingError, Turns
from bot.wording import Sureness, say_answer, say_caption
from data.images import Picture, open_picture

MAX_PICTURES = 10


class Assistant:
    """Answers messages about pictures.

    Args:
        engine: The model, or a stand-in with the same `submit`.
        memory: Where last pictures are kept.
        limits: How often a person may ask.
        access: Who may ask at all.
        open_picture: Decodes untrusted bytes; raises `data.images.ImageRefused`.
        texts: What it says.
        sureness: Confidence below which it says that it is not sure.
        patience: Seconds to wait for the engine before asking the person to try again.
    """

    def __init__(
        self,
        engine: AnswersPictures,
        *,
        memory: Memory | None = None,
        limits: Limits | None = None,
        access: Access = Access(),  # noqa: B008 (frozen)
        open_picture: Callable[[bytes], Picture] = open_picture,
        texts: Texts = ENGLISH,
        sureness: Sureness = Sureness(),  # noqa: B008 (frozen)
        patience: float = 120.0,
    ) -> None:
        self._looker = Looker(engine, open_picture, patience=patience)
        # An empty memory is false, so "or" would not do.
        self._memory = Memory() if memory is None else memory
        self._limits = Limits() if limits is None else limits
        self._access = access
        self._texts = texts
        self._sureness = sureness
        self._turns = Turns()

    async def handle(self, incoming: Incoming) -> Reply | None:
        """Answer one message; None where the bot was not meant. Never raises an error.

        Messages of one person in one chat are handled in the order of the calls.
        """
        who = Conversation(incoming.platform, incoming.chat, incoming.user)
        if not self.allows(who.platform, who.user, who.chat):
            return _error(self._texts.not_allowed) if incoming.addressed else None
        try:
            async with self._turns.of(who):
                return await self._turn(who, incoming)
        except TooManyWaitingError:
            return _error(self._texts.too_many_waiting) if incoming.addressed else None
        except Exception as error:
            trouble = crashed(error)
            return _error(self._line(trouble), trouble.reference) if incoming.addressed else None

    def allows(self, platform: str, user: str, chat: str) -> bool:
        """Whether this person may ask in this chat, for who would fetch their pictures first."""
        return self._access.allows(platform, user, chat)

    def tidy(self) -> None:
        """Forget what is too old; nothing else does so while nobody writes."""
        self._memory.purge()

    def forget(self, platform: str, chat: str, user: str) -> None:
        """Forget a person's pictures in one chat; their limits stay as they are."""
        self._memory.forget(platform, user, chat)

    def forget_person(self, platform: str, user: str) -> None:
        """Forget a person's pictures in all chats of a platform; their limits stay as they are."""
        self._memory.forget(platform, user)

    async def _turn(self, who: Conversation, incoming: Incoming) -> Reply | None:
        sent = self._keep_pictures(who, incoming)
        if not incoming.addressed:
            return None
        album = self._memory.recall(who) if sent is None else sent
        intent = read_intent(
            incoming.text,
            attached=bool(incoming.pictures),
            replied=bool(incoming.reply_pictures),
            several=isinstance(album, Album) and len(album.entries) > 1,
        )
        if intent.kind is Kind.FORGET:
            self.forget_person(who.platform, who.user)
        if isinstance(album, Gone):
            if intent.kind in _NEED_PICTURE:
                return _error(self._no_picture(album))
            return self._sentence(intent, offer_caption=False)
        if intent.kind not in {Kind.CAPTION, Kind.QUESTION}:
            return self._sentence(intent, offer_caption=True)
        return await self._look(who, album, intent, all_of_them=sent is not None)

    def _keep_pictures(self, who: Conversation, incoming: Incoming) -> Album | None:
        """Remember what this message shows: its own pictures, else those it replies to."""
        replied = incoming.reply_pictures if incoming.addressed else ()
        pictures = incoming.pictures or replied
        if not pictures:
            return None
        entries = pictures[:MAX_PICTURES]
        album = Album([*entries], len(entries) - 1, left_out=len(pictures) - len(entries))
        self._memory.remember(who, album)
        return album

    async def _look(
        self, who: Conversation, album: Album, intent: Intent, *, all_of_them: bool
    ) -> Reply:
        """Ask the engine about the pictures that are meant."""
        count = len(album.entries)
        if any(number > count or number == 0 for number in intent.pictures):
            return _error(self._texts.no_such_picture.format(count=count))
        places = [number - 1 if number > 0 else count - 1 for number in intent.pictures] or (
            list(range(count)) if all_of_them else [album.current]
        )
        counted = not self._access.is_admin(who.platform, who.user)
        wait = self._limits.take(who.platform, who.user) if counted else None
        if wait is not None:
            text = self._texts.wait_day if wait.daily else self._texts.wait_minute
            return _error(text.format(time=self._texts.span(wait.seconds)))
        found = await self._looker.look(album, places, intent.question)
        answered = [place for place, result in found.items() if isinstance(result, Exchange)]
        if answered and self._memory.owns(who, album):
            album.current = answered[-1]
        self._memory.purge()  # opened pictures may take more room than they did encoded
        if counted and all(map(_is_ours, found.values())):
            self._limits.give_back(who.platform, who.user)
        return self._compose(album, intent, found)

    def _compose(self, album: Album, intent: Intent, found: dict[int, Exchange | Trouble]) -> Reply:
        """Put answers together: one as it is, several in a numbered list."""
        texts = self._texts
        several = len(found) > 1
        lines = [
            f"{place + 1}. {self._line(result)}" if several else self._line(result)
            for place, result in found.items()
        ]
        exchanges = tuple(result for result in found.values() if isinstance(result, Exchange))
        troubles = [result for result in found.values() if isinstance(result, Trouble)]
        reference = next((trouble.reference for trouble in troubles if trouble.reference), "")
        if intent.names_asked and exchanges:
            lines.insert(0, texts.no_names)
        if several and album.left_out:
            lines.append(texts.only_first.format(count=len(album.entries)))
        text = "\n".join(lines)
        if not exchanges:
            alike = len({self._line(trouble) for trouble in troubles}) == 1
            return _error(self._line(troubles[0]) if alike else text, reference)
        if intent.invite:
            text += f"\n\n{texts.invite_several if several else texts.invite}"
        offer = intent.kind is Kind.QUESTION and not several
        return Reply(text, self._buttons(offer), reference=reference, exchanges=exchanges)

    def _line(self, result: Exchange | Trouble) -> str:
        """One picture's answer, or why there is none."""
        if isinstance(result, Trouble):
            if result.cause is Cause.REFUSED:
                return result.sentence
            sentence: str = getattr(self._texts, result.cause.value)
            return sentence.format(reference=result.reference)
        if result.question is None:
            sure = result.confidence >= self._sureness.caption
            return say_caption(result.answer, self._texts, sure=sure)
        sure = result.confidence >= self._sureness.answer
        return say_answer(result.answer, result.question, self._texts, sure=sure)

    def _sentence(self, intent: Intent, *, offer_caption: bool) -> Reply:
        """The reply to what needs no look at a picture."""
        template: str = getattr(self._texts, intent.kind.value)
        text = template.format(
            limit=MAX_CHARACTERS,
            command=intent.command,
            time=self._texts.span(self._memory.seconds),
        )
        unanswerable = intent.kind in UNANSWERABLE
        offer = unanswerable and offer_caption and intent.kind is not Kind.UNKNOWN_COMMAND
        return Reply(text, self._buttons(offer), error=unanswerable)

    def _no_picture(self, gone: Gone) -> str:
        if gone is Gone.NEVER:
            return self._texts.no_picture
        return self._texts.picture_gone.format(time=self._texts.span(self._memory.seconds))

    def _buttons(self, offer_caption: bool) -> tuple[Button, ...]:
        return (Button(self._texts.caption_button, "/caption"),) if offer_caption else ()


# Without a picture, these are answered by asking for one.
_NEED_PICTURE = frozenset({Kind.CAPTION, Kind.QUESTION, Kind.EMPTY, Kind.REMARK})
# Not the person's doing, so it does not count towards their limits.
_OURS = frozenset({Cause.BUSY, Cause.CLOSING, Cause.CRASHED})


def _is_ours(result: Exchange | Trouble) -> bool:
    return isinstance(result, Trouble) and result.cause in _OURS


def _error(text: str, reference: str = "") -> Reply:
    return Reply(text, error=True, reference=reference)
