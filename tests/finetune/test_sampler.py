import random
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tiny_data import (
    recipe_table,
    scene_name,
    scenes_table,
    write_recipe,
    write_rows,
    write_scenes,
)

from data.datasets.records import QuestionRecord
from data.errors import DataError
from finetune.config import ImpliedTexts, ObjectSources, Recipe, load_recipe
from finetune.packing import Group, Segment
from finetune.sampler import Mixture, Visit, draw_answer, fill, presuppositions

DERIVED = {"captions": 0, "derived": 4, "share": 1.0}


def words(text: str) -> list[int]:
    """Token ids that can be read back."""
    return [ord(letter) for letter in text]


def read(segment: Segment) -> str:
    return "".join(map(chr, segment.prompt + segment.target))


def mixture(folder: Path, data: Path, **changes: Any) -> Mixture:
    return Mixture(recipe(folder, **changes), data, words, words)


def recipe(folder: Path, **changes: Any) -> Recipe:
    made = load_recipe(write_recipe(folder, recipe_table()))
    return replace(made, text_tokens=1000, **changes)


def corpus(folder: Path) -> Path:
    """Captions from which questions of every kind can be derived."""
    things = ["dog", "cat", "horse", "bicycle", "car", "ball", "frisbee", "boat"]
    colours = ["brown", "white", "black", "red"]
    rows = []
    for number in range(160):
        thing, colour = things[number % 8], colours[number // 8 % 4]
        rows.append(
            {
                "image": f"{number}.jpg",
                "split": "train",
                "captions": [
                    f"A {colour} {thing} in the grass .",
                    f"Two men look at a {colour} {thing} .",
                ],
            }
        )
    write_rows(folder / "captions.jsonl", rows)
    return folder


def test_draws_depend_on_seed_and_step_alone(tmp_path: Path, data: Path) -> None:
    one, two = mixture(tmp_path, data), mixture(tmp_path, data)
    two.visits(0, 9, 3)  # what was drawn before must not matter
    assert one.visits(7, 5, 2) == two.visits(7, 5, 2)
    assert one.visits(7, 5, 2) != one.visits(8, 5, 2)
    assert one.visits(7, 5, 2) != mixture(tmp_path, data, seed=6).visits(7, 5, 2)


def test_every_visit_is_of_its_source(tmp_path: Path, data: Path) -> None:
    visits = mixture(tmp_path, data).visits(0, 40, 3)
    alone = [visit for visit in visits if visit.image is None]
    assert len(visits) == 43
    assert len(alone) == 3
    assert not any(visit.group.has_picture for visit in alone)
    for visit in visits[:40]:
        texts = [read(segment) for segment in visit.group.segments]
        assert visit.image is not None
        assert visit.image.startswith("images/train_")
        assert len(texts) in (1, 2)
        if len(texts) == 2:
            assert all(text.startswith("Question: ") for text in texts)
        else:
            assert texts[0].startswith("Caption:A ")
        assert visit.group.has_picture
        assert {segment.weight for segment in visit.group.segments} == (
            {3.0} if len(texts) == 2 else {1.0}
        )


def test_shares_are_respected(tmp_path: Path, data: Path) -> None:
    mixed = mixture(tmp_path, data)
    visits = [visit for step in range(100) for visit in mixed.visits(step, 20, 0)]
    asked = sum(len(visit.group.segments) == 2 for visit in visits)
    assert asked / len(visits) == pytest.approx(1 / 1.5, abs=0.03)
    pictures = Counter(visit.image for visit in visits)
    assert len(pictures) == 9  # of the training split
    assert min(pictures.values()) > 0.7 * len(visits) / 9


def boxed(folder: Path, **source: Any) -> Mixture:
    """Scenes with questions made from boxes."""
    write_scenes(folder / "scenes", 60)
    write_rows(folder / "scenes/alone.jsonl", [{"question": "Is it 1?", "answer": "no"}])
    made = load_recipe(write_recipe(folder, scenes_table()))
    sources = (replace(made.sources[0], **source),)
    made = replace(made, sources=sources, text_tokens=1000)
    return Mixture(made, folder, words, words)


def test_who_is_asked_about_boxes_sees_the_whole_picture(tmp_path: Path) -> None:
    mixed = boxed(tmp_path)
    asked = {item.image: item.boxes for _, items in mixed.sources for item in items}
    assert {record.kind for boxes in asked.values() for record in boxes} >= {"presence", "place"}
    views: dict[bool, set[int]] = {True: set(), False: set()}
    for visit in mixed.visits(0, 300, 0)[:300]:
        questions = [s for s in visit.group.segments if read(s).startswith("Question: ")]
        assert visit.whole is bool(questions)
        assert len(questions) == min(2, len(asked[str(visit.image)]))
        sided = any(re.search(r"\b(left|right)\b", read(s)) for s in visit.group.segments)
        assert visit.sided is sided
        if visit.whole:
            views[sided].add(visit.view(6))
    assert views == {True: {0}, False: {0, 1}}  # never a crop


def test_people_are_believed_about_boxes_but_not_masks(tmp_path: Path) -> None:
    mixed = boxed(tmp_path)
    people = [
        {"image": scene_name(number), "objects": ["toaster"] if number % 2 else ["dog"]}
        for number in range(60)
    ]
    write_rows(tmp_path / "scenes/objects.jsonl", people)

    def toasted(**changes: Any) -> set[str]:
        made = Mixture(replace(mixed.recipe, **changes), tmp_path, words, words)
        items = [item for _, items in made.sources for item in items]
        asked = [(item.image, record) for item in items for record in item.boxes]
        return {i for i, it in asked if "toaster" in it.question and it.answers[0][0] == "yes"}

    believed = toasted()
    assert len(believed) > 5
    assert believed <= {f"scenes/images/{scene_name(number)}" for number in range(1, 60, 2)}
    assert not toasted(objects=ObjectSources(("scenes",), masks=("scenes",)))
    assert not toasted(sources=(replace(mixed.recipe.sources[0], boxes=0),))


@pytest.mark.parametrize(
    ("answers", "sided"),
    [
        (["left"] * 3, True),
        ([*["on it"] * 4, *["right"] * 3], True),
        (["on it"], False),
    ],
)
def test_an_answer_that_tells_a_side_is_not_mirrored_either(
    tmp_path: Path, data: Path, answers: list[str], sided: bool
) -> None:
    row = {"image": "train_0.png", "question": "Where is it?", "answers": answers}
    write_rows(tmp_path / "where.jsonl", [row])
    source = replace(
        recipe(tmp_path).sources[0], files=(str(tmp_path / "where.jsonl"),), split_key="", split=""
    )
    mixed = mixture(tmp_path, data, sources=(source,))
    assert {visit.sided for visit in mixed.visits(0, 20, 0)} == {sided}


def test_texts_without_pictures_come_with_what_implies_their_tags(tmp_path: Path) -> None:
    mixed = boxed(tmp_path)
    write_rows(
        tmp_path / "scenes/more.jsonl",
        [
            {"captions": ["A dog runs", "The dog is brown", "It plays"]},
            {"question": "What is on the grass?", "answer": "cat"},
            {"question": "Is there a horse?", "answer": "no"},  # tells of no horse
        ],
    )
    texts = ImpliedTexts("scenes/more.jsonl", texts=2)
    made = Mixture(replace(mixed.recipe, implied=(texts,)), tmp_path, words, words)
    seen = set()
    for step in range(20):
        told = made.visits(step, 2, 1)[2:-1]
        assert len(told) == 3
        for visit in told:
            assert visit.image is None
            assert visit.group.has_picture  # a prefix, at least
            learnt = [read(segment) for segment in visit.group.segments]
            seen.add(len(learnt))
            if len(learnt) == 1:
                assert visit.implied == "What is on the grass? cat"
                assert learnt == ["Question: What is on the grass? Answer:cat"]
            else:
                assert all(text.removeprefix("Caption:") in visit.implied for text in learnt)
    assert seen == {1, 2}
    again = Mixture(replace(mixed.recipe, implied=(texts,)), tmp_path, words, words)
    assert again.visits(7, 2, 1) == made.visits(7, 2, 1)
    write_rows(tmp_path / "scenes/more.jsonl", [{"question": "Is there a horse?", "answer": "no"}])
    with pytest.raises(DataError, match=r"more\.jsonl holds no captions or questions to learn"):
        Mixture(replace(mixed.recipe, implied=(texts,)), tmp_path, words, words)


def test_what_speaks_of_sides_is_never_mirrored(tmp_path: Path, data: Path) -> None:
    mixed = mixture(tmp_path, data)
    seen = {True: set[int](), False: set[int]()}
    for visit in mixed.visits(0, 300, 0):
        sided = any("left" in read(segment) for segment in visit.group.segments)
        seen[sided].add(visit.view(4))
    assert seen == {True: {0, 2}, False: {0, 1, 2, 3}}


def test_a_picture_with_one_view_is_seen_as_it_is() -> None:
    group = Group((), has_picture=True)
    assert {Visit("a", group, draw, sided=True).view(1) for draw in (0.0, 0.99)} == {0}
    assert {Visit("a", group, draw, sided=True).view(2) for draw in (0.0, 0.99)} == {0}


def test_neither_yes_nor_no_wins_blind_among_derived_questions(tmp_path: Path) -> None:
    folder = corpus(tmp_path)
    source = replace(recipe(tmp_path).sources[1], **DERIVED)
    mixed = mixture(tmp_path, folder, sources=(source,), text_only="")
    answers = Counter(
        "".join(map(chr, segment.target))
        for step in range(60)
        for visit in mixed.visits(step, 10, 0)
        for segment in visit.group.segments
    )
    polar = answers["yes"] + answers["no"]
    assert 0.4 < answers["yes"] / polar < 0.6
    assert 0.4 < polar / answers.total() < 0.6


@pytest.mark.parametrize("derived", [1, 2, 3])
def test_a_source_of_derived_questions_never_comes_empty(tmp_path: Path, derived: int) -> None:
    folder = corpus(tmp_path)
    source = replace(recipe(tmp_path).sources[1], **DERIVED | {"derived": derived})
    mixed = mixture(tmp_path, folder, sources=(source,), text_only="")
    counts = [len(visit.group.segments) for visit in mixed.visits(0, 200, 0)]
    assert min(counts) >= 1
    assert max(counts) == derived


def test_derived_questions_are_asked_without_their_picture_too(tmp_path: Path) -> None:
    folder = corpus(tmp_path)
    write_rows(
        folder / "texts.jsonl", [{"question": f"is it {n}?", "answer": "no"} for n in range(40)]
    )
    made = recipe(tmp_path)
    source = replace(made.sources[1], **DERIVED)
    schedule = replace(made.schedule, derived_texts=0.25, answer_weight=2.0)
    mixed = mixture(tmp_path, folder, sources=(source,), schedule=schedule)
    for step in range(5):
        alone = mixed.visits(step, 3, 8)[3:]
        people = [visit for visit in alone if "Is it " in read(visit.group.segments[0])]
        assert (len(alone), len(people)) == (8, 6)
        assert all(visit.image is None and not visit.group.has_picture for visit in alone)
        assert {visit.group.segments[0].weight for visit in alone} == {2.0}
    told = replace(source, derived=0, captions=1)
    with pytest.raises(DataError, match="derived_texts asks for derived questions"):
        mixture(tmp_path, folder, sources=(told,), schedule=schedule)


def test_answers_are_mostly_the_majoritys() -> None:
    record = QuestionRecord("What is it?", (("couch", 6), ("sofa", 3), ("chair", 1)))
    rng = random.Random(0)
    drawn = Counter(draw_answer(record, rng) for _ in range(2000))
    assert drawn.keys() == {"couch", "sofa"}
    assert drawn["couch"] / 2000 == pytest.approx(0.5 + 0.5 * 6 / 9, abs=0.03)
    split = QuestionRecord("What is it?", (("couch", 2), ("sofa", 2)))
    assert {draw_answer(split, rng) for _ in range(50)} == {"couch"}


def test_texts_fill_the_room_behind_a_prefix() -> None:
    long, short = Segment((1,) * 30, (2,)), Segment((1,) * 4, (2,))
    assert fill([long, short, short], 10) == (long,)
    assert fill([short, long, short], 10) == (short, short)
    assert fill([short, short, short], 10) == (short, short)


def test_what_is_missing_is_said(tmp_path: Path, data: Path) -> None:
    source = replace(recipe(tmp_path).sources[0], split="none")
    with pytest.raises(DataError, match="source 'asked' of the recipe holds no pictures to learn"):
        mixture(tmp_path, data, sources=(source,))
    with pytest.raises(DataError, match=r"dataset file .*gone\.jsonl is missing"):
        mixture(tmp_path, data, sources=(replace(source, files=("gone.jsonl",)),))
    with pytest.raises(DataError, match=r"dataset file .*gone\.jsonl is missing"):
        mixture(tmp_path, data, text_only="gone.jsonl")


def test_yes_may_weigh_more_but_not_to_whether_a_thing_is_there(tmp_path: Path, data: Path) -> None:
    def weights(made: Mixture) -> dict[str, set[float]]:
        found: dict[str, set[float]] = {}
        for visit in made.visits(0, 20, 5):
            for segment in visit.group.segments:
                text = "".join(map(chr, segment.prompt))
                answer = "".join(map(chr, segment.target)).strip()
                kind = "caption" if text.startswith("Caption") else answer
                found.setdefault(kind, set()).add(round(segment.weight, 3))
        return found

    made = recipe(tmp_path)
    schedule = replace(made.schedule, answer_weight=2.0, yes_weight=1.5)
    people = Mixture(replace(made, schedule=schedule), data, words, words)
    found = weights(people)
    assert found.pop("yes") == {3.0}
    assert found.pop("caption") == {1.0}
    assert set.union(*found.values()) == {2.0}
    present = [{"question": "is there a dog in the picture?", "answer": "yes"}]
    write_rows(tmp_path / "present.jsonl", present)
    whether = Mixture(
        replace(made, schedule=schedule, text_only=str(tmp_path / "present.jsonl")),
        data, words, words,
    )  # fmt: skip
    visit = whether.visits(0, 0, 1)[0]
    assert [segment.weight for segment in visit.group.segments] == [2.0]
    source = replace(made.sources[1], captions=0, derived=4, share=1.0)
    derived = replace(made, schedule=schedule, sources=(source,), text_only="")
    found = weights(Mixture(derived, corpus(tmp_path), words, words))
    assert found.pop("yes") == {2.0, 3.0}  # of presence, and of the others
    assert set.union(*found.values()) == {2.0}


def test_no_may_weigh_more_where_a_thing_may_be_absent(tmp_path: Path) -> None:
    folder = corpus(tmp_path)
    made = recipe(tmp_path)
    schedule = replace(made.schedule, answer_weight=2.0, no_weight=1.5, derived_texts=1.0)
    source = replace(made.sources[1], **DERIVED)
    mixed = mixture(tmp_path, folder, sources=(source,), text_only="", schedule=schedule)
    weights: dict[tuple[bool, str], set[float]] = {}
    for visit in mixed.visits(0, 40, 40):
        for segment in visit.group.segments:
            answer = "".join(map(chr, segment.target)).strip()
            kind = answer if answer in ("yes", "no") else "open"
            weights.setdefault((visit.image is None, kind), set()).add(segment.weight)
    for alone in (True, False):
        assert weights[alone, "yes"] == weights[alone, "open"] == {2.0}
        assert max(weights[alone, "no"]) == 3.0


def test_a_question_takes_for_granted_what_it_asks_about_unless_the_answer_is_no() -> None:
    asked = [
        QuestionRecord("What colour is the cat?", (("black", 6), ("grey", 3), ("dark", 1))),
        QuestionRecord("Is there a dog?", (("no", 9), ("yes", 1))),
        QuestionRecord("How many dogs are there?", (("0", 9), ("1", 1))),
        QuestionRecord("Is the sofa new?", (("yes", 5), ("no", 5))),
        QuestionRecord("what is on the table", (("tissue_box", 1),)),
    ]
    assert presuppositions(asked) == [
        "What colour is the cat? black grey",
        "Is the sofa new? yes no",
        "what is on the table tissue box",
    ]


def test_questions_tell_of_pictures_that_have_no_captions(tmp_path: Path, data: Path) -> None:
    both = mixture(tmp_path, data)
    assert both.captions
    assert both.mentions == {}
    assert both.described == sorted(both.captions)
    (asked,) = (source for source in both.recipe.sources if source.questions)
    alone = mixture(tmp_path, data, sources=(asked,))
    assert alone.captions == {}
    assert alone.mentions["images/train_0.png"] == ["What color is it? red", "Is it red? yes"]
    assert alone.described == both.described
