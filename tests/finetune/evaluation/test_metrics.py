from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tiny_models import SIDE, make_tokenizer, make_towers, seeded, spread
from transformers import CLIPImageProcessorPil, CLIPProcessor

from data.images.open import read_picture
from finetune.evaluation import metrics
from finetune.evaluation.dataset import answer_type, derange
from finetune.evaluation.metrics import ClipScore
from model.errors import WeightsError


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
    ("golds", "kind"),
    [
        (("Yes.",), "yes/no"),
        (("no", "no", "maybe"), "yes/no"),
        (("3",), "number"),
        (("two", "two", "2 dogs"), "number"),
        (("4:40",), "other"),
        (("bus 9",), "other"),
    ],
)
def test_answers_have_the_types_of_vqa(golds: tuple[str, ...], kind: str) -> None:
    assert answer_type(golds) == kind


def test_captions_are_scored_against_all_references() -> None:
    references = [["a dog runs on grass"], ["two men play a game"], ["a red car on the road"]]
    perfect = metrics.CaptionScorer([r[0] for r in references], references)
    assert perfect.cider() == pytest.approx([1000] * 3)
    assert perfect.bleu4() == pytest.approx(100, abs=0.1)
    assert perfect.rouge_l() == pytest.approx([100] * 3)
    assert perfect.distinct() == 100
    poor = metrics.CaptionScorer(["A dog runs."] * 3, references)
    assert 0 < sum(poor.cider()) / 3 < 500
    assert poor.distinct() == pytest.approx(100 / 3)


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
    swap = derange(names + names)
    assert sorted(swap.values()) == names
    assert all(name != other for name, other in swap.items())


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    folder = tmp_path / "clip"
    with seeded(1):
        network = make_towers()["clip-full"]
        network.text_model.embeddings.token_embedding = torch.nn.Embedding(400, 16)
        network.config.text_config.vocab_size = 400
        spread(network).save_pretrained(folder)
    tokenizer = make_tokenizer()
    tokenizer.pad_token, tokenizer.model_max_length = tokenizer.eos_token, 77
    images = CLIPImageProcessorPil(size={"shortest_edge": SIDE}, crop_size=SIDE)
    CLIPProcessor(images, tokenizer).save_pretrained(folder)
    return folder


def test_it_is_two_and_a_half_cosines_at_least_zero(clip: Path, data: Path) -> None:
    from transformers import CLIPModel

    images = sorted((data / "images").iterdir())
    captions = [f"a {'very ' * i}brown dog" for i in range(len(images))]
    captions[3] = "dog " * 200  # more tokens than CLIP reads
    scores = ClipScore(str(clip))((read_picture(path).image for path in images), captions)
    assert len(scores) == len(images)
    assert all(0 <= score <= 2.5 for score in scores)
    assert len(set(scores)) > 2
    network = CLIPModel.from_pretrained(clip).eval()
    processor = CLIPProcessor.from_pretrained(clip)
    for index in (0, 3, 11):
        inputs = processor(
            text=["A photo depicts " + captions[index]],
            images=[read_picture(images[index]).image],
            return_tensors="pt", truncation=True,
        )  # fmt: skip
        with torch.no_grad():
            found = network(**inputs)
        cosine = (found.image_embeds @ found.text_embeds.T).item()  # CLIP normalises them
        assert scores[index] == pytest.approx(2.5 * max(cosine, 0), abs=1e-4)


def test_what_is_no_clip_is_refused(hub: Path) -> None:
    for source in (str(hub / "clip"), "/nowhere", "nobody/nothing"):
        with pytest.raises(WeightsError):
            ClipScore(source)
