"""What something does in a caption: English verbs with their objects into German ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

from bot.assistant.translation.caption_phrases import animate
from bot.assistant.translation.caption_places import BOATS, Place, in_german
from bot.assistant.translation.declension import Nominal, NounPhrase, contracted
from bot.assistant.translation.lexicon import caption_words, german_verbs

_EARLY = frozenset({"draußen", "nachts", "bei Sonnenuntergang", "zusammen", "drinnen"})
_POSTURES = {
    "be": "sein", "sit": "sitzen", "stand": "stehen", "lie": "liegen", "lay": "liegen",
    "park": "stehen", "dock": "liegen", "seat": "sitzen", "rest": "liegen", "place": "stehen",
}  # fmt: skip
_PARKED = frozenset({"car", "truck", "van", "bus", "jeep", "taxi"})
# Of what is spoken of in passing: "ist in der Luft", not "liegt".
_NOWHERE = ("air", "sky")
_TOY_ANIMALS = frozenset({"stuffed animal", "teddy bear", "doll", "snowman"})
_MUTUAL = frozenset({"miteinander", "nebeneinander", "einander"})
_FORMS = {"sein": ("ist", "sind"), "haben": ("hat", "haben")}


@dataclass(frozen=True)
class Predicate:
    """A German predicate; its subject comes before it.

    Attributes:
        verb: Infinitive, as the lexicon has it.
        middle: Between the verb and its end.
        final: At the end: "Fahrrad", "steigen"; the prefix of the verb follows by itself.
    """

    verb: str
    middle: tuple[str, ...] = ()
    final: str = ""

    def said(self, *, plural: bool) -> list[str]:
        """In a main clause: "hält einen Ball"."""
        finite, prefix = self._finite(plural)
        reflexive = "sich" if prefix == "sich" else ""
        end = "" if prefix == "sich" else prefix
        return [finite, reflexive, *self.middle, self.final, end]

    def said_last(self, *, plural: bool) -> list[str]:
        """In a relative clause: "einen Ball hält"."""
        finite, prefix = self._finite(plural)
        if prefix == "sich":
            return ["sich", *self.middle, self.final, finite]
        return [*self.middle, self.final, prefix + finite]

    def purpose(self) -> str:
        """As in "um einen Ball zu fangen"."""
        found = german_verbs()[self.verb]
        infinitive = f"{found.prefix}zu{found.infinitive}" if found.prefix else f"zu {self.verb}"
        return " ".join(filter(None, ("um", *self.middle, self.final, infinitive)))

    def _finite(self, plural: bool) -> tuple[str, str]:
        if self.verb in _FORMS:
            return _FORMS[self.verb][plural], ""
        found = german_verbs()[self.verb]
        return found.infinitive if plural else found.third_person, found.prefix


@dataclass(frozen=True)
class Action:
    """An English verb with what follows it.

    Attributes:
        verb: Base form.
        subject: Who does it.
        objects: A direct object, or None.
        places: Where, with what, when.
        particle: "up", "down" or "".
    """

    verb: str
    subject: Nominal
    objects: Nominal | None = None
    places: tuple[Place, ...] = ()
    particle: str = ""

    def predicate(self) -> Predicate | None:
        """In German; None where it is not known how."""
        if not self.subject.many and any(place.adverb in _MUTUAL for place in self.places):
            return None
        special = _SPECIAL.get(self.verb)
        return special(self) if special else _plain(self)

    def put(self, verb: str, *objects: str, final: str = "", skip: int = 0) -> Predicate:
        """A German verb with its objects, and the places from `skip` on."""
        about = {*self.subject.names, *(self.objects.names if self.objects else ())}
        how = "hang" if verb == "hängen" else self.verb
        said = [
            in_german(place, how, self.subject, afloat=not BOATS.isdisjoint(about))
            for place in self.places[skip:]
        ]
        early = [each for each in said if each in _EARLY]
        late = [each for each in said if each not in _EARLY]
        return Predicate(verb, (*early, *objects, *late), final)


@cache
def _list(section: str) -> frozenset[str]:
    return frozenset(name for (row,) in caption_words(section) for name in row.split(","))


@cache
def _rules() -> dict[str, tuple[str, str]]:
    """By English verb: the German one, and what becomes of its object."""
    return {
        english: (german, governs)
        for names, german, governs in caption_words("verb")
        for english in names.split(",")
    }


def known_verbs() -> frozenset[str]:
    """English verbs in the base form."""
    return frozenset(_rules()) | frozenset(_POSTURES) | frozenset(_SPECIAL)


def _plain(action: Action) -> Predicate | None:
    """A verb of the word list: with an object in the accusative, after a preposition or none."""
    german, governs = _rules().get(action.verb, ("", ""))
    if not german or german not in german_verbs():
        return None
    up = action.particle == "up" and action.verb in {"jump", "leap"}
    if action.particle and not up and action.verb not in _POSTURES:
        return None
    if action.objects is None:
        return action.put(german, final="hoch" if up else "")
    if governs == "-" or up:
        return None
    if governs == "accusative":
        return action.put(german, action.objects.decline("accusative"))
    preposition, _, case = governs.partition("+")
    said = action.objects.decline("accusative" if case == "accusative" else "dative")
    return action.put(german, contracted(preposition, said))


def _posture(action: Action) -> Predicate | None:
    """As in "sitzt", "liegt"; things stand, lie or hang."""
    if action.objects is not None:
        return None
    verb = _POSTURES[action.verb]
    name = action.subject.first.noun.english
    names = {*action.subject.names}
    there = action.places[0] if action.places else Place("")
    if there.is_at(*_NOWHERE) and not animate(action.subject):
        verb = "sein"
    elif animate(action.subject) or names & _TOY_ANIMALS:
        pass
    elif names & BOATS and action.verb != "stand" and there.is_at(*_WATERS):
        verb = "liegen"
    elif action.verb == "park" and names & _PARKED:
        verb = "parken"
    elif name in _list("hangs") and there.is_at(*_list("hanging_place")):
        verb = "hängen"
    elif action.verb in {"lie", "lay"}:
        verb = "liegen"
    elif action.subject.kind in {"place", "body"} or names & _list("is_found"):
        verb = "sich befinden"
    elif action.subject.kind == "mass" and not names & _list("lies"):
        verb = "sein"
    else:
        verb = "liegen" if names & _list("lies") and not names & BOATS else "stehen"
    return action.put(verb)


_WATERS = ("water", "ocean", "river", "lake", "dock", "harbor", "shore", "beach", "pier", "sea")


def _ride(action: Action) -> Predicate | None:
    """As in "fährt Fahrrad", "reitet auf einem Pferd", "fährt mit einem roten Boot"."""
    ridden, skip = action.objects, 0
    if ridden is None and action.places and action.places[0].preposition in {"on", "in"}:
        ridden, skip = action.places[0].nominal, 1
    ground = ridden is None or ridden.kind == "place" or {"snow", "water"} & {*ridden.names}
    if ridden is None or ground or not animate(action.subject):
        return _drive(action) if action.objects is None else None
    first = ridden.first
    bare = not (first.qualities or first.tail or len(ridden.parts) > 1 or first.amount)
    down = any(place.preposition in {"down", "up"} for place in action.places[skip:])
    sport = _sports().get(first.noun.english)
    if sport and bare and not down and first.article in {"ein", ""}:
        return action.put("fahren", final=sport, skip=skip)
    if first.noun.english == "surfboard" and bare:
        return action.put("surfen", skip=skip)
    verb, preposition = _ridden(first, action.subject)
    return action.put(verb, contracted(preposition, ridden.decline("dative")), skip=skip)


def _ridden(first: NounPhrase, subject: Nominal) -> tuple[str, str]:
    """The verb and the preposition by what is ridden."""
    if first.noun.english == "wave" or (first.kind == "animal" and subject.kind == "person"):
        return "reiten", "auf"
    if first.noun.english in {"swing", "race"}:
        return ("schaukeln", "auf") if first.noun.english == "swing" else ("fahren", "bei")
    return "fahren", "mit" if first.kind == "vehicle" and subject.kind != "animal" else "auf"


@cache
def _sports() -> dict[str, str]:
    return {name: german for names, german in caption_words("sport") for name in names.split(",")}


def _drive(action: Action) -> Predicate | None:
    """Of vehicles and people in them; animals run."""
    if action.subject.kind == "animal":
        return replace(action, verb="run").put("laufen") if action.objects is None else None
    if action.objects is None:
        return action.put("fahren")
    return action.put("fahren", contracted("mit", action.objects.decline("dative")))


def _eat(action: Action) -> Predicate | None:
    verb = "fressen" if action.subject.kind == "animal" else "essen"
    said = [action.objects.decline("accusative")] if action.objects else []
    return action.put(verb, *said)


def _walk(action: Action) -> Predicate | None:
    if action.objects is not None:
        walked = action.objects.first.noun.english == "dog" and not action.particle
        led = action.objects.decline("accusative")
        return action.put("ausführen", led) if walked else None
    verb = "laufen" if action.subject.kind == "animal" else "gehen"
    return action.put(verb) if not action.particle else None


def _run(action: Action) -> Predicate | None:
    """Trains run on tracks."""
    if action.subject.kind == "vehicle" and action.objects is None:
        return action.put("fahren")
    return _plain(action)


def _fly(action: Action) -> Predicate | None:
    if action.objects is not None:
        flown = action.objects.decline("accusative")
        kite = action.objects.first.noun.english == "kite"
        return action.put("lassen", flown, final="steigen") if kite else None
    if action.subject.first.noun.english == "flag":
        return action.put("wehen")
    return _plain(action)


def _play(action: Action) -> Predicate | None:
    """Games and instruments are played without an article."""
    played = action.objects
    if played is None:
        return _plain(action)
    first = played.first
    bare = len(played.parts) == 1 and not first.qualities
    if first.noun.english in _list("played") and bare and first.noun.singular:
        return action.put("spielen", first.noun.singular)
    if first.noun.english in {"game", "video game", "match"} or first.head in {"game", "match"}:
        return action.put("spielen", played.decline("accusative"))
    return action.put("spielen", contracted("mit", played.decline("dative")))


def _look(action: Action) -> Predicate | None:
    """At the camera, or at something."""
    if action.objects is not None or action.particle:
        return None
    at = [place for place in action.places if place.preposition == "at"]
    if not at or at[0].nominal is None:
        if action.places and action.places[0].preposition == "for":
            return _looked_for(action)
        return action.put("schauen")
    rest = replace(action, places=tuple(p for p in action.places if p is not at[0]))
    seen = at[0].nominal
    if at[0].is_at("camera", "mirror", "window"):
        return rest.put("schauen", contracted("in", seen.decline("accusative")))
    return rest.put("anschauen", seen.decline("accusative"))


def _looked_for(action: Action) -> Predicate | None:
    sought = action.places[0].nominal
    assert sought is not None  # adverbs have no preposition
    return action.put("suchen", sought.decline("accusative"), skip=1)


def _brush(action: Action) -> Predicate | None:
    """One's teeth or hair is "sich" done to."""
    if action.objects is None or action.objects.first.noun.english != "tooth":
        return _plain(action)
    return action.put("putzen", "sich die Zähne")


