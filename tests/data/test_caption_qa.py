"""Questions made from captions: sound answers, natural wording, nothing to be guessed blind."""

from __future__ import annotations

import random
import re
from collections import Counter, defaultdict

import pytest

from data.caption_qa.balance import Claim, pair_yes_and_no
from data.caption_qa.generator import CaptionQuestions
from data.datasets.records import QuestionRecord

# Captions written for these tests. Five voices on one picture, as the real corpora have them.
HOUND = [
    "A brown dog runs through the snow with a stick in its mouth .",
    "A dog is running in deep snow .",
    "A brown hound carries a stick through the snow .",
    "The dog runs in the snow .",
    "Dog running outside in snow",
]
SURFER = [
    "A man in a red shirt is surfing .",
    "A man rides a wave on a surfboard .",
    "A surfer on a big wave .",
    "The man in a red shirt surfs in the ocean .",
    "A man surfing .",
]
READER = [
    "A woman in a blue dress is reading a book on a bench .",
    "A woman sits on a bench and reads a book .",
    "A lady reading .",
    "A woman wearing a blue dress sits on a park bench .",
    "The woman is sitting on a bench .",
]
SISTERS = [
    "Two girls are playing soccer on the grass .",
    "Two young girls play soccer .",
    "Two girls chase a ball on the grass .",
    "Girls playing soccer on the grass",
    "Two girls in a soccer game .",
]
RIDERS = [
    "Three men are riding horses on the beach .",
    "Three men ride horses on a beach .",
    "Men on horses at the beach .",
    "Three guys ride along a beach .",
    "Three men riding horses",
]
CYCLIST = [
    "A boy wearing a green helmet rides a bike on the road .",
    "A boy is riding a bicycle down a road .",
    "A young boy on his bike .",
    "The boy rides his bike on the road .",
    "A child with a green helmet riding a bike .",
]
CAT = [
    "A black cat sleeps on a couch .",
    "A cat is sleeping on the couch indoors .",
    "A black cat lies on a sofa .",
    "The cat is asleep on a couch .",
    "A cat sleeping",
]
GREYS = [
    "A group of dogs run on the grass .",
    "Two gray dogs and a white dog run .",
    "Several dogs playing",
    "Many dogs run on grass .",
    "Dogs on the lawn .",
]
SCENES = [HOUND, SURFER, READER, SISTERS, RIDERS, CYCLIST, CAT, GREYS]
BEINGS = re.compile(r"\b(m[ae]n|wom[ae]n|boys?|girls?|child|children|person|people|bab(y|ies))\b")


def corpus(times: int = 6) -> dict[str, list[str]]:
    return {f"{n}-{i}": scene for i in range(times) for n, scene in enumerate(SCENES)}


def only(captions: list[str]) -> dict[str, str]:
    """The open questions about a picture that is a corpus of its own."""
    found = CaptionQuestions({"it": captions}).questions("it")
    return {q.question: q.answer for q in found}


@pytest.mark.parametrize(
    ("captions", "question", "answer"),
    [
        (HOUND, r"What is the dog doing\?", "running"),
        (HOUND, r"What is in the dog's mouth\?", "stick"),
        (HOUND, r"What colou?r is the dog\?", "brown"),
        (HOUND, r"Where is the dog\?", "snow"),
        (HOUND, r"What animal is this\?", "dog"),
        (HOUND, r"How many dogs .*\?", "1"),
        (SURFER, r"What is the man doing\?", "surfing"),
        (SURFER, r"What is the man riding\?", "wave"),
        (SURFER, r"What sport is this\?", "surfing"),
        (SURFER, r"What colou?r is the man's shirt\?", "red"),
        (SURFER, r"Is this a man or a woman\?", "man"),
        (SURFER, r"How many people .*\?", "1"),
        (READER, r"What is the woman reading\?", "book"),
        (READER, r"What is the woman sitting on\?", "bench"),
        (READER, r"What is the woman wearing\?", "dress"),
        (READER, r"Is the person male or female\?", "female"),
        (SISTERS, r"What are the girls doing\?", "playing soccer"),
        (SISTERS, r"What sport is being played\?", "soccer"),
        (SISTERS, r"How many people .*\?", "2"),
        (SISTERS, r"Who is in the picture\?", "girls"),
        (RIDERS, r"How many men .*\?", "3"),
        (RIDERS, r"What are the men riding\?", "horses"),
        (RIDERS, r"Where are the men\?", "beach"),
        (CYCLIST, r"What is on the boy's head\?", "helmet"),
        (CYCLIST, r"What is the boy riding\?", "bike"),
        (CYCLIST, r"Where is the boy\?", "road"),
        (["A blond woman in red is dancing ."] * 3, r"What color is the woman wearing\?", "red"),
        (["A blond woman in red is dancing ."] * 3, r"What color .* hair\?", "blonde"),
        (["A group of children play guitars .", "Kids playing guitar ."], r"Who .*", "children"),
        (["A man plays the guitar .", "A man playing a guitar ."], r".* doing\?", "playing guitar"),
        (["A man and a dog walk .", "A man and his dog walk ."], r".* the dog doing\?", "walking"),
        (CAT, r"What is the cat (sleeping|lying) on\?", "couch"),
    ],
)
def test_reads_captions_right(captions: list[str], question: str, answer: str) -> None:
    said = {a for q, a in only(captions).items() if re.fullmatch(question, q)}
    assert said == {answer}


