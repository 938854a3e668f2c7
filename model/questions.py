"""What a question asks for, as far as decoding cares: yes or no, an object, how many.

The classes of objects are COCO's; how people call them is after the synonyms of CHAIR (Rohrbach et
al. 2018, arXiv 1809.02156). `finetune.evaluation.hallucination` has a larger table for what
captions mention, where a "pitcher" may be a person.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# --- questions for yes or no ------------------------------------------------------------------

_BE = r"(?:is|are|was|were)(?:n['\u2019]?t)?"
_VERB = rf"(?:{_BE}|(?:am|do|does|did|can|could|has|have|had|will|would|should)(?:n['\u2019]?t)?)"
_IMAGE = r"(?:picture|photo|image|pic|photograph|scene)s?"
# Its subject is something definite.
_DEFINITE = re.compile(
    rf"{_VERB} (?:the|this|that|these|those|his|her|their|its|my|your|he|she|they|it|all|both"
    r"|every(?:one|body|thing))\b",
    re.IGNORECASE,
)
# But it asks what that is, or what the picture shows.
_OPEN_TO_IT = re.compile(
    rf"{_BE} (?:this|that|these|those|it|they|he|she)(?: one)?(?: really)? (?:an?|any|some)\b"
    rf"|{_BE} (?:these|those|they) [a-z]+(?<!u)s\W*$"
    rf"|{_BE} (?:the|this|that|his|her) [a-z]+ an?\b"
    rf"|{_VERB} (?:this|that|it|the [a-z]+) (?:look like|be) "
    rf"|{_VERB} (?:the|this|that|these|those) {_IMAGE} (?:show|contain|include|have|depict)"
    r"|.*\b(?:in|on) (?:the|this) (?:picture|photo|image)\b",
    re.IGNORECASE,
)
_POLAR = re.compile(rf"{_VERB}\b", re.IGNORECASE)
_CHOICE = re.compile(r"\bor\b", re.IGNORECASE)
POLAR_ANSWERS = ("yes", "no")


def is_polar(question: str) -> bool:
    """Whether a question wants yes or no."""
    text = question.strip()
    return bool(_POLAR.match(text) and not _CHOICE.search(text))


def has_presupposition(question: str) -> bool:
    """Whether a question for yes or no takes for granted what it is about.

    "Is the dog wet?" does: of such questions that people ask, most are true, and a small model
    tells little from the picture. "Is there a dog?", "Is this a dog?" and "Is a dog in it?" do not,
    nor does "Is it wet or dry?", which is no question for yes or no.
    """
    text = question.strip()
    definite = is_polar(text) and _DEFINITE.match(text)
    return bool(definite and not _OPEN_TO_IT.match(text))


# --- questions for objects --------------------------------------------------------------------

_NAME = r"(?P<name>[a-z].*?)"
_THIS_IMAGE = r"(?:the|this|that|my) (?:image|picture|photo|photograph|pic|scene|shot)"
_HERE = rf"(?: (?:here|there|visible|present|shown|seen|at all|in it|in {_THIS_IMAGE}))*"
_ANY = r"(?:an? |any |some |one )"
_SEEN = rf"(?:here|visible|present|shown|in {_THIS_IMAGE})"
_AFTER = re.compile(  # what says more of a name, rather than being a part of it ("car park")
    r"(?:on|in|at|with|near|by|next|beside|behind|under|below|above|between|inside|outside|from|of"
    r"|to|that|who|which|are|is|can|do|does|have|has|and|wear|sit|stand|\w+ing|\w+ed)\b"
)
_PRESENCE = [
    re.compile(pattern + _HERE)
    for pattern in (
        rf"(?:is|are|was|were) there {_ANY}?{_NAME}",
        rf"does {_ANY}?{_NAME} (?:exist|appear|occur)",
        rf"(?:do|can|could) (?:you|we|i) (?:see|spot|find|detect) {_ANY}?{_NAME}",
        rf"(?:is|are) {_ANY}?{_NAME} {_SEEN}",
        rf"do(?:es)? {_THIS_IMAGE} (?:contain|show|include|have|depict) {_ANY}?{_NAME}",
        rf"any {_NAME}",
    )
]
_COUNT = re.compile(
    rf"(?:how many|what(?: is|'s) the number of|count the) {_NAME}"
    rf"(?: (?:are|is|can|do)(?: (?:there|you see|you count|be seen|we see|i see))?)?{_HERE}"
)


@dataclass(frozen=True)
class ObjectQuestion:
    """A question that asks for objects outright.

    Attributes:
        class_index: Number of their class.
        is_count: Whether it asks how many there are, not whether there is one.
        exact: Whether it asks for the class and nothing more.
    """

    class_index: int
    is_count: bool
    exact: bool


def parse_object_question(question: str, names: tuple[str, ...]) -> ObjectQuestion | None:
    """What a question asks for, if that is one of the classes with these names."""
    text = re.sub(r"\s+", " ", question).strip().rstrip("?!. ").lower()
    if " or " in text:
        return None
    for pattern in (_COUNT, *_PRESENCE):
        match = pattern.fullmatch(text)
        if match is None:
            continue
        words = match["name"].split()
        for length in range(min(3, len(words)), 0, -1):  # the longest name first
            name, rest = " ".join(words[:length]), " ".join(words[length:])
            if (found := _class_index(name, names)) and (not rest or _AFTER.match(rest)):
                index, exact = found
                return ObjectQuestion(index, pattern is _COUNT, exact and not rest)
    return None


def _class_index(name: str, names: tuple[str, ...]) -> tuple[int, bool] | None:
    """The number of a class, and whether the name means all of it."""
    if (found := class_of(name)) and found[0] in names:
        return names.index(found[0]), found[1]
    for form in (name, singular(name)):
        if form in names:
            return names.index(form), True
    return None


# --- names of objects -------------------------------------------------------------------------

# Class -> other words for it. Plurals are made; irregular ones are listed.
_SYNONYMS = {
    "person": "persons anyone anybody someone somebody human",
    "bicycle": "bike bicyclist",
    "motorcycle": "motorbike motor|bike motor|cycle",
    "airplane": "plane jet aeroplane aircraft airliner",
    "bus": "double-decker",
    "boat": "ship sailboat canoe kayak rowboat",
    "traffic light": "traffic|signal stop|light stoplight",
    "fire hydrant": "hydrant",
    "couch": "sofa loveseat",
    "potted plant": "houseplant house|plant",
    "dining table": "table",
    "tv": "television tv|screen",
    "mouse": "computer|mouse",
    "remote": "remote|control remote|controller",
    "cell phone": "phone cellphone smartphone mobile|phone telephone",
    "refrigerator": "fridge",
    "donut": "doughnut",
    "hair drier": "hair|dryer hairdryer",
    "sports ball": "ball soccer|ball tennis|ball baseball basketball football",
    "handbag": "purse",
    "suitcase": "luggage",
    "wine glass": "wineglass",
    "cup": "mug",
    "cow": "cattle",
    "sheep": "lamb",
    "skis": "ski",
    "teddy bear": "stuffed|bear teddy",
    "laptop": "laptop|computer",
    "oven": "stove",
    "train": "locomotive",
    "truck": "pickup",
}
# Class -> words for some of it only: who sees none of the class sees none of these.
_HYPONYMS = {
    "person": "man men woman women boy girl child children kid baby lady guy player rider skier "
    "surfer skateboarder snowboarder toddler gentleman adult pedestrian crowd chef "
    "policeman cop men's student couple family",
    "dog": "puppy",
    "cat": "kitten kitty",
    "horse": "pony foal",
    "bird": "duck goose geese seagull pigeon parrot owl swan chicken penguin",
    "cow": "bull calf calves",
    "car": "taxi cab suv sedan",
    "truck": "van",
    "boat": "ferry",
    "chair": "armchair stool",
    "dining table": "desk",
}
CLASSES = (
    "person bicycle car motorcycle airplane bus train truck boat traffic|light fire|hydrant "
    "stop|sign parking|meter bench bird cat dog horse sheep cow elephant bear zebra giraffe "
    "backpack umbrella handbag tie suitcase frisbee skis snowboard sports|ball kite baseball|bat "
    "baseball|glove skateboard surfboard tennis|racket bottle wine|glass cup fork knife spoon bowl "
    "banana apple sandwich orange broccoli carrot hot|dog pizza donut cake chair couch "
    "potted|plant bed dining|table toilet tv laptop mouse remote keyboard cell|phone microwave "
    "oven toaster sink refrigerator book clock vase scissors teddy|bear hair|drier toothbrush"
)
_PLURALS = {"person": "people", "knife": "knives", "mouse": "mice", "bus": "buses"}


def _words(names: str) -> list[str]:
    return [name.replace("|", " ") for name in names.split()]


def _forms(name: str) -> tuple[str, str]:
    """A name and its plural."""
    if name in _PLURALS:
        return name, _PLURALS[name]
    if name.endswith(("s", "sh", "ch", "x")):
        return name, name + "es"
    if name.endswith("y") and name[-2] not in "aeiou":
        return name, name[:-1] + "ies"
    return name, name + "s"


def _classes_by_name(other_words: dict[str, str], exact: bool) -> dict[str, tuple[str, bool]]:
    found: dict[str, tuple[str, bool]] = {}
    for name in _words(CLASSES):
        for word in [*([name] if exact else []), *_words(other_words.get(name, ""))]:
            for form in _forms(word):
                found.setdefault(form, (name, exact))
    return found


_CLASS_OF = _classes_by_name(_HYPONYMS, exact=False) | _classes_by_name(_SYNONYMS, exact=True)


def class_of(name: str) -> tuple[str, bool] | None:
    """The class that a name means, and whether it means all of it ("man" does not).

    Returns:
        None for what is no class's name.
    """
    return _CLASS_OF.get(name.lower().strip())


def singular(name: str) -> str:
    """A plural's singular, near enough to look it up: "trees" → "tree", "dishes" → "dish"."""
    if name.endswith("ies"):
        return name[:-3] + "y"
    if name.endswith(("shes", "ches", "xes", "sses")):
        return name[:-2]
    return name[:-1] if name.endswith("s") and not name.endswith("ss") else name
