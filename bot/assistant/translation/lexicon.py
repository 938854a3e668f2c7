"""The German-English lexicon: nouns, adjectives and verbs with their forms.

The word lists lie in `words/*.txt`, each with a line that says what it is. All look-ups are by
folded words, as `words` gives them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from bot.assistant.text import word_set
from bot.assistant.translation.english import plural_of

_WORDS = Path(__file__).with_name("words")


# --- text -----------------------------------------------------------------------------------------

_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "é": "e"})
_CONTRACTED = {
    "im": "in dem", "am": "an dem", "vom": "von dem", "zum": "zu dem", "zur": "zu der",
    "beim": "bei dem", "ins": "in das", "ans": "an das", "aufs": "auf das", "gibts": "gibt es",
    "ists": "ist es", "wieviele": "wie viele", "wieviel": "wie viel", "wievielen": "wie vielen",
    "nen": "einen", "ne": "eine", "n": "ein", "aufm": "auf dem", "unterm": "unter dem",
    "hinterm": "hinter dem", "vorm": "vor dem", "uebers": "ueber das", "wies": "wie ist das",
}  # fmt: skip


def fold(text: str) -> str:
    """Lower case, with "ae", "oe", "ue" and "ss" for the letters that English keyboards lack."""
    return text.lower().translate(_UMLAUTS)


def words(text: str) -> list[str]:
    """The folded words of a text, with prepositions parted from their articles."""
    found = re.findall(r"[^\W\d_]+(?:-[^\W\d_]+)*|\d+", fold(text.replace("'s ", "s ")))
    return [part for word in found for part in _CONTRACTED.get(word, word).split()]


def _entries(name: str) -> Iterator[tuple[str, list[str]]]:
    """The lines of a word list: the section that each is in, and its columns."""
    section = ""
    for line in (_WORDS / f"{name}.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif not line.startswith("#"):
            yield section, [column.replace("_", " ") for column in line.split()]


@cache
def common_answers() -> dict[str, str]:
    """German for the model's commonest answers."""
    lines = (_WORDS / "answers.txt").read_text(encoding="utf-8").splitlines()
    return dict(line.split(": ") for line in lines if not line.startswith("#"))


# --- numbers --------------------------------------------------------------------------------------

NUMBERS = (  # by value
    *("null", "eins", "zwei", "drei", "vier", "fuenf", "sechs"),
    *("sieben", "acht", "neun", "zehn", "elf", "zwoelf"),
)
ENGLISH_NUMBERS = (
    *("zero", "one", "two", "three", "four", "five", "six"),
    *("seven", "eight", "nine", "ten", "eleven", "twelve"),
)

# --- nouns ----------------------------------------------------------------------------------------

_COUNTED_ALIKE = frozenset({"sheep", "deer", "fish"})
# At the end of a compound, these may mean anything.
_VAGUE = word_set(
    "wagen zeug zug platz teil bank stock rad bahn decke spiel seite ort form art stueck kette tag "
    "mann frau kiefer ring schein"
)
_WITHOUT_ARTICLE = word_set(
    "winter summer spring fall noon Christmas Halloween tennis baseball golf hockey football "
    "volleyball skiing surfing skateboarding snowboarding swimming riding equipment outdoors "
    "basketball"
)


@dataclass(frozen=True)
class Noun:
    """One noun in both languages.

    Attributes:
        gender: "m", "f", "n" or, of a plural, "".
        singular: In German, or "".
        plural: Likewise.
        english: Singular.
        english_plural: Equal to `english` where English has but one form for both.
        kind: "person", "animal", "clothes", "body", "mass", "vehicle", "place" or "thing".
    """

    gender: str
    singular: str
    plural: str
    english: str
    english_plural: str
    kind: str

    @property
    def counted(self) -> bool:
        """Whether English says "a" before it: not before "water", "pants" or "hair"."""
        alike = self.english == self.english_plural
        return (self.kind != "mass" and not alike) or self.english in _COUNTED_ALIKE

    @property
    def always_plural(self) -> bool:
        """Whether English only has a plural of it: pants, glasses, stairs."""
        return self.english == self.english_plural and self.english.endswith("s")

    @property
    def never_plural(self) -> bool:
        """Whether English only has a singular of it: hair, fruit; sheep may be many."""
        alike = self.english == self.english_plural and not self.english.endswith("s")
        return alike and self.english not in _COUNTED_ALIKE