@pytest.mark.parametrize(
    ("captions", "question"),
    [
        (GREYS, "how many|who |people"),  # numbers disagree; a group of dogs is no people
        (GREYS, "what color"),
        (["A black dog and a white dog run .", "Two dogs run ."], "color is the dog"),
        (["A brown dog sits .", "A black dog sits .", "A dog ."], "color"),
        (["A man in a striped red shirt .", "A man sits .", "A man ."], "shirt"),
        (["A man looks at another .", "A man stands .", "A man ."], "how many people"),
        (["A man stands on a busy street .", "A man stands .", "A man ."], "how many people"),
        (["A boy has swimming goggles .", "A little boy has swimming goggles ."], "doing"),
        (["A man rides a beach cruiser .", "A man rides .", "A man ."], "riding"),
        (["A man holds a toy dog .", "A man with a toy dog .", "A man ."], "animal"),
        (["A boy holds a ball .", "A boy holds a bat .", "A boy ."], "holding"),
        (["A man plays football .", "A man plays soccer ."] * 2, "sport"),
        (['A ride called " Frog " .', 'A ride , the " Frog " .', "A ride"], "animal|frog"),
        (["A man holding a baby runs on a street ."] * 3, "baby doing"),
        ([], "."),
    ],
)
def test_keeps_silent_where_captions_are_unsure(captions: list[str], question: str) -> None:
    assert [q for q in only(captions) if re.search(question, q.lower())] == []


def test_no_answer_can_be_guessed_from_a_yes_no_question() -> None:
    maker = CaptionQuestions(corpus())
    sides: dict[str, Counter[str]] = defaultdict(Counter)
    for picture in corpus():
        for q in maker.questions(picture):
            if q.answer in {"yes", "no"}:
                sides[q.question][q.answer] += 1
    assert len(sides) > 50
    assert all(c["yes"] == c["no"] > 0 for c in sides.values())


def test_presence_answers_are_true_of_the_captions() -> None:
    maker = CaptionQuestions(corpus(12))
    hidden = {"yes": 0, "no": 0}
    for picture, captions in corpus(12).items():
        text = " ".join(captions).lower()
        for q in maker.questions(picture):
            if q.kind != "presence":
                continue
            hidden[q.answer] += 1
            people, animals = bool(BEINGS.search(text)), bool(re.search("dog|cat|horse", text))
            if re.search(r"\b(person|people)\b", q.question):
                assert q.answer == ("yes" if people else "no"), (q, captions)
            elif re.search(r"\banimals?\b", q.question):
                assert q.answer == ("yes" if animals else "no"), (q, captions)
            elif found := re.search(r"\b(dog|cat|horse|book|couch|stick|snow|beach)", q.question):
                assert (found[1] in text) == (q.answer == "yes"), (q, captions)
    assert hidden["yes"] == hidden["no"] > 100


@pytest.mark.parametrize(
    ("captions", "never"),
    [
        (["A person rides a wave .", "A surfer rides .", "A person surfs ."], "man|girl|surfboard"),
        (["A player serves at a tennis match .", "A tennis player ."], "racket|ball"),
        (["A group of people at a street market ."], r"\bm[ae]n\b|woman|women|child|boy|bag"),
        (["A young kid eats .", "A child eats cake ."], "boy|girl|food|person"),
        (["An animal runs .", "A brown animal on grass ."], "dog|cat|horse"),
        (["A dog pulls on its owner 's hand .", "A dog ."], "person|people|man"),
    ],
)
def test_never_denies_what_may_be_there(captions: list[str], never: str) -> None:
    everything = corpus(4) | {f"new-{i}": captions for i in range(8)}
    for seed in range(3):
        maker = CaptionQuestions(everything, seed=seed)
        denied = [q for i in range(8) for q in maker.questions(f"new-{i}") if q.answer == "no"]
        wrong = [q for q in denied if q.kind == "presence" and re.search(never, q.question)]
        assert wrong == []


