"""How people call COCO's classes of objects: other names, articles and plurals."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from data.caption_qa import lexicon


@dataclass(frozen=True)
class Called:
    """A way to say a class.

    Attributes:
        name: "dog", "skis".
        one: With its article: "a dog", "a pair of skis".
        many: "dogs".
    """

    name: str
    one: str
    many: str


# Class -> what people say for it and for nothing else, where that is not the class's own name.
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
# Class -> a name that takes in more than the class does.
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
_KINDS = {
    "animal": "bird cat dog horse sheep cow elephant bear zebra giraffe",
    "vehicle": "bicycle car motorcycle airplane bus train truck boat",
}
# "How many" and "is the … left of" need a countable name.
UNCOUNTED = frozenset({"skis", "scissors", "broccoli"})


@cache
def called(name: str) -> Called:
    """The forms of one name."""
    one, many = _FORMS.get(name) or (lexicon.article(name), lexicon.plural(name))
    return Called(name, one, many)


@cache
def names(kind: str) -> tuple[Called, ...]:
    """What people say for a class and for nothing else, the most usual name first."""
    return tuple(called(name) for name in _NAMES.get(kind, (kind,)))


@cache
def wider(kind: str) -> Called | None:
    """A usual name that takes in a little more than the class: "ball", "table"."""
    name = _WIDER.get(kind)
    return called(name) if name and name not in _OVERLOOKED else None


@cache
def in_view(kind: str) -> tuple[str, ...]:
    """What people say for an object that is in the picture, the shortest usual name first."""
    usual = tuple(name.name for name in names(kind))
    return (_WIDER[kind], *usual) if kind in _WIDER else usual


def answer(kind: str) -> str:
    """The class as a short answer: "ball", "tv"."""
    return in_view(kind)[0].lower()


@cache
def kinds() -> dict[str, frozenset[str]]:
    """Words for several classes ("animal", "vehicle") with the classes."""
    return {kind: frozenset(members.split()) for kind, members in _KINDS.items()}
