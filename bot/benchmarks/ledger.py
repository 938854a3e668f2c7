"""Who got an answer: every message that was sent, what was heard of it, and the verdict on that."""

from __future__ import annotations

import asyncio
import math
import re
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum

from bot.assistant.locale.texts import ENGLISH

ANSWER_TIMEOUT, OUTAGE_TIMEOUT = 60.0, 120.0  # seconds
Key = Hashable


class Expect(Enum):
    """What a message should get."""

    ANSWER = "an answer"
    REFUSAL = "a friendly refusal"
    SILENCE = "nothing"


class Outcome(Enum):
    """What a message got."""

    ANSWERED = "answered"
    REFUSED = "refused"
    APOLOGISED = "apologised"
    CRASHED = "crashed"
    LOST = "lost"
    SILENT = "silent"
    LEFT = "left"  # with the platform, which brings it again after a restart


def _pattern(*templates: str) -> re.Pattern[str]:
    said = (re.sub(r"\\{\w+\\}", ".+", re.escape(template)) for template in templates)
    return re.compile("|".join(said))


_NOTICE = _pattern(ENGLISH.queued)
_CRASH = re.compile("Something went wrong")
_APOLOGY = re.compile(
    _pattern(
        ENGLISH.fetch_failed, ENGLISH.busy, ENGLISH.closing, ENGLISH.too_many_waiting
    ).pattern
    + "|Glimpse is very busy|Pictures cannot be opened at the moment"
)  # fmt: skip
_REFUSAL = re.compile(
    _pattern(ENGLISH.no_picture_file, ENGLISH.button_too_old, ENGLISH.wait_minute).pattern
    + r"|.*Please (?:send|crop|name)\b"
)


def outcome_of(text: str) -> Outcome:
    """What an answer is; a list is an answer as soon as one of its lines is."""
    lines = [line for line in text.splitlines() if re.match(r"\d+\. ", line)]
    kinds = {_kind_of(re.sub(r"^\d+\. ", "", line)) for line in lines or [text]}
    order = (Outcome.CRASHED, Outcome.ANSWERED, Outcome.REFUSED, Outcome.APOLOGISED)
    return next(kind for kind in order if kind in kinds)


def _kind_of(text: str) -> Outcome:
    for pattern, kind in (
        (_CRASH, Outcome.CRASHED),
        (_APOLOGY, Outcome.APOLOGISED),
        (_REFUSAL, Outcome.REFUSED),
    ):
        if pattern.match(text):
            return kind
    return Outcome.ANSWERED


@dataclass(eq=False)
class SentMessage:
    """A message of a person, or a press of a button.

    Attributes:
        platform: Where.
        kind: What it was, for a report.
        expect: What it should get.
        at: When it was sent, in monotonic seconds.
        heard_at: When the answer came; None if it did not.
        text: The answer.
        extra: Answers beyond the one that was due.
        left: The bot has never taken it from the platform.
        done: Set when the answer comes.
    """

    platform: str
    kind: str
    expect: Expect
    at: float
    heard_at: float | None = None
    text: str = ""
    extra: int = 0
    left: bool = False
    done: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def seconds(self) -> float:
        """How long the answer took."""
        return math.inf if self.heard_at is None else self.heard_at - self.at


