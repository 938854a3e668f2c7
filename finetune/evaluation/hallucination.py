"""Objects that a caption names but its picture does not hold, in the manner of CHAIR.

Rohrbach et al. 2018, arXiv 1809.02156: words for COCO's 80 classes are looked up in a table of
synonyms, and compared with what people say is in the picture. Unlike theirs, a class counts once
in a caption, and only people's annotations say what is there, not people's captions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cache

from finetune.evaluation.metrics import words

# Singular names of each class; plurals are made from them. Left out are words that COCO's
# annotators often take for something else, or for nothing: "glass", "bag", "plant", "board".
SYNONYMS = {
    "person": (
        "person, man, woman, boy, girl, child, kid, baby, toddler, infant, guy, lady, gentleman, "
        "adult, teenager, teen, human, someone, somebody, crowd, couple, family, team, friend, "
        "player, athlete, skier, snowboarder, surfer, skateboarder, skater, rider, cyclist, "
        "bicyclist, biker, motorcyclist, batter, hitter, catcher, pitcher, umpire, referee, "
        "goalie, jockey, cowboy, swimmer, runner, golfer, boarder, worker, officer, policeman, "
        "cop, fireman, firefighter, soldier, chef, waiter, waitress, farmer, fisherman, doctor, "
        "nurse, tourist, passenger, pedestrian, spectator, student, driver, pilot, vendor, "
        "customer, shopper, bride, groom, mother, father, mom, mum, dad, son, daughter, brother, "
        "sister, wife, husband, grandmother, grandfather, businessman, businesswoman, dude, "
        "kite surfer, kite flyer"
    ),
    "bicycle": "bicycle, bike, mountain bike, tricycle",
    "car": "car, automobile, sedan, taxi, cab, suv, minivan, jeep, limousine, convertible, van",
    "motorcycle": "motorcycle, motorbike, motor bike, motor cycle, dirt bike, moped, scooter",
    "airplane": (
        "airplane, plane, aeroplane, air plane, jet, airliner, aircraft, biplane, jetliner, "
        "passenger jet, passenger plane, seaplane"
    ),
    "bus": "bus, minibus, double decker, passenger bus",
    "train": (
        "train, locomotive, train car, train engine, passenger train, subway train, subway car, "
        "tram"
    ),
    "truck": "truck, pickup, lorry, firetruck, fire engine, pick up truck, tow truck",
    "boat": (
        "boat, ship, canoe, kayak, sailboat, ferry, yacht, raft, rowboat, motorboat, speedboat, "
        "gondola, barge, tugboat, dinghy"
    ),
    "traffic light": "traffic light, traffic signal, stoplight, stop light, traffic lamp",
    "fire hydrant": "fire hydrant, hydrant, fireplug",
    "stop sign": "stop sign",
    "parking meter": "parking meter, meter",
    "bench": "bench, park bench",
    "bird": (
        "bird, duck, goose, swan, seagull, gull, pigeon, parrot, owl, eagle, hawk, penguin, "
        "ostrich, peacock, pelican, heron, crow, flamingo, rooster, hen, sparrow, robin, "
        "hummingbird, parakeet, baby bird, duckling, stork, dove, vulture"
    ),
    "cat": "cat, kitten, kitty, baby cat, adult cat",
    "dog": "dog, puppy, pup, poodle, dachshund, bulldog, terrier, collie, labrador, pit bull",
    "horse": "horse, pony, foal, colt, mare, stallion, baby horse",
    "sheep": "sheep, lamb, ewe, baby sheep",
    "cow": "cow, cattle, calf, bull, ox, heifer, longhorn, steer, baby cow",
    "elephant": "elephant, baby elephant, adult elephant",
    "bear": "bear, polar bear, grizzly, bear cub, baby bear",
    "zebra": "zebra, baby zebra, adult zebra",
    "giraffe": "giraffe, baby giraffe, adult giraffe",
    "backpack": "backpack, back pack, rucksack, knapsack, book bag",
    "umbrella": "umbrella, parasol",
    "handbag": "handbag, purse, hand bag, shoulder bag, tote bag",
    "tie": "tie, necktie, neck tie, bow tie, bowtie",
    "suitcase": "suitcase, suit case, luggage, baggage, briefcase",
    "frisbee": "frisbee, frizbee, flying disc",
    "skis": "skis, ski, snow ski, water ski, pair of skis",
    "snowboard": "snowboard, snow board",
    "sports ball": (
        "sports ball, ball, soccer ball, tennis ball, basketball ball, beach ball, golf ball, "
        "football ball, volley ball, bowling ball"
    ),
    "kite": "kite",
    "baseball bat": "baseball bat, bat",
    "baseball glove": "baseball glove, mitt, catcher mitt, baseball mitt, catcher glove",
    "skateboard": "skateboard, skate board, longboard",
    "surfboard": "surfboard, surf board, boogie board, bodyboard, paddle board, paddleboard",
    "tennis racket": "tennis racket, tennis racquet, racket, racquet, raquet",
    "bottle": "bottle, wine bottle, beer bottle, water bottle",
    "wine glass": "wine glass, wineglass, champagne glass, glass of wine, goblet",
    "cup": "cup, mug, teacup, coffee cup, tea cup, coffee mug",
    "fork": "fork",
    "knife": "knife, butter knife",
    "spoon": "spoon, teaspoon, tablespoon, ladle",
    "bowl": "bowl",
    "banana": "banana, bunch of bananas",
    "apple": "apple",
    "sandwich": "sandwich, burger, hamburger, cheeseburger, panini, sub sandwich, hoagie",
    "orange": "tangerine, clementine, mandarin",  # for "orange" itself see _is_fruit
    "broccoli": "broccoli, brocolli, brocoli",
    "carrot": "carrot",
    "hot dog": "hot dog, hotdog, chili dog, corn dog",
    "pizza": "pizza, slice of pizza",
    "donut": "donut, doughnut, do nut",
    "cake": "cake, cupcake, cheesecake, cup cake, birthday cake, wedding cake",
    "chair": "chair, armchair, arm chair, recliner, rocking chair, lawn chair, stool, rocker",
    "couch": "couch, sofa, loveseat, love seat, futon",
    "potted plant": (
        "potted plant, houseplant, house plant, plant pot, flower pot, potted flower, potted tree, "
        "plant in a pot, flowerpot"
    ),
    "bed": "bed, bunk bed, bunkbed",
    "dining table": "dining table, table, kitchen table, dinner table, dining room table",
    "toilet": "toilet, toilet bowl, toilet seat, commode, urinal",
    "tv": (
        "tv, television, tv set, television set, televison, flat screen, flatscreen, monitor, "
        "computer monitor"
    ),
    "laptop": "laptop, laptop computer, lap top, macbook, notebook computer, apple laptop",
    "mouse": "mouse, computer mouse",
    "remote": "remote, remote control, tv remote, wii remote, wiimote, game controller, controller",
    "keyboard": "keyboard, computer keyboard",
    "cell phone": (
        "cell phone, cellphone, mobile phone, phone, smartphone, smart phone, telephone, iphone, "
        "cellular phone"
    ),
    "microwave": "microwave, microwave oven",
    "oven": "oven, stove, stove top oven, stovetop, stove top",
    "toaster": "toaster",
    "sink": "sink, bathroom sink, kitchen sink, wash basin, washbasin",
    "refrigerator": "refrigerator, fridge, freezer",
    "book": "book, textbook, novel",
    "clock": "clock, alarm clock",
    "vase": "vase, flower vase",
    "scissors": "scissors, scissor, pair of scissors, shears",
    "teddy bear": "teddy bear, teddy, stuffed bear, stuffed animal, toy bear, stuffed teddy bear",
    "hair drier": "hair drier, hair dryer, hairdryer, hairdrier, blow dryer",
    "toothbrush": "toothbrush, tooth brush",
}

# Phrases that hold the name of a class without telling that one is there.
DECOYS = (
    "train track, train station, train yard, train platform, train rail, train tie, train line, "
    "bus stop, bus station, bus shelter, bus lane, car seat, car park, cable car, boat dock, "
    "boat house, bike lane, bike path, bike rack, bike trail, dog house, bird house, bird feeder, "
    "bird bath, bird cage, cat food, dog food, rocking horse, horse shoe, baby carriage, "
    "baby stroller, baby food, baby crib, man made, couple of, family of, team of, crowd of, "
    "flower bed, truck bed, garden bed, dog bed, cat bed, river bed, bed of, table top, end table, "
    "night table, changing table, pool table, chair lift, ski lift, ski slope, ski pole, "
    "ski resort, ski trail, ski mask, ski goggle, ski hill, ski jump, ski boot, ski suit, "
    "ski area, ski course, ski run, ski gear, ski jacket, ski track, ski outfit, ski equipment, "
    "apple computer, apple logo, apple juice, apple pie, apple sauce, apple tree, banana bread, "
    "banana tree, carrot cake, toilet paper, toilet brush, toilet tissue, tv show, tv stand, "
    "tv tray, tv station, television show, mouse pad, book shelf, book case, book store, "
    "book mark, cup holder, bottle cap, bottle opener, pizza box, pizza cutter, pizza oven, "
    "pizza parlor, pizza shop, pizza place, donut shop, doughnut shop, cake stand, sandwich shop, "
    "phone booth, pay phone, phone number, phone pole, phone line, telephone pole, "
    "telephone booth, telephone wire, telephone line, oven mitt, oven glove, sink hole, "
    "kite string, knife block, knife holder, fork lift, super bowl, pitcher of, pitcher mound, "
    "umbrella stand, jet engine, jet ski, remote area, remote location, remote region, duck tape, "
    "tie dye, tie dyed, tie down, mp3 player, cd player, dvd player, record player, media player, "
    "toaster oven, hot dog stand"
)
# "Orange" is mostly a colour. It is the fruit where neither neighbour says that it is not.
_BEFORE_FRUIT = "a an one the peeled whole cut sliced half single fresh and some"
_AFTER_FRUIT = (
    "on in sitting sits is next with being that from slice slices half halves sliced peel near "
    "beside peeled cut"
)
_COLOURS = "black white red green blue yellow brown grey gray pink purple gold silver tan orange"
_IRREGULAR = {
    "person": "people", "man": "men", "woman": "women", "child": "children", "mouse": "mice",
    "goose": "geese", "ox": "oxen", "knife": "knives", "calf": "calves", "shelf": "shelves",
    "wife": "wives", "foot": "feet",
}  # fmt: skip


@dataclass(frozen=True)
class Hallucination:
    """How far captions name COCO's objects that are there.

    Attributes:
        captions: Number of captions, one a picture.
        mentions: Classes named, summed over captions.
        of_mentions: Share of the mentions whose class is not in the picture (CHAIR_i), 0..100.
        of_captions: Share of the captions with such a mention (CHAIR_s), 0..100.
        recall: Share of the classes in the pictures that their captions name, 0..100; who names
            nothing hallucinates nothing, so look at both.
    """

    captions: int
    mentions: int
    of_mentions: float
    of_captions: float
    recall: float


def hallucination(captions: Sequence[str], present: Sequence[AbstractSet[str]]) -> Hallucination:
    """Compare one caption for each picture with the classes that are in it.

    Args:
        captions: What was said of each picture.
        present: All of COCO's classes that are in each caption's picture.
    """
    named = [mentioned(caption) for caption in captions]
    wrong = [names - there for names, there in zip(named, present, strict=True)]
    right = [names & there for names, there in zip(named, present, strict=True)]
    mentions = _total(named)
    return Hallucination(
        captions=len(captions),
        mentions=mentions,
        of_mentions=100 * _total(wrong) / max(1, mentions),
        of_captions=100 * sum(map(bool, wrong)) / max(1, len(captions)),
        recall=100 * _total(right) / max(1, _total(present)),
    )


def mentioned(text: str) -> frozenset[str]:
    """COCO's classes that a text names: "Two puppies and a hot dog" → {"dog", "hot dog"}."""
    return frozenset(name for _, name in found(text))