@dataclass(frozen=True)
class NounForm:
    """What one German word may be: a noun in the singular, the plural or both."""

    noun: Noun
    singular: bool
    plural: bool


@cache
def nouns() -> tuple[Noun, ...]:
    """All nouns that are listed; of several German ones for one thing, the best comes first."""
    found = []
    for kind, (gender, singular, plural, both) in _entries("nouns"):
        english, _, english_plural = both.partition("/")
        found.append(
            Noun(
                gender.strip("-"),
                singular.strip("-"),
                plural.strip("-"),
                english,
                english_plural or plural_of(english),
                "mass" if english in _WITHOUT_ARTICLE else kind,
            )
        )
    return tuple(found)


@cache
def english_nouns() -> dict[str, tuple[Noun, bool]]:
    """German nouns by English ones, and whether those are many; the first is the best."""
    found: dict[str, tuple[Noun, bool]] = {}
    for noun in nouns():
        if noun.singular:
            found.setdefault(noun.english.lower(), (noun, False))
        if noun.plural:
            found.setdefault(noun.english_plural.lower(), (noun, True))
    return found


@cache
def noun_forms() -> dict[str, NounForm]:
    """Every form of every noun; of nouns that look alike, the first."""
    found: dict[str, NounForm] = {}
    for noun in nouns():
        one = {fold(form) for form in _singular_forms(noun)}
        many = {fold(form) for form in _plural_forms(noun)}
        for form in one | many:
            found.setdefault(form, NounForm(noun, form in one, form in many))
    return found


def _singular_forms(noun: Noun) -> list[str]:
    """Nominative, genitive, and the cases of weak nouns ("den Bären", "des Jungen")."""
    one = noun.singular
    if not one:
        return []
    if noun.gender == "f":
        return [one]
    weak = noun.gender == "m" and noun.plural in {f"{one}n", f"{one}en"}
    return [one, f"{one}s", f"{one}es", f"{one}ses", *([noun.plural] if weak else [])]


def _plural_forms(noun: Noun) -> list[str]:
    """Nominative and dative."""
    many = noun.plural
    if not many:
        return []
    return [many] if many.endswith(("n", "s")) else [many, f"{many}n"]


def find_noun(word: str) -> NounForm | None:
    """The noun of a word; of a compound that is not listed, the English of its two parts.

    "Küchentisch" is a "kitchen table" although only "Küche" and "Tisch" are listed.
    """
    return noun_forms().get(word) or _compound(word)


def _compound(word: str) -> NounForm | None:
    for cut in range(len(word) - 3, 2, -1):
        last = noun_forms().get(word[cut:].strip("-"))
        first = _first_part(word[:cut].strip("-"))
        if last is None or first is None or last.noun.kind in {"person", "body"}:
            continue
        if word[cut:] in _VAGUE:
            continue
        noun, stem = last.noun, word[:cut].capitalize()
        joined = Noun(
            noun.gender,
            stem + noun.singular.lower() if noun.singular else "",
            stem + noun.plural.lower() if noun.plural else "",
            f"{first.english} {noun.english}",
            f"{first.english} {noun.english_plural}",
            noun.kind,
        )
        return NounForm(joined, last.singular, last.plural)
    return None


def _first_part(part: str) -> Noun | None:
    """The noun that a compound starts with: "Küchen", "Holz", "Geburtstags"."""
    if len(part) < 3:
        return None
    for stem in (part, part.removesuffix("s"), part.removesuffix("n"), f"{part}e"):
        form = noun_forms().get(stem)
        if form is not None and len(stem) >= 3:
            return form.noun
    return None


# --- adjectives and adverbs -----------------------------------------------------------------------