class Ledger:
    """Notes what is sent and heard.

    Args:
        clock: Monotonic seconds.

    Attributes:
        sent: All messages.
        strays: Answers to nothing that was sent, by platform.
        notices: Words about the queue, which are no answers.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.sent: list[SentMessage] = []
        self.strays: Counter[str] = Counter()
        self.notices = 0
        self._by_key: defaultdict[tuple[str, Key], list[SentMessage]] = defaultdict(list)
        self._outages: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
        self._excuses: Counter[str] = Counter()
        self._stopped_at = math.inf

    def send(
        self, platform: str, kind: str, key: Key, expect: Expect = Expect.ANSWER
    ) -> SentMessage:
        """Something is sent whose answer will be heard under this key."""
        sent = SentMessage(platform, kind, expect, self.clock())
        self.sent.append(sent)
        self._by_key[platform, key].append(sent)
        return sent

    def record_answer(self, platform: str, key: Key, text: str) -> None:
        """The bot says something, or changes what it said: the oldest open message is answered."""
        if _NOTICE.match(text):
            self.notices += 1
            return
        known = self._by_key.get((platform, key))
        if not known:
            self.strays[platform] += 1
            return
        for sent in known:
            if sent.heard_at is None and sent.expect is not Expect.SILENCE:
                sent.heard_at, sent.text = self.clock(), text
                sent.done.set()
                return
        known[-1].extra += 1

    def mark_untaken(self, platform: str, keys: Iterable[Key]) -> None:
        """These messages are still with the platform."""
        for key in keys:
            for sent in self._by_key.get((platform, key), ()):
                sent.left = sent.heard_at is None

    def outage(self, platform: str, seconds: float, *, excuse: bool = False) -> None:
        """From now on a platform is out of order; with an excuse, one message may get no answer
        but an apology.
        """
        self._outages[platform].append((self.clock(), self.clock() + seconds))
        self._excuses[platform] += excuse

    def stopping(self) -> None:
        """The bot is told to stop: from now on, an apology does instead of an answer."""
        self._stopped_at = self.clock()

    def was_open(self, sent: SentMessage) -> bool:
        """Whether a message was waiting for its answer when the bot was told to stop."""
        return sent.at + sent.seconds > self._stopped_at

    def excuses(self, platform: str) -> int:
        """How many messages may get an apology instead of an answer."""
        return self._excuses[platform]

    def outcome(self, sent: SentMessage) -> Outcome:
        """What a message got, now that it is over."""
        if sent.expect is Expect.SILENCE:
            return Outcome.SILENT
        if sent.left:
            return Outcome.LEFT
        end = sent.at + ANSWER_TIMEOUT if sent.heard_at is None else sent.heard_at
        disturbed = any(a < end and sent.at < b for a, b in self._outages[sent.platform])
        if sent.seconds > (OUTAGE_TIMEOUT if disturbed else ANSWER_TIMEOUT):
            return Outcome.LOST
        return outcome_of(sent.text)


@dataclass(frozen=True)
class Tally:
    """What became of a platform's messages.

    Attributes:
        outcomes: How many had which outcome.
        lost: Kinds of those that got nothing, or too late.
        doubled: Kinds of those that were answered more than once, or against their will.
        wrong: Kinds of those that got another sort of answer than they should have.
        unexcused: Apologies that no fault explains.
        seconds: How long answers took, in order.
    """

    outcomes: Counter[Outcome]
    lost: Counter[str]
    doubled: Counter[str]
    wrong: Counter[str]
    unexcused: int
    seconds: list[float]

    @property
    def messages(self) -> int:
        """How many were sent."""
        return self.outcomes.total()

    @property
    def crashed(self) -> int:
        """How many were answered with the reference of a crash."""
        return self.outcomes[Outcome.CRASHED]

    @property
    def faultless(self) -> bool:
        """Whether everybody got what was due, once."""
        bad = (self.lost, self.doubled, self.wrong)
        return not (any(bad) or self.crashed or self.unexcused)

    def percentile(self, share: float) -> float:
        """Seconds within which this share (0..1) of the answers came; 0 if there were none."""
        return percentile(self.seconds, share) if self.seconds else 0.0


def percentile(values: Sequence[float], share: float) -> float:
    """The value that this share (0..1) does not exceed."""
    return sorted(values)[max(0, math.ceil(share * len(values) - 1e-9) - 1)]


def tally(ledger: Ledger, platform: str) -> Tally:
    """Judge one platform's messages, once no more answers are to come."""
    mine = [sent for sent in ledger.sent if sent.platform == platform]
    outcomes = [(sent, ledger.outcome(sent)) for sent in mine]
    doubled = Counter(sent.kind for sent in mine for _ in range(sent.extra))
    doubled["unasked"] += ledger.strays[platform]
    lost = (sent for sent, outcome in outcomes if outcome is Outcome.LOST)
    apologies = sum(
        outcome is Outcome.APOLOGISED and not ledger.was_open(sent) for sent, outcome in outcomes
    )
    return Tally(
        Counter(outcome for _, outcome in outcomes),
        Counter(sent.kind + " (when stopped)" * ledger.was_open(sent) for sent in lost),
        +doubled,
        Counter(sent.kind for sent, outcome in outcomes if _is_wrong(sent, outcome)),
        max(0, apologies - ledger.excuses(platform)),
        sorted(sent.seconds for sent in mine if sent.heard_at is not None),
    )


def _is_wrong(sent: SentMessage, outcome: Outcome) -> bool:
    wrong = {Expect.ANSWER: Outcome.REFUSED, Expect.REFUSAL: Outcome.ANSWERED}
    return wrong.get(sent.expect) is outcome
