"""From a German verb and the chunks around it to an English clause."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bot.assistant.text import word_set
from bot.assistant.translation.chunks import Chunk
from bot.assistant.translation.english import (
    article,
    past_participle,
    past_tense,
    present_participle,
    third_person,
)
from bot.assistant.translation.lexicon import (
    MODALS,
    PAST,
    POSITION_VERBS,
    SEEING_VERBS,
    VERB_PREPOSITIONS,
    FiniteForm,
    Verb,
    finite_forms,
)

_ANYBODY = frozenset({"you", "I", "we"})
_TIMES = word_set("winter summer spring fall night day morning evening noon afternoon Christmas")
_DRIVEN = frozenset({"car", "truck", "van", "bus", "taxi", "tractor", "train"})
_PICTURES = frozenset({"picture", "photo", "painting"})


@dataclass(frozen=True)
class Gap:
    """What a question word stands for in its clause.

    Attributes:
        place: "subject", "object" or "" for neither ("where", "why").
        plural: Whether it is many.
        alive: Whether it is of people or animals.
        counted: The verb must agree with its subject in number.
    """

    place: str = ""
    plural: bool = False
    alive: bool = True
    counted: bool = False


@dataclass(frozen=True)
class Clause:
    """An English clause in the parts that questions put in another order.

    Attributes:
        helper: "is", "are", "does", "did", "can" and the like.
        subject: "" where the question word is it.
        rest: All that comes after the subject.
        about: The subject's chunk, for what is asked next.
    """

    helper: str
    subject: str
    rest: str
    about: Chunk | None = None

    def asked(self, question_word: str = "") -> str:
        """The question: "Is the dog black?", or with a word "Where is the dog?"."""
        helper, rest = self.helper, self.rest
        if not self.subject and helper in {"do", "does"}:  # "Who has a hat?"
            verb, _, objects = rest.partition(" ")
            helper, rest = "", f"{verb if helper == 'do' else third_person(verb)} {objects}"
        parts = (question_word, helper, self.subject, rest)
        said = " ".join(" ".join(filter(None, parts)).split())
        return f"{said[:1].upper()}{said[1:]}?"


def clause(form: str, chunks: Sequence[Chunk], gap: Gap | None = None) -> Clause | None:
    """Put a clause into English, or None if its parts do not make one.

    Args:
        form: The German finite verb.
        chunks: All else, in German order.
        gap: What a question word stands for; None in a question for yes or no.
    """
    finite = finite_forms()[form]
    parts = _Parts.of(form, finite, chunks, gap)
    if parts is None:
        return None
    if finite.verbs[0].infinitive == "sein" and not parts.prefix:
        return _be(parts)
    if form in MODALS:
        return _modal(parts)
    prefixed = any(quality.english in {"on", "off"} for quality in parts.qualities)
    if parts.verb is None or prefixed:  # "an" and "aus" belong to another verb
        return None
    name = parts.verb.infinitive if not parts.verb.prefix else ""
    if name in SEEING_VERBS and (parts.watched or gap is None):
        return _see(parts)
    rules = {"werden": _become, "haben": _have, "geben": _there}
    return rules[name](parts) if name in rules else _act(parts, parts.verb)


@dataclass(frozen=True)
class _Parts:
    """The chunks of a clause by what they are."""

    form: str
    gap: Gap | None
    verb: Verb | None
    subject: Chunk | None
    objects: tuple[Chunk, ...]
    qualities: tuple[Chunk, ...]
    feelings: tuple[Chunk, ...]
    places: tuple[Chunk, ...]
    last: tuple[Chunk, ...]  # participle or infinitive
    prefix: str
    visible: bool
    there: bool

    @classmethod
    def of(
        cls, form: str, finite: FiniteForm, chunks: Sequence[Chunk], gap: Gap | None
    ) -> _Parts | None:
        """Sort the chunks; None if there is no subject where one is needed."""

        def kind(*names: str) -> tuple[Chunk, ...]:
            return tuple(chunk for chunk in chunks if chunk.kind in names)

        if gap and gap.place == "subject" and any(c.english in _ANYBODY for c in kind("noun")):
            return None
        prefixes = kind("prefix")
        prefix = prefixes[-1].english if prefixes else ""
        verb = next((verb for verb in finite.verbs if verb.prefix == prefix), None)
        nouns, subject = kind("noun"), None
        if gap is None or gap.place != "subject":
            if not nouns or not nouns[0].subject:
                return None
            subject, nouns = agreeing(nouns[0], finite), nouns[1:]
            if (
                subject.noun
                and subject.plural
                and not subject.noun.always_plural
                and not finite.plural
            ):
                return None
            chunks, subject = _with_its_place(chunks, subject)
        last = kind("participle", "infinitive", "doing")
        if len(last) > 1 or len(prefixes) > 1:
            return None
        return cls(
            form, gap, verb, subject, nouns, kind("adjective"), kind("feeling"), kind("place"),
            last, prefix, bool(kind("visible")), bool(kind("there")),
        )  # fmt: skip

    @property
    def plural(self) -> bool:
        """Whether English says "are"."""
        if self.subject is not None:
            return self.subject.plural
        return self.gap is not None and self.gap.plural

    @property
    def watched(self) -> bool:
        """Whether the subject is whoever looks at the picture: "you", "one"."""
        return self.subject is not None and self.subject.english in _ANYBODY

    @property
    def helper(self) -> str:
        """The form of "be"."""
        if finite_forms()[self.form].past:
            return "were" if self.plural else "was"
        return "are" if self.plural else "is"

    @property
    def who(self) -> str:
        """The subject in English."""
        return self.subject.english if self.subject else ""

    def with_rest(self, helper: str, *words: str, chunks: Sequence[Chunk] = ()) -> Clause:
        """A clause about the subject."""
        rest = " ".join(filter(None, (*words, *(chunk.english for chunk in chunks))))
        return Clause(helper, self.who, rest, self.subject)


def _with_its_place(chunks: Sequence[Chunk], subject: Chunk) -> tuple[Sequence[Chunk], Chunk]:
    """As in "Ist die Person links eine Frau?": the place is the subject's if more follows."""
    place = next((chunk for chunk in chunks if chunk.start == subject.end), None)
    if place is None or place.kind != "place" or subject.noun is None or not subject.definite:
        return chunks, subject
    more = any(chunk.start >= place.end and chunk.kind in {"noun", "adjective"} for chunk in chunks)
    body = place.noun is not None and place.noun.kind in {"body", "vehicle"}
    if not more or body or place.preposition == "mit":
        return chunks, subject
    left = [chunk for chunk in chunks if chunk is not place]
    return left, replace(subject, english=f"{subject.english} {place.english}")