# Said for politeness or liveliness; the question means the same without them.
FILLERS = word_set(
    "denn eigentlich mal wohl gerade jetzt bitte so ueberhaupt vielleicht etwa genau momentan "
    "hier da dort ja nun also bloss darauf dabei irgendwo"
)
DEGREES = {  # in front of an adjective
    "sehr": "very", "ziemlich": "quite", "ganz": "completely", "voellig": "completely",
    "zu": "too", "besonders": "especially", "komplett": "completely", "richtig": "really",
    "wirklich": "really",
}  # fmt: skip
UNDECLINED = frozenset({"lila", "rosa", "pink", "orange", "beige"})
_ONLY_ATTRIBUTIVE = frozenset({"link", "recht", "ober", "unter", "hinter", "vorder"})


def _section(name: str) -> dict[str, str]:
    return {
        fold(german): english
        for section, (german, english) in _entries("adjectives")
        if section == name
    }


@cache
def colours() -> dict[str, str]:
    """English colours by German ones."""
    return _section("colour")


@cache
def _adjectives() -> dict[str, str]:
    """English adjectives by German ones, without endings; colours among them."""
    return _section("adjective") | colours()


@cache
def place_adverbs() -> dict[str, str]:
    """As in "links" → "on the left"."""
    return _section("place")


@cache
def german_adjectives() -> dict[str, str]:
    """The way back, with umlauts: the first German word for each English one."""
    found: dict[str, str] = {}
    for section, (german, english) in _entries("adjectives"):
        if section != "place":
            found.setdefault(english, german)
    return found


def attributive(word: str) -> str | None:
    """An adjective in front of a noun, whatever its ending: "großen" → "big"."""
    known = _adjectives()
    for ending in ("en", "er", "es", "em", "e"):
        stem = word.removesuffix(ending)
        if stem != word:
            with_e = f"{stem[:-1]}e{stem[-1:]}"  # "dunkl" → "dunkel", "teur" → "teuer"
            found = known.get(stem) or known.get(with_e)
            if found:
                return found
    return known[word] if word in UNDECLINED else None


def predicative(word: str) -> str | None:
    """An adjective after "is": without an ending."""
    return None if word in _ONLY_ATTRIBUTIVE else _adjectives().get(word)


# --- verbs ----------------------------------------------------------------------------------------

POSITION_VERBS = frozenset({"stehen", "liegen", "sitzen", "haengen"})
SEEING_VERBS = frozenset({"sehen", "erkennen", "entdecken", "finden"})
# What a preposition means with a verb, where that is not what it means elsewhere.
VERB_PREPOSITIONS = {
    ("look", "in"): "at", ("look", "auf"): "at", ("look", "zu"): "at", ("look", "nach"): "toward",
    ("look", "an"): "at", ("look", "aus"): "out of", ("point", "auf"): "at", ("wait", "auf"): "for",
    ("ride", "mit"): "on", ("talk", "mit"): "to", ("lean", "an"): "against", ("wave", "zu"): "to",
    ("belong", "zu"): "to", ("walk", "zu"): "to", ("fly", "in"): "in", ("be", "aus"): "of",
    ("talk", "an"): "on", ("live", "an"): "at", ("made", "aus"): "of", ("belong", "in"): "in",
}  # fmt: skip
_AUXILIARIES = {
    "sein": "ist sind war waren bist seid sei", "haben": "hat haben hast habt hatte hatten",
    "werden": "wird werden wurde wurden wirst",
    "koennen": "kann koennen kannst koennt koennte koennten",
    "muessen": "muss muessen musst muesste", "sollen": "soll sollen sollte sollten",
    "duerfen": "darf duerfen darfst duerfte", "wuerden": "wuerde wuerden wuerdest",
    "moegen": "mag moegen magst moechte moechten",
}  # fmt: skip
PAST = frozenset({"war", "waren", "hatte", "hatten", "wurde", "wurden"})
MODALS = {
    "kann": "can", "koennen": "can", "kannst": "can", "koennt": "can", "koennte": "could",
    "koennten": "could", "muss": "must", "muessen": "must", "sollte": "should",
    "sollten": "should", "soll": "should", "sollen": "should", "darf": "may", "duerfen": "may",
    "wuerde": "would", "wuerden": "would", "wuerdest": "would", "darfst": "may", "musst": "must",
}  # fmt: skip


@dataclass(frozen=True)
class Verb:
    """One verb.

    Attributes:
        infinitive: Folded, without its prefix.
        prefix: That is parted from it in a main clause, or "".
        english: Base form.
        stative: English says "does it need", not "is it needing".
    """

    infinitive: str
    prefix: str
    english: str
    stative: bool = False


