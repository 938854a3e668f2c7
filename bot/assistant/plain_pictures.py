"""What is said of pictures that show nothing, by measuring: the model would see things there."""

from __future__ import annotations

import re
from concurrent.futures import Future
from dataclasses import dataclass

from cachetools import LRUCache

from bot.assistant.text import plain
from bot.assistant.translation.answers import in_german
from bot.assistant.types import ModelAnswer, PictureEngine
from data.images.open import Picture
from data.images.plain import COLOURS, Pattern, PlainPicture, plain_picture
from model.questions import is_polar
from model.requests import NO_CONTEXT, Capabilities, ChatContext, DetectedObject

UNKNOWN = "unknown"  # as the model says that it cannot tell
CONFIDENCE = 0.99
RECENT = 500  # pictures whose measurement is remembered
_IT = (
    r"(?:(?:this|that|the)(?: (?:whole|entire))? (?:picture|photo|image|pic|scene|screen"
    r"|background)|this|that|it)"
)
_COLOUR = re.compile(
    rf"(?:what|which) (?:is the )?(?:main |dominant |most common )?colou?rs?(?: (?:is|are) (?:{_IT}"
    rf"|there|here|visible|used|shown)| of {_IT}| does {_IT} have| can you see| do you see)?"
    rf"(?: (?:in|on) {_IT})?|(?:name |the )*colou?rs?(?: of {_IT})?"
)
_IS_COLOUR = re.compile(rf"is {_IT} (?:all |completely |entirely |just |only )?(?P<colour>[a-z ]+)")
_IS_THERE = re.compile(
    rf"(?:(?:is|are) there|(?:can|do) you see|does {_IT} (?:show|contain|have)) (?:an?|any|some) .+"
)
_HOW_MANY = re.compile(r"(?:how many|count) (?!colou?rs).+")
_SHADES = ("light ", "dark ")
_CAPTIONS = {  # the second for who asks again
    Pattern.ONE: ("a plain {0} picture", "nothing but {0}"),
    Pattern.DARK: ("an almost black picture, too dark to make anything out",) * 2,
    Pattern.SIDES: ("a picture whose left half is {0} and whose right half is {1}",
                    "two halves: {0} on the left, {1} on the right"),
    Pattern.HALVES: ("a picture whose upper half is {0} and whose lower half is {1}",
                     "two halves: {0} above, {1} below"),
    Pattern.CHANGE: ("a smooth change from {0} to {1}", "nothing but {0} that turns into {1}"),
    Pattern.NOISE: ("nothing but noise", "random dots, and nothing else"),
}  # fmt: skip
_GERMAN = {
    Pattern.ONE: ("ein einfarbiges Bild in {0}", "nichts als {0}"),
    Pattern.DARK: ("ein fast schwarzes Bild, zu dunkel, um etwas zu erkennen",) * 2,
    Pattern.SIDES: ("ein Bild in zwei Hälften, links {0} und rechts {1}",
                    "zwei Hälften: links {0}, rechts {1}"),
    Pattern.HALVES: ("ein Bild in zwei Hälften, oben {0} und unten {1}",
                     "zwei Hälften: oben {0}, unten {1}"),
    Pattern.CHANGE: ("ein Farbverlauf von {0} nach {1}", "nur {0}, das in {1} übergeht"),
    Pattern.NOISE: ("nichts als Bildrauschen", "zufällige Punkte und sonst nichts"),
}  # fmt: skip
_EXTREMES = {  # captions of one colour that people know by a cause
    "black": ("a completely black picture, as if the lens were covered", "nothing but black"),
    "white": ("a completely white picture", "nothing but white"),
}
_GERMAN_EXTREMES = {
    "black": ("ein ganz schwarzes Bild, als wäre die Linse verdeckt", "nichts als Schwarz"),
    "white": ("ein ganz weißes Bild", "nichts als Weiß"),
}


