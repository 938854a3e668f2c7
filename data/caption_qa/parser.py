"""Reads captions: which things they name, how many, in what colour."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from data.caption_qa import lexicon
from data.questions import actions, describing, words

_TOKEN = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*(?:'s)?|[,.]")
_LONGEST = 3
UNKNOWN = -1


@dataclass(frozen=True)
class Mention:
    """One thing named in a caption.

    Attributes:
        noun: its name in the vocabulary; ``said`` the singular the caption used.
        count: how many, or UNKNOWN for a plural without a number.
        colours: colour words before it, cleaned; "" among them means a pattern or odd colour.
        start: token index where the noun phrase starts; ``end`` is one past its last token.
        other: "another", "other" and the like stand before it.
    """

    noun: str
    said: str
    count: int
    colours: tuple[str, ...]
    start: int
    end: int
    other: bool


@dataclass(frozen=True)
class Reading:
    """One caption read: its tokens, the things seen, and every noun named in any way."""

    tokens: tuple[str, ...]
    mentions: tuple[Mention, ...]
    named: frozenset[str]


@dataclass(frozen=True)
class Scene:
    """All captions of a picture, read.

    Attributes:
        seen: noun (with its wider kinds) -> in how many captions it is truly there.
        named: every noun named at all, even in passing; what is in it is never said to be absent.
        tokens: all words of all captions.
    """

    readings: tuple[Reading, ...]
    seen: dict[str, int]
    named: frozenset[str]
    tokens: frozenset[str]

    def of(self, noun: str) -> list[list[Mention]]:
        """The mentions of a noun, a list for each caption that has some."""
        per = [[m for m in r.mentions if m.noun == noun] for r in self.readings]
        return [found for found in per if found]

    def unique(self, noun: str) -> bool:
        """Whether every caption that names the noun names exactly one of it."""
        per = self.of(noun)
        return bool(per) and all(len(c) == 1 and c[0].count == 1 and not c[0].other for c in per)


def tokens_of(caption: str) -> tuple[str, ...]:
    """Lower-case words, with commas and full stops as tokens of their own."""
    # What is in quotation marks is a name or a writing, no thing to see.
    text = re.sub(r'"[^"]*"', ",", caption.lower())
    text = text.replace(" 's", "'s").replace("t shirt", "t-shirt")
    return tuple(_TOKEN.findall(text))


def _match(tokens: Sequence[str], at: int) -> tuple[str, bool, str, int] | None:
    for size in range(_LONGEST, 0, -1):
        hit = lexicon.surfaces().get(tuple(tokens[at : at + size]))
        if hit and at + size <= len(tokens):
            return (*hit, size)
    return None


def _idiom(tokens: Sequence[str], at: int) -> int:
    for size in (3, 2):
        if tuple(tokens[at : at + size]) in lexicon.idioms():
            return size
    return 0


def _before(tokens: Sequence[str], at: int) -> tuple[int, int | None, list[str], bool, bool]:
    """Looks left of a noun: start, count, colours, "other" and whether it is unreal."""
    i, colours, other, unreal = at - 1, list[str](), False, False
    while i >= 0:
        word = tokens[i]
        if word in describing.COLOURS:
            colours.insert(0, describing.COLOURS[word])
        elif word in {"and", ","} and colours and i > 0 and tokens[i - 1] in describing.COLOURS:
            pass
        elif word in {"other", "another", "others", "second", "third"}:
            other = True
        elif word in describing.UNREAL:
            unreal = True
        elif word not in describing.ADJECTIVES:
            break
        i -= 1
    count = None
    if i >= 0 and tokens[i] in describing.NUMBERS:
        count = describing.NUMBERS[tokens[i]]
    elif i >= 0 and tokens[i] in describing.VAGUE:
        count = UNKNOWN
    start = i if count is not None else i + 1
    return start, count, colours, other, unreal


def read(caption: str) -> Reading:
    """Finds the things that a caption names."""
    tokens = tokens_of(caption)
    mentions, named, i = list[Mention](), set[str](), 0
    while i < len(tokens):
        hit = _match(tokens, i)
        skip = _idiom(tokens, i)
        if skip and (not hit or hit[3] <= skip):
            for j in range(i, i + skip):
                inner = _match(tokens, j)
                named.update(lexicon.with_wider(inner[0]) if inner else ())
            i += skip
            continue
        if not hit:
            i += 1
            continue
        noun, many, said, size = hit
        end = i + size
        if lexicon.has(noun, "g") and tokens[end : end + 1] == ("of",):
            i = end  # "a group of dogs" is dogs, not people
            continue
        named.update(lexicon.with_wider(noun))
        follows = _match(tokens, end)
        start, count, colours, other, unreal = _before(tokens, i)
        verbish = count is None and not colours and said in _VERBS
        if not follows and not unreal and not verbish:
            number = _number(many, count, tokens, start)
            mentions.append(Mention(noun, said, number, tuple(colours), start, end, other))
        i = end
    return Reading(tokens, tuple(mentions), frozenset(named))


# Words that are as often verbs in captions: a noun only with a number, article or colour.
_VERBS = words.word_set(
    "swing slide ski skate ride swings slides rope duck fish fly drink drinks rail top train park "
    "track tie ball bat drum lead wave rock box field dress bus paddle steer lead pair"
)


def _number(many: bool, count: int | None, tokens: Sequence[str], start: int) -> int:
    if many:
        if count in (None, 0, 1):
            # "a group of four men" has its number right here; "a group of men" has none.
            return UNKNOWN
        return int(count or UNKNOWN)
    return 1 if count in (None, 0, 1) else int(count or 1)


@cache
def implied() -> dict[str, frozenset[str]]:
    """Word -> the things that it makes likely to be there, named or not."""
    found: dict[str, frozenset[str]] = {}
    for entry in actions.IMPLIED.replace("\n", " ").split(";"):
        heads, _, things = entry.partition(":")
        for head in heads.split():
            found[head] = frozenset(t.strip() for t in things.split(","))
    return found


def look(captions: Sequence[str]) -> Scene:
    """Reads all captions of a picture."""
    readings = tuple(read(c) for c in captions)
    seen: Counter[str] = Counter()
    named: set[str] = set()
    for reading in readings:
        here = {w for m in reading.mentions for w in lexicon.with_wider(m.noun)}
        seen.update(here)
        named |= reading.named
    tokens = frozenset(t for r in readings for t in r.tokens)
    for word in tokens & implied().keys():
        named.update(implied()[word])
    # Sorted, for the order of a set differs from run to run and would change every later choice.
    return Scene(readings, dict(sorted(seen.items())), frozenset(named), tokens)


def kinds(scenes: Sequence[Scene]) -> dict[str, list[int]]:
    """Noun -> indices of the scenes that show it."""
    found: dict[str, list[int]] = defaultdict(list)
    for index, scene in enumerate(scenes):
        for noun in scene.seen:
            found[noun].append(index)
    return dict(found)
