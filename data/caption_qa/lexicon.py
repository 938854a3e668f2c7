"""What captions are read with: the nouns and their plurals, activities, colours, places.

The longer word lists lie in `words/*.txt`, each with a line that says what it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

_WORDS = Path(__file__).with_name("words")


def word_set(text: str) -> frozenset[str]:
    """The words of a text, as a set."""
    return frozenset(text.split())


def _lines(name: str) -> list[str]:
    text = (_WORDS / f"{name}.txt").read_text(encoding="utf-8")
    return [line for line in text.splitlines() if not line.startswith("#")]


def _table(name: str) -> dict[str, tuple[str, ...]]:
    """A list of lines such as "key: one, another"."""
    pairs = (line.split(": ") for line in _lines(name))
    return {key: tuple(values.split(", ")) for key, values in pairs}


# --- nouns ---------------------------------------------------------------------------------------

IRREGULAR_PLURALS = {
    "man": "men", "woman": "women", "child": "children", "person": "people", "goose": "geese",
    "gentleman": "gentlemen", "businessman": "businessmen", "fisherman": "fishermen",
    "policeman": "policemen", "fireman": "firemen", "businesswoman": "businesswomen",
    "sheep": "sheep", "fish": "fish", "deer": "deer", "cattle": "cattle", "calf": "calves",
    "leaf": "leaves", "scarf": "scarves", "knife": "knives", "wife": "wives", "skier": "skiers",
    "glass of water": "glasses of water", "aircraft": "aircraft", "luggage": "luggage",
    "human": "humans", "pair": "pairs", "crane bird": "crane birds",
}  # fmt: skip
# Things that have no countable singular: "is there snow", "is there any mud".
UNCOUNTED = word_set("snow ice water sand grass mud food beer hair luggage")
ALWAYS_PLURAL = word_set(
    "stairs steps sunglasses glasses eyeglasses goggles headphones pants trousers jeans shorts "
    "trunks woods"
) | {"blue jeans", "swim trunks", "swimming trunks"}
# Names whose form does not tell one from many ("sheep", "sunglasses", "snow").
SAME_IN_PLURAL = (
    {one for one, many in IRREGULAR_PLURALS.items() if one == many} | ALWAYS_PLURAL | UNCOUNTED
)


@dataclass(frozen=True)
class Noun:
    """One kind of thing: its name, every (singular) way to say it, wider kinds, trait letters."""

    name: str
    names: tuple[str, ...]
    wider: tuple[str, ...]
    traits: frozenset[str]


def plural(singular: str) -> str:
    """English plural of a singular name of the vocabulary ("big dog" style names too)."""
    if singular in IRREGULAR_PLURALS:
        return IRREGULAR_PLURALS[singular]
    head, space, last = singular.rpartition(" ")
    if last in ALWAYS_PLURAL or last in UNCOUNTED:
        return singular
    if last in IRREGULAR_PLURALS:
        return head + space + IRREGULAR_PLURALS[last]
    if last.endswith("y") and last[-2:-1] not in "aeiou":
        return singular[:-1] + "ies"
    if last.endswith(("s", "x", "ch", "sh")):
        return singular + "es"
    return singular + "s"


def article(name: str) -> str:
    """The name with "a", "an" or "any", as a question would put it."""
    last = name.rsplit(" ", 1)[-1]
    if name in UNCOUNTED or name in ALWAYS_PLURAL or last in ALWAYS_PLURAL:
        return f"any {name}"
    vowel = name[0] in "aeiou" and not name.startswith(("uni", "one", "eu"))
    return f"{'an' if vowel or name.startswith('suv') else 'a'} {name}"


@cache
def vocabulary() -> dict[str, Noun]:
    """Name → noun, for every line of the word list."""
    nouns = {}
    for line in _lines("nouns"):
        rest, _, traits = line.partition("!")
        rest, _, wider = rest.partition(">")
        name, _, others = (part.strip() for part in rest.partition(":"))
        nouns[name] = Noun(
            name, (name, *_listed(others)), _listed(wider), frozenset(traits.split())
        )
    return nouns


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


@cache
def surface_forms() -> dict[tuple[str, ...], tuple[str, bool, str]]:
    """Tokens of a way to say a noun → (noun name, whether plural, the singular as said)."""
    found: dict[tuple[str, ...], tuple[str, bool, str]] = {}
    for noun in vocabulary().values():
        for name in noun.names:
            many = plural(name)
            found.setdefault(tuple(many.split()), (noun.name, many not in SAME_IN_PLURAL, name))
            if many != name:
                found[tuple(name.split())] = (noun.name, "g" in noun.traits, name)
    return found


def has_trait(name: str, trait: str) -> bool:
    """Whether a noun bears a trait letter of the word list."""
    return trait in vocabulary()[name].traits


def with_wider(name: str) -> tuple[str, ...]:
    """The noun and all its wider kinds."""
    return (name, *vocabulary()[name].wider)


@cache
def idioms() -> frozenset[tuple[str, ...]]:
    """Tokens of fixed phrases whose nouns are not what they seem."""
    return frozenset(tuple(line.split()) for line in _lines("idioms"))


@cache
def look_alikes() -> dict[str, frozenset[str]]:
    """Noun → the nouns that, once named, forbid saying that it is absent (itself included)."""
    alike = {name: {name} for name in vocabulary()}
    for first, others in _table("look_alikes").items():
        for other in others:
            alike.setdefault(first, {first}).add(other)
            alike.setdefault(other, {other}).add(first)
    return {name: frozenset(alike[name]) for name in vocabulary()}


@cache
def implied_by() -> dict[str, tuple[str, ...]]:
    """Word of a caption → the things that it makes likely to be there, named or not."""
    return {head: things for heads, things in _table("implied").items() for head in heads.split()}


# --- what stands around a noun -------------------------------------------------------------------

# Word → the colour that an answer says; "" for patterns and colours that nobody would name.
COLOURS = {
    "red": "red", "maroon": "", "orange": "orange", "yellow": "yellow", "green": "green",
    "blue": "blue", "purple": "purple", "pink": "pink", "brown": "brown", "black": "black",
    "white": "white", "gray": "gray", "grey": "gray", "tan": "tan", "beige": "tan",
    "blond": "blonde", "blonde": "blonde", "gold": "", "golden": "", "silver": "silver",
    "turquoise": "", "teal": "", "navy": "blue", "lime": "green", "cream": "", "striped": "",
    "multicolored": "", "multi-colored": "", "colorful": "", "colored": "", "plaid": "",
    "spotted": "", "checkered": "", "camouflage": "", "floral": "", "tricolor": "",
    "brightly": "", "tie-dyed": "", "flowered": "", "printed": "", "multicolor": "",
    "tri-colored": "", "polka": "", "dotted": "", "rainbow": "", "brindle": "", "patterned": "",
    "lavender": "", "violet": "", "burgundy": "", "neon": "", "fluorescent": "", "dyed": "",
}  # fmt: skip
# Colours that people mix up: neither may stand as a "no" for the other.
NEAR_COLOURS = tuple(
    word_set(group)
    for group in (
        "brown tan orange blonde red", "black gray brown", "gray silver white", "pink red purple",
        "yellow blonde tan white", "blue purple", "blue green", "red orange", "yellow orange green",
        "blue black gray", "tan white",
    )
)  # fmt: skip
ADJECTIVES = word_set(
    """small little big large huge giant tiny young old older elderly adult tall short long fat
    thin skinny furry fluffy shaggy hairy wet dry muddy dirty clean happy cute pretty
    beautiful smiling laughing shirtless barefoot bald bearded asian african american
    african-american indian caucasian light dark bright pale medium sized medium-sized
    long-haired short-haired haired blond-haired blonde-haired brown-haired dark-haired
    red-haired dark-skinned teenage male female leather denim plastic wooden metal rubber
    stuffed soft hard empty full open heavy winter summer long-sleeved short-sleeved
    sleeveless hooded knit straw cowboy baseball sports sport soccer football hockey tennis
    basketball lone single solo running leaping jumping sleeping standing baby mixed breed pet
    stray wild curly inflatable toy snowy grassy sandy rocky paved busy crowded new nice
    pretty fancy formal matching plain solid identical similar different very"""
)
NUMBERS = {
    "a": 1, "an": 1, "one": 1, "single": 1, "lone": 1, "two": 2, "three": 3, "four": 4,
    "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10, "2": 2, "3": 3, "4": 4,
    "5": 5, "both": 2, "another": 1, "the": 0, "his": 0, "her": 0, "its": 0, "their": 0, "this": 0,
}  # fmt: skip
VAGUE_NUMBERS = word_set(
    "several many some few group crowd bunch lots various multiple numerous all"
)
UNREAL = word_set("toy stuffed fake painted no without cartoon inflatable imaginary plastic unseen")
HUMAN_HINTS = word_set(
    """someone somebody he she him himself herself owner hand hands people's man's woman's boy's
    girl's person's child's wearing wears driver rider team crowd audience everyone men's
    women's silhouette figure figures they who face arms finger fingers lap"""
)