def test_hard_negatives_go_with_what_is_seen() -> None:
    """Pictures at the beach are denied a wave sooner than pictures indoors."""
    beach = {f"b{i}": ["A dog on the beach by a kite .", "A dog on a beach ."] for i in range(40)}
    kites = {f"k{i}": ["A kite over the beach .", "A kite and a guitar ."] for i in range(40)}
    rooms = {f"r{i}": ["A cat by a piano .", "A cat and a piano ."] for i in range(40)}
    maker = CaptionQuestions(beach | kites | rooms)
    denied = Counter(
        p[0] for p in beach | rooms for q in maker.questions(p)
        if q.kind == "presence" and q.answer == "no" and "guitar" in q.question
    )  # fmt: skip
    assert denied["b"] > denied["r"]


def test_asks_about_an_attribute_of_another_picture() -> None:
    blue = [c.replace("red", "blue") for c in SURFER]
    sitting = ["A man is sitting on a rock .", "A man sits on a rock .", "A man ."]
    maker = CaptionQuestions({"red": SURFER, "blue": blue, "sitting": sitting})
    red = {q.question: q.answer for q in maker.questions("red")}
    blue_answers = {q.question: q.answer for q in maker.questions("blue")}
    assert red["Is the man's shirt red?"] == "yes"
    assert blue_answers["Is the man's shirt red?"] == "no"
    assert {q.question: q.answer for q in maker.questions("sitting")}["Is the man surfing?"] == "no"


def test_tells_day_from_night() -> None:
    maker = CaptionQuestions({"day": ["A sunny street ."], "dark": ["A street at night ."]})
    day, dark = ({q.question: q.answer for q in maker.questions(p)} for p in ("day", "dark"))
    assert {day["Is it sunny?"], dark["Is it night time?"]} == {"yes"}
    assert {dark["Is it sunny?"], day["Is it night time?"]} == {"no"}


def test_same_seed_same_questions_whatever_the_order() -> None:
    captions = corpus(3)
    first = CaptionQuestions(captions, seed=4)
    again = CaptionQuestions(dict(reversed(captions.items())), seed=4)
    other = CaptionQuestions(captions, seed=5)
    assert [first.questions(p) for p in captions] == [again.questions(p) for p in captions]
    assert [first.questions(p) for p in captions] != [other.questions(p) for p in captions]
    with pytest.raises(KeyError):
        first.questions("unknown")


def test_answers_and_wording_are_as_people_write_them() -> None:
    maker = CaptionQuestions(corpus(12))
    found = [q for p in corpus(12) for q in maker.questions(p)]
    kinds = {q.kind.removesuffix(" yes/no") for q in found}
    wanted = {"presence", "colour", "count", "activity", "clothing", "place", "object", "person"}
    assert kinds == wanted
    for q in found:
        assert re.fullmatch(r"[A-Z][a-zA-Z' -]+\?", q.question), q
        assert re.fullmatch(r"[a-z0-9]+( [a-z]+){0,2}", q.answer), q
        assert not re.search(r"\ba [aeio]|\ban [^aeiou]|\b(is|does) the \w+s doing", q.question), q
        assert not re.search(r"Is there an? (snow|water|grass)", q.question), q


def test_majority_answers_are_thinned_out() -> None:
    man = ["A man stands on a rock .", "A man is standing .", "A man on a rock ."]
    many = {f"m{i}": man for i in range(90)} | {f"w{i}": READER for i in range(10)}
    maker = CaptionQuestions(many)
    asked = Counter(
        q.answer for p in many for q in maker.questions(p)
        if q.question == "Is this a man or a woman?"
    )  # fmt: skip
    assert asked == {"man": 10, "woman": 10}


def test_claims_pair_the_same_wording_and_spread_the_no() -> None:
    claim = ("Is it a?", "Is it b?")
    claims = [(n, Claim(claim, n < 4, "test")) for n in range(6)]
    pairs = pair_yes_and_no(claims, random.Random(0))
    assert Counter(q for _, q in pairs) == {
        QuestionRecord.single(wording, answer, "test"): 1
        for wording in claim
        for answer in ("yes", "no")
    }
