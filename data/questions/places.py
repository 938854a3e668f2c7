"""Where a picture was taken."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from data.caption_qa import lexicon
from data.caption_qa.parser import Scene
from data.questions import actions
from data.questions.asked import Claim, DerivedQuestion
from data.questions.cast import Cast, verb_to_be

_LEADS = frozenset({"in", "on", "at", "through", "across", "along", "into", "down", "inside"})
_NAMES = {"trail": "path"}
_AS_SAID = frozenset({"street", "road", "sidewalk", "lake", "pond", "river", "stream", "creek"})
_ASKED_ABOUT = frozenset(actions.PLACE_CLASHES) | {"gym", "desert", "stage"}
_NO_PLACE = frozenset({"hill", "puddle", "mud"})
_OUTDOORS = (
    "Is this outdoors?", "Was this photo taken outside?", "Are they outside?",
    "Is this an outdoor scene?", "Was this picture taken outdoors?",
)  # fmt: skip
_INDOORS = ("Is this indoors?", "Was this photo taken inside?", "Is this an indoor scene?",
            "Was this picture taken indoors?")  # fmt: skip


def place_questions(scene: Scene, them: Cast) -> Iterator[DerivedQuestion | Claim]:
    """Place questions of a scene: where, in or out of doors, day or night."""
    place = _place(scene)
    if place:
        answer = _called(scene, place)
        yield DerivedQuestion("Where was this picture taken?", answer, "place")
        yield DerivedQuestion("Where is this?", answer, "place")
        animal = [n for n in scene.seen if lexicon.has(n, "a") and n != "animal"]
        whos = [them.who] if them.who else []
        whos += [n for n in animal if scene.unique(n) and scene.seen[n] >= 3]
        for who in whos:
            yield DerivedQuestion(f"Where {verb_to_be(who)} the {who}?", answer, "place")
        yield from _other_places(scene, place)
    yield from _doors(scene)
    night, sun = scene.tokens & actions.NIGHT, scene.tokens & actions.SUN
    if night and not sun:
        yield Claim(("Is it sunny?", "Is it daytime?"), False, "place yes/no")
        yield Claim(("Is it night time?", "Is it dark outside?"), True, "place yes/no")
    elif sun and not night:
        yield Claim(("Is it sunny?", "Is it daytime?"), True, "place yes/no")
        yield Claim(("Is it night time?", "Is it dark outside?"), False, "place yes/no")


def _place(scene: Scene) -> str | None:
    """The place that most captions say something is in or on, well ahead of any other."""
    tally: dict[str, int] = {}
    for reading in scene.readings:
        led = {
            m.noun for m in reading.mentions
            if lexicon.has(m.noun, "s") and m.noun not in _NO_PLACE
            and m.start and reading.tokens[m.start - 1] in _LEADS
        }  # fmt: skip
        for noun in led:
            tally[noun] = tally.get(noun, 0) + 1
    ranked = sorted(tally, key=lambda n: tally[n], reverse=True)
    if not ranked or tally[ranked[0]] < 2:
        return None
    if len(ranked) > 1 and tally[ranked[0]] < tally[ranked[1]] + 2:
        return None
    return ranked[0]


def _called(scene: Scene, place: str) -> str:
    """What most captions call the place: "road" and "street" are one noun, but not one answer."""
    said = Counter(m.said for found in scene.of(place) for m in found if m.said in _AS_SAID)
    return said.most_common(1)[0][0] if said else _NAMES.get(place, place)


def _other_places(scene: Scene, place: str) -> Iterator[Claim]:
    # Nobody asks "is this at a path"; the rest of the places have clashes to ask about.
    if place in _ASKED_ABOUT:
        yield Claim(_asked(place), True, "place yes/no")
    for other in actions.PLACE_CLASHES.get(place, "").split():
        if other not in scene.named and other not in scene.tokens:
            yield Claim(_asked(other), False, "place yes/no")


def _asked(place: str) -> tuple[str, ...]:
    if place in {"snow", "water", "grass"}:
        return (f"Is this in the {place}?", f"Are they in the {place}?")
    lead = {"beach": "at", "street": "on", "field": "in"}.get(place, "at")
    return (f"Is this {lead} {lexicon.article(place)}?", f"Was this taken {lead} a {place}?")


def _doors(scene: Scene) -> Iterator[Claim]:
    inside = len(scene.tokens & actions.INDOORS)
    outside = len(scene.tokens & actions.OUTDOORS)
    if bool(inside) != bool(outside) and inside + outside >= (2 if outside else 1):
        yield Claim(_OUTDOORS, bool(outside), "place yes/no")
        yield Claim(_INDOORS, bool(inside), "place yes/no")
