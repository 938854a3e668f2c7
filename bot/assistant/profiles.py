"""Which model answers a person: the one that they chose, if they may and its budget lasts."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol

from cachetools import LRUCache

from bot.assistant.types import Conversation, Exchange
from model.budget import estimated_usage
from model.requests import Usage

EVERYONE = "everyone"
PEOPLE = 5000  # whose choice is kept in mind
_UNHEARD = estimated_usage((1024, 768), ["A question?"], "An answer of two short lines. " * 4)
USUAL = "auto"  # what people choose to have the usual profile again


class Budget(Protocol):
    """The part of `model.budget.BudgetConfig` that the assistant uses."""

    def covers(self, person: Usage, everybody: Usage) -> bool:
        """Whether one more answer may be given, after what was used today."""
        ...


class Keeper(Protocol):
    """The part of `bot.assistant.privacy.Recorder` that keeps choices and what was spent."""

    def profile(self, platform: str, user: str) -> str:
        """The model that a person chose; else ""."""
        ...

    def choose_profile(self, platform: str, user: str, profile: str) -> None:
        """Keep which model a person chose; "" for the usual one."""
        ...

    def spent(self, platform: str, user: str, profile: str) -> tuple[Usage, Usage]:
        """What a person, and what everybody spent today with a profile."""
        ...

    def spend(self, platform: str, user: str, profile: str, usage: Usage) -> None:
        """Count what an answer cost."""
        ...


@dataclass(frozen=True)
class ProfileSettings:
    """Which profiles there are.

    Attributes:
        usual: Names of those that answer who chose nothing, the first one first.
        choices: By name, who may choose a profile: people, chats or platforms, as "telegram:123",
            "discord:-456" or "web"; or "everyone".
        budgets: By name, what a profile may cost in a day.
        sent_to: By name, who gets pictures and questions, "" for somebody without a name; no entry
            for those that send them nowhere.
    """

    usual: tuple[str, ...] = ("",)
    choices: Mapping[str, Collection[str]] = field(default_factory=dict)
    budgets: Mapping[str, Budget] = field(default_factory=dict)
    sent_to: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Chosen:
    """Who answers a person.

    Attributes:
        profile: The one that was chosen; "" for the usual ones.
        order: All that may, the first one first.
        without: Those whose budget is used up today.
    """

    profile: str
    order: tuple[str, ...]
    without: frozenset[str] = frozenset()

    @property
    def first(self) -> str:
        """The first one whose budget lasts; "" for the only one there is."""
        return next((name for name in self.order if name not in self.without), "")

    @property
    def is_spent(self) -> bool:
        """Whether nobody is left."""
        return bool(self.order) and self.without.issuperset(self.order)


class Profiles:
    """Knows who chose what, and what was spent.

    Args:
        settings: Which profiles there are.
        recorder: Keeps choices and spending over a restart.
    """

    def __init__(self, settings: ProfileSettings, recorder: Keeper) -> None:
        self._settings, self._recorder = settings, recorder
        self._chosen: LRUCache[tuple[str, str], str] = LRUCache(PEOPLE)
        self._told: LRUCache[Conversation, datetime] = LRUCache(PEOPLE)

    def offered(self, who: Conversation) -> tuple[str, ...]:
        """What a person may choose in this chat, the usual one first; nothing if there is one."""
        where = who.chat.partition("/")[0]
        names = {
            EVERYONE, who.platform, f"{who.platform}:{who.user}", f"{who.platform}:{where}"
        }  # fmt: skip
        allowed = [name for name, people in self._settings.choices.items() if names & {*people}]
        offered = tuple(dict.fromkeys([self._settings.usual[0], *allowed]))
        return offered if len(offered) > 1 else ()

    def of(self, who: Conversation) -> Chosen:
        """Who answers a person in this chat."""
        name = self._name(who)
        chosen = name if name in self.offered(who) else ""
        order = tuple(dict.fromkeys(filter(None, (chosen, *self._settings.usual))))
        without = frozenset(
            each for each, budget in self._settings.budgets.items()
            if each in order
            and not budget.covers(*self._recorder.spent(who.platform, who.user, each))
        )  # fmt: skip
        return Chosen(chosen, order, without)

    def sent_to(self, who: Conversation) -> Sequence[str]:
        """Who may get this person's pictures and questions, by name; "" for somebody without."""
        far = self._settings.sent_to
        order = self.of(who).order or self._settings.usual
        return [*dict.fromkeys(far[each] for each in order if each in far)]

    def choose(self, who: Conversation, wish: str) -> str | None:
        """Keep what a person wants; gives its name, or None if they may not have that."""
        usual = self._settings.usual[0]
        named = {name.casefold(): name for name in self.offered(who)} | {USUAL: usual}
        if (name := named.get(wish.casefold())) is None or not self.offered(who):
            return None
        kept = "" if name == usual else name
        self._chosen[who.platform, who.user] = kept
        self._recorder.choose_profile(who.platform, who.user, kept)
        return name

    def forget(self, platform: str, user: str) -> None:
        """Forget what a person chose."""
        self._chosen.pop((platform, user), None)

    def spend(self, who: Conversation, answers: Iterable[object]) -> None:
        """Count what answers cost."""
        for each in answers:
            if not isinstance(each, Exchange) or each.usage is None:
                continue
            name = each.profile or self._settings.usual[0]
            if name in self._settings.budgets:
                self._recorder.spend(who.platform, who.user, name, each.usage)

    def spend_unheard(self, who: Conversation, profile: str, pictures: int) -> None:
        """Count about what answers cost that nobody waited for: the server may have given them."""
        name = profile or self._settings.usual[0]
        if name in self._settings.budgets:
            for _ in range(pictures):
                self._recorder.spend(who.platform, who.user, name, _UNHEARD)

    def notices(self, who: Conversation, chosen: Chosen) -> bool:
        """Whether to tell a person, who then counts as told, that a budget is used up today."""
        if not chosen.order or chosen.order[0] not in chosen.without:
            return False
        today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        if self._told.get(who) == today:
            return False
        self._told[who] = today
        return True

    def _name(self, who: Conversation) -> str:
        person = who.platform, who.user
        return self._chosen[person] if person in self._chosen else self._recorder.profile(*person)


def seconds_until_midnight() -> float:
    """Until the day ends in UTC, when budgets begin anew."""
    now = datetime.now(UTC)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    return (midnight - now).total_seconds()