def found(text: str) -> Iterator[tuple[str, str]]:
    """Phrases of a text that name a class, with the class, in order."""
    tokens = [word.removesuffix("'s") for word in words(text)]
    table, longest = _table()
    place = 0
    while place < len(tokens):
        for length in range(min(longest, len(tokens) - place), 0, -1):
            phrase = tuple(tokens[place : place + length])
            if phrase in table:
                if name := table[phrase]:
                    yield " ".join(phrase), name
                break
        else:
            length = 1
            if _is_fruit(tokens, place):
                yield tokens[place], "orange"
        place += length


def _is_fruit(tokens: Sequence[str], place: int) -> bool:
    """Whether the word at a place is "orange", the fruit."""
    if tokens[place] == "oranges":
        return True
    before = tokens[place - 1] if place else "a"
    after = tokens[place + 1 : place + 3]
    if tokens[place] != "orange" or before not in _BEFORE_FRUIT.split():
        return False
    if after and after[0] == "and":
        return not {*after, before} & {*_COLOURS.split()}
    return not after or after[0] in _AFTER_FRUIT.split()


@cache
def _table() -> tuple[dict[tuple[str, ...], str | None], int]:
    """Class, or None for a decoy, by the words of a phrase; and the most words of one."""
    table: dict[tuple[str, ...], str | None] = {}
    for phrase in _split(DECOYS):
        table.update(dict.fromkeys(_forms(phrase), None))
    for name, synonyms in SYNONYMS.items():
        for phrase in _split(synonyms):
            table.update(dict.fromkeys(_forms(phrase), name))
    return table, max(map(len, table))


def _split(phrases: str) -> list[str]:
    return [phrase.strip() for phrase in phrases.split(",")]


def _forms(phrase: str) -> Iterator[tuple[str, ...]]:
    """The words of a phrase, in the singular and in the plural."""
    *front, last = phrase.split()
    yield (*front, last)
    yield (*front, _plural(last))


def _plural(word: str) -> str:
    for one, many in _IRREGULAR.items():
        # "policeman" too, but no "human".
        if word == one or (one == "man" and word.endswith("man") and word != "human"):
            return word.removesuffix(one) + many
    if word.endswith(("s", "x", "ch", "sh")):
        return word + "es"
    if word.endswith("y") and word[-2] not in "aeiou":
        return word[:-1] + "ies"
    return word + "s"


def _total(sets: Iterable[AbstractSet[str]]) -> int:
    return sum(map(len, sets))
