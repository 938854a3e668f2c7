"""The model in one piece: a picture's cached prefix, batches of prompts, scores of answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from reference_decoding import reference_greedy, reference_score
from tiny_models import END, QUESTIONS, picture, tiny_vlm

from model.config import MapperConfig
from model.generation import greedy, sample, score
from model.prompts import PROMPT_VERSION, normalise_question, prompt_for, target_text
from model.vlm import PrefixCache, PrefixVLM, stack

LANGUAGES = ["gpt-neox", "llama"]
PROMPTS = [prompt_for(question) for question in QUESTIONS[:15]] + [prompt_for(None)]


@pytest.fixture(scope="module", params=LANGUAGES)
def vlm(request: pytest.FixtureRequest, hub: Path) -> PrefixVLM:
    return tiny_vlm(hub, request.param)


def encode(vlm: PrefixVLM, count: int) -> list[PrefixCache]:
    with torch.inference_mode():
        return vlm.prefill(vlm.encode([picture(seed) for seed in range(count)]))


# --- the same numbers everywhere -------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("prompt", [PROMPTS[3], PROMPTS[-1]])
def test_cached_decoding_writes_what_uncached_decoding_writes(
    vlm: PrefixVLM, seed: int, prompt: str
) -> None:
    tokens, logprob = reference_greedy(vlm, picture(seed), prompt, 10)
    [decoded] = greedy(vlm, encode(vlm, seed + 1)[-1:], [prompt], 10)
    assert decoded.tokens == tokens
    assert decoded.logprob == pytest.approx(logprob, abs=1e-3)


def test_a_batch_of_sixteen_answers_as_its_members_one_by_one(vlm: PrefixVLM) -> None:
    caches = encode(vlm, 16)
    together = greedy(vlm, caches, PROMPTS, 8)
    alone = [
        greedy(vlm, encode(vlm, seed + 1)[-1:], [prompt], 8)[0]
        for seed, prompt in enumerate(PROMPTS)
    ]
    assert len({len(vlm.tokens(prompt)) for prompt in PROMPTS}) > 4
    assert len({decoded.tokens for decoded in alone}) > 8  # pictures and questions matter
    assert [d.tokens for d in together] == [d.tokens for d in alone]
    torch.testing.assert_close(
        torch.tensor([d.logprob for d in together]),
        torch.tensor([d.logprob for d in alone]),
        atol=1e-3,
        rtol=1e-4,
    )


def test_a_cache_serves_many_questions_and_stays_as_it_was(vlm: PrefixVLM) -> None:
    [cache] = encode(vlm, 1)
    before = [(keys.clone(), values.clone()) for keys, values in cache.layers]
    first = greedy(vlm, [cache], PROMPTS[:1], 5)
    greedy(vlm, [cache] * 3, PROMPTS[1:4], 5)
    assert greedy(vlm, [cache], PROMPTS[:1], 5) == first
    for (keys, values), (old_keys, old_values) in zip(cache.layers, before, strict=True):
        assert torch.equal(keys, old_keys)
        assert torch.equal(values, old_values)


def test_the_picture_decides_the_answer(vlm: PrefixVLM) -> None:
    answers = greedy(vlm, encode(vlm, 8), [PROMPTS[0]] * 8, 6)
    assert len({answer.tokens for answer in answers}) > 1
    assert len({round(answer.logprob, 3) for answer in answers}) == 8


# --- scores ----------------------------------------------------------------------------------


def test_scores_are_sums_of_log_probabilities(vlm: PrefixVLM) -> None:
    answers = ["yes", "A brown dog.", "two people near a fence"]
    scores = score(vlm, encode(vlm, 3), PROMPTS[:3], answers)
    for seed, (answer, found) in enumerate(zip(answers, scores, strict=True)):
        target = vlm.target(answer)
        assert target[-1] == vlm.end
        expected = reference_score(vlm, picture(seed), PROMPTS[seed], target)
        assert found == pytest.approx(expected, abs=1e-3)


def test_scores_of_a_batch_are_those_one_by_one(vlm: PrefixVLM) -> None:
    caches = encode(vlm, 16)
    answers = [("a dog " * (i % 4 + 1)).strip() for i in range(16)]
    together = score(vlm, caches, PROMPTS, answers)
    alone = [
        score(vlm, [cache], [prompt], [answer])[0]
        for cache, prompt, answer in zip(caches, PROMPTS, answers, strict=True)
    ]
    assert together == pytest.approx(alone, abs=1e-3)


def test_the_score_of_what_was_decoded_is_its_log_probability(vlm: PrefixVLM) -> None:
    [cache] = encode(vlm, 1)
    [decoded] = greedy(vlm, [cache], PROMPTS[:1], 4)
    expected = reference_score(vlm, picture(0), PROMPTS[0], list(decoded.tokens))
    assert decoded.logprob == pytest.approx(expected, abs=1e-3)


# --- parts -----------------------------------------------------------------------------------


def test_a_prefix_cache_knows_its_size(vlm: PrefixVLM) -> None:
    caches = encode(vlm, 2)
    config = vlm.language.config
    heads = getattr(config, "num_key_value_heads", config.num_attention_heads)
    assert [cache.positions for cache in caches] == [5, 5]
    assert len(caches[0].layers) == config.num_hidden_layers
    size = config.hidden_size // config.num_attention_heads
    assert caches[0].layers[0][0].shape == (heads, 5, size)
    assert caches[0].bytes == config.num_hidden_layers * 2 * heads * 5 * size * 4
    storage = caches[0].layers[0][0].untyped_storage().nbytes()
    assert storage == heads * 5 * size * 4  # nothing of its batch is kept alive


def test_stacked_caches_repeat_each_picture_for_its_beams(vlm: PrefixVLM) -> None:
    caches = encode(vlm, 2)
    keys = stack(caches, repeats=2).layers[1].keys
    assert len(keys) == 4
    for row, picture_index in enumerate([0, 0, 1, 1]):
        assert torch.equal(keys[row], caches[picture_index].layers[1][0])


def test_a_batch_is_padded_between_prefix_and_prompt(vlm: PrefixVLM) -> None:
    batch = vlm.batch([[7, 8, 9], [5]], positions=2)
    assert batch["input_ids"].tolist() == [[7, 8, 9], [vlm.end, vlm.end, 5]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1, 1, 1], [1, 1, 0, 0, 1]]
    assert batch["position_ids"][0].tolist() == [2, 3, 4]
    assert batch["position_ids"][1, -1] == 2


def test_widths_and_texts(vlm: PrefixVLM) -> None:
    assert vlm.width == 24
    assert vlm.embed(torch.tensor([[1, 2]])).shape == (1, 2, 24)
    assert vlm.target("A dog.") == [*vlm.tokens(" a dog"), vlm.end]


def test_an_end_token_that_somebody_types_is_text(vlm: PrefixVLM) -> None:
    assert vlm.end == 0
    typed = vlm.tokens(f"Question: {END} Answer:")
    assert vlm.end not in typed
    assert vlm.tokenizer.decode(typed) == f"Question: {END} Answer:"


@pytest.mark.parametrize("seeing", ["clip", "vit", "dinov2", "clip-full"])
@pytest.mark.parametrize("mapper", [{"kind": "mlp"}, {"kind": "resampler", "queries": 6}])
def test_any_tower_goes_with_any_mapper(
    hub: Path, vlm: PrefixVLM, seeing: str, mapper: dict[str, Any]
) -> None:
    config = MapperConfig(**mapper, hidden_size=24)
    speaking = Path(vlm.language.config.name_or_path).name
    other = tiny_vlm(hub, speaking, seeing, mapper=config)
    tokens, _ = reference_greedy(other, picture(3), PROMPTS[0], 4)
    with torch.inference_mode():
        prefix = other.encode([picture(3)])
    assert prefix.shape == (1, 17 if config.kind == "mlp" else 6, 24)
    assert greedy(other, other.prefill(prefix), PROMPTS[:1], 4)[0].tokens == tokens


# --- prompts: what an adapter is trained with must never change under it ----------------------


def test_the_prompts_of_version_one_as_adapters_were_trained_with_them() -> None:
    assert PROMPT_VERSION == 1
    assert prompt_for(None) == "Caption:"
    assert prompt_for("is it red") == "Question: Is it red? Answer:"


@pytest.mark.parametrize(
    ("typed", "normal"),
    [
        ("is it red", "Is it red?"),
        ("Is it red?", "Is it red?"),
        ("  is\tit \n red ?!? ", "Is it red?"),
        ("is it a TV?", "Is it a TV?"),
        ("IS IT RED??", "Is it red?"),
        ("HOW MANY DOGS", "How many dogs?"),
        ("what COLOUR is it", "What COLOR is it?"),
        ("Colours or coloured?", "Colors or colored?"),
        ("is the grey cat greyish", "Is the gray cat grayish?"),
        ("Grey?", "Gray?"),
        ("GREY OR RED", "Gray or red?"),
        ("is it a greyhound", "Is it a greyhound?"),
        ("is Agrey here", "Is Agrey here?"),
        ("是红色吗", "是红色吗?"),
    ],
)
def test_one_normal_form_however_a_question_was_typed(typed: str, normal: str) -> None:
    assert normalise_question(typed) == normal
    assert normalise_question(normal) == normal


@pytest.mark.parametrize(
    ("written", "learnt"),
    [
        ("Two", " two"),
        ("A dog runs . ", " a dog runs"),
        ("a man 's hat , a dog .", " a man's hat, a dog"),
        ("a\n b", " a b"),
    ],
)
def test_what_the_model_learns_to_write(written: str, learnt: str) -> None:
    assert target_text(written) == learnt


def test_what_no_caption_holds_is_never_written(vlm: PrefixVLM) -> None:
    tokens = vlm.tokenizer.get_vocab()
    banned = {token for token, index in tokens.items() if vlm.unwritable[index]}
    assert {"A", "Z", "_", "{", "Ċ"} <= banned
    assert not banned & {"a", "Ġ", ",", "'", "7", vlm.tokenizer.eos_token}
    with torch.inference_mode():
        vlm.language.get_output_embeddings().weight[tokens["A"]] *= 100  # likely, one way or other
    caches = encode(vlm, 8)
    assert all("A" not in text.text for text in greedy(vlm, caches, PROMPTS[:8], 6))
    assert all(
        "A" not in text.text
        for text in sample(vlm, caches, PROMPTS[:8], 6, np.random.default_rng(0))
    )