@dataclass(frozen=True)
class FiniteForm:
    """What a finite form may be: verbs that share it, for their prefixes tell them apart."""

    verbs: tuple[Verb, ...]
    plural: bool
    singular: bool
    past: bool = False


@cache
def _verbs() -> list[tuple[Verb, str, str]]:
    """All verbs, each with its third person and its participle."""
    found = []
    for section, (*german, english) in _entries("verbs"):
        infinitive, third_person, participle = map(fold, german)
        prefix, _, rest = infinitive.rpartition("+")
        verb = Verb(rest, prefix, english, section == "state")
        found.append((verb, third_person, participle))
    return found


@cache
def finite_forms() -> dict[str, FiniteForm]:
    """Finite forms, without prefixes."""
    found: dict[str, FiniteForm] = {}

    def add(form: str, verb: Verb, *, plural: bool) -> None:
        old = found.get(form)
        found[form] = FiniteForm(
            (*(old.verbs if old else ()), verb),
            plural or (old.plural if old else False),
            not plural or (old.singular if old else False),
            form in PAST,
        )

    for name, forms in _AUXILIARIES.items():
        for form in forms.split():
            plural = form in {"sind", "waren", "seid"} or form.endswith("en")
            add(form, Verb(name, "", "have" if name == "haben" else name, True), plural=plural)
    for verb, third_person, _ in _verbs():
        if verb.infinitive == "haben" and not verb.prefix:
            continue
        add(third_person, verb, plural=False)
        add(verb.infinitive, verb, plural=True)
    add("machst", Verb("machen", "", "make"), plural=False)
    add("siehst", Verb("sehen", "", "see"), plural=False)
    add("erkennst", Verb("erkennen", "", "see"), plural=False)
    add("findest", Verb("finden", "", "find"), plural=False)
    add("gibt", Verb("geben", "", "give"), plural=False)
    return found


@cache
def participles() -> dict[str, Verb]:
    """As in "gemacht" → "make"."""
    found: dict[str, Verb] = {}
    for verb, _, participle in _verbs():
        found.setdefault(participle, verb)
    return found


@cache
def infinitives() -> dict[str, Verb]:
    """Infinitives with their prefixes."""
    found: dict[str, Verb] = {}
    for verb, _, _ in _verbs():
        found.setdefault(("" if verb.prefix == "sich" else verb.prefix) + verb.infinitive, verb)
    return found


@cache
def prefixes() -> frozenset[str]:
    """What may stand alone at the end of a main clause."""
    return frozenset(verb.prefix for verb, _, _ in _verbs() if verb.prefix) - {"sich"}


def german_infinitives() -> dict[str, str]:
    """The way back, with umlauts: the first German infinitive for each English verb."""
    found: dict[str, str] = {}
    for section, (infinitive, _, _, english) in _entries("verbs"):
        if section != "participle":
            whole = infinitive.replace("sich+", "sich ").replace("+", "")
            found.setdefault(english, whole)
    return found


@dataclass(frozen=True)
class GermanVerb:
    """German for an English verb, with umlauts.

    Attributes:
        infinitive: Without its prefix.
        third_person: Singular, likewise.
        participle: Whole.
        prefix: "auf", "sich" or "".
    """

    infinitive: str
    third_person: str
    participle: str
    prefix: str = ""


@cache
def german_verbs() -> dict[str, GermanVerb]:
    """German verbs by their infinitives, the prefix first: "aufhaben", "sich ausruhen"."""
    found: dict[str, GermanVerb] = {}
    for _, (infinitive, third_person, participle, _) in _entries("verbs"):
        prefix, _, rest = infinitive.rpartition("+")
        verb = GermanVerb(rest, third_person, participle, prefix)
        found.setdefault(infinitive.replace("sich+", "sich ").replace("+", ""), verb)
    return found


@cache
def caption_words(section: str) -> tuple[tuple[str, ...], ...]:
    """The rows of a section of what captions need beside nouns and verbs."""
    return tuple(tuple(columns) for name, columns in _entries("captions") if name == section)
