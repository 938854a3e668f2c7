"""Greedy and beam decoding, against decoding without any cleverness."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from reference_decoding import reference_best, reference_greedy, reference_score
from tiny_models import picture, seeded, spread, tiny_vlm
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM, PreTrainedTokenizerFast

from model.generation import Decoded, beam, greedy
from model.vlm import PrefixCache, PrefixVLM

WORDS = ["<end>", "ask", "a", "dog", "runs"]  # the first ends a text
PROMPTS = ["ask", "ask a dog", "a a", "ask a dog runs a", "dog", "runs runs ask"]


@pytest.fixture(scope="module", params=[11, 22, 48])  # whose texts end at many lengths
def vlm(request: pytest.FixtureRequest, hub: Path) -> PrefixVLM:
    """A model of five words, so that all texts can be tried."""
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    shape = {"hidden_size": 24, "intermediate_size": 48, "num_attention_heads": 4}
    shape |= {"num_hidden_layers": 2, "max_position_embeddings": 64}
    config = GPTNeoXConfig(vocab_size=5, bos_token_id=0, eos_token_id=0, **shape)
    made = tiny_vlm(hub)
    with seeded(request.param):
        made.language = spread(GPTNeoXForCausalLM(config)).requires_grad_(False)
    made.tokenizer = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<end>")
    return made


def encode(vlm: PrefixVLM, count: int = len(PROMPTS)) -> list[PrefixCache]:
    with torch.inference_mode():
        return vlm.prefill(vlm.encode([picture(seed) for seed in range(count)]))


@contextmanager
def counting(vlm: PrefixVLM) -> Iterator[list[int]]:
    """The batch size of each pass through the language model."""
    sizes: list[int] = []

    def count(module: object, args: object, kwargs: dict[str, torch.Tensor]) -> None:
        sizes.append(len(kwargs["input_ids"]))

    hook = vlm.language.register_forward_pre_hook(count, with_kwargs=True)
    try:
        yield sizes
    finally:
        hook.remove()


def same(found: Decoded, tokens: tuple[int, ...], logprob: float) -> bool:
    return found.tokens == tokens and found.logprob == pytest.approx(logprob, abs=1e-4)


# --- greedy ----------------------------------------------------------------------------------


def test_greedy_texts_of_other_ranks_start_with_the_next_tokens(vlm: PrefixVLM) -> None:
    best = greedy(vlm, encode(vlm), PROMPTS, 9)
    assert greedy(vlm, encode(vlm), PROMPTS, 9, ranks=[0] * len(PROMPTS)) == best
    found = [greedy(vlm, encode(vlm), PROMPTS, 9, ranks=[r, 0, r, r, r, r]) for r in (1, 2, 3)]
    for row in (0, 2, 3, 4, 5):
        others = {decoded[row].tokens[0] for decoded in found}
        assert len(others - {vlm.end}) == 3
        first = best[row].tokens[0]
        # Where the best text is empty, the next one starts with the likeliest word.
        assert first == vlm.end or first not in others
    assert all(same(decoded[1], best[1].tokens, best[1].logprob) for decoded in found)


def test_greedy_texts_end_each_at_their_own_time(vlm: PrefixVLM) -> None:
    found = greedy(vlm, encode(vlm), PROMPTS, 9)
    for seed, prompt in enumerate(PROMPTS):
        assert same(found[seed], *reference_greedy(vlm, picture(seed), prompt, 9))
    lengths = {len(decoded.tokens) for decoded in found}
    assert len(lengths) > 2
    assert any(decoded.tokens[-1] == vlm.end for decoded in found)


@pytest.mark.parametrize("scales", [[0.1, 1.0, 2.0], [0.0, 1.0, 0.4]])
def test_guidance_weighs_the_picture_by_the_scale_of_each_prompt(
    vlm: PrefixVLM, scales: list[float]
) -> None:
    found = greedy(vlm, encode(vlm, 3), PROMPTS[:3], 9, scales)
    bests = beam(vlm, encode(vlm, 3), PROMPTS[:3], 3, 200, 1.0, scales)
    for seed, (prompt, scale) in enumerate(zip(PROMPTS, scales, strict=False)):
        assert same(found[seed], *reference_greedy(vlm, picture(seed), prompt, 9, scale))
        assert same(bests[seed], *reference_best(vlm, picture(seed), prompt, 3, 1.0, scale))


def test_at_a_scale_of_0_the_picture_does_not_matter(vlm: PrefixVLM) -> None:
    blind = greedy(vlm, encode(vlm, 4), PROMPTS[:1] * 4, 9, [0.0] * 4)
    assert all(same(found, blind[0].tokens, blind[0].logprob) for found in blind)
    seen = greedy(vlm, encode(vlm, 4), PROMPTS[:1] * 4, 9)
    assert len({round(found.logprob, 4) for found in seen}) == 4


def test_finished_texts_cost_nothing_more(vlm: PrefixVLM) -> None:
    caches = encode(vlm)
    with counting(vlm) as sizes:
        found = greedy(vlm, caches, PROMPTS, 9)
    lengths = [len(decoded.tokens) for decoded in found]
    assert sizes == [sum(n > step for n in lengths) for step in range(max(lengths))]


@pytest.mark.parametrize("most", [1, 5])
def test_no_more_tokens_than_allowed(vlm: PrefixVLM, most: int) -> None:
    for found in (
        greedy(vlm, encode(vlm), PROMPTS, most),
        beam(vlm, encode(vlm), PROMPTS, most, 3),
    ):
        assert max(len(decoded.tokens) for decoded in found) == most


def test_a_text_is_told_without_its_end_and_the_mean_with_it(vlm: PrefixVLM) -> None:
    ended = [d for d in greedy(vlm, encode(vlm), PROMPTS, 9) if d.tokens[-1] == vlm.end]
    for decoded in ended:
        assert decoded.text == " ".join(WORDS[token] for token in decoded.tokens[:-1])
        assert decoded.mean_logprob == pytest.approx(decoded.logprob / len(decoded.tokens))
    assert ended
    assert Decoded("", (), 0.0).mean_logprob == 0.0


# --- beams -----------------------------------------------------------------------------------


@pytest.mark.parametrize("penalty", [0.0, 1.0])
def test_one_beam_is_greedy(vlm: PrefixVLM, penalty: float) -> None:
    caches = encode(vlm)
    expected = greedy(vlm, caches, PROMPTS, 9)
    for found, wanted in zip(beam(vlm, caches, PROMPTS, 9, 1, penalty), expected, strict=True):
        assert same(found, wanted.tokens, wanted.logprob)


@pytest.mark.parametrize("penalty", [0.0, 1.0, 2.0])
def test_a_beam_as_wide_as_all_texts_finds_the_best_of_all(vlm: PrefixVLM, penalty: float) -> None:
    found = beam(vlm, encode(vlm, 3), PROMPTS[:3], 3, 200, penalty)
    for seed, prompt in enumerate(PROMPTS[:3]):
        assert same(found[seed], *reference_best(vlm, picture(seed), prompt, 3, penalty))


@pytest.mark.parametrize("width", [2, 3])
def test_beams_find_what_the_librarys_own_search_finds(vlm: PrefixVLM, width: int) -> None:
    check_against_library(vlm, PROMPTS, width)


@pytest.mark.parametrize("speaking", ["gpt-neox", "llama"])
def test_the_librarys_search_over_many_words(hub: Path, speaking: str) -> None:
    check_against_library(tiny_vlm(hub, speaking), PROMPTS[:3], 3)


def test_beams_of_a_batch_are_those_one_by_one(vlm: PrefixVLM) -> None:
    caches = encode(vlm)
    together = beam(vlm, caches, PROMPTS, 8, 3)
    for found, cache, prompt in zip(together, caches, PROMPTS, strict=True):
        [alone] = beam(vlm, [cache], [prompt], 8, 3)
        assert same(found, alone.tokens, alone.logprob)


def test_wider_beams_find_better_texts(vlm: PrefixVLM) -> None:
    caches = encode(vlm)
    means = [sum(d.logprob for d in beam(vlm, caches, PROMPTS, 8, width, 0.0)) for width in (1, 5)]
    assert means[1] > means[0] + 0.1


def check_against_library(vlm: PrefixVLM, prompts: list[str], width: int) -> None:
    found = beam(vlm, encode(vlm, len(prompts)), prompts, 8, width)
    for seed, prompt in enumerate(prompts):
        tokens = library_beam(vlm, seed, prompt, 8, width)
        logprob = reference_score(vlm, picture(seed), prompt, list(tokens))
        assert same(found[seed], tokens, logprob)


def library_beam(vlm: PrefixVLM, seed: int, prompt: str, most: int, width: int) -> tuple[int, ...]:
    """Beam search by transformers, fed embeddings."""
    with torch.inference_mode():
        prefix = vlm.encode([picture(seed)])
        inputs = torch.cat([prefix, vlm.embed(torch.tensor([vlm.tokens(prompt)]))], dim=1)
        [written] = vlm.language.generate(
            inputs_embeds=inputs,
            suppress_tokens=vlm.unwritable.nonzero()[:, 0].tolist(),
            attention_mask=torch.ones(inputs.shape[:2]),
            max_new_tokens=most,
            num_beams=width,
            do_sample=False,
            length_penalty=1.0,
            pad_token_id=vlm.end,
        ).tolist()
    end = written.index(vlm.end) + 1 if vlm.end in written else len(written)
    return tuple(written[:end])
