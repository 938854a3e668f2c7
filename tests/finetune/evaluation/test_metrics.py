import pytest

from finetune.evaluation import metrics


def test_answers_are_compared_without_case_punctuation_and_articles() -> None:
    assert metrics.exact("The dog.", "dog")
    assert not metrics.exact("dogs", "dog")
    assert metrics.accuracy(["yes", "No.", "2", ""], ["yes", "no", "3", "red"]) == 50
    assert metrics.accuracy([], []) == 0


def test_controls_are_what_can_be_scored_without_looking() -> None:
    golds = ["yes", "no", "yes", "red"]
    assert metrics.majority_accuracy(golds) == 50
    assert metrics.question_accuracy(["Is it?", "is it?", "Is it?", "Which?"], golds) == 75


def test_always_saying_the_same_is_half_right_in_the_mean_of_both_kinds() -> None:
    golds = ["Yes.", "No.", "no", "No."]
    assert metrics.accuracy(["no"] * 4, golds) == 75
    assert metrics.balanced_accuracy(["no"] * 4, golds) == 50
    assert metrics.balanced_accuracy(["yes", "no", "no", "yes"], golds) == pytest.approx(250 / 3)


@pytest.mark.parametrize(
    ("text", "number"),
    [("2", 2), ("Two dogs.", 2), ("there are 12", 12), ("none", 0), ("many", None), ("", None)],
)
def test_numbers_are_read_in_digits_and_words(text: str, number: int | None) -> None:
    assert metrics.number_in(text) == number


def test_counts_are_right_or_wrong_by_so_many() -> None:
    said, golds = ["two", "3 dogs", "many", "1"], [2, 5, 4, 1]
    assert metrics.count_accuracy(said, golds) == 50
    assert metrics.count_error(said, golds) == (0 + 2 + 4 + 0) / 4


@pytest.mark.parametrize(
    ("question", "gold", "kind"),
    [
        ("Is it red?", "Yes.", "yes/no"),
        ("How many are there?", "3", "number"),
        ("How many of them?", "many", "number"),
        ("What does it say?", "zero", "number"),
        ("What time is it?", "4:40", "other"),
        ("What is behind it?", "none", "other"),
        ("Which bus?", "bus 9", "other"),
    ],
)
def test_answers_have_the_types_of_vqa(question: str, gold: str, kind: str) -> None:
    assert metrics.answer_type(question, gold) == kind


def test_captions_are_scored_against_all_references() -> None:
    references = [["a dog runs on grass"], ["two men play a game"], ["a red car on the road"]]
    perfect = metrics.score_captions([r[0] for r in references], references)
    assert perfect.cider == pytest.approx(1000)
    assert perfect.bleu4 == pytest.approx(100, abs=0.1)
    assert (perfect.distinct, perfect.count) == (100, 3)
    poor = metrics.score_captions(["A dog runs."] * 3, references)
    assert 0 < poor.cider < 500
    assert poor.distinct == pytest.approx(100 / 3)


def test_the_grounded_share_counts_content_words_that_people_used() -> None:
    assert metrics.grounded_share("A dog on a sofa", ["the dog sleeps"]) == 0.5
    assert metrics.grounded_share("the", ["a dog"]) == 0


def test_the_calibration_error_is_the_gap_between_sureness_and_truth() -> None:
    assert metrics.calibration_error([0.75] * 4, [1, 1, 1, 0]) == 0
    assert metrics.calibration_error([1.0, 1.0, 0.25], [1, 0, 0]) == pytest.approx(
        (2 * 0.5 + 0.25) / 3
    )


@pytest.mark.parametrize("count", [2, 3, 4, 5, 10])
def test_shuffling_gives_everyone_another_picture(count: int) -> None:
    names = [f"{number}.jpg" for number in range(count)]
    swap = metrics.derange(names + names)
    assert sorted(swap.values()) == names
    assert all(name != other for name, other in swap.items())