def agreeing(subject: Chunk, finite: FiniteForm) -> Chunk:
    """Pronouns that only the verb tells apart: "sie" may be she or they."""
    if finite.plural and not finite.singular:
        many = {"she": "they", "this": "these"}.get(subject.english)
        if many and subject.noun is None:
            return replace(subject, english=many, plural=True)
    return subject


def _be(parts: _Parts) -> Clause | None:
    """Of what somebody or something is."""
    subject = parts.subject
    predicates = (*parts.objects, *parts.qualities)
    if parts.feelings or len(parts.objects) > 1:
        return None
    if parts.last:
        return _be_done(parts)
    if predicates or (subject is None and parts.places):
        return parts.with_rest(parts.helper, chunks=(*predicates, *parts.places))
    return _be_there(parts, subject) if subject is not None else None


def _be_there(parts: _Parts, subject: Chunk) -> Clause | None:
    """Of what is somewhere, or is to be seen."""
    if subject.noun is not None and subject.english in _TIMES:
        return Clause(parts.helper, "it", " ".join([subject.english, *_said(parts.places)]))
    found = bool(parts.places) or parts.visible or parts.there
    if not subject.definite:
        return _existence(parts, subject) if found else None
    if parts.places or parts.gap is not None:
        return parts.with_rest(parts.helper, chunks=parts.places)
    if parts.visible:
        return parts.with_rest(parts.helper, "visible")
    return parts.with_rest(parts.helper, "here") if parts.there and subject.noun else None


def _be_done(parts: _Parts) -> Clause | None:
    """As in "is covered", "is eating" ("ist am Essen")."""
    last = parts.last[0]
    if last.verb is None or last.kind == "infinitive":
        return None
    said = present_participle(last.verb.english) if last.kind == "doing" else last.english
    placed = _placed(said, parts.places)
    return parts.with_rest(parts.helper, *_said(parts.qualities), said, *placed)


def _existence(parts: _Parts, thing: Chunk) -> Clause:
    """As in "is there a dog in the picture"."""
    many = thing.plural
    helper = "are" if many else "is"
    if parts.form in PAST:
        helper = "were" if many else "was"
    bare = many and thing.english == thing.bare and parts.gap is None
    said = f"any {thing.english}" if bare else thing.english
    return Clause(helper, "there", " ".join([said, *_said(parts.places)]), thing)