def _swing(action: Action) -> Predicate | None:
    """On a swing, at a ball, or a bat."""
    if action.objects is not None:
        return action.put("schwingen", action.objects.decline("accusative"))
    if action.places and action.places[0].preposition == "at":
        at = action.places[0].nominal
        assert at is not None  # adverbs have no preposition
        return action.put("schlagen", contracted("nach", at.decline("dative")), skip=1)
    return action.put("schaukeln")


def _climb(action: Action) -> Predicate | None:
    """Up something, or on it."""
    climbed, skip = action.objects, 0
    if climbed is None and action.places and action.places[0].preposition == "up":
        climbed, skip = action.places[0].nominal, 1
    if climbed is None:
        return _plain(action)
    if {*climbed.names} & {"wall", "cliff"}:
        return action.put(
            "klettern", contracted("an", climbed.decline("dative")), final="hoch", skip=skip
        )
    return action.put("klettern", contracted("auf", climbed.decline("accusative")), skip=skip)


def _travel(action: Action) -> Predicate | None:
    walks = action.subject.kind == "animal"
    return action.put("laufen" if walks else "fahren") if action.objects is None else None


def _race(action: Action) -> Predicate | None:
    if action.objects is not None:
        return None
    verb = "rennen" if action.subject.kind == "animal" else "fahren"
    if action.subject.many:
        return action.put(verb, final="um die Wette")
    return action.put(verb, "schnell")