# --- activities ----------------------------------------------------------------------------------


@cache
def activities() -> tuple[dict[str, str], frozenset[str]]:
    """Form of a verb → short name of the activity, and the names of those that are specific."""
    names = [line.split(": ") for line in _lines("activities")]
    forms = {form: name.rstrip("*") for name, verbs in names for form in verbs.split()}
    return forms, frozenset(name for name, _ in names if not name.endswith("*"))


BASE_FORMS = {
    "run": "running", "jump": "jumping", "leap": "jumping", "walk": "walking", "sit": "sitting",
    "stand": "standing", "play": "playing", "swim": "swimming", "dance": "dancing",
    "climb": "climbing", "eat": "eating", "ride": "riding", "wrestle": "wrestling",
    "fight": "fighting", "race": "running", "pose": "posing", "smile": "smiling", "talk": "talking",
    "kiss": "kissing", "hike": "hiking",
}  # fmt: skip
# What a person's name in a caption says about what they do.
ACTIVITY_OF = {
    "surfer": "surfing", "skateboarder": "skateboarding", "snowboarder": "snowboarding",
    "skier": "skiing", "climber": "climbing", "hiker": "hiking", "runner": "running",
    "dancer": "dancing", "skater": "skating",
}  # fmt: skip
PLAYED_SPORTS = word_set(
    "soccer football basketball tennis baseball hockey volleyball rugby cricket lacrosse golf "
    "softball badminton polo"
)
OTHER_SPORTS = {
    "surfing": "surfing", "skateboarding": "skateboarding", "snowboarding": "snowboarding",
    "skiing": "skiing", "surfer": "surfing", "skateboarder": "skateboarding",
    "snowboarder": "snowboarding", "skier": "skiing", "wrestling": "wrestling",
    "wrestlers": "wrestling", "boxing": "boxing", "skateboarders": "skateboarding",
    "surfers": "surfing", "skiers": "skiing", "motocross": "motocross",
}  # fmt: skip
# Verbs whose object is asked for: "What is the {who} holding?"
TRANSITIVE = {
    forms.split()[0]: forms.split()
    for forms in (
        "holding holds", "carrying carries", "riding rides", "throwing throws", "kicking kicks",
        "catching catches", "chasing chases", "playing plays", "eating eats", "drinking drinks",
        "pushing pushes", "pulling pulls", "climbing climbs", "reading reads",
        "fetching fetches retrieving",
    )
}  # fmt: skip
# The things that some activities can be done to, where a word list is short.
OBJECTS_OF = {
    "eating": word_set("food cake apple banana sandwich pizza grass bone fish") | {"ice cream"},
    "drinking": word_set("beer water drink"),
    "reading": word_set("book newspaper paper sign"),
    "climbing": word_set("rock cliff wall tree mountain hill stairs ladder fence rope log"),
    "playing": word_set("guitar drum violin piano trumpet frisbee"),
}
# Verb forms and prepositions → the question about what follows.
PREPOSITIONAL = {
    ("sitting sits seated", "on in"): "What is the {who} sitting on?",
    ("standing stands", "on"): "What is the {who} standing on?",
    ("lying lies laying lays sleeping sleeps", "on"): "What is the {who} lying on?",
    ("jumping jumps leaping leaps", "over"): "What is the {who} jumping over?",
    ("jumping jumps leaping leaps diving", "into"): "What is the {who} jumping into?",
    ("running runs walking walks", "through"): "What is the {who} {verb} through?",
    ("walking walks running runs", "on along down"): "What is the {who} {verb} on?",
    ("playing plays", "with"): "What is the {who} playing with?",
    ("jumping jumps leaping leaps", "on"): "What is the {who} jumping on?",
    ("leaning leans", "against on"): "What is the {who} leaning against?",
    ("swimming swims", "in"): "What is the {who} swimming in?",
}


@cache
def exclusive(what: str) -> dict[str, tuple[str, ...]]:
    """What rules what out, of "activities", "places" or "clothes"."""
    return _table(f"exclusive_{what}")


# --- places --------------------------------------------------------------------------------------

INDOORS = word_set(
    """indoors indoor room kitchen bedroom bathroom bathtub couch sofa restaurant gym carpet rug
    classroom hallway office living carpeted bed stove fireplace museum library bowling subway
    television cafeteria supermarket"""
)
OUTDOORS = word_set(
    """outdoors outdoor outside grass grassy beach snow snowy street road mountain mountains hill
    hillside ocean sea lake river woods forest field trail path desert park yard backyard lawn
    sand sandy cliff sidewalk sky waves wave surfing surfer snowboarder skier dirt trees tree
    playground meadow shore mountainside pond creek stream parade stadium"""
)
NIGHT = word_set("night nighttime night-time")
SUN = word_set("sunny sunlight sunshine")