def _have(parts: _Parts) -> Clause | None:
    """Of what somebody has, and the past tense that German makes with "haben"."""
    objects = parts.objects
    if parts.feelings:
        return parts.with_rest(parts.helper, chunks=(*parts.feelings, *parts.places))
    if parts.last:
        return _have_done(parts, parts.last[0])
    if parts.qualities:
        return _have_open(parts)
    wanted = 0 if parts.gap is not None and parts.gap.place == "object" else 1
    if len(objects) != wanted:
        return None
    return parts.with_rest(_do(parts), "have", chunks=(*objects, *parts.places))


def _have_done(parts: _Parts, last: Chunk) -> Clause | None:
    """As in "hat gemacht"."""
    if last.verb is None or last.kind != "participle":
        return None
    verb = _chosen(last.verb, parts.objects, parts)
    rest = (*_said(parts.objects), *_placed(verb, parts.places))
    if parts.subject is None:
        return parts.with_rest("", past_tense(verb), *rest)
    return parts.with_rest("did", verb, *rest)


def _have_open(parts: _Parts) -> Clause | None:
    """As in "Hat er den Mund offen?"."""
    if len(parts.objects) != 1 or not parts.objects[0].definite or parts.subject is None:
        return None
    part = parts.objects[0]
    helper = "are" if part.plural else "is"
    thing = f"{_whose(parts.subject)} {part.bare}"
    return Clause(helper, thing, " ".join(_said(parts.qualities)), parts.subject)


def _there(parts: _Parts) -> Clause | None:
    """Of what there is: "es gibt"."""
    if parts.subject is None or parts.subject.english != "it" or parts.qualities or parts.last:
        return None
    if not parts.objects:
        return Clause("", "there", " ".join(_said(parts.places))) if parts.gap else None
    thing = parts.objects[0]
    return _existence(parts, thing) if len(parts.objects) == 1 else None


def _see(parts: _Parts) -> Clause | None:
    """As in "can you see": of what is there, whether it is."""
    if not parts.watched:
        return None
    if parts.gap is not None:
        return parts.with_rest("can", "see", chunks=(*parts.objects, *parts.places))
    if len(parts.objects) != 1:
        return None
    thing = parts.objects[0]
    if thing.definite:
        helper = "are" if thing.plural else "is"
        return Clause(helper, thing.english, " ".join(["visible", *_said(parts.places)]), thing)
    return _existence(parts, thing)


def _become(parts: _Parts) -> Clause | None:
    """With "werden": of what is done to a thing, and of what will be."""
    if not parts.last or parts.last[0].verb is None or parts.feelings:
        return None
    last, verb = parts.last[0], parts.last[0].verb
    past = finite_forms()[parts.form].past
    if last.kind == "infinitive" and not past:
        chosen = _chosen(verb, parts.objects, parts)
        rest = (chosen, *_said(parts.objects), *_said(parts.qualities))
        return parts.with_rest("will", *rest, *_placed(chosen, parts.places))
    if last.kind != "participle":
        return None
    chosen = "take" if verb.english == "make" and _is_picture(parts.subject) else verb.english
    said = past_participle(chosen) if past else f"being {past_participle(chosen)}"
    rest = (said, *_said(parts.objects), *_placed(said, parts.places))
    return parts.with_rest(parts.helper, *rest)


def _is_picture(subject: Chunk | None) -> bool:
    return subject is not None and (
        subject.english == "this"
        or (subject.noun is not None and subject.noun.english in _PICTURES)
    )


def _modal(parts: _Parts) -> Clause | None:
    """With "can", "should" and their like."""
    if not parts.last or parts.last[0].kind != "infinitive" or parts.last[0].verb is None:
        return None
    if parts.feelings:
        return None
    verb = parts.last[0].verb
    if parts.watched and verb.infinitive in SEEING_VERBS and not verb.prefix:
        return _see(parts)
    chosen = _chosen(verb, parts.objects, parts)
    rest = (chosen, *_said(parts.objects), *_said(parts.qualities))
    return parts.with_rest(MODALS[parts.form], *rest, *_placed(chosen, parts.places))


