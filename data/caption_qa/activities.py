"""Questions about what people and animals do, and what they do it to or with."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from data.caption_qa import lexicon
from data.caption_qa.balance import Claim
from data.caption_qa.parser import (
    Mention,
    ParsedCaption,
    People,
    Scene,
    is_person,
    subject_name,
    verb_to_be,
)
from data.datasets.records import QuestionRecord

_CLAUSE_STARTS = frozenset(
    {",", ".", "and", "while", "as", "is", "are", "when", "where", "whilst", "of"}
)
_BEFORE_NOUNS = lexicon.word_set(
    "a an the his her its their in on of for at with to from this that by other one two three "
    "some many into near over through large big high wearing"
)
_TAKES_OBJECT = lexicon.word_set(
    "riding playing eating drinking reading smoking painting kissing hugging"
)
_INSTRUMENTS = frozenset({"guitar", "drum", "violin", "piano", "trumpet"})
_RIDING = {
    "bike": "riding bike", "horse": "riding horse", "motorcycle": "riding motorcycle",
    "skateboard": "skateboarding", "surfboard": "surfing", "wave": "surfing",
    "scooter": "riding scooter", "unicycle": "riding unicycle", "atv": "riding atv",
    "snowboard": "snowboarding", "sled": "sledding",
}  # fmt: skip
_RIDDEN = frozenset({"skateboard", "surfboard", "snowboard", "wave", "sled", "swing", "slide"})
_NO_SEATS = frozenset({"beach", "park", "stage", "playground", "restaurant", "field", "yard"})
_VAGUE_OBJECTS = frozenset({"group", "couple", "crowd", "person", "male", "female", "animal"})
_ANSWER_NAMES = {"cellphone": "phone", "airplane": "plane", "cyclist": "person"}


@dataclass(frozen=True)
class Action:
    """A verb of a caption with its subject: what a question calls it, token index, form."""

    subject: str
    at: int
    verb: str


def find_actions(scene: Scene, people: People, caption: ParsedCaption) -> list[Action]:
    """The verbs of a caption whose subject is clear: a clause's start, nobody else between."""
    living = [m for m in caption.mentions if is_person(m) or lexicon.has_trait(m.noun, "a")]
    found = list[Action]()
    for at, word in enumerate(caption.tokens):
        if not _is_verb(caption, at, word):
            continue
        before = [m for m in living if m.end <= at]
        for mention in _subjects(caption, before):
            name = subject_name(scene, people, mention)
            if name:
                found.append(Action(name, at, word))
    return found


def _is_verb(caption: ParsedCaption, at: int, word: str) -> bool:
    forms, _ = lexicon.activities()
    if at == 0 or caption.tokens[at - 1] in _BEFORE_NOUNS:
        return False
    if forms.get(word, "riding") not in _TAKES_OBJECT and _is_modifier(caption, at):
        return False
    if word in lexicon.BASE_FORMS:
        subjects = [m for m in caption.mentions if m.end == at]
        return any(m.count != 1 or "and" in caption.tokens[m.start - 1 : m.start] for m in subjects)
    return (
        len(word) > 3
        and word.endswith(("ing", "s"))
        and not any(m.start <= at < m.end for m in caption.mentions)
    )


def _is_modifier(caption: ParsedCaption, at: int) -> bool:
    """Whether a word only says what the next is for: "swimming goggles", "climbing rope"."""
    return any(
        m.start == at + 1 and m.count == 1 and m.end - m.start == len(m.surface.split())
        for m in caption.mentions
    )


def _subjects(caption: ParsedCaption, before: list[Mention]) -> list[Mention]:
    """The nearest subject, with whom it is joined to by "and"."""
    subjects = list[Mention]()
    while before:
        last = before.pop()
        lead = caption.tokens[last.start - 1] if last.start else ","
        if lead not in _CLAUSE_STARTS and not (lead == "his" and subjects):
            return []
        subjects.append(last)
        if lead == "of" and before and lexicon.has_trait(before[-1].noun, "g"):
            return subjects
        if lead == "of" and before:
            return []
        if not (lead == "and" and before and before[-1].end == last.start - 1):
            return subjects
    return subjects


