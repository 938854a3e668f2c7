"""What people and animals are doing."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from data.caption_qa import lexicon
from data.caption_qa.parser import Mention, Reading, Scene
from data.questions import actions
from data.questions.asked import Claim, DerivedQuestion
from data.questions.cast import Cast, callings, is_person, verb_to_be
from data.questions.words import word_set

_CLAUSE = frozenset({",", ".", "and", "while", "as", "is", "are", "when", "where", "whilst", "of"})
_NOT_VERB = word_set(
    "a an the his her its their in on of for at with to from this that by other one two three "
    "some many into near over through large big high wearing"
)
_TAKES_OBJECT = word_set("riding playing eating drinking reading smoking painting kissing hugging")
_INSTRUMENTS = frozenset({"guitar", "drum", "violin", "piano", "trumpet"})
_RIDDEN = {
    "bike": "riding bike", "horse": "riding horse", "motorcycle": "riding motorcycle",
    "skateboard": "skateboarding", "surfboard": "surfing", "wave": "surfing",
    "scooter": "riding scooter", "unicycle": "riding unicycle", "atv": "riding atv",
    "snowboard": "snowboarding", "sled": "sledding",
}  # fmt: skip


@dataclass(frozen=True)
class Doing:
    """A verb of a caption with those who do it: what a question calls them, token index, form."""

    who: str
    at: int
    verb: str


@cache
def _forms() -> dict[str, str]:
    lines = (actions.PRECISE + actions.PLAIN).strip().splitlines()
    pairs = (line.split(":") for line in lines if line)
    return {form: answer for answer, forms in pairs for form in forms.split()}


@cache
def _precise() -> frozenset[str]:
    names = {line.partition(":")[0] for line in actions.PRECISE.strip().splitlines()}
    return frozenset(names)


def deeds(scene: Scene, them: Cast, reading: Reading) -> list[Doing]:
    """The verbs of a caption whose doer is clear: the start of a clause, nobody else between."""
    living = [m for m in reading.mentions if is_person(m) or lexicon.has(m.noun, "a")]
    found = list[Doing]()
    for at, word in enumerate(reading.tokens):
        if not _is_verb(reading, at, word):
            continue
        before = [m for m in living if m.end <= at]
        for doer in _doers(reading, before):
            who = callings(scene, them, doer)
            if who:
                found.append(Doing(who, at, word))
    return found


def _is_verb(reading: Reading, at: int, word: str) -> bool:
    if at == 0 or reading.tokens[at - 1] in _NOT_VERB:
        return False
    if _forms().get(word, "riding") not in _TAKES_OBJECT and _describes(reading, at):
        return False
    if word in actions.BASE_FORMS:
        subjects = [m for m in reading.mentions if m.end == at]
        return any(m.count != 1 or "and" in reading.tokens[m.start - 1 : m.start] for m in subjects)
    return (
        len(word) > 3
        and word.endswith(("ing", "s"))
        and not any(m.start <= at < m.end for m in reading.mentions)
    )


def _describes(reading: Reading, at: int) -> bool:
    """Whether a word only says what the next is for: "swimming goggles", "climbing rope"."""
    return any(
        m.start == at + 1 and m.count == 1 and m.end - m.start == len(m.said.split())
        for m in reading.mentions
    )


def _doers(reading: Reading, before: list[Mention]) -> list[Mention]:
    """The nearest subject, with whom it is joined to by "and"."""
    doers = list[Mention]()
    while before:
        last = before.pop()
        lead = reading.tokens[last.start - 1] if last.start else ","
        if lead not in _CLAUSE and not (lead == "his" and doers):
            return []
        doers.append(last)
        if lead == "of" and before and lexicon.has(before[-1].noun, "g"):
            return doers
        if lead == "of" and before:
            return []
        if not (lead == "and" and before and before[-1].end == last.start - 1):
            return doers
    return doers


def activity(reading: Reading, deed: Doing) -> str | None:
    """The short name of what is done ("running", "playing soccer"); None when not clear."""
    word = deed.verb
    name = actions.BASE_FORMS.get(word) or _forms().get(word)
    after = reading.tokens[deed.at + 1 : deed.at + 4]
    if name == "playing":
        for sport in actions.PLAYED_SPORTS:
            if sport in after[:2]:
                return f"playing {sport}"
        tune = [m.noun for m in reading.mentions if m.start == deed.at + 1]
        if tune and tune[0] in _INSTRUMENTS | {"frisbee"}:
            return f"playing {tune[0]}"
        return "playing"
    if name == "riding":
        ridden = [m.noun for m in reading.mentions if deed.at < m.start <= deed.at + 3]
        return _RIDDEN.get(ridden[0]) if ridden else None
    if name in {"standing", "sitting"} and after[:1] == ("up",):
        return None
    return name


def activities(scene: Scene, them: Cast) -> dict[str, Counter[str]]:
    """Who -> in how many captions they do what."""
    tally: dict[str, Counter[str]] = defaultdict(Counter)
    for reading in scene.readings:
        done = {(d.who, activity(reading, d)) for d in deeds(scene, them, reading)}
        for m in reading.mentions:
            hint = actions.DOERS.get(m.noun)
            if hint and (who := callings(scene, them, m)):
                done.add((who, hint))
        for who, name in done:
            if name:
                tally[who][name] += 1
    return tally


def _best(tally: Counter[str]) -> str | None:
    """The activity that most captions tell of, the precise before the plain; None on a draw."""

    def rank(name: str) -> tuple[bool, int]:
        return (name in _precise() or (" " in name and name != "lying down"), tally[name])

    ranked = sorted((n for n in tally if tally[n] >= 2), key=rank, reverse=True)
    if not ranked or (len(ranked) > 1 and rank(ranked[0]) == rank(ranked[1])):
        return None
    return ranked[0]


def doing_questions(scene: Scene, them: Cast) -> Iterator[DerivedQuestion | Claim]:
    """What somebody does, and whether they do this or that."""
    for who, tally in sorted(activities(scene, them).items()):
        be, best = verb_to_be(who), _best(tally)
        if best is None:
            continue
        yield DerivedQuestion(f"What {be} the {who} doing?", best, "activity")
        if who == them.several and who != "people":
            yield DerivedQuestion("What are the people doing?", best, "activity")
        if who == them.single and who != "person" and len(who) % 2:
            yield DerivedQuestion("What is the person doing?", best, "activity")
        for name, support in sorted(tally.items()):
            if support >= 2:
                yield Claim((f"{be.capitalize()} the {who} {name}?",), True, "activity yes/no")
        yield from _not_doing(scene, f"{be.capitalize()} the {who}", best, tally)


def _not_doing(scene: Scene, start: str, best: str, tally: Counter[str]) -> Iterator[Claim]:
    ruled_out = actions.EXCLUSIVE.get(
        best if best == "lying down" else best.split(maxsplit=1)[0], ""
    )
    spoken = {_forms().get(t) or actions.BASE_FORMS.get(t) for t in scene.tokens}
    for other in ruled_out.split():
        name = other.replace("_", " ")
        if name not in spoken and name not in tally and name.split()[0] not in scene.tokens:
            yield Claim((f"{start} {name}?",), False, "activity yes/no")


def sport_questions(scene: Scene) -> Iterator[DerivedQuestion]:
    """Which sport it is, where two captions say so and none says another."""
    tally: Counter[str] = Counter()
    for reading in scene.readings:
        here = {t for t in reading.tokens if t in actions.PLAYED_SPORTS}
        here |= {actions.DONE_SPORTS[t] for t in reading.tokens if t in actions.DONE_SPORTS}
        tally.update(here)
    if len(tally) != 1:
        return
    sport, support = tally.popitem()
    if support < 2 or ("ball" in scene.seen and "dog" in scene.seen):
        return
    if sport in actions.PLAYED_SPORTS:
        yield DerivedQuestion("What sport is being played?", sport, "activity")
        yield DerivedQuestion("What game are they playing?", sport, "activity")
    yield DerivedQuestion("What sport is this?", sport, "activity")
