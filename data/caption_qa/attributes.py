"""What colour things are, and whether they are some colour."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from data.caption_qa import lexicon
from data.caption_qa.parser import Scene
from data.questions import describing, words
from data.questions.asked import Claim, DerivedQuestion
from data.questions.cast import Cast

_THINGS = frozenset(
    {"ball", "frisbee", "toy", "leash", "collar", "umbrella", "balloon", "kite", "couch", "blanket",
     "slide", "bench", "chair", "bag", "backpack", "towel", "house", "building", "tent", "flag",
     "surfboard", "guitar", "sled", "skateboard", "rope", "trampoline", "bowl", "hat", "helmet"}
)  # fmt: skip
_ORDER = [
    *[
        "black",
        "brown",
        "tan",
        "gray",
        "red",
        "orange",
        "yellow",
        "green",
        "blue",
        "purple",
        "pink",
        "silver",
        "blonde",
        "white",
    ]
]
_VAGUE = frozenset({"animal", "outfit", "costume"})
_ASKED = ("red", "blue", "green", "yellow", "orange", "white", "black", "brown", "pink", "purple",
          "gray", "tan")  # fmt: skip
_AFTER = frozenset({"is", "on", "in", "at", "with", "while", ",", ".", "near", "by"})
Colour = frozenset[str]


def colour_questions(scene: Scene, them: Cast) -> Iterator[DerivedQuestion | Claim]:
    """Colour questions of a scene, open and yes/no."""
    for noun in sorted(scene.seen):
        traits = lexicon.vocabulary()[noun].traits
        worn = "w" in traits and noun != "collar"
        if noun in _VAGUE or not (worn or traits & {"a", "v"} or noun in _THINGS):
            continue
        colour = _colour(scene, noun)
        if colour is None or (worn and not them.single):
            continue
        yield from _ask(noun, colour, them.single if worn else None, _other_words(scene))
    yield from _hair(scene, them)
    yield from _all_in(scene, them)


def _other_words(scene: Scene) -> frozenset[str]:
    return frozenset(describing.COLOURS[t] for t in scene.tokens if t in describing.COLOURS)


def _colour(scene: Scene, noun: str) -> Colour | None:
    """The colours of the only thing of its kind, where the captions agree on them."""
    if not scene.unique(noun):
        return None
    said = [found[0].colours for found in scene.of(noun) if found[0].colours]
    if not said or any("" in colours for colours in said):
        return None
    tally = Counter(frozenset(colours) for colours in said)
    best, support = tally.most_common(1)[0]
    if len(tally) > 1 and (
        support < 3 or not all(c < best or c > best for c in tally if c != best)
    ):
        return None
    return best if len(best) <= 2 else None


def _said(colour: Colour) -> str:
    ranked = sorted(colour, key=_ORDER.index)
    return " and ".join(ranked)


def _ask(
    noun: str, colour: Colour, wearer: str | None, mentioned: frozenset[str]
) -> Iterator[DerivedQuestion | Claim]:
    be = "are" if noun in words.ALWAYS_PLURAL else "is"
    answer = _said(colour)
    spelt = "colour" if (len(noun) + len(answer)) % 7 == 0 else "color"
    thing = f"the {wearer}'s {noun}" if wearer else f"the {noun}"
    yield DerivedQuestion(f"What {spelt} {be} {thing}?", answer, "colour")
    if wearer and len(answer) % 2:
        yield DerivedQuestion(f"What {spelt} {noun} is the {wearer} wearing?", answer, "colour")
    elif len(answer) % 2:
        yield DerivedQuestion(f"What is the {spelt} of {thing}?", answer, "colour")
    if len(colour) > 1:
        return
    for other in _ASKED:
        wordings = (f"{be.capitalize()} {thing} {other}?",)
        if other in colour:
            yield Claim(wordings, True, "colour yes/no")
        elif other not in mentioned and not _near(other, answer):
            yield Claim(wordings, False, "colour yes/no")


def _near(one: str, two: str) -> bool:
    return any(one in group and two in group for group in describing.NEAR_COLOURS)


def _hair(scene: Scene, them: Cast) -> Iterator[DerivedQuestion]:
    if not them.single:
        return
    said = {m.colours for r in scene.readings for m in r.mentions if m.noun == "hair" and m.colours}
    said |= {
        ("blonde",) for r in scene.readings for m in r.mentions
        if "blonde" in m.colours and lexicon.has(m.noun, "p")
    }  # fmt: skip
    if len(said) == 1 and len(only := said.pop()) == 1 and only[0]:
        yield DerivedQuestion(f"What color is the {them.single}'s hair?", only[0], "colour")


def _all_in(scene: Scene, them: Cast) -> Iterator[DerivedQuestion]:
    """A man "in red": the colour is said without a garment."""
    if not them.single:
        return
    found = set[str]()
    for reading in scene.readings:
        if any(lexicon.has(m.noun, "w") and m.colours for m in reading.mentions):
            return
        people = {m.end for m in reading.mentions if lexicon.has(m.noun, "p")}
        for at in people:
            said = reading.tokens[at : at + 3]
            if (
                len(said) < 3
                or said[0] not in {"in", "wearing"}
                or said[1] not in describing.COLOURS
            ):
                continue
            if said[2] not in _AFTER and not said[2].endswith(("ing", "s")):
                return
            found.add(describing.COLOURS[said[1]])
    if len(found) == 1 and (colour := found.pop()):
        yield DerivedQuestion(f"What color is the {them.single} wearing?", colour, "colour")
