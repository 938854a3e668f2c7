"""How many there are, and who they are."""

from __future__ import annotations

from collections.abc import Iterator

from data.caption_qa import lexicon
from data.caption_qa.parser import UNKNOWN, Scene
from data.questions.asked import Claim, DerivedQuestion
from data.questions.cast import Cast, agreed

_HOW_MANY = (
    "How many {many} are in the picture?", "How many {many} are there?",
    "How many {many} are in the photo?", "How many {many} can you see?",
    "How many {many} are shown?",
)  # fmt: skip
_COUNTED = frozenset(
    {"dog", "cat", "horse", "cow", "sheep", "bird", "bike", "motorcycle", "boat", "car", "man",
     "woman", "boy", "girl", "child", "umbrella", "balloon", "chair", "surfboard", "ball"}
)  # fmt: skip


def _wording(many: str, salt: int) -> str:
    return _HOW_MANY[salt % len(_HOW_MANY)].format(many=many)


def count_questions(scene: Scene, them: Cast, salt: int) -> Iterator[DerivedQuestion | Claim]:
    """How many people, dogs, ... there are; ``salt`` chooses the wording."""
    if them.people:
        yield DerivedQuestion(_wording("people", salt), str(them.people), "count")
        yield from _numbers("person", "people", them.people)
    animals = agreed(scene, "a")
    if animals:
        yield DerivedQuestion(_wording("animals", salt + 1), str(animals), "count")
    for noun in sorted(_COUNTED & scene.seen.keys()):
        number = _number(scene, noun)
        if number and not (lexicon.has(noun, "p") and not _all_are(scene, noun, them)):
            yield DerivedQuestion(_wording(lexicon.plural(noun), salt + 2), str(number), "count")
            yield from _numbers(noun, lexicon.plural(noun), number)


def _numbers(noun: str, many: str, number: int) -> Iterator[Claim]:
    more = (f"Is there more than one {noun}?", f"Is there more than one {noun} in the picture?")
    yield Claim(more, number > 1, "count yes/no")
    for word, value in (("two", 2), ("three", 3)):
        asked = (f"Are there {word} {many}?", f"Are there {word} {many} in the picture?")
        yield Claim(asked, number == value, "count yes/no")


def _number(scene: Scene, noun: str) -> int | None:
    per = scene.of(noun)
    if any(len(found) > 1 or found[0].other for found in per):
        return None
    counts = [found[0].count for found in per]
    known = {c for c in counts if c != UNKNOWN}
    if len(known) != 1 or len(counts) - counts.count(UNKNOWN) < 2 or counts.count(UNKNOWN) > 1:
        return None
    number = known.pop()
    return None if UNKNOWN in counts and number == 1 else number


def _all_are(scene: Scene, noun: str, them: Cast) -> bool:
    """Whether the people of this kind are all the people, or named apart by most captions."""
    rival = {"man": "boy", "boy": "man", "woman": "girl", "girl": "woman"}.get(noun)
    if them.people is None or rival in scene.named:
        return False
    if them.people == _number(scene, noun):
        return True
    return len(scene.of(noun)) * 2 > len(scene.readings)


def person_questions(scene: Scene, them: Cast) -> Iterator[DerivedQuestion | Claim]:
    """Man or woman, boy or girl, which animal."""
    who = them.single
    if who in {"man", "woman"}:
        sex = "male" if who == "man" else "female"
        yield DerivedQuestion("Is this a man or a woman?", who, "person")
        yield DerivedQuestion("Is the person male or female?", sex, "person")
        yield Claim(("Is the person a man?", "Is this a man?"), who == "man", "person yes/no")
        yield Claim(("Is the person a woman?", "Is this a woman?"), who == "woman", "person yes/no")
        yield Claim(("Is this a child?", "Is the person a child?"), False, "person yes/no")
    if who in {"boy", "girl"}:
        yield DerivedQuestion("Is this a boy or a girl?", who, "person")
        yield DerivedQuestion("Is the child a boy or a girl?", who, "person")
        yield Claim(("Is the child a boy?", "Is this a boy?"), who == "boy", "person yes/no")
        yield Claim(("Is the child a girl?", "Is this a girl?"), who == "girl", "person yes/no")
        yield Claim(("Is this a child?", "Is the person a child?"), True, "person yes/no")
    if them.who and them.who != "person":
        yield DerivedQuestion("Who is in the picture?", them.who, "person")
    animals = [n for n in scene.seen if lexicon.has(n, "a") and n != "animal"]
    if len(animals) == 1 and scene.seen[animals[0]] >= 3:
        yield DerivedQuestion("What animal is this?", animals[0], "object")
        yield DerivedQuestion("What kind of animal is in the picture?", animals[0], "object")
