"""What travels between an adapter and the assistant: plain values, no framework objects."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Awaitable, Callable, Hashable
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:  # every command imports this module: what is told of here takes as long again
    from bot.assistant.translation.translator import Translation
    from data.images.open import Picture
    from model.requests import Capabilities, ChatContext, DetectedObject, Usage

Notify = Callable[[str], Awaitable[None]]  # tells a person something before their answer comes
Draft = Callable[[str], None]  # shows a person the reply so far, from its beginning


class Conversation(NamedTuple):
    """One person in one chat of one platform."""

    platform: str
    chat: str
    user: str


@dataclass(frozen=True)
class Attachment:
    """An encoded image as it came from a person.

    Attributes:
        content: Untrusted bytes.
        name: That it was sent under.
        number: From 1, among all files sent with it, also those that are no pictures; 0 if it came
            with none but pictures.
    """

    content: bytes
    name: str = ""
    number: int = field(default=0, compare=False)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the bytes, as the opened `Picture` has it."""
        return hashlib.sha256(self.content).hexdigest()


# --- actions: commands and buttons, as the adapters understand them -----------------------------


@dataclass(frozen=True)
class Ask:
    """Answer a question, whatever its words look like."""

    question: str

    @property
    def command(self) -> str:
        """The same as a person would type it."""
        return f"/ask {self.question}"


@dataclass(frozen=True)
class Caption:
    """Describe pictures: those of the answer with this id, else the ones at hand."""

    answer: str = ""
    command = "/caption"


@dataclass(frozen=True)
class Retry:
    """Answer once more, in another way.

    Attributes:
        answer: Id of the answer that was not good enough; "" for the last one.
        text: What was asked, where only the platform still knows that.
    """

    answer: str = ""
    text: str = ""

    @property
    def command(self) -> str:
        """The same as a person would type it."""
        return f"/retry {self.text}".strip()


@dataclass(frozen=True)
class Rate:
    """Say whether the answer with this id is good."""

    answer: str
    good: bool

    @property
    def command(self) -> str:
        """The same as a button carries it."""
        return f"/rate {'good' if self.good else 'bad'} {self.answer}"


@dataclass(frozen=True)
class ChooseSettings:
    """Choose ("de", "log off", "model pixtral"); "" shows what is chosen."""

    choice: str = ""

    @property
    def command(self) -> str:
        """The same as a button carries it."""
        return f"/settings {self.choice}".strip()


@dataclass(frozen=True)
class Help:
    """Tell what the bot can do."""

    command = "/help"


@dataclass(frozen=True)
class Privacy:
    """Tell what is kept of the person."""

    command = "/privacy"


@dataclass(frozen=True)
class Forget:
    """Erase everything of the person."""

    command = "/forget"


Action = Ask | Caption | Retry | Rate | ChooseSettings | Help | Privacy | Forget
_RATING = re.compile(r"(good|bad) ([0-9a-f]{16})")


def button_action(command: str, answer: str = "") -> Action | None:
    """What a button does, by the command that it carries; None if there is no such button.

    Args:
        command: `Button.action`, also of buttons sent by earlier versions.
        answer: Id of the answer under which the button is, if that is known.
    """
    name, _, rest = command.partition(" ")
    if name == "/rate" and (rating := _RATING.fullmatch(rest)):
        return Rate(rating[2], good=rating[1] == "good")
    if name == "/settings":
        return ChooseSettings(rest)
    looks: dict[str, Action] = {"/caption": Caption(answer), "/retry": Retry(answer)}
    return looks.get(command)


# --- messages and replies -------------------------------------------------------------------------


class Kind(Enum):
    """What to do with a message. Values of the sentence kinds are fields of `Texts`."""

    CAPTION = "caption"
    QUESTION = "question"
    RETRY = "retry"
    SAME = "same"  # the last question, about other pictures

    START = "start"
    HELP = "help"
    FORGET = "forgotten"
    PRIVACY = "privacy"
    SETTINGS = "settings"
    RATED = "rated"
    CORRECTED = "corrected"
    ABOUT = "about"
    HELLO = "hello"
    THANKS = "thanks"
    GOODBYE = "goodbye"
    NOD = "nod"
    SORRY = "sorry"
    RUDE = "rude"
    REACTION = "reaction"
    FORGET_HINT = "forget_hint"

    EMPTY = "empty"
    TOO_LONG = "too_long"
    FOREIGN = "foreign"
    INSTRUCTION = "instruction"
    OUTSIDE = "outside"
    PRIVATE = "cannot_tell"
    HEALTH = "health"
    EXPERT = "expert"
    READING = "reading"
    UNSEEN = "unseen"
    REMARK = "remark"
    UNCLEAR = "unclear"
    LINK = "link"
    UNKNOWN_COMMAND = "unknown_command"


