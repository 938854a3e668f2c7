"""CLIPScore with a tiny CLIP in the hub's format."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tiny_models import SIDE, make_tokenizer, make_towers, seeded, spread
from transformers import CLIPImageProcessorPil, CLIPProcessor

from data.images.open import read_picture
from finetune.evaluation.clip_score import ClipScore
from model.errors import WeightsError


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
    scores = ClipScore(str(clip))(images, captions)
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
