"""The noun vocabulary: names, plurals, wider names and traits, made from the word lists."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from data.questions import describing, words


@dataclass(frozen=True)
class Noun:
    """One kind of thing: its name, every (singular) way to say it, wider kinds, trait letters."""

    name: str
    names: tuple[str, ...]
    wider: tuple[str, ...]
    traits: frozenset[str]


def plural(singular: str) -> str:
    """English plural of a singular name of the vocabulary ("big dog" style names too)."""
    if singular in words.IRREGULAR:
        return words.IRREGULAR[singular]
    head, space, last = singular.rpartition(" ")
    if last in words.ALWAYS_PLURAL or last in words.UNCOUNTED:
        return singular
    if last in words.IRREGULAR:
        return head + space + words.IRREGULAR[last]
    if last.endswith("y") and last[-2:-1] not in "aeiou":
        return singular[:-1] + "ies"
    if last.endswith(("s", "x", "ch", "sh")):
        return singular + "es"
    return singular + "s"


@cache
def vocabulary() -> dict[str, Noun]:
    """Name -> noun, for every line of the word list."""
    nouns = {}
    for line in words.NOUNS.replace("\\\n", "").strip().splitlines():
        name, _, rest = line.partition(":")
        rest, _, traits = rest.partition("!")
        others, _, wider = rest.partition(">")
        names = (name, *(o.strip() for o in others.split(",") if o.strip()))
        parents = tuple(w.strip() for w in wider.split(",") if w.strip())
        nouns[name] = Noun(name, names, parents, frozenset(traits.split()))
    return nouns


@cache
def surfaces() -> dict[tuple[str, ...], tuple[str, bool, str]]:
    """Tokens of a way to say a noun -> (noun name, whether plural, the singular as said)."""
    found: dict[tuple[str, ...], tuple[str, bool, str]] = {}
    for noun in vocabulary().values():
        for name in noun.names:
            many = plural(name)
            found.setdefault(tuple(many.split()), (noun.name, many not in same_number(), name))
            if many != name:
                found[tuple(name.split())] = (noun.name, "g" in noun.traits, name)
    return found


@cache
def same_number() -> frozenset[str]:
    """Names whose form does not tell one from many ("sheep", "sunglasses", "snow")."""
    same = {n for n, m in words.IRREGULAR.items() if n == m}
    return frozenset(same | words.ALWAYS_PLURAL | words.UNCOUNTED)


@cache
def idioms() -> frozenset[tuple[str, ...]]:
    """Fixed phrases whose nouns are not what they seem."""
    return frozenset(tuple(p.split()) for p in describing.IDIOMS.replace("\n", " ").split(";"))


def has(name: str, trait: str) -> bool:
    """Whether a noun bears a trait letter of the word list."""
    return trait in vocabulary()[name].traits


def with_wider(name: str) -> tuple[str, ...]:
    """The noun and all its wider kinds."""
    return (name, *vocabulary()[name].wider)


def article(name: str) -> str:
    """The name with "a", "an" or "any", as a question would put it."""
    last = name.rsplit(" ", 1)[-1]
    if name in words.UNCOUNTED or name in words.ALWAYS_PLURAL or last in words.ALWAYS_PLURAL:
        return f"any {name}"
    vowel = name[0] in "aeiou" and not name.startswith(("uni", "one", "eu"))
    return f"{'an' if vowel or name.startswith('suv') else 'a'} {name}"