@dataclass(frozen=True)
class Intent:
    """What one message wants.

    Attributes:
        kind: What to do.
        question: For the model, if `kind` is QUESTION.
        pictures: Numbers of the pictures named, from 1, as `patterns.named_pictures` gives them.
        names_asked: A person's name was asked for; the answer is a caption that says so.
        more: More than a caption is wanted: what else is seen.
        invite: The picture came without a request: a caption, and an invitation to ask.
        command: The unknown command.
        rest: What followed "/settings", the number of the answer that is rated, or what the last
            one should have been.
        again: Another answer is wanted than the last one.
        good: Whether the rated answer is.
        answer: Id of the answer whose pictures are meant, or "".
        language: That the answer has to be in, because the words are; "" for the person's.
        translation: How the words were translated, if they were.
        which: The answer is the numbers of those pictures of which the question is answered yes.
    """

    kind: Kind
    question: str | None = None
    pictures: tuple[int, ...] = ()
    names_asked: bool = False
    more: bool = False
    invite: bool = False
    command: str = ""
    rest: str = ""
    again: bool = False
    good: bool = False
    answer: str = ""
    language: str = ""
    translation: Translation | None = None
    which: bool = False


@dataclass(frozen=True)
class Incoming:
    """One message from a person.

    Attributes:
        platform: "web", "cli", "telegram" or "discord".
        chat: Identifies the conversation on its platform.
        user: Identifies the person on their platform.
        text: What they wrote: a question, a caption, a command ("/caption") or nothing.
        pictures: Images attached to this message, in order.
        reply_pictures: Images of the message that this one replies to, or is about.
        addressed: Whether the bot is meant: always in a private chat, else on a mention,
            a reply to the bot or a command.
        language: What the person's device speaks, as far as the platform tells: "de-AT", or "".
        fetching: Seconds that it took to fetch the pictures.
        reply_to: Id of the answer that this message replies to, or "".
        action: A command or a button, instead of `text`.
        place: Where the adapter can fetch the pictures of this message again.
        intent: What it wants, where that was read before.
        owner: Who showed the pictures of the message that this one replies to, or those from before
            a restart that are brought without addressing the bot; or "".
    """

    platform: str
    chat: str
    user: str
    text: str = ""
    pictures: tuple[Attachment, ...] = ()
    reply_pictures: tuple[Attachment, ...] = ()
    addressed: bool = True
    language: str = ""
    fetching: float = 0.0
    reply_to: str = ""
    action: Action | None = None
    place: Hashable = None
    intent: Intent | None = None
    owner: str = ""

    @property
    def conversation(self) -> Conversation:
        """The person in the chat."""
        return Conversation(self.platform, self.chat, self.user)

    @property
    def words(self) -> str:
        """What they wrote, or what a command or a button stands for."""
        return self.action.command if self.action else self.text


@dataclass(frozen=True)
class Button:
    """A button under a reply.

    Attributes:
        label: What is written on it: words, or one emoji.
        action: The text that pressing it sends ("/caption"); at most 40 characters.
        name: What an emoji stands for, to be read aloud; "" if the label says it.
    """

    label: str
    action: str
    name: str = ""


@dataclass(frozen=True)
class Exchange:
    """What was asked of the model and what it said, for the log.

    Attributes:
        kind: "caption" or "question".
        question: As the model got it; None for a caption.
        answer: In the model's own words.
        confidence: Calibrated, 0..1; None if the model tells none.
        seconds: From asking to answering: waiting, encoding and decoding.
        digest: SHA-256 of the picture.
        width: Of the picture as it was sent.
        height: Likewise.
        format: Likewise, "JPEG" say.
        waiting: Seconds in the queue.
        encoding: Seconds for the picture.
        decoding: Seconds for the words.
        picture: Itself, for who allows that it is kept.
        place: Of the picture among the files sent with it, from 0.
        objects: What the model sees in the picture, the surest first; the log does not keep it.
        original_question: As the person asked it, where it was translated; else "".
        translated_answer: In their language then, or "" if there are no words for it; of a caption
            too, of which the log keeps the model's words.
        profile: Of the model that answered; "" for the only one there is.
        instead: Whether it did so in place of another one that could not.
        usage: What it cost, where answers cost something.
        language: Code of the one that the model was asked to answer in.
    """

    kind: str
    question: str | None
    answer: str
    confidence: float | None
    seconds: float
    digest: str
    width: int = 0
    height: int = 0
    format: str = ""
    waiting: float = 0.0
    encoding: float = 0.0
    decoding: float = 0.0
    picture: Picture | None = field(default=None, repr=False, compare=False)
    place: int = 0
    objects: tuple[DetectedObject, ...] = ()
    original_question: str = ""
    translated_answer: str = ""
    profile: str = ""
    instead: bool = False
    usage: Usage | None = None
    language: str = "en"

    def without_picture(self) -> Exchange:
        """The same without the picture itself, which is not everybody's, and takes much memory."""
        return replace(self, picture=None)


