"""Questions that English asks in another way than word for word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.assistant.translation.chunks import Chunk
from bot.assistant.translation.clauses import agreeing
from bot.assistant.translation.lexicon import POSITION_VERBS, SEEING_VERBS, finite_forms
from bot.assistant.translation.question_words import ATTRIBUTES, BARE, QuestionWord

_WRITTEN_ON = frozenset(
    {"sign", "shirt", "t-shirt", "jersey", "bus", "train", "boat", "ship", "airplane", "truck"}
    | {"car", "poster", "newspaper", "wall", "book", "blackboard", "label", "logo", "bottle", "cup"}
    | {"hat", "cap", "building", "cake", "screen", "phone", "flag", "van", "bag", "box", "sticker"}
    | {"magazine", "can", "sweater", "jacket", "street sign", "traffic sign", "stop sign"}
    | {"license plate"}
)


@dataclass(frozen=True)
class _Question:
    """A question in parts.

    Attributes:
        asked: Its question word.
        verb: Infinitive.
        chunks: All else.
    """

    asked: QuestionWord
    verb: str
    chunks: tuple[Chunk, ...]

    def of(self, *kinds: str) -> list[Chunk]:
        """The chunks of some kinds."""
        return [chunk for chunk in self.chunks if chunk.kind in kinds]

    @property
    def nouns(self) -> list[Chunk]:
        """Noun phrases."""
        return self.of("noun")

    @property
    def located(self) -> list[Chunk]:
        """Places."""
        return self.of("place")

    @property
    def places(self) -> str:
        """The places in English."""
        return " ".join(chunk.english for chunk in self.located)

    @property
    def bare(self) -> bool:
        """Whether there are but nouns and places."""
        return not self.of("adjective", "feeling", "participle", "infinitive", "doing", "prefix")

    @property
    def doer(self) -> Chunk | None:
        """The only noun phrase, if it may be the subject."""
        one = self.nouns[0] if len(self.nouns) == 1 else None
        return one if one is not None and one.subject else None

    @property
    def participle(self) -> str:
        """The participle in English, or ""."""
        return " ".join(chunk.english for chunk in self.of("participle"))


def idiom(
    asked: QuestionWord, form: str, chunks: Sequence[Chunk]
) -> tuple[str, Chunk | None] | None:
    """The English question and its subject, or None if it is asked word for word.

    Args:
        asked: The question word.
        form: The finite verb in German.
        chunks: All else, in German order.
    """
    verb = finite_forms()[form].verbs[0].infinitive
    finite = finite_forms()[form]
    question = _Question(asked, verb, tuple(agreeing(chunk, finite) for chunk in chunks))
    for rule in _RULES[asked.kind]:
        said = rule(question)
        if said is not None:
            nouns = question.nouns
            subject = nouns[0] if nouns and nouns[0].noun is not None else None
            said = " ".join(said.split()).replace(" ?", "?")
            return f"{said[:1].upper()}{said[1:]}", subject
    return None


def _is(chunk: Chunk) -> str:
    return "are" if chunk.plural else "is"


def _attribute(question: _Question) -> str | None:
    """As in "Welche Farbe hat der Hund?"."""
    asked, thing = question.asked, question.nouns[0] if len(question.nouns) == 1 else None
    name = asked.noun.english if asked.noun else ""
    if thing is None or name not in ATTRIBUTES or not question.bare:
        return None
    being = question.verb == "sein" and thing.english != "this"
    if not (being or question.verb == "haben") or (asked.fixed and name != "color"):
        return None
    who = "it" if name == "color" and thing.english == "he" else thing.english
    return f"what {asked.english.split(' ', 1)[1]} {_is(thing)} {who} {question.places}?"


def _possession(question: _Question) -> str | None:
    """As in "Aus welchem Material ist der Tisch?", "Welche Nummer hat der Zug?"."""
    asked, thing = question.asked, question.nouns[0] if len(question.nouns) == 1 else None
    name = asked.noun.english if asked.noun else ""
    if thing is None:
        return None
    if asked.fixed:
        made = name == "material" and asked.preposition == "of" and question.verb == "sein"
        return f"what {_is(thing)} {thing.english} made of?" if made else None
    said = None
    if name == "sport" and question.verb in {"machen", "spielen"}:
        said = f"what sport {_is(thing)} {thing.english} playing {question.places}?"
    elif name in {"hair color", "eye color"} and thing.noun is not None:
        part = "is {}'s hair" if name.startswith("hair") else "are {}'s eyes"
        said = f"what color {part.format(thing.english)}?"
    elif name == "number" and question.verb == "haben":
        said = f"what number is on {thing.english}?"
    return said if question.bare else None


def _count(question: _Question) -> str | None:
    """As in "Wie viele Hunde sind da?", "Wie viel Uhr ist es?"."""
    asked, verb, nouns = question.asked, question.verb, question.nouns
    if not question.bare or len(nouns) > 1:
        return None
    if asked.noun is not None and asked.noun.english == "clock" and verb == "sein":
        return f"what time is it {question.places}?"
    watcher = nouns[0].english if nouns else ""
    if asked.english.startswith("how much"):
        return f"{asked.english} is there {question.places}?" if watcher == "it" else None
    seen = verb in SEEING_VERBS | {"geben"} and watcher in {"you", "it", "we"}
    standing = verb in POSITION_VERBS and not asked.alive
    if not seen and not (watcher in {"", "it", "this"} and (verb == "sein" or standing)):
        return None
    there = "there" if seen or not question.places else ""
    return f"{asked.english} are {there} {question.places}?"


def _kind(question: _Question) -> str | None:
    """As in "Welches Tier ist das?", "Welches Tier ist zu sehen?"."""
    asked, nouns = question.asked, question.nouns
    if asked.noun is None or question.verb != "sein" or not question.bare or len(nouns) > 1:
        return None
    helper = "are" if asked.plural else "is"
    if nouns:
        return _this_kind(question, nouns[0])
    if asked.fixed:
        return None
    if question.places:
        return f"{asked.english} {helper} {question.places}?"
    return f"{asked.english} {helper} shown?" if question.of("visible", "there") else None


def _this_kind(question: _Question, thing: Chunk) -> str | None:
    asked = question.asked
    if asked.noun is None or thing.noun is not None:
        return None
    if thing.english not in {"this", "it", "these"}:
        return None
    if asked.noun.english == "weather":
        return f"how is the weather {question.places}?"
    if asked.fixed:
        return f"{asked.english} is this?" if asked.noun.kind == "place" else None
    that = "are these" if asked.plural else f"is {thing.english}"
    return f"{asked.english} {that} {question.places}?"


def _with_preposition(question: _Question) -> str | None:
    """As in "Woraus ist der Tisch?", "Womit ist er bedeckt?", "Wofür wird es benutzt?"."""
    doer = question.doer
    if not question.asked.fixed or doer is None:
        return None
    subject = f"what {_is(doer)} {doer.english}"
    wanted = (question.asked.preposition, question.verb, question.participle)
    if wanted[0] == "of" and question.verb in {"sein", "bestehen"}:
        return f"{subject} made of?"
    if wanted == ("with", "sein", "covered"):
        return f"{subject} covered with?"
    return f"{subject} used for?" if wanted == ("for", "werden", "used") else None


def _what_kind(question: _Question) -> str | None:
    """As in "Was ist das für ein Tier?"."""
    kinds = [chunk for chunk in question.located if chunk.preposition == "fuer" and chunk.noun]
    nouns = question.nouns
    if question.verb != "sein" or not kinds or not nouns or question.asked.fixed:
        return None
    noun = kinds[0].noun
    if noun is None or nouns[0].english not in {"this", "it"}:
        return None
    what = kinds[0].bare if noun.english in ATTRIBUTES | BARE else f"kind of {kinds[0].bare}"
    rest = " ".join(chunk.english for chunk in question.located if chunk is not kinds[0])
    return f"what {what} {'are these' if kinds[0].plural else 'is this'} {rest}?"


def _writing(question: _Question) -> str | None:
    """As in "Was steht auf dem Schild?"."""
    if question.verb != "stehen" or not question.located or question.nouns:
        return None
    noun = question.located[0].noun
    on_text = noun is not None and noun.english in _WRITTEN_ON
    written = question.participle == "written" or on_text
    return f"what is written {question.places}?" if written else None


def _doing(question: _Question) -> str | None:
    """As in "Was macht der Mann?", "Was siehst du auf dem Tisch?"."""
    doer, what = question.doer, question.asked.english
    if not question.bare or doer is None or question.asked.fixed:
        return None
    if question.verb in {"machen", "tun"} and doer.english != "you":
        return f"{what} {_is(doer)} {doer.english} doing {question.places}?"
    if question.verb in SEEING_VERBS and doer.english == "you" and question.places:
        return f"{what} is {question.places}?"
    return None


def _holding(question: _Question) -> str | None:
    """As in "Was hat er in der Hand?", "Was hat er auf dem Kopf?"."""
    doer, located = question.doer, question.located
    if not question.bare or doer is None or not located or question.asked.fixed:
        return None
    part = located[0]
    if question.verb not in {"haben", "halten"} or part.noun is None:
        return None
    if part.noun.english == "hand" and part.preposition == "in":
        return f"what {_is(doer)} {doer.english} holding?"
    if question.verb == "haben" and part.noun.kind == "body" and part.definite:
        return f"what is {part.english.split(' the ')[0]} {_possessive(doer)} {part.bare}?"
    return None


def _possessive(owner: Chunk) -> str:
    known = {"he": "his", "she": "her", "it": "its", "they": "their"}
    return known.get(owner.english, f"{owner.english}'s")


def _going(question: _Question) -> str | None:
    """As in "Wohin fährt der Zug?"."""
    doer = question.doer
    if question.asked.german != "wohin" or doer is None or not question.bare:
        return None
    going = question.verb in {"fahren", "gehen", "laufen"}
    return f"where {_is(doer)} {doer.english} going?" if going else None


def _how(question: _Question) -> str | None:
    """As in "Wie ist das Wetter?", "Wie heißt das Tier?", "Wie sieht er aus?"."""
    thing = question.nouns[0] if len(question.nouns) == 1 else None
    if question.asked.english != "how" or thing is None:
        return None
    noun = thing.noun
    if question.verb == "sein" and question.bare and noun and noun.english == "weather":
        return f"how is the weather {question.places}?"
    if question.verb == "heissen" and question.bare and thing.definite:
        return _called(thing)
    if question.verb == "sehen" and [each.english for each in question.of("prefix")] == ["aus"]:
        return f"what {'do' if thing.plural else 'does'} {thing.english} look like?"
    return None


def _called(thing: Chunk) -> str:
    if thing.noun is None and thing.english not in {"this", "it"}:
        return "what is his name?"
    if thing.noun is not None and thing.noun.kind == "person":
        return f"what is {thing.english}'s name?"
    return f"what {_is(thing)} {thing.english} called?"


_RULES = {
    "which": (_attribute, _possession, _kind),
    "count": (_count,),
    "what": (_with_preposition, _what_kind, _writing, _doing, _holding),
    "adverb": (_going, _how),
    "how": (),
    "who": (),
}