def _glide(action: Action) -> Predicate | None:
    """As in "fährt Ski", "fährt auf Skiern einen Hügel hinunter"."""
    final, means = _GLIDING[action.verb]
    if action.objects is not None or action.particle:
        return None
    if any(place.preposition in {"down", "up"} for place in action.places):
        return action.put("fahren", means)
    return action.put("fahren", final=final)


_GLIDING = {
    "ski": ("Ski", "auf Skiern"), "snowboard": ("Snowboard", "mit dem Snowboard"),
    "skateboard": ("Skateboard", "mit dem Skateboard"), "bike": ("Fahrrad", "mit dem Fahrrad"),
    "skate": ("Skateboard", "mit dem Skateboard"), "sled": ("Schlitten", "mit dem Schlitten"),
}  # fmt: skip


def _talk(action: Action) -> Predicate | None:
    if action.places and action.places[0].is_at("phone", "cell phone"):
        return action.put("telefonieren", skip=1)
    return _plain(action)


def _be(action: Action) -> Predicate | None:
    if action.objects is not None:
        return Predicate("sein", (action.objects.decline("nominative"),))
    return _posture(action)


_SPECIAL = {
    **dict.fromkeys(_POSTURES, _posture), "be": _be, "ride": _ride, "drive": _drive, "eat": _eat,
    "walk": _walk, "run": _run, "fly": _fly, "play": _play, "look": _look, "swing": _swing,
    "climb": _climb, "travel": _travel, "race": _race, "talk": _talk, "brush": _brush,
    **dict.fromkeys(_GLIDING, _glide),
}  # fmt: skip


def participle(word: str, action: Action, said: Sequence[str]) -> Predicate:
    """As in "ist mit Essen gefüllt"."""
    put = action.put("sein")
    return replace(put, middle=(*said, *put.middle), final=word)