@dataclass(frozen=True)
class Reply:
    """What the assistant says back.

    Attributes:
        text: Plain text, ready to be read by a person.
        buttons: Offered next steps.
        error: True if nothing could be answered; `text` then says what to do.
        reference: Short id that an error shares with the operator's log, or "".
        exchanges: What the model was asked, one for each picture answered.
        number: Id of the answer, for ratings, the log and the answer index; "" where the reply is
            not about pictures.
        outcome: "answered", or in a word why not, for the log.
        brief: It only confirms something, and may be shown in passing.
        place: Where the adapter can fetch the pictures again that the reply is about.
        unanswered: Lines of `text` that say why one of several pictures has no answer.
    """

    text: str
    buttons: tuple[Button, ...] = ()
    error: bool = False
    reference: str = ""
    exchanges: tuple[Exchange, ...] = ()
    number: str = ""
    outcome: str = field(default="said", compare=False)
    brief: bool = False
    place: Hashable = field(default=None, compare=False)
    unanswered: tuple[str, ...] = field(default=(), compare=False)


@dataclass(frozen=True)
class Rating:
    """What a person thinks of an answer.

    Attributes:
        platform: "telegram", say.
        user: Who thinks so.
        number: Of the answer's reply.
        good: Whether it is.
        correction: What it should have been, or "".
    """

    platform: str
    user: str
    number: str
    good: bool
    correction: str = ""


class AnswerMetrics(Protocol):
    """Counts answers; never waits, never fails."""

    def answered(self, incoming: Incoming, reply: Reply, seconds: float) -> None:
        """A message was answered, `seconds` after it came with its pictures fetched."""
        ...


class ModelAnswer(Protocol):
    """The part of `model.requests.Answer` that the assistant reads."""

    @property
    def text(self) -> str:
        """What it says: bare words in lower case, or sentences as a chat model writes them."""
        ...

    @property
    def confidence(self) -> float | None:
        """Calibrated probability, 0..1; None if the model tells none."""
        ...

    @property
    def seconds(self) -> float:
        """From asking to answering."""
        ...

    @property
    def encoding(self) -> float:
        """Of those seconds, for the picture; 0 if it was encoded before."""
        ...

    @property
    def decoding(self) -> float:
        """For the words."""
        ...

    @property
    def objects(self) -> tuple[DetectedObject, ...]:
        """What the model sees in the picture, the surest first; none if it has no such head."""
        ...

    @property
    def profile(self) -> str:
        """Name of the profile that answered; "" for the only one there is."""
        ...

    @property
    def instead(self) -> bool:
        """Whether it answered in place of another profile that could not."""
        ...

    @property
    def usage(self) -> Usage | None:
        """What it cost; None where answers cost nothing."""
        ...

    @property
    def language(self) -> str:
        """Code of the one that it was asked to answer in."""
        ...


class PictureEngine(Protocol):
    """The part of `model.engine.Engine` that the assistant uses; tests pass a fast stand-in."""

    @property
    def waiting(self) -> int:
        """How many questions are queued."""
        ...

    def capabilities(self, profile: str = "") -> Capabilities:
        """What the model of a profile can do, or that of the one that was set up ("")."""
        ...

    def submit(
        self,
        picture: Picture,
        question: str | None,
        rank: int = 0,
        context: ChatContext = ...,
    ) -> Future[ModelAnswer]:
        """Queue a question (None asks for a caption); a `rank` above 0 asks for another answer.

        A chat model also gets the `context`.

        Raises:
            model.errors.EngineBusy: The queue is full.
            model.errors.EngineClosed: The engine was shut down.
        """
        ...
