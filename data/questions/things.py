"""What somebody holds, rides, wears, sits on and the like."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

from data.caption_qa import lexicon
from data.caption_qa.activities import Doing, deeds
from data.caption_qa.parser import Mention, Reading, Scene
from data.questions import actions, words
from data.questions.asked import Claim, DerivedQuestion
from data.questions.cast import Cast, callings, is_person, verb_to_be

_BOARDS = frozenset({"skateboard", "surfboard", "snowboard", "wave", "sled", "swing", "slide"})
_NO_SEATS = frozenset({"beach", "park", "stage", "playground", "restaurant", "field", "yard"})
_HEADWEAR = frozenset({"hat", "helmet", "bandana", "headphones"})
_NO_CLOTHES = frozenset({"collar", "hair", "outfit", "backpack"})
_VAGUE_THINGS = frozenset({"group", "couple", "crowd", "person", "male", "female", "animal"})
_NAMES = {"cellphone": "phone", "airplane": "plane", "cyclist": "person"}


def thing_questions(scene: Scene, them: Cast) -> Iterator[DerivedQuestion]:
    """Questions about the thing that a verb of the captions is about."""
    said: dict[str, set[str]] = defaultdict(set)
    for reading in scene.readings:
        for deed in deeds(scene, them, reading):
            for question, thing in _objects(reading, deed):
                said[question].add(thing)
        for question, thing in _in_mouth(scene, them, reading):
            said[question].add(thing)
        for mention in reading.mentions:
            if reading.tokens[mention.end : mention.end + 3] == ("in", "the", "background"):
                said["What is in the background?"].add(_answer(mention))
    for question, things in sorted(said.items()):
        if len(things) == 1:
            yield DerivedQuestion(question, next(iter(things)), "object")


def _answer(mention: Mention) -> str:
    name = _NAMES.get(mention.noun, mention.noun)
    return name if mention.count == 1 else lexicon.plural(name)


def _next(reading: Reading, at: int) -> Mention | None:
    """The thing whose phrase starts at a token, unless it is but part of another ("edge of")."""
    for mention in reading.mentions:
        if mention.start == at:
            return None if mention.noun in _VAGUE_THINGS else mention
    return None


def _objects(reading: Reading, deed: Doing) -> Iterator[tuple[str, str]]:
    direct = _next(reading, deed.at + 1)
    for key, (forms, question) in actions.TAKING.items():
        if direct and deed.verb in forms.split() and _fits(key, direct):
            yield _plural_who(question, deed.who), _answer(direct)
    lead = reading.tokens[deed.at + 1] if deed.at + 1 < len(reading.tokens) else ""
    thing = _next(reading, deed.at + 2)
    for (forms, leads), question in actions.LEADING.items():
        if not thing or is_person(thing) or not _bears(question, thing):
            continue
        if deed.verb in forms.split() and lead in leads.split():
            verb = "running" if deed.verb.startswith("run") else "walking"
            yield _plural_who(question, deed.who, verb), _answer(thing)


def _fits(key: str, thing: Mention) -> bool:
    """Whether one can do that to such a thing (captions have "riding snow machines")."""
    if key in actions.FITTING:
        return thing.noun in actions.FITTING[key]
    if key == "ride":
        return thing.noun in _BOARDS or lexicon.has(thing.noun, "v") or lexicon.has(thing.noun, "a")
    return not any(lexicon.has(thing.noun, t) for t in "sc") and thing.noun not in {"cliff", "ocean"}


def _bears(question: str, thing: Mention) -> bool:
    """Whether a thing is one to sit, stand or lie on, when the question is about that."""
    if "sitting" not in question and "lying" not in question and "standing" not in question:
        return True
    return not lexicon.has(thing.noun, "v") and thing.noun not in _NO_SEATS


def _plural_who(question: str, who: str, verb: str = "") -> str:
    return question.replace(" is ", f" {verb_to_be(who)} ", 1).format(who=who, verb=verb)


def _in_mouth(scene: Scene, them: Cast, reading: Reading) -> Iterator[tuple[str, str]]:
    for mention in reading.mentions:
        after = reading.tokens[mention.end : mention.end + 3]
        if after[:1] != ("in",) or after[2:] != ("mouth",):
            continue
        animals = {
            m.noun for m in reading.mentions if lexicon.has(m.noun, "a") and m.end <= mention.start
        }
        owners = [m for m in reading.mentions if m.noun in animals]
        if len(owners) != 1 or callings(scene, them, owners[0]) != owners[0].noun:
            continue
        who = owners[0].noun
        yield f"What is in the {who}'s mouth?", _answer(mention)
        yield f"What is the {who} carrying in its mouth?", _answer(mention)


def clothing_questions(scene: Scene, them: Cast) -> Iterator[DerivedQuestion | Claim]:
    """What the only person wears."""
    if not them.single:
        return
    who = them.single
    tally = Counter(n for n in scene.seen if lexicon.has(n, "w") and n not in _NO_CLOTHES)
    tally = Counter({n: scene.seen[n] for n in tally})
    if len(tally) == 1:
        yield DerivedQuestion(f"What is the {who} wearing?", _worn(next(iter(tally))), "clothing")
    head = [n for n in tally if n in _HEADWEAR]
    if len(head) == 1:
        yield DerivedQuestion(f"What is on the {who}'s head?", head[0], "clothing")
        yield DerivedQuestion(
            f"What is the {who} wearing on {_own(who)} head?", head[0], "clothing"
        )
    for noun in sorted(tally):
        yield Claim((f"Is the {who} wearing {_some(noun)}?",), True, "clothing yes/no")
    for noun, clashes in actions.WEARING_CLASHES.items():
        if noun not in scene.named and tally.keys() & set(clashes.split()):
            yield Claim((f"Is the {who} wearing {_some(noun)}?",), False, "clothing yes/no")


def _worn(noun: str) -> str:
    return lexicon.plural(noun) if noun in {"glove", "shoe", "boot", "sock"} else noun


def _some(noun: str) -> str:
    if noun in words.ALWAYS_PLURAL:
        return noun
    return _worn(noun) if _worn(noun) != noun else lexicon.article(noun)


def _own(who: str) -> str:
    return {"man": "his", "boy": "his", "woman": "her", "girl": "her"}.get(who, "their")