# --- what is done --------------------------------------------------------------------------------


def activity_questions(scene: Scene, people: People) -> Iterator[QuestionRecord | Claim]:
    """What somebody does, and whether they do this or that."""
    for who, tally in sorted(_activities(scene, people).items()):
        be, best = verb_to_be(who), _most_told(tally)
        if best is None:
            continue
        yield QuestionRecord.single(f"What {be} the {who} doing?", best, "activity")
        if who == people.several and who != "people":
            yield QuestionRecord.single("What are the people doing?", best, "activity")
        if who == people.single and who != "person" and len(who) % 2:
            yield QuestionRecord.single("What is the person doing?", best, "activity")
        start = f"{be.capitalize()} the {who}"
        for name, support in sorted(tally.items()):
            if support >= 2:
                yield Claim((f"{start} {name}?",), True, "activity yes/no")
        yield from _other_activities(scene, start, best, tally)


def _activities(scene: Scene, people: People) -> dict[str, Counter[str]]:
    """Who → in how many captions they do what."""
    tally: dict[str, Counter[str]] = defaultdict(Counter)
    for caption in scene.captions:
        done = {(a.subject, _name(caption, a)) for a in find_actions(scene, people, caption)}
        for mention in caption.mentions:
            implied = lexicon.ACTIVITY_OF.get(mention.noun)
            if implied and (who := subject_name(scene, people, mention)):
                done.add((who, implied))
        for who, name in done:
            if name:
                tally[who][name] += 1
    return tally


def _name(caption: ParsedCaption, action: Action) -> str | None:
    """The short name of what is done ("running", "playing soccer"); None when not clear."""
    forms, _ = lexicon.activities()
    name = lexicon.BASE_FORMS.get(action.verb) or forms.get(action.verb)
    after = caption.tokens[action.at + 1 : action.at + 4]
    if name == "playing":
        if sports := [token for token in after[:2] if token in lexicon.PLAYED_SPORTS]:
            return f"playing {sports[0]}"
        played = [m.noun for m in caption.mentions if m.start == action.at + 1]
        if played and played[0] in _INSTRUMENTS | {"frisbee"}:
            return f"playing {played[0]}"
        return "playing"
    if name == "riding":
        ridden = [m.noun for m in caption.mentions if action.at < m.start <= action.at + 3]
        return _RIDING.get(ridden[0]) if ridden else None
    if name in {"standing", "sitting"} and after[:1] == ("up",):
        return None
    return name


def _most_told(tally: Counter[str]) -> str | None:
    """The activity of most captions, the specific before the plain; None on a draw."""
    _, specific = lexicon.activities()

    def rank(name: str) -> tuple[bool, int]:
        return (name in specific or (" " in name and name != "lying down"), tally[name])

    ranked = sorted((n for n in tally if tally[n] >= 2), key=rank, reverse=True)
    if not ranked or (len(ranked) > 1 and rank(ranked[0]) == rank(ranked[1])):
        return None
    return ranked[0]


def _other_activities(scene: Scene, start: str, best: str, tally: Counter[str]) -> Iterator[Claim]:
    forms, _ = lexicon.activities()
    key = best if best == "lying down" else best.split(maxsplit=1)[0]
    named = {forms.get(t) or lexicon.BASE_FORMS.get(t) for t in scene.tokens}
    for name in lexicon.exclusive("activities").get(key, ()):
        if name not in named and name not in tally and name.split()[0] not in scene.tokens:
            yield Claim((f"{start} {name}?",), False, "activity yes/no")


def sport_questions(scene: Scene) -> Iterator[QuestionRecord]:
    """Which sport it is, where two captions say so and none says another."""
    tally: Counter[str] = Counter()
    for caption in scene.captions:
        here = {t for t in caption.tokens if t in lexicon.PLAYED_SPORTS}
        here |= {lexicon.OTHER_SPORTS[t] for t in caption.tokens if t in lexicon.OTHER_SPORTS}
        tally.update(here)
    if len(tally) != 1:
        return
    sport, support = tally.popitem()
    if support < 2 or ("ball" in scene.support and "dog" in scene.support):
        return
    if sport in lexicon.PLAYED_SPORTS:
        yield QuestionRecord.single("What sport is being played?", sport, "activity")
        yield QuestionRecord.single("What game are they playing?", sport, "activity")
    yield QuestionRecord.single("What sport is this?", sport, "activity")


