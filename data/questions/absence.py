"""When it is safe to say that something is not in a picture, though captions leave much out."""

from __future__ import annotations

from collections import defaultdict

from data.caption_qa import lexicon
from data.caption_qa.parser import Scene
from data.questions import describing

# Things so alike, or so often parts of one another, that one named keeps the other from a "no".
_ALIKE = """
boat dock; ball goal; sled ski; ice snow; skate ice rink; sand beach; sand desert; ocean
beach; wave ocean; ocean lake; lake river; river waterfall; mud puddle; pool fountain; grass
field; grass park; grass yard; playground swing; playground slide; street city; street track;
street trail; hill mountain; mountain cliff; rock cliff; rock mountain; wall building; house
building; store building; restaurant store; store market; kitchen restaurant; drink cup; drink
bottle; drink beer; beer bottle; beer cup; stick log; log tree; forest tree; tree bush; hat
helmet; glasses sunglasses; glasses goggles; sunglasses goggles; bag backpack; chair bench;
bench table; couch chair; table restaurant; towel blanket; scarf bandana; suit tie; swimsuit
trunks; wetsuit suit; wetsuit swimsuit; costume dress; costume mask; costume uniform; dress
skirt; car truck; wagon stroller; tractor truck; atv car; atv motorcycle; scooter motorcycle;
scooter bike; bike motorcycle; airplane parachute; parachute kite; surfboard boat; ski
snowboard; skateboard ramp; ramp rail; hurdle rail; toy ball; toy frisbee; toy stick; toy
bone; bone stick; racket bat; ball frisbee; guitar violin; drum musician; newspaper book;
paper newspaper; paper book; laptop television; cow horse; sheep goat; horse donkey; stage
microphone; bear dog; rope leash; leash collar; statue fountain; cup bottle; bowl cup; food
cake; food ice cream; food sandwich; food pizza; food apple; food banana; plate food; bowl
food; fork food; knife food; table food; bed couch; bed blanket; bed pillow; couch pillow;
water beach; water boat; ice snow; snow mountain; track car; beach desert; field yard; field
park; yard park; yard garden; park garden; field garden; flower garden; tent umbrella; box
basket; bucket basket; hose sprinkler; hose rope; hoop ball; rock wall; hill cliff; street
building; stairs building; stairs house; window building; door building; water ice; fountain
sprinkler; water surfer; stroller baby
"""
_SEX = {"man": "m", "boy": "m", "woman": "f", "girl": "f"}
_PEOPLE = ("man", "woman", "boy", "girl", "child", "baby", "person")


def blockers() -> dict[str, frozenset[str]]:
    """Noun -> the nouns that, once named, forbid saying that it is absent (itself included)."""
    alike: dict[str, set[str]] = defaultdict(set)
    for pair in _ALIKE.replace("\n", " ").split(";"):
        first, _, second = pair.strip().partition(" ")
        alike[first].add(second)
        alike[second].add(first)
    return {n: frozenset(alike[n] | {n}) for n in lexicon.vocabulary()}


def never_absent(scene: Scene) -> frozenset[str]:
    """The people and animals that may well be in the scene, whatever its captions leave out."""
    people = {n for n in scene.named if lexicon.has(n, "p")}
    hinted = bool(scene.tokens & describing.HUMAN_HINTS)
    kept = {n for n in _PEOPLE if not (_surely_not(n, scene, people) if people else not hinted)}
    if any(m.noun == "animal" for r in scene.readings for m in r.mentions):
        kept |= {n for n, noun in lexicon.vocabulary().items() if "a" in noun.traits}
    return frozenset(kept)


def _surely_not(noun: str, scene: Scene, people: set[str]) -> bool:
    """Whether the only person of the scene is of another sex (or age, for "child")."""
    said = [[m for m in r.mentions if lexicon.has(m.noun, "p")] for r in scene.readings]
    if any(len(found) > 1 or any(m.count != 1 for m in found) for found in said):
        return False
    known = people & _SEX.keys()
    if noun == "person" or len(known) != 1 or any(lexicon.has(n, "g") for n in people):
        return False
    if noun in {"child", "baby"}:
        return not people & {"boy", "girl", "child", "baby", "teenager"}
    return _SEX[noun] != _SEX[known.pop()]
