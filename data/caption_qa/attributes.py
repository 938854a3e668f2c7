"""Questions about how many there are, who they are, what colour, what they wear, and where."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from data.caption_qa import lexicon
from data.caption_qa.balance import Claim
from data.caption_qa.parser import (
    UNKNOWN,
    People,
    Scene,
    agreed_count,
    is_person,
    verb_to_be,
)
from data.datasets.records import QuestionRecord

_ask = QuestionRecord.single

# --- how many ------------------------------------------------------------------------------------

_HOW_MANY = (
    "How many {many} are in the picture?", "How many {many} are there?",
    "How many {many} are in the photo?", "How many {many} can you see?",
    "How many {many} are shown?",
)  # fmt: skip
_COUNTED = frozenset(
    {"dog", "cat", "horse", "cow", "sheep", "bird", "bike", "motorcycle", "boat", "car", "man",
     "woman", "boy", "girl", "child", "umbrella", "balloon", "chair", "surfboard", "ball"}
)  # fmt: skip


def count_questions(scene: Scene, people: People, turn: int) -> Iterator[QuestionRecord | Claim]:
    """How many people, dogs, ... there are; `turn` chooses the wording."""
    if people.count:
        yield _how_many("people", people.count, turn)
        yield from _count_claims("person", "people", people.count)
    if animals := agreed_count(scene, "a"):
        yield _how_many("animals", animals, turn + 1)
    for noun in sorted(_COUNTED & scene.support.keys()):
        number = _number(scene, noun)
        if number and (not lexicon.has_trait(noun, "p") or _are_all(scene, noun, people)):
            yield _how_many(lexicon.plural(noun), number, turn + 2)
            yield from _count_claims(noun, lexicon.plural(noun), number)


def _how_many(many: str, number: int, turn: int) -> QuestionRecord:
    return _ask(_HOW_MANY[turn % len(_HOW_MANY)].format(many=many), str(number), "count")


def _count_claims(noun: str, many: str, number: int) -> Iterator[Claim]:
    more = (f"Is there more than one {noun}?", f"Is there more than one {noun} in the picture?")
    yield Claim(more, number > 1, "count yes/no")
    for word, value in (("two", 2), ("three", 3)):
        wordings = (f"Are there {word} {many}?", f"Are there {word} {many} in the picture?")
        yield Claim(wordings, number == value, "count yes/no")


def _number(scene: Scene, noun: str) -> int | None:
    per = scene.mentions_of(noun)
    if any(len(found) > 1 or found[0].other for found in per):
        return None
    counts = [found[0].count for found in per]
    known = {c for c in counts if c != UNKNOWN}
    if len(known) != 1 or len(counts) - counts.count(UNKNOWN) < 2 or counts.count(UNKNOWN) > 1:
        return None
    number = known.pop()
    return None if UNKNOWN in counts and number == 1 else number


def _are_all(scene: Scene, noun: str, people: People) -> bool:
    """Whether the people of this kind are all the people, or named apart by most captions."""
    rival = {"man": "boy", "boy": "man", "woman": "girl", "girl": "woman"}.get(noun)
    if people.count is None or rival in scene.named:
        return False
    if people.count == _number(scene, noun):
        return True
    return len(scene.mentions_of(noun)) * 2 > len(scene.captions)


# --- who -----------------------------------------------------------------------------------------


def person_questions(scene: Scene, people: People) -> Iterator[QuestionRecord | Claim]:
    """Man or woman, boy or girl, which animal."""
    who = people.single
    if who in {"man", "woman"}:
        sex = "male" if who == "man" else "female"
        yield _ask("Is this a man or a woman?", who, "person")
        yield _ask("Is the person male or female?", sex, "person")
        yield Claim(("Is the person a man?", "Is this a man?"), who == "man", "person yes/no")
        yield Claim(("Is the person a woman?", "Is this a woman?"), who == "woman", "person yes/no")
        yield Claim(("Is this a child?", "Is the person a child?"), False, "person yes/no")
    if who in {"boy", "girl"}:
        yield _ask("Is this a boy or a girl?", who, "person")
        yield _ask("Is the child a boy or a girl?", who, "person")
        yield Claim(("Is the child a boy?", "Is this a boy?"), who == "boy", "person yes/no")
        yield Claim(("Is the child a girl?", "Is this a girl?"), who == "girl", "person yes/no")
        yield Claim(("Is this a child?", "Is the person a child?"), True, "person yes/no")
    if people.name and people.name != "person":
        yield _ask("Who is in the picture?", people.name, "person")
    animals = _animals(scene)
    if len(animals) == 1 and scene.support[animals[0]] >= 3:
        yield _ask("What animal is this?", animals[0], "object")
        yield _ask("What kind of animal is in the picture?", animals[0], "object")


def _animals(scene: Scene) -> list[str]:
    return [n for n in scene.support if lexicon.has_trait(n, "a") and n != "animal"]


# --- what colour ---------------------------------------------------------------------------------

_COLOURED = frozenset(
    {"ball", "frisbee", "toy", "leash", "collar", "umbrella", "balloon", "kite", "couch", "blanket",
     "slide", "bench", "chair", "bag", "backpack", "towel", "house", "building", "tent", "flag",
     "surfboard", "guitar", "sled", "skateboard", "rope", "trampoline", "bowl", "hat", "helmet"}
)  # fmt: skip
_COLOUR_ORDER = ("black", "brown", "tan", "gray", "red", "orange", "yellow", "green", "blue",
                 "purple", "pink", "silver", "blonde", "white")  # fmt: skip
_COLOURLESS = frozenset({"animal", "outfit", "costume"})
_COLOURS_ASKED = ("red", "blue", "green", "yellow", "orange", "white", "black", "brown", "pink",
                  "purple", "gray", "tan")  # fmt: skip
_AFTER_COLOUR = frozenset({"is", "on", "in", "at", "with", "while", ",", ".", "near", "by"})


def colour_questions(scene: Scene, people: People) -> Iterator[QuestionRecord | Claim]:
    """Colour questions of a scene, open and yes/no."""
    for noun in sorted(scene.support):
        traits = lexicon.vocabulary()[noun].traits
        worn = "w" in traits and noun != "collar"
        if noun in _COLOURLESS or not (worn or traits & {"a", "v"} or noun in _COLOURED):
            continue
        colour = _colour(scene, noun)
        if colour is not None and (people.single or not worn):
            yield from _colours_of(scene, noun, colour, people.single if worn else None)
    if people.single:
        yield from _hair_colour(scene, people.single)
        yield from _colour_worn(scene, people.single)


def _colour(scene: Scene, noun: str) -> frozenset[str] | None:
    """The colours of the only thing of its kind, where the captions agree on them."""
    if not scene.is_unique(noun):
        return None
    told = [found[0].colours for found in scene.mentions_of(noun) if found[0].colours]
    if not told or any("" in colours for colours in told):
        return None
    tally = Counter(frozenset(colours) for colours in told)
    best, support = tally.most_common(1)[0]
    if len(tally) > 1 and (
        support < 3 or not all(c < best or c > best for c in tally if c != best)
    ):
        return None
    return best if len(best) <= 2 else None


def _colours_of(
    scene: Scene, noun: str, colour: frozenset[str], wearer: str | None
) -> Iterator[QuestionRecord | Claim]:
    be = "are" if noun in lexicon.ALWAYS_PLURAL else "is"
    answer = " and ".join(sorted(colour, key=_COLOUR_ORDER.index))
    spelt = "colour" if (len(noun) + len(answer)) % 7 == 0 else "color"
    thing = f"the {wearer}'s {noun}" if wearer else f"the {noun}"
    yield _ask(f"What {spelt} {be} {thing}?", answer, "colour")
    if wearer and len(answer) % 2:
        yield _ask(f"What {spelt} {noun} is the {wearer} wearing?", answer, "colour")
    elif len(answer) % 2:
        yield _ask(f"What is the {spelt} of {thing}?", answer, "colour")
    if len(colour) > 1:
        return
    named = {lexicon.COLOURS.get(token) for token in scene.tokens}
    for other in _COLOURS_ASKED:
        wordings = (f"{be.capitalize()} {thing} {other}?",)
        if other in colour:
            yield Claim(wordings, True, "colour yes/no")
        elif other not in named and not any({other, answer} <= n for n in lexicon.NEAR_COLOURS):
            yield Claim(wordings, False, "colour yes/no")


def _hair_colour(scene: Scene, who: str) -> Iterator[QuestionRecord]:
    mentions = [m for caption in scene.captions for m in caption.mentions]
    told = {m.colours for m in mentions if m.noun == "hair" and m.colours}
    told |= {("blonde",) for m in mentions if "blonde" in m.colours and is_person(m)}
    if len(told) == 1 and len(only := told.pop()) == 1 and only[0]:
        yield _ask(f"What color is the {who}'s hair?", only[0], "colour")


def _colour_worn(scene: Scene, who: str) -> Iterator[QuestionRecord]:
    """A man "in red": the colour is said without a garment."""
    found = set[str]()
    for caption in scene.captions:
        if any(lexicon.has_trait(m.noun, "w") and m.colours for m in caption.mentions):
            return
        for at in {m.end for m in caption.mentions if is_person(m)}:
            after = caption.tokens[at : at + 3]
            if (
                len(after) < 3
                or after[0] not in {"in", "wearing"}
                or after[1] not in lexicon.COLOURS
            ):
                continue
            if after[2] not in _AFTER_COLOUR and not after[2].endswith(("ing", "s")):
                return
            found.add(lexicon.COLOURS[after[1]])
    if len(found) == 1 and (colour := found.pop()):
        yield _ask(f"What color is the {who} wearing?", colour, "colour")


# --- what they wear ------------------------------------------------------------------------------

_HEADWEAR = frozenset({"hat", "helmet", "bandana", "headphones"})
_NO_CLOTHES = frozenset({"collar", "hair", "outfit", "backpack"})
_WORN_IN_PAIRS = frozenset({"glove", "shoe", "boot", "sock"})
_POSSESSIVES = {"man": "his", "boy": "his", "woman": "her", "girl": "her"}


def clothing_questions(scene: Scene, people: People) -> Iterator[QuestionRecord | Claim]:
    """What the only person wears."""
    who = people.single
    if not who:
        return
    worn = [n for n in scene.support if lexicon.has_trait(n, "w") and n not in _NO_CLOTHES]
    if len(worn) == 1:
        answer = lexicon.plural(worn[0]) if worn[0] in _WORN_IN_PAIRS else worn[0]
        yield _ask(f"What is the {who} wearing?", answer, "clothing")
    head = [n for n in worn if n in _HEADWEAR]
    if len(head) == 1:
        own = _POSSESSIVES.get(who, "their")
        yield _ask(f"What is on the {who}'s head?", head[0], "clothing")
        yield _ask(f"What is the {who} wearing on {own} head?", head[0], "clothing")
    for noun in sorted(worn):
        yield _wears(who, noun, True)
    for noun, others in lexicon.exclusive("clothes").items():
        if noun not in scene.named and set(worn) & set(others):
            yield _wears(who, noun, False)


def _wears(who: str, noun: str, truth: bool) -> Claim:
    if noun in _WORN_IN_PAIRS:
        garment = lexicon.plural(noun)
    else:
        garment = noun if noun in lexicon.ALWAYS_PLURAL else lexicon.article(noun)
    return Claim((f"Is the {who} wearing {garment}?",), truth, "clothing yes/no")


# --- where ---------------------------------------------------------------------------------------

_AT_PLACE = frozenset({"in", "on", "at", "through", "across", "along", "into", "down", "inside"})
_PLACE_NAMES = {"trail": "path"}
_AS_CALLED = frozenset({"street", "road", "sidewalk", "lake", "pond", "river", "stream", "creek"})
_MORE_PLACES = frozenset({"gym", "desert", "stage"})
_NO_PLACE = frozenset({"hill", "puddle", "mud"})
_IS_OUTDOORS = (
    "Is this outdoors?", "Was this photo taken outside?", "Are they outside?",
    "Is this an outdoor scene?", "Was this picture taken outdoors?",
)  # fmt: skip
_IS_INDOORS = ("Is this indoors?", "Was this photo taken inside?", "Is this an indoor scene?",
               "Was this picture taken indoors?")  # fmt: skip
_IS_DAY = ("Is it sunny?", "Is it daytime?")
_IS_NIGHT = ("Is it night time?", "Is it dark outside?")


def place_questions(scene: Scene, people: People) -> Iterator[QuestionRecord | Claim]:
    """Place questions of a scene: where, in or out of doors, day or night."""
    if place := _place(scene):
        answer = _place_name(scene, place)
        yield _ask("Where was this picture taken?", answer, "place")
        yield _ask("Where is this?", answer, "place")
        subjects = [people.name] if people.name else []
        subjects += [n for n in _animals(scene) if scene.is_unique(n) and scene.support[n] >= 3]
        for who in subjects:
            yield _ask(f"Where {verb_to_be(who)} the {who}?", answer, "place")
        yield from _other_places(scene, place)
    inside = len(scene.tokens & lexicon.INDOORS)
    outside = len(scene.tokens & lexicon.OUTDOORS)
    if bool(inside) != bool(outside) and inside + outside >= (2 if outside else 1):
        yield Claim(_IS_OUTDOORS, bool(outside), "place yes/no")
        yield Claim(_IS_INDOORS, bool(inside), "place yes/no")
    night, sun = bool(scene.tokens & lexicon.NIGHT), bool(scene.tokens & lexicon.SUN)
    if night != sun:
        yield Claim(_IS_DAY, sun, "place yes/no")
        yield Claim(_IS_NIGHT, night, "place yes/no")


def _place(scene: Scene) -> str | None:
    """The place that most captions say something is in or on, well ahead of any other."""
    tally: dict[str, int] = {}
    for caption in scene.captions:
        places = {
            m.noun
            for m in caption.mentions
            if lexicon.has_trait(m.noun, "s")
            and m.noun not in _NO_PLACE
            and m.start
            and caption.tokens[m.start - 1] in _AT_PLACE
        }
        for noun in places:
            tally[noun] = tally.get(noun, 0) + 1
    ranked = sorted(tally, key=lambda n: tally[n], reverse=True)
    if not ranked or tally[ranked[0]] < 2:
        return None
    if len(ranked) > 1 and tally[ranked[0]] < tally[ranked[1]] + 2:
        return None
    return ranked[0]


def _place_name(scene: Scene, place: str) -> str:
    """What most captions call the place: "road" and "street" are one noun, but not one answer."""
    mentions = [m for found in scene.mentions_of(place) for m in found]
    called = Counter(m.surface for m in mentions if m.surface in _AS_CALLED)
    return called.most_common(1)[0][0] if called else _PLACE_NAMES.get(place, place)


def _other_places(scene: Scene, place: str) -> Iterator[Claim]:
    exclusive = lexicon.exclusive("places")
    # Nobody asks "is this at a path"; the rest of the places have others to ask about.
    if place in exclusive or place in _MORE_PLACES:
        yield Claim(_is_at(place), True, "place yes/no")
    for other in exclusive.get(place, ()):
        if other not in scene.named and other not in scene.tokens:
            yield Claim(_is_at(other), False, "place yes/no")


def _is_at(place: str) -> tuple[str, ...]:
    if place in {"snow", "water", "grass"}:
        return (f"Is this in the {place}?", f"Are they in the {place}?")
    lead = {"beach": "at", "street": "on", "field": "in"}.get(place, "at")
    return (f"Is this {lead} {lexicon.article(place)}?", f"Was this taken {lead} a {place}?")