def _act(parts: _Parts, verb: Verb) -> Clause | None:
    """Everything that is done, and what lasts."""
    everything = [*([parts.subject] if parts.subject else []), *parts.objects]
    an_article = any(c.english == "this" and c.noun is None for c in everything[:-1])
    watching = parts.gap is None and parts.watched
    if parts.last or parts.feelings or parts.visible or watching or an_article:
        return None
    if verb.infinitive in POSITION_VERBS and not verb.prefix:
        placed = _position(parts)
        if placed is not None:
            return placed
    chosen = _chosen(verb, parts.objects, parts)
    if chosen == "have" or verb.stative:
        rest = (chosen, *_said(parts.objects), *_said(parts.qualities))
        return parts.with_rest(_do(parts), *rest, *_placed(chosen, parts.places))
    return None if chosen == "make" else _go_on(parts, verb, chosen)


def _go_on(parts: _Parts, verb: Verb, chosen: str) -> Clause | None:
    """What is being done: "is eating"."""
    objects, places = list(parts.objects), list(parts.places)
    said = present_participle(chosen)
    if chosen in {"ride", "drive"} and verb.infinitive == "fahren":
        said, objects, places = _ridden(parts)
        if said == "moving" and parts.objects:
            return None
    rest = (said, *_said(objects), *_said(parts.qualities), *_placed(chosen, places))
    return parts.with_rest(parts.helper, *rest)


def _position(parts: _Parts) -> Clause | None:
    """Where things stand or lie, English says that they are."""
    subject, gap = parts.subject, parts.gap
    if parts.objects or parts.qualities or (subject is None and gap is not None and gap.alive):
        return None
    if subject is not None and not subject.alive and not subject.definite:
        return _existence(parts, subject) if parts.places or parts.there else None
    if (subject is not None and subject.alive) or parts.form in {"haengt", "haengen"}:
        return None
    return parts.with_rest(parts.helper, chunks=parts.places)


def _ridden(parts: _Parts) -> tuple[str, list[Chunk], list[Chunk]]:
    """What "fahren" is in English: riding, driving, skiing or moving."""
    for chunk in (*parts.objects, *parts.places):
        noun = chunk.noun
        if (
            noun is None
            or noun.kind != "vehicle"
            or chunk.preposition not in {"", "auf", "mit", "in"}
        ):
            continue
        places = [place for place in parts.places if place is not chunk]
        if noun.english == "ski":
            return "skiing", [], places
        name = chunk.english.split(" ", 1)[1] if chunk.preposition else chunk.english
        if name == chunk.bare and not chunk.plural:
            name = f"{article(name)} {name}"
        verb = "driving" if noun.english in _DRIVEN else "riding"
        return verb, [replace(chunk, english=name)], places
    moved = parts.subject is not None and parts.subject.noun is not None
    kind = parts.subject.noun.kind if parts.subject and parts.subject.noun else ""
    if moved and kind == "vehicle":
        return "moving", [], list(parts.places)
    asked = parts.gap is not None and parts.gap.place == "object"
    return "riding" if asked else "driving", list(parts.objects), list(parts.places)


def _chosen(verb: Verb, objects: Sequence[Chunk], parts: _Parts) -> str:
    """The English verb, where that depends on what it is done to."""
    noun = objects[0].noun if objects else None
    if verb.english == "wear" and noun is not None and not verb.prefix:
        if noun.kind == "body":
            return "have"
        return "wear" if noun.kind == "clothes" else "carry"
    if verb.english == "make" and noun is not None and noun.english in _PICTURES:
        return "take"
    if verb.english == "walk" and verb.infinitive == "gehen" and not parts.places:
        return "go"
    return verb.english


def _do(parts: _Parts) -> str:
    if finite_forms()[parts.form].past:
        return "did"
    return "do" if parts.plural or parts.who in {"I", "we", "you", "they"} else "does"


def _said(chunks: Sequence[Chunk]) -> list[str]:
    return [chunk.english for chunk in chunks]


def _placed(verb: str, places: Sequence[Chunk]) -> list[str]:
    """Places, with the prepositions that the verb wants."""
    first = verb.removeprefix("being ").split(" ")[0]
    said = []
    for place in places:
        wanted = VERB_PREPOSITIONS.get((first, place.preposition))
        if wanted and place.english.startswith(("next to", "in front")) is False:
            said.append(f"{wanted} {place.english.split(' ', 1)[1]}")
        else:
            said.append(place.english)
    return said


def _whose(owner: Chunk) -> str:
    """As in "the man's", "his"."""
    possessive = {"he": "his", "she": "her", "it": "its", "they": "their", "you": "your"}
    if owner.english in possessive:
        return possessive[owner.english]
    mark = "'" if owner.plural and owner.english.endswith("s") else "'s"
    return f"{owner.english}{mark}"