@dataclass(frozen=True)
class MeasuredAnswer:
    """What was measured, as `bot.assistant.types.ModelAnswer` has it."""

    text: str
    confidence: float = CONFIDENCE
    seconds: float = 0.0
    encoding: float = 0.0
    decoding: float = 0.0
    objects: tuple[DetectedObject, ...] = ()
    profile: str = ""
    instead: bool = False
    usage: None = None
    language: str = "en"


class MeasuringEngine:
    """An engine that is not asked about pictures that show nothing.

    Args:
        engine: Answers all other questions.
    """

    def __init__(self, engine: PictureEngine) -> None:
        self._engine = engine
        self._found: LRUCache[str, PlainPicture | None] = LRUCache(RECENT)  # by SHA-256

    @property
    def waiting(self) -> int:
        """How many questions are queued."""
        return self._engine.waiting

    def capabilities(self, profile: str = "") -> Capabilities:
        """What the model can do that answers all other questions."""
        return self._engine.capabilities(profile)

    def submit(
        self,
        picture: Picture,
        question: str | None,
        rank: int = 0,
        context: ChatContext = NO_CONTEXT,
    ) -> Future[ModelAnswer]:
        """Measure, or else queue a question, as `PictureEngine` does."""
        if picture.digest not in self._found:
            self._found[picture.digest] = plain_picture(picture.image)
        found = self._found[picture.digest]
        if found is None:
            return self._engine.submit(picture, question, rank, context)
        answer: Future[ModelAnswer] = Future()
        answer.set_result(_measured(found, question, rank))
        return answer


def _measured(found: PlainPicture, question: str | None, rank: int) -> MeasuredAnswer:
    return MeasuredAnswer(_caption(found, rank) if question is None else _answer(found, question))


def _caption(found: PlainPicture, rank: int) -> str:
    texts = _CAPTIONS[found.pattern]
    if found.pattern is Pattern.ONE:
        texts = _EXTREMES.get(found.colours[0], texts)
    return texts[rank % 2].format(*found.colours)


def _answer(found: PlainPicture, question: str) -> str:
    """The answer to what can be measured; of all else a picture without content tells nothing."""
    said = plain(question)
    if found.colours and _COLOUR.fullmatch(said):
        return " and ".join(found.colours)
    if found.colours and (asked := _IS_COLOUR.fullmatch(said)):
        return _is_coloured(found.colours, asked["colour"])
    if _IS_THERE.fullmatch(said) and is_polar(question):
        return "no"
    return "0" if _HOW_MANY.fullmatch(said) else UNKNOWN


def _is_coloured(colours: tuple[str, ...], asked: str) -> str:
    name = asked.replace("grey", "gray")
    if _without_shade(name) not in COLOURS:
        return UNKNOWN
    known = {known for each in colours for known in (each, _without_shade(each))}
    return "yes" if len(colours) == 1 and name in known else "no"


def _without_shade(colour: str) -> str:
    for shade in _SHADES:
        colour = colour.removeprefix(shade)
    return colour


# --- in German ------------------------------------------------------------------------------------


def plain_in_german(caption: str) -> str | None:
    """German for a caption of this module's; None for any other."""
    german = _in_german(caption)
    return german and german[0].upper() + german[1:]


def _in_german(caption: str) -> str | None:
    for colour, texts in _EXTREMES.items():
        if caption in texts:
            return _GERMAN_EXTREMES[colour][texts.index(caption)]
    for pattern, texts in _CAPTIONS.items():
        for place, text in enumerate(texts):
            found = re.fullmatch(re.sub(r"\{\d\}", r"([a-z ]+)", text), caption)
            if found is None:
                continue
            names = [_colour_in_german(name) for name in found.groups()]
            small = pattern in {Pattern.SIDES, Pattern.HALVES}
            return _GERMAN[pattern][place].format(
                *(name if small else name.capitalize() for name in names)
            )
    return None


def _colour_in_german(name: str) -> str:
    base = _without_shade(name)
    shade = {"light": "hell", "dark": "dunkel"}.get(name.removesuffix(base).strip(), "")
    german = "oliv" if base == "olive" else in_german(base, "What color is it?")
    return shade + (german or base)
