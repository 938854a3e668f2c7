"""Parses captions: the things they name, how many and in what colour, and who is there."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from data.caption_qa import lexicon

_TOKEN = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*(?:'s)?|[,.]")
_MAX_NOUN_TOKENS = 3
UNKNOWN = -1
# Words that are as often verbs in captions: a noun only with a number, article or colour.
_VERBS = lexicon.word_set(
    "swing slide ski skate ride swings slides rope duck fish fly drink drinks rail top train park "
    "track tie ball bat drum lead wave rock box field dress bus paddle steer lead pair"
)
_MORE_PEOPLE = frozenset({"others", "another", "each", "they", "them", "other", "friends", "both"})
_MORE = _MORE_PEOPLE | {"crowd", "audience", "spectators", "onlookers", "team", "several", "many"}
_GENDERED = ("man", "woman", "boy", "girl")


@dataclass(frozen=True)
class Mention:
    """One thing named in a caption.

    Attributes:
        noun: Its name in the vocabulary.
        surface: The singular that the caption used.
        count: How many, or UNKNOWN for a plural without a number.
        colours: Colour words before it, cleaned; "" among them means a pattern or odd colour.
        start: Token index where the noun phrase starts.
        end: One past its last token.
        other: Whether "another", "other" or the like stands before it.
    """

    noun: str
    surface: str
    count: int
    colours: tuple[str, ...]
    start: int
    end: int
    other: bool


@dataclass(frozen=True)
class ParsedCaption:
    """One caption: its tokens, the things that are there, and every noun named in any way."""

    tokens: tuple[str, ...]
    mentions: tuple[Mention, ...]
    named: frozenset[str]


@dataclass(frozen=True)
class Scene:
    """All captions of a picture, parsed.

    Attributes:
        captions: One by one.
        support: Noun (with its wider kinds) → in how many captions it is truly there.
        named: Every noun named at all, even in passing; what is in it is never said to be absent.
        tokens: All words of all captions.
    """

    captions: tuple[ParsedCaption, ...]
    support: dict[str, int]
    named: frozenset[str]
    tokens: frozenset[str]

    def mentions_of(self, noun: str) -> list[list[Mention]]:
        """The mentions of a noun, a list for each caption that has some."""
        per = [[m for m in caption.mentions if m.noun == noun] for caption in self.captions]
        return [found for found in per if found]

    def is_unique(self, noun: str) -> bool:
        """Whether every caption that names the noun names exactly one of it."""
        per = self.mentions_of(noun)
        return bool(per) and all(len(c) == 1 and c[0].count == 1 and not c[0].other for c in per)


def parse_scene(captions: Sequence[str]) -> Scene:
    """Parses all captions of a picture."""
    parsed = tuple(parse_caption(caption) for caption in captions)
    support: Counter[str] = Counter()
    named: set[str] = set()
    for caption in parsed:
        support.update({w for m in caption.mentions for w in lexicon.with_wider(m.noun)})
        named |= caption.named
    tokens = frozenset(token for caption in parsed for token in caption.tokens)
    for word in tokens & lexicon.implied_by().keys():
        named.update(lexicon.implied_by()[word])
    # Sorted, for the order of a set differs from run to run and would change every later choice.
    return Scene(parsed, dict(sorted(support.items())), frozenset(named), tokens)


def parse_caption(caption: str) -> ParsedCaption:
    """Finds the things that a caption names."""
    tokens = tokenize(caption)
    mentions, named, i = list[Mention](), set[str](), 0
    while i < len(tokens):
        hit = _noun_at(tokens, i)
        skip = _idiom_length(tokens, i)
        if skip and (not hit or hit[3] <= skip):
            for j in range(i, i + skip):
                inner = _noun_at(tokens, j)
                named.update(lexicon.with_wider(inner[0]) if inner else ())
            i += skip
            continue
        if not hit:
            i += 1
            continue
        noun, is_plural, surface, size = hit
        end = i + size
        if lexicon.has_trait(noun, "g") and tokens[end : end + 1] == ("of",):
            i = end  # "a group of dogs" is dogs, not people
            continue
        named.update(lexicon.with_wider(noun))
        start, number, colours, other, unreal = _modifiers(tokens, i)
        is_verb = number is None and not colours and surface in _VERBS
        if not _noun_at(tokens, end) and not unreal and not is_verb:
            count = _count(is_plural, number)
            mentions.append(Mention(noun, surface, count, tuple(colours), start, end, other))
        i = end
    return ParsedCaption(tokens, tuple(mentions), frozenset(named))


def tokenize(caption: str) -> tuple[str, ...]:
    """Lower-case words, with commas and full stops as tokens of their own."""
    # What is in quotation marks is a name or a writing, no thing to see.
    text = re.sub(r'"[^"]*"', ",", caption.lower())
    text = text.replace(" 's", "'s").replace("t shirt", "t-shirt")
    return tuple(_TOKEN.findall(text))


def _noun_at(tokens: Sequence[str], at: int) -> tuple[str, bool, str, int] | None:
    """The longest noun that starts at a token: name, whether plural, as said, and tokens."""
    for size in range(_MAX_NOUN_TOKENS, 0, -1):
        hit = lexicon.surface_forms().get(tuple(tokens[at : at + size]))
        if hit and at + size <= len(tokens):
            return (*hit, size)
    return None


def _idiom_length(tokens: Sequence[str], at: int) -> int:
    for size in (3, 2):
        if tuple(tokens[at : at + size]) in lexicon.idioms():
            return size
    return 0


def _modifiers(tokens: Sequence[str], at: int) -> tuple[int, int | None, list[str], bool, bool]:
    """Looks left of a noun: start, number, colours, "other" and whether it is unreal."""
    i, colours, other, unreal = at - 1, list[str](), False, False
    while i >= 0:
        word = tokens[i]
        if word in lexicon.COLOURS:
            colours.insert(0, lexicon.COLOURS[word])
        elif word in {"and", ","} and colours and i > 0 and tokens[i - 1] in lexicon.COLOURS:
            pass
        elif word in {"other", "another", "others", "second", "third"}:
            other = True
        elif word in lexicon.UNREAL:
            unreal = True
        elif word not in lexicon.ADJECTIVES:
            break
        i -= 1
    number = None
    if i >= 0 and tokens[i] in lexicon.NUMBERS:
        number = lexicon.NUMBERS[tokens[i]]
    elif i >= 0 and tokens[i] in lexicon.VAGUE_NUMBERS:
        number = UNKNOWN
    start = i if number is not None else i + 1
    return start, number, colours, other, unreal


def _count(is_plural: bool, number: int | None) -> int:
    """How many a noun phrase says: "men" UNKNOWN, "four men" 4, "the man" 1."""
    if number in (None, 0, 1):
        return UNKNOWN if is_plural else 1
    return int(number or 1)


# --- who is in the picture -----------------------------------------------------------------------


@dataclass(frozen=True)
class People:
    """The people of a scene.

    Attributes:
        single: What to call the only person ("man", "child", "person"); None if not surely one.
        several: What to call several people ("men", "people"); None if not surely several.
        count: How many people there are, where the captions agree; else None.
    """

    single: str | None
    several: str | None
    count: int | None

    @property
    def name(self) -> str | None:
        """What to call the only person or the people."""
        return self.single or self.several


def is_person(mention: Mention) -> bool:
    """Whether a mention is of people."""
    return lexicon.has_trait(mention.noun, "p")


def identify_people(scene: Scene) -> People:
    """Makes out who is in the picture."""
    per = [[m for m in caption.mentions if is_person(m)] for caption in scene.captions]
    count = agreed_count(scene, "p")
    naming = sum(1 for found in per if found)
    single = several = None
    if count == 1 and naming >= min(3, len(per)):
        single = _name_of_one([m.noun for found in per for m in found])
    elif count is None or count > 1:
        counts = [_count_in(c, "p") for c, found in zip(scene.captions, per, strict=True) if found]
        if len(counts) >= 2 and all(n == UNKNOWN or n > 1 for n in counts):
            several = _name_of_several({m.noun for found in per for m in found})
    return People(single, several, count)


def agreed_count(scene: Scene, trait: str) -> int | None:
    """The number of people ("p") or animals ("a") by two captions at least, and by none another."""
    counts = [_count_in(caption, trait) for caption in scene.captions]
    known = {n for n in counts if n > 0}
    if len(known) != 1 or sum(n > 0 for n in counts) < 2:
        return None
    number = known.pop()
    if number == 1 and scene.tokens & {"busy", "crowded", "others"}:
        return None
    if UNKNOWN in counts and (number == 1 or scene.tokens & _MORE):
        return None
    return number


def _count_in(caption: ParsedCaption, trait: str) -> int:
    """How many people or animals a caption counts; UNKNOWN when it is vague."""
    found = [m for m in caption.mentions if lexicon.has_trait(m.noun, trait)]
    if not found:
        return 0
    if any(m.count == UNKNOWN or lexicon.has_trait(m.noun, "g") for m in found):
        return UNKNOWN
    if len(found) > 1 and _may_repeat(caption, found):
        return UNKNOWN
    if trait == "p" and _MORE_PEOPLE & set(caption.tokens):
        return UNKNOWN
    return sum(m.count for m in found)


def _may_repeat(caption: ParsedCaption, found: list[Mention]) -> bool:
    """Whether a later mention may be of somebody who was counted before."""
    for earlier, later in itertools.pairwise(found):
        if caption.tokens[later.start] in {"the", "this"}:
            return True
        joined = caption.tokens[earlier.end : later.start] in [("and",), (",",), (",", "and")]
        if (earlier.count > 1 or later.count > 1) and not joined:
            return True
    return len(found) > 2  # "two people, a man and a woman"


def _name_of_one(nouns: list[str]) -> str:
    tally = Counter(nouns)
    present = [n for n in _GENDERED if tally[n]]
    sexes = {t for n in tally for t in lexicon.vocabulary()[n].traits & {"m", "f"}}
    if len(sexes) == 1 and present:
        return max(present, key=lambda n: tally[n])
    if not sexes and any(tally[n] for n in ("child", "baby")):
        return "baby" if tally["baby"] > tally["child"] else "child"
    return "person"


def _name_of_several(nouns: set[str]) -> str:
    for name in (*_GENDERED, "child"):
        if nouns == {name}:
            return lexicon.plural(name)
    return "children" if nouns <= {"boy", "girl", "child"} else "people"


def subject_name(scene: Scene, people: People, mention: Mention) -> str | None:
    """What a question may call the one (or those) that a caption mentions; None if unsure."""
    if is_person(mention):
        if people.single:
            return people.single
        if mention.noun in (*_GENDERED, "baby") and _is_only_one(scene, mention.noun):
            return mention.noun
        return people.several if mention.count != 1 and not mention.other else None
    if not lexicon.has_trait(mention.noun, "a") or mention.noun == "animal":
        return None
    if mention.count == 1:
        return mention.noun if scene.is_unique(mention.noun) and not mention.other else None
    per = scene.mentions_of(mention.noun)
    several = all(len(found) == 1 and found[0].count != 1 for found in per)
    return lexicon.plural(mention.noun) if several else None


def _is_only_one(scene: Scene, noun: str) -> bool:
    """Whether there is one of this kind among several people, by most captions."""
    return scene.is_unique(noun) and len(scene.mentions_of(noun)) * 2 > len(scene.captions)


def verb_to_be(subject: str) -> str:
    """The form of "to be" that goes with what `subject_name` gave."""
    return "is" if subject in lexicon.vocabulary() else "are"
