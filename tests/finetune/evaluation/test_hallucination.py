"""Which objects a caption names, and how many of them are not there."""

import pytest

from data.datasets.objects import COCO_CLASSES
from finetune.evaluation.hallucination import SYNONYMS, hallucination, mentioned


def test_every_class_is_in_the_table_and_found_by_its_own_name() -> None:
    assert tuple(SYNONYMS) == COCO_CLASSES
    missed = [name for name in COCO_CLASSES if mentioned(f"a photo of a {name}.") != {name}]
    assert missed == []


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("A hot dog with mustard", {"hot dog"}),
        ("Two hot-dogs and a dog", {"hot dog", "dog"}),
        ("A child holds a teddy bear.", {"person", "teddy bear"}),
        ("A baby elephant beside its mother", {"elephant", "person"}),
        ("The catcher's mitt", {"baseball glove"}),
        ("a ball and a bat", {"sports ball", "baseball bat"}),
        ("Policemen on motor bikes", {"person", "motorcycle"}),
        ("mice, knives and sheep", {"mouse", "knife", "sheep"}),
        ("A couple of puppies", {"dog"}),
        ("An elderly couple", {"person"}),
        ("Train tracks behind the bus stop", set()),
        ("A passenger train", {"train"}),
        ("A person at a computer mouse pad", {"person", "mouse"}),
        ("A roll of toilet paper by the toilet seat", {"toilet"}),
        ("A glass of wine on a coffee table", {"wine glass", "dining table"}),
        ("A pitcher of water", set()),
        ("The pitcher throws a baseball", {"person"}),
        ("Flowers in a flower bed", set()),
        ("The human's dogs", {"person", "dog"}),
        ("", set()),
    ],
)
def test_a_caption_names_objects(text: str, names: set[str]) -> None:
    assert mentioned(text) == names


@pytest.mark.parametrize(
    ("text", "fruit"),
    [
        ("an orange", True),
        ("an orange on a plate", True),
        ("An apple and an orange.", True),
        ("an orange and a banana", True),
        ("oranges and lemons", True),
        ("a sliced orange", True),
        ("an orange shirt", False),
        ("an orange and white cat", False),
        ("a man in orange on a street", False),
        ("a black and orange bus", False),
        ("a train that is orange", False),
        ("a glass of orange juice", False),
    ],
)
def test_orange_is_a_fruit_or_a_colour(text: str, fruit: bool) -> None:
    assert ("orange" in mentioned(text)) == fruit


def test_shares_are_of_mentions_of_captions_and_of_what_is_there() -> None:
    found = hallucination(
        ["Two dogs and a cat on a sofa", "A man", "Something blurred"],
        [frozenset({"dog", "couch", "tv"}), {"person"}, {"kite"}],
    )
    assert (found.captions, found.mentions) == (3, 4)
    assert found.of_mentions == 25  # the cat
    assert found.of_captions == pytest.approx(100 / 3)
    assert found.recall == 60  # neither the TV nor the kite


def test_who_names_nothing_hallucinates_nothing_and_finds_nothing() -> None:
    found = hallucination(["A blurred picture"], [{"dog"}])
    assert (found.of_mentions, found.of_captions, found.recall) == (0, 0, 0)
    assert hallucination([], []).of_captions == 0
