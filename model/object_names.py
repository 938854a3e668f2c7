"""How people call COCO's classes of objects when they ask for them.

Synonyms after those of CHAIR (Rohrbach et al. 2018, arXiv 1809.02156). `finetune.evaluation.hallucination` has
a larger table for what captions mention, where a "pitcher" may be a person.
"""

from __future__ import annotations

# Class -> other words for it. Plurals are made; irregular ones are listed.
_EXACT = {
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
_NARROW = {
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


def _table(more: dict[str, str], own: bool) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in _words(CLASSES):
        for word in [*([name] if own else []), *_words(more.get(name, ""))]:
            for form in _forms(word):
                found.setdefault(form, name)
    return found


_EXACT_OF, _NARROW_OF = _table(_EXACT, own=True), _table(_NARROW, own=False)


def class_of(name: str) -> tuple[str, bool] | None:
    """The class that a name means, and whether it means all of it ("man" does not).

    Returns:
        None for what is no class's name.
    """
    word = name.lower().strip()
    if word in _EXACT_OF:
        return _EXACT_OF[word], True
    return (_NARROW_OF[word], False) if word in _NARROW_OF else None


def singular(name: str) -> str:
    """A plural's singular, near enough to look it up: "trees" → "tree", "dishes" → "dish"."""
    if name.endswith("ies"):
        return name[:-3] + "y"
    if name.endswith(("shes", "ches", "xes", "sses")):
        return name[:-2]
    return name[:-1] if name.endswith("s") and not name.endswith("ss") else name
