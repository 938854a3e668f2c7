"""How people call COCO's classes of objects (other names, articles, plurals) and ask about them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from data.caption_qa.lexicon import article, plural, word_set


@dataclass(frozen=True)
class QuestionTemplate:
    """A question that may be asked of many pictures, in several wordings.

    Attributes:
        name: Tells it from all others.
        kind: The family of questions: "presence", "count", "place" or "size".
        wordings: Ways to ask it; a wording that is listed twice is asked twice as often.
        max_share: The largest part that one answer may have, 0..1; .5 makes yes and no even.
    """

    name: str
    kind: str
    wordings: tuple[str, ...]
    max_share: float = 0.5


# A question that could be asked: its template, its answer, and the number of the picture.
Candidate = tuple[QuestionTemplate, str, int]


@dataclass(frozen=True)
class NameForms:
    """A way to say a class.

    Attributes:
        name: "dog", "skis".
        one: With its article: "a dog", "a pair of skis".
        many: "dogs".
    """

    name: str
    one: str
    many: str


# Class → what people say for it and for nothing else, where that is not the class's own name.
_NAMES = {
    "motorcycle": ("motorcycle", "motorbike"),
    "airplane": ("plane", "airplane"),
    "sports ball": ("sports ball",),
    "couch": ("couch", "sofa"),
    "potted plant": ("potted plant", "houseplant"),
    "tv": ("TV", "television"),
    "mouse": ("computer mouse", "mouse"),
    "remote": ("remote", "remote control"),
    "cell phone": ("cell phone", "mobile phone"),
    "refrigerator": ("refrigerator", "fridge"),
    "donut": ("donut", "doughnut"),
    "hair drier": ("hair dryer",),
}
# Class → a name that takes in more than the class does.
_WIDER = {
    "bicycle": "bike",
    "sports ball": "ball",
    "potted plant": "plant",
    "dining table": "table",
    "cell phone": "phone",
    "baseball bat": "bat",
    "baseball glove": "glove",
}
_OVERLOOKED = frozenset({"plant", "glove"})  # may be there though the class is not
_FORMS = {
    "skis": ("a pair of skis", "skis"),
    "scissors": ("a pair of scissors", "scissors"),
    "broccoli": ("any broccoli", "broccoli"),
    "computer mouse": ("a computer mouse", "computer mice"),
    "mouse": ("a mouse", "mice"),
}
# Words for several classes.
SUPERCLASSES = {
    "animal": word_set("bird cat dog horse sheep cow elephant bear zebra giraffe"),
    "vehicle": word_set("bicycle car motorcycle airplane bus train truck boat"),
}
# "How many" and "is the … left of" need a countable name.
UNCOUNTED = frozenset({"skis", "scissors", "broccoli"})


@cache
def name_forms(name: str) -> NameForms:
    """The forms of one name."""
    one, many = _FORMS.get(name) or (article(name), plural(name))
    return NameForms(name, one, many)


@cache
def names_of(label: str) -> tuple[NameForms, ...]:
    """What people say for a class and for nothing else, the most usual name first."""
    return tuple(name_forms(name) for name in _NAMES.get(label, (label,)))


@cache
def wider_name(label: str) -> NameForms | None:
    """A usual name that takes in a little more than the class: "ball", "table"."""
    name = _WIDER.get(label)
    return name_forms(name) if name and name not in _OVERLOOKED else None


@cache
def names_in_picture(label: str) -> tuple[str, ...]:
    """What people say for an object that is in the picture, the shortest usual name first."""
    usual = tuple(forms.name for forms in names_of(label))
    return (_WIDER[label], *usual) if label in _WIDER else usual


def answer_name(label: str) -> str:
    """The class as a short answer: "ball", "tv"."""
    return names_in_picture(label)[0].lower()