# --- what it is done to --------------------------------------------------------------------------


def object_questions(scene: Scene, people: People) -> Iterator[QuestionRecord]:
    """Questions about the thing that a verb of the captions is about."""
    told: dict[str, set[str]] = defaultdict(set)
    for caption in scene.captions:
        for action in find_actions(scene, people, caption):
            for question, thing in _objects(caption, action):
                told[question].add(thing)
        for question, thing in _in_mouth(scene, people, caption):
            told[question].add(thing)
        for mention in caption.mentions:
            if caption.tokens[mention.end : mention.end + 3] == ("in", "the", "background"):
                told["What is in the background?"].add(_answer(mention))
    for question, things in sorted(told.items()):
        if len(things) == 1:
            yield QuestionRecord.single(question, next(iter(things)), "object")


def _answer(mention: Mention) -> str:
    name = _ANSWER_NAMES.get(mention.noun, mention.noun)
    return name if mention.count == 1 else lexicon.plural(name)


def _object_at(caption: ParsedCaption, at: int) -> Mention | None:
    """The thing whose phrase starts at a token, unless it is but part of another ("edge of")."""
    for mention in caption.mentions:
        if mention.start == at:
            return None if mention.noun in _VAGUE_OBJECTS else mention
    return None


def _objects(caption: ParsedCaption, action: Action) -> Iterator[tuple[str, str]]:
    direct = _object_at(caption, action.at + 1)
    for verb, forms in lexicon.TRANSITIVE.items():
        if direct and action.verb in forms and _fits(verb, direct):
            yield _with_subject(f"What is the {{who}} {verb}?", action.subject), _answer(direct)
    lead = caption.tokens[action.at + 1] if action.at + 1 < len(caption.tokens) else ""
    thing = _object_at(caption, action.at + 2)
    for (verbs, leads), question in lexicon.PREPOSITIONAL.items():
        if not thing or is_person(thing) or not _bears(question, thing):
            continue
        if action.verb in verbs.split() and lead in leads.split():
            verb = "running" if action.verb.startswith("run") else "walking"
            yield _with_subject(question, action.subject, verb), _answer(thing)


def _fits(verb: str, thing: Mention) -> bool:
    """Whether one can do that to such a thing (captions have "riding snow machines")."""
    if verb in lexicon.OBJECTS_OF:
        return thing.noun in lexicon.OBJECTS_OF[verb]
    traits = lexicon.vocabulary()[thing.noun].traits
    if verb == "riding":
        return thing.noun in _RIDDEN or bool(traits & {"v", "a"})
    return not traits & {"s", "c"} and thing.noun not in {"cliff", "ocean"}


def _bears(question: str, thing: Mention) -> bool:
    """Whether a thing is one to sit, stand or lie on, when the question is about that."""
    if "sitting" not in question and "lying" not in question and "standing" not in question:
        return True
    return not lexicon.has_trait(thing.noun, "v") and thing.noun not in _NO_SEATS


def _with_subject(question: str, who: str, verb: str = "") -> str:
    return question.replace(" is ", f" {verb_to_be(who)} ", 1).format(who=who, verb=verb)


def _in_mouth(scene: Scene, people: People, caption: ParsedCaption) -> Iterator[tuple[str, str]]:
    for mention in caption.mentions:
        after = caption.tokens[mention.end : mention.end + 3]
        if after[:1] != ("in",) or after[2:] != ("mouth",):
            continue
        animals = {
            m.noun
            for m in caption.mentions
            if lexicon.has_trait(m.noun, "a") and m.end <= mention.start
        }
        owners = [m for m in caption.mentions if m.noun in animals]
        if len(owners) != 1 or subject_name(scene, people, owners[0]) != owners[0].noun:
            continue
        who = owners[0].noun
        yield f"What is in the {who}'s mouth?", _answer(mention)
        yield f"What is the {who} carrying in its mouth?", _answer(mention)
