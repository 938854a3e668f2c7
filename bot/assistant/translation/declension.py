"""German noun phrases in the four cases: articles, endings of adjectives, and forms of nouns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from bot.assistant.translation.lexicon import UNDECLINED, Noun

Case = Literal["nominative", "accusative", "dative", "genitive"]
_CASES: tuple[Case, ...] = ("nominative", "accusative", "dative", "genitive")
# By gender, "" for the plural, in the order of `_CASES`.
_DEFINITE = {
    "m": ("der", "den", "dem", "des"), "f": ("die", "die", "der", "der"),
    "n": ("das", "das", "dem", "des"), "": ("die", "die", "den", "der"),
}  # fmt: skip
_INDEFINITE_ENDINGS = {
    "m": ("", "en", "em", "es"), "f": ("e", "e", "er", "er"),
    "n": ("", "", "em", "es"), "": ("e", "e", "en", "er"),
}  # fmt: skip
_STRONG = {
    "m": ("er", "en", "em", "en"), "f": ("e", "e", "er", "er"),
    "n": ("es", "es", "em", "en"), "": ("e", "e", "en", "er"),
}  # fmt: skip
# With the plural's ending, but not declined like "die Hunde, der Hunde".
_NOT_WEAK = frozenset({"See", "Mast", "Fels", "Typ"})
_ADJECTIVAL = frozenset({"Erwachsene"})
_CONTRACTED = {
    "in dem": "im", "in das": "ins", "an dem": "am", "an das": "ans", "bei dem": "beim",
    "von dem": "vom", "zu dem": "zum", "zu der": "zur",
}  # fmt: skip
_STEMS = {"hoch": "hoh", "dunkel": "dunkl", "teuer": "teur", "sauer": "saur"}


@dataclass(frozen=True)
class NounPhrase:
    """One noun with what belongs to it.

    Attributes:
        noun: Itself.
        plural: Whether it is many.
        article: "der", "ein", "sein", "ihr" or "" for none.
        amount: A number, or "mehrere".
        qualities: Adjectives without endings.
        tail: What follows it, the same in each case: "von Menschen".
        head: English for the last part of a compound: "field" for a football field.
        members: What a group is of.
    """

    noun: Noun
    plural: bool = False
    article: str = ""
    amount: str = ""
    qualities: tuple[str, ...] = ()
    tail: str = ""
    head: str = ""
    members: Noun | None = None

    @property
    def kind(self) -> str:
        """Of the noun, or of what a group is of."""
        return (self.members or self.noun).kind

    @property
    def gender(self) -> str:
        """Of the noun, "" for the plural."""
        return "" if self.plural else self.noun.gender

    def decline(self, case: Case) -> str:
        """The phrase in a case."""
        at = _CASES.index(case)
        amount = self.amount
        if amount.endswith("e"):  # "mehrere", "viele"
            amount += {"dative": "n", "genitive": "r"}.get(case, "")
        before = [self._determiner(at), amount, *(self._described(each, at) for each in
                  self.qualities)]  # fmt: skip
        return " ".join(filter(None, (*before, self._name(at), self.tail)))

    def _determiner(self, at: int) -> str:
        if self.article == "der":
            return _DEFINITE[self.gender][at]
        if not self.article or (self.article == "ein" and self.plural):
            return ""
        return self.article + _INDEFINITE_ENDINGS[self.gender][at]

    def _described(self, quality: str, at: int) -> str:
        if quality in UNDECLINED:
            return quality
        return _STEMS.get(quality, quality) + self._ending(at)

    def _ending(self, at: int) -> str:
        """Of an adjective, which shows the case where no article does."""
        article = self._determiner(at)
        if not article or article == self.article != "der":
            return _STRONG[self.gender][at]
        if self.plural or at >= 2 or (self.gender == "m" and at == 1):
            return "en"
        return "e"

    def _name(self, at: int) -> str:
        noun = self.noun
        one, many = noun.singular, noun.plural
        if one == "jemand":
            return one + ("", "en", "em", "es")[at]
        if one in _ADJECTIVAL:
            return one.removesuffix("e") + self._ending(at)
        if self.plural:
            return many + ("n" if at == 2 and not many.endswith(("n", "s")) else "")
        if at and _is_weak(noun):
            return "Herrn" if one == "Herr" else many
        if at == 3 and self.gender != "f":
            return one + ("es" if one.endswith(("s", "ß", "x", "z")) else "s")
        return one


def _is_weak(noun: Noun) -> bool:
    """As in "den Bären", "dem Jungen"."""
    one, many = noun.singular, noun.plural
    weak = noun.gender == "m" and many in {f"{one}n", f"{one}en"}
    return weak and one not in _NOT_WEAK and not one.endswith(("el", "en", "or"))


@dataclass(frozen=True)
class Nominal:
    """Noun phrases that "und" joins: one or more."""

    parts: tuple[NounPhrase, ...]

    @property
    def first(self) -> NounPhrase:
        """What it starts with."""
        return self.parts[0]

    @property
    def plural(self) -> bool:
        """Whether its verb stands in the plural."""
        return len(self.parts) > 1 or self.first.plural

    @property
    def kind(self) -> str:
        """Of its first noun."""
        return self.first.kind

    @property
    def many(self) -> bool:
        """Whether it is more than one, be it a group."""
        return self.plural or self.first.members is not None

    @property
    def names(self) -> tuple[str, ...]:
        """English for its first noun, and for the last part of a compound, as word lists say it."""
        return tuple(filter(None, (self.first.noun.english, self.first.head)))

    def decline(self, case: Case) -> str:
        """All of them in a case."""
        return joined([part.decline(case) for part in self.parts])


def joined(said: Sequence[str]) -> str:
    """As in "ein Hund, eine Katze und ein Pferd"."""
    *first, last = said
    return f"{', '.join(first)} und {last}" if first else last


def contracted(preposition: str, phrase: str) -> str:
    """A preposition before its phrase: "in" and "dem Gras" are "im Gras"."""
    article, _, rest = phrase.partition(" ")
    short = _CONTRACTED.get(f"{preposition} {article}")
    return f"{short} {rest}" if short else f"{preposition} {phrase}"


def sentence(pieces: Iterable[str]) -> str:
    """Pieces as a sentence, without its full stop."""
    said = " ".join(filter(None, pieces)).replace(" ,", ",")
    return said[:1].upper() + said[1:]
